"""Lower bounds of a block from a pool of prices: one matrix product.

For any prices of demand 0 <= pi[j,s] <= penalty[j,s], of firmness phi[g,s] >= 0, of room
sigma[l,s] >= 0, of clusters mu[j,s] >= 0 and any least price of capacity least[g,s] >= 0 (weekly
jobs: pi[j,s] = share[s] psi[j] with psi[j] <= penalty[j]), put

    lambda[g,s] = max(least[g,s], max_j (rate[j,g] pi[j,s] - mu[j,s] - phi[g,s] (firm j)))
    omega[o,s]  = max(0, goodput[o] (lambda + phi (firm o))[g(o),s] - sigma[l(o),s] - cost[o,s])

    bound = sum_j demand[j] (sum_s shape[j,s] pi[j,s], or psi[j])
          - sum_g free[g] sum_s (lambda + phi)[g,s] - sum_l room[l] sum_s sigma[l,s]
          - sum_o most[o] sum_s omega[o,s] - sum_j largest[j] sum_s mu[j,s]

Proof. Multiply the rows of `planner.sweep.block` by pi, lambda, phi, sigma, omega, mu, all
>= 0, and add: every feasible point pays at least

    right-hand sides x multipliers + sum over columns (cost - multipliers' share) x column,

the columns are >= 0, and no bracket is negative: serve by the choice of lambda, hourly by that of
omega, unserved and shed by pi <= penalty. (`least` is 0 but where placed runs may lack chips:
free is then negative, and a higher lambda can be better.) So the bound holds for every scenario
with the same rates and cost, whatever HiGHS's tolerances were: only pi, phi, sigma, mu and least
come from it.

The bound is linear in (demand, free, room, most, 1): with K prices and S scenarios it is one
(S x m)(m x K) product and a maximum over K. What rounding can do to a sum of m products is at
most m eps times the sum of their sizes; that much is taken off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.sweep.block import Block, Floats, Ints, Sides
from planner.sweep.exact import Layout

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Prices:
    """Prices of one block, feasible by construction [k]."""

    demand: Floats
    """pi; weekly: psi x share [k, j, s]."""
    firm: Floats
    """phi, 0 where a group has no firm row [k, g, s]."""
    room: Floats
    """sigma [k, l, s]."""
    cluster: Floats
    """mu [k, j, s]."""
    least: Floats
    """Least price of capacity, 0 where no placed run can lack chips [k, g, s]."""

    def __len__(self) -> int:
        return len(self.demand)

    def take(self, rows: Ints) -> Prices:
        """Some of the prices."""
        return Prices(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def join(parts: list[Prices]) -> Prices:
    """All prices of several."""
    names = Prices.__dataclass_fields__
    return Prices(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def prices_from_rows(block: Block, layout: Layout, y: Floats) -> Prices:
    """Prices from row duals [k, row] of exact solves, moved inside their bounds."""
    jobs, groups, _, slices = block.shape_jgos
    parts = layout.parts(block)
    k = len(y)
    y = np.maximum(y, 0.0)
    pi = np.zeros((k, jobs, slices))
    j, s = layout.demand.T
    pi[:, j, s] = np.minimum(y[:, parts["demand"]], block.penalty_usd[j, s])
    weekly = np.flatnonzero(block.weekly)
    pi[:, weekly] = pi[:, weekly, :1] * block.share
    phi = np.zeros((k, groups, slices))
    phi[:, layout.firm_groups] = y[:, parts["firm"]].reshape(k, -1, slices)
    mu = np.zeros((k, jobs, slices))
    mu[:, layout.capped] = y[:, parts["cluster"]].reshape(k, -1, slices)
    least = y[:, parts["capacity"]].reshape(k, groups, slices) * block.lacking[:, None]
    return Prices(pi, phi, y[:, parts["room"]].reshape(k, block.rooms, slices), mu, least)


def capacity_prices(block: Block, prices: Prices, rate: Floats | None = None) -> Floats:
    """Lambda of the module's formula [k, g, s]; `rate` [j, g] replaces the block's."""
    rate = block.rate if rate is None else rate
    out = prices.least.copy()
    for j in range(len(rate)):
        on = np.flatnonzero(rate[j])
        worth = rate[j, on][None, :, None] * prices.demand[:, j][:, None, :]
        worth -= prices.cluster[:, j][:, None, :]
        if block.firm[j]:
            worth -= prices.firm[:, on]
        out[:, on] = np.maximum(out[:, on], worth)
    return out


@dataclass(frozen=True)
class Pool:
    """Prices with what their bound multiplies; all coefficients >= 0."""

    prices: Prices
    """The prices themselves [k]."""
    demand: Floats
    """Of demand [k, j]."""
    free: Floats
    """Of free [k, g]."""
    room: Floats
    """Of room [k, l]."""
    margin: Floats
    """What one chip of an offer is worth above its price [k, o, s]; its positive part counts."""
    most: Floats
    """Of most [k, o]."""
    constant: Floats
    """Of 1 [k]."""

    def __len__(self) -> int:
        return len(self.prices)

    def take(self, rows: Ints) -> Pool:
        """Some of the prices."""
        rest = (getattr(self, n)[rows] for n in self.__dataclass_fields__ if n != "prices")
        return Pool(self.prices.take(rows), *rest)


def pool_of(block: Block, prices: Prices, cost_usd: Floats | None = None) -> Pool:
    """Coefficients of the bound. `cost_usd` [o, s] replaces the block's price of offers."""
    cost = block.cost_usd if cost_usd is None else cost_usd
    lam = capacity_prices(block, prices)
    both = lam + prices.firm
    at = np.where(block.interruptible[:, None], lam[:, block.group], both[:, block.group])
    margin = block.goodput[:, None] * at - cost
    shared = np.flatnonzero(block.site >= 0)
    margin[:, shared] -= prices.room[:, block.site[shared]]
    first = np.where(block.weekly[:, None], 0.0, block.shape)
    # pi of a weekly job is psi x share, and the shares add up to 1.
    demand = (prices.demand * np.where(block.weekly[:, None], 1.0, first)).sum(axis=2)
    capped = np.isfinite(block.largest_chips)
    return Pool(
        prices=prices,
        demand=demand,
        free=both.sum(axis=2),
        room=prices.room.sum(axis=2),
        margin=margin,
        most=np.maximum(margin, 0.0).sum(axis=2),
        constant=prices.cluster[:, capped].sum(axis=2) @ block.largest_chips[capped],
    )


def coefficients(pool: Pool) -> Floats:
    """Signed coefficients of (demand, free, room, most, 1) [k, m]."""
    return np.concatenate(
        [pool.demand, -pool.free, -pool.room, -pool.most, -pool.constant[:, None]], axis=1
    )


def features(sides: Sides) -> Floats:
    """(demand, free, room, most, 1) of each scenario [n, m]."""
    one = np.ones((len(sides), 1))
    return np.concatenate([sides.demand, sides.free, sides.room, sides.most, one], axis=1)
