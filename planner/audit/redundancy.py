"""Redundancy (N-1): what a contingency leaves, stated a second time.

The contingency flows that a plan saves are the proof that each loss can be borne; the audit
checks them against what is left, in own arithmetic.
"""

from __future__ import annotations

import numpy as np

from planner.audit.draft import Bools, Draft
from planner.audit.quantities import room
from planner.instance import Instance


def reach(inst: Instance) -> Bools:
    """Who could be served where after a loss [contingency, workload, pool, period].

    A promise is owed, the period must survive, the pool stands and can hold chips, and the
    workload's rate is positive, with its usual cache and with what a failover leaves of it.
    """
    con, sv = inst.rules.contingencies, inst.serving
    fast = (sv.rate > 0) & (sv.rate_failover > 0) & (sv.mean.sum(axis=2) > 0)[:, None, :]
    stands = con.outage[:, None] & con.lost
    owed = con.share > 0
    shape = (len(con.names), *sv.rate.shape)
    out: Bools = np.ones(shape, dtype=bool)
    out &= (fast & (inst.pools.limit > 0))[None]
    out &= ~stands[:, None, :, None]
    out &= con.active[:, None, None, :]
    out &= owed[:, :, None, None]
    return out


def waiting(inst: Instance) -> Bools:
    """Work on a pool that waits for a qualification for serving [e, w, p]."""
    q = inst.rules.qualification
    out: Bools = q.workloads[:, :, None] & q.pools[:, None, :] & ~q.training[:, None, None]
    return out


def cover(d: Draft, inst: Instance) -> None:
    """cover[k,w,p,t,s]: working chips on workload w in contingency k; 0 to room[p,t]."""
    d.add_axis("contingency", inst.rules.contingencies.names)
    k, w, p, t, s = d.each_slice(*np.nonzero(reach(inst)))
    axes = ("contingency", "workload", "pool", "period", "slice")
    d.add_columns("cover", axes, (k, w, p, t, s), room(inst)[p, t])


def cover_demand(d: Draft, inst: Instance) -> None:
    """The promised share of peak demand is served after the loss, with a cold cache.

        sum_p failover_rate[w,p,t] * cover[k,w,p,t,s] >= share[k,w] * peak[w,t,s] / headroom[w]

    for every contingency, workload that some standing pool can serve, period that must survive
    and slice with demand, in requests/s.
    """
    con, sv, flow = inst.rules.contingencies, inst.serving, d.columns["cover"]
    some: Bools = np.any(reach(inst), axis=2)
    k, w, t, s = d.each_slice(*np.nonzero(some))
    least = con.share[k, w] * sv.peak[w, t, s] / sv.headroom[w]
    wanted = least > 0
    k, w, t, s = k[wanted], w[wanted], t[wanted], s[wanted]
    axes = ("contingency", "workload", "period", "slice")
    rows = d.add_rows("cover_demand", axes, (k, w, t, s), lower=least[wanted])
    w, t = flow["workload"], flow["period"]
    at = rows.at(flow["contingency"], w, t, flow["slice"])
    d.put(at, flow.positions, sv.rate_failover[w, flow["pool"], t], some=True)


def cover_capacity(d: Draft, inst: Instance) -> None:
    """What serves after the loss fits beside the runs that cannot give up their chips.

        sum_w cover[k,w,p,t,s] + sum_{q not preemptible} use * place
            + sum_{r not preemptible} flex + usable[p] * (lots that the supply stop takes)
            <= usable[p] * contracted[p,t] + sum_{v in p, guaranteed} goodput[v] * hourly[v,t,s]

    for every contingency, pool that stands and serves, period and slice, in chips.
    """
    con, tr, st, pay = inst.rules.contingencies, inst.training, inst.starts, inst.pay
    flow, flex, hourly = d.columns["cover"], d.columns["flex"], d.columns["hourly"]
    usable = inst.pools.usable
    serves: Bools = np.any(reach(inst), axis=1)
    k, p, t, s = d.each_slice(*np.nonzero(serves))
    axes = ("contingency", "pool", "period", "slice")
    rows = d.add_rows("cover_capacity", axes, (k, p, t, s), upper=0.0)
    at = rows.at(flow["contingency"], flow["pool"], flow["period"], flow["slice"])
    d.put(at, flow.positions, 1.0)
    d.put(rows.positions, d.columns["contracted"].at(p, t), -usable[p])
    stays = ~tr.preemptible
    taken = (tr.column_use > 0) & stays[tr.column_run][:, None, None]
    held = np.flatnonzero(stays[flex["run"]])
    sure = np.flatnonzero(pay.guaranteed[hourly["hourly offer"]])
    age = np.arange(len(inst.time.periods))[None, :] - st.period[:, None]
    for case in range(len(con.names)):
        q, p, t, s = d.each_slice(*np.nonzero(taken & serves[case : case + 1]))
        same = np.full(len(q), case)
        d.put(rows.at(same, p, t, s), d.columns["place"].at(q), tr.column_use[q, p, t])
        same = np.full(len(held), case)
        at = rows.at(same, flex["pool"][held], flex["period"][held], flex["slice"][held])
        d.put(at, flex.positions[held], 1.0, some=True)
        v, same = hourly["hourly offer"][sure], np.full(len(sure), case)
        at = rows.at(same, pay.pool[v], hourly["period"][sure], hourly["slice"][sure])
        d.put(at, hourly.positions[sure], -pay.goodput[v], some=True)
        if con.outage[case]:
            continue
        recent = (age >= 0) & (age < con.stop_periods[case])
        gone = recent & con.lost[case][st.pool][:, None] & (st.active > 0)
        gone &= ~inst.options.renews[:, None]
        j, t, s = d.each_slice(*np.nonzero(gone))
        chips = usable[st.pool[j]] * st.lot_chips[j] * st.active[j, t]
        at = rows.at(np.full(len(j), case), st.pool[j], t, s)
        d.put(at, d.columns["lots"].at(j), chips, some=True)


def cover_qualified(d: Draft, inst: Instance) -> None:
    """After the loss, too, a generation is served on a chip only once that is qualified.

        sum_{w of generation} cover[k,w,p,t,s] - room[p,t] * sum_{tau <= t - lead} qualify[e,tau]
            <= 0

    for every row for serving that is not done, contingency, pool of its chip and period from the
    first that work can begin in where the generation can be served after the loss, and slice.
    """
    q, space = inst.rules.qualification, room(inst)
    flow, work = d.columns["cover"], d.columns["qualify"]
    k, w, p, t, s = flow.index.T
    e, i = np.nonzero(waiting(inst)[:, w, p] & (t >= q.first) & (space[p, t] > 0))
    keys = np.unique(np.stack((e, k[i], p[i], t[i], s[i]), axis=1), axis=0)
    axes = ("qualification", "contingency", "pool", "period", "slice")
    rows = d.add_rows("cover_qualified", axes, tuple(keys.T), upper=0.0)
    d.put(rows.at(e, k[i], p[i], t[i], s[i]), flow.positions[i], 1.0)
    row, column = np.nonzero(
        (rows["qualification"][:, None] == work["qualification"][None])
        & (work["period"] + q.lead_periods[work["qualification"]] <= rows["period"][:, None])
    )
    d.put(
        rows.positions[row],
        work.positions[column],
        -space[rows["pool"][row], rows["period"][row]],
    )
