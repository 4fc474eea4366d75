"""A dive goes on where what it fixed leaves no way."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.sparse as sp

from planner.matrix import Matrix
from planner.solve.dive import Dive
from planner.solve.lp import LpResult
from planner.solve.propagate import Activity
from planner.solve.rounding import mend, packings
from planner.solve.session import Session

DIVE = sys.modules["planner.solve.dive"]


def matrix_of(
    a: list[list[float]], low: list[float], high: list[float], cost: list[float], most: float
) -> Matrix:
    """Whole numbers of 0 to `most` under rows of low <= a x <= high."""
    n = len(cost)
    return Matrix(
        cost_terms=("cost",),
        cost=np.array([cost]),
        cost_offset=np.zeros(1),
        a=sp.csc_array(np.array(a)),
        row_lower=np.array(low),
        row_upper=np.array(high),
        lower=np.zeros(n),
        upper=np.full(n, most),
        integer=np.ones(n, dtype=bool),
        columns={"lots": slice(0, n)},
        column_index={"lots": list(range(n))},
        rows={"rule": slice(0, len(low))},
        row_index={"rule": tuple((i,) for i in range(len(low)))},
    )


def dived(matrix: Matrix) -> LpResult | None:
    session = Session(matrix)
    order = np.zeros(matrix.shape[1], dtype=np.int64)

    def tighten(result: LpResult, *, exact: bool) -> LpResult:
        return result

    dive = Dive(session, order, lambda: True, tighten)
    low, high = matrix.lower.copy(), matrix.upper.copy()
    found = dive.run(session.solve_lp(), low, high)
    # The session has the bounds of the node again.
    assert session.solve_lp().status == "optimal"
    return found


RAMP = matrix_of([[1.0, 0.5], [1.0, 1.0]], [-np.inf, 3.2], [2.6, np.inf], [1.0, 1.2], 9.0)
"""Lots of which the second is half delivered while supply is short: after two of those, neither
one nor two of the first will do; three and one will."""


def test_a_dead_end_opens_what_it_rests_on() -> None:
    found = dived(RAMP)
    assert found is not None
    assert found.x.tolist() == [1.0, 3.0]


def test_a_dead_end_without_mending_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DIVE, "MOST_MENDS", 0)
    assert dived(RAMP) is None


def test_a_choice_that_a_dead_end_rests_on_is_not_taken_again() -> None:
    """The first place needs 2.04 lots, of which 2.6 can be had: neither two nor three will do."""
    matrix = matrix_of(
        [[1.0, 1.0, 0.0], [-2.04, 0.0, 1.0], [0.0, 0.0, 1.0]],
        [1.0, 0.0, -np.inf],
        [1.0, np.inf, 2.6],
        [0.0, 1.0, 1.0],
        9.0,
    )
    every = matrix.lower, np.array([1.0, 1.0, 9.0])
    room = Activity(matrix, *every)
    room.fix(0, 1.0)
    result, after = mend(Session(matrix), 2, [3.0, 2.0], room, every, packings(matrix))
    assert result.status == "optimal"
    assert result.x.tolist() == [0.0, 1.0, 2.0]
    assert (after.low[0], after.high[0]) == (0.0, 0.0)


def test_a_problem_without_whole_numbers_ends() -> None:
    """2 x + 2 y = 3 has no whole solution, however often columns are opened."""
    assert dived(matrix_of([[2.0, 2.0]], [3.0], [3.0], [1.0, 1.1], 3.0)) is None


def test_packings_are_rows_of_which_one_can_be() -> None:
    matrix = matrix_of([[1.0, 1.0, 0.0], [0.0, 1.0, 2.0]], [0.0, 0.0], [1.0, 1.0], [1.0] * 3, 1.0)
    assert packings(matrix).tolist() == [0, 0, -1]
