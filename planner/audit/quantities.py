"""Quantities that several families state: room of a pool, hours of a slot, spend, work."""

from __future__ import annotations

import numpy as np

from planner.audit.draft import Bools, Floats
from planner.instance import Instance

HOURS_OF_WEEK = 168.0
NO_RATE = 1e-100
"""Requests/s: a reference rate below this says that no chip can serve the workload."""


def slot_hours(inst: Instance) -> Floats:
    """Calendar hours of a slice in a period: hours of the period x its share of a week [t, s]."""
    out: Floats = np.multiply.outer(inst.time.hours, inst.time.slice_hours / HOURS_OF_WEEK)
    return out


def room(inst: Instance) -> Floats:
    """Working chips that a pool can have at most, contracts and pay as you go [p, t].

    room[p,t] = usable[p] * limit[p,t] + sum_{v in p} goodput[v] * max_chips[v,t]
    """
    pay, pools = inst.pay, inst.pools
    in_pool = pay.pool[None, :] == np.arange(len(pools.names))[:, None]
    hourly: Floats = in_pool @ (pay.max_chips * pay.goodput[:, None])
    return pools.limit * pools.usable[:, None] + hourly


def pausable_runs(inst: Instance) -> Bools:
    """Runs with a volume of work that stop and go [r]."""
    return inst.training.can_pause & ~inst.training.standing


def hourly_usd(inst: Instance) -> Floats:
    """What a provisioned pay-as-you-go chip costs, not discounted [v, t, s].

    price[v,t] * slot_hours[t,s] * billed_share[t,s]
    """
    billed = slot_hours(inst) * inst.pay.billed_share
    out: Floats = inst.pay.price_usd_per_chip_hour[:, :, None] * billed
    return out


def states_spend(inst: Instance) -> bool:
    """Whether spend is a variable: some share rule, commitment or tier is stated in it."""
    rules = inst.rules
    shares = "spend" in rules.shares.measure
    return shares or bool(rules.commitments.names) or bool(rules.tiers.names)


def most_spend(inst: Instance) -> Floats:
    """Most that can be spent in a pool: every contract kept, every lot and hour bought [p, t].

    sum_{l in p} payment[l,t] + sum_{j in p} max_lots[j] * accrued[j,t]
        + sum_{v in p, s} hourly_usd[v,t,s] * max_chips[v,t]
    """
    pool = np.arange(len(inst.pools.names))[:, None]
    starts, pay, contracts = inst.starts, inst.pay, inst.contracts
    hours = hourly_usd(inst).sum(axis=2) * pay.max_chips
    signed: Floats = (pool == contracts.line_pool) @ contracts.payment_usd
    lots: Floats = (pool == starts.pool) @ (starts.max_lots[:, None] * starts.accrued_usd)
    by_hour: Floats = (pool == pay.pool) @ hours
    return signed + lots + by_hour


def states_served(inst: Instance) -> bool:
    """Whether what a pool serves is a variable: some share rule is stated in it."""
    return "served" in inst.rules.shares.measure


def most_served(inst: Instance) -> Floats:
    """More than can ever be served, in reference chips: the peaks of all slices together [t].

    sum_{w,s} peak[w,t,s] / reference_rate[w], over the workloads that some chip can serve.
    """
    rate = inst.serving.reference_rate
    known = rate > NO_RATE
    out: Floats = inst.serving.peak[known].sum(axis=2).T @ (1.0 / rate[known])
    return out


def chip_worth(inst: Instance, measure: str) -> Floats:
    """What a chip counts for in a share of chips [p].

    `chips`: its serving worth in reference chips; `training_peak`: its dense BF16 peak, EFLOP/s,
    0 for a chip that cannot train.
    """
    pools = inst.pools
    return {"chips": pools.reference_chips, "training_peak": pools.training_eflop_per_s}[measure]
