"""Columns that a session lacks: which of them a ray or row duals ask for."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from planner.matrix import Matrix
from planner.solve.pricing import cheaper, mending


def problem(a: list[list[float]], least: list[float], cost: list[float]) -> Matrix:
    """Rows a x >= least with columns from 0 to 1e13."""
    rows, columns = len(a), len(cost)
    return Matrix(
        ("all",), np.array([cost]), np.zeros(1), sp.csc_array(np.array(a)),
        np.array(least), np.full(rows, np.inf), np.zeros(columns), np.full(columns, 1e13),
        np.zeros(columns, dtype=bool), {}, {}, {}, {},
    )  # fmt: skip


def test_a_column_mends_however_large_the_ray_is_elsewhere() -> None:
    """Measured by its own terms: rows of money have prices a billion times those of chips."""
    # The first column is held and cannot reach 2; the second can. What the third gives in one row
    # it takes in the other, up to rounding.
    m = problem([[1e-9, 1e-11, 0.1 + 0.2], [0.0, 0.0, -0.3]], [2.0, 0.0], [1.0, 1.0, 1.0])
    ray = np.array([1e9, 1e9])
    bounds = np.zeros(3), np.array([1.0, 0.0, 0.0])
    away = np.array([False, True, True])
    assert float(m.a.T[2] @ ray) > 0.0
    for sign in (1.0, -1.0):
        assert mending(m, sign * ray, bounds, away).tolist() == [1]


def test_the_columns_that_lower_the_cost_most_come_first() -> None:
    m = problem([[1.0, 1.0, 1.0, 1.0]], [1.0], [5.0, 2.0, 7.0, 1.0])
    y = np.array([6.0])
    away = np.array([True, True, True, False])
    scale = np.ones(4)
    assert cheaper(m, y, away, scale, 9).tolist() == [0, 1]
    assert cheaper(m, y, away, scale, 1).tolist() == [1]
    # A round that takes none would be the last.
    assert cheaper(m, y, away, scale, 0).tolist() == [1]
