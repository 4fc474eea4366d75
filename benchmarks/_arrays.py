"""Arrays of a compiled model to HiGHS as they are, and a solve with its default options."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from planner.matrix import Matrix


def highs_of(matrix: Matrix, *, whole: bool = True) -> Any:
    """A HiGHS instance with the arrays; without whole numbers when not `whole`.

    By the form of `passModel` that takes arrays as they are, the fastest there is.
    """
    h = _quiet()
    kinds = matrix.integer.astype(np.int32) if whole else np.zeros(matrix.shape[1], dtype=np.int32)
    h.passModel(
        matrix.shape[1],
        matrix.shape[0],
        matrix.a.nnz,
        int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMinimize),
        matrix.offset,
        matrix.objective,
        matrix.lower,
        matrix.upper,
        matrix.row_lower,
        matrix.row_upper,
        matrix.a.indptr.astype(np.int32),
        matrix.a.indices.astype(np.int32),
        matrix.a.data,
        kinds,
    )
    return h


def highs_by_lists(matrix: Matrix) -> Any:
    """The same without whole numbers through a `HighsLp`, which makes lists of the arrays."""
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = matrix.shape[1], matrix.shape[0]
    lp.col_cost_, lp.offset_ = matrix.objective, matrix.offset
    lp.col_lower_, lp.col_upper_ = matrix.lower, matrix.upper
    lp.row_lower_, lp.row_upper_ = matrix.row_lower, matrix.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = matrix.a.indptr, matrix.a.indices
    lp.a_matrix_.value_ = matrix.a.data
    h = _quiet()
    h.passModel(lp)
    return h


def _quiet() -> Any:
    h: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    h.setOptionValue("output_flag", False)
    return h


@dataclass(frozen=True)
class HighsRun:
    """What HiGHS made of the arrays within its limit."""

    cpu_s: float
    """CPU seconds, all threads."""
    wall_s: float
    """Wall seconds."""
    gap: float | None
    """(objective - bound) / |objective|; None without a solution or a bound."""


def solve_by_default(matrix: Matrix, gap: float, limit_s: float) -> HighsRun:
    """HiGHS with default options but for the gap at which to stop and a limit on wall time."""
    cpu, wall = time.process_time(), time.perf_counter()
    h = highs_of(matrix)
    h.setOptionValue("mip_rel_gap", gap)
    h.setOptionValue("time_limit", limit_s)
    h.run()
    info = h.getInfo()
    best, bound = info.objective_function_value, info.mip_dual_bound
    known = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    reached = max(0.0, best - bound) / abs(best) if known and np.isfinite(bound) else None
    return HighsRun(time.process_time() - cpu, time.perf_counter() - wall, reached)
