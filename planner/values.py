"""A solution's columns as arrays on the instance's axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.instance import Instance
from planner.matrix import Matrix

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
DUST_CHIPS = 1e-6
"""Flows below this are solver noise and count as 0."""


@dataclass(frozen=True)
class Flows:
    """A sparse variable: positions along its axes, one array an axis, and values."""

    at: tuple[Ints, ...]
    """Positions, in the order of the variable's index."""
    chips: Floats
    """Chips at each position."""


@dataclass(frozen=True)
class Values:
    """What a plan decides; axes as in `planner.instance.axes`."""

    lots: Ints
    """Lots that start [j]."""
    leave: Ints
    """Period in which a contract is left, or the number of periods [k]."""
    contracted: Floats
    """Chips under contract [p, t]."""
    hourly: Floats
    """Pay-as-you-go chips [v, t, s]."""
    serve: Flows
    """Working chips that serve (w, p, t, s)."""
    unserved: Floats
    """Requests/s of peak demand not carried [w, t, s]."""
    shed: Floats
    """Requests/s of deferrable volume not carried [w, t]."""
    place: Ints
    """Placement columns taken (positions in q)."""
    missed: Floats
    """Share of a run that is not done [r]."""
    flex: Flows
    """Working chips of pausable runs and standing loads (r, p, t, s)."""


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
    )


def pool_use(inst: Instance, values: Values) -> Floats:
    """Working chips in use by serving and training [p, t, s]."""
    use = np.zeros((len(inst.pools.names), len(inst.time.periods), len(inst.time.slices)))
    for flows in (values.serve, values.flex):
        np.add.at(use, flows.at[1:], flows.chips)
    use += inst.training.column_use[values.place].sum(axis=0)[:, :, None]
    return use


def working(inst: Instance, values: Values) -> Floats:
    """Working chips there are: contracted and by the hour [p, t, s]."""
    out = np.repeat(
        (inst.pools.usable[:, None] * values.contracted)[:, :, None],
        len(inst.time.slices),
        axis=2,
    )
    np.add.at(out, inst.pay.pool, inst.pay.goodput[:, None, None] * values.hourly)
    return out


def consolidate(inst: Instance, values: Values, floor_chips: float) -> tuple[Values, int]:
    """Move serving flows below `floor_chips` to the workload's larger flows of that slot.

    A flow moves only into chips that are free, so every limit still holds; serving itself has no
    cost, so the cost does not change. Returns the new values and the number of flows moved.
    """
    if floor_chips <= 0:
        return values, 0
    free = working(inst, values) - pool_use(inst, values)
    w, p, t, s = values.serve.at
    chips = values.serve.chips.copy()
    slots: dict[tuple[int, int, int], list[int]] = {}
    for i, key in enumerate(zip(w.tolist(), t.tolist(), s.tolist(), strict=True)):
        slots.setdefault(key, []).append(i)
    rate = inst.serving.rate[w, p, t]
    moved = 0
    for i in np.flatnonzero(chips < floor_chips).tolist():
        others = slots[int(w[i]), int(t[i]), int(s[i])]
        for other in sorted(others, key=lambda k: -chips[k]):
            needed = chips[i] * rate[i] / rate[other]
            home = (p[other], t[other], s[other])
            if other != i and chips[other] >= floor_chips and free[home] >= needed:
                free[home] -= needed
                free[p[i], t[i], s[i]] += chips[i]
                chips[other] += needed
                chips[i] = 0.0
                moved += 1
                break
    keep = chips > 0
    flows = Flows(tuple(axis[keep] for axis in values.serve.at), chips[keep])
    return Values(**{**values.__dict__, "serve": flows}), moved
