"""The break-even price of a subject, as an interval with a proof at both ends.

V, the least cost with the subject taken, is concave in the price as long as the price stands in
costs alone: least over plans, each of them a line. So the line of a plan, its payments for the
subject as slope, lies above V everywhere, and where it meets what the refusal is proven to cost,
the subject still pays: the next price to try, from below. From above, the duals of one price prove
a bound at the next ones, so that most prices there need no solve.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planner.decisions.market import Market, Probe
from planner.decisions.problem import is_large
from planner.readable import money_unit

TOLERANCE = 0.004
"""Relative step of the price below which an end is not moved any further."""
MOST_STEPS = 10
"""Prices tried for each end."""
MOST_FACTOR = 64.0
"""Factor above which no upper end is looked for."""
LEAST_FACTOR = 0.02
"""Factor below which 0 is tried."""
CHORD = 0.85
"""How far along the chord of the relaxation the next price is tried."""
MOST_RELAXED = 4
"""Relaxations solved between two ends."""
STALLED = 0.01
"""Relative step below which a line's end is not waited for; the steps instead double from it."""
SHAVE = 1e-6
"""Part of a step that is left out, so that a line's end is strictly below what it must be."""
BEYOND = 0.01
"""How far beyond each end the proof is tried again where the price stands in rules too."""
STEP_BACK = 0.03
"""By how much an end moves away when the proof does not hold beyond it."""


@dataclass(frozen=True)
class BreakEven:
    """The price at which taking and refusing cost the same lies between low and high."""

    low: float | None
    """Factor at which a solve takes the subject for certain, and 1 % below; None = none found."""
    high: float | None
    """Factor at which a solve refuses it for certain, and 1 % above; None = none found."""
    everywhere: bool
    """Proven at every price below low and above high; else at those and 1 % beyond them."""
    says: tuple[str, ...]
    """What is missing, in words."""


def break_even(market: Market, first: Probe) -> BreakEven:
    """Both ends, from what was solved at the asked price (`first`)."""
    low = _low_end(market, first)
    high = _high_end(market)
    everywhere = (
        all(market.only_costs_move(p.factor) for p in market.probes if p.factor not in (0.0, 1.0))
        and len({p.factor for p in market.probes}) > 1
    )
    if not everywhere:
        low = _holds(market, low, -1.0)
        high = _holds(market, high, 1.0)
    ends = (None if low is None else low.factor, None if high is None else high.factor)
    says = _words(market, *ends)
    if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
        # A rule on spend can make a dearer subject pay where a cheaper one does not.
        return BreakEven(
            None, None, False, ("it pays at some prices and not at others below them",)
        )
    return BreakEven(*ends, everywhere, says)


def _low_end(market: Market, first: Probe) -> Probe | None:
    """The highest price found at which the subject is taken for certain."""
    best, probe = None, first
    above, jump = np.inf, STALLED
    for _ in range(MOST_STEPS):
        if probe.taken and (best is None or probe.factor > best.factor):
            best = probe
        if not probe.taken:
            above = min(above, probe.factor)
        factor = _next_below(probe)
        if is_large(market.matrix) and not probe.taken and probe.factor > 0:
            factor = _within_reach(market, probe)
        if not probe.taken and factor > probe.factor * (1 - STALLED):
            # What the refusal costs falls with the price too: the line's end is no step.
            factor, jump = probe.factor * (1 - jump), min(2.0 * jump, 0.5)
        if best is not None and factor >= above:
            factor = (best.factor + above) / 2.0
        if best is not None and factor <= best.factor * (1 + TOLERANCE):
            break
        if (not probe.taken and probe.factor == 0) or factor > MOST_FACTOR:
            break
        if market.solver.out_of_time():
            break
        probe = market.solved(factor, _whole(probe))
    return best


def _within_reach(market: Market, probe: Probe) -> float:
    """A price at which the relaxation, and as much above it as here, leave room for a plan.

    Relaxations are solved in a moment where searches take minutes. 0 when none leaves room.
    """
    above = 1.0
    if np.isfinite(probe.with_high):
        above = max(1.0, probe.with_high / market.relaxed(probe.factor))
    goal = probe.takes_below / above
    low, high = 0.0, probe.factor
    at_low, at_high = market.relaxed(low), market.relaxed(high)
    for _ in range(MOST_RELAXED):
        if at_low >= goal or at_high <= goal or market.solver.out_of_time():
            break
        # The relaxation lies above its chord, and so crosses the goal at a lower price.
        middle = low + CHORD * (high - low) * (goal - at_low) / (at_high - at_low)
        at_middle = market.relaxed(middle)
        if at_middle < goal:
            low, at_low = middle, at_middle
        else:
            high, at_high = middle, at_middle
    return low


def _next_below(probe: Probe) -> float:
    """Where the line of a probe's plan meets what the refusal is proven to cost."""
    step = np.nan
    if probe.slope_usd > 0 and np.isfinite(probe.with_high):
        step = (probe.takes_below - probe.with_high) / probe.slope_usd
    if probe.taken:
        if not np.isfinite(step):
            return 2.0 * max(probe.factor, 1.0)
        return probe.factor + step * (1 - SHAVE)
    if not np.isfinite(step):
        step = -0.5 * probe.factor
    factor = max(probe.factor + step * (1 + SHAVE), 0.5 * probe.factor)
    return factor if factor > LEAST_FACTOR else 0.0


def _whole(probe: Probe) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    found = probe.evidence
    return found.whole if found is not None and len(found.whole) else None


def _high_end(market: Market) -> Probe | None:
    """The lowest price found at which the subject is refused for certain."""
    if market.probes[0].hidden(market.idle_usd()):
        return None
    for _ in range(MOST_STEPS):
        solved = [p for p in market.probes if np.isfinite(p.refusing) or p.refusing > 0]
        refused = [p for p in solved if p.refused]
        best = min(refused, key=lambda p: p.factor, default=None)
        below = [p for p in solved if not p.refused and (best is None or p.factor < best.factor)]
        under = max(below, key=lambda p: (p.factor, p.refusing), default=None)
        factor = _next_above(under, best)
        if factor is None or factor > MOST_FACTOR or market.solver.out_of_time():
            return best
        known = market.known(factor)
        if not known.refused:
            near = min(market.probes, key=lambda p: (_whole(p) is None, abs(p.factor - factor)))
            market.solved(factor, _whole(near))
    refused = [p for p in market.probes if p.refused]
    return min(refused, key=lambda p: p.factor, default=None)


def _next_above(under: Probe | None, best: Probe | None) -> float | None:
    """The next price to try for the upper end; None when it is close enough."""
    if best is None:
        if under is None:
            return 1.0
        step = np.nan
        if under.slope_usd > 0:
            missing = under.without_high / (1 - under.margin) - under.with_low
            step = missing / under.slope_usd
        if not np.isfinite(step) or step <= 0:
            step = max(under.factor, 0.5)
        return under.factor + min(step * 1.02 + TOLERANCE, max(under.factor, 0.5))
    low = 0.0 if under is None else under.factor
    if best.factor - low <= TOLERANCE * best.factor:
        return None
    share = 0.5
    if under is not None and np.isfinite(best.refusing) and best.refusing > under.refusing:
        share = (under.without_high - under.refusing) / (best.refusing - under.refusing)
    share = float(np.clip(share + 0.05, 0.1, 0.9))
    return low + share * (best.factor - low)


def _holds(market: Market, end: Probe | None, side: float) -> Probe | None:
    """The end, moved away until its proof holds 1 % beyond it as well; None when it never does."""
    for _ in range(3):
        if end is None or market.solver.out_of_time():
            return end if end is None or end.factor == 0 else None
        factor = end.factor * (1 + side * BEYOND)
        if factor == end.factor:
            return end
        beyond = _proven_at(market, factor, end, side)
        if beyond is not None:
            return end
        moved = end.factor * (1 + side * STEP_BACK)
        end = _proven_at(market, moved, end, side)
    return None


def _proven_at(market: Market, factor: float, end: Probe, side: float) -> Probe | None:
    """A probe at a factor that is taken (side -1) or refused (side 1), solved if need be."""
    whole = _whole(end)
    if side < 0 and whole is not None:
        probe = market.routed(factor, whole)
        if probe.taken:
            return replace(probe, evidence=end.evidence)
    elif side > 0:
        probe = market.known(factor)
        if probe.refused:
            return probe
    probe = market.solved(factor, whole)
    return probe if (probe.taken if side < 0 else probe.refused) else None


def _words(market: Market, low: float | None, high: float | None) -> tuple[str, ...]:
    """What is missing of the interval, and why."""
    out = []
    gap = f"{market.solver.gap:.3g}"
    if low is None:
        tried = min((p.factor for p in market.probes), default=1.0)
        where = (
            "at no price, not even 0,"
            if tried == 0
            else f"at none of those tried, {tried:.3g} the least,"
        )
        out.append(f"no lower end: {where} is it proven that a solve to a gap of {gap} takes it")
    if high is None:
        words = (
            f"no upper end: at no price up to {MOST_FACTOR:g} times the one asked is it proven "
            f"that a solve to a gap of {gap} refuses it"
        )
        first, idle = market.probes[0], market.idle_usd()
        if first.hidden(idle):
            more = idle - first.without_high
            said = money_unit(more).say(more)
            words += f"; signing it for nothing costs {said}, which that gap hides"
        out.append(words)
    if market.solver.out_of_time():
        out.append("the time limit came before both ends were searched")
    return tuple(out)
