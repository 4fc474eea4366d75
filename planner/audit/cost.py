"""The cost terms: present values in USD at the start of the case.

A contract that is left in period tau saves its payments from tau on, and what it would have
owed and been worth past the horizon; its fee falls due at the start of tau.
"""

from __future__ import annotations

import numpy as np

from planner.audit.draft import Draft, Floats
from planner.audit.quantities import slot_hours
from planner.instance import Instance

SECONDS_PER_HOUR = 3600.0


def _by_contract(inst: Instance, by_line: Floats) -> Floats:
    """Sum over the lines of each contract [k, ...]."""
    c = inst.contracts
    of = np.arange(len(c.names))[:, None] == c.line_contract[None, :]
    out: Floats = of.astype(float) @ by_line
    return out


def existing_contracts(d: Draft, inst: Instance) -> None:
    """sum_{l,t} discount[t] * payment[l,t] * (1 - sum_{tau <= t} leave[k(l),tau])."""
    leave = d.columns["leave"]
    due = _by_contract(inst, inst.contracts.payment_usd) * inst.time.discount
    from_on = np.arange(len(inst.time.periods))[None, :] >= leave["period"][:, None]
    saved = (due[leave["contract"]] * from_on).sum(axis=1)
    d.add_cost("existing_contracts", leave.positions, -saved, float(due.sum()))


def exit_fees(d: Draft, inst: Instance) -> None:
    """sum_{k,tau} discount_start[tau] * (sum_{l of k} exit_fee[l]) * leave[k,tau]."""
    leave = d.columns["leave"]
    fee = _by_contract(inst, inst.contracts.exit_fee_usd)[leave["contract"]]
    d.add_cost("exit_fees", leave.positions, fee * inst.time.discount_start[leave["period"]])


def new_contracts(d: Draft, inst: Instance) -> None:
    """sum_j inside[j] * lots[j]: payments for new lots within the horizon, discounted."""
    lots = d.columns["lots"]
    d.add_cost("new_contracts", lots.positions, inst.starts.inside_usd[lots["start"]])


def pay_as_you_go(d: Draft, inst: Instance) -> None:
    """Chips by the hour, billed for the mean of the slice that they are provisioned for.

    sum_{v,t,s} discount[t] * price[v,t] * slot_hours[t,s] * billed_share[t,s] * hourly[v,t,s]
    """
    pay = inst.pay
    v, t, s = d.columns["hourly"].index.T
    billed = slot_hours(inst)[t, s] * pay.billed_share[t, s]
    price = pay.price_usd_per_chip_hour[v, t] * inst.time.discount[t]
    d.add_cost("pay_as_you_go", d.columns["hourly"].positions, billed * price)


def liability_past_horizon(d: Draft, inst: Instance) -> None:
    """What contracts still owe after the horizon, in full.

    sum_j liability[j] * lots[j] + sum_l liability[l] * (1 - sum_tau leave[k(l),tau])
    """
    by_line, by_lot = inst.contracts.liability_usd, inst.starts.liability_usd
    _past_horizon(d, inst, "liability_past_horizon", by_lot, by_line)


def salvage_past_horizon(d: Draft, inst: Instance) -> None:
    """What those contracts are worth then, as a negative cost.

    - sum_j credit[j] * lots[j] - sum_l credit[l] * (1 - sum_tau leave[k(l),tau])
    """
    by_line, by_lot = -inst.contracts.credit_usd, -inst.starts.credit_usd
    _past_horizon(d, inst, "salvage_past_horizon", by_lot, by_line)


def _past_horizon(d: Draft, inst: Instance, term: str, by_lot: Floats, by_line: Floats) -> None:
    lots, leave = d.columns["lots"], d.columns["leave"]
    d.add_cost(term, lots.positions, by_lot[lots["start"]])
    kept = _by_contract(inst, by_line)
    d.add_cost(term, leave.positions, -kept[leave["contract"]], float(by_line.sum()))


def unserved_demand(d: Draft, inst: Instance) -> None:
    """Requests that are not served, at the price of their class.

    sum_{w,t,s} discount[t] * penalty[w] * 3600 * slot_hours[t,s] * unserved[w,t,s]
        + sum_{w,t} discount[t] * penalty[w] * 3600 * hours[t] * shed[w,t]
    """
    penalty = SECONDS_PER_HOUR * inst.serving.penalty_usd
    discount, time = inst.time.discount, inst.time
    w, t, s = d.columns["unserved"].index.T
    price = penalty[w] * discount[t] * slot_hours(inst)[t, s]
    d.add_cost("unserved_demand", d.columns["unserved"].positions, price)
    w, t = d.columns["shed"].index.T
    price = penalty[w] * discount[t] * time.hours[t]
    d.add_cost("unserved_demand", d.columns["shed"].positions, price)


def missed_training(d: Draft, inst: Instance) -> None:
    """sum_r value[r] * missed[r]: runs that are not done, at their value."""
    missed = d.columns["missed"]
    d.add_cost("missed_training", missed.positions, inst.training.value_usd[missed["run"]])
