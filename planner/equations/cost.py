"""Cost terms. Each is one objective of the model; the plan minimises their sum.

The same compiled coefficients give the objective and the cost report, so they cannot differ.
All terms are present values in USD of the case's start.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyomo.environ as pyo

from planner.case.calendar import SECONDS_PER_HOUR
from planner.equations.sets import Model, param, table
from planner.instance import Instance


def existing_contracts(m: Model, inst: Instance) -> None:
    """Payments of contracts already signed, and what leaving saves.

    sum_{l,t} discount[t] * payment[l,t] * (1 - sum_{tau <= t} leave[k(l),tau])
    """
    c = inst.contracts
    paid = c.payment_usd * inst.time.discount
    param(m, "left_payment_usd", _by_leaving(inst, _tail(paid)), m.LEAVE)
    signed = float(paid.sum())
    m.cost_existing_contracts = pyo.Objective(
        rule=lambda m: signed - sum(m.left_payment_usd[k, t] * m.leave[k, t] for k, t in m.LEAVE)
    )


def exit_fees(m: Model, inst: Instance) -> None:
    """Fees of contracts left early, exit_fee[k] being the sum over its lines.

    sum_{k,t} discount_start[t] * exit_fee[k] * leave[k,t]
    """
    c = inst.contracts
    fee = c.exit_fee_usd[:, None] * inst.time.discount_start[None, :]
    param(m, "exit_fee_usd", _by_leaving(inst, fee), m.LEAVE)
    m.cost_exit_fees = pyo.Objective(
        rule=lambda m: sum(m.exit_fee_usd[k, t] * m.leave[k, t] for k, t in m.LEAVE)
    )


def new_contracts(m: Model, inst: Instance) -> None:
    """Payments for new lots within the horizon: sum_j inside[j] * lots[j]."""
    param(m, "inside_usd", table(inst.starts.inside_usd), m.J)
    m.cost_new_contracts = pyo.Objective(
        rule=lambda m: sum(m.inside_usd[j] * m.lots[j] for j in m.J)
    )


def pay_as_you_go(m: Model, inst: Instance) -> None:
    """Chips by the hour, provisioned for the peak of a slice and billed for its mean.

    The mean is that of interactive demand, whatever the chips do: deferrable work and training on
    them, which could fill every hour, are billed too little by 1 - billed_share.

    sum_{v,t,s} discount[t] * price[v,t] * slot_hours[t,s] * billed_share[t,s] * hourly[v,t,s]
    """
    pay, time = inst.pay, inst.time
    hours = time.slot_hours * pay.billed_share * time.discount[:, None]
    rate = pay.price_usd_per_chip_hour[:, :, None] * hours[None]
    values = {(v, t, s): float(rate[v, t, s]) for v, t in m.HOURLY for s in m.S}
    param(m, "hourly_usd", values, m.HOURLY, m.S)
    m.cost_pay_as_you_go = pyo.Objective(
        rule=lambda m: sum(
            m.hourly_usd[v, t, s] * m.hourly[v, t, s] for v, t in m.HOURLY for s in m.S
        )
    )


def liability_past_horizon(m: Model, inst: Instance) -> None:
    """What contracts still owe after the horizon: all of it, or their exit fee then if it is less.

    The fee only where their notice allows to leave at the end of the horizon.

    sum_j liability[j] * lots[j] + sum_l liability[l] * (1 - sum_t leave[k(l),t])
    """
    _horizon_end(m, inst, "liability", inst.starts.liability_usd, inst.contracts.liability_usd)


def salvage_past_horizon(m: Model, inst: Instance) -> None:
    """What those contracts are worth then, less: - sum_j credit[j] * lots[j], lines alike.

    credit = haircut x discounted min(locked price, market price then) x chip-hours after the
    horizon; the market is the same offer for a lot, the cheapest term offer for a signed line or
    an option. Without it a term charged only for its periods inside the horizon would make every
    late purchase a long one.
    """
    _horizon_end(m, inst, "salvage", -inst.starts.credit_usd, -inst.contracts.credit_usd)


def _horizon_end(
    m: Model,
    inst: Instance,
    name: str,
    by_lot: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    by_line: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> None:
    param(m, f"{name}_usd", table(by_lot), m.J)
    every = np.repeat(by_line[:, None], len(inst.time.periods), axis=1)
    param(m, f"left_{name}_usd", _by_leaving(inst, every), m.LEAVE)
    lot, left = getattr(m, f"{name}_usd"), getattr(m, f"left_{name}_usd")
    signed = float(by_line.sum())
    term = pyo.Objective(
        rule=lambda m: (
            signed
            + sum(lot[j] * m.lots[j] for j in m.J)
            - sum(left[k, t] * m.leave[k, t] for k, t in m.LEAVE)
        )
    )
    m.add_component(f"cost_{name}_past_horizon", term)


def unserved_demand(m: Model, inst: Instance) -> None:
    """Requests that are not served, at their class's price.

    sum_{w,t,s} discount[t] * penalty[w] * 3600 * slot_hours[t,s] * unserved[w,t,s]
    + sum_{w,t} discount[t] * penalty[w] * 3600 * hours[t] * shed[w,t]

    unserved counts against the peak with headroom, so a shortage costs at least what the
    requests lost at the mean would.
    """
    time, penalty = inst.time, inst.serving.penalty_usd
    seconds = SECONDS_PER_HOUR * time.slot_hours * time.discount[:, None]
    unserved = {(w, t, s): float(penalty[w] * seconds[t, s]) for w, t in m.PEAKED for s in m.S}
    shed = {(w, t): float(penalty[w] * seconds[t].sum()) for w, t in m.DEFERRED}
    param(m, "unserved_usd", unserved, m.PEAKED, m.S)
    param(m, "shed_usd", shed, m.DEFERRED)
    m.cost_unserved_demand = pyo.Objective(
        rule=lambda m: (
            sum(m.unserved_usd[w, t, s] * m.unserved[w, t, s] for w, t in m.PEAKED for s in m.S)
            + sum(m.shed_usd[w, t] * m.shed[w, t] for w, t in m.DEFERRED)
        )
    )


def missed_training(m: Model, inst: Instance) -> None:
    """Runs that are not done, at their value: sum_r value[r] * missed[r]."""
    param(m, "value_usd", table(inst.training.value_usd), m.R)
    m.cost_missed_training = pyo.Objective(
        rule=lambda m: sum(m.value_usd[r] * m.missed[r] for r in m.R)
    )


def qualification(m: Model, inst: Instance) -> None:
    """Work to qualify chips: sum_{e,t} discount_start[t] * cost[e] * qualify[e,t]."""
    cost = inst.rules.qualification.cost_usd
    beta = inst.time.discount_start
    param(m, "qualify_usd", {(e, t): float(cost[e] * beta[t]) for e, t in m.QUALIFY}, m.QUALIFY)
    _objective(m, "qualification", (m.qualify_usd[k] * m.qualify[k] for k in m.QUALIFY))


def deals(m: Model, inst: Instance) -> None:
    """Signing deals, and what their minimum spend leaves unpaid, in the last period.

        sum_{d,t} present[d,t] * sign[d,t] + sum_d discount[last] * deal_shortfall[d]

    present is the signing cost and the time value of the prepayment until it is credited.
    """
    d_, last = inst.rules.deals, float(inst.time.discount[-1])
    param(m, "sign_usd", {(d, t): float(d_.present_usd[d, t]) for d, t in m.SIGN}, m.SIGN)
    _objective(
        m,
        "deals",
        (
            *(m.sign_usd[k] * m.sign[k] for k in m.SIGN),
            *(last * m.deal_shortfall[d] for d in m.DEAL_MINIMUM),
        ),
    )


def commitment_shortfall(m: Model, inst: Instance) -> None:
    """Take-or-pay: what a commitment's window leaves unspent, sum_c discount[c] * shortfall[c]."""
    beta = inst.rules.commitments.discount.tolist()
    _objective(m, "commitment_shortfall", (beta[c] * m.shortfall[c] for c in m.C))


def tier_discounts(m: Model, inst: Instance) -> None:
    """Whole-spend discounts, paid back at the year's end: - sum_g present * discount * spend."""
    g_ = inst.rules.tiers
    worth = [-float(g_.discount[g] * g_.present[k]) for g, k in enumerate(g_.group.tolist())]
    _objective(m, "tier_discounts", (worth[g] * m.tier_spend[g] for g in m.G))


def exceeded_rules(m: Model, inst: Instance) -> None:
    """Rules that are exceeded, at their price, discounted.

    sum_{n,t} discount[t] * penalty[n] * over[n,t]   for shares, power and budgets
    """
    beta = inst.time.discount.tolist()
    r = inst.rules
    parts = [
        float(price[n] * beta[t]) * over[n, t]
        for over, price in (
            (m.over_share, r.shares.penalty_usd),
            (m.over_power, r.power.penalty_usd),
            *(((m.over_budget, r.budget.penalty_usd),) if r.budget.active.any() else ()),
        )
        for n, t in over
    ]
    _objective(m, "exceeded_rules", parts)


def _objective(m: Model, name: str, parts: Iterable[object]) -> None:
    """Add a cost term as a sum; a term without parts is left out of the model."""
    found = list(parts)
    if found:
        m.add_component(f"cost_{name}", pyo.Objective(expr=pyo.quicksum(found)))


def _tail(
    by_line: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Sum from each period to the last [l, t]."""
    return np.cumsum(by_line[:, ::-1], axis=1)[:, ::-1]


def _by_leaving(
    inst: Instance, by_line: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> dict[tuple[int, int], float]:
    """(contract, period of leaving) -> sum over the contract's lines of by_line[l, period]."""
    c = inst.contracts
    total = np.zeros((len(c.names), by_line.shape[1] if by_line.size else 0))
    if by_line.size:
        np.add.at(total, c.line_contract, by_line)
    return {
        (k, t): float(v)
        for (k, t), v in np.ndenumerate(total)
        if c.leave_from[k] <= t < c.leave_until[k]
    }
