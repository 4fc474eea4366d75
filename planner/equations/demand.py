"""Serving demand is met or reported as unserved."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from planner.equations.bulk import bounded, flat_set, numbered
from planner.equations.sets import Model, param, rows
from planner.instance import Instance
from planner.instance.reach import serve_triples


def serving(m: Model, inst: Instance) -> None:
    """serve[w,p,t,s] >= 0: working chips of pool p that serve workload w.

    Bounded by what the pool can hold, usable[p] * limit[p,t] + pay as you go, and unless the
    class is deferrable by the chips that the whole demand takes, peak[w,t,s] / rate[w,p,t].
    """
    rate, peak = inst.serving.rate, inst.serving.peak
    w, p, t = np.nonzero(serve_triples(inst))
    whole = np.where(inst.serving.deferrable[w, None], np.inf, peak[w, t] / rate[w, p, t][:, None])
    most = np.minimum(whole, pool_room(inst)[p, t][:, None])
    slices = len(inst.time.slices)
    triples = np.stack([w, p, t])
    slots = np.empty((4, len(w), slices), dtype=np.int64)
    slots[:3], slots[3] = triples[:, :, None], np.arange(slices)
    keys = slots.reshape(4, -1).T
    # One flat set: Pyomo walks a product of sets several times slower.
    flat_set(m, "SERVE_SLOTS", keys, 4)
    bounded(m, "serve", keys, most.ravel(), m.SERVE_SLOTS)
    numbered(m, "rate", triples.T, rate[w, p, t], m.SERVE)


def pool_room(inst: Instance) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Most working chips that a pool can ever have, contracts and pay as you go [p, t]."""
    room = inst.pools.usable[:, None] * inst.pools.limit
    extra = np.zeros_like(room)
    np.add.at(extra, inst.pay.pool, inst.pay.goodput[:, None] * inst.pay.max_chips)
    out: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = room + extra
    return out


def demand_peak(m: Model, inst: Instance) -> None:
    """The peak of each slice, with headroom, is carried or unserved.

        sum_{p} rate[w,p,t] * serve[w,p,t,s] + unserved[w,t,s] = peak[w,t,s]

    for every workload w that cannot wait, period t with demand and slice s, in requests/s;
    0 <= unserved <= peak. peak = weekly mean x peak hour of the slice x headroom.
    """
    peak = inst.serving.peak
    wait = inst.serving.deferrable
    keys = [(w, t) for w, t in np.argwhere(peak.sum(axis=2) > 0).tolist() if not wait[w]]
    flat_set(m, "PEAKED", keys, 2)
    values = {(w, t, s): most for w, t in keys for s, most in enumerate(peak[w, t].tolist())}
    bounded(m, "unserved", list(values), list(values.values()), m.PEAKED, m.S)
    param(m, "peak", values, m.PEAKED, m.S)
    rows(
        m,
        "demand_peak",
        m.PEAKED,
        m.S,
        rule=lambda m, w, t, s: (
            sum(m.rate[w, p, t] * m.serve[w, p, t, s] for p in m.pools_for[w, t])
            + m.unserved[w, t, s]
            == m.peak[w, t, s]
        ),
    )


def demand_volume(m: Model, inst: Instance) -> None:
    """A deferrable class gets its weekly volume, at whatever hour, or is shed.

        sum_s slice_hours[s] * sum_p rate[w,p,t] * serve[w,p,t,s] + 168 * shed[w,t]
            = 168 * volume[w,t]

    for every deferrable workload w and period t with demand, in requests/s x hours;
    0 <= shed <= volume = weekly mean x headroom, requests/s.
    """
    volume = inst.serving.peak[:, :, 0]
    wait = inst.serving.deferrable
    keys = [(w, t) for w, t in np.argwhere(volume > 0).tolist() if wait[w]]
    m.DEFERRED = pyo.Set(dimen=2, initialize=keys)
    m.shed = pyo.Var(m.DEFERRED, bounds=lambda _m, w, t: (0.0, float(volume[w, t])))
    param(m, "week_volume", {k: 168.0 * float(volume[k]) for k in keys}, m.DEFERRED)
    rows(
        m,
        "demand_volume",
        m.DEFERRED,
        rule=lambda m, w, t: (
            sum(
                m.slice_hours[s] * m.rate[w, p, t] * m.serve[w, p, t, s]
                for p in m.pools_for[w, t]
                for s in m.S
            )
            + 168.0 * m.shed[w, t]
            == m.week_volume[w, t]
        ),
    )
