"""What one more unit of a limit or a requirement is: the rows and column bounds that move.

One more chip in a pool moves its capacity row in every slice; one more request/s of a workload
moves its peak in every slice by the shape of its week. A price of the unit is then a sum of row
duals and reduced costs, and a finite step moves all of them together. Positions are found by
label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from planner.case import Case
from planner.case.calendar import SECONDS_PER_HOUR
from planner.case.commercial import Offer
from planner.instance import Instance
from planner.instance.procurement import offers_of
from planner.instance.starts import most_lots

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Parts = list[tuple[str, Ints, Floats]]
"""(component, index tuples [n, axis], weights [n]) of what moves."""


Entry = tuple[str, str, str, str, str, bool, Parts, Parts, float, str]
"""kind, member, period, slice, unit, whether it costs, rows, columns, rate, unit of the rate."""
Find = Callable[[str, Ints], Ints]


class Positions(Protocol):
    """A problem that knows where a labelled row or column stands; -1 where it has none."""

    def find_rows(self, name: str, index: Ints) -> Ints:
        """Positions of the rows of a constraint [n]."""

    def find_columns(self, name: str, index: Ints) -> Ints:
        """Positions of the columns of a variable [n]."""


@dataclass(frozen=True, eq=False)
class Limit:
    """One limit or requirement, and what one more unit of it moves."""

    kind: str
    """chip, chip_slice, demand, pay_as_you_go, supply, install, offer_lots, power, budget, share,
    engineers, commitment, deal_minimum or contingency."""
    member: str
    """Pool, workload, offer, region, rule, window or contingency."""
    period: str
    """Period label; empty where it spans several."""
    slice: str
    """Slice label; empty = all slices of the period together."""
    unit: str
    """What one unit is."""
    costs: bool
    """A requirement: one more unit costs. Otherwise a limit: one more unit saves."""
    rows: Ints
    """Rows whose sides move."""
    row_weights: Floats
    """By how much they move for one unit."""
    columns: Ints
    """Columns whose upper bound moves."""
    column_weights: Floats
    """By how much it moves for one unit."""
    rate: float = 0.0
    """Factor from present USD per unit to USD of the period per `rate_unit`; 0 = none is told."""
    rate_unit: str = ""
    """`USD per chip-hour`, `USD per million tokens` or empty."""


OPERATING = (
    "chip", "chip_slice", "demand", "pay_as_you_go", "supply", "power", "budget", "share",
    "commitment", "deal_minimum", "contingency",
)  # fmt: skip
"""Kinds that have a price once every whole number is decided."""
INVESTMENT = (
    "supply", "install", "offer_lots", "power", "budget", "share", "engineers", "commitment",
    "deal_minimum", "contingency",
)  # fmt: skip
"""Kinds that have a price while lots can still be signed (in fractions)."""


def limits_of(case: Case, inst: Instance, at: Positions) -> list[Limit]:
    """Every limit and requirement of a case that has rows or bounds of its own.

    Prices by minimum placement are not among them: their rows are about whole numbers. A step of
    demand leaves the billed share of pay as you go and what a placement rule asks for as they are.
    """
    out: list[Limit] = []
    for family in (_chips, _demand, _pay_as_you_go, _supply, _lots, _rules, _agreements, _cover):
        for kind, member, period, part, unit, costs, rows, columns, rate, of in family(case, inst):
            moved = _join(rows, at.find_rows)
            bounds = _join(columns, at.find_columns)
            if len(moved[0]) or len(bounds[0]):
                out.append(
                    Limit(kind, member, period, part, unit, costs, *moved, *bounds, rate, of)
                )
    return out


def _join(parts: Parts, find: Find) -> tuple[Ints, Floats]:
    """Positions and weights of all parts; what the problem does not have is left out."""
    positions, weights = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for name, index, weight in parts:
        found = find(name, index)
        keep = (found >= 0) & (weight != 0)
        positions.append(found[keep])
        weights.append(weight[keep])
    return np.concatenate(positions), np.concatenate(weights)


def _index(*parts: Ints | int) -> Ints:
    """Index tuples from arrays and numbers, broadcast against each other [n, axis]."""
    return np.stack(np.broadcast_arrays(*(np.atleast_1d(p) for p in parts)), axis=1).astype(
        np.int64
    )


def _ones(index: Ints, value: float = 1.0) -> Floats:
    return np.full(len(index), value)


def _slices(inst: Instance) -> Ints:
    return np.arange(len(inst.time.slices))


def _chips(case: Case, inst: Instance) -> Iterator[Entry]:
    """One more contracted chip: its usable share, in every slice or in one."""
    del case
    time, pools, con = inst.time, inst.pools, inst.rules.contingencies
    for p, t in np.argwhere(pools.limit > 0).tolist():
        groups = [(_slices(inst), "chip", "")]
        if len(time.slices) > 1:
            groups += [(np.array([s]), "chip_slice", n) for s, n in enumerate(time.slices)]
        for s, kind, name in groups:
            own, usable = _index(p, t, s), float(pools.usable[p])
            rows: Parts = [(r, own, _ones(own, usable)) for r in ("capacity", "firm_capacity")]
            for k in range(len(con.names)):
                left = _index(k, p, t, s)
                rows.append(("cover_capacity", left, _ones(left, usable)))
            hours = float(time.slot_hours[t, s].sum()) * float(time.discount[t])
            where = (kind, pools.names[p], time.periods[t], name)
            yield (*where, "contracted chip", False, rows, [], 1.0 / hours, "USD per chip-hour")


def _demand(case: Case, inst: Instance) -> Iterator[Entry]:
    """One more request/s in the weekly mean, with the shape of the week and the headroom."""
    del case
    sv, time, con = inst.serving, inst.time, inst.rules.contingencies
    s = _slices(inst)
    weekly = sv.mean @ (time.slice_hours / time.slice_hours.sum())
    for w, t in np.argwhere(weekly > 0).tolist():
        shape = sv.peak[w, t] / weekly[w, t]
        rows: Parts = [
            ("demand_volume", _index(w, t), np.array([168.0 * shape[0]]))
            if sv.deferrable[w]
            else ("demand_peak", _index(w, t, s), shape)
        ]
        for k in range(len(con.names)):
            promised = con.share[k, w] * shape / sv.headroom[w]
            rows.append(("cover_demand", _index(k, w, t, s), promised))
        requests = SECONDS_PER_HOUR * float(time.hours[t]) * float(time.discount[t])
        rate = 1e6 / (requests * float(sv.computed_tokens[w]))
        where = ("demand", sv.names[w], time.periods[t], "")
        yield (*where, "request/s", True, rows, [], rate, "USD per million tokens")


def _pay_as_you_go(case: Case, inst: Instance) -> Iterator[Entry]:
    """One more chip that can be had by the hour."""
    del case
    pay, time = inst.pay, inst.time
    for v, t in np.argwhere(pay.max_chips > 0).tolist():
        own = _index(v, t, _slices(inst))
        rate = 1.0 / (float(time.hours[t]) * float(time.discount[t]))
        where = ("pay_as_you_go", pay.names[v], time.periods[t], "")
        columns: Parts = [("hourly", own, _ones(own))]
        yield (*where, "chip by the hour", False, [], columns, rate, "USD per chip-hour")


def _supply(case: Case, inst: Instance) -> Iterator[Entry]:
    """One more chip allotted: contracts, pay as you go, and the latter's share of supply.

    Not where renewals reach supply or beyond it: there it is in coefficients too (kept[p,t]).
    """
    pools, pay, time, s = inst.pools, inst.pay, inst.time, _slices(inst)
    share = _supply_shares(case, inst)
    within = (pools.renewable == 0) | (pools.supply > pools.existing + pools.renewable)
    for p, t in np.argwhere((pools.supply > pools.existing) & within).tolist():
        rows: Parts = [("supply", _index(p, t, s), np.ones(len(s)))]
        columns: Parts = [("contracted", _index(p, t), np.ones(1))]
        for v in np.flatnonzero(pay.pool == p).tolist():
            columns.append(("hourly", _index(v, t, s), np.full(len(s), share[v, t])))
        rate = 1.0 / (float(time.hours[t]) * float(time.discount[t]))
        where = ("supply", pools.names[p], time.periods[t], "")
        yield (*where, "allotted chip", False, rows, columns, rate, "USD per chip-hour")
    for g, t in np.argwhere(np.isfinite(inst.install_limit)[:, None] & (time.hours > 0)).tolist():
        where = ("install", inst.regions[g], time.periods[t], "")
        starts: Parts = [("install", _index(g, t), np.ones(1))]
        yield (*where, "chip started", False, starts, [], 0.0, "")


def _supply_shares(case: Case, inst: Instance) -> Floats:
    """By how much the most chips by the hour grow with one more allotted chip [v, t]."""
    found: dict[tuple[int, str], Offer] = {
        (p, o.offer): o for p, rows in offers_of(case).items() for o in rows
    }
    out = np.zeros_like(inst.pay.max_chips)
    for v, (p, name) in enumerate(zip(inst.pay.pool.tolist(), inst.pay.offer, strict=True)):
        offer = found[p, name]
        share = 1.0 if offer.max_supply_share is None else offer.max_supply_share
        most = np.inf if offer.max_chips is None else offer.max_chips
        open_ = inst.pay.max_chips[v] > 0
        out[v] = np.where(open_ & (share * inst.pools.supply[p] < most), share, 0.0)
    return out


def lots_by_supply(inst: Instance) -> npt.NDArray[np.bool_]:
    """Starts whose most lots only repeat in whole lots what the pool has room for [j].

    The least room in the horizon (what is allotted, for renewals what they can keep too) for the
    part of the lots that is delivered then; where the most is smaller, the offer sets it, or what
    is delivered past the horizon.
    """
    st, pools, renews = inst.starts, inst.pools, inst.options.renews
    out = np.zeros(len(st.names), dtype=bool)
    for j, p in enumerate(st.pool.tolist()):
        room = pools.limit[p] if renews[j] else pools.allotted[p]
        out[j] = st.min_lots[j] <= 1 and st.max_lots[j] == most_lots(
            room, st.active[j], float(st.lot_chips[j])
        )
    return out


def _lots(case: Case, inst: Instance) -> Iterator[Entry]:
    """One more lot that an offer lets start in a period; options are rights, not limits."""
    del case
    st, by_supply = inst.starts, lots_by_supply(inst)
    for j, name in enumerate(st.names):
        if not by_supply[j] and st.min_lots[j] <= 1 and inst.options.of_start[j] < 0:
            columns: Parts = [("lots", _index(j), np.ones(1))]
            where = ("offer_lots", name.rsplit(" @ ", 1)[0], inst.time.periods[int(st.period[j])])
            yield (*where, "", "lot", False, [], columns, 0.0, "")


MEASURE_UNITS = {
    "spend": "USD of spend",
    "chips": "reference chip",
    "training_peak": "EFLOP/s",
    "served": "reference chip served",
}


def _rules(case: Case, inst: Instance) -> Iterator[Entry]:
    """Power, budgets, shares and engineers."""
    del case
    r, periods, s = inst.rules, inst.time.periods, _slices(inst)
    for n, t in np.argwhere(r.power.active).tolist():
        own = _index(n, t, s)
        rows: Parts = [("power", own, _ones(own))]
        yield "power", r.power.names[n], periods[t], "", "MW", False, rows, [], 0.0, ""
    for n, t in np.argwhere(r.budget.active).tolist():
        rows = [("budget", _index(n, t), np.ones(1))]
        yield "budget", r.budget.names[n], periods[t], "", "USD of cash", False, rows, [], 0.0, ""
    for n, t in np.argwhere(r.shares.active).tolist():
        measure = r.shares.measure[n]
        rows = [(f"share_{measure}", _index(n, t), np.ones(1))]
        unit = MEASURE_UNITS[measure]
        yield "share", r.shares.names[n], periods[t], "", unit, False, rows, [], 0.0, ""
    for t, period in enumerate(periods):
        rows = [("engineers_limit", _index(t), np.ones(1))]
        yield "engineers", "qualification", period, "", "engineer", False, rows, [], 0.0, ""


def _agreements(case: Case, inst: Instance) -> Iterator[Entry]:
    """What commitments and signed deals ask for."""
    del case
    c_, d_ = inst.rules.commitments, inst.rules.deals
    for c, name in enumerate(c_.names):
        rows: Parts = [("commitment", _index(c), np.ones(1))]
        for after in np.flatnonzero(c_.previous == c).tolist():
            rows.append(("carry_over", _index(after), -np.ones(1)))
        columns: Parts = [("shortfall", _index(c), np.ones(1))]
        yield "commitment", name, "", "", "USD of committed spend", True, rows, columns, 0.0, ""
    for d in np.flatnonzero(d_.open & (d_.minimum_usd > 0)).tolist():
        rows = [("deal_minimum", _index(d), np.ones(1))]
        columns = [("deal_shortfall", _index(d), np.ones(1))]
        yield (
            "deal_minimum",
            d_.names[d],
            "",
            "",
            "USD of minimum payments",
            True,
            rows,
            columns,
            0.0,
            "",
        )


def _cover(case: Case, inst: Instance) -> Iterator[Entry]:
    """One more percent of peak demand, without headroom, that must survive a contingency."""
    del case
    con, sv, s = inst.rules.contingencies, inst.serving, _slices(inst)
    for k, t in np.argwhere(con.active).tolist():
        rows: Parts = [
            ("cover_demand", _index(k, w, t, s), 0.01 * sv.peak[w, t] / sv.headroom[w])
            for w in np.flatnonzero(con.share[k] > 0).tolist()
        ]
        where = ("contingency", con.names[k], inst.time.periods[t], "")
        yield (*where, "percent of peak demand", True, rows, [], 0.0, "")
