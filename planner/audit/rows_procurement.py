"""What is bought and kept: lots, contracts, chips under contract, supply, installation."""

from __future__ import annotations

import numpy as np

from planner.audit.draft import Draft
from planner.audit.rows_options import less_renewed
from planner.instance import Instance


def lots_least(d: Draft, inst: Instance) -> None:
    """When any lots start, at least min_lots do: lots[j] - min_lots[j] * any_lots[j] >= 0."""
    some = d.columns["any_lots"]
    rows = d.add_rows("lots_least", ("start",), (some["start"],), lower=0.0)
    d.put(rows.positions, d.columns["lots"].at(some["start"]), 1.0)
    d.put(rows.positions, some.positions, -inst.starts.min_lots[some["start"]])


def lots_most(d: Draft, inst: Instance) -> None:
    """No lots start without the decision: lots[j] - max_lots[j] * any_lots[j] <= 0."""
    some = d.columns["any_lots"]
    rows = d.add_rows("lots_most", ("start",), (some["start"],), upper=0.0)
    d.put(rows.positions, d.columns["lots"].at(some["start"]), 1.0)
    d.put(rows.positions, some.positions, -inst.starts.max_lots[some["start"]])


def leave_once(d: Draft, _inst: Instance) -> None:
    """A contract is left at most once: sum_t leave[k,t] <= 1."""
    leave = d.columns["leave"]
    rows = d.add_rows("leave_once", ("contract",), (np.unique(leave["contract"]),), upper=1.0)
    d.put(rows.at(leave["contract"]), leave.positions, 1.0)


def contracted_chips(d: Draft, inst: Instance) -> None:
    """Chips under contract are those signed, less those left, plus those delivered by lots.

        contracted[p,t] - sum_{j in p} lot_chips[j] * active[j,t] * lots[j]
            + sum_{l in p, tau <= t} chips[l,t] * leave[k(l),tau] = existing[p,t]

    for every pool and period, in chips.
    """
    starts, contracts = inst.starts, inst.contracts
    held = d.columns["contracted"]
    p, t = held["pool"], held["period"]
    signed = inst.pools.existing[p, t]
    rows = d.add_rows("contracted_chips", ("pool", "period"), (p, t), signed, signed)
    d.put(rows.positions, held.positions, 1.0)
    j, t = np.nonzero(starts.active > 0)
    chips = starts.lot_chips[j] * starts.active[j, t]
    d.put(rows.at(starts.pool[j], t), d.columns["lots"].at(j), -chips)
    # Every line of a contract that is left at tau gives its chips back in tau and after.
    leave = d.columns["leave"]
    same = contracts.line_contract[:, None] == leave["contract"][None, :]
    later = np.arange(len(inst.time.periods))[None, :] >= leave["period"][:, None]
    given = same[:, :, None] & later[None] & (contracts.chips > 0)[:, None, :]
    line, which, t = np.nonzero(given)
    back = rows.at(contracts.line_pool[line], t)
    d.put(back, leave.positions[which], contracts.chips[line, t])


def supply(d: Draft, inst: Instance) -> None:
    """Contracts and pay as you go share what the provider allots.

        contracted[p,t] + sum_{v in p} hourly[v,t,s] - renewed[p,t] <= max(supply, existing)

    for every slice where the pool has pay as you go, in chips; elsewhere the upper bound of
    contracted, or `renewed_supply`, says it. renewed is what renewals bring beyond supply.
    """
    hourly = d.columns["hourly"]
    pool = inst.pay.pool[hourly["hourly offer"]]
    keys = np.unique(np.stack((pool, hourly["period"], hourly["slice"]), axis=1), axis=0)
    p, t, s = keys.T
    axes = ("pool", "period", "slice")
    most = np.maximum(inst.pools.supply, inst.pools.existing)[p, t]
    rows = d.add_rows("supply", axes, (p, t, s), upper=most)
    d.put(rows.positions, d.columns["contracted"].at(p, t), 1.0)
    d.put(rows.at(pool, hourly["period"], hourly["slice"]), hourly.positions, 1.0)
    less_renewed(d, inst, rows)


def install(d: Draft, inst: Instance) -> None:
    """A region takes only so many new chips in a period, at their full number.

        sum_{j starts in t, in region g} lot_chips[j] * lots[j] <= install_limit[g]

    for every region with a limit and period with starts that bring chips (a renewal brings
    none), in chips.
    """
    starts = inst.starts
    number = {name: g for g, name in enumerate(inst.regions)}
    of_pool = np.array([number[name] for name in inst.pools.region], dtype=np.int64)
    region = of_pool[starts.pool]
    brings = ~np.append(inst.options.renewal, False)[inst.options.of_start]
    j = np.flatnonzero(np.isfinite(inst.install_limit[region]) & brings)
    keys = np.unique(np.stack((region[j], starts.period[j]), axis=1), axis=0)
    g, t = keys.T
    rows = d.add_rows("install", ("region", "period"), (g, t), upper=inst.install_limit[g])
    d.put(rows.at(region[j], starts.period[j]), d.columns["lots"].at(j), starts.lot_chips[j])
