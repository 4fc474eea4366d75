"""Rates and prices that move: the same prices of demand, capacity prices anew per scenario.

The proof in `planner.sweep.duals` holds for any rates and costs, as long as lambda and omega are
computed from those of the scenario: pi, phi, sigma and mu come from the pool, the rest follows.
The search among prices is that of the case's own rates and costs; the best few are evaluated.
"""

from __future__ import annotations

import numpy as np

from planner.sweep.block import Floats, Ints
from planner.sweep.bounds import TILE, Bounder
from planner.sweep.duals import EPS
from planner.sweep.problem import Period

CANDIDATES = 3
"""Prices evaluated for each scenario."""
ROWS = 512
"""Scenarios evaluated at a time."""


def scenario_terms(period: Period, values: Floats, z: Floats) -> tuple[Floats, Floats]:
    """Rates [n, j, g] and costs of offers [n, o, s] of each scenario."""
    m, moves, b = period.merged, period.moves, period.merged.block
    job = np.unique(m.job, return_index=True)[1]
    pool = np.array([np.flatnonzero(m.pool == g)[0] for g in range(b.rate.shape[1])])
    offer = np.array([np.flatnonzero(m.offer == o)[0] for o in range(len(b.group))], dtype=np.int64)
    at = np.ix_(job, pool)
    rate = b.rate * z[:, moves.rate[at]]
    for (f, where), low, high in zip(moves.bands, period.band_low, period.band_high, strict=True):
        v = values[:, f][:, None, None]
        ends = np.where(v < 0, low[at], high[at])
        rate = rate * np.where(where[at] > 0, ends ** np.abs(v), 1.0)
    cost = b.cost_usd * z[:, moves.price[offer]][:, :, None]
    return rate, cost


def general_bounds(bounder: Bounder, values: Floats, z: Floats) -> tuple[Floats, Ints]:
    """Proven lower bound on each scenario's recourse cost, USD [n], and its price [n]."""
    period = bounder.period
    features = period.features(z).astype(np.float32)
    single = bounder.whole.single
    best = np.zeros(len(z))
    price = np.zeros(len(z), dtype=np.int64)
    for start in range(0, len(z), TILE):
        rows = np.arange(start, min(start + TILE, len(z)))
        product = features[rows] @ single
        few = min(CANDIDATES, product.shape[1])
        top = np.argpartition(-product, few - 1, axis=1)[:, :few]
        price[rows] = top[:, 0]
        for piece in np.array_split(np.arange(len(rows)), -(-len(rows) // ROWS)):
            chosen = rows[piece]
            rate, cost = scenario_terms(period, values[chosen], z[chosen])
            for c in range(few):
                bound = _bound(bounder, top[piece, c], z[chosen], rate, cost)
                better = bound > best[chosen]
                best[chosen[better]] = bound[better]
                price[chosen[better]] = top[piece[better], c]
    return best, price


def _bound(bounder: Bounder, at: Ints, z: Floats, rate: Floats, cost: Floats) -> Floats:
    """The bound of `planner.sweep.duals` for price at[n], rate [n, j, g], cost [n, o, s]."""
    period, b = bounder.period, bounder.period.merged.block
    p = bounder.prices
    s = period.sides(z)
    pi, phi, mu = p.demand[at], p.firm[at], p.cluster[at]
    lam = p.least[at].copy()
    for j in range(rate.shape[1]):
        on = np.flatnonzero(b.rate[j])
        worth = rate[:, j, on, None] * pi[:, j, None, :] - mu[:, j, None, :]
        if b.firm[j]:
            worth -= phi[:, on]
        lam[:, on] = np.maximum(lam[:, on], worth)
    both = lam + phi
    worth = np.where(b.interruptible[:, None], lam[:, b.group], both[:, b.group])
    margin = b.goodput[:, None] * worth - cost
    shared = np.flatnonzero(b.site >= 0)
    margin[:, shared] -= p.room[at][:, b.site[shared]]
    capped = np.isfinite(b.largest_chips)
    wanted = (pi * np.where(b.weekly[:, None], 1.0, b.shape)).sum(axis=2)
    gains = (s.demand * wanted).sum(axis=1)
    free = s.free * both.sum(axis=2)
    losses = (
        free.sum(axis=1)
        + (s.room * p.room[at].sum(axis=2)).sum(axis=1)
        + (s.most * np.maximum(margin, 0.0).sum(axis=2)).sum(axis=1)
        + mu[:, capped].sum(axis=2) @ b.largest_chips[capped]
    )
    size = gains + np.abs(free).sum(axis=1) + np.abs(losses)
    # Offers' margins are differences: their terms count too.
    size += (s.most * np.abs(cost).sum(axis=2)).sum(axis=1)
    out: Floats = gains - losses - bounder.terms * EPS * size
    return out
