"""What a plan serves in every contingency, and the prices that prove where it falls short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.instance import Instance
from planner.redundancy.cuts import NEGATIVE_CHIPS, Cut, standing_cut
from planner.redundancy.promise import Promise
from planner.redundancy.rounds import Rounds
from planner.values import DUST_CHIPS

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Survey:
    """Every block of a plan, solved."""

    cover: dict[tuple[int, int, int, int, int], float]
    """Working chips by (contingency, workload, pool, period, slice)."""
    short: tuple[Cut, ...]
    """Prices of the blocks that the plan cannot meet."""


def survey(rounds: Rounds, x: Floats) -> Survey:
    """Route every contingency of a point; x are its columns."""
    asked = rounds.asked
    periods = np.flatnonzero(asked.owed.any(axis=(0, 2))).tolist()
    chips = rounds.left.chips(x)
    each = [_period(rounds, chips, t) for t in periods]
    cover: dict[tuple[int, int, int, int, int], float] = {}
    for one in each:
        cover.update(one.cover)
    return Survey(cover, tuple(cut for one in each for cut in one.short))


def _period(rounds: Rounds, chips: Floats, t: int) -> Survey:
    """The blocks of a period; chips are what is left [k, p + g, t, s]."""
    asked = rounds.asked
    cover: dict[tuple[int, int, int, int, int], float] = {}
    short: list[Cut] = []
    problem = rounds.new_transport(t)
    # Slice by slice: contingencies of one slice differ less than slices of one contingency.
    for s, k in np.argwhere(asked.owed[:, t, :].T).tolist():
        kept = rounds.kept((k, t, s), chips[k, :, t, s])
        if kept is not None:
            for w, p, flow in zip(*(part.tolist() for part in kept), strict=True):
                cover[k, w, p, t, s] = cover.get((k, w, p, t, s), 0.0) + flow
            continue
        stands = np.where(asked.serves[k, :, t], chips[k, :, t, s], 0.0)
        routing = problem.solve(asked.least[k, :, t, s], stands)
        # What nobody asks for may flow as well, at no cost; and what cannot be, within the
        # solver's tolerance.
        wanted, there = asked.least[k, :, t, s] > 0, stands > 0.0
        some = wanted[problem.pairs[0]] & there[problem.pairs[1]]
        some &= routing.flow > DUST_CHIPS
        parts = (part[some].tolist() for part in problem.pairs)
        for w, p, flow in zip(*parts, routing.flow[some].tolist(), strict=True):
            cover[k, w, p, t, s] = flow
        pool = int(np.argmin(stands))
        if stands[pool] < -NEGATIVE_CHIPS:
            short.append(standing_cut(asked, (k, t, s), pool))
        elif routing.short_chips > rounds.tolerance(k, t, s):
            short.append(rounds.cut((k, t, s), routing.prices, stands))
    return Survey(cover, tuple(short))


def price_table(inst: Instance, asked: Promise, cuts: Sequence[Cut]) -> pd.DataFrame:
    """Cuts as rows: cut, contingency, period, slice, workload or pool, price.

    Prices of workloads are chips per request/s and prove the cut; a pool is only named where its
    price is not what they make it: more, or less because work on it waits for a qualification.
    """
    names, pools, time = inst.rules.contingencies.names, inst.pools.names, inst.time
    rows: list[tuple[int, str, str, str, str, str, float]] = []
    for i, cut in enumerate(cuts):
        at = (i, names[cut.k], time.periods[cut.t], time.slices[cut.s])
        priced = np.flatnonzero(cut.price).tolist()
        rows += [(*at, inst.serving.names[w], "", float(cut.price[w])) for w in priced]
        own = np.zeros(len(pools), dtype=bool)
        own[asked.gates.pool[np.flatnonzero(cut.pool_price[len(pools) :])]] = True
        if not priced:
            own = cut.pool_price[: len(pools)] != 0.0
        rows += [
            (*at, "", pools[p], float(cut.pool_price[p])) for p in np.flatnonzero(own).tolist()
        ]
    columns = ["cut", "contingency", "period", "slice", "workload", "pool", "price"]
    return pd.DataFrame(rows, columns=columns)
