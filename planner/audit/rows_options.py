"""Options in signed contracts: renewals and their supply, expansions."""

from __future__ import annotations

import numpy as np

from planner.audit.draft import Block, Draft, Floats
from planner.instance import Instance


def beyond_supply(inst: Instance) -> Floats:
    """Part of each renewed chip that supply does not cover [p, t].

    Of the chips renewable[p,t] that renewals can keep, those beyond max(supply - signed, 0) are
    ours only because the contract had them; 0 where nothing can be renewed.
    """
    pools = inst.pools
    free = np.maximum(pools.supply - pools.existing, 0.0)
    over = np.maximum(pools.renewable - free, 0.0)
    some = pools.renewable > 0
    out: Floats = np.where(some, over / np.where(some, pools.renewable, 1.0), 0.0)
    return out


def less_renewed(d: Draft, inst: Instance, rows: Block) -> None:
    """In rows by pool and period (and slice): less the allocation that renewed chips bring."""
    starts, o_ = inst.starts, inst.options
    own = np.append(o_.renewal, False)[o_.of_start]
    j, t = np.nonzero(own[:, None] & (starts.active > 0))
    p = starts.pool[j]
    chips = beyond_supply(inst)[p, t] * starts.lot_chips[j] * starts.active[j, t]
    lots = d.columns["lots"].at(j)
    if "slice" in rows.axes:
        p, t, k, s = d.each_slice(p, t, np.arange(len(j)))
        d.put(rows.at(p, t, s), lots[k], -chips[k], some=True)
    else:
        d.put(rows.at(p, t), lots, -chips, some=True)


def renewed_supply(d: Draft, inst: Instance) -> None:
    """Renewed chips bring the allocation that they had, as far as supply does not cover them.

        contracted[p,t] - sum_{j renews in p} beyond[p,t] * lot_chips[j] * active[j,t] * lots[j]
            <= max(supply[p,t], existing[p,t])

    for every pool and period where renewals can reach beyond supply, in chips.
    """
    p, t = np.nonzero(beyond_supply(inst) > 0)
    most = np.maximum(inst.pools.supply, inst.pools.existing)[p, t]
    rows = d.add_rows("renewed_supply", ("pool", "period"), (p, t), upper=most)
    d.put(rows.positions, d.columns["contracted"].at(p, t), 1.0)
    less_renewed(d, inst, rows)


def renewal(d: Draft, inst: Instance) -> None:
    """A line's renewals keep at most what was delivered at its end, nothing once it was left.

        sum_{j renews l} lot_chips[j] * lots[j] + most[l] * sum_tau leave[k(l),tau] <= most[l]

    for every line with a renewal that can start, in chips; most[l] is the chips at its end, or
    all that its renewals may keep where that is less.
    """
    o_, starts, leave = inst.options, inst.starts, d.columns["leave"]
    j = np.flatnonzero(np.append(o_.renewal, False)[o_.of_start])
    line = o_.line[o_.of_start[j]]
    used = np.unique(o_.of_start[j])
    rights = np.zeros(len(inst.contracts.line_names))
    np.add.at(rights, o_.line[used], o_.lot_chips[used] * o_.most_lots[used])
    most = np.minimum(rights, o_.ending_chips)
    every = np.unique(line)
    rows = d.add_rows("renewal", ("line",), (every,), upper=most[every])
    d.put(rows.at(line), d.columns["lots"].at(j), starts.lot_chips[j])
    same = inst.contracts.line_contract[every][:, None] == leave["contract"][None, :]
    row, k = np.nonzero(same)
    d.put(rows.positions[row], leave.positions[k], most[every[row]])


def expansion(d: Draft, inst: Instance) -> None:
    """An expansion gives so many lots in all, and none from the period on in which it is left.

        sum_{j of o, start of j >= t} lots[j] + most_lots[o] * sum_{tau <= t} leave[k(o),tau]
            <= most_lots[o]

    for every expansion and period in which its lots can start.
    """
    o_, starts, leave = inst.options, inst.starts, d.columns["leave"]
    j = np.flatnonzero(np.append(~o_.renewal, False)[o_.of_start])
    o, t = o_.of_start[j], starts.period[j]
    rows = d.add_rows("expansion", ("option", "period"), (o, t), upper=o_.most_lots[o])
    row, k = np.nonzero((o[:, None] == o[None, :]) & (t[None, :] >= t[:, None]))
    d.put(rows.positions[row], d.columns["lots"].at(j[k]), 1.0)
    of = inst.contracts.line_contract[o_.line[o]]
    gone = leave["period"][None, :] <= t[:, None]
    row, k = np.nonzero((of[:, None] == leave["contract"][None, :]) & gone)
    d.put(rows.positions[row], leave.positions[k], o_.most_lots[o[row]])
