"""Cuts: dual prices of a block, the row that they make, and a pool that is tried on all blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.redundancy.promise import Promise

Floats = npt.NDArray[np.float64]
NEGATIVE_CHIPS = 1e-3
"""Fewer chips than none in a pool: up to here it is rounding."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A row that every plan which survives satisfies.

    sum_p pool_price[p] * left[k,p,t,s] >= sum_w price[w] * least[k,w,t,s]

    over pools and gates, for all prices with

    pool_price[p] (+ pool_price[g] where w waits at the gate g of p) >= rate[w,p] * price[w].
    """

    k: int
    """Contingency."""
    t: int
    """Period."""
    s: int
    """Slice."""
    price: Floats
    """Chips per request/s [w]."""
    pool_price: Floats
    """Prices of pools, then of gates [p + g]."""
    least: float
    """Right-hand side, chips."""


def made_prices(asked: Promise, t: int, made: Floats) -> tuple[Floats, Floats, Floats]:
    """What prices of workloads make of pools and gates, from made[w, p] = rate * price.

    Most over all workloads [p], over those that wait at no gate [p], and over those of a gate [g].
    """
    of = asked.gates.at(t)
    every: Floats = made.max(axis=0, initial=0.0)
    free: Floats = np.where(of < 0, made, 0.0).max(axis=0, initial=0.0)
    gate = np.zeros(len(asked.gates.row))
    waits = of >= 0
    np.maximum.at(gate, of[waits], made[waits])
    return every, free, gate


def pool_prices(
    asked: Promise, k: int, t: int, price: Floats, given: Floats | None = None
) -> Floats:
    """Least valid prices of pools and gates for prices of workloads [p + g].

    A pool is worth max_w rate[w,p,t] * price[w], or what is `given` [p] (nan: nothing is), at
    least the most over those that wait at no gate; the gates of a pool make up for the rest.
    """
    rate = np.where(asked.reach[k, :, :, t], asked.rate[:, :, t], 0.0)
    every, free, gate = made_prices(asked, t, rate * price[:, None])
    pools = every
    if given is not None:
        pools = np.where(np.isnan(given), every, np.maximum(given, free))
    return np.concatenate([pools, np.maximum(gate - pools[asked.gates.pool], 0.0)])


def cheapest(asked: Promise, k: int, t: int, price: Floats, left: Floats) -> Floats:
    """Pool prices that prove most for prices of workloads and what is left [p]; nan: as made.

    For each pool its own price and what its gates then cost is least at one of the kinks: the
    price that its free workloads make, or those that a gate makes.
    """
    gates, pools = asked.gates, asked.rate.shape[1]
    out = np.full(pools, np.nan)
    rate = np.where(asked.reach[k, :, :, t], asked.rate[:, :, t], 0.0)
    every, free, gate = made_prices(asked, t, rate * price[:, None])
    for p in np.unique(gates.pool[gate > 0]).tolist():
        mine = np.flatnonzero(gates.pool == p)
        kinks = np.unique(np.maximum(np.append(gate[mine], free[p]), free[p]))[::-1]
        cost = [
            own * left[p] + np.maximum(gate[mine] - own, 0.0) @ left[pools + mine]
            for own in kinks.tolist()
        ]
        best = int(np.argmin(cost))
        if kinks[best] < every[p]:
            out[p] = kinks[best]
    return out


def cut_of(
    asked: Promise, at: tuple[int, int, int], price: Floats, given: Floats | None = None
) -> Cut:
    """The cut of prices for a block (k, t, s), scaled so that its largest pool price is 1.

    `given` are prices of pools [p] below what the workloads make; nan where there are none.
    """
    k, t, s = at
    wanted = np.where(asked.least[k, :, t, s] > 0, price, 0.0)
    pools = pool_prices(asked, k, t, wanted, given)
    scale = float(pools.max(initial=0.0)) or 1.0
    wanted = wanted / scale
    return Cut(k, t, s, wanted, pools / scale, float(wanted @ asked.least[k, :, t, s]))


def standing_cut(asked: Promise, at: tuple[int, int, int], pool: int) -> Cut:
    """What is left of a pool is not negative: training that stays fits into what stands."""
    k, t, s = at
    price = np.zeros(asked.rate.shape[1] + len(asked.gates.row))
    price[pool] = 1.0
    return Cut(k, t, s, np.zeros(asked.rate.shape[0]), price, 0.0)


class CutPool:
    """Prices found so far by period, tried on every block of the period at once."""

    def __init__(self, asked: Promise) -> None:
        """An empty pool for a case's promise."""
        self.asked = asked
        self._prices: dict[int, list[Floats]] = {}
        self._made: dict[int, list[tuple[Floats, Floats, Floats]]] = {}

    def __len__(self) -> int:
        """Number of prices."""
        return sum(map(len, self._prices.values()))

    def add(self, t: int, price: Floats) -> None:
        """Keep prices of a block in period t, and what they make of chips."""
        self._prices.setdefault(t, []).append(price)
        # Pools that do not serve a workload in one contingency may price it in another: the
        # prices of pools that stand are an upper bound for every contingency, so valid in each.
        made = made_prices(self.asked, t, self.asked.rate[:, :, t] * price[:, None])
        self._made.setdefault(t, []).append(made)

    def violation(self, t: int, left: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
        """How far the prices of the period prove each block short, chips [k, s], and by which.

        left are the chips of the period [k, p + g, s]. -inf without prices.
        """
        kinds, slices = left.shape[0], left.shape[2]
        prices = self._prices.get(t, [])
        if not prices:
            return np.full((kinds, slices), -np.inf), np.zeros((kinds, slices), dtype=np.int64)
        price = np.array(prices)
        least = self.asked.least[:, :, t, :]
        every, free, gate = (np.array(part) for part in zip(*self._made[t], strict=True))
        standing = np.where(self.asked.serves[:, :, t, None], left, 0.0)
        short = np.einsum("nw,kws->nks", price, least)
        short -= np.einsum("np,kps->nks", every, standing[:, : every.shape[1]])
        # A pool behind closed gates is worth what its free workloads make, and the gates the rest.
        gates = self.asked.gates
        for p in np.unique(gates.pool).tolist():
            mine = np.flatnonzero(gates.pool == p)
            spared = np.einsum("n,ks->nks", every[:, p] - free[:, p], standing[:, p])
            over = np.maximum(gate[:, mine] - free[:, [p]], 0.0)
            opened = np.einsum("ng,kgs->nks", over, standing[:, every.shape[1] + mine])
            short += np.maximum(spared - opened, 0.0)
        which = short.argmax(axis=0)
        return short.max(axis=0), which

    def prices(self, t: int, which: int) -> Floats:
        """Prices by their position."""
        return self._prices[t][which]
