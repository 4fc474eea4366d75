"""What each contingency asks: whom to serve, how much, and where that is possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.equations.demand import pool_room
from planner.equations.redundancy import cover_quintuples, gated, promised
from planner.instance import Instance

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Gates:
    """Where work waits for a qualification: one gate for each row and pool of its chip [g].

    A gate lets through as many working chips as the pool can hold once the row is qualified, and
    none before.
    """

    row: Ints
    """Qualification [g]."""
    pool: Ints
    """Pool [g]."""
    room: Floats
    """Working chips of the open gate [g, t]."""
    of: Ints
    """Gate of a workload on a pool; -1 without one [w, p]."""
    first: int
    """First period with gates."""

    def at(self, t: int) -> Ints:
        """Gate of a workload on a pool in period t; -1 without one [w, p]."""
        return self.of if t >= self.first else np.full_like(self.of, -1)


@dataclass(frozen=True, eq=False)
class Promise:
    """Blocks of a case; axes k contingency, w workload, p pool, t period, s slice."""

    rate: Floats
    """Failover rate where a workload can be served at all, requests/s per chip [w, p, t]."""
    reach: Bools
    """Whether a workload can be served there in the contingency [k, w, p, t]."""
    least: Floats
    """Requests/s that the contingency must still serve [k, w, t, s]."""
    owed: Bools
    """Whether a block asks for anything [k, t, s]."""
    serves: Bools
    """Pools, then gates, that serve anything in the contingency [k, p + g, t]."""
    gates: Gates
    """Work that waits for a qualification."""

    @property
    def blocks(self) -> int:
        """Number of blocks that ask for something."""
        return int(self.owed.sum())


def promise(inst: Instance) -> Promise:
    """The promise of an instance, as the equation family states it."""
    reach = cover_quintuples(inst)
    some: Bools = np.any(reach, axis=0)
    least = promised(inst, reach)
    gates = _gates(inst, some)
    through = np.stack(
        [
            np.any(reach[:, gates.of[:, p] == g, p, :], axis=1)
            for g, p in enumerate(gates.pool.tolist())
        ]
        or [np.zeros((reach.shape[0], reach.shape[3]), dtype=bool)],
        axis=1,
    )[:, : len(gates.pool)]
    return Promise(
        rate=np.where(some, inst.serving.rate_failover, 0.0),
        reach=reach,
        least=least,
        owed=np.any(least > 0, axis=1),
        serves=np.concatenate([np.any(reach, axis=1), through], axis=1),
        gates=gates,
    )


def _gates(inst: Instance, some: Bools) -> Gates:
    """Gates of the workloads that a contingency can move to a pool [w, p, t]."""
    row = np.where(np.any(some, axis=2), gated(inst), -1)
    w, p = np.nonzero(row >= 0)
    keys, which = np.unique(np.stack([row[w, p], p], axis=1), axis=0, return_inverse=True)
    of = np.full(row.shape, -1, dtype=np.int64)
    of[w, p] = which.ravel()
    e, pool = keys.reshape(-1, 2).T
    return Gates(e, pool, pool_room(inst)[pool], of, inst.rules.qualification.first)
