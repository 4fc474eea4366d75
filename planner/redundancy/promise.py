"""What each contingency asks: whom to serve, how much, and where that is possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.equations.redundancy import cover_quintuples, promised
from planner.instance import Instance

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


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
    """Pools that serve anything in the contingency [k, p, t]."""

    @property
    def blocks(self) -> int:
        """Number of blocks that ask for something."""
        return int(self.owed.sum())


def promise(inst: Instance) -> Promise:
    """The promise of an instance, as the equation family states it."""
    reach = cover_quintuples(inst)
    some: Bools = np.any(reach, axis=0)
    least = promised(inst, reach)
    return Promise(
        rate=np.where(some, inst.serving.rate_failover, 0.0),
        reach=reach,
        least=least,
        owed=np.any(least > 0, axis=1),
        serves=np.any(reach, axis=1),
    )
