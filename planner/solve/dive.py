"""Dive: round the fractional lots and placements of a relaxation, re-solving hot in between."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from planner.solve.lp import LpResult
from planner.solve.propagate import Activity
from planner.solve.rounding import (
    choices_of,
    fractional,
    mend,
    one_each,
    packings,
    probe,
    round_batch,
)
from planner.solve.session import Session

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST_MENDS = 50
"""Dead ends that a dive gets out of, at most."""
MOST_FREED = 3
"""Times that a column which was fixed is open again, at most."""


class Tighten(Protocol):
    """Adds the lazy rows that a relaxation violates and solves it again."""

    def __call__(self, result: LpResult, *, exact: bool) -> LpResult:
        """The relaxation with no violated row left; not `exact`: none that is cheap to find."""


@dataclass
class Dive:
    """A dive from a node of the search.

    Columns go in the `order` of their rank: structure first, lots last. Each round fixes
    a third of the fractional columns of the lowest rank, those nearest their ceiling, and of
    columns of which only one can be 1 only the first: at their ceiling where the rows have room
    for it, else at their floor. A batch that cannot be is taken back and halved, and a single
    column that cannot go one way goes the other. Where it can go neither way, columns that were
    fixed before and stand in the proof of it are open again.

    Columns of `probed` ranks go one at a time: those that exclude one another are each tried at
    1, and the cheapest relaxation goes on.
    """

    session: Session
    order: Ints
    """Rank [column]."""
    keep_going: Callable[[], bool]
    tighten: Tighten
    """Adds lazy rows that a relaxation violates: what is cheap to find after each round, all of
    them for a point with whole numbers."""
    probed: AbstractSet[int] = frozenset()
    _mends: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        matrix = self.session.matrix
        self._integer = np.flatnonzero(matrix.integer)
        self._pack = packings(matrix)
        self._freed = np.zeros(matrix.shape[1], dtype=np.int64)
        self._mended = np.zeros(matrix.shape[1], dtype=np.int64)

    def run(self, start: LpResult, low: Floats, high: Floats) -> LpResult | None:
        """A point with whole numbers near a relaxation, or None when there is no way on.

        `low`, `high` are the bounds of the integer columns (in the order of the matrix's integer
        columns) at the node where the dive starts; the session's bounds are theirs again
        afterwards.
        """
        matrix, integer = self.session.matrix, self._integer
        self._every = matrix.lower.copy(), matrix.upper.copy()
        self._every[0][integer], self._every[1][integer] = low, high
        self._room = Activity(matrix, *self._every)
        result = start
        try:
            while result.status == "optimal" and self.keep_going():
                if self.session.matrix is not matrix:
                    matrix = self.session.matrix
                    self._room = Activity(matrix, self._room.low, self._room.high)
                open_ = fractional(result.x, integer)
                if not len(open_):
                    result = self.tighten(result, exact=True)
                    if result.status == "optimal" and self.session.matrix is matrix:
                        return self._settle(result)
                else:
                    result = self._step(result, open_[self.order[open_] == self.order[open_].min()])
            return None
        finally:
            self.session.set_bounds(integer, low, high)

    def _step(self, result: LpResult, open_: Ints) -> LpResult:
        """Fix one or more of the fractional columns of the lowest rank."""
        session, integer, x = self.session, self._integer, result.x
        nearest = open_[np.argsort(np.ceil(x[open_]) - x[open_], kind="stable")]
        first = int(nearest[0])
        choices = choices_of(x, self._pack, first)
        probed = int(self.order[first]) in self.probed
        if probed and len(choices) > 1:
            result, self._room = probe(session, integer, choices, self._room)
        else:
            batch = one_each(nearest, self._pack, 1 if probed else len(open_) // 3)
            result, self._room = round_batch(session, integer, x, batch, self._room)
        if result.status == "infeasible" and self._mends < MOST_MENDS:
            self._mends += 1
            free = np.where(
                self._freed < MOST_FREED, self._every, (self._room.low, self._room.high)
            )
            ways = [float(np.ceil(x[first])), float(np.floor(x[first]))]
            if self._mended[first] % 2:
                ways.reverse()
            self._mended[first] += 1
            result, after = mend(session, first, ways, self._room, (free[0], free[1]), self._pack)
            self._freed += (after.low < after.high) & (self._room.low == self._room.high)
            self._room = after
        if result.status == "optimal":
            result = self.tighten(result, exact=False)
        return result

    def _settle(self, result: LpResult) -> LpResult | None:
        """Fix every whole number exactly and solve once more: none is off by a tolerance."""
        session, integer, room = self.session, self._integer, self._room
        whole = np.round(result.x[integer])
        np.clip(whole, room.low[integer], room.high[integer], out=whole)
        session.set_bounds(integer, whole, whole)
        final = self.tighten(session.solve_lp(heed_stop=False), exact=True)
        if final.status != "optimal":
            return None
        x = final.x.copy()
        x[integer] = whole
        return LpResult(final.status, x, final.y, final.iterations)
