"""Better lots and placements for the best plan, its structure kept: HiGHS looks for them.

Without lazy rows it looks among the columns that the search holds. With them a relaxation takes
seconds, so that it looks in the problem without its flows (`planner.solve.flows`): an answer that
breaks lazy rows gives these to the problem, and the next is looked for near it; one that breaks
none is settled in the whole problem. HiGHS's own bound is not used.
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
"""Lots by which an answer may differ from the one before it, which broke a promise."""


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
    if search.lazy is None or not search.duals:
        _among_held(search, low, high)
    else:
        _without_flows(search, search.lazy, low, high)
    search.phases["improve"] = time.perf_counter() - since
    search.tell("improve")


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


def _without_flows(search: Search, lazy: LazyRows, low: Floats, high: Floats) -> None:
    """Ask HiGHS for what is bought and placed, until that keeps every promise."""
    integer, widest = search.integer, (low, high)
    limit_s = _limit_s(search)
    ends = np.inf if limit_s is None else time.perf_counter() + limit_s
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
            time_limit_s=None if limit_s is None else left_s,
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
