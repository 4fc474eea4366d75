"""Templates evaluated for all rows at once give the arrays of Pyomo's own standard form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.environ as pyo
import pytest
import scipy.sparse as sp
from pyomo.repn import generate_standard_repn
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

from planner.compile.columns import Columns, Labels
from planner.compile.costs import FEW, cost
from planner.compile.members import Members, Places, UnknownError, axes_of
from planner.compile.one_by_one import OneByOne
from planner.compile.rows import family
from planner.equations.bulk import bounded, flat_set, held
from planner.equations.redundancy import redundancy
from planner.errors import InfeasibleError
from planner.generate import generated_case
from planner.instance import build_instance
from planner.matrix import Matrix, compile_model
from planner.model import build_model, templates
from tests.cases import claude_without_rules, random_case, small_case, tiny_case
from tests.cases_rules import tiny_rules_case

Ints = npt.NDArray[np.int64]
CASES: dict[str, Callable[[], Any]] = {
    "tiny": tiny_case,
    "rules": tiny_rules_case,
    "small": small_case,
    "random 3": lambda: random_case(3),
    "random 11": lambda: random_case(11),
    "generated": lambda: generated_case(30_000, 2),
    "claude": claude_without_rules,
}


def model(name: str) -> Any:
    without = () if name == "rules" else (redundancy,)
    return build_model(build_instance(CASES[name]()), without=without, strengthen=True)


def by_pyomo(m: Any) -> dict[str, Any]:
    """The same arrays from Pyomo's standard form, columns in the order of the model."""
    with templates():
        form = LinearStandardFormCompiler().write(m, mixed_form=True)
    data = [var for component in m.component_objects(pyo.Var) for var in component.values()]
    place = {id(var): i for i, var in enumerate(data)}
    order = [place[id(var)] for var in form.columns]
    kinds = np.array([row.bound_type for row in form.rows])

    def spread(a: Any) -> Any:
        coo = sp.coo_array(a)
        at = np.array(order, dtype=np.int64)[coo.coords[1]]
        out = sp.csc_array((coo.data, (coo.coords[0], at)), shape=(coo.shape[0], len(data)))
        out.sum_duplicates()
        return out

    return {
        "a": spread(form.A),
        "cost": spread(form.c).toarray(),
        "cost_offset": np.asarray(form.c_offset, dtype=float),
        "row_lower": np.where(kinds == 1, -np.inf, form.rhs),
        "row_upper": np.where(kinds == -1, np.inf, form.rhs),
        "rows": [(row.constraint.parent_component().name, row.constraint.index())
                 for row in form.rows],
        "columns": [(var.parent_component().name, var.index()) for var in data],
        "lower": np.array([-np.inf if var.lb is None else var.lb for var in data]),
        "upper": np.array([np.inf if var.ub is None else var.ub for var in data]),
        "integer": np.array([not var.is_continuous() for var in data], dtype=bool),
    }  # fmt: skip


def assert_same(ours: Matrix, theirs: dict[str, Any]) -> None:
    """The same labels in the same order, the same numbers to the last bits."""
    for blocks, index, key in (
        (ours.rows, ours.row_index, "rows"),
        (ours.columns, ours.column_index, "columns"),
    ):
        assert [(name, each) for name in blocks for each in index[name]] == theirs[key]
        assert [each for block in blocks.values() for each in range(block.start, block.stop)] == (
            list(range(len(theirs[key])))
        )
    for name in ("indptr", "indices"):
        assert np.array_equal(getattr(ours.a, name), getattr(theirs["a"], name)), name
    assert np.allclose(ours.a.data, theirs["a"].data, rtol=1e-15, atol=0.0)
    for name in ("row_lower", "row_upper", "cost", "cost_offset"):
        assert np.allclose(getattr(ours, name), theirs[name], rtol=1e-15, atol=0.0), name
    for name in ("lower", "upper", "integer"):
        assert np.array_equal(getattr(ours, name), theirs[name]), name
    # To the last bit, since the path of a search hangs on it.
    assert np.array_equal(ours.objective, theirs["cost"].sum(axis=0))


def row_by_row(m: Any) -> set[str]:
    """Constraints whose template is not evaluated at once."""
    columns = Columns.of(m)
    members, one_by_one = Members(columns.first), OneByOne(columns.first)
    families = [family(c, members, one_by_one) for c in m.component_objects(pyo.Constraint)]
    return {each.name for each in families if each.index and not each.at_once}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.xdist_group("claude")] * (n == "claude")) for n in CASES],
)
def test_arrays_are_those_of_pyomos_standard_form(name: str) -> None:
    """Ours first, and it makes no variable of what is held as arrays."""
    m = model(name)
    ours = compile_model(m)
    for lazy in (m.serve, m.rate, m.unserved, m.flex, m.hourly):
        assert held(lazy) is not None, lazy.name
    assert row_by_row(m) == set()
    assert_same(ours, by_pyomo(m))


def test_every_kind_of_row_was_compared() -> None:
    kinds = {c.name for name in ("rules", "tiny") for c in model(name).component_objects(
        pyo.Constraint) if len(c)}  # fmt: skip
    assert len(kinds) > 30


def odd() -> Any:
    """A model with everything that is left to Pyomo, and some that is not."""
    m = pyo.ConcreteModel()
    m.I = pyo.RangeSet(0, 3)
    m.N = pyo.Set(initialize=["a", "b"])
    m.K = pyo.Set(dimen=2, initialize=[(0, 1), (2, 0), (-1, 5)])
    m.own = pyo.Set(m.I, initialize={0: [1, 2], 1: [], 2: [3], 3: [0, 1, 2, 3]})
    m.x = pyo.Var(m.I, bounds=(0, 9))
    m.y = pyo.Var(m.N, domain=pyo.Binary)
    m.z = pyo.Var(m.K)
    m.one = pyo.Var()
    m.c = pyo.Param(m.I, initialize={0: 2.5, 1: -1.0, 3: 4}, default=7.0)
    m.moves = pyo.Param(m.I, initialize=dict.fromkeys(range(4), 2.0), mutable=True)
    m.w = pyo.Param(m.K, initialize=lambda _m, a, b: a - b / 3)
    m.cost_all = pyo.Objective(expr=3 + sum(m.c[i] * m.x[i] for i in m.I) + m.one)
    m.cost_more = pyo.Objective(expr=sum(m.z[k] for k in m.K) + sum(m.y[n] for n in m.N))
    m.cost_gain = pyo.Objective(expr=2 * m.x[0] - 1, sense=pyo.maximize)
    with templates():
        m.cost_walked = pyo.Objective(
            rule=lambda m: 5 - sum(m.c[i] * m.x[i] for i in m.I) + 2 * m.x[3] + m.one
        )
        m.cost_halved = pyo.Objective(rule=lambda m: sum(m.c[i] * m.x[i] / 2 for i in m.I))
        m.plain = pyo.Constraint(m.I, rule=lambda m, i: m.c[i] * m.x[i] + m.one - 2 * m.x[0] <= 4)
        m.ragged = pyo.Constraint(
            m.I,
            rule=lambda m, i: sum(m.c[j] * m.c[i] * m.x[j] for j in m.own[i]) + m.x[i] >= m.c[i],
        )
        m.pairs = pyo.Constraint(
            m.K, rule=lambda m, a, b: m.w[a, b] * m.z[a, b] + 1 == -(m.c[2] + m.w[a, b])
        )
        m.twice = pyo.Constraint(
            m.I, rule=lambda m, i: m.x[i] + sum(m.x[j] - m.x[i] for j in m.I) <= 2 + m.one
        )
        m.left = pyo.Constraint(m.I, rule=lambda m, i: m.c[i] <= m.x[i])
        m.halves = pyo.Constraint(m.I, rule=lambda m, i: m.x[i] / 2 <= 4)
        m.computed = pyo.Constraint(m.I, rule=lambda m, i: m.x[3 - i] <= 4)
        m.mutable = pyo.Constraint(m.I, rule=lambda m, i: m.moves[i] * m.x[i] <= 4)
        m.ranged = pyo.Constraint(m.I, rule=lambda m, i: (1, m.x[i], m.c[i] + 2))
        m.named = pyo.Constraint(m.N, rule=lambda m, n: m.y[n] + m.x[0] <= 4)
        m.listed = pyo.Constraint(m.I, rule=lambda m, i: sum(m.x[j] for j in (0, 2)) <= m.c[i])
        m.single = pyo.Constraint(expr=m.x[0] + 2 * m.one >= -1)
    m.single_again = pyo.Constraint(expr=(2, m.x[0] - m.one, 5))
    m.rows = pyo.ConstraintList()
    m.rows.add(m.x[1] + 1 <= m.y["a"])
    m.rows.add(m.x[2] == 3)
    return m


LEFT_TO_PYOMO = {
    "halves", "computed", "mutable", "ranged", "named", "single", "single_again", "rows",
}  # fmt: skip


def test_what_the_walk_does_not_know_is_left_to_pyomo() -> None:
    m = odd()
    ours = compile_model(m)
    assert row_by_row(m) == LEFT_TO_PYOMO
    assert_same(ours, by_pyomo(m))
    assert ours.a[[ours.rows["twice"].start]].toarray()[0, :4].tolist() == [-2, 1, 1, 1]


@pytest.mark.parametrize("parts", [2, FEW + 1])
def test_cost_terms_are_walked_unless_they_are_written_out(parts: int) -> None:
    m = odd()
    columns = Columns.of(m)
    members = Members(columns.first)
    with templates():
        m.cost_new = pyo.Objective(rule=lambda m: m.one * 2 + sum(m.x[i] for i in m.I))
        m.cost_long = pyo.Objective(expr=pyo.quicksum(m.x[i % 4] * i for i in range(1, parts + 1)))
    walked = {}
    for term in m.component_objects(pyo.Objective):
        found = cost(term, members, OneByOne(columns.first))
        walked[found.name] = found.at_once
        wanted = generate_standard_repn(term.expr)
        turned = -1.0 if term.name == "cost_gain" else 1.0
        dense = np.bincount(found.column, found.value, minlength=columns.count)
        named = dict(zip(label_list(m), (turned * dense).tolist(), strict=True))
        there = {v.name: c for v, c in zip(wanted.linear_vars, wanted.linear_coefs, strict=True)}
        assert {name: v for name, v in named.items() if v} == pytest.approx(there, rel=1e-15)
        assert turned * found.constant == wanted.constant
    assert walked == {
        "cost_all": False, "cost_more": False, "cost_gain": False, "cost_walked": True,
        "cost_halved": False, "cost_new": True, "cost_long": parts <= FEW,
    }  # fmt: skip


def label_list(m: Any) -> list[str]:
    return [var.name for each in m.component_objects(pyo.Var) for var in each.values()]


def test_labels_are_tuples_that_are_made_when_asked_for() -> None:
    matrix = compile_model(model("tiny"))
    lazy, plain = matrix.column_index["serve"], matrix.column_index["contracted"]
    assert isinstance(lazy, Labels)
    assert isinstance(plain, tuple)
    made = tuple(lazy)
    assert len(lazy) == len(made) > 10
    assert (lazy[3], lazy[-1], lazy[1:3]) == (made[3], made[-1], made[1:3])
    assert made[2] in lazy
    assert lazy.index(made[2]) == 2
    assert lazy == made
    assert lazy == compile_model(model("tiny")).column_index["serve"]
    assert plain != lazy
    assert made == lazy
    assert lazy != made[1:]
    assert lazy != matrix.column_index["flex"]
    assert np.array(lazy, dtype=np.int64).tolist() == [list(key) for key in made]
    m = pyo.ConcreteModel()
    flat_set(m, "K", [4, 2], 1)
    bounded(m, "x", [4, 2], [1.0, 2.0], m.K)
    one = compile_model(m).column_index["x"]
    assert (tuple(one), np.array(one).tolist()) == ((4, 2), [4, 2])


def test_rows_without_terms_are_left_out_or_said_to_be_impossible() -> None:
    m = odd()
    with templates():
        m.empty = pyo.Constraint(m.I, rule=lambda m, i: sum(m.x[j] for j in m.own[i]) <= m.c[i] + 1)
        assert_same(compile_model(m), by_pyomo(m))
        assert compile_model(m).row_index["empty"] == (0, 2, 3)
        m.never = pyo.Constraint(m.I, rule=lambda m, i: sum(m.x[j] for j in m.own[i]) >= 2)
    with pytest.raises(InfeasibleError, match=r"nothing can satisfy: never\[1\]"):
        compile_model(m)


def test_fixed_variables_and_rows_switched_off() -> None:
    """A fixed variable moves to the other side; a row that is switched off is not there."""
    m = odd()
    m.x[0].fix(2.0)
    m.z[2, 0].fix(-1.5)
    m.one.fix(0.25)
    m.plain[1].deactivate()
    m.left.deactivate()
    ours = compile_model(m)
    theirs = by_pyomo(m)
    assert "plain" in row_by_row(m)
    assert "left" not in ours.rows
    assert (1, 0, 3) != ours.row_index["plain"] == (0, 2, 3)
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    "rule",
    [
        lambda m, i: sum(m.x[i] * m.x[j] for j in m.own[i]) <= 4,
        lambda m, i: m.x[i] ** 2 <= 4,
    ],
)
def test_rows_that_are_not_linear_are_refused(rule: Any) -> None:
    m = odd()
    with templates():
        m.square = pyo.Constraint(m.I, rule=rule)
    with pytest.raises(Exception, match="linear"):
        compile_model(m)


def test_an_index_that_is_not_there_is_pyomos_to_refuse() -> None:
    m = odd()
    m.short = pyo.Var(pyo.RangeSet(0, 1))
    m.few = pyo.Param(m.I, initialize={0: 1.0})
    with templates():
        m.outside = pyo.Constraint(m.I, rule=lambda m, i: m.short[i] + m.x[i] <= 4)
    with pytest.raises(KeyError):
        compile_model(m)
    m.del_component(m.outside)
    with templates():
        m.missing = pyo.Constraint(m.I, rule=lambda m, i: m.few[i] * m.x[i] <= 4)
    with pytest.raises((KeyError, ValueError)):
        compile_model(m)


def found(places: Places, axes: Ints) -> Ints:
    parts = [places.part(i, axis) for i, axis in enumerate(axes)]
    return places.at(np.array(parts).sum(axis=0))


def test_places_near_and_far_apart() -> None:
    rng = np.random.default_rng(1)
    for span in (6, 10**6):
        keys: Ints = np.unique(rng.integers(-span, span, (2, 40)), axis=1)
        asked: Ints = np.concatenate([keys[:, ::-1], rng.integers(-2 * span, 2 * span, (2, 40))], 1)
        known = {tuple(key): i for i, key in enumerate(keys.T.tolist())}
        wanted = [known.get(tuple(key), -1) for key in asked.T.tolist()]
        assert found(Places(keys), asked).tolist() == wanted
        assert -1 in wanted
    none = Places(np.zeros((3, 0), dtype=np.int64))
    assert found(none, np.array([[0], [0], [0]])).tolist() == [-1]
    with pytest.raises(UnknownError):
        Places(np.array([[-(2**40), 2**40], [-(2**40), 2**40]]))


@pytest.mark.parametrize("keys", [["a"], [(1, "b")], [1, (1, 2)], [(1, 2), (3,)], [1.5], [2**70]])
def test_indices_that_are_no_whole_numbers_are_unknown(keys: list[Any]) -> None:
    with pytest.raises(UnknownError):
        axes_of(keys)
