"""The variables of the model: what may be decided, between which bounds, in whole numbers or not.

Each function adds one variable to the draft. All variables are at least 0.
"""

from __future__ import annotations

import numpy as np

from planner.audit.draft import Draft
from planner.audit.quantities import pausable_runs, room
from planner.instance import Instance


def lots(d: Draft, inst: Instance) -> None:
    """lots[j]: whole lots of a term offer that start; 0 to max_lots[j]."""
    j = np.arange(len(inst.starts.names))
    d.add_columns("lots", ("start",), (j,), inst.starts.max_lots, integer=True)


def any_lots(d: Draft, inst: Instance) -> None:
    """any_lots[j]: 1 when lots start, where more than one has to start together."""
    j = np.flatnonzero(inst.starts.min_lots > 1)
    d.add_columns("any_lots", ("start",), (j,), 1.0, integer=True)


def hourly(d: Draft, inst: Instance) -> None:
    """hourly[v,t,s]: chips billed by the hour, where the offer is open; 0 to max_chips[v,t]."""
    v, t, s = d.each_slice(*np.nonzero(inst.pay.max_chips > 0))
    axes = ("hourly offer", "period", "slice")
    d.add_columns("hourly", axes, (v, t, s), inst.pay.max_chips[v, t])


def leave(d: Draft, inst: Instance) -> None:
    """leave[k,t]: 1 when contract k ends with the start of period t.

    From the first period that notice can reach to the last that the contract covers.
    """
    c = inst.contracts
    t = np.arange(len(inst.time.periods))[None, :]
    k, when = np.nonzero((t >= c.leave_from[:, None]) & (t < c.leave_until[:, None]))
    d.add_columns("leave", ("contract", "period"), (k, when), 1.0, integer=True)


def contracted(d: Draft, inst: Instance) -> None:
    """contracted[p,t]: chips under contract; 0 to what is allotted or already signed."""
    limit = inst.pools.limit
    p, t = (axis.ravel() for axis in np.indices(limit.shape))
    d.add_columns("contracted", ("pool", "period"), (p, t), limit[p, t])


def serve(d: Draft, inst: Instance) -> None:
    """serve[w,p,t,s]: working chips of pool p on workload w.

    Where the pool can meet the workload's latency, the workload has demand in t, and the pool
    can hold chips. At most room[p,t]; work that cannot wait also takes at most the chips that
    carry its whole peak, peak[w,t,s] / rate[w,p,t].
    """
    serving = inst.serving
    wanted = serving.mean.sum(axis=2) > 0
    can = (serving.rate > 0) & wanted[:, None, :] & (inst.pools.limit > 0)
    w, p, t, s = d.each_slice(*np.nonzero(can))
    most = room(inst)[p, t]
    whole = serving.peak[w, t, s] / serving.rate[w, p, t]
    most = np.where(serving.deferrable[w], most, np.minimum(most, whole))
    d.add_columns("serve", ("workload", "pool", "period", "slice"), (w, p, t, s), most)


def unserved(d: Draft, inst: Instance) -> None:
    """unserved[w,t,s]: requests/s of a peak that are not carried; 0 to peak[w,t,s]."""
    serving = inst.serving
    peaked = (serving.peak > 0).any(axis=2) & ~serving.deferrable[:, None]
    w, t, s = d.each_slice(*np.nonzero(peaked))
    axes = ("workload", "period", "slice")
    d.add_columns("unserved", axes, (w, t, s), serving.peak[w, t, s])


def shed(d: Draft, inst: Instance) -> None:
    """shed[w,t]: requests/s of a deferrable class that are let go; 0 to its volume.

    volume[w,t] = weekly mean x headroom, which the instance keeps as the (flat) peak.
    """
    serving = inst.serving
    volume = serving.peak[:, :, 0]
    w, t = np.nonzero((volume > 0) & serving.deferrable[:, None])
    d.add_columns("shed", ("workload", "period"), (w, t), volume[w, t])


def place(d: Draft, inst: Instance) -> None:
    """place[q]: 1 when a run takes the placement column q."""
    q = np.arange(len(inst.training.column_names))
    d.add_columns("place", ("placement",), (q,), 1.0, integer=True)


def missed(d: Draft, inst: Instance) -> None:
    """missed[r]: share of a run or standing load that is not done, in [0, 1].

    A pausable run is done or not: whole. For a placed run the whole placements make it so.
    """
    r = np.arange(len(inst.training.names))
    d.add_columns("missed", ("run",), (r,), 1.0, integer=pausable_runs(inst))


def flex(d: Draft, inst: Instance) -> None:
    """flex[r,p,t,s]: working chips that a pausable run or a standing load holds.

    In its window, on chips that it may use (peak > 0), where the pool has room; at most that
    room and at most the run's largest cluster.
    """
    tr = inst.training
    space = room(inst)
    holds = (tr.can_pause | tr.standing)[:, None, None]
    can = holds & (tr.peak_eflop_per_s > 0)[:, :, None] & tr.window[:, None, :] & (space > 0)
    r, p, t, s = d.each_slice(*np.nonzero(can))
    most = np.minimum(space[p, t], tr.max_chips[r])
    d.add_columns("flex", ("run", "pool", "period", "slice"), (r, p, t, s), most)
