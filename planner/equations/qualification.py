"""A chip family is used only for what it is qualified for."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from planner.equations.demand import pool_room
from planner.equations.sets import Model, members, param, rows
from planner.instance import Instance


def qualification(m: Model, inst: Instance) -> None:
    """qualify[e,t] = 1 when the work of row e begins in period t; it is usable after its lead.

        sum_t qualify[e,t] <= 1
        sum_{w of generation} serve[w,p,t,s] <= room[p,t] * sum_{tau <= t - lead} qualify[e,tau]
        sum_{r of generation} flex[r,p,t,s] + sum_{q of such r} use[q,p,t] * place[q]
                                          <= room[p,t] * sum_{tau <= t - lead} qualify[e,tau]

    for every row e that is not done: the second for serving, the third for training rows, for
    each pool p of the chip, period t and slice s; room is what the pool can hold, working chips.
    A run that states no generation is of every one. Work begins no earlier than as_of; what ran
    before then is history and has no row.
    """
    q = inst.rules.qualification
    horizon = len(inst.time.periods)
    keys = [(e, t) for e in range(len(q.names)) for t in range(q.first, horizon)]
    m.QUALIFY = pyo.Set(dimen=2, initialize=keys)
    m.qualify = pyo.Var(m.QUALIFY, domain=pyo.Binary)
    m.E = pyo.RangeSet(0, len(q.names) - 1)
    members(m, "qualify_in", keys, m.E)
    rows(
        m,
        "qualify_once",
        m.E,
        rule=lambda m, e: sum(m.qualify[e, t] for t in m.qualify_in[e]) <= 1,
    )
    room = pool_room(inst)
    uses = [
        (e, p, t)
        for e in range(len(q.names))
        for p in np.flatnonzero(q.pools[e]).tolist()
        for t in range(q.first, horizon)
        if room[p, t] > 0
    ]
    members(
        m,
        "qualified_by",
        (((e, t), tau) for e, tau in keys for t in range(tau + int(q.lead_periods[e]), horizon)),
        m.E,
        m.T,
    )
    param(m, "room", {(p, t): float(room[p, t]) for _, p, t in uses}, m.P, m.T)
    m.QUALIFIED_SERVING = pyo.Set(
        dimen=3, initialize=[k for k in uses if not q.training[k[0]] and _served(m, inst, k)]
    )
    of_generation = (
        ((e, p, t), w)
        for e, p, t in m.QUALIFIED_SERVING
        for w in m.workloads_on[p, t]
        if q.workloads[e, w]
    )
    members(m, "qualified_workloads", of_generation, m.QUALIFIED_SERVING)
    rows(
        m,
        "qualified_serving",
        m.QUALIFIED_SERVING,
        m.S,
        rule=lambda m, e, p, t, s: (
            sum(m.serve[w, p, t, s] for w in m.qualified_workloads[e, p, t])
            - m.room[p, t] * sum(m.qualify[e, tau] for tau in m.qualified_by[e, t])
            <= 0
        ),
    )
    m.QUALIFIED_TRAINING = pyo.Set(
        dimen=3, initialize=[k for k in uses if q.training[k[0]] and _trained(m, inst, k)]
    )
    runs = [(k, r) for k in m.QUALIFIED_TRAINING for r in m.runs_on[k[1], k[2]] if q.runs[k[0], r]]
    members(m, "qualified_runs", runs, m.QUALIFIED_TRAINING)
    of_run = inst.training.column_run
    columns = (
        (k, c)
        for k in m.QUALIFIED_TRAINING
        for c in m.columns_in[k[1], k[2]]
        if q.runs[k[0], of_run[c]]
    )
    members(m, "qualified_columns", columns, m.QUALIFIED_TRAINING)
    rows(
        m,
        "qualified_training",
        m.QUALIFIED_TRAINING,
        m.S,
        rule=lambda m, e, p, t, s: (
            sum(m.flex[r, p, t, s] for r in m.qualified_runs[e, p, t])
            + sum(m.use[c, p, t] * m.place[c] for c in m.qualified_columns[e, p, t])
            - m.room[p, t] * sum(m.qualify[e, tau] for tau in m.qualified_by[e, t])
            <= 0
        ),
    )


def _served(m: Model, inst: Instance, key: tuple[int, int, int]) -> bool:
    """Whether a workload of the row's generation could be served there at all."""
    e, p, t = key
    return any(inst.rules.qualification.workloads[e, w] for w in m.workloads_on[p, t])


def _trained(m: Model, inst: Instance, key: tuple[int, int, int]) -> bool:
    """Whether a run of the row's generation could be trained there at all."""
    e, p, t = key
    mine, of_run = inst.rules.qualification.runs[e], inst.training.column_run
    return any(mine[r] for r in m.runs_on[p, t]) or any(mine[of_run[c]] for c in m.columns_in[p, t])


def engineers(m: Model, inst: Instance) -> None:
    """The work of a period takes no more engineers than there are.

        sum_e engineers[e] * sum_{tau: tau <= t < tau + max(lead, 1)} qualify[e,tau]
            <= most_engineers

    for every period t, when the case states a limit.
    """
    q = inst.rules.qualification
    if not np.isfinite(q.most_engineers):
        return
    busy = [
        (t, (e, tau))
        for e, tau in m.QUALIFY
        for t in range(tau, min(len(m.T), tau + max(1, int(q.lead_periods[e]))))
        if q.engineers[e] > 0
    ]
    m.BUSY = pyo.Set(initialize=sorted({t for t, _ in busy}))
    members(m, "busy_with", busy, m.BUSY, dimen=2)
    param(m, "engineers", dict(enumerate(q.engineers.tolist())), m.E)
    most = q.most_engineers
    rows(
        m,
        "engineers_limit",
        m.BUSY,
        rule=lambda m, t: (
            sum(m.engineers[e] * m.qualify[e, tau] for e, tau in m.busy_with[t]) <= most
        ),
    )
