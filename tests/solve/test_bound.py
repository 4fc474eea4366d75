"""Weak duality: any duals prove something, never too much, and the right ones prove all."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from planner.matrix import Matrix
from planner.solve.bound import farkas_gap, usable_duals, weak_duality_bound
from tests.cases import Floats, linear_optimum, random_matrix

EXAMPLES = example_settings(max_examples=60, deadline=None, derandomize=True)
SEED = st.integers(0, 10_000)


def bound(matrix: Matrix, y: Floats) -> float:
    return weak_duality_bound(
        matrix.objective,
        matrix.a,
        (matrix.row_lower, matrix.row_upper),
        (matrix.lower, matrix.upper),
        y,
        matrix.offset,
    )


@EXAMPLES
@given(SEED, st.integers(0, 10_000), st.sampled_from([0.1, 1.0, 30.0]))
def test_no_duals_prove_more_than_the_optimum(seed: int, dual_seed: int, size: float) -> None:
    matrix = random_matrix(seed)
    best, _ = linear_optimum(matrix)
    y = size * np.random.default_rng(dual_seed).normal(size=matrix.shape[0])
    found = bound(matrix, y)
    assert np.isfinite(found)
    assert found <= best + 1e-9 * max(1.0, abs(best))


@EXAMPLES
@given(SEED)
def test_the_duals_of_the_optimum_prove_it(seed: int) -> None:
    matrix = random_matrix(seed)
    best, y = linear_optimum(matrix)
    assert bound(matrix, y) == pytest.approx(best, rel=1e-9, abs=1e-9)


@EXAMPLES
@given(SEED, st.integers(0, 10_000))
def test_better_duals_come_from_the_sign_that_a_row_has(seed: int, dual_seed: int) -> None:
    matrix = random_matrix(seed)
    y = np.random.default_rng(dual_seed).normal(size=matrix.shape[0])
    kept = usable_duals(y, matrix.row_lower, matrix.row_upper)
    for before, after, low, high in zip(y, kept, matrix.row_lower, matrix.row_upper, strict=True):
        side = low if before > 0 else high
        assert after == (before if np.isfinite(side) else 0.0)
    assert bound(matrix, kept) == bound(matrix, y)


def test_by_hand() -> None:
    # min 2 x + 3 y + 7, x + y >= 4, 0 <= x <= 3, 0 <= y <= 5: x = 3, y = 1.
    a = sp.csc_array(np.array([[1.0, 1.0]]))
    rows = (np.array([4.0]), np.array([np.inf]))
    columns = (np.zeros(2), np.array([3.0, 5.0]))
    cost = np.array([2.0, 3.0])

    def at(y: float) -> float:
        return weak_duality_bound(cost, a, rows, columns, np.array([y]), 7.0)

    assert at(3.0) == 3 * 2 + 1 * 3 + 7
    assert at(2.0) == 4 * 2 + 7
    assert at(0.0) == 7.0
    # The row has no upper side: a negative dual says nothing.
    assert at(-1.0) == 7.0
    # Too large: both columns at their upper bound.
    assert at(4.0) == 16 - 2 * 3 - 1 * 5 + 7


def test_an_unbounded_column_with_a_reduced_cost_proves_nothing() -> None:
    a = sp.csc_array(np.array([[1.0]]))
    rows = (np.array([1.0]), np.array([np.inf]))
    columns = (np.array([0.0]), np.array([np.inf]))
    cost = np.array([1.0])
    assert weak_duality_bound(cost, a, rows, columns, np.array([2.0])) == -np.inf
    assert weak_duality_bound(cost, a, rows, columns, np.array([1.0])) == 1.0
    assert weak_duality_bound(cost, a, rows, columns, np.array([0.5])) == 0.5


@EXAMPLES
@given(SEED, st.integers(0, 10_000))
def test_no_ray_proves_a_feasible_problem_empty(seed: int, ray_seed: int) -> None:
    matrix = random_matrix(seed)
    rows, columns = (matrix.row_lower, matrix.row_upper), (matrix.lower, matrix.upper)
    ray = np.random.default_rng(ray_seed).normal(size=matrix.shape[0])
    assert farkas_gap(matrix.a, rows, columns, ray) <= 1e-9


def test_a_ray_proves_an_empty_problem_empty() -> None:
    # x + y >= 4 and x - y <= -3 with x in [2, 5], y in [0, 4]: the second needs y >= 5.
    a = sp.csc_array(np.array([[1.0, 1.0], [1.0, -1.0]]))
    rows = (np.array([4.0, -np.inf]), np.array([np.inf, -3.0]))
    columns = (np.array([2.0, 0.0]), np.array([5.0, 4.0]))
    assert farkas_gap(a, rows, columns, np.array([0.0, -1.0])) == 1.0
    assert farkas_gap(a, rows, columns, np.array([0.0, 1.0])) <= 0.0
    assert farkas_gap(a, rows, columns, np.array([1.0, 0.0])) <= 0.0
    wider = (columns[0], np.array([5.0, 5.0]))
    assert farkas_gap(a, rows, wider, np.array([0.0, -1.0])) == 0.0
