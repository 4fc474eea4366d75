"""What duals of earlier relaxations prove at other nodes of the tree.

Row duals prove a bound within any column bounds, so that those of one node can close another, or a
branch of it, without a relaxation: with d the reduced costs of the whole-number columns,

    bound(low, high) = cost - sum_j d_j * (side that its sign selects there)
                            + sum_j d_j * (side that its sign selects within low, high)

This is reduced-cost fixing (H. Crowder, E. L. Johnson and M. Padberg, Operations Research 31,
1983) with the duals of every node solved so far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.matrix import Matrix
from planner.solve.bound import reduced_costs, selected

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
MOST = 1000
"""Duals that are kept, the last ones."""


@dataclass(frozen=True, eq=False)
class Known:
    """The best of the pool's bounds at a place."""

    cost_usd: float
    """Cost that is proven there; -inf of an empty pool."""
    y: Floats
    """The duals that prove it [row at that time]."""


class DualPool:
    """Duals of relaxations of one problem, held against bounds of its structure."""

    def __init__(self, at: Ints, structure: Bools, low: Floats, high: Floats) -> None:
        """An empty pool of a problem whose whole numbers are the columns `at`.

        Only bounds of the `structure` among them [whole number] are looked at; the others count
        with those of the root, `low` and `high`, at every node. ValueError for structure without
        bounds: nothing would be proven of it.
        """
        if not np.isfinite([low[structure], high[structure]]).all():
            raise ValueError("structure without bounds")
        self._at, self._structure = at, structure
        self._root = low, high
        self._place = np.cumsum(structure) - 1
        self._duals: list[Floats] = []
        self._reduced = np.zeros((MOST, int(structure.sum())))
        self._rest = np.zeros(MOST)
        self._next = 0

    def add(self, m: Matrix, y: Floats, cost_usd: float, low: Floats, high: Floats) -> None:
        """Keep row duals that prove a cost within these bounds of the whole numbers."""
        reduced = reduced_costs(m, y)[self._at]
        here, root = selected(reduced, low, high), selected(reduced, *self._root)
        rest = cost_usd - float(np.where(self._structure, here, here - root).sum())
        if not np.isfinite(rest):
            return
        at = self._next % MOST
        self._duals[at : at + 1] = [y]
        self._reduced[at], self._rest[at] = reduced[self._structure], rest
        self._next += 1

    def _bounds(self, low: Floats, high: Floats) -> Floats:
        """What each of the duals proves within bounds of the whole numbers [duals]."""
        n, mine = len(self._duals), self._structure
        sides = selected(self._reduced[:n], low[mine], high[mine])
        out: Floats = self._rest[:n] + sides.sum(axis=1)
        return out

    def known(self, low: Floats, high: Floats) -> Known:
        """The most that the pool proves within bounds of the whole numbers."""
        if not self._duals:
            return Known(-np.inf, np.zeros(0))
        bounds = self._bounds(low, high)
        best = int(bounds.argmax())
        return Known(float(bounds[best]), self._duals[best])

    def sides(self, low: Floats, high: Floats, columns: Ints, values: Floats) -> Floats:
        """The most that is proven below and above values of columns, one at a time [2, n].

        Columns are places among the whole numbers; -inf for those that are no structure.
        """
        out = np.full((2, len(columns)), -np.inf)
        mine = np.flatnonzero(self._structure[columns])
        if not self._duals or not len(mine):
            return out
        bounds = self._bounds(low, high)[:, None]
        columns, cut = columns[mine], np.floor(values[mine])
        d = self._reduced[: len(self._duals), self._place[columns]]
        out[0, mine] = (bounds + np.minimum(d, 0.0) * (cut - high[columns])).max(axis=0)
        out[1, mine] = (bounds + np.maximum(d, 0.0) * (cut + 1.0 - low[columns])).max(axis=0)
        return out
