"""One alternative after the other: relaxations for the direction, a dive for whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from planner.alternatives.mix import Mix
from planner.alternatives.problem import (
    APART,
    MEAN,
    PER_MW,
    away,
    budgeted,
    priced,
    rows_of,
    without_rows,
)
from planner.alternatives.signs import Outside
from planner.errors import UnprovenError
from planner.matrix import Matrix, RowBatch
from planner.redundancy.rounds import ROWS, Rounds
from planner.solve.branch import EXACT, Search
from planner.solve.certificate import proven_bound
from planner.solve.lp import Basis
from planner.solve.options import Progress, SolveOptions
from planner.solve.run import PROBED, SMALL, ranks, solve_matrix
from planner.solve.session import Session
from planner.solve.sift import SIFTED
from planner.solve.watch import Stop

Floats = npt.NDArray[np.float64]
CLOSE = 0.02
"""Relative distance between the best relaxation and the bound at which directions are settled."""
CHEAP = 1e-4
"""Gap at which what goes with the contracts of an alternative is cheap enough."""
TRIES, TRIES_LARGE = 40, 2
"""Directions tried for one alternative by relaxations, at most, and of a large problem."""
FEW_COLUMNS = 300
"""Up to so many columns every direction that could be best is solved in whole numbers."""
TRIES_FEW = 60
"""Directions that are solved in whole numbers, at most."""
WHOLE, WHOLE_LARGE = 6, 1
"""Directions that are then solved in whole numbers, and of a large problem."""
NODES, NODES_SMALL = 60, 100
"""Nodes branched for a first plan of a large problem, and for a good one of others, at most."""
THRIFT = 1e-3
"""Weight of the cost beside the distance: of what a USD would be worth if the room of the budget
moved the whole capacity. It moves some hundredths of it at least, so that it is spent all the
same."""
PRICE, PRICE_STEP, PRICES = 0.25, 4.0, 5
"""What a MW of distance is first worth in a large problem, in parts of the room of the budget over
the distance of the relaxation; the factor to the next price tried, and how many are."""
APART_LARGE = 2e-3
"""Distance to the nearest earlier plan that a plan of a large problem must have, of the capacity
of the least-cost plan."""
FIXED = ("lots", "any_lots", "leave")
"""Whole numbers that say what is under contract."""


@dataclass(frozen=True, eq=False)
class Found:
    """An alternative in whole numbers."""

    x: Floats
    """Columns of the case's own problem."""
    mix_mw: Floats
    """Mean MW under contract [m]."""
    at_most_mw: float
    """What the least distance to the earlier plans cannot exceed, MW."""
    tried: int
    """Directions tried."""


@dataclass(eq=False)
class Finder:
    """Finds plans within a budget, each as far as it can from those before."""

    matrix: Matrix
    """The case's own problem: its columns come first in every other."""
    mix: Mix
    """What plans differ in."""
    budget_usd: float
    """Most that a plan may cost, USD."""
    room_usd: float
    """Part of the budget above the bound."""
    whole_mw: float
    """Capacity of the least-cost plan."""
    count: int
    """Plans that there can be, the first included."""
    options: SolveOptions
    """Limits of each solve."""
    progress: Progress
    """Told how each solve goes."""
    rounds: Callable[[Matrix], Rounds] | None = None
    """Rounds over the columns of a wider problem, with what is known already given."""
    stop: Stop = field(init=False)
    """When the search is to end."""

    def __post_init__(self) -> None:
        """Put the budget and the mix beside the case's problem."""
        self._base = budgeted(self.matrix, self.mix, self.budget_usd)
        members = len(self.mix.members)
        self.outside = Outside(np.zeros(members), self.mix.most_mw.copy())
        self._lazy = None if self.rounds is None else self.rounds(self._base)
        self._cuts: RowBatch | None = None
        if self._lazy is not None and self._lazy.cuts:
            known, self._lazy.cuts = self._lazy.cuts, []
            self._cuts = self._lazy.give(known)
        # On a large problem only: what it gains in time it may lose in distance.
        part = 0.0 if self._is_small else THRIFT * self._rate()
        wide = np.zeros(self._base.shape[1])
        wide[: self.matrix.shape[1]] = part * self.matrix.objective
        self._thrift, self._spent = wide, part * (self.budget_usd - self.matrix.offset)
        self._price = PRICE
        self.open_mw = 0.0
        """How far one more plan could still be where the last search found none, MW."""
        self._basis: Basis | None = None
        self.stop = Stop(self.options.time_limit_s)

    @property
    def _is_small(self) -> bool:
        """Whether relaxations are so cheap that many are tried."""
        return self.matrix.shape[1] < SMALL

    @property
    def _is_tiny(self) -> bool:
        """Whether directions are settled in whole numbers."""
        return self.matrix.shape[1] <= FEW_COLUMNS

    def _problem(self, earlier: Floats, signs: Floats) -> Matrix:
        room = max(1, self.count - 1)
        return self._with_cuts(away(self._base, earlier, signs, room, self._thrift))

    def _rate(self) -> float:
        """Objective of a USD when the room of the budget moves the whole capacity."""
        return PER_MW * self.whole_mw / max(self.room_usd, 1.0)

    def _with_cuts(self, matrix: Matrix) -> Matrix:
        """The problem with all cuts that are known, in place of those that it has."""
        if self._cuts is None:
            return matrix
        return without_rows(matrix, ROWS).with_rows(self._cuts)

    def _learn(self, matrix: Matrix) -> None:
        before = 0 if self._cuts is None else len(self._cuts.index)
        self._cuts = rows_of(matrix, ROWS)
        if self._cuts is not None and len(self._cuts.index) > before:
            # A basis of fewer rows starts nothing.
            self._basis = None

    def next(self, earlier: Floats) -> Found | None:
        """The next plan after those of mixes `earlier` [i, m], MW; None when none was found.

        `open_mw` then says how far one could still be: 0 where there is proven to be no other.

        Raises UnprovenError when a limit or Ctrl-C comes first.
        """
        return self._exactly(earlier) if self._is_tiny else self._about(earlier)

    # -- few columns: every direction that could be best is solved in whole numbers --------------

    def _exactly(self, earlier: Floats) -> Found | None:
        tried: list[tuple[Floats, float]] = []
        best: tuple[Floats, Matrix] | None = None
        reach, most = 0.0, np.inf
        while len(tried) < TRIES_FEW:
            signs, most = self.outside.farthest(earlier, tried)
            if most <= reach + self._least():
                break
            problem = self._problem(earlier, signs)
            self._relax(problem, earlier, signs)
            solution = solve_matrix(problem, self._left(gap=0.0), None, self._lazy)
            self._learn(solution.matrix)
            tried.append((signs, (self._spent - solution.bound_usd) / PER_MW))
            mine = self._distance(solution.x, earlier)
            if mine > max(reach, self._least()):
                reach, best = mine, (solution.x, problem)
        if best is None:
            return None
        return self._settled(*best, None, max(most, reach), len(tried))

    def _least(self) -> float:
        """A difference that counts as none, MW."""
        return 1e-5 * float(self.mix.most_mw.sum())

    # -- many: directions by relaxations, the best one in whole numbers --------------------------

    def _about(self, earlier: Floats) -> Found | None:
        seen: list[tuple[float, Matrix, Basis | None]] = []
        most = np.inf
        for _ in range(TRIES if self._is_small else TRIES_LARGE):
            signs, bound = self.outside.farthest(earlier, [])
            most = min(most, bound)
            if seen and most <= max(reach for reach, *_ in seen) * (1.0 + CLOSE):
                break
            problem = self._problem(earlier, signs)
            seen.append((self._relax(problem, earlier, signs), problem, self._basis))
        else:
            most = min(most, self.outside.farthest(earlier, [])[1])
        seen.sort(key=lambda one: -one[0])
        best: tuple[Floats, Matrix, Basis | None] | None = None
        reach = self._least()
        for relaxed, problem, basis in seen[: WHOLE if self._is_small else WHOLE_LARGE]:
            if relaxed > reach:
                found = (
                    self._first(problem, basis, NODES_SMALL)
                    if self._is_small
                    else self._within(problem, basis, relaxed, earlier)
                )
                if found is not None and self._distance(found[0], earlier) > reach:
                    best, reach = (found[0], problem, found[1]), self._distance(found[0], earlier)
        if best is None:
            if seen and seen[0][0] > self._least() and not self._in_time():
                raise UnprovenError("the search for an alternative was stopped before it found one")
            self.open_mw = most if most > self._least() else 0.0
            return None
        return self._settled(*best, most, len(seen))

    def _within(
        self, problem: Matrix, basis: Basis | None, relaxed_mw: float, earlier: Floats
    ) -> tuple[Floats, Basis | None] | None:
        """A plan of a large problem within its budget, and where it was found, or None.

        A relaxation that spends the whole budget leaves nothing for whole numbers, and a dive from
        it ends in no plan. So the distance is weighed against the cost, at a price that moves until
        a plan is within the budget and apart from the others.
        """
        cost = self.matrix.objective
        part, near, dear = self._price, 0.0, np.inf
        for _ in range(PRICES):
            usd_per_mw = part * self.room_usd / relaxed_mw
            found = self._first(priced(self._with_cuts(problem), cost, usd_per_mw), basis, NODES)
            if found is None:
                break
            spent = float(cost @ found[0][: len(cost)]) + self.matrix.offset
            if spent > self.budget_usd:
                dear = part
            elif self._distance(found[0], earlier) < APART_LARGE * self.whole_mw:
                near = part
            else:
                self._price = part
                return found
            # Between one that moves nothing and one that is too dear, once both are known.
            if near and np.isfinite(dear):
                part = float(np.sqrt(near * dear))
            else:
                part = part * PRICE_STEP if near else part / PRICE_STEP
        return None

    def _in_time(self) -> bool:
        return not self.stop.is_set()

    def _relax(self, problem: Matrix, earlier: Floats, signs: Floats) -> float:
        """Solve a relaxation: its distance, MW; what its duals prove is learnt."""
        session = Session(problem, self.options.threads, self.stop)
        if self._basis is not None:
            session.set_basis(self._basis)
        result = session.solve_lp()
        if result.status != "optimal":
            raise UnprovenError(f"the search for alternatives ended with '{result.status}'")
        self._basis = session.basis()
        bound = proven_bound(problem, result.y, False, (problem.lower, problem.upper))
        # The rows of the distances with their duals, and apart_mw = 0, make the inequality.
        part = np.maximum(-result.y[problem.rows[APART]], 0.0)[: len(earlier)] / PER_MW
        weight = 0.5 * (part[:, None] * signs).sum(axis=0)
        about = 0.5 * float((part[:, None] * signs * earlier).sum())
        self.outside.add(weight, (self._spent - bound) / PER_MW + about)
        return float(result.x[problem.columns[APART]][0])

    def _first(
        self, problem: Matrix, basis: Basis | None, nodes: int, gap: float = CLOSE
    ) -> tuple[Floats, Basis | None] | None:
        """A plan in whole numbers near a relaxation and where it was found, or None.

        By a dive from the relaxation; on a small problem then by so many nodes, on a large one
        only until there is a plan at all.
        """
        if self._cuts is not None and len(self._cuts.index) > len(problem.row_index.get(ROWS, ())):
            # Rounds that joined since the relaxation hold here, too; its basis has fewer rows.
            problem, basis = self._with_cuts(problem), None
        session = Session(problem, self.options.threads, self.stop)
        if basis is not None:
            session.set_basis(basis)
        search = Search(
            session, self._left(gap=gap), self.progress, ranks(problem), self._lazy,
            PROBED, sift=problem.shape[1] >= SIFTED,
        )  # fmt: skip
        search.root(dive=self._is_small or not nodes)
        enough = len(search.tree.nodes) + nodes
        while search.gap > gap and len(search.tree.nodes) < enough and search.keep_going():
            if np.isfinite(search.best) and not self._is_small:
                break
            before = len(search.tree.nodes)
            search.branch(2)
            if len(search.tree.nodes) == before:
                break
        after = session.basis() if len(search.matrix.row_lower) == len(problem.row_lower) else None
        self._learn(search.matrix)
        return (search.best_x, after) if np.isfinite(search.best) else None

    # -- both ------------------------------------------------------------------------------------

    def _settled(
        self, x: Floats, problem: Matrix, basis: Basis | None, most: float, tried: int
    ) -> Found:
        """The same contracts, and everything else at least cost: by a dive from where x was found.

        What the dive does not make cheaper stays as it is.
        """
        n = self.matrix.shape[1]
        cost = np.concatenate([self.matrix.objective, np.zeros(len(x) - n)])
        # Without the row of the budget: what costs less than x is within it.
        problem = priced(problem, self.matrix.objective, 0.0)
        low, high = problem.lower.copy(), problem.upper.copy()
        fixed = np.zeros(len(x), dtype=bool)
        for name in FIXED:
            if name in problem.columns:
                fixed[problem.columns[name]] = True
        if not self._is_small:
            # A dive for the rest made plans of the reference case dearer, not cheaper.
            fixed = problem.integer
        low[fixed] = high[fixed] = np.round(x[fixed])
        cheap = replace(problem, lower=low, upper=high)
        found = self._first(cheap, basis, NODES_SMALL if self._is_small else 0, CHEAP)
        if found is not None and cost @ found[0] <= cost @ x * (1.0 + EXACT):
            x = found[0]
        mix: Floats = x[self._base.columns[MEAN]].copy()
        return Found(x[:n], mix, most, tried)

    def _distance(self, x: Floats, earlier: Floats) -> float:
        mix = x[self._base.columns[MEAN]]
        return float(np.abs(mix[None, :] - earlier).sum(axis=1).min() / 2.0)

    def _left(self, gap: float | None = None) -> SolveOptions:
        """The options with what is left of the time."""
        left = self.stop.left_s
        limit = None if left is None else max(0.0, left)
        return SolveOptions(self.options.gap if gap is None else gap, limit, self.options.threads)
