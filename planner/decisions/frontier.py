"""Cost against a limit: one plan and one bound for each of its values.

From the loosest value to the tightest. What is proven at a looser value holds at a tighter one, and
a plan at a tighter value is one at every looser one: both are carried along, so that cost and bound
never fall as the limit tightens. Where the looser plan, routed anew, still fits, its bound and its
cost stand, and nothing is searched.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.case import Case
from planner.decisions.limits_moved import MovedLimit, moved_limit
from planner.decisions.problem import NO_PLAN, Compiled, Evidence, Solver, Tell, silent
from planner.errors import Fault, InputError, UnprovenError
from planner.matrix import Matrix
from planner.redundancy.mode import Redundancy
from planner.solve.options import relative_gap
from planner.solve.run import interruptible

Floats = npt.NDArray[np.float64]
GAP = 1e-2
"""Gap of each point unless asked otherwise."""
MOST_POINTS = 200
COLUMNS = ("limit", "status", "cost_usd", "bound_usd", "gap", "plan_found_at", "bound_found_at",
           "seconds")  # fmt: skip
"""Columns of the table of points."""
WORDS = {
    "proven": "a plan within the gap",
    "limit": "a plan, not within the gap: stopped early",
    "infeasible": "proven: no plan",
    "unproven": "no plan found, and none excluded: stopped early",
}
"""Status of a point -> what it says."""


@dataclass(frozen=True, eq=False)
class Frontier:
    """What a case costs along a range of a limit."""

    limit: MovedLimit
    """The limit that moves."""
    points: pd.DataFrame
    """COLUMNS, one row a value in the order asked; cost and bound are NaN where there is none,
    `plan_found_at` and `bound_found_at` are the values of the limit at which plan and bound were
    found."""
    gap: float
    """Gap asked of each point."""
    solves: int
    """Searches that were run."""
    seconds: float
    """Wall time."""

    @property
    def status(self) -> str:
        """`proven` when every point is within the gap or proven to have no plan, else `limit`."""
        return "proven" if self.points.status.isin(("proven", "infeasible")).all() else "limit"

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON has it."""
        rows = [
            {
                key: None if isinstance(value, float) and not np.isfinite(value) else value
                for key, value in row.items()
            }
            for row in self.points.to_dict("records")
        ]
        return {
            "limit": self.limit.name,
            "unit": self.limit.unit,
            "status": self.status,
            "gap": self.gap,
            "points": rows,
            "solves": self.solves,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, eq=False)
class _Point:
    """One value and what is known of it."""

    value: float
    cost: float
    bound: float
    """inf: proven that there is no plan."""
    plan_at: float
    bound_at: float
    seconds: float


def frontier(
    case: Case,
    limit: str,
    *,
    start: float,
    stop: float,
    points: int = 7,
    gap: float = GAP,
    time_limit_s: float | None = None,
    threads: int = 1,
    redundancy: Redundancy = "auto",
    tell: Tell = silent,
) -> Frontier:
    """Cost of a case at `points` values of a limit from `start` to `stop`, both included.

    Ctrl-C ends it: points that were not solved have no plan, and the bound of looser ones.

    `limit` is `limits.NAME` (the bound of a share, power, budget or placement rule),
    `survival.CLASS` or `survival.*` (the share of demand that survives a contingency), or
    `case.qualification_engineers`. `gap` is that of each point, `time_limit_s` for all of them
    together. Raises InputError for a limit that the case does not have and values that it cannot
    take.
    """
    moved = moved_limit(case, limit)
    if not 2 <= points <= MOST_POINTS:
        raise InputError([Fault("--points", f"{points} is not between 2 and {MOST_POINTS}")])
    if not (np.isfinite(start) and np.isfinite(stop)) or start == stop:
        raise InputError([Fault("--from/--to", f"{start:g} to {stop:g} is no range")])
    asked = np.linspace(start, stop, points).tolist()
    cases = {value: moved.at(case, value) for value in asked}
    solver = Solver(gap, time_limit_s, threads, redundancy, tell)
    loosest_first = sorted(asked, reverse=moved.tighter_is_less)
    ended = threading.Event()
    with interruptible(ended):
        known = _solved(solver, moved, cases, loosest_first, ended)
    frame = pd.DataFrame(
        [_row(known[value], solver.margin) for value in asked], columns=list(COLUMNS)
    )
    return Frontier(moved, frame, gap, solver.solves, solver.seconds)


def _solved(
    solver: Solver,
    moved: MovedLimit,
    cases: dict[float, Case],
    values: Sequence[float],
    stop: threading.Event,
) -> dict[float, _Point]:
    """Every point, the loosest value first; those after `stop` have what the others prove."""
    found: list[_Point] = []
    bound, bound_at = -np.inf, values[0]
    last: tuple[Compiled, Evidence] | None = None
    for value in values:
        began = solver.seconds
        here = replace(NO_PLAN, bound_usd=-np.inf)
        if bound == np.inf:
            # Proven to have no plan at a looser value.
            here = NO_PLAN
        elif not stop.is_set() and (not solver.out_of_time() or not found):
            problem = _compiled(solver, cases[value])
            try:
                here = (
                    NO_PLAN
                    if problem is None
                    else _point(solver, moved, problem, value, last, bound)
                )
            except UnprovenError:
                # Ctrl-C, which the search took.
                stop.set()
            if problem is not None and len(here.x):
                last = problem, here
        if here.bound_usd > bound:
            bound, bound_at = here.bound_usd, value
        found.append(
            _Point(value, here.objective_usd, bound, value, bound_at, solver.seconds - began)
        )
    best: _Point | None = None
    for i in range(len(found) - 1, -1, -1):
        if best is not None and best.cost < found[i].cost:
            found[i] = replace(found[i], cost=best.cost, plan_at=best.plan_at)
        if np.isfinite(found[i].cost):
            best = found[i]
    return {point.value: point for point in found}


def _compiled(solver: Solver, case: Case) -> Compiled | None:
    """The problem of a point; None when what is signed already makes the limit impossible."""
    try:
        return solver.compiled(case)
    except InputError:
        return None


def _point(
    solver: Solver,
    moved: MovedLimit,
    problem: Compiled,
    value: float,
    last: tuple[Compiled, Evidence] | None,
    bound: float,
) -> Evidence:
    """Plan and bound at a value, from the plan and the bound of the looser value before it."""
    what = f"{moved.name} at {value:g}"
    if moved.table == "survival":
        # Cuts hold what was promised at the value before.
        solver.forget_cuts()
    if last is None:
        return solver.solve(problem, problem.matrix, what, least_usd=bound)
    before, plan = last
    whole = carried(before.matrix, plan.x, problem.matrix)
    proofs = [plan] if _alike(before.matrix, problem.matrix) else []
    return solver.solve(problem, problem.matrix, what, whole, proofs, bound)


def _alike(one: Matrix, other: Matrix) -> bool:
    """Whether two problems have the same columns and the same rows, whatever is in them."""
    return one.column_index == other.column_index and one.row_index == other.row_index


def carried(source: Matrix, x: Floats, target: Matrix) -> Floats:
    """Whole numbers of a plan in the columns of another problem, by label; 0 where it is new."""
    if source.columns == target.columns and source.column_index == target.column_index:
        same: Floats = x[target.integer]
        return same
    out = np.zeros(target.shape[1])
    for name, place in target.columns.items():
        if name in source.columns:
            known = source.values(x, name)
            out[place] = [known.get(index, 0.0) for index in target.column_index[name]]
    moved: Floats = np.round(out[target.integer])
    return moved


def _row(point: _Point, margin: float) -> tuple[Any, ...]:
    cost = point.cost if np.isfinite(point.cost) else np.nan
    bound = point.bound if np.isfinite(point.bound) else np.nan
    gap = relative_gap(cost, bound)
    if point.bound == np.inf:
        status = "infeasible"
    elif np.isnan(cost):
        status = "unproven"
    else:
        status = "proven" if gap <= margin else "limit"
    plan_at = point.plan_at if np.isfinite(cost) else np.nan
    bound_at = point.bound_at if np.isfinite(point.bound) or status == "infeasible" else np.nan
    return point.value, status, cost, bound, gap, plan_at, bound_at, point.seconds
