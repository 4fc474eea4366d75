"""A proof of a lower bound: a tree of branchings whose every leaf has row duals.

A node narrows the bounds of one whole-number column of its parent: `column` in [low, high].
The children of a node split the parent's range for that column without leaving out a whole
number, so each feasible plan lies in some leaf, and the least bound of the leaves holds for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from planner.matrix import Matrix
from planner.solve.bound import farkas_gap, weak_duality_bound

Floats = npt.NDArray[np.float64]


@dataclass
class Node:
    """A node of the tree."""

    parent: int
    """Position of the parent; -1 for the root."""
    column: int
    """Column that the branching narrows; -1 for the root."""
    low: float
    """Its lower bound here."""
    high: float
    """Its upper bound here."""
    y: Floats = field(default_factory=lambda: np.zeros(0))
    """Row duals of a leaf, or a dual ray when `ray`; empty when none were found."""
    ray: bool = False
    """Whether y proves that nothing is feasible here."""
    bound: float = -np.inf
    """Lower bound of the node, its parent's included, USD."""
    leaf: bool = True
    """Whether it has not been branched."""


def node_bounds(matrix: Matrix, nodes: list[Node], at: int) -> tuple[Floats, Floats]:
    """Column bounds at a node: those of the matrix, narrowed along the way from the root."""
    low, high = matrix.lower.copy(), matrix.upper.copy()
    while at >= 0:
        node = nodes[at]
        if node.column >= 0:
            low[node.column] = max(low[node.column], node.low)
            high[node.column] = min(high[node.column], node.high)
        at = node.parent
    return low, high


def proven_bound(matrix: Matrix, y: Floats, ray: bool, bounds: tuple[Floats, Floats]) -> float:
    """What duals (or a ray) prove at given column bounds, USD; -inf when nothing."""
    rows = (matrix.row_lower, matrix.row_upper)
    if not len(y):
        return -np.inf
    # Duals from before rows joined the problem: those rows have the price 0.
    y = np.concatenate([y, np.zeros(matrix.shape[0] - len(y))])
    if ray:
        gap = max(farkas_gap(matrix.a, rows, bounds, y), farkas_gap(matrix.a, rows, bounds, -y))
        scale = float(np.abs(y).max()) or 1.0
        return np.inf if gap > 1e-9 * scale else -np.inf
    return weak_duality_bound(matrix.objective, matrix.a, rows, bounds, y, matrix.offset)


def give_proof(matrix: Matrix, nodes: list[Node], at: int, y: Floats, ray: bool) -> None:
    """Give a node the duals (or a ray) of its relaxation, or its parent's if these prove more."""
    node, bounds = nodes[at], node_bounds(matrix, nodes, at)
    node.y, node.ray, node.bound = y, ray, proven_bound(matrix, y, ray, bounds)
    if node.parent >= 0 and node.bound < nodes[node.parent].bound:
        # What proves a bound of the parent proves as much of its children.
        above = nodes[node.parent]
        inherited = proven_bound(matrix, above.y, above.ray, bounds)
        if inherited >= node.bound:
            node.y, node.ray, node.bound = above.y, above.ray, inherited
