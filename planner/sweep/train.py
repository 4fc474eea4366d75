"""Prices for the bounds of one period: exact solves where the bounds are least sure.

Pilots are drawn from the sweep's own scenarios. The first solves are spread over them; after
that each round solves pilots where two halves of the prices found so far disagree most: where
one half alone would be far below the other, prices are sparse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from planner.sweep.block import Floats, Ints
from planner.sweep.bounds import affine, best_of
from planner.sweep.duals import Prices, coefficients, join, pool_of, prices_from_rows
from planner.sweep.exact import BlockSolver
from planner.sweep.general import scenario_terms
from planner.sweep.problem import Period

ROUND_SOLVES = 80
"""Solves between two looks at where prices are sparse."""
SURE = 2e-4
"""Disagreement of the two halves, as a gap, at which a pilot counts as sure."""
UNSURE_SHARE = 5e-4
"""Share of unsure pilots at which training stops."""
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
    iterations = 0
    while (left := min(solves, len(z)) - int(done.sum())) > 0:
        batch = min(left, ROUND_SOLVES)
        if not found:
            order = rng.permutation(len(z))[:batch]
            chosen = order[np.argsort(features[order].sum(axis=1), kind="stable")]
        else:
            score, at = _unsure(period, join(found), single, contract)
            if np.mean((score > SURE) & ~done) <= UNSURE_SHARE:
                break
            chosen = _choose(score, done, batch, rng)
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
    score: Floats, done: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], batch: int,
    rng: np.random.Generator,
) -> Ints:  # fmt: skip
    """Half the batch from the least sure pilots, half in proportion to how unsure they are."""
    score = np.where(done, -1.0, score)
    worst = np.argsort(-score, kind="stable")[: _CANDIDATES * batch]
    first = rng.permutation(worst[score[worst] >= 0])[: batch // 2]
    weight = np.where(done, 0.0, np.maximum(score, 1e-9))
    weight[first] = 0.0
    rest = min(batch - len(first), int(np.count_nonzero(weight)))
    second = rng.choice(len(score), rest, replace=False, p=weight / weight.sum())
    return np.concatenate([first, second]).astype(np.int64)
