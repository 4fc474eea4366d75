"""Which side of each earlier plan to go to: the mixes that are possible, from outside.

What is known of the mixes of all plans within the budget are inequalities w . mean_mw <= most,
each proven by the duals of a relaxation. Over them the farthest mix is a small mixed-integer
program: its answer names the signs to try next, and its bound is what no plan can exceed. Each
try gives a new inequality, so that tries and bound meet.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, milp

from planner.errors import PlannerError

Floats = npt.NDArray[np.float64]
SECONDS = 20.0
"""Time limit of one small program; its bound holds when it is stopped, too."""
LOOSE = 1e-6
"""Of the widest range: tolerance of the small program, added to its bound."""


@contextmanager
def _muted() -> Iterator[None]:
    """Keep scipy's HiGHS from writing to the program's output: it has a line that no option stops.

    What is printed for a program to read (`--json`) would not be read with it.
    """
    flush = ctypes.CDLL(None).fflush
    sys.stdout.flush()
    flush(None)
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        flush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


@dataclass(eq=False)
class Outside:
    """Inequalities that every mix within the budget satisfies."""

    low: Floats
    """Least MW of each member [m]."""
    high: Floats
    """Most MW of each member [m]."""
    weights: list[Floats] = field(default_factory=list)
    """Left-hand sides [m]."""
    most: list[float] = field(default_factory=list)
    """Right-hand sides, MW."""

    def add(self, weight: Floats, most: float) -> None:
        """Learn weight . mean_mw <= most; one about a single member narrows its range."""
        # Weights that are rounding only blur the program: left out at their most.
        dust = np.abs(weight) < 1e-7 * np.abs(weight).max(initial=0.0)
        most += float((np.abs(weight) * np.maximum(np.abs(self.low), self.high))[dust].sum())
        weight = np.where(dust, 0.0, weight)
        some = np.flatnonzero(weight)
        if len(some) == 1:
            m = int(some[0])
            side = most / float(weight[m])
            if weight[m] > 0:
                self.high[m] = min(self.high[m], max(side, self.low[m]))
            else:
                self.low[m] = max(self.low[m], min(side, self.high[m]))
        elif len(some):
            self.weights.append(weight)
            self.most.append(most)

    def farthest(self, earlier: Floats, tried: list[tuple[Floats, float]]) -> tuple[Floats, float]:
        """Signs [i, m] towards the farthest mix from earlier ones [i, m], and a bound, MW.

        `tried` are signs whose whole-number problem is solved, with what it cannot exceed.
        """
        # In units of the widest range, so that the program's coefficients are of one size.
        unit = float((self.high - self.low).max()) or 1.0
        low, high, earlier = self.low / unit, self.high / unit, earlier / unit
        count, members = earlier.shape
        pairs = count * members
        # Columns: mean_mw [m], difference [i, m], side [i, m], distance.
        n = members + 2 * pairs + 1
        difference = members + np.arange(pairs)
        side = members + pairs + np.arange(pairs)
        of_pair = np.tile(np.arange(members), count)
        at = earlier.ravel()
        down = 2.0 * np.maximum(at - low[of_pair], 0.0)
        up = 2.0 * np.maximum(high[of_pair] - at, 0.0)
        rows, limit = [], []

        def add(entries: list[tuple[npt.NDArray[np.int64], Floats]], right: Floats) -> None:
            """Rows sum of value x column <= right; columns and values are [row]."""
            k = np.arange(len(right))
            parts = [sp.csr_array((v, (k, c)), shape=(len(right), n)) for c, v in entries]
            rows.append(sum(parts[1:], parts[0]))
            limit.append(right)

        one = np.ones(pairs)
        # difference <= (mean - earlier) on the upper side, <= (earlier - mean) on the lower.
        add([(difference, one), (of_pair, -one), (side, down)], down - at)
        add([(difference, one), (of_pair, one), (side, -up)], at)
        whole = sp.lil_array((count, n))
        whole[:, n - 1] = 1.0
        for i in range(count):
            whole[[i], difference[i * members : (i + 1) * members]] = -0.5
        rows.append(whole.tocsr())
        limit.append(np.zeros(count))
        if self.weights:
            known = np.zeros((len(self.weights), n))
            known[:, :members] = np.array(self.weights)
            rows.append(sp.csr_array(known))
            limit.append(np.array(self.most) / unit + LOOSE)
        # No distance can be more than the widest that the ranges allow.
        big = 0.25 * float((np.maximum(down, up)).reshape(count, members).sum(axis=1).max())
        for signs, bound in tried:
            # At exactly these sides the distance is at most the bound: one side else frees it.
            row = np.zeros((1, n))
            row[0, n - 1] = 1.0
            row[0, side] = np.where(signs.ravel() > 0, big, -big)
            rows.append(sp.csr_array(row))
            limit.append(np.array([bound / unit + LOOSE + big * float((signs > 0).sum())]))
        cost = np.zeros(n)
        cost[n - 1] = -1.0
        binary = np.zeros(n)
        binary[side] = 1.0
        wide = np.maximum(down, up) / 2.0
        lower = np.concatenate([low, -wide, np.zeros(pairs), [-big]])
        upper = np.concatenate([high, wide, np.ones(pairs), [big]])
        together = LinearConstraint(sp.csr_array(sp.vstack(rows)), -np.inf, np.concatenate(limit))
        for presolve in (True, False):
            # HiGHS's presolve now and then gives up on ranges that are almost points.
            with _muted():
                found = milp(
                    cost, integrality=binary, bounds=Bounds(lower, upper), constraints=together,
                    options={"time_limit": SECONDS, "presolve": presolve},
                )  # fmt: skip
            if found.x is not None:
                break
        else:
            raise PlannerError(f"the search for a direction ended with '{found.message}'")
        signs = np.where(found.x[side] > 0.5, 1.0, -1.0).reshape(count, members)
        return signs, unit * (min(-float(found.mip_dual_bound), big) + LOOSE)
