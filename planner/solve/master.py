"""The problem without its flows, held in HiGHS with those of its rows that have mattered so far.

Of the cuts that say what flows cost (`planner.solve.flows`) most are never binding, and they are
dense; a relaxation that holds some dozens of them, and takes in what a point breaks, is solved in
a quarter of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix, RowBatch
from planner.solve.codes import BASIC, LOWER
from planner.solve.flows import JOINED, ROWS, WithoutFlows
from planner.solve.lp import Basis, Mark
from planner.solve.session import Session
from planner.solve.watch import Stop

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
HELD_DUALS = 2
"""Duals, of the last ones, whose cuts are held from the beginning."""
BROKEN = 1e-2
"""Break of a row, in its unit (million USD, chips), up to which it counts as kept."""
KEPT = 1e-6
"""The same of a row over what is bought and placed alone."""
MOST_ROWS = 40
"""Rows that join at a time, at most."""


@dataclass(frozen=True, eq=False)
class Relaxed:
    """A relaxation of the problem without flows."""

    cost_usd: float
    """Its cost; inf where nothing is feasible, nan where it was not solved."""
    x: Floats
    """Its point [column of the smaller problem]; empty where there is none."""
    y: Floats
    """Row duals [row of the smaller problem], or a ray where nothing is feasible."""
    mark: Mark
    """Where it ended; where known duals prove its cost, where the one before it did."""
    done: bool = True
    """Whether it was solved to its end; else it costs about this at least."""

    def is_dear(self, most_usd: float) -> bool:
        """Whether it was ended because it costs more than this, which its duals prove."""
        return not self.done and len(self.y) > 0 and self.cost_usd > most_usd


def _without_end(y: Floats) -> bytes:
    """Row duals as something to be told apart by: rows that joined later, at price 0, are none."""
    return np.trim_zeros(y, "b").tobytes()


class Master:
    """What is bought and placed, with what flows cost as far as row duals know."""

    def __init__(
        self, matrix: Matrix, duals: Iterable[Floats], threads: int, stop: Stop | None = None
    ) -> None:
        """Make the smaller problem of a whole one from row duals of its relaxations."""
        self.duals = list(duals)
        self.split = WithoutFlows.of(matrix)
        self.problem = self.split.problem(self.duals)
        self.known = matrix.shape[0]
        """Rows of the whole problem that are known here."""
        self.whole = np.flatnonzero(matrix.integer)
        """Whole-number columns of the whole problem."""
        self.at = np.searchsorted(self.split.kept, self.whole)
        """The same in the smaller one."""
        self.iterations = 0
        m = self.problem
        held = np.zeros(m.shape[0], dtype=bool)
        held[m.rows["rest"]] = True
        last = len(self.duals) - HELD_DUALS
        held[m.rows[ROWS]] = [k >= last for k, _ in m.row_index[ROWS]]
        self._held = np.flatnonzero(held)
        self._row = sp.csr_array(m.a)
        self._wait(np.flatnonzero(~held))
        self._cost = m.objective
        self.session = Session(self._with(self._held), threads, stop, hot=True)
        self._narrow()
        self.session.keep_costs()

    def _narrow(self) -> None:
        """Hold only the rows and columns that matter at the relaxation."""
        result = self.session.solve_lp()
        while result.status == "optimal" and self._take_in(result.x):
            result = self.session.solve_lp()
        if result.status != "optimal":
            return
        m, whole = self.problem, self.session
        basis = whole.basis()
        stays = (basis.rows != BASIC) | (m.row_lower == m.row_upper)[self._held]
        waits = np.sort(np.concatenate([self._waiting, self._held[~stays]]))
        self._held = self._held[stays]
        self._wait(waits)
        active = m.integer | (m.lower != 0.0) | (basis.columns != LOWER) | (result.x != 0.0)
        held = self._with(self._held)
        self.session = Session(held, whole.threads, whole.stop, active, priced=True, hot=True)
        self.session.set_basis(Basis(basis.columns, basis.rows[stays]))

    def _wait(self, rows: Ints) -> None:
        """Rows that are not held."""
        self._waiting = rows
        rest = self.problem.rows["rest"]
        self._most_off = np.where(rows < rest.stop, KEPT, BROKEN)
        self._waiting_a = self._row[rows]

    def _with(self, rows: Ints) -> Matrix:
        """The smaller problem with some of its rows."""
        m = self.problem
        return replace(
            m,
            a=sp.csc_array(self._row[rows]),
            row_lower=m.row_lower[rows],
            row_upper=m.row_upper[rows],
            rows={},
            row_index={},
        )

    def catch_up(self, matrix: Matrix, duals: Iterable[Floats]) -> None:
        """Take in the rows that have joined the whole problem since, and duals not known yet."""
        first = self.known
        if matrix.shape[0] > first:
            a = sp.csr_array(sp.csr_array(matrix.a)[first:])
            index = tuple((i,) for i in range(first, matrix.shape[0]))
            sides = matrix.row_lower[first:], matrix.row_upper[first:]
            self.known = matrix.shape[0]
            rows = self._join(self.split.joined(RowBatch(JOINED, index, a, *sides)))
            self._hold(rows)
        known = {_without_end(y) for y in self.duals}
        more = [y for y in duals if _without_end(y) not in known]
        if more:
            rows = self._join(self.split.flow_cuts(more, len(self.duals)))
            self.duals += more
            self._wait(np.concatenate([self._waiting, rows]))

    def broken(self, points: Sequence[Floats], first: int) -> list[bool]:
        """Whether each point breaks one of the rows from `first` on."""
        m, rows = self.problem, np.arange(first, self.problem.shape[0])
        if not len(rows) or not points:
            return [False] * len(points)
        activity = self._row[rows] @ np.stack(points, axis=1)
        off = np.maximum(m.row_lower[rows, None] - activity, activity - m.row_upper[rows, None])
        return [bool((each > BROKEN).any()) for each in off.T]

    def _join(self, batch: RowBatch) -> Ints:
        """Let rows join the problem under a name of their own; where they stand."""
        before = self.problem.shape[0]
        named = replace(batch, name=f"{batch.name} {before}")
        self.problem = self.problem.with_rows(named)
        self._row = sp.csr_array(sp.vstack([self._row, batch.a]))
        return np.arange(before, self.problem.shape[0])

    def _hold(self, rows: Ints) -> None:
        """Let the session hold rows of the problem."""
        m = self.problem
        index = tuple((int(i),) for i in rows)
        self.session.add_rows(
            RowBatch("held", index, self._row[rows], m.row_lower[rows], m.row_upper[rows])
        )
        self._held = np.concatenate([self._held, rows])

    def solve(
        self,
        low: Floats,
        high: Floats,
        mark: Mark | None = None,
        most: int | None = None,
        most_usd: float = np.inf,
    ) -> Relaxed:
        """The relaxation within bounds of the whole numbers, from a mark or where the last ended.

        After `most` iterations, or where it costs more than `most_usd`, it is left unfinished: no
        point, and about what it costs at least. In the second case its duals prove that.
        """
        self.session.set_bounds(self.at, low, high)
        if mark is not None:
            self.session.back(mark)
        self.session.limit_iterations(most)
        self.session.limit_cost(most_usd)
        while True:
            result = self.session.solve_lp()
            self.iterations += result.iterations
            if result.status != "optimal" or most is not None or not self._take_in(result.x):
                break
        self.session.limit_iterations(None)
        self.session.limit_cost(np.inf)
        if result.status == "limit" and most is not None and not self.session.stop.is_set():
            least = self.session.dual_cost()
            return Relaxed(least, result.x, np.zeros(0), self.session.mark(), done=False)
        y = np.zeros(self.problem.shape[0])
        if len(result.y):
            y[self._held] = result.y
        # Not a dot product: BLAS wakes its threads for vectors of this length.
        cost = {
            "optimal": lambda: float(np.sum(self._cost * result.x)) + self.problem.offset,
            "infeasible": lambda: np.inf,
            "dear": self.session.dual_cost,
        }.get(result.status, lambda: np.nan)()
        return Relaxed(cost, result.x, y, self.session.mark(), result.status != "dear")

    def used(self) -> npt.NDArray[np.bool_]:
        """Columns that are basic where the last relaxation ended [column]."""
        out: npt.NDArray[np.bool_] = self.session.basis().columns == BASIC
        return out

    def _take_in(self, x: Floats) -> bool:
        """Hold the rows that a point breaks most, and say whether there are any."""
        m, rows = self.problem, self._waiting
        activity = self._waiting_a @ x
        off = np.maximum(m.row_lower[rows] - activity, activity - m.row_upper[rows])
        broken = np.flatnonzero(off > self._most_off)
        if not len(broken):
            return False
        worst = broken[np.argsort(-off[broken], kind="stable")][:MOST_ROWS]
        taken = np.sort(rows[worst])
        self._wait(np.setdiff1d(rows, taken))
        self._hold(taken)
        return True

    def whole_duals(self, y: Floats) -> Floats:
        """Row duals, or a ray, of the whole problem that prove what those of this one prove."""
        return self.split.whole_duals(self.problem, self.duals, y, self.known)
