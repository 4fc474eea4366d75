"""One HiGHS instance fed with arrays: the only module that knows highspy.

Chips, requests and their rows are passed in thousands and USD in millions, so that the solver's
absolute tolerances fit; values come back in the units of the matrix.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix, RowBatch

Floats = npt.NDArray[np.float64]
_THOUSAND, _MILLION = 1e3, 1e6


@dataclass(frozen=True)
class LpResult:
    """What a linear relaxation gave."""

    status: str
    """optimal, infeasible, interrupted, limit or error."""
    x: Floats
    """Column values (empty unless optimal)."""
    y: Floats
    """Row duals, or a dual ray when infeasible (may be empty)."""
    iterations: int
    """Simplex or interior-point iterations."""


class Session:
    """A problem held in HiGHS. Not safe to share between threads."""

    def __init__(self, matrix: Matrix, threads: int = 1, stop: threading.Event | None = None):
        """Pass the arrays of `matrix`; `stop` interrupts a running solve when it is set."""
        self.matrix = matrix
        self.stop = stop or threading.Event()
        self._column, self._row = scales(matrix)
        # highspy ships incomplete types.
        self._highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        for name, value in (
            ("output_flag", False),
            ("threads", threads),
            ("random_seed", 0),
            ("primal_feasibility_tolerance", 1e-8),
            ("dual_feasibility_tolerance", 1e-8),
            ("mip_feasibility_tolerance", 1e-7),
        ):
            self._highs.setOptionValue(name, value)
        self._pass()
        self._watch()

    def _pass(self) -> None:
        m = self.matrix
        a = sp.csc_array(sp.diags_array(self._row) @ m.a @ sp.diags_array(self._column))
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = m.shape[1], m.shape[0]
        lp.col_cost_ = m.objective * self._column / _MILLION
        lp.col_lower_, lp.col_upper_ = m.lower / self._column, m.upper / self._column
        lp.row_lower_, lp.row_upper_ = m.row_lower * self._row, m.row_upper * self._row
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = a.indptr
        lp.a_matrix_.index_ = a.indices
        lp.a_matrix_.value_ = a.data
        lp.offset_ = m.offset / _MILLION
        self._highs.passModel(lp)

    def _watch(self) -> None:
        """Let `stop` end a running solve, at the places where HiGHS looks."""
        kinds = highspy.cb.HighsCallbackType
        self._interrupts = {
            int(kinds.kCallbackSimplexInterrupt),
            int(kinds.kCallbackIpmInterrupt),
            int(kinds.kCallbackMipInterrupt),
        }
        self._log = int(kinds.kCallbackMipLogging)
        self._on_mip: Callable[[float, float], None] | None = None
        self._heed = True
        self._highs.setCallback(self._callback, None)
        for kind in (
            kinds.kCallbackSimplexInterrupt,
            kinds.kCallbackIpmInterrupt,
            kinds.kCallbackMipInterrupt,
            kinds.kCallbackMipLogging,
        ):
            self._highs.startCallback(kind)

    def _callback(self, kind: int, _message: str, out: Any, into: Any, _data: Any) -> None:
        if int(kind) in self._interrupts and self._heed and self.stop.is_set():
            into.user_interrupt = 1
        elif int(kind) == self._log and self._on_mip is not None:
            self._on_mip(out.mip_primal_bound * _MILLION, out.mip_dual_bound * _MILLION)

    def add_rows(self, batch: RowBatch) -> None:
        """Let rows join the problem; the basis stays, so that the next solve is hot."""
        a = sp.csr_array(batch.a @ sp.diags_array(self._column))
        large = (abs(batch.a) @ (self._column > 1.0).astype(float)) > 0
        scale = np.where(large, 1.0 / _THOUSAND, 1.0)
        a = sp.csr_array(sp.diags_array(scale) @ a)
        self._highs.addRows(
            a.shape[0],
            batch.lower * scale,
            batch.upper * scale,
            a.nnz,
            a.indptr,
            a.indices,
            a.data,
        )
        self.matrix = self.matrix.with_rows(batch)
        self._row = np.concatenate([self._row, scale])

    def set_bounds(self, columns: npt.NDArray[np.int64], low: Floats, high: Floats) -> None:
        """Change the bounds of columns, in the matrix's units."""
        scale = self._column[columns]
        self._highs.changeColsBounds(
            len(columns), columns.astype(np.int32), low / scale, high / scale
        )

    def set_row_bounds(self, rows: npt.NDArray[np.int64], low: Floats, high: Floats) -> None:
        """Change the bounds of rows, in the matrix's units."""
        scale = self._row[rows]
        self._highs.changeRowsBounds(len(rows), rows.astype(np.int32), low * scale, high * scale)

    def set_costs(self, columns: npt.NDArray[np.int64], cost: Floats) -> None:
        """Change the cost of columns, in USD per unit of the column."""
        scaled = cost * self._column[columns] / _MILLION
        self._highs.changeColsCost(len(columns), columns.astype(np.int32), scaled)

    def set_coefficients(
        self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], values: Floats
    ) -> None:
        """Change coefficients that the matrix has, in its units; one row, column and value each."""
        scaled = values * self._row[rows] * self._column[columns]
        for row, column, value in zip(
            rows.tolist(), columns.tolist(), scaled.tolist(), strict=True
        ):
            self._highs.changeCoeff(row, column, value)

    def basis(self) -> Any:
        """The current basis; hand it to `set_basis` for a hot start."""
        return self._highs.getBasis()

    def set_basis(self, basis: Any) -> None:
        """Start the next solve from a basis."""
        self._highs.setBasis(basis)

    def solve_lp(self, time_limit_s: float | None = None, *, heed_stop: bool = True) -> LpResult:
        """Solve the relaxation with the current bounds, from the current basis.

        Without `heed_stop` it is finished even when `stop` is set: to settle a plan in hand.
        """
        self._heed = heed_stop
        h = self._highs
        # HiGHS counts the time limit from the first run of the instance.
        limit = 1e30 if time_limit_s is None else h.getRunTime() + max(time_limit_s, 0.01)
        h.setOptionValue("time_limit", limit)
        h.run()
        status = _STATUS.get(h.getModelStatus(), "error")
        info = h.getInfo()
        x = y = np.zeros(0)
        if status == "optimal":
            solution = h.getSolution()
            x = np.asarray(solution.col_value) * self._column
            y = np.asarray(solution.row_dual) * self._row * _MILLION
        elif status == "infeasible":
            y = self._dual_ray()
        return LpResult(status, x, y, info.simplex_iteration_count)

    def _dual_ray(self) -> Floats:
        """A ray that proves infeasibility, with the sign of row duals; empty if none is had."""
        h = self._highs
        _, has, ray = h.getDualRay()
        if not has:
            # Presolve proved it without a ray: solve again without presolve.
            h.setOptionValue("presolve", "off")
            h.clearSolver()
            h.run()
            _, has, ray = h.getDualRay()
            h.setOptionValue("presolve", "choose")
        return np.asarray(ray, dtype=float) * self._row if has else np.zeros(0)

    def solve_mip(
        self,
        gap: float,
        time_limit_s: float | None = None,
        start: Floats | None = None,
        on_progress: Callable[[float, float], None] | None = None,
    ) -> tuple[str, Floats]:
        """Solve with whole numbers; returns a status and the best point found (may be empty).

        Integrality is put on for this call only.
        """
        h, m = self._highs, self.matrix
        n = m.shape[1]
        whole = np.where(m.integer, 1, 0).astype(np.uint8)
        h.changeColsIntegrality(n, np.arange(n, dtype=np.int32), whole)
        h.setOptionValue("mip_rel_gap", gap)
        limit = 1e30 if time_limit_s is None else h.getRunTime() + max(time_limit_s, 0.01)
        h.setOptionValue("time_limit", limit)
        self._on_mip = on_progress
        self._heed = True
        if start is not None:
            guess = highspy.HighsSolution()
            guess.col_value = (start / self._column).tolist()
            h.setSolution(guess)
        h.run()
        self._on_mip = None
        status = _STATUS.get(h.getModelStatus(), "error")
        found = h.getInfo().primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        x = np.asarray(h.getSolution().col_value) * self._column if found else np.zeros(0)
        h.changeColsIntegrality(n, np.arange(n, dtype=np.int32), np.zeros(n, dtype=np.uint8))
        return status, x


_STATUS = {
    highspy.HighsModelStatus.kOptimal: "optimal",
    highspy.HighsModelStatus.kInfeasible: "infeasible",
    highspy.HighsModelStatus.kUnboundedOrInfeasible: "infeasible",
    highspy.HighsModelStatus.kInterrupt: "interrupted",
    highspy.HighsModelStatus.kTimeLimit: "limit",
    highspy.HighsModelStatus.kIterationLimit: "limit",
    highspy.HighsModelStatus.kSolutionLimit: "limit",
}


def scales(matrix: Matrix) -> tuple[Floats, Floats]:
    """Units that the solver sees: columns in multiples of the first, rows times the second.

    Continuous columns that can exceed 1 (chips, requests) and the rows they stand in go by the
    thousand; whole numbers and shares stay.
    """
    large = ~matrix.integer & (matrix.upper > 1.5)
    column = np.where(large, _THOUSAND, 1.0)
    in_row = (abs(matrix.a) @ large.astype(float)) > 0
    return column, np.where(in_row, 1.0 / _THOUSAND, 1.0)
