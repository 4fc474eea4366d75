"""Deals that open offers, spend commitments, whole-spend discount tiers."""

from __future__ import annotations

import numpy as np

from planner.audit.columns_rules import tier_end
from planner.audit.draft import Block, Draft, Ints
from planner.audit.quantities import hourly_usd
from planner.instance import Instance

HOURS_COUNT = {"all": 0.0, "contracts": -1.0, "pay_as_you_go": 1.0}
"""What is billed by the hour is part of spend: left as it is, taken out, or counted alone."""


def sign_once(d: Draft, _inst: Instance) -> None:
    """A deal is signed at most once: sum_t sign[d,t] <= 1, for every deal that can be."""
    sign = d.columns["sign"]
    rows = d.add_rows("sign_once", ("deal",), (np.unique(sign["deal"]),), upper=1.0)
    d.put(rows.at(sign["deal"]), sign.positions, 1.0)


def deal_opens(d: Draft, inst: Instance) -> None:
    """Lots of an offer start only when its deal was signed in time.

        lots[j] - max_lots[j] * sum_{tau <= signed_by[j]} sign[d(j),tau] <= 0

    for every start whose deal is under negotiation; signed_by is the last period whose start
    leaves the offer's lead until the lots' first day.
    """
    deals, sign = inst.rules.deals, d.columns["sign"]
    j = np.flatnonzero(np.isin(deals.of_start, sign["deal"]))
    rows = d.add_rows("deal_opens", ("start",), (j,), upper=0.0)
    d.put(rows.positions, d.columns["lots"].at(j), 1.0)
    same = deals.of_start[j][:, None] == sign["deal"][None, :]
    in_time = sign["period"][None, :] <= deals.signed_by[j][:, None]
    row, k = np.nonzero(same & in_time)
    d.put(rows.positions[row], sign.positions[k], -inst.starts.max_lots[j[row]])


def deal_minimum(d: Draft, inst: Instance) -> None:
    """A deal's offers are paid its minimum within the horizon, or it is short of it.

        sum_{j of d, t} payment[j,t] * lots[j] + deal_shortfall[d]
            - minimum[d] * sum_t sign[d,t] >= (minimum[d] when it is signed already, else 0)

    for every deal with a minimum that is signed or can be, in USD.
    """
    deals, sign, short = inst.rules.deals, d.columns["sign"], d.columns["deal_shortfall"]
    which = short["deal"]
    owed = np.where(deals.open[which], deals.minimum_usd[which], 0.0)
    rows = d.add_rows("deal_minimum", ("deal",), (which,), lower=owed)
    d.put(rows.positions, short.positions, 1.0)
    j = np.flatnonzero(deals.of_start >= 0)
    paid = inst.starts.payment_usd[j].sum(axis=1)
    d.put(rows.at(deals.of_start[j]), d.columns["lots"].at(j), paid, some=True)
    minimum = deals.minimum_usd[sign["deal"]]
    d.put(rows.at(sign["deal"]), sign.positions, -minimum, some=True)


def commitment(d: Draft, inst: Instance) -> None:
    """Spend that counts meets a window's minimum, or the rest is paid.

        counted[c] + shortfall[c] >= minimum[c]

    for every window, in USD; `_counted` says what counts in it.
    """
    c_, short = inst.rules.commitments, d.columns["shortfall"]
    every = np.arange(len(c_.names))
    rows = d.add_rows("commitment", ("window",), (every,), lower=c_.minimum_usd)
    d.put(rows.positions, short.at(every), 1.0)
    _counted(d, inst, rows, every, 1.0)


def carry_over(d: Draft, inst: Instance) -> None:
    """No more is carried into a window than the one before had beyond its minimum.

        carried[c] - counted[b] - shortfall[b] <= -minimum[b],   b the window before c

    for every window into which excess is carried, in USD; what counts in b is stated as in its
    own row, with what was carried into b.
    """
    c_, carried = inst.rules.commitments, d.columns["carried"]
    before = c_.previous[carried["window"]]
    axes, index = ("window",), (carried["window"],)
    rows = d.add_rows("carry_over", axes, index, upper=-c_.minimum_usd[before])
    d.put(rows.positions, carried.positions, 1.0)
    d.put(rows.positions, d.columns["shortfall"].at(before), -1.0)
    _counted(d, inst, rows, before, -1.0)


def _counted(d: Draft, inst: Instance, rows: Block, windows: Ints, factor: float) -> None:
    """Add `factor` times what counts in one window to each row.

    counted[c] = sum_{p of the cloud, t of c} spend[p,t]                           (all)
                 the same without what is billed by the hour                 (contracts)
                 sum_{v of the cloud, t of c, s} hourly_usd[v,t,s] * hourly (pay_as_you_go)
                 + carry_share[c-1] * carried[c]
    """
    c_, spend, hourly = inst.rules.commitments, d.columns["spend"], d.columns["hourly"]
    carried = d.columns["carried"]
    v, t, s = hourly.index.T
    p = inst.pay.pool[v]
    usd = hourly_usd(inst)[v, t, s]
    for row, c in zip(rows.positions.tolist(), windows.tolist(), strict=True):
        if c_.counts[c] != "pay_as_you_go":
            k = np.flatnonzero(c_.member[c][spend["pool"]] & c_.window[c][spend["period"]])
            d.put(np.full(len(k), row), spend.positions[k], factor)
        sign = HOURS_COUNT[c_.counts[c]]
        if sign:
            k = np.flatnonzero(c_.member[c][p] & c_.window[c][t])
            d.put(np.full(len(k), row), hourly.positions[k], factor * sign * usd[k])
        into = carried.at(np.array([c]))
        if into[0] >= 0:
            share = c_.carry_share[c_.previous[c]]
            d.put(np.array([row]), into, factor * share)


def tier_total(d: Draft, inst: Instance) -> None:
    """A year's whole spend with a cloud falls into its tiers.

        sum_{g of group} tier_spend[g] - sum_{p of cloud, t of year} spend[p,t] = 0

    for every group (cloud and year), in USD.
    """
    g_, part, spend = inst.rules.tiers, d.columns["tier_spend"], d.columns["spend"]
    every = np.arange(len(g_.group_names))
    rows = d.add_rows("tier_total", ("tier group",), (every,), 0.0, 0.0)
    d.put(rows.at(g_.group[part["tier"]]), part.positions, 1.0)
    group, k = np.nonzero(g_.member[:, spend["pool"]] & g_.window[:, spend["period"]])
    d.put(rows.at(group), spend.positions[k], -1.0)


def tier_least(d: Draft, inst: Instance) -> None:
    """Spend in a tier is at least where it begins: tier_spend[g] - from[g] * in_tier[g] >= 0."""
    part, chosen = d.columns["tier_spend"], d.columns["in_tier"]
    g = part["tier"]
    rows = d.add_rows("tier_least", ("tier",), (g,), lower=0.0)
    d.put(rows.positions, part.positions, 1.0)
    d.put(rows.positions, chosen.at(g), -inst.rules.tiers.from_usd[g])


def tier_most(d: Draft, inst: Instance) -> None:
    """Spend in a tier is at most where it ends: tier_spend[g] - to[g] * in_tier[g] <= 0.

    The last tier ends at all that the cloud can be paid in the year, and no tier ends later.
    """
    part, chosen = d.columns["tier_spend"], d.columns["in_tier"]
    g = part["tier"]
    rows = d.add_rows("tier_most", ("tier",), (g,), upper=0.0)
    d.put(rows.positions, part.positions, 1.0)
    d.put(rows.positions, chosen.at(g), -tier_end(inst)[g])


def tier_one(d: Draft, inst: Instance) -> None:
    """A year's spend with a cloud falls into one tier: sum_{g of group} in_tier[g] = 1."""
    g_, chosen = inst.rules.tiers, d.columns["in_tier"]
    every = np.arange(len(g_.group_names))
    rows = d.add_rows("tier_one", ("tier group",), (every,), 1.0, 1.0)
    d.put(rows.at(g_.group[chosen["tier"]]), chosen.positions, 1.0)


def hours_used(d: Draft, inst: Instance) -> None:
    """Hours that count towards a commitment or tier are hours that work is done in.

        sum_{v in p} goodput[v] * hourly[v,t,s] - sum_w serve - sum_q use * place - sum_r flex <= 0

    for every pool and period in which its cloud has a window that counts hours, or a year of
    tiers, and slice, in working chips; without guaranteed offers in periods that a contingency
    binds in, which may stand by.
    """
    rules, pay, tr = inst.rules, inst.pay, inst.training
    hourly, serve, flex = d.columns["hourly"], d.columns["serve"], d.columns["flex"]
    some = np.array([kind != "contracts" for kind in rules.commitments.counts], dtype=bool)
    c_, g_ = rules.commitments, rules.tiers
    counts = np.einsum("cp,ct->pt", c_.member[some].astype(int), c_.window[some].astype(int))
    counts += np.einsum("kp,kt->pt", g_.member.astype(int), g_.window.astype(int))
    v, t, s = hourly.index.T
    binding = np.asarray(rules.contingencies.active.any(axis=0))
    waits = pay.guaranteed[v] & binding[t]
    mine = (counts[pay.pool[v], t] > 0) & ~waits
    keys = np.unique(np.stack((pay.pool[v], t, s), axis=1)[mine], axis=0)
    rows = d.add_rows("hours_used", ("pool", "period", "slice"), tuple(keys.T), upper=0.0)
    at = rows.at(pay.pool[v[mine]], t[mine], s[mine])
    d.put(at, hourly.positions[mine], pay.goodput[v[mine]])
    for block in (serve, flex):
        at = rows.at(block["pool"], block["period"], block["slice"])
        d.put(at, block.positions, -1.0, some=True)
    q, p, t, s = d.each_slice(*np.nonzero(tr.column_use > 0))
    d.put(rows.at(p, t, s), d.columns["place"].at(q), -tr.column_use[q, p, t], some=True)
