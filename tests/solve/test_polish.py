"""Polishing: few lots differ at a time, promises are kept, and nothing becomes dearer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp

from planner.matrix import Matrix, RowBatch
from planner.solve import polish
from planner.solve.near import Near
from planner.solve.polish import Neighbourhoods, polished
from planner.solve.prove import Prover, prove
from tests.solve.test_promises_by_parts import RUN, unsolved

Floats = npt.NDArray[np.float64]


def tightened() -> Near:
    """The problem without flows near the first whole structure at which promises can be kept."""
    search = unsolved()
    search.root(dive=None)
    prover = Prover(search, RUN.DECIDED)
    while True:
        leaf = prove(prover, to_structure=True)
        assert leaf is not None
        near = Near(prover, leaf)
        near.tighten()
        near.stays = True
        if len(near.relaxed().x):
            return near
        prover.tried.add(prover.structure_of(leaf))


@pytest.fixture
def near() -> Near:
    """One for each test, which changes it."""
    return tightened()


def dear_answer(near: Near) -> Floats:
    """An answer that keeps every promise: lots of the relaxation rounded up, and more where not."""
    relaxed, at = near.relaxed(), near.master.at
    low, high = near.bounds
    for more in range(20):
        lots = np.clip(np.ceil(relaxed.x[at] - 1e-6) + more * (high > 1.0), low, high)
        solved = near.master.solve(lots, lots)
        if len(solved.x) and near.keeps(solved.x, exact=True):
            return solved.x
    raise AssertionError("no lots keep every promise")


def test_a_dear_answer_becomes_cheaper_and_keeps_every_promise(near: Near) -> None:
    start = dear_answer(near)
    found = polished(near, start)
    assert found is not None
    at, (low, high) = near.master.at, near.bounds
    assert near.cost_usd(found) < near.cost_usd(start) * (1.0 - 1e-6)
    lots = found[at]
    np.testing.assert_allclose(lots, np.round(lots), atol=1e-6)
    assert (lots >= low - 1e-6).all()
    assert (lots <= high + 1e-6).all()
    lazy = near.search.lazy
    assert lazy is not None
    assert lazy(near.master.split.whole(found), exact=True) is None


def test_the_same_answer_comes_out_twice() -> None:
    found = []
    for _ in range(2):
        near = tightened()
        answer = polished(near, dear_answer(near))
        assert answer is not None
        found.append(answer)
    np.testing.assert_array_equal(found[0], found[1])


def test_what_breaks_a_promise_is_not_taken(near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    start = dear_answer(near)
    asked: list[Floats] = []

    def breaks(_: Near, x: Floats, *, exact: bool) -> bool:
        assert exact
        asked.append(x)
        return False

    monkeypatch.setattr(Near, "keeps", breaks)
    found = polished(near, start)
    assert len(asked) == polish.PATIENCE
    assert found is not None
    at = near.master.at
    np.testing.assert_array_equal(np.round(found[at]), np.round(start[at]))


def test_it_ends_where_an_answer_is_good_enough(
    near: Near, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = dear_answer(near)
    monkeypatch.setattr(Near, "fair_usd", near.cost_usd(start) + 1.0)

    def refuse(*_: object) -> None:
        raise AssertionError("a neighbourhood was searched")

    monkeypatch.setattr(polish, "_found", refuse)
    assert polished(near, start) is not None


def test_lots_with_which_no_flow_is_feasible_give_nothing(near: Near) -> None:
    start = dear_answer(near)
    assert polished(near, start) is not None
    # A ray has taught that these lots are too few.
    row = np.zeros((1, near.master.problem.shape[1]))
    row[0, near.master.at] = 1.0
    more = np.array([np.round(start[near.master.at]).sum() + 1.0])
    lesson = RowBatch("ray", ((0,),), sp.csr_array(row), more, np.full(1, np.inf))
    near._taught.append(lesson)
    assert polished(near, start) is None


def rows_of(*rows: list[int], columns: int) -> Matrix:
    """A problem whose rows have entries in the columns named."""
    a = np.zeros((len(rows), columns))
    for i, row in enumerate(rows):
        a[i, row] = -2.0
    n = columns
    return Matrix(
        ("cost",), np.zeros((1, n)), np.zeros(1), sp.csc_array(a), np.zeros(len(rows)),
        np.zeros(len(rows)), np.zeros(n), np.full(n, 9.0), np.ones(n, dtype=bool), {}, {}, {}, {},
    )  # fmt: skip


def test_near_is_who_stands_in_the_same_rows() -> None:
    """A chain 0 - 1 - 2 - 3 - 4, and 5 and 6 apart from it."""
    m = rows_of([0, 1], [1, 2], [2, 3], [3, 4], [5, 6], columns=7)
    near = Neighbourhoods(m, np.arange(7), np.arange(7)).near(0)
    assert near[1] > near[2] > near[3] > 0.0
    # Four rows away, and only as many steps are gone as `STEPS` says.
    assert polish.STEPS == 3
    assert (near[4:] == 0.0).all()


def test_a_row_that_all_stand_in_brings_nobody_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polish, "DENSE", 3)
    m = rows_of([0, 1], [2, 3], [0, 1, 2, 3], columns=4)
    near = Neighbourhoods(m, np.arange(4), np.arange(4)).near(0)
    assert (near[:2] > 0.0).all()
    assert (near[2:] == 0.0).all()


def test_only_candidates_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polish, "OPEN", 4)
    m = rows_of(*([i, i + 1] for i in range(19)), columns=20)
    candidates = np.array([1, 4, 5, 6, 9, 12, 18])
    neighbourhoods = Neighbourhoods(m, np.arange(20), candidates)
    away = np.zeros(20)
    away[5] = 1e9
    for _ in range(10):
        drawn = neighbourhoods.draw(away)
        assert set(drawn) <= set(candidates)
        # Around the one that is away: it and the nearer of those beside it.
        assert 5 in drawn
        assert {4, 6} & set(drawn)
