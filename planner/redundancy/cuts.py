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
    """At least max_w rate * price over the workloads that the pool can serve then [p]."""
    least: float
    """Right-hand side, chips."""


def pool_prices(asked: Promise, k: int, t: int, price: Floats) -> Floats:
    """Least valid pool prices for prices of workloads: max_w rate[w,p,t] * price[w] [p]."""
    rate = np.where(asked.reach[k, :, :, t], asked.rate[:, :, t], 0.0)
    out: Floats = (rate * price[:, None]).max(axis=0, initial=0.0)
    return out


def cut_of(asked: Promise, at: tuple[int, int, int], price: Floats) -> Cut:
    """The cut of prices for a block (k, t, s), scaled so that its largest pool price is 1."""
    k, t, s = at
    wanted = np.where(asked.least[k, :, t, s] > 0, price, 0.0)
    pools = pool_prices(asked, k, t, wanted)
    scale = float(pools.max(initial=0.0)) or 1.0
    wanted = wanted / scale
    return Cut(k, t, s, wanted, pools / scale, float(wanted @ asked.least[k, :, t, s]))


def standing_cut(asked: Promise, at: tuple[int, int, int], pool: int) -> Cut:
    """What is left of a pool is not negative: training that stays fits into what stands."""
    k, t, s = at
    price = np.zeros(asked.rate.shape[1])
    price[pool] = 1.0
    return Cut(k, t, s, np.zeros(asked.rate.shape[0]), price, 0.0)


class CutPool:
    """Prices found so far by period, tried on every block of the period at once."""

    def __init__(self, asked: Promise) -> None:
        """An empty pool for a case's promise."""
        self.asked = asked
        self._prices: dict[int, list[Floats]] = {}

    def __len__(self) -> int:
        """Number of prices."""
        return sum(map(len, self._prices.values()))

    def add(self, t: int, price: Floats) -> None:
        """Keep prices of a block in period t."""
        self._prices.setdefault(t, []).append(price)

    def violation(self, t: int, left: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
        """How far the prices of the period prove each block short, chips [k, s], and by which.

        left are the chips of the period [k, p, s]. -inf without prices.
        """
        kinds, slices = left.shape[0], left.shape[2]
        prices = self._prices.get(t, [])
        if not prices:
            return np.full((kinds, slices), -np.inf), np.zeros((kinds, slices), dtype=np.int64)
        price = np.array(prices)
        least = self.asked.least[:, :, t, :]
        # Pools that do not serve a workload in one contingency may price it in another: the
        # prices of pools that stand are an upper bound for every contingency, so valid in each.
        pools = (self.asked.rate[None, :, :, t] * price[:, :, None]).max(axis=1)
        standing = np.where(self.asked.serves[:, :, t, None], left, 0.0)
        short = np.einsum("nw,kws->nks", price, least)
        short -= np.einsum("np,kps->nks", pools, standing)
        which = short.argmax(axis=0)
        return short.max(axis=0), which

    def prices(self, t: int, which: int) -> Floats:
        """Prices by their position."""
        return self._prices[t][which]
