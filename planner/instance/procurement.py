"""Supply, existing contracts and offers as arrays; the value of a contract past the horizon."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from planner.case import Calendar, Case, most_specific
from planner.case.commercial import Contract, Offer
from planner.instance.axes import Contracts, Floats, Ints, PayAsYouGo, Pools

_POOL = ("cloud", "region", "chip")


def discount(calendar: Calendar, rate_per_year: float, middle: bool) -> Floats:
    """Discount factor (1 + rate)^-years at the middle or start of each period [t]."""
    years = calendar.years()
    if middle:
        years = years + calendar.hours() / (2 * 24 * 365.25)
    out: Floats = (1.0 + rate_per_year) ** -years
    return out


def supply_of(case: Case) -> Floats:
    """Chips allotted [p, t], 0 before the chip is ready for service."""
    calendar = case.calendar
    by_pool: dict[tuple[str, ...], dict[str, float]] = {}
    for row in case.supply:
        by_pool.setdefault((row.cloud, row.region, row.chip), {})[row.period] = row.chips
    ready = {chip.chip: chip.ready_for_service for chip in case.chips}
    out = np.zeros((len(case.pools), len(calendar)))
    for p, pool in enumerate(case.pools):
        rows = by_pool[pool.cloud, pool.region, pool.chip]
        for t, name in enumerate(calendar.labels):
            out[p, t] = rows.get(name, rows.get("*", 0.0))
        day = ready[pool.chip]
        if day is not None:
            out[p, : calendar.first_from(day)] = 0.0
    return out


def delivered_share(ramp: Sequence[float], start: int, length: int, periods: int) -> Floats:
    """Delivered share in each of `periods` periods for a contract from `start`, `length` long."""
    age = np.arange(periods) - start
    steps = np.array([*ramp, 1.0])
    share = steps[np.clip(age, 0, len(ramp))]
    out: Floats = np.where((age >= 0) & (age < length), share, 0.0)
    return out


def contracts_of(case: Case, offers: dict[int, list[Offer]]) -> Contracts:
    """Existing contracts as arrays; `offers` holds the term offers of each pool.

    Past the horizon a line is worth haircut x min(its price, the cheapest term offer's price
    then) and owes its price; both are discounted. A contract whose notice allows it is left at the
    end of the horizon where its exit fee is less than that.
    """
    calendar = case.calendar
    horizon = len(calendar)
    pool_at = {(p.cloud, p.region, p.chip): i for i, p in enumerate(case.pools)}
    names = tuple(dict.fromkeys(line.contract for line in case.contracts))
    multiplier = multipliers(case)
    rows: dict[str, list[Floats]] = {"chips": [], "payment": []}
    liability, credit, pools = [], [], []
    leave_from = np.full(len(names), horizon)
    leave_until = np.zeros(len(names), dtype=np.int64)
    for line in case.contracts:
        extra = _periods_after(calendar, line)
        longer = calendar.extended(extra)
        hours = longer.hours()
        overlap = longer.overlap(line.start, line.end)
        # Age in periods counts from the signed start, which may lie before the horizon.
        before = (calendar.starts[0] - line.start).days
        age0 = max(0, round(before / (365.25 * calendar.months / 12)))
        begun = int(np.argmax(overlap > 0)) if overlap.any() else 0
        ramp = line.ramp[age0:] if age0 else line.ramp
        delivered = delivered_share(ramp, begun, len(longer), len(longer)) * overlap
        paid = delivered * line.chips * hours * line.payment_usd_per_chip_hour
        p = pool_at[line.cloud, line.region, line.chip]
        beta = discount(longer, case.settings.discount_rate_per_year, middle=True)
        market = [price_path(offer, longer, multiplier[p]) for offer in offers.get(p, [])] or [
            np.full(len(longer), line.payment_usd_per_chip_hour)
        ]
        worth = np.minimum(line.payment_usd_per_chip_hour, np.min(market, axis=0))
        tail = slice(horizon, None)
        liability.append(float((beta * paid)[tail].sum()))
        kept = (beta * delivered * line.chips * hours * worth)[tail].sum()
        credit.append(float(case.settings.horizon_end_haircut * kept))
        rows["chips"].append(line.chips * delivered[:horizon])
        rows["payment"].append(paid[:horizon])
        pools.append(p)
        k = names.index(line.contract)
        leave_until[k] = max(leave_until[k], int(np.count_nonzero(overlap[:horizon])) + begun)
        if not line.take_or_pay:
            notice = timedelta(days=line.notice_days or 0)
            first = calendar.first_from(case.settings.as_of + notice)
            leave_from[k] = min(leave_from[k], max(begun, first))
    of_line = np.array([names.index(c.contract) for c in case.contracts], dtype=np.int64)
    fee = np.array([c.exit_fee_usd for c in case.contracts])
    owed, worth_then = _end_of_horizon(case, of_line, fee, np.array(liability), np.array(credit))
    empty = np.zeros((0, horizon))
    return Contracts(
        names=names,
        leave_from=leave_from.astype(np.int64),
        leave_until=leave_until,
        line_names=tuple(f"{c.contract}: {c.cloud}/{c.region}/{c.chip}" for c in case.contracts),
        line_contract=of_line,
        line_pool=np.array(pools, dtype=np.int64),
        chips=np.array(rows["chips"]) if pools else empty,
        payment_usd=np.array(rows["payment"]) if pools else empty,
        exit_fee_usd=fee,
        liability_usd=owed,
        credit_usd=worth_then,
    )


def _end_of_horizon(
    case: Case, of_line: Ints, fee: Floats, owed: Floats, worth: Floats
) -> tuple[Floats, Floats]:
    """What lines owe and are worth past the horizon [l]: their exit fee where leaving costs less.

    A contract is kept or left as a whole; it can be left once its notice is over.
    """
    end, last = case.calendar.starts[-1], len(case.calendar)
    # The day after the horizon, when a contract that is left then pays its fee.
    rate = case.settings.discount_rate_per_year
    fee_then = fee * float(discount(case.calendar.extended(1), rate, middle=False)[last])
    for k in range(int(of_line.max(initial=-1)) + 1):
        mine = of_line == k
        lines = [line for line, here in zip(case.contracts, mine, strict=True) if here]
        free = any(
            not line.take_or_pay
            and case.settings.as_of + timedelta(days=line.notice_days or 0) <= end
            for line in lines
        )
        if free and float((owed - worth)[mine].sum()) > float(fee_then[mine].sum()):
            owed[mine], worth[mine] = fee_then[mine], 0.0
    return owed, worth


def _periods_after(calendar: Calendar, line: Contract) -> int:
    """Periods past the horizon that the line still covers."""
    months = (line.end.year - calendar.starts[-1].year) * 12
    months += line.end.month - calendar.starts[-1].month + 1
    return max(0, -(-months // calendar.months))


def multipliers(case: Case) -> list[float]:
    """Price multiplier of each pool's region [p]."""
    region = {(r.cloud, r.region): r.price_multiplier for r in case.regions}
    return [region[p.cloud, p.region] for p in case.pools]


def price_path(offer: Offer, calendar: Calendar, multiplier: float) -> Floats:
    """Price of an offer in each period, USD per chip and hour [t]."""
    trend = (1.0 + offer.price_trend_per_year) ** calendar.years()
    out: Floats = offer.price_usd_per_chip_hour * multiplier * trend
    return out


def offers_of(case: Case) -> dict[int, list[Offer]]:
    """Offers that hold for each pool [p]: for each offer name the most specific row."""
    by_name: dict[str, list[Offer]] = {}
    for offer in case.offers:
        by_name.setdefault(offer.offer, []).append(offer)
    out: dict[int, list[Offer]] = {}
    for p, pool in enumerate(case.pools):
        target = (pool.cloud, pool.region, pool.chip)
        found = (most_specific(rows, _POOL, target) for rows in by_name.values())
        out[p] = [offer for offer in found if offer is not None]
    return out


def startable(case: Case, offer: Offer) -> list[int]:
    """Periods in which lots (or hours) of an offer may start: window, as_of + lead, its deal.

    An offer of a rejected deal never starts; one of a deal with a ready-for-service date starts
    no earlier than that, and counts its lead from the day on which the deal can be signed.
    """
    calendar = case.calendar
    day = case.settings.as_of
    deal = next((d for d in case.deals if d.deal == offer.deal), None)
    ready = calendar.starts[0]
    if deal is not None:
        if deal.status == "rejected":
            return []
        day = max(day, deal.earliest_signing or day)
        ready = deal.ready_for_service or ready
    first = max(
        calendar.first_from(day + timedelta(days=offer.lead_days)), calendar.first_from(ready)
    )
    return [
        t
        for t in range(first, len(calendar))
        if (offer.window_from is None or calendar.starts[t] >= offer.window_from)
        and (offer.window_to is None or calendar.starts[t] <= offer.window_to)
    ]


def pay_as_you_go_of(
    case: Case, pools: Pools, offers: dict[int, list[Offer]], billed_share: Floats
) -> PayAsYouGo:
    """Pay-as-you-go offers; the price always follows its trend."""
    calendar = case.calendar
    multiplier = multipliers(case)
    found = [(p, o) for p, rows in offers.items() for o in rows if o.term_months == 0]
    most = np.zeros((len(found), len(calendar)))
    price = np.zeros_like(most)
    for v, (p, offer) in enumerate(found):
        limit = pools.supply[p].copy()
        if offer.max_supply_share is not None:
            limit *= offer.max_supply_share
        if offer.max_chips is not None:
            limit = np.minimum(limit, offer.max_chips)
        allowed = startable(case, offer)
        most[v, allowed] = limit[allowed]
        price[v] = price_path(offer, calendar, multiplier[p])
    return PayAsYouGo(
        names=tuple(f"{o.offer}: {pools.names[p]}" for p, o in found),
        offer=tuple(o.offer for _, o in found),
        pool=np.array([p for p, _ in found], dtype=np.int64),
        guaranteed=np.array([o.guaranteed for _, o in found], dtype=bool),
        interruptible=np.array([o.interruptible for _, o in found], dtype=bool),
        goodput=np.array([o.goodput_share for _, o in found], dtype=float),
        max_chips=most,
        price_usd_per_chip_hour=price,
        billed_share=billed_share,
        price_basis=tuple(o.basis for _, o in found),
    )
