"""A large problem with slices of the week merged, held in HiGHS beside the whole one.

What it gives is in the columns and rows of the whole problem: a point that is none of it, row duals
that are some of it (`planner.solve.merged_week`), and a basis to begin from.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix, RowBatch
from planner.solve.lp import Basis, LpResult
from planner.solve.merged_week import MergedWeek, Week, merged_week
from planner.solve.session import Session
from planner.solve.sift import sifted, sifted_from
from planner.solve.watch import Stop

Floats = npt.NDArray[np.float64]


class MergedSession:
    """Relaxations of a problem whose alike slices are one."""

    def __init__(
        self,
        matrix: Matrix,
        week: Week,
        threads: int,
        stop: Stop,
        start: Basis | None = None,
        duals: Floats | None = None,
    ) -> None:
        """Merge the slices of a problem; `start` is where one like the whole problem ended.

        With that one's row `duals` too, only what matters near it is held from the beginning.
        """
        self.week: MergedWeek = merged_week(matrix, week)
        self._integer = np.flatnonzero(self.week.matrix.integer)
        self._session = Session(self.week.matrix, threads, stop, presolve=False)
        self._last: LpResult | None = None
        self._narrow = start is not None and duals is not None
        if start is not None:
            basis = self.week.together(start)
            if duals is None:
                self._session.set_basis(basis, mend=True)
            else:
                sums = self.week.sums_of_rows(duals)
                self._session = sifted_from(self._session, basis, sums, None)

    def add_rows(self, batch: RowBatch) -> None:
        """Let rows of the whole problem join."""
        self._session.add_rows(self.week.rows(batch))
        more = sp.eye_array(len(batch.index))
        means = sp.csc_array(sp.block_diag([self.week.means, more], format="csc"))
        self.week = replace(self.week, matrix=self._session.matrix, means=means)

    def set_whole(self, low: Floats, high: Floats) -> None:
        """Bounds of the whole numbers, in their order in the whole problem."""
        self._session.set_bounds(self._integer, low, high)

    def solve_lp(self) -> LpResult:
        """The relaxation, in columns and rows of the whole problem."""
        result = self._last = self._session.solve_lp()
        x = self.week.whole(result.x) if len(result.x) else result.x
        y = self.week.duals(result.y) if len(result.y) else result.y
        return replace(result, x=x, y=y)

    def basis(self) -> Basis:
        """Where the last relaxation ended, in columns and rows of the whole problem."""
        return self.week.apart(self._session.basis())

    def narrow(self) -> None:
        """From the relaxation just solved on, which has an optimum, hold only what matters near it.

        Columns that a relaxation wants join, so that each is that of the merged problem.
        """
        if not self._narrow and self._last is not None:
            self._session, self._narrow = sifted(self._session, self._last), True
