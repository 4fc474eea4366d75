"""What serves and trains fits into the chips that work."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from planner.equations.sets import Model, members, rows
from planner.instance import Instance


def capacity(m: Model, inst: Instance) -> None:
    """Serving and training take no more than the working chips.

        sum_w serve[w,p,t,s] + sum_q use[q,p,t] * place[q] + sum_r flex[r,p,t,s]
            <= usable[p] * contracted[p,t] + sum_{v in p} goodput[v] * hourly[v,t,s]

    for every pool p, period t and slice s, in chips.
    """
    m.OPEN = pyo.Set(
        dimen=2, initialize=[tuple(k) for k in np.argwhere(inst.pools.limit > 0).tolist()]
    )
    rows(
        m,
        "capacity",
        m.OPEN,
        m.S,
        rule=lambda m, p, t, s: (
            sum(m.serve[w, p, t, s] for w in m.workloads_on[p, t])
            + sum(m.use[q, p, t] * m.place[q] for q in m.columns_in[p, t])
            + sum(m.flex[r, p, t, s] for r in m.runs_on[p, t])
            - m.usable[p] * m.contracted[p, t]
            - sum(m.goodput[v] * m.hourly[v, t, s] for v in m.hourly_in[p, t])
            <= 0
        ),
    )


def firm_capacity(m: Model, inst: Instance) -> None:
    """Work that cannot be interrupted does not lean on interruptible chips.

        sum_{w not deferrable} serve[w,p,t,s] + sum_{q not preemptible} use[q,p,t] * place[q]
            + sum_{r not preemptible} flex[r,p,t,s]
            <= usable[p] * contracted[p,t] + sum_{v in p, firm} goodput[v] * hourly[v,t,s]

    for every (p,t) where interruptible pay as you go exists and slice s, in chips.
    """
    pay, tr = inst.pay, inst.training
    spot = {(int(pay.pool[v]), t) for v, t in m.HOURLY if pay.interruptible[v]}
    m.SPOT = pyo.Set(dimen=2, initialize=sorted(spot))
    firm_columns = (
        ((p, t), q)
        for q, p, t in np.argwhere(tr.column_use > 0).tolist()
        if not tr.preemptible[tr.column_run[q]]
    )
    members(m, "firm_columns_in", firm_columns, m.P, m.T)
    rows(
        m,
        "firm_capacity",
        m.SPOT,
        m.S,
        rule=lambda m, p, t, s: (
            sum(m.serve[w, p, t, s] for w in m.firm_workloads_on[p, t])
            + sum(m.use[q, p, t] * m.place[q] for q in m.firm_columns_in[p, t])
            + sum(m.flex[r, p, t, s] for r in m.firm_runs_on[p, t])
            - m.usable[p] * m.contracted[p, t]
            - sum(m.goodput[v] * m.hourly[v, t, s] for v in m.firm_hourly_in[p, t])
            <= 0
        ),
    )
