"""The root of a large problem: its relaxation, with the lazy rows that join it there.

Most rounds of lazy rows are done in the problem without its flows (`planner.solve.master`), where a
relaxation takes a hundredth of the time; the whole problem then says what flows cost. Rows of the
last rounds join it afterwards: the root's point may break them.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from planner.solve.lp import LpResult
from planner.solve.master import Master
from planner.solve.sift import INTERIOR, interior_point, sifted, sifted_inside

if TYPE_CHECKING:
    from planner.solve.branch import Search

SMALL_GAIN = 2e-5
"""Relative gain of a round in the problem without flows below which no more follow."""
AGAIN = 1
"""Times that the whole problem is solved again at the root: what flows cost near plans is learnt
where the structure is whole (`planner.solve.improve`)."""


def relaxed_root(search: Search) -> LpResult:
    """The root's relaxation, in a session that holds what matters there where there is much else.

    Where rounds are done without flows, lazy rows have joined that it may break.
    """
    _begin_inside(search)
    result = narrow(search, search.session.solve_lp())
    if rounds_without_flows(search) and result.status == "optimal":
        result = _rounds_without_flows(search, result)
    return result


def rounds_without_flows(search: Search) -> bool:
    """Whether the root's rounds of lazy rows are done in the problem without flows."""
    return search.parts and search.sift and search.lazy is not None


def narrow(search: Search, result: LpResult) -> LpResult:
    """From the root's relaxation on, hold only the columns that matter, where there are many.

    The search goes on in a session that takes in what a relaxation wants, so that each is that of
    the whole problem.
    """
    if not search.sift or result.status != "optimal" or not search.session.active.all():
        return result
    search.session = sifted(search.session, result)
    return search.session.solve_lp()


def _begin_inside(search: Search) -> None:
    """Hold what matters near an interior point, where the simplex would take too long."""
    if not (search.sift and search.matrix.shape[1] >= INTERIOR and interior_point()):
        return
    since = time.perf_counter()
    inside = search.session.solve_interior()
    search.iterations += inside.iterations
    if inside.status == "optimal":
        search.session = sifted_inside(search.session, inside)
    search.timed("interior point", since)


def _rounds_without_flows(search: Search, result: LpResult) -> LpResult:
    """The root's relaxation; lazy rows that the problem without its flows breaks join.

    It keeps those that joined before it was solved last.
    """
    matrix, stop = search.matrix, search.session.stop
    master = search.master = Master(matrix, [result.y], search.options.threads, stop)
    low, high = matrix.lower[search.integer], matrix.upper[search.integer]
    for again in reversed(range(AGAIN + 1)):
        now, x, rows = _cost(search, result), result.x, search.matrix.shape[0]
        empty = False
        while search.keep_going():
            batch = None if search.lazy is None else search.lazy(x, exact=True)
            if batch is None:
                break
            search.join(search.session, batch)
            master.catch_up(search.matrix, [*search.duals, result.y])
            relaxed = master.solve(low, high)
            empty = relaxed.cost_usd == np.inf
            if not len(relaxed.x) or relaxed.cost_usd - now < SMALL_GAIN * abs(now):
                break
            now, x = relaxed.cost_usd, master.split.whole(relaxed.x)
        # That nothing keeps the rows is for the whole problem to say.
        last = not again and not empty
        if search.matrix.shape[0] == rows or last or not search.keep_going():
            break
        more = search.session.solve_lp()
        search.tell("rounds")
        if more.status not in ("optimal", "infeasible"):
            # Stopped in the middle: what is proven already stays.
            break
        # The last one is noted by whoever goes on with it.
        search.note(result)
        result = more
        if result.status == "infeasible":
            return result
    # Rows that have joined since have the price 0.
    joined = search.matrix.shape[0] - len(result.y)
    return replace(result, y=np.concatenate([result.y, np.zeros(joined)]))


def _cost(search: Search, result: LpResult) -> float:
    return float(search.matrix.objective @ result.x) + search.matrix.offset
