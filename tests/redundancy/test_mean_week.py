"""The stand-in of first cuts: the week as one mean slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from planner.case import load_case
from planner.instance import Instance, build_instance
from planner.matrix import Matrix, RowBatch
from planner.redundancy.learn import first_cuts
from planner.redundancy.mean_week import BY_SLICE_COLUMNS, MeanWeek, mean_week
from planner.redundancy.problem import compiled_problem
from planner.redundancy.rounds import Rounds
from planner.solve.session import Session
from tests.redundancy.test_rounds import resilient


@pytest.fixture(scope="module")
def problem() -> tuple[Instance, Matrix]:
    inst = build_instance(resilient(load_case(Path("data/small"))))
    return inst, compiled_problem(inst, mode="rounds", strengthen=True)[0]


@pytest.fixture(scope="module")
def small(problem: tuple[Instance, Matrix]) -> MeanWeek:
    inst, matrix = problem
    return mean_week(matrix, inst.time.slice_hours)


def _cost(m: Matrix) -> float:
    result = Session(m).solve_lp()
    assert result.status == "optimal"
    return float(m.objective @ result.x) + m.offset


def test_columns_of_the_slices_of_a_week_become_one(
    problem: tuple[Instance, Matrix], small: MeanWeek
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
    problem: tuple[Instance, Matrix], small: MeanWeek
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


def test_rows_mean_the_same_where_every_slice_is_like_the_mean(small: MeanWeek) -> None:
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


def test_rows_of_other_kinds_stay_as_they_are(problem: tuple[Instance, Matrix]) -> None:
    """One number for an index, which happens to be the slice that the row is about."""
    inst, matrix = problem
    first = matrix.columns["serve"].start
    assert matrix.column_index["serve"][0][-1] == 0
    row = sp.csr_array(([1.0], ([0], [first])), shape=(1, matrix.shape[1]))
    more = matrix.with_rows(RowBatch("own", ((0,),), row, np.array([-np.inf]), np.array([9.0])))
    small = mean_week(more, inst.time.slice_hours).matrix
    assert small.shape[0] == mean_week(matrix, inst.time.slice_hours).matrix.shape[0] + 1
    assert small.row_upper[-1] == 9.0
