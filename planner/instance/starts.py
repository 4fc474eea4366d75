"""Every start of lots, of an offer or an option: what is delivered, paid, owed and worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from planner.case import Case
from planner.case.commercial import Offer
from planner.instance.axes import Contracts, Floats, Options, Pools, Starts
from planner.instance.procurement import (
    delivered_share,
    discount,
    multipliers,
    price_path,
    startable,
)

MOST_LOTS = 10**9
"""Lots of one start where nothing else limits them: they are kept as whole numbers."""


def starts_of(
    case: Case,
    pools: Pools,
    offers: dict[int, list[Offer]],
    market: dict[int, list[Offer]],
    contracts: Contracts,
    options: Options,
) -> tuple[Starts, Options]:
    """Starts of term offers, then those of options; the options with their starts.

    `market` holds the term offers of each pool that are not closed. An option's chips are worth
    haircut x min(its price, the cheapest of them) past the horizon, as those of a signed line.
    Its lots are bound by supply like those of an offer, but a renewal keeps the chips that stand.
    """
    rows = _Rows(case, max([0, *options.term_periods.tolist()]))
    for p, found in offers.items():
        for offer in found:
            if offer.term_months:
                _offer_starts(rows, case, pools, p, offer)
    own = len(rows.column["names"])
    of_start: list[int] = []
    for o in range(len(options.names)):
        p = int(contracts.line_pool[options.line[o]])
        of_start += [o] * _option_starts(rows, pools, options, o, p, market.get(p, []))
    exercised = np.array([-1] * own + of_start, dtype=np.int64)
    return rows.starts(), replace(options, of_start=exercised)


class _Rows:
    """Starts as they are found, column by column."""

    def __init__(self, case: Case, longest_option: int) -> None:
        """Nothing yet; the calendar reaches to the end of the longest term."""
        step = case.calendar.months
        longest = max((o.term_months for o in case.offers), default=0) // step
        self.labels = case.calendar.labels
        self.horizon = len(self.labels)
        self.longer = case.calendar.extended(max(longest, longest_option))
        rate = case.settings.discount_rate_per_year
        self.hours = self.longer.hours()
        self.beta = discount(self.longer, rate, middle=True)
        self.beta_start = discount(self.longer, rate, middle=False)
        self.haircut = case.settings.horizon_end_haircut
        self.multiplier = multipliers(case)
        self.column: dict[str, list[Any]] = {name: [] for name in Starts.__dataclass_fields__}

    def add(
        self, t: int, share: Floats, price: Floats, worth: Floats, upfront: float, **row: Any
    ) -> None:
        """Add a start in period t with its cost inside and past the horizon.

        Cost inside = sum over the term's periods within the horizon of discount x hours x
        delivered chips x price (an upfront share of the whole is paid at the start). What lies
        past the horizon is owed in full (`liability`) and worth haircut x `worth` (`credit`).
        """
        horizon, beta = self.horizon, self.beta
        chips = share * row["lot_chips"] * self.hours
        owed = chips * price
        paid_first = upfront * float(owed.sum())
        cash = owed * (1.0 - upfront)
        # The part paid upfront at the start, the rest as the chips are used.
        present = beta * cash
        present[t] += paid_first * float(self.beta_start[t])
        cash[t] += paid_first
        row |= {
            "period": t,
            "active": share[:horizon],
            "payment_usd": cash[:horizon],
            "present_usd": present[:horizon],
            "accrued_usd": owed[:horizon],
            "liability_usd": float((beta * owed)[horizon:].sum() * (1.0 - upfront)),
            "credit_usd": float(self.haircut * (beta * chips * worth)[horizon:].sum()),
            "price_usd_per_chip_hour": float(price[t]),
        }
        for name, value in row.items():
            self.column[name].append(value)

    def starts(self) -> Starts:
        """All of them as arrays."""
        texts = {"names", "offer", "price_basis", "deal"}
        wholes = {"pool", "period", "min_lots", "max_lots", "term_periods", "sign_by_days"}
        grids = {"active", "payment_usd", "present_usd", "accrued_usd"}
        arrays: dict[str, Any] = {}
        for name, values in self.column.items():
            if name in texts:
                arrays[name] = tuple(values)
            elif name in wholes:
                arrays[name] = np.array(values, dtype=np.int64)
            elif name in grids:
                shape = (len(values), self.horizon)
                arrays[name] = np.array(values, dtype=float).reshape(shape)
            else:
                arrays[name] = np.array(values, dtype=float)
        return Starts(**arrays)


def most_lots(room: Floats, share: Floats, lot_chips: float) -> int:
    """Lots that a pool has room for: what is delivered of them, in every period they cover.

    Past the horizon the last period's room holds: nobody signs for more than is known of.
    """
    known = np.append(room, np.full(max(0, len(share) - len(room)), room[-1]))[: len(share)]
    active = share > 0
    least = float(np.min(known[active] / share[active], initial=np.inf))
    return int((least + 1e-6) // lot_chips) if np.isfinite(least) else 0


def _offer_starts(rows: _Rows, case: Case, pools: Pools, p: int, offer: Offer) -> None:
    """Starts of an offer in a pool; each keeps the price of its period unless it is floating."""
    term = offer.term_months // case.calendar.months
    path = price_path(offer, rows.longer, rows.multiplier[p])
    for t in startable(case, offer):
        share = delivered_share(offer.ramp, t, term, len(rows.longer))
        room = most_lots(pools.allotted[p], share, offer.lot_chips)
        most = min(room, offer.max_lots or MOST_LOTS)
        if most < offer.min_lots:
            continue
        price = path if offer.floating else np.full(len(rows.longer), path[t])
        rows.add(
            t,
            share,
            price,
            np.minimum(price, path),
            offer.upfront_share,
            names=f"{offer.offer}: {pools.names[p]} @ {rows.labels[t]}",
            offer=offer.offer,
            pool=p,
            lot_chips=offer.lot_chips,
            min_lots=offer.min_lots,
            max_lots=most,
            term_periods=term,
            price_basis=offer.basis,
            deal=offer.deal,
            sign_by_days=offer.lead_days,
        )


def _option_starts(
    rows: _Rows, pools: Pools, options: Options, o: int, p: int, market: list[Offer]
) -> int:
    """Starts of an option of a line; returns how many there are."""
    term = int(options.term_periods[o])
    price = np.full(len(rows.longer), options.price_usd_per_chip_hour[o])
    paths = [price_path(offer, rows.longer, rows.multiplier[p]) for offer in market]
    worth = np.minimum(price, np.min(paths, axis=0)) if paths else price
    room = pools.limit[p] if options.renewal[o] else pools.allotted[p]
    added = 0
    for t in np.flatnonzero(options.starts_in[o]).tolist():
        share = delivered_share((1.0,), t, term, len(rows.longer))
        lot = float(options.lot_chips[o])
        most = min(most_lots(room, share, lot), int(options.most_lots[o]))
        if most < 1:
            continue
        rows.add(
            t,
            share,
            price,
            worth,
            float(options.upfront_share[o]),
            names=f"{options.option[o]}: {pools.names[p]} @ {rows.labels[t]}",
            offer=options.option[o],
            pool=p,
            lot_chips=lot,
            min_lots=1,
            max_lots=most,
            term_periods=term,
            price_basis=options.price_basis[o],
            deal="",
            sign_by_days=int(options.notice_days[o]),
        )
        added += 1
    return added
