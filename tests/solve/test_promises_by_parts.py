"""Lazy rows of a solve by parts: they join at the root, at whole structures and at answers."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from planner.case import load_case
from planner.errors import InfeasibleError
from planner.instance import build_instance
from planner.redundancy.problem import compiled_problem
from planner.redundancy.rounds import Rounds
from planner.solve.branch import Search
from planner.solve.improve import plan_near
from planner.solve.lp import LpResult, Mark
from planner.solve.master import Master, Relaxed
from planner.solve.near import Near
from planner.solve.options import SolveOptions
from planner.solve.prove import Leaf, Prover, prove
from planner.solve.session import Session
from tests.redundancy.test_rounds import resilient

RUN = sys.modules["planner.solve.run"]


def unsolved() -> Search:
    """A search by parts, with promises as lazy rows."""
    inst = build_instance(resilient(load_case(Path("data/small"))))
    matrix, mode = compiled_problem(inst, mode="rounds", strengthen=True)
    assert mode == "rounds"
    return Search(
        Session(matrix),
        SolveOptions(1e-4),
        lambda _: None,
        RUN.ranks(matrix),
        Rounds.of(inst, matrix),
        sift=True,
        parts=True,
    )


@pytest.fixture
def search() -> Search:
    """A search that has solved its root by parts."""
    out = unsolved()
    out.root(dive=None)
    return out


def whole_structure(search: Search) -> tuple[Prover, Leaf]:
    prover = Prover(search, RUN.DECIDED)
    leaf = prover.dive(0)
    assert leaf is not None
    return prover, leaf


def test_the_duals_of_the_root_know_every_row(
    search: Search,
) -> None:
    """Rows that joined after the last relaxation have the price 0: what is proven is proven."""
    root, matrix = search.tree.nodes[0], search.matrix
    assert search.master is not None
    assert search.master.known == matrix.shape[0]
    assert search.master.split.matrix.shape[0] < matrix.shape[0]
    assert len(root.y) == len(search.root_duals) == matrix.shape[0]
    every = Session(matrix).solve_lp()
    cost = float(matrix.objective @ every.x) + matrix.offset
    assert root.bound <= cost * (1.0 + 1e-9)
    # The whole problem is solved once: what joined since is proven without its flows.
    bare = search.master.split.matrix
    first = Session(bare).solve_lp()
    alone = float(bare.objective @ first.x) + bare.offset
    assert root.bound == pytest.approx(alone, rel=1e-9)


def test_a_stop_within_the_rounds_of_the_root_keeps_what_was_proven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing seems to keep the rows, and the whole problem is stopped: the first bound stays."""
    search = unsolved()
    bare, columns = search.matrix, search.matrix.shape[1]
    nothing = Relaxed(np.inf, np.zeros(0), np.zeros(0), Mark(None, 0, 0))
    monkeypatch.setattr(Master, "solve", lambda *_, **__: nothing)
    first = Session(bare).solve_lp()
    solve = Session.solve_lp
    stopped: list[int] = []

    def some(self: Session, *args: float | None, heed_stop: bool = True) -> LpResult:
        if self.matrix.shape[1] == columns and self.matrix.shape[0] > bare.shape[0]:
            stopped.append(self.matrix.shape[0])
            return LpResult("interrupted", np.zeros(0), np.zeros(0), 0)
        return solve(self, *args, heed_stop=heed_stop)

    monkeypatch.setattr(Session, "solve_lp", some)
    search.root(dive=None)
    assert len(stopped) == 1
    cost = float(bare.objective @ first.x) + bare.offset
    assert search.bound == pytest.approx(cost, rel=1e-9)
    assert search.matrix.shape[0] > bare.shape[0]


def test_where_nothing_seems_to_keep_the_rows_of_the_root_the_whole_problem_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = unsolved()
    bare = search.matrix
    nothing = Relaxed(np.inf, np.zeros(0), np.zeros(0), Mark(None, 0, 0))
    monkeypatch.setattr(Master, "solve", lambda *_, **__: nothing)
    search.root(dive=None)
    m = search.matrix
    assert len(m.row_lower) > len(bare.row_lower)
    assert len(search.root_duals) == len(m.row_lower)
    every = Session(m).solve_lp()
    cost = float(m.objective @ every.x) + m.offset
    assert search.bound == pytest.approx(cost, rel=1e-9)


def test_a_dive_from_the_root_begins_from_what_keeps_its_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows that joined after the last relaxation are kept by the point that is rounded."""
    search = unsolved()
    began: list[LpResult] = []
    monkeypatch.setattr(search, "_dive", lambda result, _at: began.append(result))
    search.root(dive=True)
    m = search.matrix
    assert len(began) == 1
    assert len(m.row_lower) > unsolved().matrix.shape[0]
    activity = m.a @ began[0].x
    assert (activity >= m.row_lower - 1e-3).all()
    assert (activity <= m.row_upper + 1e-3).all()


def test_a_tightened_relaxation_breaks_no_promise(search: Search) -> None:
    """At each structure in turn: the promises are kept there, or nothing keeps them."""
    prover = Prover(search, RUN.DECIDED)
    lazy = search.lazy
    assert lazy is not None
    joined = kept = 0
    for _ in range(20):
        leaf = prove(prover, to_structure=True)
        if leaf is None or kept:
            break
        near, master = Near(prover, leaf), prover.master
        before = search.matrix.shape[0]
        near.tighten()
        joined += search.matrix.shape[0] - before
        low, high = prover.bounds(leaf.at)
        structure = np.round(leaf.relaxed.x[master.at])[prover.structure]
        low[prover.structure] = high[prover.structure] = structure
        relaxed = master.solve(low, high, leaf.relaxed.mark)
        if len(relaxed.x):
            assert lazy(master.split.whole(relaxed.x), exact=True) is None
            kept += 1
        else:
            assert relaxed.cost_usd == np.inf
        prover.tried.add(prover.structure_of(leaf))
    assert kept
    assert joined


def test_lots_are_looked_for_after_the_relaxation_is_tightened(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(Near, "tighten", lambda _: calls.append("tighten"))
    monkeypatch.setattr(Near, "ask", lambda *_, **__: calls.append("ask"))
    plan_near(*whole_structure(search))
    assert calls[:2] == ["tighten", "ask"]


def test_an_answer_that_breaks_a_promise_joins_its_row_and_asks_no_more(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What flows cost at lots that cannot stand is worth nothing."""
    prover, leaf = whole_structure(search)
    near, master = Near(prover, leaf), prover.master
    near.stays = True
    x = leaf.relaxed.x.copy()
    # Without any chips under contract every promise breaks.
    kept, chips = master.split.kept, search.matrix.columns["contracted"]
    x[np.flatnonzero((kept >= chips.start) & (kept < chips.stop))] = 0.0
    x[master.at] = 0.0
    rows = search.matrix.shape[0]

    def refuse(*_: object) -> None:
        raise AssertionError("the whole problem was asked")

    monkeypatch.setattr(search, "relaxed", refuse)
    assert near.learn(x, exact=True) == np.inf
    assert search.matrix.shape[0] > rows
    assert master.known == search.matrix.shape[0]
    # The next one is looked for near it.
    assert near._answer is x


def test_promises_that_no_fraction_of_a_lot_keeps_are_refused_by_the_root() -> None:
    """Found without flows or not, that nothing keeps them is proven by the whole problem."""
    search = unsolved()
    matrix = search.matrix
    chips, upper = matrix.columns["contracted"], matrix.upper.copy()
    # No more chips than without promises, in every pool and period, and none by the hour.
    upper[chips] = search.session.solve_lp().x[chips]
    upper[matrix.columns["hourly"]] = 0.0
    search.session = Session(replace(matrix, upper=upper))
    with pytest.raises(InfeasibleError, match="not even with fractions"):
        search.root(dive=None)
