"""Higher bounds for a tree, from relaxations of the problem without its flows.

Such a relaxation (`planner.solve.flows`) takes a tenth of a second where the whole one takes
some, so that columns can be tried before one is branched (strong branching: D. Applegate et al.,
The Traveling Salesman Problem, 2006). Its duals are turned into duals of the whole problem, and
what these prove is computed there, like every bound.
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from planner.solve.branch import Search
from planner.solve.certificate import give_proof, node_bounds, proven_bound
from planner.solve.flows import WithoutFlows
from planner.solve.rounding import fractional
from planner.solve.session import Basis, LpResult, Session
from planner.solve.units import MILLION

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
TRIED = 6
"""Columns of a leaf whose branches are solved before one of them is chosen, at most."""
WINDOW = 40
"""Nodes in which the bound has to rise by `LEAST_RISE`."""
LEAST_RISE = 0.02
"""Part of the gap that is left: where it rises less, no more nodes are branched."""
NO_RISE_USD = 1e3
"""Rises below this count as this."""
EMPTY_USD = 1e12
"""Rise of a branch in which nothing is feasible."""


Branch = tuple[LpResult, Basis]
"""Relaxation of a branch, and where it ended."""


class _Rises:
    """How much the cost rises when a column is branched, as far as it was tried.

    Columns are places among the whole numbers.
    """

    def __init__(self, columns: int) -> None:
        """Nothing known of so many columns."""
        self._sum = np.zeros((2, columns))
        self._tried = np.zeros((2, columns))

    def learn(self, column: int, value: float, rises: tuple[float, float]) -> None:
        """Note by how much the cost rose (inf: nothing is feasible) below and above a value."""
        part = value - np.floor(value)
        for side, (rise, way) in enumerate(zip(rises, (part, 1.0 - part), strict=True)):
            if np.isfinite(rise):
                self._sum[side, column] += rise / way
                self._tried[side, column] += 1.0

    def known(self, column: int) -> bool:
        """Whether both branches of a column were solved somewhere."""
        return bool(self._tried[:, column].all())

    def scores(self, columns: Ints, x: Floats) -> Floats:
        """Product of both rises that are expected [column]; of the mean where nothing is known."""
        part = x[columns] - np.floor(x[columns])
        out = np.ones(len(columns))
        for side, way in enumerate((part, 1.0 - part)):
            tried = self._tried[side]
            mean = self._sum[side].sum() / tried.sum() if tried.any() else MILLION
            each = self._sum[side, columns] / np.maximum(1.0, tried[columns])
            out *= np.maximum(np.where(tried[columns] > 0.0, each, mean) * way, NO_RISE_USD)
        return out


def _score(rises: tuple[float, float]) -> float:
    """Product of two rises, as `_Rises.scores` has it; nothing rises by more than an empty one."""
    return float(np.prod(np.clip(rises, NO_RISE_USD, EMPTY_USD)))


class _Prover:
    """Branches the leaves of a search's tree without flows, with the duals that it has now."""

    def __init__(self, search: Search) -> None:
        self.search, self.tree = search, search.tree
        self._duals = list(search.duals)
        self._split = WithoutFlows.of(search.matrix)
        self._problem = self._split.problem(self._duals)
        self._cost_usd = self._problem.objective
        self._session = Session(self._problem, search.options.threads, search.session.stop)
        self._session.keep_costs()
        self._at = np.searchsorted(self._split.kept, search.integer)
        self._rises = _Rises(len(search.integer))
        self._ended: dict[int, Branch] = {}

    def _bounds(self, at: int) -> tuple[Floats, Floats]:
        """Bounds of the whole numbers at a node."""
        low, high = node_bounds(self.search.matrix, self.tree.nodes, at)
        return low[self.search.integer], high[self.search.integer]

    def _solve(self, low: Floats, high: Floats, basis: Basis | None = None) -> Branch:
        """The relaxation within bounds of the whole numbers."""
        self._session.set_bounds(self._at, low, high)
        if basis is not None:
            self._session.set_basis(basis)
        result = self._session.solve_lp()
        self.search.iterations += result.iterations
        return result, self._session.basis()

    def _cost(self, result: LpResult) -> float:
        """Cost of a relaxation, USD; inf when nothing is feasible."""
        if result.status != "optimal":
            return np.inf
        # Not a dot product: BLAS wakes its threads for vectors of this length.
        return float(np.sum(self._cost_usd * result.x)) + self._problem.offset

    def _whole_duals(self, result: LpResult) -> Floats:
        """Duals, or a ray, of the whole problem; empty where there are none."""
        if not len(result.y):
            return result.y
        return self._split.whole_duals(self._problem, self._duals, result.y)

    def branch(self, at: int) -> bool:
        """Branch the first leaf, or give it a higher bound; False when neither can be done."""
        if at not in self._ended:
            return self._begin(at)
        result, _ = self._ended[at]
        x = result.x[self._at]
        columns = fractional(x, np.arange(len(x)))
        if not len(columns):
            return False
        leads = np.isin(self.search.order[self.search.integer[columns]], list(self.search.probed))
        column, branches = self._choose(at, columns[leads] if leads.any() else columns)
        if not self.search.keep_going():
            return False
        del self._ended[at]
        self.tree.pop()
        matrix = self.search.matrix
        bounds = node_bounds(matrix, self.tree.nodes, at)
        integer = int(self.search.integer[column])
        children = self.tree.children(at, integer, float(x[column]), bounds)
        for child, (branch, basis) in zip(children, branches, strict=True):
            y, ray = self._whole_duals(branch), branch.status == "infeasible"
            give_proof(matrix, self.tree.nodes, child, y, ray)
            if branch.status == "optimal":
                self._ended[child] = branch, basis
        # Each has the proof of its parent at least.
        self.tree.split(at, children)
        for child in children:
            if self.tree.nodes[child].bound < np.inf:
                self.tree.open(child)
        return True

    def _begin(self, at: int) -> bool:
        """Solve a leaf here, and give it what that proves if it is more than is known of it."""
        result, basis = self._solve(*self._bounds(at))
        if result.status != "optimal":
            return False
        self._ended[at] = result, basis
        y, matrix = self._whole_duals(result), self.search.matrix
        bound = proven_bound(matrix, y, False, node_bounds(matrix, self.tree.nodes, at))
        if bound > self.tree.nodes[at].bound:
            self.tree.lift(at, y, bound)
        return True

    def _choose(self, at: int, columns: Ints) -> tuple[int, list[Branch]]:
        """The column that lifts both branches most, as far as can be told, and its branches."""
        result, _ = self._ended[at]
        x = result.x[self._at]
        scores = self._rises.scores(columns, x)
        first = np.argsort(-scores, kind="stable")[:TRIED]
        tried: dict[int, list[Branch]] = {}
        for i in first.tolist():
            column = int(columns[i])
            if not self._rises.known(column):
                tried[column] = self._branches(at, column)
                rises = [self._cost(branch) - self._cost(result) for branch, _ in tried[column]]
                scores[i] = _score((rises[0], rises[1]))
            if not self.search.keep_going():
                break
        best = int(columns[first[np.argmax(scores[first])]])
        return best, tried[best] if best in tried else self._branches(at, best)

    def _branches(self, at: int, column: int) -> list[Branch]:
        """Both branches of a column at a leaf; what they cost is noted."""
        result, basis = self._ended[at]
        value = float(result.x[self._at[column]])
        low, high = self._bounds(at)
        below, above = high.copy(), low.copy()
        below[column], above[column] = np.floor(value), np.floor(value) + 1.0
        out = [self._solve(low, below, basis), self._solve(above, high, basis)]
        rises = [self._cost(branch) - self._cost(result) for branch, _ in out]
        self._rises.learn(column, value, (rises[0], rises[1]))
        return out


def prove(search: Search) -> None:
    """Branch the leaves with the least bounds, until the gap is reached or the bound is slow.

    Every leaf stays open for the search.
    """
    if not search.duals:
        return
    since = time.perf_counter()
    prover = _Prover(search)
    before, nodes = search.bound, 0
    while search.gap > search.tolerance and search.keep_going():
        at = search.tree.first
        if at is None or not prover.branch(at):
            break
        search.tell("prove")
        nodes += 1
        if nodes % WINDOW == 0:
            if search.bound - before < LEAST_RISE * (search.best - search.bound):
                break
            before = search.bound
    search.phases["prove"] = search.phases.get("prove", 0.0) + time.perf_counter() - since
