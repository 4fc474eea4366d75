"""Proofs without flows: duals of other nodes close branches, and each leaf keeps its proof."""

from __future__ import annotations

import numpy as np
import pytest

from planner.solve.branch import Search
from planner.solve.certificate import node_bounds, proven_bound
from planner.solve.dive import Dive
from planner.solve.dual_pool import DualPool, Known
from planner.solve.lp import LpResult
from planner.solve.master import Master, Relaxed
from planner.solve.prove import Prover, prove
from tests.solve.test_promises_by_parts import RUN, unsolved

BEST_USD = 2.1025e8
"""More than the relaxation of the case costs: the cutoff of its proof."""


def proved(monkeypatch: pytest.MonkeyPatch) -> tuple[Search, int]:
    """A search whose tree is branched up to a cutoff, and the relaxations that this took."""
    search = unsolved()
    search.root(dive=None)
    solve, count = Master.solve, 0

    def counted(self: Master, *args: object, **kwargs: object) -> Relaxed:
        nonlocal count
        count += 1
        return solve(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Master, "solve", counted)
    search.best = BEST_USD
    prove(Prover(search, RUN.DECIDED))
    monkeypatch.setattr(Master, "solve", solve)
    return search, count


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
