"""Leaving contracts that are already signed."""

from __future__ import annotations

import pyomo.environ as pyo

from planner.equations.procurement import leave_periods
from planner.equations.sets import Model, rows
from planner.instance import Instance


def leaving(m: Model, inst: Instance) -> None:
    """leave[k,t] = 1 when contract k ends early, from the start of period t on.

        sum_t leave[k,t] <= 1

    for every contract k that notice can end before its end; leave is binary and exists from
    the first period that starts on or after as_of + notice.
    """
    keys = [(k, t) for k in range(len(inst.contracts.names)) for t in leave_periods(inst, k)]
    m.LEAVE = pyo.Set(dimen=2, initialize=keys)
    m.leave = pyo.Var(m.LEAVE, domain=pyo.Binary)
    m.LEAVABLE = pyo.Set(initialize=sorted({k for k, _ in keys}))
    m.leave_in = pyo.Set(m.LEAVABLE, initialize={k: list(leave_periods(inst, k)) for k, _ in keys})
    rows(
        m,
        "leave_once",
        m.LEAVABLE,
        rule=lambda m, k: sum(m.leave[k, t] for t in m.leave_in[k]) <= 1,
    )
