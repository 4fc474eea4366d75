"""Components filled in bulk are those that Pyomo makes member by member."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest

from planner.equations.bulk import bounded, fill, flat_set
from planner.matrix import compile_model

KEYS = [(0, 3), (2, 1), (1, 1)]
SLICES = range(2)
UPPER = {(*key, s): 10.0 * key[0] + s for key in KEYS for s in SLICES}


def bulk() -> Any:
    m = pyo.ConcreteModel()
    m.S = pyo.RangeSet(0, 1)
    flat_set(m, "K", KEYS, 2)
    bounded(m, "x", list(UPPER), list(UPPER.values()), m.K, m.S)
    m.c = pyo.Param(m.K, m.S, default=0.0)
    fill(m.c, {(2, 1, 0): 4.5})
    return m


def plain() -> Any:
    m = pyo.ConcreteModel()
    m.S = pyo.RangeSet(0, 1)
    m.K = pyo.Set(dimen=2, initialize=KEYS)
    m.x = pyo.Var(m.K, m.S, bounds=lambda _m, *key: (0.0, UPPER[key]))
    m.c = pyo.Param(m.K, m.S, initialize={(2, 1, 0): 4.5}, default=0.0)
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
