"""What a deal, an offer, a pool or a chip family is worth: cost without it less cost with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.case import Case
from planner.decisions.breakeven import BreakEven, break_even
from planner.decisions.delay import Start, delays, not_looked_at
from planner.decisions.market import Market, Probe
from planner.decisions.problem import Evidence, Solver, Tell, silent
from planner.decisions.subject import Subject, offers_in, subject_of
from planner.errors import InfeasibleError, InterruptedSolveError, UnprovenError
from planner.redundancy.mode import Redundancy
from planner.solve.options import relative_gap

Floats = npt.NDArray[np.float64]
GAP = 1e-2
"""Gap of each solve unless asked otherwise."""


@dataclass(frozen=True)
class OfferPrice:
    """An offer of the subject, at the factor 1 and at both ends of the break-even price."""

    offer: str
    """Name of the offer."""
    cloud: str
    """Cloud of its pool."""
    chip: str
    """Chip of its pool."""
    asked_usd_per_chip_hour: float
    """As in `offers.csv`: at the case's start, before trend and the region's multiplier."""
    low_usd_per_chip_hour: float | None
    """The same at the low end of the break-even price; None without one."""
    high_usd_per_chip_hour: float | None
    """At the high end; None without one."""


@dataclass(frozen=True)
class Cost:
    """Cost of a plan by term, and what is proven."""

    cost_usd: float
    """Cost of the best plan found."""
    bound_usd: float
    """No plan costs less."""
    terms_usd: dict[str, float]
    """That cost by term."""

    @property
    def gap(self) -> float:
        """(cost - bound) / |cost|."""
        return relative_gap(self.cost_usd, self.bound_usd)


@dataclass(frozen=True)
class Value:
    """What a subject is worth. An interval's end that is None is not there; `says` has why."""

    subject: Subject
    """What was valued."""
    status: str
    """`proven`: every solve reached its gap; `limit`: stopped at the time limit or by Ctrl-C;
    `needed`: without the subject there is no plan; `impossible`: with it taken there is none."""
    with_: Cost | None
    """With it taken; None = no plan."""
    without: Cost | None
    """With it refused; None = no plan."""
    value_low_usd: float | None
    value_high_usd: float | None
    """Cost without it less cost with it lies between these; below 0 taking it costs."""
    relaxation_usd: float | None
    """The same in the relaxation, lots and decisions in fractions: an estimate, no bound."""
    break_even: BreakEven | None
    """None when it was not asked for."""
    prices: tuple[OfferPrice, ...]
    """Offers of the subject."""
    paid_usd_per_chip_hour: float | None
    """Payments for its lots and hours by their chip-hours within the horizon in the plan with it:
    the mean price of what it buys; None when it buys nothing."""
    starts: tuple[Start, ...]
    """Later starts, in order, up to the first that is proven not to pay or the time limit; empty
    when they were not asked for."""
    looked_at_all: bool
    """Whether later starts were looked at, up to one that does not pay or the horizon's end."""
    gap: float
    """Gap asked of each solve."""
    solves: int
    """Searches that were run."""
    seconds: float
    """Wall time."""
    says: tuple[str, ...]
    """What cannot be told, in words."""

    @property
    def latest_that_pays(self) -> date | None:
        """Latest ready-for-service date at which taking it is proven to pay."""
        return max((s.ready for s in self.starts if s.pays == "yes"), default=None)

    @property
    def first_that_does_not(self) -> date | None:
        """Earliest one at which it is proven not to."""
        return min((s.ready for s in self.starts if s.pays == "no"), default=None)

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON has it: infinite ends are None."""
        found = self.break_even
        low, high = (None, None) if found is None else (found.low, found.high)
        paid = self.paid_usd_per_chip_hour
        told: dict[str, Any] = _finite(
            {
                "subject": {"kind": self.subject.kind, "name": self.subject.name},
                "status": self.status,
                "with": None
                if self.with_ is None
                else {**asdict(self.with_), "gap": self.with_.gap},
                "without": None
                if self.without is None
                else {**asdict(self.without), "gap": self.without.gap},
                "value_low_usd": self.value_low_usd,
                "value_high_usd": self.value_high_usd,
                "value_in_relaxation_usd": self.relaxation_usd,
                "break_even_price_low": low,
                "break_even_price_high": high,
                "break_even_price_unit": "factor on the prices of its offers",
                "break_even_everywhere": None if found is None else found.everywhere,
                "paid_usd_per_chip_hour": paid,
                "break_even_usd_per_chip_hour_low": None
                if paid is None or low is None
                else low * paid,
                "break_even_usd_per_chip_hour_high": None
                if paid is None or high is None
                else high * paid,
                "offers": [asdict(price) for price in self.prices],
                "starts": [
                    {**asdict(s), "ready": str(s.ready), "pays": s.pays} for s in self.starts
                ],
                "latest_ready_for_service_that_pays": _text(self.latest_that_pays),
                "earliest_ready_for_service_that_does_not": _text(self.first_that_does_not),
                "gap": self.gap,
                "solves": self.solves,
                "seconds": self.seconds,
                "says": list(self.says),
            }
        )
        return told


def value(
    case: Case,
    *,
    deal: str | None = None,
    offer: str | None = None,
    pool: str | None = None,
    chip: str | None = None,
    gap: float = GAP,
    time_limit_s: float | None = None,
    threads: int = 1,
    redundancy: Redundancy = "auto",
    price: bool = True,
    dates: bool = True,
    tell: Tell = silent,
) -> Value:
    """Value one deal, offer, pool (`cloud/region/chip`) or chip family of a case.

    `gap` is that of each solve, `time_limit_s` for all of them together; without `price` or
    `dates` the break-even price or the later starts are left out. A deal counts as undecided,
    whatever its status. Raises InputError for a subject that the case does not have,
    InfeasibleError when the case has no plan with it nor without it, and UnprovenError when no plan
    was found in time, or Ctrl-C came before the case was solved with it and without it.
    """
    subject = subject_of(case, deal=deal, offer=offer, pool=pool, chip=chip)
    solver = Solver(gap, time_limit_s, threads, redundancy, tell)
    market = Market(solver, case, subject)
    without = market.without
    first = market.solved(1.0, market.guess())
    with_ = first.evidence
    assert with_ is not None
    if without.bound_usd == with_.bound_usd == np.inf:
        raise InfeasibleError(f"no plan satisfies every rule, with {subject} or without it")
    if without.objective_usd == with_.objective_usd == np.inf:
        raise UnprovenError("the solve was stopped at its time limit before it found a plan")
    says: list[str] = []
    status = "proven"
    found: BreakEven | None = None
    starts: tuple[Start, ...] = ()
    unseen = 0
    if without.bound_usd == np.inf:
        status = "needed"
        says.append(f"without {subject} no plan satisfies every rule: it pays at any price")
    elif with_.bound_usd == np.inf:
        status = "impossible"
        says.append(f"no plan that takes {subject} satisfies every rule")
    else:
        try:
            if price:
                found = break_even(market, first)
                says += found.says
            if dates:
                starts = delays(market, first)
        except InterruptedSolveError as stopped:
            solver.interrupted = str(stopped)
        if solver.interrupted:
            status = "limit"
            says.append(f"{solver.interrupted}: what would have come after that is left out")
        unseen = not_looked_at(market, starts)
        if unseen and not solver.interrupted:
            says.append(f"the time limit came before {unseen} later starts were looked at")
    if status == "proven" and (solver.out_of_time() or not _proven(market)):
        status = "limit"
    low, high, relaxed = _range(first, without, with_)
    return Value(
        subject=subject,
        status=status,
        with_=_cost(market, with_),
        without=_cost(market, without),
        value_low_usd=low,
        value_high_usd=high,
        relaxation_usd=relaxed,
        break_even=found,
        prices=_prices(case, subject, found),
        paid_usd_per_chip_hour=_paid(market, with_),
        starts=starts,
        looked_at_all=bool(starts) and not unseen,
        gap=gap,
        solves=solver.solves,
        seconds=solver.seconds,
        says=tuple(says),
    )


def _proven(market: Market) -> bool:
    """Whether every solve reached its gap."""
    margin = market.solver.margin
    refused = (market.without, *market.refusals.values())
    ends = [(found.bound_usd, found.objective_usd) for found in refused]
    ends += [
        (p.with_low, p.with_high) for p in market.probes
        if p.evidence is not None and p.evidence.nodes
    ]  # fmt: skip
    return all(high - low <= margin * max(abs(high), 1e-9) * (1 + 1e-9) for low, high in ends)


def _range(
    first: Probe, without: Evidence, with_: Evidence
) -> tuple[float | None, float | None, float | None]:
    """Ends of the value, None where infinite, and its estimate from the relaxations."""
    ends = (first.without_low - first.with_high, first.without_high - first.with_low)
    low, high = (float(end) if np.isfinite(end) else None for end in ends)
    relaxed = without.root_usd - with_.root_usd
    return low, high, float(relaxed) if np.isfinite(relaxed) else None


def _cost(market: Market, found: Evidence) -> Cost | None:
    if not len(found.x):
        return None
    matrix = market.matrix
    terms = matrix.cost @ found.x + matrix.cost_offset
    named = dict(zip(matrix.cost_terms, terms.tolist(), strict=True))
    return Cost(found.objective_usd, found.bound_usd, named)


def _paid(market: Market, found: Evidence) -> float | None:
    """Mean price of what a plan buys of the subject within the horizon, USD per chip-hour."""
    if not len(found.x):
        return None
    inst, columns = market.base.inst, market.columns
    starts, pay, time = inst.starts, inst.pay, inst.time
    index = market.matrix.column_index
    usd = hours = 0.0
    first = market.matrix.columns["lots"].start if len(columns.lots) else 0
    for at in columns.lots.tolist():
        j = index["lots"][at - first]
        usd += found.x[at] * float(starts.accrued_usd[j].sum())
        hours += found.x[at] * float(starts.lot_chips[j] * (starts.active[j] @ time.hours))
    first = market.matrix.columns["hourly"].start if len(columns.hours) else 0
    for at in columns.hours.tolist():
        v, t, s = index["hourly"][at - first]
        billed = found.x[at] * float(time.slot_hours[t, s] * pay.billed_share[t, s])
        usd += billed * float(pay.price_usd_per_chip_hour[v, t])
        hours += billed
    return float(usd / hours) if hours > 0 else None


def _prices(case: Case, subject: Subject, found: BreakEven | None) -> tuple[OfferPrice, ...]:
    """Offers of the subject with the same price, once each."""
    low, high = (None, None) if found is None else (found.low, found.high)
    out: dict[tuple[str, str, str, float], OfferPrice] = {}
    for p, offer in offers_in(case, subject):
        pool, asked = case.pools[p], offer.price_usd_per_chip_hour
        out[offer.offer, pool.cloud, pool.chip, asked] = OfferPrice(
            offer.offer, pool.cloud, pool.chip, asked,
            None if low is None else low * asked, None if high is None else high * asked,
        )  # fmt: skip
    return tuple(out.values())


def _text(day: date | None) -> str | None:
    return None if day is None else str(day)


def _finite(value: Any) -> Any:
    """The same with None for numbers that are not finite, as JSON needs it."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
