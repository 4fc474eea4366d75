"""Better lots and placements near the best plan: HiGHS looks for them.

Without lazy rows it looks among the columns that the search holds, the plan's structure kept. With
them a relaxation takes seconds, so that it looks in the problem without its flows
(`planner.solve.flows`): an answer that breaks lazy rows gives these to the problem, and the next
is looked for near it; one that breaks none is settled in the whole problem. Then it looks near the
best plan's lots with more of the structure free, as long as that helps. HiGHS's own bound is not
used.
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from planner.solve.branch import Search
from planner.solve.flows import WithoutFlows
from planner.solve.options import LazyRows
from planner.solve.session import Session

Floats = npt.NDArray[np.float64]
SHARE = 0.5
"""Share of the remaining time."""
MOST_ROUNDS = 30
"""Times that HiGHS is asked for lots, at most."""
NEAR = 1.0
"""Lots by which an answer may differ from the one before it, which broke a promise, or a plan from
the best one."""
LEAST_GAIN = 0.05
"""Part of the gap asked for by which a plan has to be cheaper for another search near it."""


def improve(search: Search, placements: int) -> None:
    """Improve the best plan, keeping its columns of ranks below `placements`; offer what is found.

    The session's bounds are not what they were afterwards.
    """
    since = time.perf_counter()
    low, high = _around(search, search.order[search.integer] < placements)
    if search.lazy is None or not search.duals:
        _among_held(search, low, high)
    else:
        limit_s = _limit_s(search)
        ends = np.inf if limit_s is None else since + limit_s
        _without_flows(search, search.lazy, (low, high), ends)
        better = len(search.best_x) > 0
        while better and search.gap > search.tolerance and time.perf_counter() < ends:
            before = search.best
            led = np.isin(search.order[search.integer], list(search.probed))
            near = _around(search, led, search.order[search.integer] > placements)
            _without_flows(search, search.lazy, near, ends)
            better = search.best < before - LEAST_GAIN * search.tolerance * abs(before)
    search.phases["improve"] = time.perf_counter() - since
    search.tell("improve")


def _around(
    search: Search, kept: npt.NDArray[np.bool_], near: npt.NDArray[np.bool_] | None = None
) -> tuple[Floats, Floats]:
    """Bounds of the whole numbers: those `kept` as the best plan has them, others within `NEAR`."""
    m, integer = search.matrix, search.integer
    low, high = m.lower[integer].copy(), m.upper[integer].copy()
    if len(search.best_x):
        best = np.round(search.best_x[integer])
        low[kept] = high[kept] = best[kept]
        if near is not None:
            low[near] = np.maximum(low, best - NEAR)[near]
            high[near] = np.minimum(high, best + NEAR)[near]
    return low, high


def _limit_s(search: Search) -> float | None:
    left = search.session.stop.left_s
    return None if left is None else SHARE * left


def _among_held(search: Search, low: Floats, high: Floats) -> None:
    """Ask HiGHS once, for the columns that the session of the search holds."""
    session, integer = search.session, search.integer
    if len(search.best_x):
        session.hold(np.flatnonzero((search.best_x != 0.0) & ~session.active))
    session.set_bounds(integer, low, high)
    _, x = session.solve_mip(
        gap=search.tolerance,
        time_limit_s=_limit_s(search),
        start=search.best_x if len(search.best_x) else None,
        on_progress=lambda primal, _dual: search.tell("improve", min(search.best, primal)),
    )
    if len(x):
        search.settle(np.round(x[integer]))


def _without_flows(
    search: Search, lazy: LazyRows, widest: tuple[Floats, Floats], ends: float
) -> None:
    """Ask HiGHS for what is bought and placed, until that keeps every promise or time `ends`."""
    integer, (low, high) = search.integer, widest
    rays: list[Floats] = []
    for _ in range(MOST_ROUNDS):
        left_s = ends - time.perf_counter()
        if left_s <= 0.0 or not search.keep_going():
            break
        split = WithoutFlows.of(search.matrix)
        problem = split.problem(search.duals, rays)
        session = Session(problem, search.options.threads, search.session.stop)
        at = np.searchsorted(split.kept, integer)
        session.set_bounds(at, low, high)
        _, point = session.solve_mip(
            gap=search.tolerance,
            time_limit_s=None if np.isinf(ends) else left_s,
            start=_start(search, split, low, high),
            on_progress=lambda _primal, _dual: search.tell("improve"),
        )
        if not len(point):
            if low is widest[0]:
                break
            low, high = widest
            continue
        whole = np.clip(np.round(point[at]), low, high)
        broken = lazy(split.whole(point), exact=True)
        if broken is not None:
            search.join(search.session, broken)
        else:
            # With every column: one that holds some of them takes lots so far off for infeasible.
            every = Session(search.matrix, search.options.threads, search.session.stop)
            rows = search.matrix.shape[0]
            settled = search.settle(whole, every)
            if settled.status == "infeasible":
                rays.append(settled.y)
            elif search.matrix.shape[0] == rows:
                break
        search.tell("improve")
        # What is missing is little: near these lots HiGHS is soon done.
        low, high = np.maximum(widest[0], whole - NEAR), np.minimum(widest[1], whole + NEAR)


def _start(search: Search, split: WithoutFlows, low: Floats, high: Floats) -> Floats | None:
    """The best plan in the problem without its flows, if it is within bounds."""
    if not len(search.best_x):
        return None
    best = np.round(search.best_x[search.integer])
    return split.point(search.best_x) if ((best >= low) & (best <= high)).all() else None
