"""Plans from lots and placements that HiGHS finds near a relaxation or the best plan.

It looks in the problem without its flows (`planner.solve.master`), where a relaxation takes little:
near a leaf's relaxation whose structure is whole, without the columns that are far from being used.
Lazy rows that the relaxation breaks join first. An answer that breaks some gives these to the
problem, and the next is looked for near it (`planner.solve.near`); one that breaks none is polished
(`planner.solve.polish`) and settled in the whole problem. Where that found nothing, it looks among
the columns that the search holds, the plan's structure kept (`improve`).
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from planner.solve.branch import Search
from planner.solve.near import Near
from planner.solve.polish import polished
from planner.solve.prove import Leaf, Prover

Floats = npt.NDArray[np.float64]
SHARE = 0.5
"""Share of the remaining time."""
MOST_LESSONS = 12
"""Rough answers near one leaf, at most."""
MOST_ROUNDS = 30
"""Times that HiGHS is asked for lots, at most."""
STEPS = ((500, 1.5), (120, 1.0))
"""Whole numbers that may differ from where they are, of those nearest to it by reduced cost, and
part of the gap asked for at which HiGHS ends (the bound of its relaxation is not yet ours): at
first, and near an answer that breaks a promise."""
ROUGH = 5e-3
"""Gap at which HiGHS ends at first."""
ROUGH_STEPS = ((350, ROUGH), (500, ROUGH))
"""Open whole numbers, and the gap itself, of rough answers."""
FIRST = 1e-2
"""Relative cost above the least known at which lots are no longer looked for where there is no plan
yet; the gap asked for, where there is one."""
SURE = 0.2
"""Part of the gap asked for by which flows may cost more than an answer says."""


def improve(search: Search, placements: int) -> None:
    """Improve the best plan, keeping its columns of ranks below `placements`; offer what is found.

    The session's bounds are not what they were afterwards.
    """
    since = time.perf_counter()
    m, integer = search.matrix, search.integer
    low, high = m.lower[integer].copy(), m.upper[integer].copy()
    if len(search.best_x):
        kept = search.order[integer] < placements
        low[kept] = high[kept] = np.round(search.best_x[integer][kept])
    search.session.set_bounds(integer, low, high)
    left_s = search.session.stop.left_s
    _, x = search.session.solve_mip(
        gap=search.tolerance,
        time_limit_s=None if left_s is None else SHARE * left_s,
        start=search.best_x if len(search.best_x) else None,
        on_progress=lambda primal, _dual: search.tell("improve", min(search.best, primal)),
    )
    if len(x):
        search.settle(np.round(x[integer]))
    search.timed("improve", since)
    search.tell("improve")


def teach(prover: Prover, leaf: Leaf) -> bool:
    """Learn what flows cost at whole lots near a leaf's relaxation whose structure is whole.

    From rough answers of HiGHS's, which take a fraction of a second each. Without a plan yet, or
    where it is cheap enough to end the search, the last of them becomes one. The session's bounds
    are not what they were afterwards. False where there is more to learn: every answer broke a
    promise, or cost more than it said.
    """
    search, since = prover.search, time.perf_counter()
    first = not np.isfinite(search.best)
    near = Near(prover, leaf)
    rise = max(search.tolerance, FIRST) if first else search.tolerance
    most_usd = prover.least + rise * abs(prover.least)
    point = _rough(search, near, exact=first, most_usd=most_usd)
    if point is not None and (first or near.cost_usd(point) <= prover.target_usd):
        near.finish(point)
    search.timed("improve", since)
    search.tell("improve")
    return point is not None or near.lessons < MOST_LESSONS


def _rough(search: Search, near: Near, *, exact: bool, most_usd: float = np.inf) -> Floats | None:
    """Learn from rough answers until one keeps its word, which is returned.

    It ends where lots are known to cost more than `most_usd`.
    """
    for _ in range(MOST_LESSONS):
        point = near.ask(ROUGH_STEPS, most_usd=most_usd) if search.keep_going() else None
        if point is None:
            break
        near.lessons += 1
        if near.learn(point, exact=exact) < SURE * search.tolerance:
            return point
        search.tell("improve")
    return None


def plan_near(prover: Prover, leaf: Leaf) -> None:
    """Offer a plan near a leaf's relaxation, with its structure, which has to be whole.

    The session's bounds are not what they were afterwards.
    """
    search, since = prover.search, time.perf_counter()
    near = Near(prover, leaf)
    # Promises that break at the relaxation and at rough answers are found in a tenth of the time.
    near.tighten()
    _rough(search, near, exact=True)
    near.stays = True
    first, mends = [[(most, part * search.tolerance)] for most, part in STEPS]
    point: Floats | None = None
    for _ in range(MOST_ROUNDS):
        if not search.keep_going():
            break
        if point is None:
            # Near an answer that did not keep its word few need to differ.
            answer = near.ask(mends if near.mends else first, near.enough_usd)
            if answer is None and not near.widen():
                break
            point = answer if answer is not None and near.keeps(answer, exact=True) else None
        else:
            point = polished(near, point)
            if point is not None and near.costs_more(point) < SURE * search.tolerance:
                near.finish(point)
                break
        search.tell("improve")
    search.timed("improve", since)
    search.tell("improve")
