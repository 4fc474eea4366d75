"""Demand is carried or reported, and everything fits into the chips that work."""

from __future__ import annotations

import numpy as np

from planner.audit.draft import Block, Bools, Draft
from planner.audit.quantities import HOURS_OF_WEEK
from planner.instance import Instance


def demand_peak(d: Draft, inst: Instance) -> None:
    """The peak of each slice, with headroom, is carried or unserved.

        sum_p rate[w,p,t] * serve[w,p,t,s] + unserved[w,t,s] = peak[w,t,s]

    for every workload that cannot wait, period with demand and slice, in requests/s.
    """
    open_, serve, serving = d.columns["unserved"], d.columns["serve"], inst.serving
    w, t, s = open_["workload"], open_["period"], open_["slice"]
    peak = serving.peak[w, t, s]
    rows = d.add_rows("demand_peak", ("workload", "period", "slice"), (w, t, s), peak, peak)
    d.put(rows.positions, open_.positions, 1.0)
    now = ~serving.deferrable[serve["workload"]]
    w, t, s = serve["workload"][now], serve["period"][now], serve["slice"][now]
    rate = serving.rate[w, serve["pool"][now], t]
    d.put(rows.at(w, t, s), serve.positions[now], rate)


def demand_volume(d: Draft, inst: Instance) -> None:
    """A deferrable class gets its weekly volume, at whatever hour, or sheds it.

        sum_{p,s} slice_hours[s] * rate[w,p,t] * serve[w,p,t,s] + 168 * shed[w,t]
            = 168 * volume[w,t]

    for every deferrable workload and period with demand, in requests/s x hours of a week.
    """
    open_, serve, serving = d.columns["shed"], d.columns["serve"], inst.serving
    w, t = open_["workload"], open_["period"]
    week = HOURS_OF_WEEK * serving.peak[w, t, 0]
    rows = d.add_rows("demand_volume", ("workload", "period"), (w, t), week, week)
    d.put(rows.positions, open_.positions, HOURS_OF_WEEK)
    wait = serving.deferrable[serve["workload"]]
    w, t, s = serve["workload"][wait], serve["period"][wait], serve["slice"][wait]
    hours = inst.time.slice_hours[s]
    rate = serving.rate[w, serve["pool"][wait], t]
    d.put(rows.at(w, t), serve.positions[wait], hours * rate)


def capacity(d: Draft, inst: Instance) -> None:
    """Serving and training take no more than the chips that work.

        sum_w serve[w,p,t,s] + sum_q use[q,p,t] * place[q] + sum_r flex[r,p,t,s]
            <= usable[p] * contracted[p,t] + sum_{v in p} goodput[v] * hourly[v,t,s]

    for every pool and period that can hold chips and every slice, in chips.
    """
    p, t, s = d.each_slice(*np.nonzero(inst.pools.limit > 0))
    rows = d.add_rows("capacity", ("pool", "period", "slice"), (p, t, s), upper=0.0)
    workloads = np.ones(len(inst.serving.names), dtype=bool)
    runs = np.ones(len(inst.training.names), dtype=bool)
    offers = np.ones(len(inst.pay.names), dtype=bool)
    _fits(d, inst, rows, workloads, runs, offers, some=False)


def firm_capacity(d: Draft, inst: Instance) -> None:
    """Work that cannot be interrupted leans on chips that cannot be taken back.

        sum_{w not deferrable} serve + sum_{q not preemptible} use * place
            + sum_{r not preemptible} flex
            <= usable[p] * contracted[p,t] + sum_{v in p, firm} goodput[v] * hourly[v,t,s]

    for every (p,t) with interruptible pay as you go and every slice, in chips; where there is
    none, `capacity` says more.
    """
    hourly, pay = d.columns["hourly"], inst.pay
    spot = pay.interruptible[hourly["hourly offer"]]
    pool = pay.pool[hourly["hourly offer"]]
    keys = np.stack((pool, hourly["period"], hourly["slice"]), axis=1)[spot]
    p, t, s = np.unique(keys, axis=0).T
    rows = d.add_rows("firm_capacity", ("pool", "period", "slice"), (p, t, s), upper=0.0)
    runs, workloads = ~inst.training.preemptible, ~inst.serving.deferrable
    _fits(d, inst, rows, workloads, runs, ~pay.interruptible, some=True)


def _fits(
    d: Draft,
    inst: Instance,
    rows: Block,
    workloads: Bools,
    runs: Bools,
    offers: Bools,
    some: bool,
) -> None:
    """Work of some workloads and runs on the left, contracts and some offers on the right.

    `some` says that the rows need not stand for every pool, period and slice.
    """
    tr = inst.training
    serve, flex, hourly = d.columns["serve"], d.columns["flex"], d.columns["hourly"]
    k = np.flatnonzero(workloads[serve["workload"]])
    at = rows.at(serve["pool"][k], serve["period"][k], serve["slice"][k])
    d.put(at, serve.positions[k], 1.0, some)
    k = np.flatnonzero(runs[flex["run"]])
    at = rows.at(flex["pool"][k], flex["period"][k], flex["slice"][k])
    d.put(at, flex.positions[k], 1.0, some)
    taken = (tr.column_use > 0) & runs[tr.column_run][:, None, None]
    q, p, t, s = d.each_slice(*np.nonzero(taken))
    d.put(rows.at(p, t, s), d.columns["place"].at(q), tr.column_use[q, p, t], some)
    p, t = rows["pool"], rows["period"]
    d.put(rows.positions, d.columns["contracted"].at(p, t), -inst.pools.usable[p])
    k = np.flatnonzero(offers[hourly["hourly offer"]])
    v = hourly["hourly offer"][k]
    at = rows.at(inst.pay.pool[v], hourly["period"][k], hourly["slice"][k])
    d.put(at, hourly.positions[k], -inst.pay.goodput[v], some)
