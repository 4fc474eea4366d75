"""Who can be served where, and which demand a promise is of: masks over the axes.

Equations, the rounds of redundancy and the tables of a plan read the same ones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from planner.instance.build import Instance

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def serve_triples(inst: Instance) -> Bools:
    """Where a workload can be served: positive rate and demand, and a pool with chips [w,p,t]."""
    demand = inst.serving.mean.sum(axis=2) > 0
    out: Bools = (inst.serving.rate > 0) & demand[:, None, :] & (inst.pools.limit > 0)[None, :, :]
    return out


def survivors(inst: Instance) -> Bools:
    """Where a workload can still be served in a contingency, promised or not [k, w, p, t].

    In periods that must survive it, on pools that an outage leaves, at a positive failover rate.
    """
    con = inst.rules.contingencies
    can = serve_triples(inst) & (inst.serving.rate_failover > 0)
    left = ~(con.lost & con.outage[:, None])
    out: Bools = can[None] & con.active[:, None, None, :] & left[:, None, :, None]
    return out


def plain_peak(inst: Instance) -> Floats:
    """Peak demand without headroom, requests/s [w, t, s].

    Promises are shares of it: headroom is for the unforeseen, and a contingency is that.
    """
    out: Floats = inst.serving.peak / inst.serving.headroom[:, None, None]
    return out


def promisable(inst: Instance, can: Bools) -> Floats:
    """Demand that a promise is a share of, requests/s in each contingency [k, w, t, s].

    `plain_peak` where `can` (`survivors`, or part of them) has a pool for the workload; 0 for
    what is bound to the pools that are lost, such as a cloud's own channel.
    """
    reachable: Bools = np.any(can, axis=2)
    out: Floats = plain_peak(inst)[None] * reachable[..., None]
    return out
