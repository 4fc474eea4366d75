"""The root of a large problem: its relaxation, with the lazy rows that join it there.

Where slices of the week are alike it is solved with these merged (`planner.solve.merged_week`), in
less than half the time: its row duals prove nearly as much of the whole problem, which is first
solved where whole lots are asked what flows cost. Rounds of lazy rows are done in the problem
without its flows (`planner.solve.master`), where a relaxation takes a hundredth of the time. Their
rows join the whole problem afterwards, which is not solved again for them, unless they seem to
leave nothing: the root's point may break them. What flows cost near plans is learnt where the
structure is whole (`planner.solve.improve`).
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from planner.solve.lp import LpResult
from planner.solve.master import Master
from planner.solve.merged_session import MergedSession
from planner.solve.sift import INTERIOR, interior_point, sifted, sifted_inside

if TYPE_CHECKING:
    from planner.solve.branch import Search

Floats = npt.NDArray[np.float64]
SMALL_GAIN = 2e-5
"""Relative gain of a round in the problem without flows below which no more follow."""


def relaxed_root(search: Search) -> LpResult:
    """The root's relaxation, in a session that holds what matters there where there is much else.

    Where slices of the week may be merged it is that of the smaller problem, in the whole one's
    columns and rows, and the session is not solved yet. Where rounds are done without flows, lazy
    rows have joined that it may break.
    """
    merged = merged_root(search)
    if merged is None or search.root_basis is None:
        _begin_inside(search)
        result = narrow(search, search.session.solve_lp())
    else:
        result, search.merged = merged, True
        search.session = sifted(search.session, result, search.root_basis)
    if rounds_without_flows(search) and result.status == "optimal":
        result = _rounds_without_flows(search, result)
    return result


def merges(search: Search) -> bool:
    """Whether slices of the week are merged for the root when that is solved next."""
    return search.week is not None and search.week.merges and search.sift and search.parts


def merged_root(search: Search, duals: Floats | None = None) -> LpResult | None:
    """The root's relaxation with slices of the week merged, from where a like one ended.

    `duals` are row duals of that one, where they are known. None where no slices are merged, or
    where that has no optimum: then only the whole problem can say why. They are merged once: a root
    that has to be solved again is that of the whole problem. The session that solved it stays, for
    lessons (`Search.relaxed`).
    """
    week = search.week if merges(search) else None
    search.week = None
    if week is None:
        return None
    stop, threads = search.session.stop, search.options.threads
    session = MergedSession(search.matrix, week, threads, stop, search.root_basis, duals)
    result = session.solve_lp()
    if result.status != "optimal":
        return None
    search.root_basis = session.basis()
    session.narrow()
    search.learn_from(session)
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
    """The root's relaxation; lazy rows that the problem without its flows breaks join."""
    matrix, stop = search.matrix, search.session.stop
    master = search.master = Master(matrix, [result.y], search.options.threads, stop)
    low, high = matrix.lower[search.integer], matrix.upper[search.integer]
    now, x = _cost(search, result), result.x
    while search.keep_going():
        batch = None if search.lazy is None else search.lazy(x, exact=True)
        if batch is None:
            break
        search.join(search.session, batch)
        master.catch_up(search.matrix, [*search.duals, result.y])
        relaxed = master.solve(low, high)
        if relaxed.cost_usd == np.inf:
            return _whole_again(search, result)
        if not len(relaxed.x) or relaxed.cost_usd - now < SMALL_GAIN * abs(now):
            break
        now, x = relaxed.cost_usd, master.split.whole(relaxed.x)
    return _with_rows(search, result)


def _whole_again(search: Search, result: LpResult) -> LpResult:
    """The whole problem's word where nothing seems to keep the rows that joined."""
    again = search.session.solve_lp()
    search.tell("rounds")
    if again.status not in ("optimal", "infeasible"):
        # Stopped in the middle: what is proven already stays.
        return _with_rows(search, result)
    search.merged = False
    search.note(result)
    return again


def _with_rows(search: Search, result: LpResult) -> LpResult:
    """A relaxation with the rows that have joined since, which have the price 0."""
    more = search.matrix.shape[0] - len(result.y)
    return result if not more else replace(result, y=np.concatenate([result.y, np.zeros(more)]))


def _cost(search: Search, result: LpResult) -> float:
    return float(search.matrix.objective @ result.x) + search.matrix.offset
