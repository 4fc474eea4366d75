"""One HiGHS instance fed with arrays.

Chips, requests and their rows are passed in thousands and USD in millions, so that the solver's
absolute tolerances fit; values come back in the units of the matrix.

A session may hold only some columns of its matrix (`active`); the others stay at 0. Points,
bounds, bases and costs are those of the whole matrix all the same. A `priced` session takes in
the columns that a relaxation wants, so that its relaxations are those of the whole matrix.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import highspy
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix, RowBatch
from planner.solve.codes import BASIC, KINDS, LOWER, STATUS
from planner.solve.lp import Basis, LpResult, Mark
from planner.solve.pricing import cheaper, mending
from planner.solve.scheduler import use_threads
from planner.solve.units import MILLION, THOUSAND, scales
from planner.solve.watch import Stop, Watch

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_DUAL, _PRIMAL = 1, 4
"""Simplex strategies of HiGHS."""
_INSIDE = 1e-7
"""Relative gap at which an interior point is near enough: the simplex does the rest."""
_MOST_WANTED = 0.025
"""Columns that join for their reduced cost at a time, at most, for each one that is held."""
_CHOOSE, _DEVEX = -1, 1
"""Edge weights of HiGHS's dual simplex."""


class Session:
    """A problem held in HiGHS. Not safe to share between threads."""

    def __init__(
        self,
        matrix: Matrix,
        threads: int = 1,
        stop: Stop | None = None,
        active: npt.NDArray[np.bool_] | None = None,
        *,
        priced: bool = False,
        hot: bool = False,
        presolve: bool = True,
    ):
        """Pass the arrays of `matrix`; `stop` ends a running solve.

        `active` are the columns that it holds, all unless given; whole numbers and columns whose
        lower bound is not 0 must be among them. When it is `priced`, columns with a negative
        reduced cost join until there are none. A `hot` one is for many short solves from bases
        that are given to it: HiGHS then does without the steepest edges' weights, which take a
        solve of each row every time, and `stop` is asked before each instead of every iteration.
        Without `presolve` relaxations from nothing are solved as they are.
        """
        self.matrix = matrix
        self._priced, self._hot = priced, hot
        self._presolve = "choose" if presolve else "off"
        n = matrix.shape[1]
        self._at = np.arange(n) if active is None else np.flatnonzero(active)
        self._place = np.full(n, -1, dtype=np.int64)
        self._place[self._at] = np.arange(len(self._at))
        if len(self._at) < n:
            away = self._place < 0
            if matrix.integer[away].any() or matrix.lower[away].any():
                raise ValueError("a column that must be there is left out")
        self.stop = stop or Stop()
        self.threads = threads
        self._widened = False
        self._low, self._high = matrix.lower.copy(), matrix.upper.copy()
        self._column, self._row = scales(matrix)
        # highspy ships incomplete types.
        self._highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        for name, value in (
            ("output_flag", False),
            ("threads", threads),
            ("presolve", self._presolve),
            ("random_seed", 0),
            ("primal_feasibility_tolerance", 1e-8),
            ("dual_feasibility_tolerance", 1e-8),
            ("mip_feasibility_tolerance", 1e-7),
            ("simplex_dual_edge_weight_strategy", _DEVEX if hot else _CHOOSE),
        ):
            self._highs.setOptionValue(name, value)
        self._pass()
        self._watch = Watch(self._highs, self.stop, relaxations=not hot)

    def _pass(self) -> None:
        """Hand the arrays over as they are; through a `HighsLp` they would become lists first."""
        m, at = self.matrix, self._at
        scale = self._column[at]
        a = m.a if len(at) == m.shape[1] else sp.csc_array(m.a[:, at])
        self._highs.passModel(
            len(at),
            m.shape[0],
            a.nnz,
            int(highspy.MatrixFormat.kColwise),
            int(highspy.ObjSense.kMinimize),
            m.offset / MILLION,
            m.objective[at] * scale / MILLION,
            m.lower[at] / scale,
            m.upper[at] / scale,
            m.row_lower * self._row,
            m.row_upper * self._row,
            a.indptr.astype(np.int32),
            a.indices.astype(np.int32),
            a.data * self._row[a.indices] * np.repeat(scale, np.diff(a.indptr)),
            np.zeros(len(at), dtype=np.int32),
        )

    def add_rows(self, batch: RowBatch) -> None:
        """Let rows join the problem; the basis stays, so that the next solve is hot."""
        large = (abs(batch.a) @ (self._column > 1.0).astype(float)) > 0
        scale = np.where(large, 1.0 / THOUSAND, 1.0)
        a = batch.a
        place = self._place[a.indices]
        held = place >= 0
        values = a.data * self._column[a.indices] * np.repeat(scale, np.diff(a.indptr))
        self._highs.addRows(
            a.shape[0],
            batch.lower * scale,
            batch.upper * scale,
            int(held.sum()),
            np.append(0, np.cumsum(held))[a.indptr].astype(np.int32),
            place[held].astype(np.int32),
            values[held],
        )
        self.matrix = self.matrix.with_rows(batch)
        self._row = np.concatenate([self._row, scale])

    def hold(self, columns: Ints) -> None:
        """Let columns of the matrix join that are not held; they start at their lower bound, 0."""
        m, scale = self.matrix, self._column[columns]
        a = sp.csc_array(sp.diags_array(self._row) @ m.a[:, columns] @ sp.diags_array(scale))
        self._highs.addCols(
            len(columns),
            m.objective[columns] * scale / MILLION,
            m.lower[columns] / scale,
            m.upper[columns] / scale,
            a.nnz,
            a.indptr,
            a.indices,
            a.data,
        )
        self._place[columns] = np.arange(len(columns)) + len(self._at)
        self._at = np.concatenate([self._at, columns])

    @property
    def active(self) -> npt.NDArray[np.bool_]:
        """Columns that the session holds [column]."""
        out: npt.NDArray[np.bool_] = self._place >= 0
        return out

    def _placed(self, columns: Ints) -> npt.NDArray[np.int32]:
        """Where the solver has columns; ValueError for one that the session does not hold."""
        out = self._place[columns]
        if (out < 0).any():
            raise ValueError("a column is not held")
        return out.astype(np.int32)

    def set_bounds(self, columns: Ints, low: Floats, high: Floats) -> None:
        """Change the bounds of columns that are held, in the matrix's units."""
        self._low[columns], self._high[columns] = low, high
        scale = self._column[columns]
        self._highs.changeColsBounds(len(columns), self._placed(columns), low / scale, high / scale)

    def set_row_bounds(self, rows: Ints, low: Floats, high: Floats) -> None:
        """Change the bounds of rows, in the matrix's units."""
        scale = self._row[rows]
        self._highs.changeRowsBounds(len(rows), rows.astype(np.int32), low * scale, high * scale)

    def set_costs(self, columns: Ints, cost: Floats) -> None:
        """Change the cost of columns, in USD per unit of the column."""
        scaled = cost * self._column[columns] / MILLION
        self._highs.changeColsCost(len(columns), self._placed(columns), scaled)

    def set_coefficients(self, rows: Ints, columns: Ints, values: Floats) -> None:
        """Change coefficients that the matrix has, in its units; one row, column and value each."""
        scaled = values * self._row[rows] * self._column[columns]
        for row, column, value in zip(
            rows.tolist(), self._placed(columns).tolist(), scaled.tolist(), strict=True
        ):
            self._highs.changeCoeff(row, column, value)

    def keep_costs(self, keep: bool = True) -> None:
        """Solve with the costs as they are, not perturbed against degeneracy.

        A hot solve after a small change then takes a handful of iterations; a solve from afar can
        take many more.
        """
        factor = 0.0 if keep else 1.0
        self._highs.setOptionValue("dual_simplex_cost_perturbation_multiplier", factor)

    def basis(self) -> Basis:
        """The current basis; hand it to `set_basis` for a hot start."""
        given = self._highs.getBasis()
        columns = np.zeros(self.matrix.shape[1], dtype=np.int8)
        columns[self._at] = np.fromiter(map(int, given.col_status), np.int8, len(self._at))
        rows = np.fromiter(map(int, given.row_status), np.int8, self.matrix.shape[0])
        return Basis(columns, rows)

    def set_basis(self, basis: Basis, *, mend: bool = False) -> None:
        """Start the next solve from a basis; rows that have joined since are slack in it.

        `mend` where it may not fit: that of another problem, or of columns that are not held.
        """
        start = highspy.HighsBasis()
        start.col_status = [KINDS[code] for code in basis.columns[self._at].tolist()]
        more = self.matrix.shape[0] - len(basis.rows)
        start.row_status = [*(KINDS[c] for c in basis.rows.tolist()), *[KINDS[BASIC]] * more]
        start.valid, start.alien = True, mend
        self._highs.setBasis(start)

    def mark(self) -> Mark:
        """Where the last solve ended, to come back to at no cost; `Basis` is for other sessions."""
        return Mark(self._highs.getBasis(), self.matrix.shape[0], len(self._at))

    def back(self, mark: Mark) -> None:
        """Start the next solve from a mark of this session.

        Rows that joined since are slack, and columns at their lower bound.
        """
        basis = mark.basis
        more, wider = self.matrix.shape[0] - mark.rows, len(self._at) - mark.columns
        if more:
            basis.row_status = [*basis.row_status, *[KINDS[BASIC]] * more]
        if wider:
            basis.col_status = [*basis.col_status, *[KINDS[LOWER]] * wider]
        mark.rows, mark.columns = self.matrix.shape[0], len(self._at)
        if self._highs.setBasis(basis) == highspy.HighsStatus.kError:
            raise RuntimeError("a mark of another session")

    def solve_lp(self, time_limit_s: float | None = None, *, heed_stop: bool = True) -> LpResult:
        """Solve the relaxation with the current bounds, from the current basis.

        It ends when the session's `stop` says so, or after `time_limit_s` of its own. Without
        `heed_stop` it is finished whatever `stop` says: to settle a plan in hand.
        """
        self._watch.heed = heed_stop
        if heed_stop:
            time_limit_s = self.stop.least(time_limit_s)
        ends = None if time_limit_s is None else time.perf_counter() + time_limit_s
        result = self._solve_held(time_limit_s)
        iterations = result.iterations
        while self._priced:
            wanted = self._wanted(result)
            if not len(wanted):
                break
            self.hold(wanted)
            self._widened = result.status == "optimal"
            result = self._solve_held(None if ends is None else ends - time.perf_counter())
            iterations += result.iterations
        return replace(result, iterations=iterations)

    def _wanted(self, result: LpResult) -> Ints:
        """Columns that are not held and that would lower the cost, or mend an infeasibility."""
        m = self.matrix
        away = (self._place < 0) & (m.upper > 0.0)
        if not len(result.y):
            return np.zeros(0, dtype=np.int64)
        if result.status in ("optimal", "dear"):
            scale = self._column / MILLION
            return cheaper(m, result.y, away, scale, int(_MOST_WANTED * len(self._at)))
        held = np.where(self._place >= 0, self._high, 0.0)
        return mending(m, result.y, (self._low, held), away)

    def search_nearby(self) -> None:
        """Leave out what of HiGHS's search rarely helps where that is narrow already.

        RENS fixes what is whole at the relaxation, which whoever made the search narrow has done.
        """
        for name in (
            "mip_heuristic_run_rens",
            "mip_heuristic_run_feasibility_jump",
            "mip_detect_symmetry",
            "mip_allow_restart",
        ):
            if self._highs.setOptionValue(name, False) != highspy.HighsStatus.kOk:
                raise RuntimeError(f"HiGHS has no option {name}")

    def limit_iterations(self, most: int | None) -> None:
        """End a relaxation after so many simplex iterations ("limit"); None without a limit."""
        limit = highspy.kHighsIInf if most is None else most
        self._highs.setOptionValue("simplex_iteration_limit", limit)

    def limit_cost(self, most_usd: float) -> None:
        """End a relaxation once it is known to cost more than this ("dear"); inf for no limit."""
        self._highs.setOptionValue("objective_bound", most_usd / MILLION)

    def dual_cost(self) -> float:
        """Cost at which a relaxation was ended, USD.

        The relaxation's at least after "dear"; after "limit" that of the columns held, about.
        """
        return float(self._highs.getInfo().objective_function_value) * MILLION

    def _solve_held(self, time_limit_s: float | None) -> LpResult:
        """The relaxation over the columns that are held."""
        h = self._highs
        if self._hot and self._watch.heed and self.stop.is_set():
            return LpResult("limit", np.zeros(0), np.zeros(0), 0)
        use_threads(self.threads)
        # HiGHS counts the time limit from the first run of the instance.
        limit = 1e30 if time_limit_s is None else h.getRunTime() + max(time_limit_s, 0.01)
        h.setOptionValue("time_limit", limit)
        # With columns that have just joined the basis is feasible, and no longer dual feasible.
        h.setOptionValue("simplex_strategy", _PRIMAL if self._widened else _DUAL)
        self._widened = False
        h.run()
        status = STATUS.get(h.getModelStatus(), "error")
        if status == "error":
            # A basis can become too ill-conditioned to go on from: once more from nothing.
            h.clearSolver()
            h.run()
            status = STATUS.get(h.getModelStatus(), "error")
        info = h.getInfo()
        x = y = np.zeros(0)
        if status in ("optimal", "dear"):
            solution = h.getSolution()
            if status == "optimal":
                x = self._point(solution.col_value)
            y = np.asarray(solution.row_dual) * self._row * MILLION
        elif status == "infeasible":
            y = self._dual_ray()
        return LpResult(status, x, y, info.simplex_iteration_count)

    def solve_interior(self) -> LpResult:
        """Solve the relaxation by HiPO, without crossover: near its optimum, and no basis.

        Needs `highspy-extras` (`sift.interior_point`); all but "optimal" says that it gave none.
        "Optimal" is meant to `_INSIDE`: HiGHS, which asks for more, leaves such a point's status
        unknown.
        """
        self._watch.heed = True
        h = self._highs
        use_threads(self.threads)
        left = self.stop.left_s
        limit = 1e30 if left is None else h.getRunTime() + max(left, 0.01)
        for name, value in (
            ("time_limit", limit),
            ("solver", "hipo"),
            ("run_crossover", "off"),
            ("ipm_optimality_tolerance", _INSIDE),
        ):
            h.setOptionValue(name, value)
        h.run()
        status = STATUS.get(h.getModelStatus(), "error")
        solution = h.getSolution()
        for name, value in (
            ("solver", "choose"),
            ("run_crossover", "on"),
            ("ipm_optimality_tolerance", 1e-8),
        ):
            h.setOptionValue(name, value)
        valid = solution.value_valid and solution.dual_valid
        near = status == "optimal" or h.getModelStatus() == highspy.HighsModelStatus.kUnknown
        if not (valid and near):
            return LpResult(status, np.zeros(0), np.zeros(0), 0)
        y = np.asarray(solution.row_dual) * self._row * MILLION
        point = self._point(solution.col_value)
        return LpResult("optimal", point, y, h.getInfo().ipm_iteration_count)

    def _point(self, values: Any) -> Floats:
        """The solver's values as a point of the whole matrix, in its units."""
        x = np.zeros(self.matrix.shape[1])
        x[self._at] = np.asarray(values) * self._column[self._at]
        return x

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
            h.setOptionValue("presolve", self._presolve)
        return np.asarray(ray, dtype=float) * self._row if has else np.zeros(0)

    def solve_mip(
        self,
        gap: float,
        time_limit_s: float | None = None,
        start: Floats | None = None,
        on_progress: Callable[[float, float], None] | None = None,
        nodes: int | None = None,
        target: float = -np.inf,
    ) -> tuple[str, Floats]:
        """Solve with whole numbers; returns a status and the best point found (may be empty).

        It ends after so many `nodes`, or with a plan of cost `target` (USD). Integrality is put on
        for this call only.
        """
        h = self._highs
        use_threads(self.threads)
        n = len(self._at)
        whole = np.where(self.matrix.integer[self._at], 1, 0).astype(np.uint8)
        h.changeColsIntegrality(n, np.arange(n, dtype=np.int32), whole)
        h.setOptionValue("mip_rel_gap", gap)
        h.setOptionValue("objective_target", target / MILLION)
        h.setOptionValue("mip_max_nodes", highspy.kHighsIInf if nodes is None else nodes)
        # A search counts its own seconds, unlike a relaxation.
        h.setOptionValue("time_limit", 1e30 if time_limit_s is None else max(time_limit_s, 0.01))
        self._watch.on_mip = on_progress
        self._watch.heed = True
        if start is not None:
            guess = highspy.HighsSolution()
            guess.col_value = (start / self._column)[self._at].tolist()
            h.setSolution(guess)
        h.run()
        self._watch.on_mip = None
        status = STATUS.get(h.getModelStatus(), "error")
        found = h.getInfo().primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        x = self._point(h.getSolution().col_value) if found else np.zeros(0)
        h.changeColsIntegrality(n, np.arange(n, dtype=np.int32), np.zeros(n, dtype=np.uint8))
        return status, x
