"""A solution's columns as the values of a plan."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from planner.instance import Instance
from planner.matrix import Matrix
from planner.values import DUST, DUST_CHIPS, RULES, Flows, Values

Floats = npt.NDArray[np.float64]


def values_of(inst: Instance, matrix: Matrix, x: Floats) -> Values:
    """Read a solution; noise below DUST_CHIPS is dropped."""
    t, s = len(inst.time.periods), len(inst.time.slices)

    def dense(component: str, *shape: int) -> Floats:
        out = np.zeros(shape)
        index = matrix.column_index[component]
        if index:
            at = np.array(index).reshape(len(index), len(shape))
            out[tuple(at.T)] = x[matrix.columns[component]]
        return np.where(np.abs(out) < DUST_CHIPS, 0.0, out)

    def sparse(component: str) -> Flows:
        index = np.array(matrix.column_index[component], dtype=np.int64).reshape(-1, 4)
        chips = x[matrix.columns[component]]
        keep = chips > DUST_CHIPS
        return Flows(tuple(index[keep].T), chips[keep])

    leave = np.full(len(inst.contracts.names), t)
    for (k, period), value in matrix.values(x, "leave").items():
        if value > 0.5:
            leave[k] = period
    return Values(
        lots=np.round(dense("lots", len(inst.starts.names))).astype(np.int64),
        leave=leave,
        contracted=dense("contracted", len(inst.pools.names), t),
        hourly=dense("hourly", len(inst.pay.names), t, s),
        serve=sparse("serve"),
        unserved=dense("unserved", len(inst.serving.names), t, s),
        shed=dense("shed", len(inst.serving.names), t),
        place=np.flatnonzero(x[matrix.columns["place"]] > 0.5),
        missed=dense("missed", len(inst.training.names)),
        flex=sparse("flex"),
        rules={
            name: {k: v for k, v in matrix.values(x, name).items() if abs(v) > DUST}
            for name in RULES
            if name in matrix.columns
        },
    )
