"""The tree of branchings: it leaves no whole point out, and its least leaf is the bound."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from planner.errors import InfeasibleError
from planner.matrix import Matrix
from planner.solve.certificate import Node, node_bounds, proven_bound
from planner.solve.options import SolveOptions, relative_gap
from planner.solve.run import Solution, solve_matrix
from tests.cases import Floats, linear_optimum, matrix_of, random_matrix

EXAMPLES = example_settings(max_examples=25, deadline=None, derandomize=True)
SEED = st.integers(0, 10_000)


def whole_optimum(matrix: Matrix) -> float:
    """Least cost with whole numbers, by scipy's own branch and bound."""
    found = milp(
        matrix.objective,
        integrality=matrix.integer.astype(int),
        bounds=Bounds(matrix.lower, matrix.upper),
        constraints=LinearConstraint(matrix.a, matrix.row_lower, matrix.row_upper),
        options={"mip_rel_gap": 0.0},
    )
    assert found.status == 0, found.message
    return float(found.fun) + matrix.offset


def check_tree(matrix: Matrix, solution: Solution) -> None:
    """Every leaf proves its bound, and every whole point lies in a leaf."""
    nodes = list(solution.nodes)
    leaves = [i for i, node in enumerate(nodes) if node.leaf]
    assert solution.bound_usd == min(nodes[i].bound for i in leaves)
    integer = np.flatnonzero(matrix.integer)
    spans = [range(int(matrix.lower[j]), int(matrix.upper[j]) + 1) for j in integer]
    points = np.array(list(itertools.product(*spans))).reshape(-1, len(integer))
    covered = np.zeros(len(points), dtype=bool)
    for i in leaves:
        low, high = node_bounds(matrix, nodes, i)
        assert proven_bound(matrix, nodes[i].y, nodes[i].ray, (low, high)) == nodes[i].bound
        covered |= ((points >= low[integer]) & (points <= high[integer])).all(axis=1)
    assert covered.all()


@EXAMPLES
@given(SEED)
def test_the_search_proves_the_whole_optimum(seed: int) -> None:
    matrix = random_matrix(seed, whole=True)
    solution = solve_matrix(matrix, SolveOptions(gap=0.0))
    best = whole_optimum(matrix)
    assert solution.status == "proven"
    assert solution.objective_usd == pytest.approx(best, rel=1e-9, abs=1e-6)
    assert solution.bound_usd <= best + 1e-6
    assert solution.bound_usd == pytest.approx(best, rel=1e-9, abs=1e-6)
    assert np.all(solution.x[matrix.integer] == np.round(solution.x[matrix.integer]))
    check_tree(matrix, solution)


def knapsack() -> Matrix:
    """Items of like worth and awkward sizes: the tree has many nodes."""
    rng = np.random.default_rng(3)
    sizes = rng.integers(20, 60, 14).astype(float)
    worth: Floats = sizes + rng.integers(0, 9, 14).astype(float)
    return matrix_of(
        -worth, sizes[None, :], (np.array([-np.inf]), np.array([sizes.sum() / 2 + 0.5])),
        (np.zeros(14), np.ones(14)), np.ones(14, dtype=bool),
    )  # fmt: skip


def test_a_tree_with_many_nodes() -> None:
    matrix = knapsack()
    solution = solve_matrix(matrix, SolveOptions(gap=0.0))
    assert len(solution.nodes) > 20
    assert solution.objective_usd == pytest.approx(whole_optimum(matrix), abs=1e-6)
    check_tree(matrix, solution)


@pytest.mark.parametrize("gap", [0.001, 0.01, 0.05])
def test_a_wider_gap_stops_earlier_and_says_what_it_proved(gap: float) -> None:
    matrix = knapsack()
    exact = solve_matrix(matrix, SolveOptions(gap=0.0))
    solution = solve_matrix(matrix, SolveOptions(gap=gap))
    assert solution.status == "proven"
    assert solution.gap == relative_gap(solution.objective_usd, solution.bound_usd) <= gap
    assert solution.bound_usd <= exact.objective_usd <= solution.objective_usd
    assert len(solution.nodes) < len(exact.nodes)
    check_tree(matrix, solution)


def test_bounds_of_a_node_narrow_along_its_way() -> None:
    matrix = matrix_of(
        np.ones(2), np.ones((1, 2)), (np.array([0.0]), np.array([9.0])),
        (np.zeros(2), np.full(2, 9.0)), np.ones(2, dtype=bool),
    )  # fmt: skip
    nodes = [
        Node(-1, -1, -np.inf, np.inf),
        Node(0, 0, 0.0, 6.0),
        Node(1, 0, 3.0, 9.0),
        Node(2, 1, 2.0, 2.0),
    ]
    low, high = node_bounds(matrix, nodes, 3)
    assert low.tolist() == [3.0, 2.0]
    assert high.tolist() == [6.0, 2.0]
    assert node_bounds(matrix, nodes, 0)[1].tolist() == [9.0, 9.0]
    assert matrix.upper.tolist() == [9.0, 9.0]


def test_what_duals_and_rays_prove() -> None:
    matrix = matrix_of(
        np.array([1.0]), np.array([[1.0]]), (np.array([2.0]), np.array([np.inf])),
        (np.array([0.0]), np.array([5.0])), offset=10.0,
    )  # fmt: skip
    inside = (np.array([0.0]), np.array([5.0]))
    below = (np.array([0.0]), np.array([1.0]))
    one = np.array([1.0])
    assert proven_bound(matrix, np.zeros(0), False, inside) == -np.inf
    assert proven_bound(matrix, np.zeros(0), True, below) == -np.inf
    assert proven_bound(matrix, one, False, inside) == 12.0
    # The same multiplier as a ray: no proof where x = 2 is allowed, one where it is not.
    assert proven_bound(matrix, one, True, inside) == -np.inf
    assert proven_bound(matrix, one, True, below) == np.inf
    assert proven_bound(matrix, -one, True, below) == np.inf


@EXAMPLES
@given(SEED, st.integers(0, 10_000))
def test_random_duals_stay_below_the_whole_optimum(seed: int, dual_seed: int) -> None:
    matrix = random_matrix(seed, whole=True)
    best = whole_optimum(matrix)
    relaxed, right = linear_optimum(matrix)
    box = (matrix.lower, matrix.upper)
    noise = np.random.default_rng(dual_seed).normal(size=matrix.shape[0])
    assert relaxed <= best + 1e-6
    assert proven_bound(matrix, noise, False, box) <= best + 1e-6
    assert proven_bound(matrix, right + noise, False, box) <= best + 1e-6
    assert proven_bound(matrix, noise, True, box) == -np.inf


def test_no_whole_point_is_proven_to_be_none() -> None:
    # 2 x = 1: half a lot would do, a whole one does not.
    matrix = matrix_of(
        np.array([1.0]), np.array([[2.0]]), (np.array([1.0]), np.array([1.0])),
        (np.array([0.0]), np.array([3.0])), np.array([True]),
    )  # fmt: skip
    with pytest.raises(InfeasibleError):
        solve_matrix(matrix, SolveOptions(gap=0.0))
