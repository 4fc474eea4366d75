"""The kinds of work of a sweep on arrays: bounds of a page, exact solves, rerouting."""

from __future__ import annotations

import numpy as np

from planner.sweep.block import Floats, Ints
from planner.sweep.bounds import Bounder, lower_bounds
from planner.sweep.exact import BlockSolver, layout, tour
from planner.sweep.general import general_bounds, scenario_terms
from planner.sweep.problem import Problem
from planner.sweep.reroute import upper_bounds
from planner.sweep.train import Trained


def page_bounds(each: Bounder, values: Floats) -> tuple[Floats, Floats, Ints]:
    """Contract cost, lower bound on the recourse cost, USD, and the price behind it [n]."""
    period = each.period
    z = period.moves.multipliers.values(values)
    contract: Floats = z @ period.contract_usd
    if period.general:
        lower, price = general_bounds(each, values, z)
    else:
        lower, price = lower_bounds(each, period.features(z), each.strata.number(values))
    return contract, lower, price


def exact_rows(each: Bounder, values: Floats, classes: Floats) -> Floats:
    """Contract, lower, exact cost and unserved by class of scenarios [n, 3 + class].

    Like scenarios are solved one after another, for hot starts. values [n, factor]; `classes`
    [j, class] says what one unit of a job's unserved demand counts for.
    """
    period = each.period
    contract, lower, at = page_bounds(each, values)
    z = period.moves.multipliers.values(values)
    exact = np.empty(len(values))
    unserved = np.empty((len(values), classes.shape[1]))
    sides = period.sides(z)
    solver = BlockSolver(period.merged.block, columns=each.columns)
    lay = solver.layout
    j, s = lay.demand.T
    weight = np.where(period.merged.block.weekly[j], 1.0, period.merged.block.share[s])
    counts = classes[j] * weight[:, None]
    order = np.argsort(at, kind="stable")
    lines = each.whole.coefficients[np.unique(at)]
    points = period.features(z)[order] * np.abs(lines).mean(axis=0)
    for i in order[tour(points)].tolist():
        if period.general:
            rate, cost = scenario_terms(period, values[i : i + 1], z[i : i + 1])
            solver = solver.with_rate(rate[0])
            found = solver.solve(sides, i, cost[0])
        else:
            found = solver.solve(sides, i)
        exact[i] = found.cost_usd
        unserved[i] = found.x[lay.unserved_at :] @ counts
    return np.concatenate([np.stack([contract, lower, exact], axis=1), unserved], axis=1)


def rerouted(each: Bounder, trained: Trained, values: Floats, classes: Floats) -> Floats:
    """Contract, lower, upper cost and unserved by class of scenarios [n, 3 + class].

    Needs a period whose rates and prices do not move.
    """
    period = each.period
    contract, lower, at = page_bounds(each, values)
    z = period.moves.multipliers.values(values)
    upper, unserved = upper_bounds(
        period.merged.block, layout(period.merged.block), trained.columns, trained.demand, at,
        period.sides(z),
    )  # fmt: skip
    head = np.stack([contract, lower, upper], axis=1)
    return np.concatenate([head, unserved @ classes], axis=1)


def scarce_chips(problem: Problem, each: Bounder) -> Ints:
    """Chip family that earns the most rent under each price, -1 = none [k].

    Numbers are positions among the sorted names.
    """
    period = each.period
    names = sorted(set(problem.inst.pools.chip))
    z = np.ones((1, len(period.moves.multipliers.products)))
    rent = each.rent * np.maximum(period.sides(z).free[0], 0.0)
    total = np.zeros((len(rent), len(names)))
    groups = {int(g): p for p, g in enumerate(period.merged.pool.tolist()) if g >= 0}
    for g, p in groups.items():
        total[:, names.index(problem.inst.pools.chip[p])] += rent[:, g]
    out: Ints = np.where(total.max(axis=1) > 0, total.argmax(axis=1), -1)
    return out
