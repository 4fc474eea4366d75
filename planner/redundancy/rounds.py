"""Rounds: hold a point against every contingency, and give the rows that it violates."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from planner.instance import Instance
from planner.matrix import Matrix, RowBatch
from planner.redundancy.cuts import (
    NEGATIVE_CHIPS,
    Cut,
    CutPool,
    cheapest,
    cut_of,
    standing_cut,
)
from planner.redundancy.left import Left, left_of
from planner.redundancy.promise import Promise, promise
from planner.redundancy.reroute import Pairs, reroute
from planner.solve.transport import Transport

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
RELATIVE = 1e-6
"""Of a block's chips: shortages below it are within the solver's tolerance."""
SPARE = 0.95
"""Share of the chips with which a block is tried first."""
ROUNDING = 1e-7
"""Part of a routing that is left out of what it takes, so that sums of rounded numbers fit."""
MOST_ROUNDING = 5 * ROUNDING
"""Part of what is asked that may be missing of a routing of plans made one from another."""
EACH_PERIOD = 6
"""Most new rows for one period in one round: the next round knows better."""
NEARLY = 1e-3
"""Part of a block's chips by which it may be more than met to count as nearly short."""
EACH_NEARLY = 12
"""Most rows of blocks that are nearly short, for one period in one round: an answer that is mended
for one contingency would mostly break the like promise of another."""
ROWS = "redundancy_cut"
"""Constraint under which the rows stand."""


@dataclass(eq=False)
class Rounds:
    """Finds violated contingencies of points; keeps the prices and what was found."""

    asked: Promise
    left: Left
    pool: CutPool
    cuts: list[Cut] = field(default_factory=list)
    """Every cut given so far, in the order of its row."""
    rounds: int = 0
    """Times that rows were given."""

    def __post_init__(self) -> None:
        """One hot problem a period, made when it is first needed."""
        self._transports: dict[int, Transport] = {}
        self._enough: dict[tuple[int, int, int], Floats] = {}
        self._kept: dict[tuple[int, int, int], tuple[Ints, Ints, Floats]] = {}
        self._flow: dict[tuple[int, int, int], Floats] = {}
        self._pairs: dict[int, Pairs] = {}

    @classmethod
    def of(cls, inst: Instance, matrix: Matrix) -> Rounds:
        """The rounds of an instance over the columns of its compiled problem."""
        asked = promise(inst)
        return cls(asked, left_of(inst, matrix, asked.gates), CutPool(asked))

    def __call__(self, x: Floats, *, exact: bool = True) -> RowBatch | None:
        """Rows that x violates; None when it violates none (not `exact`: none that is known)."""
        chips = self.left.chips(x)
        found: list[Cut] = []
        periods = np.flatnonzero(self.asked.owed.any(axis=(0, 2))).tolist()
        for t in periods:
            found += self._period(t, chips[:, :, t, :], exact=exact)
        if not found:
            return None
        self.rounds += 1
        return self.give(found)

    def give(self, found: list[Cut]) -> RowBatch:
        """The rows of cuts, noted as given."""
        first = len(self.cuts)
        self.cuts += found
        prices = np.stack([cut.pool_price for cut in found])
        return RowBatch(
            ROWS,
            tuple((first + i,) for i in range(len(found))),
            self.left.rows([(cut.k, cut.t, cut.s) for cut in found], prices),
            np.array([c.least for c in found]),
            np.full(len(found), np.inf),
        )

    def remember(self, flows: Ints, chips: Floats) -> None:
        """Note routings [n] that another plan has: blocks that they meet need no solve to show it.

        `flows` are contingency, workload, pool, period and slice [n, 5]. What a routing takes of
        pools and gates is held against what is left each time (`_exact`), so that nothing is
        believed of the other plan; a routing that does not meet its block here is left out.
        """
        asked = self.asked
        k, w, p, t, s = flows.T
        there = asked.reach[k, w, p, t] & asked.owed[k, t, s] & (chips > 0.0)
        k, w, p, t, s = flows[there].T
        # With room for rounding: what this leaves out is below the tolerance.
        taken = chips[there] * (1.0 - ROUNDING)
        blocks, at = np.unique(np.stack([k, t, s], axis=1), axis=0, return_inverse=True)
        served = np.zeros((len(blocks), asked.rate.shape[0]))
        np.add.at(served, (at, w), taken * asked.rate[w, p, t])
        used = np.zeros((len(blocks), asked.serves.shape[1]))
        np.add.at(used, (at, p), taken)
        gate = np.where(t >= asked.gates.first, asked.gates.of[w, p], -1)
        waits = gate >= 0
        np.add.at(used, (at[waits], asked.rate.shape[1] + gate[waits]), taken[waits])
        order = np.argsort(at, kind="stable")
        rows = np.split(order, np.cumsum(np.bincount(at, minlength=len(blocks)))[:-1])
        for i, (k_, t_, s_) in enumerate(blocks.tolist()):
            least = asked.least[k_, :, t_, s_]
            if (served[i] >= least * (1.0 - MOST_ROUNDING)).all():
                self._enough[k_, t_, s_] = used[i]
                self._kept[k_, t_, s_] = (w[rows[i]], p[rows[i]], taken[rows[i]])

    def kept(self, at: tuple[int, int, int], left: Floats) -> tuple[Ints, Ints, Floats] | None:
        """Workloads, pools and chips of a routing that was remembered, if what is left holds it."""
        return self._kept.get(at) if self._stands(at, left) else None

    def _stands(self, at: tuple[int, int, int], left: Floats) -> bool:
        """Whether what a known routing of a block takes is left [p + g]."""
        enough = self._enough.get(at)
        return enough is not None and bool((enough <= left + 1e-9).all())

    def _period(self, t: int, left: Floats, *, exact: bool) -> list[Cut]:
        """Violated cuts of one period, and those of the blocks that are nearly short by them."""
        out = self._violated(t, left, exact=exact)
        return out + self._nearly(t, left, {(c.k, c.s) for c in out}) if out else out

    def _nearly(self, t: int, left: Floats, given: set[tuple[int, int]]) -> list[Cut]:
        """Cuts that a point of the period nearly violates, of blocks without one yet."""
        short, which = self.pool.violation(t, left)
        chips = self.asked.least[:, :, t, :] / self.transport(t).best[None, :, None]
        part = np.where(self.asked.owed[:, t, :], short / np.maximum(chips.sum(axis=1), 1.0), -1.0)
        order = np.argsort(-part, axis=None, kind="stable")
        near = [(int(k), int(s)) for k, s in zip(*np.unravel_index(order, part.shape), strict=True)]
        near = [at for at in near if part[at] >= -NEARLY and at not in given][:EACH_NEARLY]
        cuts = [
            self.cut((k, t, s), self.pool.prices(t, int(which[k, s])), left[k, :, s])
            for k, s in near
        ]
        # Prices of workloads that a contingency asks nothing for say nothing of it.
        return [cut for cut in cuts if cut.least > 0.0]

    def _violated(self, t: int, left: Floats, *, exact: bool) -> list[Cut]:
        """Violated cuts of one period: what the pool knows, or what exact solves of blocks find."""
        out: list[Cut] = []
        below = np.where(self.asked.serves[:, :, t, None], left, 0.0)
        below = np.where(self.asked.owed[:, None, t, :], below, 0.0)
        for k, p, s in _worst(below, EACH_PERIOD):
            out.append(standing_cut(self.asked, (k, t, s), p))
        violation, which = self.pool.violation(t, left)
        violation = np.where(self.asked.owed[:, t, :], violation, -np.inf)
        order = np.argsort(-violation, axis=None, kind="stable")
        blocks = np.stack(np.unravel_index(order, violation.shape), axis=1)
        blocks = blocks[self.asked.owed[blocks[:, 0], t, blocks[:, 1]]]
        taken: set[int] = set()
        for k, s in blocks.tolist():
            if len(out) >= EACH_PERIOD or violation[k, s] <= self.tolerance(k, t, s):
                break
            if k not in taken:
                cut = self.cut((k, t, s), self.pool.prices(t, int(which[k, s])), left[k, :, s])
                taken.add(k)
                out.append(cut)
        if out or not exact:
            return out
        met = self._reroute(t, blocks, left)
        for k, s in blocks[~met].tolist():
            if len(out) >= EACH_PERIOD:
                break
            if k not in taken:
                cut_ = self._exact((k, t, s), left[k, :, s])
                if cut_ is not None:
                    taken.add(k)
                    out.append(cut_)
        return out

    def _reroute(self, t: int, blocks: Ints, left: Floats) -> Bools:
        """Whether a routing that is known, or one made from it, meets each block (k, s) [n].

        Such routings are noted for the next time; `left` is what is left of pools and gates
        [k, p + g, s].
        """
        known = [self._stands((k, t, s), left[k, :, s]) for k, s in blocks.tolist()]
        met = np.array(known, dtype=bool)
        unmet = np.flatnonzero(~met)
        if not len(unmet):
            return met
        problem = self.transport(t)
        if t not in self._pairs:
            self._pairs[t] = Pairs.of(problem, self.asked.rate[:, :, t])
        at = [(k, t, s) for k, s in blocks[unmet].tolist()]
        none = np.zeros(len(problem.pairs[0]))
        k, s = blocks[unmet].T
        stands = np.where(self.asked.serves[k, :, t], left[k, :, s], 0.0)
        least = self.asked.least[k, :, t, s]
        flow = np.stack([self._flow.get(block, none) for block in at])
        flow, short, taken = reroute(self._pairs[t], flow.T, least.T, np.maximum(stands, 0.0).T)
        short_chips = (short / problem.best[:, None]).sum(axis=0)
        for j, block in enumerate(at):
            if short_chips[j] <= self.tolerance(*block):
                self._note(block, flow[:, j].copy(), taken[:, j].copy())
                met[unmet[j]] = True
        return met

    def _note(self, at: tuple[int, int, int], flow: Floats, taken: Floats) -> None:
        """Note a routing [pair] that meets a block, and what it takes of pools and gates."""
        self._enough[at], self._flow[at] = taken, flow
        self._kept.pop(at, None)

    def tolerance(self, k: int, t: int, s: int) -> float:
        """Shortage of a block that counts as none, chips."""
        chips = self.asked.least[k, :, t, s] / self.transport(t).best
        return max(1e-3, RELATIVE * float(chips.sum()))

    def transport(self, t: int) -> Transport:
        """The hot problem of a period."""
        if t not in self._transports:
            self._transports[t] = self.new_transport(t)
        return self._transports[t]

    def new_transport(self, t: int) -> Transport:
        """A problem of a period, not solved yet."""
        gates = self.asked.gates
        return Transport(self.asked.rate[:, :, t], gates.at(t), len(gates.row))

    def cut(self, at: tuple[int, int, int], price: Floats, left: Floats) -> Cut:
        """The cut of prices that proves most about what is left of a block [p + g]."""
        k, t, s = at
        stands = np.where(self.asked.serves[k, :, t], left, 0.0)
        wanted = np.where(self.asked.least[k, :, t, s] > 0, price, 0.0)
        return cut_of(self.asked, at, price, cheapest(self.asked, k, t, wanted, stands))

    def _exact(self, at: tuple[int, int, int], left: Floats) -> Cut | None:
        """Solve a block; None when it is met, which is noted."""
        k, t, s = at
        problem = self.transport(t)
        stands = np.where(self.asked.serves[k, :, t], left, 0.0)
        # With a little to spare first: such a routing outlives small changes of the plan.
        for share in (SPARE, 1.0):
            routing = problem.solve(self.asked.least[k, :, t, s], share * stands)
            if routing.short_chips <= self.tolerance(*at):
                self._note(at, routing.flow, problem.used(routing))
                return None
        self.pool.add(t, routing.prices)
        return self.cut(at, routing.prices, left)


def _worst(below: Floats, most: int) -> list[tuple[int, int, int]]:
    """Positions of the most negative numbers, beyond rounding, at most `most`."""
    at = np.argwhere(below < -NEGATIVE_CHIPS)
    worst = np.argsort(below[tuple(at.T)], kind="stable")[:most]
    return [(int(k), int(p), int(s)) for k, p, s in at[worst].tolist()]
