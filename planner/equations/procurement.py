"""Lots of term offers, pay as you go, contracted chips, supply and install limits."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from planner.equations.bulk import bounded, flat_set
from planner.equations.sets import Model, members, param, rows, table
from planner.instance import Instance


def lots(m: Model, inst: Instance) -> None:
    """lots[j]: lots of a term offer that start (j = offer, pool, start period), whole numbers.

    0 <= lots[j] <= max_lots[j]; where at least min_lots[j] > 1 must start together,

        min_lots[j] * any_lots[j] <= lots[j] <= max_lots[j] * any_lots[j],  any_lots binary.
    """
    starts = inst.starts
    m.J = pyo.RangeSet(0, len(starts.names) - 1)
    upper = starts.max_lots.tolist()
    m.lots = pyo.Var(m.J, domain=pyo.Integers, bounds=lambda _m, j: (0, upper[j]))
    together = [j for j, least in enumerate(starts.min_lots.tolist()) if least > 1]
    m.TOGETHER = pyo.Set(initialize=together)
    param(m, "min_lots", table(starts.min_lots.astype(float)), m.J)
    param(m, "max_lots", table(starts.max_lots.astype(float)), m.J)
    m.any_lots = pyo.Var(m.TOGETHER, domain=pyo.Binary)
    rows(
        m,
        "lots_least",
        m.TOGETHER,
        rule=lambda m, j: m.lots[j] - m.min_lots[j] * m.any_lots[j] >= 0,
    )
    rows(
        m, "lots_most", m.TOGETHER, rule=lambda m, j: m.lots[j] - m.max_lots[j] * m.any_lots[j] <= 0
    )


def pay_as_you_go(m: Model, inst: Instance) -> None:
    """hourly[v,t,s] >= 0: chips of a pay-as-you-go offer in slice s, at most max_chips[v,t]."""
    pay = inst.pay
    most = pay.max_chips
    keys = [(v, t) for v, t in np.argwhere(most > 0).tolist()]
    m.V = pyo.RangeSet(0, len(pay.names) - 1)
    flat_set(m, "HOURLY", keys, 2)
    upper = {(v, t, s): float(most[v, t]) for v, t in keys for s in m.S}
    bounded(m, "hourly", list(upper), list(upper.values()), m.HOURLY, m.S)
    pool = pay.pool.tolist()
    members(m, "hourly_in", (((pool[v], t), v) for v, t in keys), m.P, m.T)
    firm = ((pool[v], t, v) for v, t in keys if not pay.interruptible[v])
    members(m, "firm_hourly_in", (((p, t), v) for p, t, v in firm), m.P, m.T)
    param(m, "goodput", table(pay.goodput), m.V)


def contracted(m: Model, inst: Instance) -> None:
    """Chips under contract.

        contracted[p,t] = signed[p,t] - sum_{l in p, tau <= t} chips[l,t] * leave[k(l),tau]
                          + sum_{j in p} lot_chips[j] * active[j,t] * lots[j]

    for every pool p and period t, in chips, with 0 <= contracted[p,t] <= limit[p,t].
    """
    starts, contracts, pools = inst.starts, inst.contracts, inst.pools
    limit = pools.limit
    m.contracted = pyo.Var(m.P, m.T, bounds=lambda _m, p, t: (0.0, float(limit[p, t])))
    delivered = starts.lot_chips[:, None] * starts.active
    at = np.argwhere(delivered > 0).tolist()
    pool = starts.pool.tolist()
    members(m, "starts_in", (((pool[j], t), j) for j, t in at), m.P, m.T)
    param(m, "delivered", {(j, t): float(delivered[j, t]) for j, t in at}, m.J, m.T)
    m.L = pyo.RangeSet(0, len(contracts.line_names) - 1)
    param(m, "signed", table(pools.existing), m.P, m.T)
    param(m, "line_chips", table(contracts.chips), m.L, m.T)
    line_pool, line_contract = contracts.line_pool.tolist(), contracts.line_contract.tolist()
    leaving = [
        (line, tau, t)
        for line, k in enumerate(line_contract)
        for tau in leave_periods(inst, k)
        for t in range(tau, len(inst.time.periods))
        if contracts.chips[line, t] > 0
    ]
    left = (((line_pool[line], t), (line, line_contract[line], tau)) for line, tau, t in leaving)
    members(m, "LEFT_LINES", left, m.P, m.T, dimen=3)
    m.contract_of = pyo.Param(m.L, initialize=dict(enumerate(line_contract)))
    rows(
        m,
        "contracted_chips",
        m.P,
        m.T,
        rule=lambda m, p, t: (
            m.contracted[p, t]
            - sum(m.delivered[j, t] * m.lots[j] for j in m.starts_in[p, t])
            + sum(m.line_chips[li, t] * m.leave[k, tau] for li, k, tau in m.LEFT_LINES[p, t])
            == m.signed[p, t]
        ),
    )


def leave_periods(inst: Instance, k: int) -> range:
    """Periods at whose start contract k can be left."""
    return range(int(inst.contracts.leave_from[k]), int(inst.contracts.leave_until[k]))


def supply(m: Model, inst: Instance) -> None:
    """What the provider allots covers contracts and pay as you go together.

        contracted[p,t] + sum_{v in p} hourly[v,t,s]
            - kept[p,t] * sum_{j renews in p} delivered[j,t] * lots[j] <= allotted[p,t]

    for every (p,t) with pay as you go and every slice s, in chips; without pay as you go the
    bound of contracted[p,t], or `options.renewed_supply`, says it. allotted = max(supply, already
    signed); kept is defined there, 0 without renewals.
    """
    keys = sorted({(int(inst.pay.pool[v]), t) for v, t in m.HOURLY})
    m.SUPPLIED = pyo.Set(dimen=2, initialize=keys)
    param(m, "allotted", table(inst.pools.allotted), m.P, m.T)
    renewed_chips(m, inst)
    rows(
        m,
        "supply",
        m.SUPPLIED,
        m.S,
        rule=lambda m, p, t, s: (
            m.contracted[p, t]
            + sum(m.hourly[v, t, s] for v in m.hourly_in[p, t])
            - sum(m.kept[p, t] * m.delivered[j, t] * m.lots[j] for j in m.renewals_in[p, t])
            <= m.allotted[p, t]
        ),
    )


def renewed_chips(m: Model, inst: Instance) -> None:
    """Which starts renew chips of a pool, and kept[p,t]: the part beyond what is allotted.

    kept[p,t] = (limit[p,t] - allotted[p,t]) / renewable[p,t], 0 where nothing can be renewed.
    """
    pools, starts = inst.pools, inst.starts
    beyond = pools.limit - pools.allotted
    kept = {
        (p, t): float(beyond[p, t] / pools.renewable[p, t])
        for p, t in np.argwhere(beyond > 0).tolist()
    }
    param(m, "kept", kept, m.P, m.T)
    renewing = inst.options.renews[:, None] & (starts.active > 0)
    pairs = (((int(starts.pool[j]), t), j) for j, t in np.argwhere(renewing).tolist())
    members(m, "renewals_in", pairs, m.P, m.T)


def install(m: Model, inst: Instance) -> None:
    """A region can take only so many new chips in a period; renewed ones stand there already.

        sum_{j starts in t, in region g} lot_chips[j] * lots[j] <= install_limit[g]

    for every region g with a limit and period t with starts that are no renewals, in chips.
    """
    starts = inst.starts
    region = {name: g for g, name in enumerate(inst.regions)}
    where = [region[inst.pools.region[p]] for p in starts.pool.tolist()]
    pairs = [
        ((g, t), j)
        for j, (g, t) in enumerate(zip(where, starts.period.tolist(), strict=True))
        if np.isfinite(inst.install_limit[g]) and not inst.options.renews[j]
    ]
    m.INSTALL = pyo.Set(dimen=2, initialize=sorted({key for key, _ in pairs}))
    members(m, "starting_in", pairs, m.INSTALL)
    param(m, "lot_chips", table(starts.lot_chips), m.J)
    limits = {key: float(inst.install_limit[key[0]]) for key, _ in pairs}
    param(m, "install_limit", limits, m.INSTALL)
    rows(
        m,
        "install",
        m.INSTALL,
        rule=lambda m, g, t: (
            sum(m.lot_chips[j] * m.lots[j] for j in m.starting_in[g, t]) <= m.install_limit[g, t]
        ),
    )
