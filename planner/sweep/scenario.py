"""A scenario as a case of its own: the factors' values written into the case's tables.

For sweeps in which contracts move too. What has happened by as_of does not move, as in sweeps of
a plan. Kinds whose meaning is of contracts that stay (`lost`, `efficiency`, `rate_band`, working
chips by period) are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from planner.case import Case
from planner.case.check import check
from planner.case.tables import TABLES
from planner.errors import Fault, InputError
from planner.instance.procurement import offers_of
from planner.sweep.block import Floats
from planner.sweep.labels import unknown_labels
from planner.sweep.moves import fits
from planner.sweep.spec import Factor, Spec

MOVES = ("demand", "demand_growth", "capacity", "slip_days", "deal", "price")
"""Kinds that a case can be written for."""
MOST_DAYS = 36_500
"""Furthest that a date moves: a calendar ends, too."""


def check_replan(case: Case, spec: Spec) -> None:
    """Raise InputError for factors that no case can be written for, or that change none.

    The latter are let pass where the specification ignores them.
    """
    faults = unknown_labels(case, spec)
    told = {fault.column for fault in faults}
    for factor in spec.factor:
        place = f"factor '{factor.name}'"
        if factor.kind not in MOVES:
            rule = f"contracts cannot move with {factor.kind}; they can with {', '.join(MOVES)}"
            faults.append(Fault("spec", rule, None, place))
        elif factor.kind in ("capacity", "price") and "period" in factor.where:
            rule = f"contracts cannot move with {factor.kind} by period"
            faults.append(Fault("spec", rule, None, place))
        elif spec.untouched == "fault" and place not in told and not _touched(case, spec, factor):
            faults.append(Fault("spec", "touches nothing in this case", None, place))
    if faults:
        raise InputError(faults)


def _touched(case: Case, spec: Spec, factor: Factor) -> bool:
    """Whether some row of the case fits the factor."""
    if factor.kind in ("demand", "demand_growth"):
        return any(True for _ in _demand_rows(case, spec, factor))
    if factor.kind == "deal":
        return any(fits(factor, {"deal": d.deal}) for d in case.deals)
    if factor.kind == "price":
        return bool(_priced(case, factor))
    pools = [fits(factor, labels) for labels in _pool_labels(case)]
    if factor.kind == "capacity":
        return any(pools)
    ready = {c.chip for c in case.chips if c.ready_for_service is not None}
    return any(fit and pool.chip in ready for fit, pool in zip(pools, case.pools, strict=True))


def scenario_case(case: Case, spec: Spec, values: Floats) -> Case:
    """The case in which factors have these values [factor].

    A shorter supply than contracts need, or a share above 1, can make a case that breaks a rule:
    InputError names it.
    """
    out = case
    for factor, value in zip(spec.factor, values.tolist(), strict=True):
        out = _MAKE[factor.kind](out, spec, factor, value)
    lines = {table.name: range(2, 2 + len(out.rows(table.name))) for table in TABLES}
    faults = check(out, lines)
    if faults:
        raise InputError(faults)
    return out


def _demand_rows(case: Case, spec: Spec, factor: Factor) -> Iterator[tuple[int, float]]:
    """Rows of demand that a factor moves, and the years from as_of to the middle of each."""
    calendar = case.calendar
    workloads = {w.workload: w for w in case.serving}
    at = {label: t for t, label in enumerate(calendar.labels)}
    for i, row in enumerate(case.demand):
        w, t = workloads[row.workload], at[row.period]
        begin, end = calendar.starts[t], calendar.starts[t + 1]
        labels = {
            "workload": w.workload, "model": w.model, "geography": w.geography,
            "class": w.service_class, "channel": w.channel, "period": row.period,
        }  # fmt: skip
        if (spec.periods == "all" or end > calendar.as_of) and fits(factor, labels):
            middle = 0.5 * ((begin - calendar.as_of).days + (end - calendar.as_of).days)
            yield i, max(0.0, middle / 365.25)


def _demand(case: Case, spec: Spec, factor: Factor, value: float) -> Case:
    rows = list(case.demand)
    for i, years in _demand_rows(case, spec, factor):
        by = value if factor.kind == "demand" else max(1.0 + value, 0.0) ** years
        rows[i] = rows[i].model_copy(update={"requests_per_s": rows[i].requests_per_s * by})
    return replace(case, demand=tuple(rows))


def _pool_labels(case: Case) -> list[dict[str, str]]:
    vendor = {c.chip: c.vendor for c in case.chips}
    return [
        {"cloud": p.cloud, "region": p.region, "chip": p.chip, "vendor": vendor[p.chip]}
        for p in case.pools
    ]


def _capacity(case: Case, _spec: Spec, factor: Factor, value: float) -> Case:
    shares = [
        pool.usable_share * value
        for pool, labels in zip(case.pools, _pool_labels(case), strict=True)
        if fits(factor, labels)
    ]
    if shares and (min(shares) <= 0 or max(shares) > 1):
        rule = f"{value:g} makes a usable_share of {max(shares):g}; it lies above 0 and up to 1"
        raise InputError([Fault("spec", rule, None, f"factor '{factor.name}'")])
    pools = tuple(
        pool.model_copy(update={"usable_share": pool.usable_share * value})
        if fits(factor, labels)
        else pool
        for pool, labels in zip(case.pools, _pool_labels(case), strict=True)
    )
    return replace(case, pools=pools)


def _all_fit(factor: Factor, case: Case, late: timedelta, day: date, pools: list[int]) -> bool:
    """Whether the factor moves a date that pools share; InputError where it moves some of them.

    A date that stays in the past moves nothing.
    """
    labels = _pool_labels(case)
    mine = [fits(factor, labels[p]) for p in pools]
    if any(mine) and not all(mine) and day + late > case.settings.as_of:
        named = ", ".join("/".join(list(labels[p].values())[:3]) for p in pools)
        rule = f"contracts can move only with a date that is late in all of its pools: {named}"
        raise InputError([Fault("spec", rule, None, f"factor '{factor.name}'")])
    return bool(mine) and all(mine)


def _slip(case: Case, _spec: Spec, factor: Factor, value: float) -> Case:
    """Ready-for-service dates of chips and of deals on them, later; lots cannot start before."""
    if abs(value) > MOST_DAYS:
        rule = f"{value:g} days are more than {MOST_DAYS:,} either way"
        raise InputError([Fault("spec", rule, None, f"factor '{factor.name}'")])
    late = timedelta(round(value))
    rows, deals = [], []
    for chip in case.chips:
        day = chip.ready_for_service
        mine = [p for p, pool in enumerate(case.pools) if pool.chip == chip.chip]
        if day is not None and _all_fit(factor, case, late, day, mine):
            chip = chip.model_copy(update={"ready_for_service": day + late})
        rows.append(chip)
    sells = offers_of(case)
    for deal in case.deals:
        day = deal.ready_for_service
        mine = [p for p, offers in sells.items() if any(o.deal == deal.deal for o in offers)]
        if day is not None and _all_fit(factor, case, late, day, mine):
            deal = deal.model_copy(update={"ready_for_service": day + late})
        deals.append(deal)
    return replace(case, chips=tuple(rows), deals=tuple(deals))


def _deal(case: Case, _spec: Spec, factor: Factor, value: float) -> Case:
    """0: rejected; else as it stands, or to be negotiated where it was rejected."""
    rows = []
    for deal in case.deals:
        if fits(factor, {"deal": deal.deal}):
            if value == 0:
                deal = deal.model_copy(update={"status": "rejected"})
            elif deal.status == "rejected":
                deal = deal.model_copy(update={"status": "negotiating"})
        rows.append(deal)
    return replace(case, deals=tuple(rows))


def _priced(case: Case, factor: Factor) -> dict[int, list[int]]:
    """Pools in which a factor moves the price of an offer's row, by the row's position."""
    at = {id(offer): i for i, offer in enumerate(case.offers)}
    labels = _pool_labels(case)
    out: dict[int, list[int]] = {}
    for p, offers in offers_of(case).items():
        for offer in offers:
            if fits(factor, {**labels[p], "offer": offer.offer}):
                out.setdefault(at[id(offer)], []).append(p)
    return out


def _price(case: Case, _spec: Spec, factor: Factor, value: float) -> Case:
    """Offers at another price; a row for many pools is written out for those that move alone."""
    moved, holds = _priced(case, factor), Counter[int]()
    at = {id(offer): i for i, offer in enumerate(case.offers)}
    for offers in offers_of(case).values():
        holds.update(at[id(offer)] for offer in offers)
    rows = []
    for i, offer in enumerate(case.offers):
        pools = moved.get(i, [])
        dear = {"price_usd_per_chip_hour": offer.price_usd_per_chip_hour * value}
        if len(pools) == holds[i] > 0:
            rows.append(offer.model_copy(update=dear))
            continue
        rows.append(offer)
        for p in pools:
            pool = case.pools[p]
            place = {"cloud": pool.cloud, "region": pool.region, "chip": pool.chip}
            rows.append(offer.model_copy(update={**dear, **place}))
    return replace(case, offers=tuple(rows))


_MAKE = {
    "demand": _demand,
    "demand_growth": _demand,
    "capacity": _capacity,
    "slip_days": _slip,
    "deal": _deal,
    "price": _price,
}
