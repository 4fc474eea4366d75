"""What a plan decides, as arrays on the instance's axes. No solver, no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.instance import Instance

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
DUST_CHIPS = 1e-6
"""Flows below this are solver noise and count as 0."""


DUST = 1e-9
"""Values of rules below this count as 0."""
RULES = (
    "qualify", "sign", "deal_shortfall", "shortfall", "carried", "in_tier", "tier_spend",
    "over_share", "over_power", "over_budget", "carries", "cover",
)  # fmt: skip
"""Variables of the rules; a case without a rule has none of it."""


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
    rules: Mapping[str, Mapping[Any, float]]
    """Variables of the rules that are not 0: component -> index -> value."""


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
