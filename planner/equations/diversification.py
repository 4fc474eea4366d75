"""No cloud, vendor, chip family or region has too much; a model is not served from one place."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from planner.equations.sets import Model, members, param, rows, table
from planner.instance import Instance

Grid = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def spend(m: Model, inst: Instance) -> None:
    """spend[p,t]: accrued payments of a pool, existing contracts included, USD, not discounted.

        spend[p,t] = sum_{l in p} payment[l,t] * (1 - sum_{tau <= t} leave[k(l),tau])
                     + sum_{j in p} accrued[j,t] * lots[j]
                     + sum_{v in p, s} price[v,t] * slot_hours[t,s] * billed_share[t,s]
                       * hourly[v,t,s]

    for every pool p and period t; made only when a rule or commitment needs it.
    """
    if not needs_spend(inst):
        return
    pools, c, st, pay = inst.pools, inst.contracts, inst.starts, inst.pay
    signed = np.zeros(pools.supply.shape)
    np.add.at(signed, c.line_pool, c.payment_usd)
    most = spend_limit(inst)
    m.spend = pyo.Var(m.P, m.T, bounds=lambda _m, p, t: (0.0, float(most[p, t])))
    param(m, "signed_usd", {(p, t): float(v) for (p, t), v in np.ndenumerate(signed)}, m.P, m.T)
    at = np.argwhere(st.accrued_usd > 0).tolist()
    pool = st.pool.tolist()
    members(m, "paying_in", (((pool[j], t), j) for j, t in at), m.P, m.T)
    param(m, "accrued_usd", {(j, t): float(st.accrued_usd[j, t]) for j, t in at}, m.J, m.T)
    line = {(i, t): float(v) for (i, t), v in np.ndenumerate(c.payment_usd)}
    param(m, "line_usd", line, m.L, m.T)
    hours = inst.time.slot_hours * pay.billed_share
    rate = pay.price_usd_per_chip_hour[:, :, None] * hours[None]
    cash = {(v, t, s): float(rate[v, t, s]) for v, t in m.HOURLY for s in m.S}
    param(m, "hourly_cash_usd", cash, m.HOURLY, m.S)
    rows(
        m,
        "spend_accrued",
        m.P,
        m.T,
        rule=lambda m, p, t: m.spend[p, t]
        - sum(m.accrued_usd[j, t] * m.lots[j] for j in m.paying_in[p, t])
        + sum(m.line_usd[li, t] * m.leave[k, tau] for li, k, tau in m.LEFT_LINES[p, t])
        - sum(m.hourly_cash_usd[v, t, s] * m.hourly[v, t, s]
              for v in m.hourly_in[p, t] for s in m.S)
        == m.signed_usd[p, t],
    )  # fmt: skip


def needs_spend(inst: Instance) -> bool:
    """Whether any rule is stated in spend."""
    rules = inst.rules
    return bool(
        "spend" in rules.shares.measure or rules.commitments.names or rules.tiers.group_names
    )


def spend_limit(inst: Instance) -> Grid:
    """Most that can be spent in a pool: signed payments and every lot and hour there is [p, t]."""
    st, pay = inst.starts, inst.pay
    out = np.zeros(inst.pools.supply.shape)
    np.add.at(out, inst.contracts.line_pool, inst.contracts.payment_usd)
    np.add.at(out, st.pool, st.accrued_usd * st.max_lots[:, None])
    hours = (inst.time.slot_hours * pay.billed_share).sum(axis=1)
    np.add.at(out, pay.pool, pay.price_usd_per_chip_hour * pay.max_chips * hours[None, :])
    return out


def served(m: Model, inst: Instance) -> None:
    """served[p,t]: what a pool serves in the mean of the week, in reference chips.

        served[p,t] = sum_{w,s} slice_hours[s] / 168 * rate[w,p,t] / reference_rate[w]
                      * serve[w,p,t,s]

    for every pool p and period t; made only when a rule is stated in it.
    """
    if "served" not in inst.rules.shares.measure:
        return
    sv = inst.serving
    most = np.einsum("wts,w->t", sv.peak, sv.reference_chips_per_rate)
    m.served = pyo.Var(m.P, m.T, bounds=lambda _m, _p, t: (0.0, float(most[t])))
    param(m, "per_request", table(sv.reference_chips_per_rate), m.W)
    rows(
        m,
        "served_work",
        m.P,
        m.T,
        rule=lambda m, p, t: (
            168.0 * m.served[p, t]
            - sum(
                m.slice_hours[s] * m.rate[w, p, t] * m.per_request[w] * m.serve[w, p, t, s]
                for w in m.workloads_on[p, t]
                for s in m.S
            )
            == 0
        ),
    )


def chip_weights(inst: Instance, measure: str) -> Grid:
    """What a contracted chip of a pool counts for in a measure of chips [p].

    chips: its worth in reference chips; training_peak: its dense BF16 peak, EFLOP/s, 0 where it
    cannot train.
    """
    return inst.pools.reference_chips if measure == "chips" else inst.pools.training_eflop_per_s


def shares(m: Model, inst: Instance) -> None:
    """No member has more than its share of a measure.

        sum_{p in member} measure[p,t] - over[n,t] <= bound[n] * sum_p measure[p,t]

    for every share rule n and period t in which it holds. measure is spend[p,t], served[p,t],
    or weight[p] * (contracted[p,t] + sum_{v in p, s} slice_hours[s] / 168 * hourly[v,t,s]) with
    the weight of `chip_weights` (training_peak: contracted chips only). over[n,t] >= 0 exists
    only where the rule has a price.
    """
    rules = inst.rules.shares
    keys = [(n, t) for n, t in np.argwhere(rules.active).tolist()]
    m.SHARES = pyo.Set(dimen=2, initialize=keys)
    priced = [k for k in keys if np.isfinite(rules.penalty_usd[k[0]])]
    m.SHARES_PRICED = pyo.Set(dimen=2, initialize=priced)
    most = share_over_limit(inst)
    m.over_share = pyo.Var(m.SHARES_PRICED, bounds=lambda _m, n, t: (0.0, float(most[n, t])))
    members(m, "over_of", ((k, 0) for k in priced), m.SHARES)
    for measure in ("spend", "served", "chips", "training_peak"):
        chosen = [k for k in keys if rules.measure[k[0]] == measure]
        _share_rows(m, inst, measure, chosen)


def share_over_limit(inst: Instance) -> Grid:
    """Most that a member can have of a rule's measure, an upper bound of over[n, t]."""
    rules = inst.rules.shares
    out = np.zeros(rules.active.shape)
    hourly = np.zeros(inst.pools.supply.shape)
    np.add.at(hourly, inst.pay.pool, inst.pay.max_chips)
    for n, measure in enumerate(rules.measure):
        if measure == "spend":
            most = spend_limit(inst)
        elif measure == "served":
            load = np.einsum("wts,w->t", inst.serving.peak, inst.serving.reference_chips_per_rate)
            most = np.repeat(load[None, :], len(inst.pools.names), axis=0)
        else:
            most = chip_weights(inst, measure)[:, None] * (inst.pools.limit + hourly)
        out[n] = most[rules.member[n]].sum(axis=0)
    return out


def _share_rows(m: Model, inst: Instance, measure: str, keys: list[tuple[int, int]]) -> None:
    """Rows of one measure: every pool with its coefficient, 1 - bound inside, -bound outside."""
    rules = inst.rules.shares
    index = pyo.Set(dimen=2, initialize=keys)
    m.add_component(f"SHARES_{measure}", index)
    in_chips = measure in ("chips", "training_peak")
    weight = chip_weights(inst, measure) if in_chips else np.ones_like(inst.pools.usable)
    chosen = sorted({n for n, _ in keys})
    side = {
        (n, p): float((inside - rules.bound[n]) * weight[p])
        for n in chosen
        for p, inside in enumerate(rules.member[n].tolist())
    }
    name = f"share_side_{measure}"
    param(m, name, side, pyo.Set(initialize=chosen), m.P)
    coefficient = getattr(m, name)
    if measure in ("spend", "served"):
        var = getattr(m, measure) if keys else {}
        rows(
            m,
            f"share_{measure}",
            index,
            rule=lambda m, n, t: (
                sum(coefficient[n, p] * var[p, t] for p in m.P)
                - sum(m.over_share[n, t] for _ in m.over_of[n, t])
                <= 0
            ),
        )
        return
    if measure == "training_peak":
        rows(
            m,
            "share_training_peak",
            index,
            rule=lambda m, n, t: (
                sum(coefficient[n, p] * m.contracted[p, t] for p in m.P)
                - sum(m.over_share[n, t] for _ in m.over_of[n, t])
                <= 0
            ),
        )
        return
    pay = inst.pay.pool.tolist()
    hourly = {(n, v): side[n, p] / 168.0 for n in chosen for v, p in enumerate(pay)}
    param(m, "share_hourly", hourly, pyo.Set(initialize=chosen), m.V)
    members(m, "hourly_at", ((t, v) for v, t in m.HOURLY), m.T)
    rows(
        m,
        "share_chips",
        index,
        rule=lambda m, n, t: (
            sum(coefficient[n, p] * m.contracted[p, t] for p in m.P)
            + sum(
                m.share_hourly[n, v] * m.slice_hours[s] * m.hourly[v, t, s]
                for v in m.hourly_at[t]
                for s in m.S
            )
            - sum(m.over_share[n, t] for _ in m.over_of[n, t])
            <= 0
        ),
    )


def minimum_placement(m: Model, inst: Instance) -> None:
    """At least so many clouds or regions each carry a share of a model's demand.

        sum_{w of model, p in i, s} slice_hours[s] * rate[w,p,t] * serve[w,p,t,s]
            >= share[n] * demand[n,t] * carries[n,i,t]
        sum_i carries[n,i,t] >= count[n]

    for every placement rule n, member i and period t in which the rule holds; demand[n,t] =
    sum_{w,s} slice_hours[s] * peak[w,t,s]; carries is binary.
    """
    rules, sv = inst.rules.placement, inst.serving
    hours = inst.time.slice_hours
    keys, demand, flows = [], {}, {}
    for n in range(len(rules.names)):
        wanted = np.einsum("wts,s->t", sv.peak[rules.workloads[n]], hours)
        for t in np.flatnonzero(rules.active[n] & (wanted > 0)).tolist():
            demand[n, t] = float(wanted[t])
            for i in range(len(rules.member_names[n])):
                keys.append((n, i, t))
                flows[n, i, t] = [
                    (w, p)
                    for w in np.flatnonzero(rules.workloads[n]).tolist()
                    for p in np.flatnonzero(rules.member[n][i]).tolist()
                    if (w, p, t) in m.SERVE
                ]
    m.PLACEMENTS = pyo.Set(dimen=3, initialize=keys)
    m.PLACEMENT_RULES = pyo.Set(dimen=2, initialize=sorted(demand))
    m.carries = pyo.Var(m.PLACEMENTS, domain=pyo.Binary)
    m.placement_flows = pyo.Set(m.PLACEMENTS, dimen=2, initialize=flows)
    members(m, "placement_members", (((n, t), i) for n, i, t in keys), m.PLACEMENT_RULES)
    least = {(n, i, t): float(rules.share[n]) * demand[n, t] for n, i, t in keys}
    param(m, "placement_least", least, m.PLACEMENTS)
    param(m, "placement_count", {k: float(rules.count[k[0]]) for k in demand}, m.PLACEMENT_RULES)
    rows(
        m,
        "placement_share",
        m.PLACEMENTS,
        rule=lambda m, n, i, t: (
            sum(
                m.slice_hours[s] * m.rate[w, p, t] * m.serve[w, p, t, s]
                for w, p in m.placement_flows[n, i, t]
                for s in m.S
            )
            - m.placement_least[n, i, t] * m.carries[n, i, t]
            >= 0
        ),
    )
    rows(
        m,
        "placement_members_least",
        m.PLACEMENT_RULES,
        rule=lambda m, n, t: (
            sum(m.carries[n, i, t] for i in m.placement_members[n, t]) >= m.placement_count[n, t]
        ),
    )
