"""Higher bounds for a tree, from relaxations of the problem without its flows.

Such a relaxation (`planner.solve.master`) takes a fiftieth of a second where the whole one takes
some, so that columns can be tried before one is branched (strong branching with pseudo-costs:
T. Achterberg, T. Koch and A. Martin, Operations Research Letters 33, 2005). Its duals are turned
into duals of the whole problem, and what these prove is computed there, like every bound.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.solve.branch import Search
from planner.solve.certificate import node_bounds, proven_bound
from planner.solve.dual_pool import DualPool
from planner.solve.master import Master, Relaxed
from planner.solve.rounding import INTEGRAL

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
RELIABLE = 2
"""Times that both branches of a column are solved before its past is believed."""
PATIENCE = 5
"""Columns that are tried in a row without a better one before that is taken."""
MOST_ITERATIONS = 100
"""Iterations of a try; the branches of the column that is taken are solved to their end."""
LEADS = 1
"""Ranks up to this are branched before all others: they are dear, and have few choices."""
DEAR = 5e-3
"""Relative rise at which a branch is left: others come first."""
SURE = 0.02
"""Part of the gap asked for by which a relaxation costs more than the cutoff when it is ended."""
AHEAD = 0.25
"""Part of the gap asked for by which the bound may be below what lots cost at least at a known
structure when a plan is looked for there: whole lots cost some three quarters of it more."""
LAST = 0.95
"""Part of the gap asked for by which a plan may cost more than what is known as least."""
NO_RISE_USD = 1e4
"""Rises below this count as this."""
EMPTY_USD = 1e12
"""Rise of a branch in which nothing is feasible."""


class PseudoCosts:
    """How much the cost rises when a column is branched, as far as it was tried.

    Columns are places among the whole numbers.
    """

    def __init__(self, columns: int) -> None:
        """Nothing known of so many columns."""
        self._sum = np.zeros((2, columns))
        self._tried = np.zeros((2, columns))

    def learn(self, column: int, value: float, rises: tuple[float, float]) -> None:
        """Note by how much the cost rose below and above a value.

        inf where nothing is feasible, nan where that is noted already.
        """
        part = value - np.floor(value)
        for side, (rise, way) in enumerate(zip(rises, (part, 1.0 - part), strict=True)):
            if np.isfinite(rise):
                self._sum[side, column] += max(0.0, rise) / way
                self._tried[side, column] += 1.0

    def known(self, column: int) -> bool:
        """Whether a column's past is believed."""
        return bool((self._tried[:, column] >= RELIABLE).all())

    def scores(self, columns: Ints, x: Floats) -> Floats:
        """Product of both rises that are expected [column]; of the mean where nothing is known."""
        part = x[columns] - np.floor(x[columns])
        out = np.ones(len(columns))
        for side, way in enumerate((part, 1.0 - part)):
            tried = self._tried[side]
            mean = self._sum[side].sum() / tried.sum() if tried.any() else EMPTY_USD
            each = self._sum[side, columns] / np.maximum(1.0, tried[columns])
            out *= np.maximum(np.where(tried[columns] > 0.0, each, mean) * way, NO_RISE_USD)
        return out


def score(rises: tuple[float, float]) -> float:
    """Product of two rises, as `PseudoCosts.scores` has it; an empty one counts as the most."""
    return float(np.prod(np.clip(rises, NO_RISE_USD, EMPTY_USD)))


@dataclass(frozen=True)
class Leaf:
    """A leaf, and the relaxation that was solved there."""

    at: int
    """Its node."""
    relaxed: Relaxed


class Prover:
    """Branches the leaves of a search's tree without flows."""

    def __init__(self, search: Search, structure: AbstractSet[int]) -> None:
        """Take the tree as it is; columns of the ranks `structure` are branched first."""
        self.search = search
        self.tried: set[bytes] = set()
        """Structures near which plans were looked for."""
        self.hopes: dict[bytes, tuple[float, Leaf]] = {}
        """Structures that lessons were learnt at, near which no plan was looked for: what lots cost
        there at least, and the leaf."""
        self.expected = np.inf
        """Cost that leaves are expected to need: those that cost more come last, USD."""
        self._past = PseudoCosts(len(search.integer))
        self.structure = np.isin(search.order[search.integer], sorted(structure))
        """Whether a whole number is structure [whole number]."""
        if search.master is None:
            search.master = Master(
                search.matrix, search.duals, search.options.threads, search.session.stop
            )
        self.master = search.master
        self.master.catch_up(search.matrix, search.duals)
        self._root = search.matrix.lower[search.integer], search.matrix.upper[search.integer]
        self._pool = DualPool(self.master.at, self.structure, *self._root)
        self._ended: dict[int, Relaxed] = {}
        self._stale: set[int] = set()
        self._unproven: set[int] = set()
        self._above: dict[int, Relaxed] = {}
        """Relaxation of the parent of an unproven leaf."""
        self._heap = [
            (node.bound, at)
            for at, node in enumerate(search.tree.nodes)
            if node.leaf and node.bound < np.inf
        ]
        heapq.heapify(self._heap)

    def catch_up(self) -> None:
        """Take in the rows and duals that the search has found since."""
        first = self.master.problem.shape[0]
        self.master.catch_up(self.search.matrix, self.search.duals)
        some = [at for at, end in self._ended.items() if len(end.x)]
        broken = self.master.broken([self._ended[at].x for at in some], first)
        self._stale |= {at for at, breaks in zip(some, broken, strict=True) if breaks}

    @property
    def cutoff(self) -> float:
        """Cost from which on a leaf needs no branches."""
        best = self.search.best
        return best - self.search.tolerance * abs(best) if np.isfinite(best) else np.inf

    @property
    def dear(self) -> float:
        """Cost at which a relaxation is ended: a little more than the cutoff, to be sure."""
        best = self.search.best
        sure = SURE * self.search.tolerance * abs(best) if np.isfinite(best) else 0.0
        return self.cutoff + sure

    def _most(self, relaxed: Relaxed) -> float:
        """Cost from which on a branch below a relaxation is left for later."""
        rise = DEAR if self.expected == np.inf else self.search.tolerance
        expected = -np.inf if self.expected == np.inf else self.expected
        return min(self.dear, max(expected, relaxed.cost_usd + rise * abs(relaxed.cost_usd)))

    def expect(self, cost_usd: float) -> None:
        """Note what lots cost at least where the structure is whole: a plan may cost as much."""
        self.expected = min(self.expected, cost_usd + self.search.tolerance * abs(cost_usd))

    @property
    def least(self) -> float:
        """What the first leaf costs at least, as far as it is solved, USD."""
        return self._heap[0][0] if self._heap else self.cutoff

    @property
    def target_usd(self) -> float:
        """Cost at which a plan would end the search, from what the first leaf costs at least."""
        return self.least + LAST * self.search.tolerance * abs(self.least)

    def bounds(self, at: int) -> tuple[Floats, Floats]:
        """Bounds of the whole numbers at a node."""
        low, high = (side.copy() for side in self._root)
        nodes = self.search.tree.nodes
        while at >= 0:
            node = nodes[at]
            if node.column >= 0:
                column = int(np.searchsorted(self.search.integer, node.column))
                low[column] = max(low[column], node.low)
                high[column] = min(high[column], node.high)
            at = node.parent
        return low, high

    def first(self) -> Leaf | None:
        """The leaf with the least cost, solved; None where none is below the cutoff."""
        while self._heap and self.search.keep_going():
            least, at = self._heap[0]
            if least >= self.cutoff:
                return None
            if self._is_solved(at):
                return Leaf(at, self._ended[at])
            if not self._begin(at):
                break
        return None

    def _is_solved(self, at: int) -> bool:
        """Whether a leaf's relaxation is that of the rows known by now."""
        return at in self._ended and at not in self._stale and self._ended[at].done

    def _begin(self, at: int) -> bool:
        """Solve a leaf as rows are now; False when that was stopped."""
        relaxed = self._solve(self.bounds(at), self._ended.get(at), self.dear)
        if np.isnan(relaxed.cost_usd):
            return False
        least = self._drop(at)
        # Ended where it costs too much: it comes last, whatever rounding says of its cost.
        self._note(at, relaxed, least if relaxed.done else max(least, self.cutoff))
        return True

    def _solve(
        self,
        bounds: tuple[Floats, Floats],
        begun: Relaxed | None,
        most_usd: float,
        most: int | None = None,
    ) -> Relaxed:
        """The relaxation within bounds, from where `begun` ended; what it proves is kept.

        Where duals known already prove `most_usd`, and it would begin from another, it is not
        solved. `most` and `most_usd` as `Master.solve` has them.
        """
        master = self.master
        mark = None if begun is None else begun.mark
        known = self._pool.known(*bounds)
        if mark is not None and known.cost_usd >= most_usd:
            return Relaxed(known.cost_usd, np.zeros(0), known.y, mark, done=False)
        relaxed = master.solve(*bounds, mark, most, most_usd)
        if len(relaxed.y) and np.isfinite(relaxed.cost_usd):
            self._pool.add(master.problem, relaxed.y, relaxed.cost_usd, *bounds)
        return relaxed

    def _drop(self, at: int) -> float:
        """Take a leaf out of the open ones, and say what it costs at least."""
        least = next((cost for cost, other in self._heap if other == at), -np.inf)
        self._heap = [(cost, other) for cost, other in self._heap if other != at]
        heapq.heapify(self._heap)
        return least

    def _note(self, at: int, relaxed: Relaxed, least: float) -> None:
        """Keep what was solved at a leaf, which costs `least` at least."""
        self._ended[at] = relaxed
        self._stale.discard(at)
        self._unproven.add(at)
        if relaxed.cost_usd < np.inf:
            heapq.heappush(self._heap, (max(least, relaxed.cost_usd), at))

    def is_whole(self, leaf: Leaf) -> bool:
        """Whether the structure is whole at a leaf."""
        return not self.structure[self._fractional(leaf.relaxed)].any()

    def structure_of(self, leaf: Leaf) -> bytes:
        """The structure of a leaf where it is whole, to be held against others."""
        return np.round(leaf.relaxed.x[self.master.at][self.structure]).astype(np.int64).tobytes()

    def is_new(self, leaf: Leaf) -> bool:
        """Whether the structure is whole at a leaf, and no plan was looked for near it."""
        return self.is_whole(leaf) and self.structure_of(leaf) not in self.tried

    def fixed(self, leaf: Leaf) -> tuple[Floats, Floats]:
        """Bounds of the whole numbers at a leaf whose structure is whole, that structure kept."""
        low, high = self.bounds(leaf.at)
        kept = np.round(leaf.relaxed.x[self.master.at][self.structure])
        low[self.structure] = high[self.structure] = kept
        return low, high

    def _least_at(self, leaf: Leaf) -> float:
        """What lots cost at least with a leaf's structure, as rows are now; inf where none fit."""
        relaxed = self.master.solve(*self.fixed(leaf), leaf.relaxed.mark)
        return relaxed.cost_usd if relaxed.cost_usd < self.cutoff else np.inf

    def hope(self, leaf: Leaf) -> None:
        """Note a structure that lessons were learnt at, if a plan there can be worth something."""
        least = self._least_at(leaf)
        if least < np.inf:
            self.hopes[self.structure_of(leaf)] = least, leaf

    def ready(self) -> Leaf | None:
        """The leaf of the best known structure, once the bound has nearly come to its cost.

        It may be no leaf any more: its node's bounds stand.
        """
        ahead = AHEAD * self.search.tolerance
        while self.hopes and self.search.keep_going():
            which, (cost, leaf) = min(self.hopes.items(), key=lambda item: item[1][0])
            if self.least < cost - ahead * abs(cost):
                return None
            # Lessons and rows since then may have made it dearer.
            now = self._least_at(leaf)
            del self.hopes[which]
            if now - cost <= 1e-3 * ahead * abs(cost):
                return leaf
            if now < np.inf:
                self.hopes[which] = now, leaf
        return None

    def _fractional(self, relaxed: Relaxed) -> Ints:
        x = relaxed.x[self.master.at]
        return np.flatnonzero(np.abs(x - np.round(x)) > INTEGRAL)

    def branch(self, leaf: Leaf) -> bool:
        """Branch a leaf until two of its branches are open; False when it is whole."""
        at, relaxed = leaf.at, leaf.relaxed
        least = self._drop(at)
        while True:
            columns = self._fractional(relaxed)
            if not len(columns):
                heapq.heappush(self._heap, (least, at))
                return False
            column, branches = self._choose(at, relaxed, self._leading(columns))
            if any(np.isnan(branch.cost_usd) for branch in branches):
                # Stopped in the middle, or HiGHS gave none: the leaf stays.
                heapq.heappush(self._heap, (least, at))
                return not self.search.keep_going()
            value = float(relaxed.x[self.master.at[column]])
            search, nodes = self.search, self.search.tree.nodes
            whole = node_bounds(search.matrix, nodes, at)
            children = search.tree.halve(at, int(search.integer[column]), value, whole)
            self._ended.pop(at, None)
            alive = [b.cost_usd < self.cutoff for b in branches]
            for child, branch in zip(children, branches, strict=True):
                self._note(child, branch, least)
                self._above[child] = relaxed
            if sum(alive) != 1 or not branches[alive.index(True)].done:
                return True
            at, relaxed = children[alive.index(True)], branches[alive.index(True)]
            least = self._drop(at)

    def _leading(self, columns: Ints) -> Ints:
        """Those of some columns that are branched first."""
        rank = self.search.order[self.search.integer[columns]]
        for first in (rank <= LEADS, self.structure[columns]):
            if first.any():
                return columns[first]
        return columns

    def dive(self, at: int) -> Leaf | None:
        """Branch a leaf and the cheaper of its branches until the structure is whole there.

        None where the way ends before that.
        """
        while self.search.keep_going():
            if not self._is_solved(at) and not self._begin(at):
                return None
            leaf = Leaf(at, self._ended[at])
            if leaf.relaxed.cost_usd == np.inf or not leaf.relaxed.done:
                # Nothing is feasible, or all of it costs the cutoff.
                return None
            if self.is_whole(leaf):
                return leaf
            before = len(self.search.tree.nodes)
            self.branch(leaf)
            children = [i for i in range(before, len(self.search.tree.nodes)) if i in self._ended]
            if not children:
                return None
            at = min(children, key=lambda i: (self._ended[i].cost_usd, i))
        return None

    def _choose(self, at: int, relaxed: Relaxed, columns: Ints) -> tuple[int, list[Relaxed]]:
        """The column that lifts both branches most, as far as can be told, and its branches."""
        x = relaxed.x[self.master.at]
        proven = self._pool.sides(*self.bounds(at), columns, x[columns])
        dead = np.flatnonzero((proven >= self.dear).any(axis=0))
        if len(dead):
            column = int(columns[dead[np.argmax(proven[:, dead].min(axis=0))]])
            return column, self._branches(at, relaxed, column, None)
        scores = self._past.scores(columns, x)
        rank = self.search.order[self.search.integer[columns]]
        order = np.lexsort((columns, rank, -scores))
        best: tuple[float, int, list[Relaxed]] = (-1.0, -1, [])
        waited = 0
        for i in order.tolist():
            column, branches = int(columns[i]), []
            if not self._past.known(column):
                branches = self._branches(at, relaxed, column, MOST_ITERATIONS)
                costs = [branch.cost_usd for branch in branches]
                if np.isnan(costs).any() or max(costs) >= min(self.cutoff, self._most(relaxed)):
                    best = np.inf, column, branches
                    break
                scores[i] = score((costs[0] - relaxed.cost_usd, costs[1] - relaxed.cost_usd))
            waited += 1
            if scores[i] > best[0]:
                best, waited = (float(scores[i]), column, branches), 0
            if waited >= PATIENCE:
                break
        _, column, branches = best
        return column, self._branches(at, relaxed, column, None, branches)

    def _branches(
        self,
        at: int,
        relaxed: Relaxed,
        column: int,
        most: int | None,
        begun: Sequence[Relaxed] = (),
    ) -> list[Relaxed]:
        """Both branches of a column at a leaf; what they cost is noted.

        With `most` iterations each; without, what is `begun` is gone on with.
        """
        value = float(relaxed.x[self.master.at[column]])
        low, high = self.bounds(at)
        below, above = high.copy(), low.copy()
        below[column], above[column] = np.floor(value), np.floor(value) + 1.0
        most_usd = self._most(relaxed)
        out, rises = [], []
        for side, sides in enumerate(((low, below), (above, high))):
            branch = begun[side] if begun else None
            # A try that ended for its cost, or without a point, has the duals that prove it.
            if branch is not None and (branch.cost_usd == np.inf or branch.is_dear(most_usd)):
                out.append(branch)
                rises.append(np.nan)
                continue
            branch = self._solve(sides, branch or relaxed, most_usd, most)
            out.append(branch)
            rises.append(branch.cost_usd - relaxed.cost_usd)
        self._past.learn(column, value, (rises[0], rises[1]))
        return out

    def prove(self) -> None:
        """Give the leaves of the tree the proofs of what was solved there."""
        tree, matrix = self.search.tree, self.search.matrix
        for at in sorted(self._unproven & self._ended.keys()):
            relaxed = self._ended[at]
            ray = relaxed.cost_usd == np.inf
            y = self.master.whole_duals(relaxed.y)
            bound = proven_bound(matrix, y, ray, node_bounds(matrix, tree.nodes, at))
            if ray and bound < np.inf and at in self._above:
                # The ray leans on cuts: what proves a bound of the parent still holds here.
                y, ray = self.master.whole_duals(self._above[at].y), False
                bound = proven_bound(matrix, y, ray, node_bounds(matrix, tree.nodes, at))
            if bound > tree.nodes[at].bound:
                tree.lift(at, y, bound, ray=ray)
        self._unproven.clear()
        self._above.clear()


def prove(prover: Prover, *, to_structure: bool = False) -> Leaf | None:
    """Branch until every leaf costs the cutoff, and prove it.

    With `to_structure`, until the first leaf has a whole structure that is new, or a known one is
    ready for a plan; that leaf is returned.
    """
    search = prover.search
    since = time.perf_counter()
    leaf = prover.first()
    while leaf is not None and not (to_structure and prover.is_new(leaf)):
        ready = prover.ready() if to_structure else None
        if ready is not None:
            leaf = ready
            break
        if not prover.branch(leaf):
            # Whole numbers everywhere: only the whole problem can say more.
            leaf = None
            break
        search.tell("prove")
        leaf = prover.first()
    prover.prove()
    search.iterations += prover.master.iterations
    prover.master.iterations = 0
    search.timed("prove", since)
    search.tell("prove")
    return leaf


def begin(prover: Prover) -> None:
    """Dive to a first whole structure: what that costs tells which branches can wait."""
    search, since = prover.search, time.perf_counter()
    first = prover.first()
    leaf = None if first is None else prover.dive(first.at)
    if leaf is not None:
        prover.expect(leaf.relaxed.cost_usd)
    prover.prove()
    search.timed("prove", since)
    search.tell("prove")
