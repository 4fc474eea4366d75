"""Deals that open offers, spend commitments, and whole-spend discount tiers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyomo.environ as pyo

from planner.equations.diversification import spend_limit
from planner.equations.sets import Model, members, param, rows
from planner.instance import Instance


def deals(m: Model, inst: Instance) -> None:
    """sign[d,t] = 1 when deal d is signed in period t: on its first day, or as soon as it can be.

        sum_t sign[d,t] <= 1
        lots[j] <= max_lots[j] * sum_{tau <= signed_by[j]} sign[d(j),tau]
        sum_{j of d, t} payment[j,t] * lots[j] + deal_shortfall[d]
            >= minimum[d] * (sum_t sign[d,t], or 1 when it is signed already)

    for every deal d and every start j of an offer that needs a deal under negotiation, whose
    lots must be signed lead days after the deal. deal_shortfall[d] >= 0 is paid in the last period.
    """
    d_, st = inst.rules.deals, inst.starts
    keys = [(d, t) for d, t in np.argwhere(d_.sign_in).tolist()]
    m.D = pyo.RangeSet(0, len(d_.names) - 1)
    m.SIGN = pyo.Set(dimen=2, initialize=keys)
    m.sign = pyo.Var(m.SIGN, domain=pyo.Binary)
    deciding = sorted({d for d, _ in keys})
    m.DECIDING = pyo.Set(initialize=deciding)
    members(m, "sign_in", keys, m.D)
    rows(
        m,
        "sign_once",
        m.DECIDING,
        rule=lambda m, d: sum(m.sign[d, t] for t in m.sign_in[d]) <= 1,
    )
    bound = [j for j, d in enumerate(d_.of_start.tolist()) if d in set(deciding)]
    m.DEAL_STARTS = pyo.Set(initialize=bound)
    opens = (
        (j, (d, t)) for j in bound for d, t in keys
        if d == d_.of_start[j] and t <= d_.signed_by[j]
    )  # fmt: skip
    members(m, "opened_by", opens, m.DEAL_STARTS, dimen=2)
    rows(
        m,
        "deal_opens",
        m.DEAL_STARTS,
        rule=lambda m, j: (
            m.lots[j] - m.max_lots[j] * sum(m.sign[d, t] for d, t in m.opened_by[j]) <= 0
        ),
    )
    least = [d for d in range(len(d_.names)) if d_.minimum_usd[d] > 0 and _live(inst, d)]
    m.DEAL_MINIMUM = pyo.Set(initialize=least)
    m.deal_shortfall = pyo.Var(m.DEAL_MINIMUM, bounds=lambda _m, d: (0.0, float(d_.minimum_usd[d])))
    paid = st.payment_usd.sum(axis=1)
    param(m, "lot_paid_usd", dict(enumerate(paid.tolist())), m.J)
    of_deal = ((d, j) for j, d in enumerate(d_.of_start.tolist()) if d >= 0)
    members(m, "starts_of_deal", of_deal, m.D)
    param(m, "deal_minimum_usd", dict(enumerate(d_.minimum_usd.tolist())), m.D)
    owed = {d: float(d_.minimum_usd[d]) if d_.open[d] else 0.0 for d in least}
    param(m, "deal_owed_usd", owed, m.DEAL_MINIMUM)
    rows(
        m,
        "deal_minimum",
        m.DEAL_MINIMUM,
        rule=lambda m, d: (
            sum(m.lot_paid_usd[j] * m.lots[j] for j in m.starts_of_deal[d])
            + m.deal_shortfall[d]
            - m.deal_minimum_usd[d] * sum(m.sign[d, t] for t in m.sign_in[d])
            >= m.deal_owed_usd[d]
        ),
    )


def _live(inst: Instance, d: int) -> bool:
    """Whether a deal is signed or can be."""
    return bool(inst.rules.deals.open[d] or inst.rules.deals.sign_in[d].any())


def commitments(m: Model, inst: Instance) -> None:
    """A spend commitment is met in each window, carried over from the last, or its rest is paid.

        counted[c] + carry_share[c-1] * carried[c] + shortfall[c] >= minimum[c]
        carried[c] <= counted[c-1] + carry_share[c-2] * carried[c-1] - minimum[c-1]
                      + shortfall[c-1]

    for every window c and the window c-1 before it; counted[c] = sum of spend[p,t] of the cloud
    over the window (all), or the part from contracts or by the hour; carried[c] >= 0 is what the
    window before spent beyond its minimum, shortfall[c] >= 0 is paid at the window's end.
    """
    c_ = inst.rules.commitments
    m.C = pyo.RangeSet(0, len(c_.names) - 1)
    m.shortfall = pyo.Var(m.C, bounds=lambda _m, c: (0.0, float(c_.minimum_usd[c])))
    param(m, "commitment_usd", dict(enumerate(c_.minimum_usd.tolist())), m.C)
    slots = [
        (c, (p, t))
        for c in range(len(c_.names))
        for p in np.flatnonzero(c_.member[c]).tolist()
        for t in np.flatnonzero(c_.window[c]).tolist()
    ]
    billed = [(c, k) for c, k in slots if c_.counts[c] in ("all", "contracts")]
    # What is billed by the hour is part of spend: taken out, or counted alone.
    sign = {"all": 0.0, "contracts": -1.0, "pay_as_you_go": 1.0}
    param(m, "hourly_counts", {c: sign[kind] for c, kind in enumerate(c_.counts)}, m.C)
    pool = inst.pay.pool.tolist()
    hourly = [
        (c, (c, v, t))
        for c, (p, t) in slots
        if sign[c_.counts[c]]
        for v, u in m.HOURLY
        if u == t and pool[v] == p
    ]
    most = spend_limit(inst)
    chain = {c: int(b) for c, b in enumerate(c_.previous) if b >= 0 and c_.carry_share[b] > 0}
    m.CARRY = pyo.Set(initialize=list(chain))
    total = {c: float(most[c_.member[b]][:, c_.window[b]].sum()) for c, b in chain.items()}
    m.carried = pyo.Var(m.CARRY, bounds=lambda _m, c: (0.0, total[c]))
    param(m, "carry_share", {c: float(c_.carry_share[b]) for c, b in chain.items()}, m.C)
    param(m, "carry_free_usd", {c: float(c_.minimum_usd[b]) for c, b in chain.items()}, m.C)
    # The sets of a window itself, and those of the window before it.
    after = {b: c for c, b in chain.items()}
    own = {c: c for c in range(len(c_.names))}
    for tag, place in (("own", own), ("before", after)):
        for name, pairs, dimen in (
            ("spend", billed, 2),
            ("hourly", hourly, 3),
            ("carried", [(c, c) for c in chain], 1),
            ("shortfall", list(own.items()), 1),
        ):
            moved = [(place[c], member) for c, member in pairs if c in place]
            members(m, f"{name}_{tag}", moved, m.C, dimen=dimen)

    rows(
        m,
        "commitment",
        m.C,
        rule=lambda m, c: (
            sum(m.spend[p, t] for p, t in m.spend_own[c])
            + sum(
                m.hourly_counts[b] * m.hourly_cash_usd[v, t, s] * m.hourly[v, t, s]
                for b, v, t in m.hourly_own[c]
                for s in m.S
            )
            + sum(m.carry_share[b] * m.carried[b] for b in m.carried_own[c])
            + m.shortfall[c]
            >= m.commitment_usd[c]
        ),
    )
    rows(
        m,
        "carry_over",
        m.CARRY,
        rule=lambda m, c: (
            m.carried[c]
            - sum(m.spend[p, t] for p, t in m.spend_before[c])
            - sum(
                m.hourly_counts[b] * m.hourly_cash_usd[v, t, s] * m.hourly[v, t, s]
                for b, v, t in m.hourly_before[c]
                for s in m.S
            )
            - sum(m.carry_share[b] * m.carried[b] for b in m.carried_before[c])
            - sum(m.shortfall[b] for b in m.shortfall_before[c])
            <= -m.carry_free_usd[c]
        ),
    )


def tiers(m: Model, inst: Instance) -> None:
    """A year's whole spend with a cloud falls into one tier and gets its discount.

        sum_{g in group} tier_spend[g] = sum_{p of cloud, t of year} spend[p,t]
        from[g] * in_tier[g] <= tier_spend[g] <= to[g] * in_tier[g]
        sum_{g in group} in_tier[g] = 1

    for every group (cloud, year) and tier g; in_tier is binary; the last tier ends at the most
    that can be spent.
    """
    g_ = inst.rules.tiers
    most = spend_limit(inst)
    total = [float(most[g_.member[k]][:, g_.window[k]].sum()) for k in range(len(g_.group_names))]
    top = np.minimum(g_.to_usd, np.array([total[k] for k in g_.group.tolist()] or [0.0]))
    m.G = pyo.RangeSet(0, len(g_.names) - 1)
    m.TIER_GROUPS = pyo.RangeSet(0, len(g_.group_names) - 1)
    m.in_tier = pyo.Var(m.G, domain=pyo.Binary)
    m.tier_spend = pyo.Var(m.G, bounds=lambda _m, g: (0.0, max(float(top[g]), 0.0)))
    members(m, "tiers_of", ((k, g) for g, k in enumerate(g_.group.tolist())), m.TIER_GROUPS)
    slots = (
        (k, (p, t))
        for k in range(len(g_.group_names))
        for p in np.flatnonzero(g_.member[k]).tolist()
        for t in np.flatnonzero(g_.window[k]).tolist()
    )
    members(m, "tier_slots", slots, m.TIER_GROUPS, dimen=2)
    param(m, "tier_from_usd", dict(enumerate(g_.from_usd.tolist())), m.G)
    param(m, "tier_to_usd", dict(enumerate(np.maximum(top, 0.0).tolist())), m.G)
    rows(
        m,
        "tier_total",
        m.TIER_GROUPS,
        rule=lambda m, k: (
            sum(m.tier_spend[g] for g in m.tiers_of[k])
            - sum(m.spend[p, t] for p, t in m.tier_slots[k])
            == 0
        ),
    )
    rows(
        m,
        "tier_least",
        m.G,
        rule=lambda m, g: m.tier_spend[g] - m.tier_from_usd[g] * m.in_tier[g] >= 0,
    )
    rows(
        m,
        "tier_most",
        m.G,
        rule=lambda m, g: m.tier_spend[g] - m.tier_to_usd[g] * m.in_tier[g] <= 0,
    )
    rows(
        m,
        "tier_one",
        m.TIER_GROUPS,
        rule=lambda m, k: sum(m.in_tier[g] for g in m.tiers_of[k]) == 1,
    )


def hours_used(m: Model, inst: Instance) -> None:
    """Hours that count towards a commitment or tier are hours that work is done in.

        sum_{v in p} goodput[v] * hourly[v,t,s]
            <= sum_w serve[w,p,t,s] + sum_q use[q,p,t] * place[q] + sum_r flex[r,p,t,s]

    for every pool p of a cloud and period t whose hours count (a window of all spend or of pay
    as you go, or a year of tiers) and slice s, in working chips. Pay as you go is billed while it
    runs, and nobody runs idle chips to meet a minimum; contracts count used or not, as they are
    paid. Guaranteed hours that stand by for a contingency are left out.
    """
    st = standing_by(inst)
    counted = hours_counted(inst)
    some = [(v, t) for v, t in m.HOURLY if counted[inst.pay.pool[v], t] and not st[v, t]]
    pool = inst.pay.pool.tolist()
    m.HOURS_USED = pyo.Set(dimen=2, initialize=sorted({(pool[v], t) for v, t in some}))
    members(m, "counted_hourly", (((pool[v], t), v) for v, t in some), m.HOURS_USED)
    rows(
        m,
        "hours_used",
        m.HOURS_USED,
        m.S,
        rule=lambda m, p, t, s: (
            sum(m.goodput[v] * m.hourly[v, t, s] for v in m.counted_hourly[p, t])
            - sum(m.serve[w, p, t, s] for w in m.workloads_on[p, t])
            - sum(m.use[q, p, t] * m.place[q] for q in m.columns_in[p, t])
            - sum(m.flex[r, p, t, s] for r in m.runs_on[p, t])
            <= 0
        ),
    )


def hours_counted(inst: Instance) -> npt.NDArray[np.bool_]:
    """Whether the hours of a pool count towards a commitment or a tier [p, t]."""
    c_, g_ = inst.rules.commitments, inst.rules.tiers
    out = np.zeros(inst.pools.supply.shape, dtype=bool)
    for c, counts in enumerate(c_.counts):
        if counts != "contracts":
            out |= c_.member[c][:, None] & c_.window[c][None, :]
    for mask, window in zip(g_.member, g_.window, strict=True):
        out |= mask[:, None] & window[None, :]
    return out


def standing_by(inst: Instance) -> npt.NDArray[np.bool_]:
    """Whether hours of an offer may be held for a contingency: guaranteed, and one binds [v, t]."""
    binds = np.asarray(inst.rules.contingencies.active.any(axis=0))
    out: npt.NDArray[np.bool_] = inst.pay.guaranteed[:, None] & binds[None, :]
    return out
