"""Rows that join while solving: the optimum is that of all rows, whatever joins when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, milp

from planner.matrix import Matrix, RowBatch
from planner.solve.options import LazyRows, SolveOptions
from planner.solve.run import solve_matrix
from planner.solve.strategy import Strategy

Floats = npt.NDArray[np.float64]
MOST = 4.0


def problem(seed: int) -> Matrix:
    """Whole numbers that must cover something at least cost; the last row can be met by money."""
    rng = np.random.default_rng(seed)
    n, m = 5, 7
    a = np.where(rng.random((m, n)) < 0.7, rng.integers(1, 9, (m, n)), 0).astype(float)
    a = np.hstack([a, np.ones((m, 1))])
    need = np.round(a[:, :n].sum(axis=1) * rng.uniform(0.5, 2.5, m)) + 0.5
    cost = np.append(rng.integers(5, 30, n).astype(float), 40.0)
    return Matrix(
        cost_terms=("cost",),
        cost=1e6 * cost[None, :],
        cost_offset=np.zeros(1),
        a=sp.csc_array(a),
        row_lower=need,
        row_upper=np.full(m, np.inf),
        lower=np.zeros(n + 1),
        upper=np.append(np.full(n, MOST), 1e3),
        integer=np.append(np.ones(n, dtype=bool), False),
        columns={"x": slice(0, n + 1)},
        column_index={"x": tuple((i,) for i in range(n + 1))},
        rows={"need": slice(0, m)},
        row_index={"need": tuple((i,) for i in range(m))},
    )


def cheapest(whole: Matrix) -> float:
    """The optimum with every row there."""
    found = milp(
        whole.objective / 1e6,
        constraints=LinearConstraint(whole.a, whole.row_lower, whole.row_upper),
        bounds=Bounds(whole.lower, whole.upper),
        integrality=whole.integer.astype(int),
        options={"mip_rel_gap": 0.0},
    )
    assert found.fun is not None
    return float(found.fun) * 1e6


def hidden(whole: Matrix) -> tuple[Matrix, LazyRows]:
    """The problem with its first row alone, and the rest as rows that join one by one.

    Every second of them is found by an exact look alone.
    """
    a = sp.csr_array(whole.a)
    given = 0

    def lazy(x: Floats, *, exact: bool = True) -> RowBatch | None:
        nonlocal given
        short = whole.row_lower - a @ x
        short[0] = 0.0
        if not exact:
            short[1::2] = 0.0
        worst = int(np.argmax(short))
        if short[worst] <= 1e-6:
            return None
        given += 1
        return RowBatch(
            "joined", ((given,),), a[[worst]], whole.row_lower[[worst]], np.full(1, np.inf)
        )

    first = replace(
        whole,
        a=sp.csc_array(a[[0]]),
        row_lower=whole.row_lower[:1],
        row_upper=whole.row_upper[:1],
        rows={"need": slice(0, 1)},
        row_index={"need": ((0,),)},
    )
    return first, lazy


@pytest.mark.parametrize("strategy", ["dive", "highs"])
@pytest.mark.parametrize("seed", range(60))
def test_the_optimum_is_that_of_all_rows(seed: int, strategy: Strategy) -> None:
    whole = problem(seed)
    first, lazy = hidden(whole)
    found = solve_matrix(first, SolveOptions(gap=0.0), lazy=lazy, strategy=strategy)
    assert found.status == "proven"
    assert found.objective_usd == pytest.approx(cheapest(whole), rel=1e-7)
    assert (whole.a @ found.x >= whole.row_lower - 1e-5).all()
