"""Prices for the bounds of one period: exact solves where the bounds are least sure.

Pilots are drawn from the sweep's own scenarios. The first solves are spread over them; after
that each round solves pilots of three kinds. Those where two halves of the prices found so far
disagree most: there prices are sparse. Others in proportion to that. And some by lot, each stratum
of the factors with few values (such as the cloud that is lost) as likely as any other, because two
halves can agree and both be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from planner.sweep.block import Bools, Floats, Ints
from planner.sweep.bounds import affine, best_of
from planner.sweep.duals import Prices, coefficients, join, pool_of, prices_from_rows
from planner.sweep.exact import BlockSolver
from planner.sweep.general import scenario_terms
from planner.sweep.problem import Period

ROUND_SOLVES = 80
"""Solves between two looks at where prices are sparse."""
SURE = 1e-3
"""Disagreement of the two halves, as a gap, at which a pilot counts as sure."""
UNSURE_SHARE = 5e-4
"""Share of unsure pilots at which training stops."""
FEW_VALUES = 12
"""Most values of a factor that makes strata."""
MOST_STRATA = 64
"""With more, there are no strata."""
_CANDIDATES = 4
"""Pilots looked at for each one that is solved, the least sure first."""


@dataclass(frozen=True)
class Trained:
    """Prices of one period, and the optima they come from."""

    prices: Prices
    columns: sp.csr_array
    """Columns of the layout at each optimum [k, column]."""
    demand: Floats
    """Demand of the scenario of each optimum [k, j]."""
    solves: int
    iterations: int


def train(period: Period, values: Floats, solves: int, seed: int) -> Trained:
    """Solve at most `solves` of the pilots with these factors [n, factor]."""
    z = period.moves.multipliers.values(values)
    rng = np.random.default_rng([seed, period.merged.block.period])
    solver = BlockSolver(period.merged.block)
    block = period.merged.block
    features = period.features(z)
    single = features.astype(np.float32)
    contract = np.maximum(period.contract_usd @ z.T, 1.0)
    done = np.zeros(len(z), dtype=bool)
    found: list[Prices] = []
    columns, demand = [], []
    stratum = _strata(values)
    iterations = 0
    while (left := min(solves, len(z)) - int(done.sum())) > 0:
        batch = min(left, ROUND_SOLVES)
        if not found:
            none = np.full(len(z), 0.0)
            order = _choose(none, stratum, done, batch, rng)
            chosen = order[np.argsort(features[order].sum(axis=1), kind="stable")]
        else:
            score, at = _unsure(period, join(found), single, contract)
            if np.mean((score > SURE) & ~done) <= UNSURE_SHARE:
                break
            chosen = _choose(score, stratum, done, batch, rng)
            chosen = chosen[np.argsort(at[chosen], kind="stable")]
        done[chosen] = True
        sides = period.sides(z[chosen])
        duals = []
        for i in range(len(chosen)):
            if period.general:
                row = chosen[i : i + 1]
                rate, cost = scenario_terms(period, values[row], z[row])
                solver = solver.with_rate(rate[0])
                exact = solver.solve(sides, i, cost[0])
            else:
                exact = solver.solve(sides, i)
            duals.append(exact.y)
            columns.append(exact.x)
            iterations += exact.iterations
        demand.append(sides.demand)
        found.append(prices_from_rows(block, solver.layout, np.array(duals)))
    return Trained(
        prices=join(found),
        columns=sp.csr_array(np.array(columns)),
        demand=np.concatenate(demand),
        solves=len(columns),
        iterations=iterations,
    )


def _unsure(
    period: Period, prices: Prices, single: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    contract: Floats,
) -> tuple[Floats, Ints]:  # fmt: skip
    """What one half of the prices lacks against the other, as a gap, and the best price [n]."""
    lines = affine(period, coefficients(pool_of(period.merged.block, prices))).single
    even, a = best_of(np.ascontiguousarray(lines[:, 0::2]), single)
    odd, b = best_of(np.ascontiguousarray(lines[:, 1::2]), single)
    best = np.maximum(np.maximum(a, b), 0.0).astype(float)
    at = np.where(a >= b, 2 * even, 2 * odd + 1)
    return np.abs(a.astype(float) - b) / (contract + best), at


def _choose(
    score: Floats, stratum: Ints, done: Bools, batch: int, rng: np.random.Generator
) -> Ints:
    """A batch: two fifths of the least sure, as many in proportion, the rest by lot of strata."""
    score = np.where(done, -1.0, score)
    worst = np.argsort(-score, kind="stable")[: _CANDIDATES * batch]
    picked = [rng.permutation(worst[score[worst] >= 0])[: 2 * batch // 5]]
    count = np.bincount(stratum)
    for weight, size in ((np.maximum(score, 1e-9), 2 * batch // 5), (1.0 / count[stratum], batch)):
        weight = np.where(done, 0.0, weight)
        weight[np.concatenate(picked)] = 0.0
        room = batch - sum(map(len, picked))
        size = min(size, room, int(np.count_nonzero(weight)))
        if size:
            picked.append(rng.choice(len(score), size, replace=False, p=weight / weight.sum()))
    return np.concatenate(picked).astype(np.int64)


def _strata(values: Floats) -> Ints:
    """Number of the combination of factors that have few values, 0 where there are too many [n]."""
    few = [f for f in range(values.shape[1]) if len(np.unique(values[:, f])) <= FEW_VALUES]
    _, out = np.unique(values[:, few], axis=0, return_inverse=True)
    out = out.astype(np.int64).ravel()
    return out if out.max(initial=0) < MOST_STRATA else np.zeros_like(out)
