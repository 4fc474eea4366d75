"""Duals of earlier relaxations, held against the bounds of other nodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from planner.case import load_case
from planner.instance import build_instance
from planner.matrix import Matrix, compile_model
from planner.model import build_model
from planner.solve import dual_pool
from planner.solve.bound import reduced_costs, weak_duality_bound
from planner.solve.dual_pool import DualPool
from planner.solve.session import Session

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return compile_model(build_model(build_instance(load_case(Path("data/small")))))


class Nodes:
    """Random nodes of a problem: bounds of its whole numbers, and their relaxations."""

    def __init__(self, matrix: Matrix, seed: int) -> None:
        self.matrix = matrix
        self.at = np.flatnonzero(matrix.integer)
        self.structure = matrix.upper[self.at] <= 1.0
        self.root = matrix.lower[self.at], matrix.upper[self.at]
        self._session = Session(matrix)
        self._rng = np.random.default_rng(seed)

    def bounds(self, *, structure_alone: bool = False) -> tuple[Floats, Floats]:
        low, high = (side.copy() for side in self.root)
        mine = np.flatnonzero(self.structure) if structure_alone else np.arange(len(self.at))
        for j in self._rng.choice(mine, 3, replace=False).tolist():
            value = np.floor(self._rng.uniform(low[j], high[j]))
            if self._rng.random() < 0.5:
                high[j] = value
            else:
                low[j] = min(high[j], value + 1.0)
        return low, high

    def solve(self, low: Floats, high: Floats) -> tuple[Floats, float] | None:
        self._session.set_bounds(self.at, low, high)
        result = self._session.solve_lp()
        if result.status != "optimal":
            return None
        return result.y, float(self.matrix.objective @ result.x) + self.matrix.offset

    def pool(self, count: int) -> DualPool:
        out = DualPool(self.at, self.structure, *self.root)
        for _ in range(count):
            low, high = self.bounds()
            solved = self.solve(low, high)
            if solved is not None:
                out.add(self.matrix, solved[0], solved[1], low, high)
        return out


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_more_is_proven_than_is_true_and_what_weak_duality_says(
    matrix: Matrix, seed: int
) -> None:
    nodes = Nodes(matrix, seed)
    pool = nodes.pool(20)
    rows, proved = (matrix.row_lower, matrix.row_upper), 0
    for _ in range(30):
        low, high = nodes.bounds(structure_alone=True)
        known = pool.known(low, high)
        lower, upper = matrix.lower.copy(), matrix.upper.copy()
        lower[nodes.at], upper[nodes.at] = low, high
        bound = weak_duality_bound(
            matrix.objective, matrix.a, rows, (lower, upper), known.y, matrix.offset
        )
        assert known.cost_usd == pytest.approx(bound, rel=1e-6)
        solved = nodes.solve(low, high)
        if solved is not None:
            assert known.cost_usd <= solved[1] * (1.0 + 1e-6)
            proved += known.cost_usd > 0.5 * solved[1]
    assert proved


def test_what_a_node_costs_is_known_there_and_bounds_of_lots_are_left_out(matrix: Matrix) -> None:
    nodes = Nodes(matrix, 4)
    pool = DualPool(nodes.at, nodes.structure, *nodes.root)
    solved = None
    while solved is None:
        low, high = nodes.bounds(structure_alone=True)
        solved = nodes.solve(low, high)
    pool.add(matrix, *solved, low, high)
    assert pool.known(low, high).cost_usd == pytest.approx(solved[1], rel=1e-12)
    lots = ~nodes.structure
    low, high = low.copy(), high.copy()
    low[lots] = high[lots]
    assert pool.known(low, high).cost_usd == pytest.approx(solved[1], rel=1e-12)


def test_sides_are_what_is_known_of_both_branches(matrix: Matrix) -> None:
    nodes = Nodes(matrix, 5)
    pool = nodes.pool(10)
    low, high = nodes.root
    columns = np.arange(len(nodes.at))
    values = np.random.default_rng(6).uniform(low, np.maximum(low, high - 1e-3))
    sides = pool.sides(low, high, columns, values)
    for j in columns.tolist():
        if not nodes.structure[j]:
            assert (sides[:, j] == -np.inf).all()
            continue
        below, above = high.copy(), low.copy()
        below[j], above[j] = np.floor(values[j]), np.floor(values[j]) + 1.0
        assert sides[0, j] == pytest.approx(pool.known(low, below).cost_usd, rel=1e-9)
        assert sides[1, j] == pytest.approx(pool.known(above, high).cost_usd, rel=1e-9)
    assert (sides[:, nodes.structure].max(axis=0) > pool.known(low, high).cost_usd * 1.0001).any()


def test_the_oldest_duals_make_room(matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dual_pool, "MOST", 2)
    nodes = Nodes(matrix, 7)
    pool = DualPool(nodes.at, nodes.structure, *nodes.root)
    low, high = nodes.root
    for cost in (5e9, 3e9, 2e9):
        pool.add(matrix, np.zeros(matrix.shape[0]), cost, low, high)
    assert pool.known(low, high).cost_usd == pytest.approx(3e9)


def test_an_empty_pool_and_costs_that_are_none_prove_nothing(matrix: Matrix) -> None:
    nodes = Nodes(matrix, 8)
    pool = DualPool(nodes.at, nodes.structure, *nodes.root)
    pool.add(matrix, np.zeros(matrix.shape[0]), np.inf, *nodes.root)
    assert pool.known(*nodes.root).cost_usd == -np.inf
    where = np.arange(3)
    assert (pool.sides(*nodes.root, where, np.zeros(3)) == -np.inf).all()


def test_duals_from_before_rows_joined_have_the_price_0_there(matrix: Matrix) -> None:
    y = np.random.default_rng(9).normal(size=matrix.shape[0])
    np.testing.assert_array_equal(
        reduced_costs(matrix, y[:-5]), reduced_costs(matrix, np.append(y[:-5], np.zeros(5)))
    )
