"""The week with slices merged: the stand-in of first cuts, and prices of a root."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from planner import solve
from planner.case import Case, load_case
from planner.case.rules import Limit
from planner.case.settings import TimeSlice
from planner.instance import Instance, build_instance
from planner.matrix import Matrix, RowBatch
from planner.redundancy.learn import first_cuts
from planner.redundancy.problem import compiled_problem
from planner.redundancy.rounds import Rounds
from planner.solve.bound import weak_duality_bound
from planner.solve.lp import LpResult
from planner.solve.merged_session import MergedSession
from planner.solve.merged_week import BY_SLICE_COLUMNS, MergedWeek, Week, merged_week
from planner.solve.options import SolveOptions
from planner.solve.root import merged_root
from planner.solve.session import Session
from planner.solve.watch import Stop
from planner.week import week_of
from tests.cases import valid
from tests.redundancy.test_rounds import resilient
from tests.solve.test_promises_by_parts import RUN, unsolved


@pytest.fixture(scope="module")
def problem() -> tuple[Instance, Matrix]:
    inst = build_instance(resilient(load_case(Path("data/small"))))
    return inst, compiled_problem(inst, mode="rounds", strengthen=True)[0]


@pytest.fixture(scope="module")
def small(problem: tuple[Instance, Matrix]) -> MergedWeek:
    inst, matrix = problem
    return merged_week(matrix, Week.one(inst.time.slice_hours))


def _cost(m: Matrix) -> float:
    result = Session(m).solve_lp()
    assert result.status == "optimal"
    return float(m.objective @ result.x) + m.offset


def test_columns_of_the_slices_of_a_week_become_one(
    problem: tuple[Instance, Matrix], small: MergedWeek
) -> None:
    inst, matrix = problem
    slices = len(inst.time.slices)
    assert slices > 1
    each = sum(len(matrix.column_index[n]) for n in BY_SLICE_COLUMNS)
    assert each > 0
    assert matrix.shape[1] - small.matrix.shape[1] == each - each // slices
    assert small.matrix.shape[0] < matrix.shape[0]
    assert small.matrix.integer.sum() == matrix.integer.sum()


def test_the_mean_of_a_point_of_the_week_is_a_point_of_it(
    problem: tuple[Instance, Matrix], small: MergedWeek
) -> None:
    """Rows are means of rows, and columns of columns; prices by slice make the cost another."""
    inst, matrix = problem
    result = Session(matrix).solve_lp()
    share = inst.time.slice_hours / inst.time.slice_hours.sum()
    weight = np.ones(matrix.shape[1])
    for name in BY_SLICE_COLUMNS:
        if len(matrix.column_index[name]):
            of = [i[-1] for i in matrix.column_index[name]]
            weight[matrix.columns[name]] = share[of]
    mean = small.sums.T @ (weight * result.x)
    m = small.matrix
    activity = m.a @ mean
    scale = 1.0 + abs(m.a) @ np.abs(mean)
    assert (activity >= m.row_lower - 1e-7 * scale).all()
    assert (activity <= m.row_upper + 1e-7 * scale).all()
    assert float(m.objective @ mean) == pytest.approx(float(matrix.objective @ result.x), rel=1e-3)
    assert 0.9 * _cost(matrix) < _cost(m) < _cost(matrix) * 1.001


def test_rows_mean_the_same_where_every_slice_is_like_the_mean(small: MergedWeek) -> None:
    rng = np.random.default_rng(5)
    n, k = small.sums.shape
    rows = sp.csr_array(rng.normal(size=(3, n)))
    batch = RowBatch("some", ((0,), (1,), (2,)), rows, np.zeros(3), np.ones(3))
    point = rng.random(k)
    there = np.asarray(small.rows(batch).a @ point)
    np.testing.assert_allclose(there, np.asarray(rows @ small.whole(point)))


def test_its_cuts_are_rows_that_the_week_keeps_and_bind(
    problem: tuple[Instance, Matrix],
) -> None:
    inst, matrix = problem
    rounds = Rounds.of(inst, matrix)
    batch = first_cuts(inst, matrix, rounds)
    assert batch is not None
    assert len(batch.index) == len(rounds.cuts) == batch.a.shape[0] == len(batch.lower)
    assert len(set(batch.index)) == len(batch.index)
    # Every one holds for what explicit flows allow, and together they lift the relaxation.
    explicit, _ = compiled_problem(inst, mode="explicit", strengthen=True)
    x = Session(explicit).solve_lp().x
    own = np.zeros(matrix.shape[1])
    for name, block in matrix.columns.items():
        own[block] = x[explicit.columns[name]]
    assert (batch.a @ own >= batch.lower - 1e-6 * (1.0 + np.abs(batch.lower))).all()
    assert _cost(matrix.with_rows(batch)) > _cost(matrix) * (1.0 + 1e-6)


def test_where_nothing_is_promised_there_are_none() -> None:
    inst = build_instance(load_case(Path("data/small")))
    matrix, _ = compiled_problem(inst, mode="rounds", strengthen=True)
    rounds = Rounds.of(inst, matrix)
    assert (first_cuts(inst, matrix, rounds) is None) == (not rounds.asked.owed.any())


def with_rows(matrix: Matrix, *index: tuple[int, ...]) -> Matrix:
    """More rows over the first flow, with an index of their own."""
    first = matrix.columns["serve"].start
    assert matrix.column_index["serve"][0][-1] == 0
    n = len(index)
    rows = sp.csr_array((np.ones(n), (np.arange(n), np.full(n, first))), (n, matrix.shape[1]))
    return matrix.with_rows(RowBatch("own", index, rows, np.full(n, -np.inf), np.full(n, 9.0)))


@pytest.mark.parametrize(
    "index",
    [
        [(0,), (1,)],
        [(0, 0), (1, 1)],
        [(0, 0), (1, 5)],
        [(0, 0), (1, -1)],
        [(0,), (0, 0)],
        [(0, 0), (0, 0.5)],
        [("a", 0), ("b", 0)],
    ],
    ids=["one number", "other slice", "no slice", "negative", "ragged", "no number", "labels"],
)
def test_rows_of_other_kinds_stay_as_they_are(
    problem: tuple[Instance, Matrix], index: list[tuple[int, ...]]
) -> None:
    """An index whose last number is not the slice that the row is about, or cannot be one."""
    inst, matrix = problem
    week = Week.one(inst.time.slice_hours)
    small = merged_week(with_rows(matrix, *index), week).matrix
    assert small.shape[0] == merged_week(matrix, week).matrix.shape[0] + 2
    assert (small.row_upper[-2:] == 9.0).all()


def test_rows_by_slice_become_one(problem: tuple[Instance, Matrix]) -> None:
    inst, matrix = problem
    week = Week.one(inst.time.slice_hours)
    # Rows about the first slice only, in two other places: one for each.
    small = merged_week(with_rows(matrix, (-3, 0), (4, 0)), week).matrix
    assert small.shape[0] == merged_week(matrix, week).matrix.shape[0] + 2
    assert small.row_upper[-2:] == pytest.approx(9.0 * week.share[0])


def one_slice(case: Case) -> Case:
    """One slice, from the middle of a quarter on, and pay as you go in that quarter alone."""
    ends = {"window_to": date(2026, 12, 31)}
    offers = tuple(
        offer.model_copy(update=ends) if offer.kind in ("on_demand", "spot") else offer
        for offer in case.offers
    )
    week = {"slices": (TimeSlice(name="week", days="all"),), "as_of": date(2026, 10, 1)}
    limit = Limit(
        limit="spend",
        kind="share",
        dimension="cloud",
        measure="spend",
        bound=0.9,
        penalty_usd_per_unit=0.5,
    )
    settings = case.settings.model_copy(update=week)
    return valid(replace(case, offers=offers, limits=(limit,), settings=settings))


def test_a_case_of_one_slice_is_solved_with_its_promises() -> None:
    """Spend by pay-as-you-go in the first period only: its last number is no slice."""
    case = one_slice(resilient(load_case(Path("data/small"))))
    plans = [solve(case, gap=1e-6, redundancy=mode) for mode in ("explicit", "rounds")]
    costs = [plan.summary["objective_usd"] for plan in plans]
    assert costs[0] == pytest.approx(costs[1], rel=3e-6)
    inst = build_instance(case)
    matrix, _ = compiled_problem(inst, mode="rounds", strengthen=True)
    # Rows of later periods have no such chips, and a period for the last number of their index.
    assert merged_week(matrix, Week.one(inst.time.slice_hours)).matrix.shape == matrix.shape


def test_groups_are_of_slices_of_nearly_the_same_level() -> None:
    hours, level = np.array([30.0, 30.0, 30.0, 30.0, 48.0]), np.array([75.0, 82, 100, 93, 52])
    assert Week.by_level(hours, level).group.tolist() == [1, 1, 2, 2, 0]
    assert Week.by_level(hours, level, 2).group.tolist() == [1, 1, 1, 1, 0]
    assert Week.by_level(hours, level, 1).group.tolist() == Week.one(hours).group.tolist()
    assert Week.by_level(hours, level).merges
    for many in (5, 9):
        assert not Week.by_level(hours, level, many).merges
    assert not Week.by_level(hours[:1], level[:1]).merges
    # Slices alike by level, of which one is nearly nothing of the week, do not decide.
    assert Week.by_level(np.array([80.0, 1e-6, 80.0]), np.array([1.0, 9.0, 2.0]), 2).group[1] == 1


def test_the_slices_of_a_case_are_grouped_by_the_chips_that_they_ask_for() -> None:
    week = week_of(build_instance(load_case(Path("data/claude"))))
    assert week.merges
    assert week.group.tolist() == [1, 1, 2, 2, 0]
    assert np.bincount(week.group, week.share) == pytest.approx(np.ones(3))


def test_its_duals_prove_nearly_its_cost_of_the_whole_problem(
    problem: tuple[Instance, Matrix], small: MergedWeek
) -> None:
    """They are duals of the whole problem, so that they prove no more than its relaxation costs."""
    _, matrix = problem
    result = Session(small.matrix).solve_lp()
    y = small.duals(result.y)
    sides = (matrix.row_lower, matrix.row_upper), (matrix.lower, matrix.upper)
    bound = weak_duality_bound(matrix.objective, matrix.a, *sides, y, matrix.offset)
    assert 0.97 * _cost(matrix) < bound <= _cost(matrix) * (1.0 + 1e-9)


def test_a_basis_goes_apart_and_together(small: MergedWeek) -> None:
    session = Session(small.matrix)
    session.solve_lp()
    basis = session.basis()
    apart = small.apart(basis)
    assert len(apart.columns) == small.sums.shape[0]
    assert len(apart.rows) == small.means.shape[0]
    again = small.together(apart)
    np.testing.assert_array_equal(again.columns, basis.columns)
    np.testing.assert_array_equal(again.rows, basis.rows)
    # From there nothing is left to do.
    other = Session(small.matrix)
    other.set_basis(again, mend=True)
    assert other.solve_lp().iterations == 0


def test_a_root_with_slices_merged_is_a_bound_and_no_point(
    problem: tuple[Instance, Matrix],
) -> None:
    inst, _ = problem
    search = unsolved()
    search.week = Week.one(inst.time.slice_hours)
    bare = search.matrix
    search.root(dive=None)
    root, matrix = search.tree.nodes[0], search.matrix
    assert search.merged
    assert search.tree.first == 0
    assert not search.tree.is_solved(0)
    assert len(root.y) == len(search.root_duals) == matrix.shape[0] > bare.shape[0]
    assert search.root_basis is not None
    assert len(search.root_basis.columns) == matrix.shape[1]
    assert 0.97 * _cost(bare) < root.bound <= _cost(bare) * (1.0 + 1e-9)
    # Solved again it is that of the whole problem.
    search.reopen_first()
    assert search.bound >= _cost(bare) * (1.0 - 1e-9)
    assert search.bound <= _cost(search.matrix) * (1.0 + 1e-9)


def test_rows_that_join_merged_slices_lift_them(problem: tuple[Instance, Matrix]) -> None:
    inst, _ = problem
    search = unsolved()
    search.week = Week.one(inst.time.slice_hours)
    root = merged_root(search)
    # They are merged once.
    assert merged_root(search) is None
    assert root is not None
    assert search.lazy is not None
    assert search.lessons is not None
    batch = search.lazy(root.x, exact=True)
    assert batch is not None
    search.join(search.session, batch)
    integer, whole = search.integer, search.matrix
    low, high = whole.lower[integer], whole.upper[integer]
    more = search.relaxed(low, high, whole=False)
    cost = whole.objective
    assert float(cost @ more.x) > float(cost @ root.x) * (1.0 + 1e-6)
    basis = search.lessons.basis()
    assert len(more.y) == len(basis.rows) == whole.shape[0]
    sides = (whole.row_lower, whole.row_upper), (whole.lower, whole.upper)
    bound = weak_duality_bound(cost, whole.a, *sides, more.y, whole.offset)
    assert 0.97 * _cost(whole) < bound <= _cost(whole) * (1.0 + 1e-9)
    # The whole problem itself is asked where that is wanted, and with whole numbers fixed both are.
    every = search.relaxed(low, high)
    assert float(cost @ every.x) + whole.offset == pytest.approx(_cost(whole), rel=1e-9)
    none = search.relaxed(high + 1.0, high + 1.0, whole=False)
    assert none.status == "infeasible"


def test_merged_slices_begin_where_like_ones_ended(problem: tuple[Instance, Matrix]) -> None:
    inst, matrix = problem
    week = Week.one(inst.time.slice_hours)
    first = MergedSession(matrix, week, 1, Stop())
    result = first.solve_lp()
    assert result.iterations > 0
    again = MergedSession(matrix, week, 1, Stop(), first.basis()).solve_lp()
    assert again.iterations == 0
    np.testing.assert_allclose(again.x, result.x, atol=1e-6)
    # With its duals too, which come back as they were: only what matters near it is held.
    whole = first.week.duals(np.arange(1.0, first.week.matrix.shape[0] + 1.0))
    np.testing.assert_allclose(
        first.week.sums_of_rows(whole), np.arange(1.0, first.week.matrix.shape[0] + 1.0)
    )
    near = MergedSession(matrix, week, 1, Stop(), first.basis(), result.y)
    cost = float(matrix.objective @ near.solve_lp().x)
    assert cost == pytest.approx(float(matrix.objective @ result.x), rel=1e-9)
    # With what matters alone it is the same relaxation, and others are those of all columns.
    first.narrow()
    fixed = np.round(result.x[matrix.integer])
    other = MergedSession(matrix, week, 1, Stop())
    for session in (first, other):
        session.set_whole(np.zeros(len(fixed)), fixed)
    costs = [float(matrix.objective @ session.solve_lp().x) for session in (first, other)]
    assert costs[0] == pytest.approx(costs[1], rel=1e-9)


def test_a_merged_week_without_an_optimum_leaves_the_word_to_the_whole_problem(
    problem: tuple[Instance, Matrix], monkeypatch: pytest.MonkeyPatch
) -> None:
    inst, _ = problem
    search = unsolved()
    search.week = Week.one(inst.time.slice_hours)
    solve, whole = Session.solve_lp, search.matrix.shape[1]

    def none(self: Session, *args: float | None, heed_stop: bool = True) -> LpResult:
        if self.matrix.shape[1] < whole and not search.master:
            return LpResult("infeasible", np.zeros(0), np.zeros(0), 0)
        return solve(self, *args, heed_stop=heed_stop)

    monkeypatch.setattr(Session, "solve_lp", none)
    bare = search.matrix
    search.root(dive=None)
    assert not search.merged
    assert search.bound >= _cost(bare) * (1.0 - 1e-9)


@pytest.mark.parametrize("gap", [1e-3, 1e-6])
def test_a_solve_with_slices_merged_ends_at_the_same_plan(
    problem: tuple[Instance, Matrix], monkeypatch: pytest.MonkeyPatch, gap: float
) -> None:
    """By parts, as a large problem is solved, and from nothing: the bounds hold for both."""
    inst, matrix = problem
    explicit, _ = compiled_problem(inst, mode="explicit", strengthen=True)
    known = RUN.solve_matrix(explicit, SolveOptions(1e-7))
    monkeypatch.setattr(RUN, "SIFTED", 0)
    monkeypatch.setattr(RUN, "SMALL", 0)
    rounds = Rounds.of(inst, matrix)
    found = RUN.solve_matrix(
        matrix, SolveOptions(gap), lazy=rounds, week=Week.one(inst.time.slice_hours)
    )
    assert found.status == "proven"
    assert found.bound_usd <= known.objective_usd * (1.0 + 1e-9)
    assert found.objective_usd >= known.bound_usd * (1.0 - 1e-9)
    assert rounds(found.x, exact=True) is None
