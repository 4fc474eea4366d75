"""Components filled in bulk are those that Pyomo makes member by member."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest

from planner.equations.bulk import bounded, fill, flat_set, grouped, held, listed, numbered
from planner.equations.sets import rows
from planner.matrix import compile_model
from planner.model import templates

KEYS = [(0, 3), (2, 1), (1, 1)]
SLICES = range(2)
UPPER = {(*key, s): 10.0 * key[0] + s for key in KEYS for s in SLICES}


def bulk() -> Any:
    m = pyo.ConcreteModel()
    m.S = pyo.RangeSet(0, 1)
    flat_set(m, "L", [2, 0, 1], 1)
    flat_set(m, "K", KEYS, 2)
    bounded(m, "x", list(UPPER), list(UPPER.values()), m.K, m.S)
    m.c = pyo.Param(m.K, m.S, default=0.0)
    fill(m.c, {(2, 1, 0): 4.5})
    numbered(m, "d", np.array(KEYS)[1:], [2.0, -1.0], m.K)
    listed(m, "of", grouped(np.array([[2, 0, 2]]), np.array([7, 8, 5])), m.L)
    listed(m, "pairs", {(0, 1): [(1, 2), (0, 0)]}, m.L, m.S, dimen=2)
    return m


def plain() -> Any:
    m = pyo.ConcreteModel()
    m.S = pyo.RangeSet(0, 1)
    m.L = pyo.Set(initialize=[2, 0, 1])
    m.K = pyo.Set(dimen=2, initialize=KEYS)
    m.x = pyo.Var(m.K, m.S, bounds=lambda _m, *key: (0.0, UPPER[key]))
    m.c = pyo.Param(m.K, m.S, initialize={(2, 1, 0): 4.5}, default=0.0)
    m.d = pyo.Param(m.K, initialize={(2, 1): 2.0, (1, 1): -1.0}, default=0.0)
    m.of = pyo.Set(m.L, dimen=1, initialize={0: [8], 1: [], 2: [7, 5]})
    m.pairs = pyo.Set(
        m.L, m.S, dimen=2, initialize=lambda _m, i, s: [(1, 2), (0, 0)] if (i, s) == (0, 1) else []
    )
    return m


def test_the_components_are_alike() -> None:
    m, n = bulk(), plain()
    assert list(m.K) == list(n.K)
    assert [m.K.at(i) for i in (1, 2, 3)] == [n.K.at(i) for i in (1, 2, 3)]
    assert (2, 1) in m.K
    assert (3, 1) not in m.K
    assert m.K.dimen == n.K.dimen == 2
    assert list(m.x) == list(n.x) == list(UPPER)
    for key, var in m.x.items():
        like = n.x[key]
        assert var.name == like.name
        assert var.index() == key
        assert var.bounds == like.bounds
        assert var.domain is like.domain
        assert (var.value, var.fixed, var.stale) == (like.value, like.fixed, like.stale)
        assert var.parent_component() is m.x
    assert dict(m.c) == dict(n.c)
    assert m.c[2, 1, 0] == 4.5
    with pytest.raises(KeyError):
        m.x[9, 9, 9]
    assert list(m.L) == list(n.L) == [2, 0, 1]
    assert dict(m.d) == dict(n.d)
    for own, other in ((m.of, n.of), (m.pairs, n.pairs)):
        assert list(own) == list(other)
        assert len(own) == len(other) > 2
        for key in other:
            assert list(own[key]) == list(other[key])
            assert own[key].dimen == other[key].dimen
            assert own[key].name == other[key].name


LOOKS: dict[str, Callable[[Any], Any]] = {
    "length": lambda m: (len(m.x), len(m.K), len(m.d), len(m.of)),
    "one variable": lambda m: (m.x[2, 1, 1].ub, m.x[2, 1, 1].lb, m.x[2, 1, 1].name),
    "one parameter": lambda m: (m.d[1, 1], m.d[0, 3]),
    "no such parameter": lambda m: _refused(m.d, (9, 9)),
    "no such variable": lambda m: _refused(m.x, (9, 9, 9)),
    "no such list": lambda m: _refused(m.of, 9),
    "one list": lambda m: list(m.of[2]),
    "an empty list": lambda m: list(m.of[1]),
    "lists": lambda m: {key: tuple(each) for key, each in m.of.items()},
    "whether it is there": lambda m: ((2, 1, 1) in m.x, (2, 1) in m.K, 1 in m.of, 7 in m.of),
    "position": lambda m: (m.K.ord((2, 1)), m.K.at(3), m.K.first(), m.L.last()),
    "references": lambda m: [c.is_reference() for c in (m.x, m.d, m.of)],
    "values": lambda m: [var.name for var in m.x.values()],
    "slice": lambda m: [var.name for var in m.x[2, :, :]],
    "all": lambda m: [var.name for var in m.component_data_objects(pyo.Var)],
    "sum": lambda m: str(sum(m.d[k] * m.x[k, 0] for k in m.K)),
    "print": lambda m: _printed(m.x, m.d, m.of, m.K),
    "copy": lambda m: [(v.name, v.ub, v.lb) for v in m.clone().x.values()],
    "copied lists": lambda m: {k: tuple(v) for k, v in m.clone().of.items()},
    "copied numbers": lambda m: dict(m.clone().d),
}
"""What a reader may ask first, before any member is made."""


def _refused(component: Any, index: Any) -> str:
    with pytest.raises(KeyError) as found:
        component[index]
    return str(found.value)


def _printed(*components: Any) -> str:
    out = StringIO()
    for component in components:
        component.pprint(ostream=out)
    return out.getvalue()


@pytest.mark.parametrize("look", LOOKS)
def test_the_first_look_finds_what_pyomo_would_show(look: str) -> None:
    assert LOOKS[look](bulk()) == LOOKS[look](plain())


def test_only_what_is_asked_for_is_made() -> None:
    m = bulk()
    assert held(m.x) is not None
    m.of[2]
    assert list(m.of._filled) == [2]
    with templates():
        m.r = pyo.Constraint(
            m.L, rule=lambda m, i: sum(m.d[k, 1] * m.x[k, 1, 0] for k in m.of[i]) <= 1
        )
    assert held(m.x) is not None
    assert held(m.d) is not None
    assert held(m.K) is not None
    m.x[2, 1, 0].setub(3.0)
    assert held(m.x) is None


def test_what_is_changed_later_counts() -> None:
    """A bound, a member of a set, a value: arrays are not read any more once something is made."""
    m = bulk()
    m.x[2, 1, 0].setub(3.0)
    m.of[1].add(2)
    with templates():
        m.r = pyo.Constraint(
            m.L, rule=lambda m, i: sum(m.d[k, 1] * m.x[k, 1, 0] for k in m.of[i]) <= i + 1
        )
    m.of[0].clear()
    m.of[2].clear()
    matrix = compile_model(m)
    at = matrix.columns["x"].start + list(UPPER).index((2, 1, 0))
    assert matrix.upper[at] == 3.0
    assert matrix.row_index == {"r": (1,)}
    assert matrix.a[0, at] == 2.0
    assert matrix.a.nnz == 1


def test_they_compile_alike() -> None:
    compiled = []
    for m in (bulk(), plain()):
        m.cost_x = pyo.Objective(expr=sum(m.x[i] * (1 + m.c[i]) for i in m.x))
        m.r = pyo.Constraint(m.K, rule=lambda m, a, b: sum(m.x[a, b, s] for s in m.S) >= a)
        compiled.append(compile_model(m))
    one, two = compiled
    assert one.column_index == two.column_index
    assert one.row_index == two.row_index
    assert (one.a - two.a).count_nonzero() == 0
    for name in ("cost", "lower", "upper", "row_lower", "row_upper", "integer"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


def test_rows_over_several_sets_are_those_of_their_product() -> None:
    """Whole numbers go by one flat set, names by Pyomo's own product."""
    m, n = bulk(), bulk()
    for model in (m, n):
        model.NAMES = pyo.Set(initialize=["a", "b"])
        model.NOBODY = pyo.Set(initialize=[])
        model.y = pyo.Var(model.NAMES)
    with templates():
        rows(m, "of_x", m.K, m.S, rule=lambda m, a, b, s: m.x[a, b, s] <= m.d[a, b])
        rows(m, "of_y", m.NAMES, m.S, rule=lambda m, name, s: m.y[name] >= s)
        rows(m, "none", m.NAMES, m.NOBODY, rule=lambda m, name, _: m.y[name] >= 0)
        n.of_x = pyo.Constraint(n.K, n.S, rule=lambda m, a, b, s: m.x[a, b, s] <= m.d[a, b])
        n.of_y = pyo.Constraint(n.NAMES, n.S, rule=lambda m, name, s: m.y[name] >= s)
    assert m.component("none") is None
    assert m.of_x.index_set() is m.of_x_index
    assert m.component("of_y_index") is None
    one, two = compile_model(m), compile_model(n)
    assert one.row_index == two.row_index
    assert [len(index) for index in one.row_index.values()] == [6, 4]
    assert (one.a - two.a).count_nonzero() == 0
    assert np.array_equal(one.row_lower, two.row_lower)
    assert np.array_equal(one.row_upper, two.row_upper)


def test_nothing_at_all() -> None:
    m = pyo.ConcreteModel()
    flat_set(m, "K", [], 2)
    bounded(m, "x", [], [], m.K)
    assert len(m.x) == len(m.K) == 0


def test_bounds_are_the_tighter_of_domain_and_own() -> None:
    """Also those that a rule changes later, and those that are expressions."""
    m = pyo.ConcreteModel()
    m.k = pyo.Param(initialize=3.0, mutable=True)
    m.a = pyo.Var(domain=pyo.NonNegativeReals, bounds=(-1, m.k))
    m.b = pyo.Var([1, 2], domain=pyo.Binary, bounds=(None, 5))
    m.d = pyo.Var(domain=pyo.Integers)
    m.b[2].setub(0)
    m.cost_all = pyo.Objective(expr=m.a + m.b[1] + m.b[2] + m.d)
    m.r = pyo.Constraint(expr=m.a + m.b[1] + m.b[2] + m.d >= 0)
    matrix = compile_model(m)
    assert matrix.lower.tolist() == [0.0, 0.0, 0.0, -np.inf]
    assert matrix.upper.tolist() == [3.0, 1.0, 0.0, np.inf]
    assert matrix.integer.tolist() == [False, True, True, True]
