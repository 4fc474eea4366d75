"""Power of a region, and the cash of a period."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from planner.equations.sets import Model, members, param, rows
from planner.instance import Instance
from planner.instance.rules import Commitments, Tiers


def power(m: Model, inst: Instance) -> None:
    """A region draws no more than its power.

        sum_{p in region} kw[p] / 1000 * (contracted[p,t] + sum_{v in p} hourly[v,t,s])
            - over_power[n,t] <= bound[n]

    for every power rule n, period t in which it holds and slice s, in MW; over_power >= 0 exists
    only where the rule has a price.
    """
    rules = inst.rules.power
    keys = [tuple(k) for k in np.argwhere(rules.active).tolist()]
    m.POWER = pyo.Set(dimen=2, initialize=keys)
    priced = [k for k in keys if np.isfinite(rules.penalty_usd[k[0]])]
    m.POWER_PRICED = pyo.Set(dimen=2, initialize=priced)
    draw = inst.pools.kw[:, None] / 1e3 * inst.pools.limit
    most = np.array([draw[mask].sum(axis=0) for mask in rules.member]).reshape(
        len(rules.names), draw.shape[1]
    )
    m.over_power = pyo.Var(m.POWER_PRICED, bounds=lambda _m, n, t: (0.0, float(most[n, t])))
    members(m, "over_power_of", ((k, 0) for k in priced), m.POWER)
    chosen = sorted({n for n, _ in keys})
    inside = [(n, p) for n in chosen for p in np.flatnonzero(rules.member[n]).tolist()]
    m.POWER_RULES = pyo.Set(initialize=chosen)
    members(m, "power_pools", inside, m.POWER_RULES)
    param(m, "power_mw", dict(enumerate((inst.pools.kw / 1e3).tolist())), m.P)
    pool = inst.pay.pool.tolist()
    hourly = (((n, t), v) for n in chosen for v, t in m.HOURLY if rules.member[n, pool[v]])
    members(m, "power_hourly", hourly, m.POWER_RULES, m.T)
    param(m, "power_hourly_mw", {v: float(inst.pools.kw[p] / 1e3) for v, p in enumerate(pool)}, m.V)
    bound = {n: float(rules.bound_mw[n]) for n in chosen}
    param(m, "power_bound_mw", bound, m.POWER_RULES)
    rows(
        m,
        "power",
        m.POWER,
        m.S,
        rule=lambda m, n, t, s: (
            sum(m.power_mw[p] * m.contracted[p, t] for p in m.power_pools[n])
            + sum(m.power_hourly_mw[v] * m.hourly[v, t, s] for v in m.power_hourly[n, t])
            - sum(m.over_power[n, t] for _ in m.over_power_of[n, t])
            <= m.power_bound_mw[n]
        ),
    )


def budget(m: Model, inst: Instance) -> None:
    """Cash out of a period stays within its budget.

        sum_l payment[l,t] * (1 - sum_{tau <= t} leave[k(l),tau]) + sum_k exit_fee[k] * leave[k,t]
            + sum_j payment[j,t] * lots[j]
            + sum_{v,s} price[v,t] * slot_hours[t,s] * billed_share[t,s] * hourly[v,t,s]
            + sum_d (signing[d,t] + prepayment[d]) * sign[d,t] + sum_e cost[e] * qualify[e,t]
            - sum_{d, tau: credited[tau] = t} prepayment[d] * sign[d,tau]
            + sum_{c that ends in t} shortfall[c] + sum_d deal_shortfall[d] (in the last period)
            - sum_{g of a year that ends in t} discount[g] * tier_spend[g]
            - over_budget[n,t] <= bound[n]

    for every budget rule n and period t in which it holds, in USD of the period, not discounted.
    Each falls into the period in which it is paid: payments by their schedule (an upfront share
    at the start), exit fees when the contract is left, signing and prepayment when the deal is
    signed, a prepayment's credit when it has come back, a take-or-pay shortfall in the last
    period of its window, a deal's in the last of the horizon, a tier's rebate in the last period
    of its year. over_budget >= 0 exists only where the rule has a price.
    """
    rules = inst.rules.budget
    keys = [tuple(k) for k in np.argwhere(rules.active).tolist()]
    if not keys:
        return
    c, st, pay, d_ = inst.contracts, inst.starts, inst.pay, inst.rules.deals
    m.BUDGET = pyo.Set(dimen=2, initialize=keys)
    priced = [k for k in keys if np.isfinite(rules.penalty_usd[k[0]])]
    m.BUDGET_PRICED = pyo.Set(dimen=2, initialize=priced)
    most = cash_limit(inst)
    m.over_budget = pyo.Var(m.BUDGET_PRICED, bounds=lambda _m, _n, t: (0.0, float(most[t])))
    members(m, "over_budget_of", ((k, 0) for k in priced), m.BUDGET)
    periods = len(inst.time.periods)
    cash = {(j, t): float(v) for (j, t), v in np.ndenumerate(st.payment_usd) if v}
    members(m, "cash_starts", ((t, j) for j, t in cash), m.T)
    param(m, "lot_cash_usd", cash, m.J, m.T)
    leave: dict[tuple[int, int, int], float] = {}
    for k, tau in m.LEAVE:
        lines = c.line_contract == k
        fee = float(c.exit_fee_usd[lines].sum())
        for t in range(tau, periods):
            saved = float(c.payment_usd[lines, t].sum())
            leave[k, tau, t] = (fee if t == tau else 0.0) - saved
    m.LEAVE_CASH = pyo.Set(dimen=3, initialize=list(leave))
    param(m, "leave_cash_usd", leave, m.LEAVE_CASH)
    members(m, "leave_cash", ((t, (k, tau)) for k, tau, t in leave), m.T, dimen=2)
    hours = inst.time.slot_hours * pay.billed_share
    rate = pay.price_usd_per_chip_hour[:, :, None] * hours[None]
    hourly = {(v, t, s): float(rate[v, t, s]) for v, t in m.HOURLY for s in m.S}
    param(m, "budget_hourly_usd", hourly, m.HOURLY, m.S)
    members(m, "budget_hourly", ((t, v) for v, t in m.HOURLY), m.T)
    sign: dict[tuple[int, int, int], float] = {}
    for d, tau in m.SIGN:
        sign[d, tau, tau] = float(d_.signing_usd[d, tau] + d_.prepayment_usd[d])
        back = int(d_.credited_in[d, tau])
        if back < periods:
            sign[d, tau, back] = sign.get((d, tau, back), 0.0) - float(d_.prepayment_usd[d])
    m.SIGN_CASH = pyo.Set(dimen=3, initialize=list(sign))
    param(m, "sign_cash_usd", sign, m.SIGN_CASH)
    members(m, "signs_at", ((t, (d, tau)) for d, tau, t in sign), m.T, dimen=2)
    members(m, "short_at", ((t, c) for c, t in enumerate(last_period(inst.rules.commitments))), m.T)
    members(m, "deal_short_at", ((periods - 1, d) for d in m.DEAL_MINIMUM), m.T)
    g_ = inst.rules.tiers
    year = last_period(g_)
    members(m, "rebates_at", ((year[k], g) for g, k in enumerate(g_.group.tolist())), m.T)
    param(m, "rebate_share", dict(enumerate(g_.discount.tolist())), m.G)
    param(m, "qualify_cash_usd", dict(enumerate(inst.rules.qualification.cost_usd.tolist())), m.E)
    members(m, "qualifies_at", ((t, e) for e, t in m.QUALIFY), m.T)
    signed = c.payment_usd.sum(axis=0)
    room = {(n, t): float(rules.bound_usd[n] - signed[t]) for n, t in keys}
    param(m, "budget_room_usd", room, m.BUDGET)
    rows(
        m,
        "budget",
        m.BUDGET,
        rule=lambda m, n, t: (
            sum(m.lot_cash_usd[j, t] * m.lots[j] for j in m.cash_starts[t])
            + sum(m.leave_cash_usd[k, tau, t] * m.leave[k, tau] for k, tau in m.leave_cash[t])
            + sum(
                m.budget_hourly_usd[v, t, s] * m.hourly[v, t, s]
                for v in m.budget_hourly[t]
                for s in m.S
            )
            + sum(m.sign_cash_usd[d, tau, t] * m.sign[d, tau] for d, tau in m.signs_at[t])
            + sum(m.qualify_cash_usd[e] * m.qualify[e, t] for e in m.qualifies_at[t])
            + sum(m.shortfall[c] for c in m.short_at[t])
            + sum(m.deal_shortfall[d] for d in m.deal_short_at[t])
            - sum(m.rebate_share[g] * m.tier_spend[g] for g in m.rebates_at[t])
            - sum(m.over_budget[n, t] for _ in m.over_budget_of[n, t])
            <= m.budget_room_usd[n, t]
        ),
    )


def last_period(windows: Commitments | Tiers) -> list[int]:
    """Last period of each window: when its shortfall is paid, or its rebate comes."""
    return [int(np.flatnonzero(window).max()) for window in windows.window]


def cash_limit(inst: Instance) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Most cash that a period can take: all signed, bought, begun and left short at once [t]."""
    st, pay, d_ = inst.starts, inst.pay, inst.rules.deals
    hours = (inst.time.slot_hours * pay.billed_share).sum(axis=1)
    out = inst.contracts.payment_usd.sum(axis=0) + st.max_lots @ st.payment_usd
    out = out + inst.contracts.exit_fee_usd.sum()
    out = out + (pay.price_usd_per_chip_hour * pay.max_chips * hours[None, :]).sum(axis=0)
    out = out + (d_.signing_usd + d_.prepayment_usd[:, None]).sum(axis=0)
    out = out + inst.rules.commitments.minimum_usd.sum() + d_.minimum_usd.sum()
    total: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = (
        out + inst.rules.qualification.cost_usd.sum()
    )
    return total
