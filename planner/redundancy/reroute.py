"""Reroute: move routings of many blocks to what is left of them now, without solving one.

A block whose routing was found for other chips mostly needs little: what no longer fits is cut
back, and what is missing goes, pair by pair, where chips are left. That takes a few array
operations for all blocks of a period; a routing that comes out is one, whichever way it was found,
and only blocks that are still short are solved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.solve.transport import Transport

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
ROUNDING = 1e-9
"""Part of what is asked below which nothing is missing."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Workloads on pools of one period; the axis of routings."""

    workload: Ints
    """Workload [n]."""
    pool: Ints
    """Pool [n]."""
    gate: Ints
    """Place of the gate among pools and gates; -1 without one [n]."""
    rate: Floats
    """Requests/s per chip [n]."""
    order: tuple[Ints, ...]
    """Pairs of each workload, in the order in which what is missing is placed."""
    served: sp.csr_array
    """Requests/s per chip of each pair, by workload [w, n]."""
    taken: sp.csr_array
    """Which pairs take chips of each pool, then of each gate [p + g, n]."""

    @classmethod
    def of(cls, transport: Transport, rate: Floats) -> Pairs:
        """Those of a period's problem with rates [w, p].

        Workloads with the fewest pools come first, each with its best pools first.
        """
        w, p = transport.pairs
        gate = np.full(len(w), -1, dtype=np.int64)
        waits, gates = transport.waits
        gate[waits] = gates
        each = rate[w, p]
        choices = np.bincount(w, minlength=rate.shape[0])
        order = np.lexsort((p, -each / transport.best[w], w, choices[w]))
        starts = np.flatnonzero(np.diff(w[order])) + 1
        n = np.arange(len(w))
        shape = (transport.shape[1], len(w))
        at = np.concatenate([p, gates]), np.concatenate([n, waits])
        return cls(
            w,
            p,
            gate,
            each,
            tuple(np.split(order, starts)) if len(w) else (),
            sp.csr_array((each, (w, n)), shape=(rate.shape[0], len(w))),
            sp.csr_array((np.ones(len(at[0])), at), shape=shape),
        )


def reroute(
    pairs: Pairs, flow: Floats, least: Floats, chips: Floats
) -> tuple[Floats, Floats, Floats]:
    """Routings [n, b], requests/s that each leaves short [w, b], and chips taken [p + g, b].

    `flow` are routings made for other chips [n, b], `least` what is asked [w, b] and `chips` what
    is left of pools and gates, at least 0 [p + g, b].
    """
    flow = np.array(flow, order="C")
    _cut(flow, least, pairs.served @ flow, pairs.workload)
    _cut(flow, chips, pairs.taken @ flow, pairs.pool)
    gated = np.flatnonzero(pairs.gate >= 0)
    if len(gated):
        _cut(flow, chips, pairs.taken @ flow, pairs.gate[gated], gated)
    short = np.maximum(least - pairs.served @ flow, 0.0)
    short[short <= ROUNDING * least] = 0.0
    free = np.maximum(chips - pairs.taken @ flow, 0.0)
    lacks, has = (short > 0.0).any(axis=1).tolist(), (free > 0.0).any(axis=1).tolist()
    for each in pairs.order:
        w = int(pairs.workload[each[0]])
        if not lacks[w]:
            continue
        some = np.flatnonzero(short[w])
        for n in each.tolist():
            p, g, rate = int(pairs.pool[n]), int(pairs.gate[n]), float(pairs.rate[n])
            # Chips only become fewer: most pools have none for any block, from the beginning.
            if not has[p]:
                continue
            more = np.minimum(short[w, some] / rate, free[p, some])
            if g >= 0:
                more = np.minimum(more, free[g, some])
                free[g, some] -= more
            free[p, some] -= more
            flow[n, some] += more
            left = short[w, some] - more * rate
            still = left > ROUNDING * least[w, some]
            short[w, some] = np.where(still, left, 0.0)
            some = some[still]
            if not len(some):
                break
    return flow, short, chips - free


def _cut(flow: Floats, most: Floats, given: Floats, of: Ints, pairs: Ints | None = None) -> None:
    """Cut back the pairs, all unless given, of what is `given` more than there is room for.

    `of` says to which row of `most` and `given` [row, b] each of the pairs belongs.
    """
    over = given > most
    mine = np.flatnonzero(np.isin(of, np.flatnonzero(over.any(axis=1))))
    share = np.where(over, most / np.where(over, given, 1.0), 1.0)
    flow[mine if pairs is None else pairs[mine]] *= share[of[mine]]
