"""The kinds of work of a sweep on arrays: bounds of a page, exact solves, rerouting."""

from __future__ import annotations

import numpy as np

from planner.sweep.block import Floats, Ints
from planner.sweep.bounds import Bounder, lower_bounds
from planner.sweep.draws import PAGE, page, pages
from planner.sweep.exact import BlockSolver
from planner.sweep.general import general_bounds, scenario_terms
from planner.sweep.reroute import upper_bounds
from planner.sweep.spec import Spec
from planner.sweep.train import Trained

PILOTS = 60_000
"""Scenarios among which training looks for those to solve."""


def pilots(spec: Spec, count: int = PILOTS) -> Floats:
    """Values of the factors in scenarios spread over the whole sweep [n, factor]."""
    every = pages(spec)
    chosen = np.unique(np.linspace(0, every - 1, min(every, 4)).astype(int)).tolist()
    each = -(-count // len(chosen))
    rng = np.random.default_rng([spec.seed, 2])
    parts = []
    for number in chosen:
        values = page(spec, number)
        parts.append(values[rng.permutation(len(values))[:each]])
    return np.concatenate(parts)


def page_bounds(each: Bounder, values: Floats) -> tuple[Floats, Floats, Ints]:
    """Contract cost, lower bound on the recourse cost, USD, and the price behind it [n]."""
    period = each.period
    z = period.moves.multipliers.values(values)
    contract: Floats = z @ period.contract_usd
    if period.general:
        lower, price = general_bounds(each, values, z)
    else:
        lower, price = lower_bounds(each, period.features(z), contract)
    return contract, lower, price


def values_of(spec: Spec, scenarios: Ints) -> Floats:
    """Factors of some scenarios, in their order [n, factor]."""
    out = np.empty((len(scenarios), len(spec.factor)))
    of_page = scenarios // PAGE
    for number in np.unique(of_page).tolist():
        rows = np.flatnonzero(of_page == number)
        out[rows] = page(spec, number)[scenarios[rows] - number * PAGE]
    return out


def exact_rows(each: Bounder, spec: Spec, scenarios: Ints, classes: Floats) -> Floats:
    """Scenario, contract, lower, exact cost and unserved by class [n, 4 + class].

    Like scenarios are solved one after another, for hot starts. `classes` [j, class] says what
    one unit of a job's unserved demand counts for.
    """
    period = each.period
    values = values_of(spec, scenarios)
    contract, lower, at = page_bounds(each, values)
    z = period.moves.multipliers.values(values)
    exact = np.empty(len(scenarios))
    unserved = np.empty((len(scenarios), classes.shape[1]))
    sides = period.sides(z)
    solver = BlockSolver(period.merged.block)
    lay = solver.layout
    j, s = lay.demand.T
    weight = np.where(period.merged.block.weekly[j], 1.0, period.merged.block.share[s])
    counts = classes[j] * weight[:, None]
    for i in np.argsort(at, kind="stable").tolist():
        if period.general:
            rate, cost = scenario_terms(period, values[i : i + 1], z[i : i + 1])
            solver = solver.with_rate(rate[0])
            found = solver.solve(sides, i, cost[0])
        else:
            found = solver.solve(sides, i)
        exact[i] = found.cost_usd
        unserved[i] = found.x[lay.unserved_at :] @ counts
    head = np.stack([scenarios.astype(float), contract, lower, exact], axis=1)
    return np.concatenate([head, unserved], axis=1)


def rerouted(
    each: Bounder, trained: Trained, spec: Spec, scenarios: Ints, classes: Floats
) -> Floats:
    """Scenario, contract, lower, upper cost and unserved by class [n, 4 + class].

    Needs a period whose rates and prices do not move.
    """
    period = each.period
    values = values_of(spec, scenarios)
    contract, lower, at = page_bounds(each, values)
    z = period.moves.multipliers.values(values)
    lay = BlockSolver(period.merged.block).layout
    upper, unserved = upper_bounds(
        period.merged.block, lay, trained.columns, trained.demand, at, period.sides(z)
    )
    head = np.stack([scenarios.astype(float), contract, lower, upper], axis=1)
    return np.concatenate([head, unserved @ classes], axis=1)
