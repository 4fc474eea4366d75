"""Training: placed runs, pausable runs, standing research."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from planner.equations.bulk import bounded, flat_set
from planner.equations.demand import pool_room
from planner.equations.sets import Model, members, param, rows, table
from planner.instance import Instance


def placement(m: Model, inst: Instance) -> None:
    """A run that cannot pause takes one placement column, or is not done.

        sum_{q in Q_r} place[q] + missed[r] = 1

    for every such run r; place[q] is binary (site, start, duration), missed[r] in [0, 1].
    """
    tr = inst.training
    m.R = pyo.RangeSet(0, len(tr.names) - 1)
    m.Q = pyo.RangeSet(0, len(tr.column_names) - 1)
    m.place = pyo.Var(m.Q, domain=pyo.Binary)
    whole = [r for r in range(len(tr.names)) if tr.can_pause[r] and not tr.standing[r]]
    m.missed = pyo.Var(m.R, bounds=(0.0, 1.0))
    for r in whole:
        m.missed[r].domain = pyo.Binary
    m.PLACED = pyo.Set(
        initialize=[r for r in range(len(tr.names)) if not (tr.can_pause[r] or tr.standing[r])]
    )
    members(m, "columns_of", ((r, q) for q, r in enumerate(tr.column_run.tolist())), m.PLACED)
    rows(
        m,
        "placement",
        m.PLACED,
        rule=lambda m, r: sum(m.place[q] for q in m.columns_of[r]) + m.missed[r] == 1,
    )
    used = np.argwhere(tr.column_use > 0).tolist()
    members(m, "columns_in", (((p, t), q) for q, p, t in used), m.P, m.T)
    param(m, "use", {(q, p, t): float(tr.column_use[q, p, t]) for q, p, t in used}, m.Q, m.P, m.T)


def flexible(m: Model, inst: Instance) -> None:
    """flex[r,p,t,s] >= 0: working chips that a pausable run or standing load holds.

    Only in its window, on chips that it may use, and at most what the pool can hold or the run's
    largest cluster.
    """
    tr = inst.training
    room = pool_room(inst)
    limited = np.minimum(room[None], tr.max_chips[:, None, None])
    flexible_run = tr.can_pause | tr.standing
    can = (
        (tr.peak_eflop_per_s > 0)[:, :, None]
        & tr.window[:, None, :]
        & (room > 0)[None]
        & flexible_run[:, None, None]
    )
    keys = [tuple(key) for key in np.argwhere(can).tolist()]
    flat_set(m, "FLEX", keys, 3)
    upper = {(r, p, t, s): float(limited[r, p, t]) for r, p, t in keys for s in m.S}
    bounded(m, "flex", list(upper), list(upper.values()), m.FLEX, m.S)
    members(m, "runs_on", (((p, t), r) for r, p, t in keys), m.P, m.T)
    firm = ((p, t, r) for r, p, t in keys if not tr.preemptible[r])
    members(m, "firm_runs_on", (((p, t), r) for p, t, r in firm), m.P, m.T)
    members(m, "pools_of_run", (((r, t), p) for r, p, t in keys), m.R, m.T)
    members(m, "places_of_run", ((r, (p, t)) for r, p, t in keys), m.R, dimen=2)
    param(m, "work_rate", table(tr.eflop_per_chip_hour), m.R, m.P)
    param(m, "peak_rate", table(tr.peak_eflop_per_s), m.R, m.P)
    param(m, "slot_hours", table(inst.time.slot_hours), m.T, m.S)


def paused_work(m: Model, inst: Instance) -> None:
    """A pausable run does its work in the hours that suit, within its largest cluster.

        sum_{p,t,s} work_rate[r,p] * slot_hours[t,s] * flex[r,p,t,s] + work[r] * missed[r]
            >= work[r]                                                     (EFLOP)
        sum_p flex[r,p,t,s] <= max_chips[r] * (1 - missed[r])    for every (t,s) in its window

    for every pausable run r; missed[r] is binary; work includes the pause overhead.
    """
    tr = inst.training
    runs = [r for r in range(len(tr.names)) if tr.can_pause[r] and not tr.standing[r]]
    m.PAUSED = pyo.Set(initialize=runs)
    param(m, "work", table(tr.work_eflop), m.R)
    rows(
        m,
        "paused_work",
        m.PAUSED,
        rule=lambda m, r: (
            sum(
                m.work_rate[r, p] * m.slot_hours[t, s] * m.flex[r, p, t, s]
                for p, t in m.places_of_run[r]
                for s in m.S
            )
            + m.work[r] * m.missed[r]
            >= m.work[r]
        ),
    )
    capped = [
        (r, int(t))
        for r in runs
        if np.isfinite(tr.max_chips[r])
        for t in np.flatnonzero(tr.window[r])
    ]
    m.CAPPED = pyo.Set(dimen=2, initialize=capped)
    param(m, "max_chips", {r: float(tr.max_chips[r]) for r, _ in capped}, m.R)
    rows(
        m,
        "cluster",
        m.CAPPED,
        m.S,
        rule=lambda m, r, t, s: (
            sum(m.flex[r, p, t, s] for p in m.pools_of_run[r, t]) + m.max_chips[r] * m.missed[r]
            <= m.max_chips[r]
        ),
    )


def standing(m: Model, inst: Instance) -> None:
    """A standing load holds dense peak compute, on average over the week if it can pause.

    sum_s slice_hours[s] * sum_p peak_rate[r,p] * flex[r,p,t,s] + 168 * held[r] * missed[r]
        >= 168 * held[r]                         for every t in its window, if it can pause
    sum_p peak_rate[r,p] * flex[r,p,t,s] + held[r] * missed[r] >= held[r]
                                                 for every (t,s), if it cannot  (EFLOP/s)
    """
    tr = inst.training
    window = [
        (r, int(t))
        for r in np.flatnonzero(tr.standing).tolist()
        for t in np.flatnonzero(tr.window[r])
    ]
    param(m, "held", table(tr.held_eflop_per_s), m.R)
    m.STANDING = pyo.Set(dimen=2, initialize=[k for k in window if tr.can_pause[k[0]]])
    rows(
        m,
        "standing_week",
        m.STANDING,
        rule=lambda m, r, t: (
            sum(
                m.slice_hours[s] * m.peak_rate[r, p] * m.flex[r, p, t, s]
                for p in m.pools_of_run[r, t]
                for s in m.S
            )
            + 168.0 * m.held[r] * m.missed[r]
            >= 168.0 * m.held[r]
        ),
    )
    m.STEADY = pyo.Set(dimen=2, initialize=[k for k in window if not tr.can_pause[k[0]]])
    rows(
        m,
        "standing_slice",
        m.STEADY,
        m.S,
        rule=lambda m, r, t, s: (
            sum(m.peak_rate[r, p] * m.flex[r, p, t, s] for p in m.pools_of_run[r, t])
            + m.held[r] * m.missed[r]
            >= m.held[r]
        ),
    )
