"""More prices from the same solves: slices of different optima put together.

Once the prices of what couples the slices are fixed (psi of weekly jobs and mu of clusters, a
`key`), the bound of `planner.sweep.duals` is a sum over slices, and each slice may take its own
pi, phi, sigma and least: lambda is computed from whatever is put together, so every combination
is a valid bound. With N optima and S slices, a key has N^S of them, and the best is found slice by
slice: S products and S maxima instead of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.sweep.block import Block, Floats, Ints
from planner.sweep.duals import Prices

_DIGITS = 6
"""Digits to which the prices of a slice are compared."""


@dataclass(frozen=True)
class Keys:
    """Prices of what couples the slices, each a set of optima that share them nearly."""

    of_price: Ints
    """Key of each price [k]."""
    leader: Ints
    """Price whose psi and mu the key takes [c]."""


def keys_of(block: Block, prices: Prices, digits: int = 2) -> Keys:
    """Group prices whose weekly prices and cluster prices agree to `digits` of the largest."""
    weekly = prices.demand[:, block.weekly].sum(axis=2)
    both = np.concatenate([weekly, prices.cluster.reshape(len(prices), -1)], axis=1)
    scale = np.abs(both).max(axis=0, initial=0.0)
    rounded = np.round(both / np.where(scale > 0, scale, 1.0), digits)
    _, leader, of_price = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    return Keys(of_price.astype(np.int64).ravel(), leader.astype(np.int64))


def distinct_slices(block: Block, prices: Prices, s: int) -> Ints:
    """Prices that differ in slice s in what does not couple the slices [n]."""
    peaked = prices.demand[:, ~block.weekly, s]
    parts = np.concatenate(
        [peaked, prices.firm[:, :, s], prices.room[:, :, s], prices.least[:, block.lacking, s]],
        axis=1,
    )
    scale = np.abs(parts).max(axis=0, initial=0.0)
    rounded = np.round(parts / np.where(scale > 0, scale, 1.0), _DIGITS)
    _, first = np.unique(rounded, axis=0, return_index=True)
    return np.sort(first).astype(np.int64)


@dataclass(frozen=True)
class SlicePrices:
    """Distinct prices of one slice, without what couples the slices."""

    demand: Floats
    """pi, 0 for weekly jobs [n, j]."""
    firm: Floats
    """phi [n, g]."""
    room: Floats
    """sigma [n, l]."""
    worth: Floats
    """max_j of peaked jobs without a cluster: rate pi - phi (firm j), and least [n, g]."""


def slice_prices(block: Block, prices: Prices, s: int) -> SlicePrices:
    """The distinct prices of slice s."""
    rows = distinct_slices(block, prices, s)
    demand = np.where(block.weekly, 0.0, prices.demand[rows, :, s])
    firm = prices.firm[rows, :, s]
    worth = prices.least[rows, :, s].copy()
    for j in np.flatnonzero(~block.weekly & ~np.isfinite(block.largest_chips)).tolist():
        on = np.flatnonzero(block.rate[j])
        value = block.rate[j, on] * demand[:, j, None]
        if block.firm[j]:
            value -= firm[:, on]
        worth[:, on] = np.maximum(worth[:, on], value)
    return SlicePrices(demand, firm, prices.room[rows, :, s], worth)


def slice_coefficients(
    block: Block, part: SlicePrices, prices: Prices, leader: int, s: int
) -> Floats:
    """Slice s's share of the bound's coefficients under the key of price `leader` [n, m].

    m = (demand, free, room, most, 1) as in `planner.sweep.duals`. The demand of weekly jobs is
    counted in slice 0.
    """
    demand = part.demand * block.shape[:, s]
    lam = part.worth.copy()
    capped = np.isfinite(block.largest_chips)
    for j in np.flatnonzero(block.weekly | capped).tolist():
        on = np.flatnonzero(block.rate[j])
        # The key's price for a weekly job; a peaked job with a cluster takes the slice's.
        pi = prices.demand[leader, j, s] if block.weekly[j] else part.demand[:, j, None]
        value = block.rate[j, on] * pi - prices.cluster[leader, j, s]
        if block.firm[j]:
            value = value - part.firm[:, on]
        lam[:, on] = np.maximum(lam[:, on], value)
    if s == 0:
        demand = demand + np.where(block.weekly, prices.demand[leader].sum(axis=1), 0.0)
    both = lam + part.firm
    at = np.where(block.interruptible, lam[:, block.group], both[:, block.group])
    margin = block.goodput * at - block.cost_usd[:, s]
    shared = np.flatnonzero(block.site >= 0)
    margin[:, shared] -= part.room[:, block.site[shared]]
    constant = prices.cluster[leader, capped, s] @ block.largest_chips[capped]
    one = np.full((len(demand), 1), -constant)
    parts = [demand, -both, -part.room, -np.maximum(margin, 0.0), one]
    return np.concatenate(parts, axis=1)
