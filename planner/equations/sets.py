"""Index sets and parameters that the equation families share.

Sets hold positions (0, 1, ...) along the axes of the instance, so that sums over them compile
as templates; labels come back in `planner.matrix`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.environ as pyo

from planner.equations.bulk import fill, flat_set, grouped, listed, product_set
from planner.instance import Instance
from planner.instance.reach import serve_triples

Model = Any
"""A Pyomo model; Pyomo has no types."""


def table(array: npt.NDArray[Any]) -> dict[Any, Any]:
    """A dense array as index -> value, what a Pyomo Param takes."""
    if array.ndim == 1:
        return dict(enumerate(array.tolist()))
    return dict(zip(np.ndindex(array.shape), array.ravel().tolist(), strict=True))


def param(m: Model, name: str, values: Mapping[Any, float], *sets: Any) -> None:
    """Add a Param over `sets`; entries that are not given are 0, keys are indices of the sets."""
    m.add_component(name, pyo.Param(*sets, default=0.0))
    fill(m.component(name), values)


def members(
    m: Model, name: str, pairs: Iterable[tuple[Any, Any]], *over: Any, dimen: int = 1
) -> None:
    """Add a Set indexed by `over`, from (index, member) pairs; other indices are empty.

    Members are tuples of length `dimen` when it is more than 1.
    """
    found: dict[Any, list[Any]] = defaultdict(list)
    for index, member in pairs:
        found[index].append(member)
    listed(m, name, found, *over, dimen=dimen)


def rows(m: Model, name: str, *over: Any, rule: Any) -> None:
    """Add a constraint over the product of sets; nothing when that product is empty.

    Pyomo cannot take a template over an empty set.
    """
    if all(len(index) for index in over):
        # Pyomo walks a product of sets several times slower than a flat one.
        index = product_set(m, f"{name}_index", over)
        m.add_component(name, pyo.Constraint(*index, rule=rule))


def add_sets(m: Model, inst: Instance) -> None:
    """T periods, S slices, P pools, W workloads, and which workload runs on which pool when.

    SERVE holds (w, p, t) with a positive rate, demand in t and chips that can exist:
    limit[p,t] > 0. Everything that is served is summed over it.
    """
    time, pools, serving = inst.time, inst.pools, inst.serving
    m.T = pyo.RangeSet(0, len(time.periods) - 1)
    m.S = pyo.RangeSet(0, len(time.slices) - 1)
    m.P = pyo.RangeSet(0, len(pools.names) - 1)
    m.W = pyo.RangeSet(0, len(serving.names) - 1)
    w, p, t = np.nonzero(serve_triples(inst))
    flat_set(m, "SERVE", np.stack([w, p, t]).T, 3)
    listed(m, "pools_for", grouped(np.stack([w, t]), p), m.W, m.T)
    listed(m, "workloads_on", grouped(np.stack([p, t]), w), m.P, m.T)
    firm = ~serving.deferrable[w]
    on_firm = grouped(np.stack([p, t])[:, firm], w[firm])
    listed(m, "firm_workloads_on", on_firm, m.P, m.T)
    param(m, "slice_hours", table(time.slice_hours), m.S)
    param(m, "usable", table(pools.usable), m.P)
