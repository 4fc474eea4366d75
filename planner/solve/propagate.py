"""What fixing a column does to the rows, by activity bounds: a check before a relaxation is solved.

A row can still hold while its least activity over the column bounds is at most its upper side
and its greatest at least its lower side. Rounding a lot up where supply has no room for it is
caught here for nothing, instead of by an infeasible re-solve.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix

Floats = npt.NDArray[np.float64]
RELATIVE = 1e-7
"""Slack that a row gets, relative to its side: the solver's own tolerance."""


class Activity:
    """Least and greatest activity of every row at the current column bounds."""

    def __init__(self, matrix: Matrix, low: Floats, high: Floats) -> None:
        """Start from column bounds of the whole matrix (all columns)."""
        a = matrix.a
        self._a = a
        positive = sp.csc_array((np.maximum(a.data, 0.0), a.indices, a.indptr), shape=a.shape)
        negative = sp.csc_array((np.minimum(a.data, 0.0), a.indices, a.indptr), shape=a.shape)
        # An infinite bound makes the activity infinite, which allows everything: 0 * inf is 0.
        big = 1e30
        lo, hi = np.clip(low, -big, big), np.clip(high, -big, big)
        self.least: Floats = positive @ lo + negative @ hi
        self.greatest: Floats = positive @ hi + negative @ lo
        self.low, self.high = low.copy(), high.copy()
        slack = RELATIVE * np.maximum(1.0, np.abs(matrix.row_upper))
        self._most = np.where(np.isfinite(matrix.row_upper), matrix.row_upper + slack, np.inf)
        slack = RELATIVE * np.maximum(1.0, np.abs(matrix.row_lower))
        self._fewest = np.where(np.isfinite(matrix.row_lower), matrix.row_lower - slack, -np.inf)

    def _change(self, column: int, value: float) -> tuple[npt.NDArray[np.int32], Floats, Floats]:
        span = slice(self._a.indptr[column], self._a.indptr[column + 1])
        rows, data = self._a.indices[span], self._a.data[span]
        up, down = value - self.low[column], value - self.high[column]
        least = self.least[rows] + np.where(data > 0, data * up, data * down)
        greatest = self.greatest[rows] + np.where(data > 0, data * down, data * up)
        return rows, least, greatest

    def allows(self, column: int, value: float) -> bool:
        """Whether every row can still hold when the column is fixed at the value."""
        if not self.low[column] <= value <= self.high[column]:
            return False
        rows, least, greatest = self._change(column, value)
        return bool((least <= self._most[rows]).all() and (greatest >= self._fewest[rows]).all())

    def fix(self, column: int, value: float) -> None:
        """Fix the column at the value."""
        rows, least, greatest = self._change(column, value)
        self.least[rows], self.greatest[rows] = least, greatest
        self.low[column] = self.high[column] = value

    def copy(self) -> Activity:
        """An independent copy."""
        out = object.__new__(Activity)
        out.__dict__.update(self.__dict__)
        for name in ("least", "greatest", "low", "high"):
            setattr(out, name, getattr(self, name).copy())
        return out
