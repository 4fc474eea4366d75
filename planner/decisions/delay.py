"""What a later start of a subject is worth, quarter by quarter.

Later starts only close columns. So what is proven of one start holds for every later one, and a
plan that uses none of the closed columns is a plan of the later start at the same cost: many
starts need no solve of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from planner.decisions.market import Market, Probe
from planner.decisions.problem import Evidence, closed, taken
from planner.errors import InterruptedSolveError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Start:
    """The subject, ready for service from the first day of a period on."""

    ready: date
    """First day on which its offers can start."""
    period: str
    """That period."""
    quarters_late: float
    """Quarters after the first start that the case has."""
    with_low_usd: float
    with_high_usd: float
    """Cost with the subject taken, proven least and of a plan; inf = there is no plan."""
    value_low_usd: float
    value_high_usd: float
    """Cost without it less that."""
    later_low_usd: float
    later_high_usd: float
    """What the delay from the start before costs; 0 for the first."""

    @property
    def pays(self) -> str:
        """`yes` and `no` are proven; `open` is what the gaps leave open."""
        if self.value_low_usd > 0:
            return "yes"
        return "no" if self.value_high_usd < 0 else "open"


def not_looked_at(market: Market, starts: Sequence[Start]) -> int:
    """Later starts that the time limit or Ctrl-C left out."""
    if not starts or starts[-1].pays == "no":
        return 0
    return len(market.case.calendar) - market.columns.first - len(starts)


def delays(market: Market, first: Probe) -> tuple[Start, ...]:
    """Every start from the case's own to the first that is proven not to pay.

    `first` is the probe at the asked price. Without a start that is proven not to pay, to the end
    of the horizon, or as far as the time limit or Ctrl-C let it (`Solver.interrupted`).
    """
    calendar = market.case.calendar
    begin = market.columns.first
    found = first.evidence
    assert found is not None
    lows, highs = [first.with_low], [first.with_high]
    for period in range(begin + 1, len(calendar)):
        if first.without_high < lows[-1] or market.solver.out_of_time():
            break
        try:
            found = _later(market, period, found)
        except InterruptedSolveError:
            break
        lows.append(max(lows[-1], found.bound_usd))
        highs.append(found.objective_usd)
    # A plan for a later start is one for every earlier start.
    ends = np.minimum.accumulate(np.array(highs)[::-1])[::-1].tolist()
    out = []
    for k, (low, high) in enumerate(zip(lows, ends, strict=True)):
        later = (max(0.0, low - ends[k - 1]), max(high - lows[k - 1], 0.0)) if k else (0.0, 0.0)
        out.append(
            Start(
                ready=calendar.starts[begin + k],
                period=calendar.labels[begin + k],
                quarters_late=k * calendar.months / 3,
                with_low_usd=low,
                with_high_usd=high,
                value_low_usd=first.without_low - high,
                value_high_usd=first.without_high - low,
                later_low_usd=later[0],
                later_high_usd=later[1],
            )
        )
    return tuple(out)


def _later(market: Market, period: int, before: Evidence) -> Evidence:
    """With the subject taken and nothing of it before a period."""
    problem, matrix = market.at(1.0)
    shut = market.columns.before(period)
    late = closed(taken(matrix), shut)
    if not len(before.x):
        # No plan before, none later; or no time.
        return before
    if (before.x[shut] == 0).all():
        return before
    whole = before.x.copy()
    whole[shut] = 0.0
    guess = whole[matrix.integer]
    name = market.case.calendar.labels[period]
    what = f"{market.subject} from {name} on"
    return market.solver.solve(problem, late, what, guess, [before])
