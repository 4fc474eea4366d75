"""Why a case has no plan: which limits conflict, by how much, and the cheapest way to relax them.

The elastic problem (`elastic`) moves limits at a price that does not depend on units (`knobs`);
its least price is 0 exactly when the case has a plan, and its proven bound above 0 proves that
there is none. The point of least price names the limits to change; the changed case is solved
again from its tables. Then the irreducible set of rows (`conflict`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from planner.case import Case
from planner.equations import Equation
from planner.errors import InfeasibleError, UnprovenError
from planner.explain.conflict import RowSet, linear_conflict, whole_conflict
from planner.explain.conflict_words import source, where
from planner.explain.elastic import NOTHING, WHOLE, build_elastic
from planner.explain.relax import SMALL_COLUMNS, changes_at, relaxation_at, verify, worst_row
from planner.explain.report import (
    Conflict,
    ConflictRow,
    InfeasibilityReport,
    Relaxation,
    Status,
)
from planner.explain.shortage import shortages_of
from planner.matrix import Matrix
from planner.redundancy.mode import redundancy_mode
from planner.solve.certificate import proven_bound
from planner.solve.lp import LpResult
from planner.solve.options import SolveOptions
from planner.solve.run import solve_matrix
from planner.solve.session import Session

Floats = npt.NDArray[np.float64]
PROVEN = 1e-8
"""A proven price above this says infeasible: what double precision can tell."""
VERIFY_SHARE = 0.5
"""Share of the time limit that the verification of the cheapest relaxation may take."""
ALONE_SHARE = 0.05
"""The same for what a rule takes alone."""
SHARE_ROUNDS = 3
"""Rounds in which the whole of a share's measure is taken from the last point."""


def explain_case(
    case: Case, *, time_limit_s: float = 120.0, equations: Iterable[Equation] = ()
) -> InfeasibilityReport:
    """Say whether a case has a plan, and if not, why and how to get one.

    Feasible cases get what their plan is short of and the limits to lift. The time limit (wall
    seconds) is for everything; what was left out for it is in `notes`. `equations` are added to
    the registered ones, as in `planner.solve`. Raises InputError.
    """
    run = _Run(case, tuple(equations), time_limit_s)
    return run.report()


LOSSES_LEFT_OUT = (
    "losses are left out: on a case of this size they are held by rounds of cuts, which this"
    " search does not make; a conflict that only a loss makes is not found, and a repair is"
    " verified without them"
)


@dataclass(frozen=True)
class _Found:
    """The elastic problem solved with whole numbers, or as far as time went."""

    x: Floats
    at_least: float
    """Proven price."""


class _Run:
    """One explanation: its clock, its elastic problem, its notes."""

    def __init__(self, case: Case, equations: tuple[Equation, ...], time_limit_s: float) -> None:
        self.case, self.equations = case, equations
        self.started = self.last = time.perf_counter()
        self.limit = time_limit_s
        self.seconds: dict[str, float] = {}
        self.notes: list[str] = []
        self.elastic = build_elastic(case, equations)
        if redundancy_mode(self.elastic.inst) == "rounds":
            self.notes.append(LOSSES_LEFT_OUT)
        self.small = self.elastic.base.shape[1] <= SMALL_COLUMNS
        self.mark("build")

    def mark(self, phase: str) -> None:
        """Add the time since the last mark to a phase."""
        now = time.perf_counter()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self.last
        self.last = now

    def until(self, share: float) -> float:
        """The time at which a share of the limit is used up."""
        return self.started + share * self.limit

    def left(self, share: float) -> float:
        """Seconds until a share of the limit is used up, at least a little."""
        return max(self.until(share) - time.perf_counter(), 0.05)

    # -- the elastic problem ---------------------------------------------------------------

    def linear(self) -> tuple[LpResult, Matrix]:
        """The elastic relaxation; the whole of each share that moves is that of the point."""
        for _ in range(SHARE_ROUNDS if self.small else 2):
            matrix = self.elastic.matrix()
            result = Session(matrix).solve_lp(self.left(0.5))
            if result.status != "optimal":
                break
            moved = changes_at(self.elastic, result.x)
            rows = {row for i in moved for row in self.elastic.rows_of(i)}
            if not rows & set(self.elastic.shares):
                break
            totals = self.elastic.totals(result.x)
            self.elastic = self.elastic.scaled({r: v for r, v in totals.items() if r in rows})
        self.mark("elastic relaxation")
        return result, matrix

    def whole(self, free: set[int] | None = None, share: float = 0.5) -> _Found | None:
        """The elastic problem with whole numbers; None when the free knobs are not enough.

        Raises UnprovenError when time ran out before any point.
        """
        gap = 1e-4 if self.small else 0.02
        try:
            solution = solve_matrix(self.elastic.matrix(free), SolveOptions(gap, self.left(share)))
        except InfeasibleError:
            return None
        return _Found(solution.x, solution.bound_usd / WHOLE - NOTHING)

    # -- the report -------------------------------------------------------------------------

    def report(self) -> InfeasibilityReport:
        """Everything in turn."""
        relaxed, matrix = self.linear()
        if relaxed.status != "optimal":
            if proven_bound(matrix, relaxed.y, True, (matrix.lower, matrix.upper)) == np.inf:
                self.notes.append("even with every limit relaxed there is no plan")
                return self._end("infeasible")
            said = "gave no proof" if relaxed.status == "infeasible" else "ran out of time"
            self.notes.append(f"the relaxation {said}")
            return self._end("unproven")
        bounds = (matrix.lower, matrix.upper)
        at_least = proven_bound(matrix, relaxed.y, False, bounds) / WHOLE - NOTHING
        if at_least > PROVEN:
            last = [worst_row(self.elastic, relaxed.x, i)[0] for i in self._moved(relaxed.x)]
            rows = linear_conflict(self.elastic.base, relaxed.y, last, self.until(0.8))
            self.mark("irreducible set")
            # After the rows, which take little: this may use up the time.
            cheapest = self._repaired(relaxed.x, at_least)
            return self._infeasible(cheapest, at_least, rows, self._moved(relaxed.x), whole=False)
        return self._in_whole_numbers()

    def _moved(self, x: Floats) -> list[int]:
        return list(changes_at(self.elastic, x))

    def _repaired(self, x: Floats, at_least: float) -> Relaxation:
        """The relaxation of a point that fractions may have, or of the best whole one.

        The first has the least price of all unless rounding made it dearer, so it is the cheapest
        as soon as its case is shown to have a plan.
        """
        fractions = self._verified(relaxation_at(self.elastic, x))
        dear = fractions.price > 1.01 * at_least and self.small
        if fractions.verified is not False and not dear:
            return fractions
        found = self._whole_in_time()
        if found is None:
            return fractions
        better = self._verified(relaxation_at(self.elastic, found.x))
        return (
            better if fractions.verified is False or better.price < fractions.price else fractions
        )

    def _verified(self, relaxation: Relaxation, share: float = VERIFY_SHARE) -> Relaxation:
        """The relaxation with its case solved again, within a share of the time limit."""
        until = min(self.until(0.9), time.perf_counter() + share * self.limit)
        out = verify(self.elastic, relaxation, until, self.equations)
        self.mark("verification")
        return out

    def _in_whole_numbers(self) -> InfeasibilityReport:
        """Fractions satisfy every limit: a plan, or a conflict of whole numbers.

        A small case is asked what it takes first, for the elastic problem is solved sooner than
        a case that has hardly a plan or none; a large one for a plan.
        """
        whole = self._whole_in_time() if self.small else None
        proven = whole is not None and whole.at_least > PROVEN
        if not proven:
            try:
                found = shortages_of(self.elastic, self.equations, self.left(0.9))
            except InfeasibleError:
                proven = True
            self.mark("plan and shortages")
            if not proven:
                self.notes.extend(found.notes)
                return replace(
                    self._end("unproven" if found.plan_usd is None else "feasible"),
                    shortages=found.shortages,
                    lifts=found.lifts,
                    plan_usd=found.plan_usd,
                )
        whole = whole or self._whole_in_time()
        if whole is None:
            return self._end("infeasible")
        cheapest = self._verified(relaxation_at(self.elastic, whole.x))
        moved = self._moved(whole.x)
        rows: RowSet | None = None
        if self.small:
            last = [worst_row(self.elastic, whole.x, i)[0] for i in moved]
            rows = whole_conflict(self.elastic.base, last, self.until(0.85))
        else:
            self.notes.append("no set of rows: the case is too large to test it in whole numbers")
        self.mark("irreducible set")
        return self._infeasible(cheapest, max(whole.at_least, 0.0), rows, moved, whole=True)

    def _whole_in_time(self) -> _Found | None:
        """The elastic problem with whole numbers; None when time ran out, which is noted."""
        try:
            found = self.whole()
        except UnprovenError:
            self.notes.append("no relaxation with whole numbers was found in time")
            found = None
        self.mark("elastic whole numbers")
        return found

    def _infeasible(
        self,
        cheapest: Relaxation,
        at_least: float,
        rows: RowSet | None,
        moved: list[int],
        *,
        whole: bool,
    ) -> InfeasibilityReport:
        inside = [i for row in rows.rows for i in self.elastic.knobs_in(row)] if rows else []
        candidates = list(dict.fromkeys([*moved, *inside]))
        alone = self._alone(candidates, cheapest, whole)
        self.mark("alone")
        if alone and alone[0].verified and alone[0].price < cheapest.price:
            cheapest = alone[0]
        names = [change.rule for change in cheapest.changes]
        names += [self.elastic.knobs[i].name for i in candidates]
        return replace(
            self._end("infeasible"),
            cheapest=cheapest,
            whole=whole,
            price_at_least=at_least,
            rules=tuple(dict.fromkeys(names)),
            alone=alone,
            conflict=self._conflict(rows, whole),
        )

    def _alone(
        self, candidates: list[int], cheapest: Relaxation, whole: bool
    ) -> tuple[Relaxation, ...]:
        """What each rule in conflict takes when nothing else moves, cheapest first."""
        matrix = self.elastic.matrix()
        session = Session(matrix)
        n, k = self.elastic.base.shape[1], len(self.elastic.knobs)
        columns = np.arange(n, n + k)
        out = []
        for i in candidates:
            name = self.elastic.knobs[i].name
            if [change.rule for change in cheapest.changes] == [name]:
                out.append(cheapest)
                continue
            if time.perf_counter() > self.until(0.9):
                self.notes.append(f"not tried alone for time: {name}")
                continue
            only = np.where(columns == n + i, matrix.upper[columns], 0.0)
            session.set_bounds(columns, np.zeros(k), only)
            result = session.solve_lp(self.left(0.9))
            if result.status == "infeasible":
                continue
            relaxation = relaxation_at(self.elastic, result.x) if len(result.x) else None
            if relaxation is not None and self.small and not whole:
                relaxation = self._verified(relaxation, ALONE_SHARE)
            if relaxation is None or whole or relaxation.verified is False:
                relaxation = self._alone_whole(i)
            if relaxation is not None:
                out.append(relaxation)
        return tuple(sorted(out, key=lambda relaxation: relaxation.price))

    def _alone_whole(self, knob: int) -> Relaxation | None:
        """What a rule takes alone in whole numbers; None when it cannot, or for time."""
        try:
            found = self.whole({knob}, share=0.9)
        except UnprovenError:
            self.notes.append(f"no answer in time: {self.elastic.knobs[knob].name} alone")
            return None
        if found is None:
            return None
        return self._verified(relaxation_at(self.elastic, found.x), ALONE_SHARE)

    def _conflict(self, found: RowSet | None, whole: bool) -> Conflict | None:
        if found is None:
            return None
        base = self.elastic.base
        rows = []
        for row in found.rows:
            constraint, index = self.elastic.label(row)
            file, says = source(constraint)
            sides = (base.row_lower[row], base.row_upper[row])
            lower, upper = (float(v) if np.isfinite(v) else None for v in sides)
            at = index if isinstance(index, tuple) else (index,)
            rules = tuple(self.elastic.knobs[i].name for i in self.elastic.knobs_in(row))
            rows.append(
                ConflictRow(
                    constraint, ";".join(map(str, at)), file, says,
                    where(self.elastic.raised, constraint, index), lower, upper, rules,
                )
            )  # fmt: skip
        return Conflict(tuple(rows), whole, found.irreducible, found.proven)

    def _end(self, status: Status) -> InfeasibilityReport:
        return InfeasibilityReport(
            case=self.case.settings.name,
            status=status,
            whole=False,
            price_at_least=0.0,
            rules=(),
            cheapest=None,
            alone=(),
            conflict=None,
            seconds={**self.seconds, "total": time.perf_counter() - self.started},
            notes=tuple(self.notes),
        )
