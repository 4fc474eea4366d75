"""Plans of almost least cost that differ as much as they can in their mix of clouds or chips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from planner.alternatives.common import in_common
from planner.alternatives.mix import By, apart, mix_of
from planner.alternatives.plans import as_plan
from planner.alternatives.search import Finder, Found
from planner.audit.folder import audit_plan
from planner.audit.report import Report
from planner.case import Case
from planner.errors import Fault, InputError, UnprovenError
from planner.instance import Instance
from planner.matrix import Matrix
from planner.plan import Plan
from planner.prices.lp import compiled_again
from planner.redundancy.mode import Redundancy
from planner.redundancy.problem import cuts_from
from planner.redundancy.rounds import Rounds
from planner.solve.branch import EXACT
from planner.solve.options import Event, Progress, SolveOptions, relative_gap
from planner.solve.run import interruptible
from planner.solving import solve

INSIDE = 1e-6
"""Share of the slack that is not used, so that no solver's tolerance leads out of it."""


@dataclass(frozen=True, eq=False)
class Alternatives:
    """The least-cost plan and others within the slack of its bound."""

    plans: tuple[Plan, ...]
    """The least-cost plan first, then the others as they were found."""
    reports: tuple[Report, ...]
    """Audit of each plan."""
    members: tuple[str, ...]
    """Clouds or chips."""
    mix_mw: np.ndarray[Any, np.dtype[np.float64]]
    """Mean MW under contract [plan, member]."""
    apart: np.ndarray[Any, np.dtype[np.float64]]
    """Distance between plans, share of the least-cost plan's capacity [plan, plan]."""
    at_most: tuple[float, ...]
    """What the distance to the nearest earlier plan could not exceed (NaN for the first), share
    of the least-cost plan's capacity."""
    slack: float
    """Cost above the bound that was allowed, relative."""
    by: By
    """What the mix counts."""
    stopped: bool = False
    """Whether the time limit or Ctrl-C came before the last plan asked for."""
    open: float = 0.0
    """How far one more plan could still be from the nearest, share of the least-cost plan's
    capacity, where none was found and none is excluded; else 0."""

    @property
    def bound_usd(self) -> float:
        """Proven lower bound on the cost of any plan of the case."""
        return self.plans[0].bound_usd

    @property
    def names(self) -> tuple[str, ...]:
        """alt-1, alt-2, ..."""
        return tuple(f"alt-{i}" for i in range(1, len(self.plans) + 1))

    def table(self) -> pd.DataFrame:
        """A row a plan, with its cost, its mix and its distances.

        Columns plan, cost_usd, bound_usd, above_bound, audited (only_waived: it fails the promises
        that it was told to waive, and nothing else), nearest_earlier (distance), could_not_exceed,
        mean_mw, share_<member>, apart_from_<plan>.
        """
        rows: list[dict[str, Any]] = []
        for i, plan in enumerate(self.plans):
            mine = self.mix_mw[i]
            rows.append(
                {
                    "plan": self.names[i],
                    "cost_usd": plan.objective_usd,
                    "bound_usd": self.bound_usd,
                    "above_bound": plan.objective_usd / self.bound_usd - 1.0,
                    "audited": audited(self.reports[i], plan),
                    "nearest_earlier": float(self.apart[i, :i].min()) if i else np.nan,
                    "could_not_exceed": self.at_most[i],
                    "mean_mw": float(mine.sum()),
                    **{
                        f"share_{name}": float(mw / mine.sum())
                        for name, mw in zip(self.members, mine, strict=True)
                    },
                    **{
                        f"apart_from_{name}": float(self.apart[i, j])
                        for j, name in enumerate(self.names)
                    },
                }
            )
        return pd.DataFrame(rows)

    def common(self) -> pd.DataFrame:
        """Decisions that every plan makes; see `planner.alternatives.common`."""
        return in_common(self.plans)


def audited(report: Report, plan: Plan) -> str:
    """passed, only_waived (promises that the plan was told to waive are not kept) or failed."""
    if report.passed:
        return "passed"
    waived = plan.summary.get("redundancy", {}).get("mode") == "waived"
    only = all(f.check == "contingencies" and "promise" in str(f.expected) for f in report.findings)
    return "only_waived" if waived and only else "failed"


def alternatives(
    case: Case | Plan,
    *,
    slack: float = 0.01,
    count: int = 5,
    by: By = "cloud",
    gap: float | None = None,
    time_limit_s: float | None = None,
    threads: int = 1,
    progress: Progress | None = None,
    redundancy: Redundancy = "auto",
) -> Alternatives:
    """The least-cost plan of a case and up to `count` - 1 others within (1 + slack) of its bound.

    Each is as far as it can be from the nearest of those before.

    A plan in place of the case is taken as the least-cost plan, with its proof. Distances are
    those of `planner.alternatives.mix`. Fewer plans come back when nothing within the budget
    differs any more, when none was found although one could be there (`open`), or when a limit or
    Ctrl-C comes first (`stopped`). `gap` is that of the
    least-cost plan, half of the slack unless given; it, `threads` and `redundancy` are those of
    `planner.solve`. The time limit is that of the first solve, and again of the alternatives
    together. Every plan is audited.

    Raises InputError for a slack, count or `by` that mean nothing, for a first plan above the
    budget or without contracts, and what `planner.solve` raises.
    """
    _refuse(slack, count, by)
    gap = slack / 2.0 if gap is None else gap
    options = SolveOptions(min(gap, 1.0), time_limit_s, threads)
    if isinstance(case, Plan):
        base = case
    else:
        base = solve(case, gap=options.gap, time_limit_s=time_limit_s, threads=threads,
                     progress=progress, redundancy=redundancy)  # fmt: skip
    budget = base.bound_usd + slack * (1.0 - INSIDE) * abs(base.bound_usd)
    least = base.objective_usd + EXACT * abs(base.objective_usd)
    if relative_gap(base.objective_usd, base.bound_usd) <= EXACT:
        # Without slack there still are plans of least cost; their rounding is no excess.
        budget = max(budget, least)
    if base.objective_usd > budget:
        rule = (
            f"the least-cost plan is {base.objective_usd / base.bound_usd - 1.0:.3%} above its "
            "bound already: --slack must be more than that, or the plan be solved to a smaller gap"
        )
        raise InputError([Fault("--slack", rule)])
    inst, matrix, mode = compiled_again(base)
    rounds = None if mode == "explicit" else Rounds.of(inst, matrix)
    mix = mix_of(inst, by)
    tell = progress or _silent
    first = mix.of_plan(base)
    if not first.sum() > 0:
        rule = "the least-cost plan has nothing under contract: distances are shares of that"
        raise InputError([Fault("alternatives", rule)])
    finder = Finder(
        matrix, mix, budget, budget - base.bound_usd, float(first.sum()), count, options, tell,
        _again(base, inst) if mode == "rounds" else None,
    )  # fmt: skip
    plans, mixes, at_most = [base], [first], [np.nan]
    whole = float(mixes[0].sum())
    stopped = False
    while len(plans) < count and not stopped:
        try:
            with interruptible(finder.stop):
                found = finder.next(np.array(mixes))
        except UnprovenError:
            # What was found before the limit (or Ctrl-C) is worth having.
            stopped = True
            continue
        if found is None:
            break
        about = _about(found, base, slack, by, whole, mixes)
        plans.append(as_plan(base, inst, matrix, mode, rounds, found, slack, about))
        mixes.append(mix.of_plan(plans[-1]))
        at_most.append(found.at_most_mw / whole)
    return Alternatives(
        plans=tuple(plans),
        reports=tuple(audit_plan(plan) for plan in plans),
        members=mix.members,
        mix_mw=np.array(mixes),
        apart=np.array([[apart(a, b, whole) for b in mixes] for a in mixes]),
        at_most=tuple(at_most),
        slack=slack,
        by=by,
        stopped=stopped,
        open=finder.open_mw / whole,
    )


def _silent(_event: Event) -> None:
    """Tell nobody."""


def _refuse(slack: float, count: int, by: str) -> None:
    faults = []
    if not 0.0 <= slack <= 10.0:
        faults.append(Fault("--slack", f"{slack} is not between 0 and 10 (1000 %)"))
    if count < 1:
        faults.append(Fault("--count", f"{count} is below 1"))
    if by not in ("cloud", "chip"):
        faults.append(Fault("--by", f"'{by}' is not one of cloud, chip"))
    if faults:
        raise InputError(faults)


def _again(base: Plan, inst: Instance) -> Callable[[Matrix], Rounds]:
    """Rounds over a wider problem that know the cuts of a plan."""

    def rounds(matrix: Matrix) -> Rounds:
        out = Rounds.of(inst, matrix)
        out.cuts += cuts_from(out, inst, base.tables["certificate_cuts"])
        return out

    return rounds


def _about(
    found: Found, base: Plan, slack: float, by: By, whole: float, mixes: list[Any]
) -> dict[str, Any]:
    """What the summary of an alternative says about it."""
    near = min(apart(found.mix_mw, mix, whole) for mix in mixes)
    return {
        "of_objective_usd": base.objective_usd,
        "slack": slack,
        "by": by,
        "nearest_earlier": near,
        "could_not_exceed": found.at_most_mw / whole,
        "directions_tried": found.tried,
    }
