"""The program of a block written out a second time, for the tests to compare with."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

from planner.sweep.block import Block, Sides


def dense_optimum(b: Block, sides: Sides, i: int) -> float:  # noqa: C901  (one row a line)
    """The program of the docstring written out entry by entry, solved by scipy."""
    jobs, groups, offers, slices = b.shape_jgos
    serve = {
        (j, g, s): n
        for n, (j, g, s) in enumerate(
            (j, g, s)
            for j in range(jobs)
            for g in range(groups)
            for s in range(slices)
            if b.rate[j, g] > 0
        )
    }
    hourly = {(o, s): len(serve) + o * slices + s for o in range(offers) for s in range(slices)}
    lost = {(j, s): len(serve) + len(hourly) + j * slices + s
            for j in range(jobs) for s in range(slices)}  # fmt: skip
    n = len(serve) + len(hourly) + len(lost)
    cost, most = np.zeros(n), np.full(n, np.inf)
    for (o, s), k in hourly.items():
        cost[k], most[k] = b.cost_usd[o, s], sides.most[i, o]
    for (j, s), k in lost.items():
        cost[k] = b.penalty_usd[j, s]
    rows, right = [], []

    def at_most(entries: list[tuple[int, float]], bound: float) -> None:
        row = np.zeros(n)
        for k, v in entries:
            row[k] += v
        rows.append(row)
        right.append(bound)

    for j in range(jobs):
        on = [(g, s) for g in range(groups) for s in range(slices) if b.rate[j, g] > 0]
        if b.weekly[j]:
            got = [(serve[j, g, s], -b.rate[j, g] * b.share[s]) for g, s in on]
            at_most([*got, (lost[j, 0], -1.0)], -sides.demand[i, j])
        else:
            for s in range(slices):
                got = [(serve[j, g, s], -b.rate[j, g]) for g, k in on if k == s]
                at_most([*got, (lost[j, s], -1.0)], -sides.demand[i, j] * b.shape[j, s])
        if np.isfinite(b.largest_chips[j]):
            for s in range(slices):
                at_most([(serve[j, g, k], 1.0) for g, k in on if k == s], b.largest_chips[j])
    for g in range(groups):
        mine = [o for o in range(offers) if b.group[o] == g]
        for s in range(slices):
            on_it = [j for j in range(jobs) if b.rate[j, g] > 0]
            for firm in (False, True):
                used = [(serve[j, g, s], 1.0) for j in on_it if b.firm[j] or not firm]
                there = [o for o in mine if not (firm and b.interruptible[o])]
                bought = [(hourly[o, s], -float(b.goodput[o])) for o in there]
                at_most([*used, *bought], sides.free[i, g])
    for site in range(b.rooms):
        for s in range(slices):
            on_site = [o for o in range(offers) if b.site[o] == site]
            at_most([(hourly[o, s], 1.0) for o in on_site], sides.room[i, site])
    bounds = [(0.0, None if np.isinf(m) else m) for m in most]
    found = linprog(cost, A_ub=np.array(rows), b_ub=np.array(right), bounds=bounds)
    assert found.status == 0, found.message
    assert found.fun is not None
    return float(found.fun)
