"""The two linear problems that prices come from, solved once and then stepped hot.

operating: every whole number is fixed at the plan's value; what is left is to operate.
investment: the relaxation, in which lots and decisions may be fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.audit.folder import values_from_tables
from planner.audit.values import Labelled
from planner.case import Case
from planner.errors import PlannerError
from planner.instance import Instance, build_instance
from planner.limits import lots_by_supply
from planner.matrix import Matrix
from planner.plan import Plan
from planner.redundancy.mode import Redundancy
from planner.redundancy.problem import compiled_problem, with_cuts
from planner.solve.bound import usable_duals
from planner.solve.lp import Basis, LpResult
from planner.solve.session import Session

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
AGREES = 1e-6
"""Relative difference of cost that is let pass between a plan and its operating problem."""
LARGE_COLUMNS = 20_000
"""Columns above which a solve far from the solved problem can take minutes."""
PATIENCE_S = 15.0
"""Seconds that such a solve gets there."""
IMPLIED = ("serve", "unserved", "shed", "cover")
"""Columns whose upper bound the rows say already: it would only blur the duals."""


class Labels:
    """Positions of labelled rows and columns of a matrix."""

    def __init__(self, matrix: Matrix) -> None:
        """Read the labels; each component is sorted when it is first asked for."""
        self._rows = (matrix.rows, matrix.row_index)
        self._columns = (matrix.columns, matrix.column_index)
        self._known: dict[tuple[bool, str], dict[Any, int]] = {}

    def _find(self, of_rows: bool, name: str, index: Ints) -> Ints:
        blocks, labels = self._rows if of_rows else self._columns
        if name not in blocks:
            return np.full(len(index), -1, dtype=np.int64)
        if (of_rows, name) not in self._known:
            start = blocks[name].start
            self._known[of_rows, name] = {key: start + i for i, key in enumerate(labels[name])}
        known = self._known[of_rows, name]
        keys = (tuple(i) if len(i) > 1 else i[0] for i in index.tolist())
        return np.array([known.get(key, -1) for key in keys], dtype=np.int64)

    def find_rows(self, name: str, index: Ints) -> Ints:
        """Positions of rows by constraint and index tuples [n, axis]; -1 where there is none."""
        return self._find(True, name, index)

    def find_columns(self, name: str, index: Ints) -> Ints:
        """Positions of columns by variable and index tuples [n, axis]; -1 where none is."""
        return self._find(False, name, index)


@dataclass(frozen=True, eq=False)
class Problem:
    """A plan's problem with the plan's whole numbers."""

    case: Case
    """Case of the plan."""
    inst: Instance
    """Its numbers on their axes."""
    matrix: Matrix
    """Rows and columns, the cuts of the plan among them."""
    lifted: Floats
    """Upper bounds of the columns without those that the rows imply; no optimum changes."""
    labels: Labels
    """Positions of rows and columns by name."""
    whole: Floats
    """The plan's values of the whole-number columns, in the order of the columns."""
    objective_usd: float
    """Cost of the plan."""

    @property
    def integer(self) -> Ints:
        """Positions of the whole-number columns."""
        return np.flatnonzero(self.matrix.integer)


def compiled_again(plan: Plan) -> tuple[Instance, Matrix, Redundancy]:
    """The compiled problem of a plan without its cuts, and how redundancy is held in it.

    Raises PlannerError when the plan was made with equations that are not registered.
    """
    inst = build_instance(plan.case)
    held = plan.summary.get("redundancy", {}).get("mode", "explicit")
    matrix, mode = compiled_problem(inst, mode=held)
    size = plan.summary["size"]
    if (size["rows"], size["columns"]) != matrix.shape:
        raise PlannerError("the plan was made with other equations than those registered")
    return inst, matrix, mode


def problem_of(plan: Plan) -> Problem:
    """Build the problem of a plan again, from its case and its tables.

    Raises PlannerError when the plan was made with equations that are not registered, and
    AuditError when a table cannot be understood.
    """
    inst, matrix, _ = compiled_again(plan)
    if "certificate_cuts" in plan.tables:
        matrix = with_cuts(inst, matrix, plan.tables["certificate_cuts"])
    labels = Labels(matrix)
    whole = _whole(matrix, labels, values_from_tables(inst, plan.tables))
    high = _lifted(matrix, inst, labels)
    return Problem(plan.case, inst, matrix, high, labels, whole, plan.objective_usd)


def _whole(matrix: Matrix, labels: Labels, found: dict[str, Labelled]) -> Floats:
    x = np.zeros(matrix.shape[1])
    for name, given in found.items():
        if name in matrix.columns and len(given.values):
            at = labels.find_columns(name, given.index)
            x[at[at >= 0]] = given.values[at >= 0]
    out: Floats = np.round(x[matrix.integer])
    return out


def _lifted(matrix: Matrix, inst: Instance, labels: Labels) -> Floats:
    upper = matrix.upper.copy()
    for name in IMPLIED:
        if name in matrix.columns:
            upper[matrix.columns[name]] = np.inf
    # Most lots in whole lots repeat the pool's limit, which is what has a price.
    by_supply = np.flatnonzero(lots_by_supply(inst))
    upper[labels.find_columns("lots", by_supply[:, None])] = np.inf
    return upper


@dataclass(frozen=True)
class Priced:
    """A solved linear problem that can be stepped."""

    name: str
    """operating or investment."""
    matrix: Matrix
    """Rows and columns of the linear problem."""
    low: Floats
    """Lower bounds of the columns in this problem."""
    high: Floats
    """Upper bounds of the columns in this problem."""
    session: Session
    """HiGHS with that problem, solved."""
    basis: Basis
    """Its optimal basis, to step from."""
    x: Floats
    """Optimal point [column]."""
    y: Floats
    """Row duals, USD per unit of the row; those that select an infinite side are 0."""
    reduced: Floats
    """Reduced costs c - A'y, USD per unit of the column."""
    value_usd: float
    """Optimal cost, USD."""

    @property
    def patience_s(self) -> float | None:
        """Seconds for a solve far from the solved problem; None (no limit) on a small one."""
        return PATIENCE_S if self.matrix.shape[1] > LARGE_COLUMNS else None

    def _solve_moved(
        self, rows: Ints, by_row: Floats, columns: Ints, by_column: Floats
    ) -> LpResult:
        m, s = self.matrix, self.session
        if len(rows):
            s.set_row_bounds(rows, m.row_lower[rows] + by_row, m.row_upper[rows] + by_row)
        if len(columns):
            high = self.high[columns] + by_column
            s.set_bounds(columns, np.minimum(self.low[columns], high), high)
        s.set_basis(self.basis)
        result = s.solve_lp()
        if len(rows):
            s.set_row_bounds(rows, m.row_lower[rows], m.row_upper[rows])
        if len(columns):
            s.set_bounds(columns, self.low[columns], self.high[columns])
        return result

    def step(self, rows: Ints, by_row: Floats, columns: Ints, by_column: Floats) -> float:
        """Change of cost in USD when sides and upper bounds move; inf when nothing is feasible.

        Raises PlannerError when the solver gives no answer.
        """
        if len(columns) and (self.high[columns] + by_column < 0).any():
            return np.inf
        result = self._solve_moved(rows, by_row, columns, by_column)
        if result.status == "infeasible":
            return np.inf
        if result.status != "optimal":
            raise PlannerError(f"a step of the {self.name} problem ended with {result.status}")
        # Differences first: costs of the whole plan would swallow a small step.
        return float(self.matrix.objective @ (result.x - self.x))

    def restore(self) -> None:
        """Put the session back at the solved problem."""
        self.session.set_basis(self.basis)


def solved(problem: Problem, name: str) -> Priced:
    """Solve the operating or the investment problem of a plan.

    Raises PlannerError when the operating problem does not reproduce the plan's cost.
    """
    m = problem.matrix
    low, high = m.lower.copy(), problem.lifted.copy()
    whole = problem.integer
    session = Session(m)
    if name == "operating":
        low[whole] = high[whole] = problem.whole
        session.set_bounds(whole, problem.whole, problem.whole)
    # First with the implied bounds, which presolve makes good use of, then hot without them.
    session.solve_lp()
    changed = np.flatnonzero(high != m.upper)
    session.set_bounds(changed, low[changed], high[changed])
    session.keep_costs()
    result = session.solve_lp()
    if result.status != "optimal":
        raise PlannerError(f"the {name} problem of the plan ended with {result.status}")
    value = float(m.objective @ result.x) + m.offset
    if name == "operating":
        off = abs(value - problem.objective_usd)
        if off > AGREES * max(1.0, abs(problem.objective_usd)):
            raise PlannerError(
                f"the plan costs {problem.objective_usd:.12g} USD, its whole numbers {value:.12g}"
            )
    y = usable_duals(result.y, m.row_lower, m.row_upper)
    reduced: Floats = m.objective - m.a.T @ y
    return Priced(name, m, low, high, session, session.basis(), result.x, y, reduced, value)
