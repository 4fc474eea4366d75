"""Proofs without flows: duals of other nodes close branches, and each leaf keeps its proof."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from planner.solve.branch import Search
from planner.solve.certificate import node_bounds, proven_bound
from planner.solve.dive import Dive
from planner.solve.dual_pool import DualPool, Known
from planner.solve.improve import MOST_LESSONS, teach
from planner.solve.lp import LpResult
from planner.solve.master import Master, Relaxed
from planner.solve.near import Near
from planner.solve.prove import AHEAD, SURE, Prover, prove
from tests.solve.test_promises_by_parts import RUN, unsolved

BEST_USD = 2.1025e8
"""More than the relaxation of the case costs: the cutoff of its proof."""


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An item for each relaxation of a problem without flows from now on."""
    solve, count = Master.solve, list[int]()

    def once(self: Master, *args: object, **kwargs: object) -> Relaxed:
        count.append(1)
        return solve(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Master, "solve", once)
    return count


def proved(monkeypatch: pytest.MonkeyPatch) -> tuple[Search, int]:
    """A search whose tree is branched up to a cutoff, and the relaxations that this took."""
    search = unsolved()
    search.root(dive=None)
    count = counted(monkeypatch)
    search.best = BEST_USD
    prove(Prover(search, RUN.DECIDED))
    return search, len(count)


def test_branches_that_known_duals_close_are_not_solved_and_are_proven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search, some = proved(monkeypatch)
    cutoff = BEST_USD * (1.0 - search.tolerance)
    leaves = [at for at, node in enumerate(search.tree.nodes) if node.leaf]
    assert len(leaves) > 3
    for at in leaves:
        node = search.tree.nodes[at]
        bounds = node_bounds(search.matrix, search.tree.nodes, at)
        bound = proven_bound(search.matrix, node.y, node.ray, bounds)
        assert bound >= node.bound * (1.0 - 1e-9)
        assert bound >= cutoff * (1.0 - 1e-9)
    nothing = Known(-np.inf, np.zeros(0))
    monkeypatch.setattr(DualPool, "known", lambda *_: nothing)
    monkeypatch.setattr(DualPool, "sides", lambda _, _l, _h, c, _v: np.full((2, len(c)), -np.inf))
    _, every = proved(monkeypatch)
    assert some < every


def test_what_is_left_open_is_rounded_before_it_is_dived_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = unsolved()
    search.root(dive=True)
    assert np.isfinite(search.best)
    best, whole = search.best, np.round(search.best_x[search.integer])
    low, high = search.matrix.lower[search.integer], search.matrix.upper[search.integer]
    carries = search.order[search.integer] == 3
    low, high = np.where(carries, low, whole), np.where(carries, high, whole)
    dives: list[float] = []

    def dive(*_: object) -> None:
        dives.append(search.best)

    monkeypatch.setattr(Dive, "run", dive)
    search.best, search.best_x = np.inf, np.zeros(0)
    search.finish(low, high)
    assert not dives
    assert search.best <= best * (1.0 + 1e-9)
    assert search.lazy is not None
    assert search.lazy(search.best_x, exact=True) is None
    # Where rounding makes no plan, or a dearer one, it is dived for.
    search.best, search.best_x = np.inf, np.zeros(0)
    none = LpResult("infeasible", np.zeros(0), np.zeros(0), 0)
    monkeypatch.setattr(search, "settle", lambda _: none)
    search.finish(low, high)
    assert len(dives) == 1
    dearer = LpResult("optimal", 1.01 * search.session.solve_lp().x, np.zeros(0), 0)
    monkeypatch.setattr(search, "settle", lambda _: dearer)
    search.finish(low, high)
    assert len(dives) == 2


def test_a_column_that_known_duals_close_on_one_side_is_branched_without_a_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = unsolved()
    search.root(dive=None)
    # Lots count as structure here: the case has too little else.
    prover = Prover(search, frozenset(range(10)))
    leaf = prover.first()
    assert leaf is not None
    relaxed, master = leaf.relaxed, prover.master
    columns = prover._fractional(relaxed)
    assert len(columns) > 1
    sides: list[tuple[Relaxed, np.ndarray, np.ndarray]] = []
    for column in columns.tolist():
        low, high = prover.bounds(leaf.at)
        below, above = high.copy(), low.copy()
        below[column] = np.floor(relaxed.x[master.at[column]])
        above[column] = below[column] + 1.0
        both = (low, below), (above, high)
        sides += [(master.solve(*bounds, relaxed.mark), *bounds) for bounds in both]
    branch, low, high = max(
        (side for side in sides if side[0].cost_usd < np.inf), key=lambda side: side[0].cost_usd
    )
    assert branch.cost_usd > relaxed.cost_usd * (1.0 + 1e-5)
    prover._pool.add(master.problem, branch.y, branch.cost_usd, low, high)
    # A plan whose cutoff is hardly below what that branch costs.
    search.best = branch.cost_usd / (1.0 - (1.0 - SURE) * search.tolerance) * (1.0 - 1e-7)
    assert relaxed.cost_usd < prover.cutoff < branch.cost_usd
    count = counted(monkeypatch)
    column, branches = prover._choose(leaf.at, relaxed, columns)
    assert len(count) == 1
    (closed,) = [each for each in branches if not each.done]
    assert closed.cost_usd >= prover.dear
    whole = node_bounds(search.matrix, search.tree.nodes, leaf.at)
    side, cut = branches.index(closed), np.floor(relaxed.x[master.at[column]])
    whole[1 - side][search.integer[column]] = cut + side
    bound = proven_bound(search.matrix, master.whole_duals(closed.y), False, whole)
    assert bound >= prover.cutoff * (1.0 - 1e-9)


def test_a_known_structure_is_ready_once_the_bound_has_nearly_come_to_its_cost() -> None:
    search = unsolved()
    search.root(dive=None)
    prover = Prover(search, RUN.DECIDED)
    leaf = prove(prover, to_structure=True)
    while leaf is not None and not prover.hopes:
        leaf = prove(prover, to_structure=True)
        assert leaf is not None
        teach(prover, leaf)
        search.best, search.best_x = np.inf, np.zeros(0)
        prover.hope(leaf)
    ((cost, noted),) = prover.hopes.values()
    assert noted is leaf
    assert cost >= leaf.relaxed.cost_usd * (1.0 - 1e-9)
    assert prover.least < cost
    wide = replace(search.options, gap=2.0 / AHEAD * (1.0 - prover.least / cost))
    narrow = replace(search.options, gap=0.5 / AHEAD * (1.0 - prover.least / cost))
    search.options = narrow
    assert prover.ready() is None
    assert len(prover.hopes) == 1
    # Ready: the leaf is handed out once, at what it costs now.
    search.options = wide
    prover.hopes = dict.fromkeys(prover.hopes, (0.9 * cost, leaf))
    assert prover.ready() is leaf
    assert not prover.hopes
    assert prover.ready() is None
    # What costs as much as the best plan is no hope.
    search.best = cost
    prover.hope(leaf)
    assert not prover.hopes


def test_lessons_that_all_broke_a_promise_are_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    search = unsolved()
    search.root(dive=None)
    prover = Prover(search, RUN.DECIDED)
    leaf = prove(prover, to_structure=True)
    assert leaf is not None
    asked: list[int] = []

    def broken(*_: object, **__: object) -> float:
        asked.append(1)
        return np.inf

    learn = Near.learn
    monkeypatch.setattr(Near, "learn", broken)
    assert not teach(prover, leaf)
    assert len(asked) == MOST_LESSONS
    assert not np.isfinite(search.best)
    monkeypatch.setattr(Near, "learn", learn)
    assert teach(prover, leaf)
