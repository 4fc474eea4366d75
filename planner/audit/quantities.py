"""Quantities that several families state: room of a pool, hours of a slot, which runs pause."""

from __future__ import annotations

import numpy as np

from planner.audit.draft import Bools, Floats
from planner.instance import Instance

HOURS_OF_WEEK = 168.0


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
