"""What is left after a loss still serves what each class promises (N-1)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyomo.environ as pyo

from planner.equations.demand import pool_room
from planner.equations.sets import Model, members, param, rows
from planner.instance import Instance
from planner.instance.reach import promisable, survivors


def cover_quintuples(inst: Instance) -> npt.NDArray[np.bool_]:
    """Where a workload is served in a contingency [k, w, p, t].

    `survivors`, for classes that promise a share.
    """
    owed = inst.rules.contingencies.share > 0
    out: npt.NDArray[np.bool_] = survivors(inst) & owed[:, :, None, None]
    return out


def promised(inst: Instance, can: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Requests/s to serve in each contingency [k, w, t, s].

    share[k,w] * peak[w,t,s] / headroom[w], where `can` (`cover_quintuples`) has a pool for it.
    """
    share = inst.rules.contingencies.share[:, :, None, None]
    out: npt.NDArray[np.float64] = share * promisable(inst, can)
    return out


def gated(inst: Instance) -> npt.NDArray[np.int64]:
    """Qualification row that a workload waits for on a pool; -1 where it needs none [w, p].

    From the first period in which work can begin; before then what ran is history.
    """
    q = inst.rules.qualification
    out = np.full((len(inst.serving.names), len(inst.pools.names)), -1, dtype=np.int64)
    for e in range(len(q.names)):
        out[np.ix_(q.workloads[e], q.pools[e])] = e
    return out


def redundancy(m: Model, inst: Instance) -> None:
    """In each contingency k the chips that are left serve the promised share of peak demand.

        sum_p failover_rate[w,p,t] * cover[k,w,p,t,s] >= share[k,w] * peak[w,t,s] / headroom[w]
        sum_w cover[k,w,p,t,s] + sum_{q not preemptible} use[q,p,t] * place[q]
            + sum_{r not preemptible} flex[r,p,t,s]
            + usable[p] * sum_{j of p stopped by k in t} delivered[j,t] * lots[j]
            <= usable[p] * contracted[p,t] + sum_{v in p guaranteed} goodput[v] * hourly[v,t,s]
        sum_{w of generation} cover[k,w,p,t,s] <= room[p,t] * sum_{tau <= t - lead} qualify[e,tau]

    for every contingency k, period t that must survive it and slice s; the first for every
    workload whose class promises a share, in requests/s; the second for every pool p that an
    outage leaves, in chips; the third for every qualification e for serving that is not done, on
    the pools of its chip: a reserve that nothing can run on yet is none. cover >= 0 are working
    chips. Prefix caches are as after a failover;
    no pay as you go counts unless it is guaranteed; preemptible runs give up their chips. A
    supply stop takes the lots that started within the time that it has lasted. A workload that
    is bound to what is lost (a cloud's own channel) can promise nothing and has no row.
    """
    con, sv, tr = inst.rules.contingencies, inst.serving, inst.training
    can = cover_quintuples(inst)
    slices = range(len(inst.time.slices))
    at = np.argwhere(can).tolist()
    slots = [(k, w, p, t, s) for k, w, p, t in at for s in slices]
    room = pool_room(inst)
    m.COVER = pyo.Set(dimen=5, initialize=slots)
    m.cover = pyo.Var(m.COVER, bounds=lambda _m, _k, _w, p, t, _s: (0.0, float(room[p, t])))
    rate = {(w, p, t): float(sv.rate_failover[w, p, t]) for _, w, p, t in at}
    m.COVER_RATES = pyo.Set(dimen=3, initialize=list(rate))
    param(m, "failover_rate", rate, m.COVER_RATES)
    wanted = promised(inst, can)
    keys = [(k, w, t, s) for k, w, t, s in np.argwhere(wanted > 0).tolist()]
    m.COVERED = pyo.Set(dimen=4, initialize=keys)
    param(m, "cover_least", {i: float(wanted[i]) for i in keys}, m.COVERED)
    members(m, "cover_pools", (((k, w, t), p) for k, w, p, t in at), _triples(m, keys))
    rows(
        m,
        "cover_demand",
        m.COVERED,
        rule=lambda m, k, w, t, s: (
            sum(m.failover_rate[w, p, t] * m.cover[k, w, p, t, s] for p in m.cover_pools[k, w, t])
            >= m.cover_least[k, w, t, s]
        ),
    )
    used = sorted({(k, p, t) for k, _, p, t in at})
    m.COVER_POOLS = pyo.Set(dimen=3, initialize=used)
    members(m, "cover_workloads", (((k, p, t), w) for k, w, p, t in at), m.COVER_POOLS)
    pool, start = inst.starts.pool.tolist(), inst.starts.period.tolist()
    stopped = [
        ((k, p, t), j)
        for k, p, t in used
        if not con.outage[k] and con.lost[k, p]
        for j in m.starts_in[p, t]
        if not inst.options.renews[j]
        if t - int(con.stop_periods[k]) < start[j] <= t and pool[j] == p
    ]
    members(m, "stopped_starts", stopped, m.COVER_POOLS)
    sure = (((p, t), v) for p, t, v in _hours(m, inst) if inst.pay.guaranteed[v])
    members(m, "guaranteed_in", sure, m.P, m.T)
    stays = (
        ((p, t), q)
        for q, p, t in np.argwhere(tr.column_use > 0).tolist()
        if not tr.preemptible[tr.column_run[q]]
    )
    members(m, "staying_columns", stays, m.P, m.T)
    holds = (((p, t), r) for r, p, t in m.FLEX if not tr.preemptible[r])
    members(m, "staying_runs", holds, m.P, m.T)
    rows(
        m,
        "cover_capacity",
        m.COVER_POOLS,
        m.S,
        rule=lambda m, k, p, t, s: (
            sum(m.cover[k, w, p, t, s] for w in m.cover_workloads[k, p, t])
            + sum(m.use[q, p, t] * m.place[q] for q in m.staying_columns[p, t])
            + sum(m.flex[r, p, t, s] for r in m.staying_runs[p, t])
            + sum(m.usable[p] * m.delivered[j, t] * m.lots[j] for j in m.stopped_starts[k, p, t])
            - m.usable[p] * m.contracted[p, t]
            - sum(m.goodput[v] * m.hourly[v, t, s] for v in m.guaranteed_in[p, t])
            <= 0
        ),
    )
    waits, first = gated(inst), inst.rules.qualification.first
    gates = [
        ((int(waits[w, p]), k, p, t), w)
        for k, w, p, t in at
        if waits[w, p] >= 0 and t >= first and room[p, t] > 0
    ]
    m.COVER_GATES = pyo.Set(dimen=4, initialize=sorted({gate for gate, _ in gates}))
    members(m, "cover_gated", gates, m.COVER_GATES)
    rows(
        m,
        "cover_qualified",
        m.COVER_GATES,
        m.S,
        rule=lambda m, e, k, p, t, s: (
            sum(m.cover[k, w, p, t, s] for w in m.cover_gated[e, k, p, t])
            - m.room[p, t] * sum(m.qualify[e, tau] for tau in m.qualified_by[e, t])
            <= 0
        ),
    )


def _triples(m: Model, keys: list[tuple[int, int, int, int]]) -> pyo.Set:
    """Set of the (k, w, t) of the demand rows, added to the model."""
    m.COVER_KEYS = pyo.Set(dimen=3, initialize=sorted({(k, w, t) for k, w, t, _ in keys}))
    return m.COVER_KEYS


def _hours(m: Model, inst: Instance) -> list[tuple[int, int, int]]:
    """(pool, period, offer) of every pay-as-you-go offer that can be used."""
    return [(int(inst.pay.pool[v]), t, v) for v, t in m.HOURLY]
