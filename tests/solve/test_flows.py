"""The problem without its flows promises no more than the whole one costs, and as much at best."""

from __future__ import annotations

import itertools
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import planner
from planner.audit.folder import audit_plan
from planner.case import load_case
from planner.errors import InterruptedSolveError
from planner.instance import build_instance
from planner.matrix import Matrix, RowBatch
from planner.redundancy.problem import compiled_problem
from planner.solve.branch import Search
from planner.solve.certificate import proven_bound
from planner.solve.flows import FLOWS, RAYS, ROOM, ROWS, Floats, WithoutFlows
from planner.solve.master import Master
from planner.solve.options import Event, SolveOptions
from planner.solve.prove import Prover
from planner.solve.session import Session
from planner.solve.tree import Tree
from tests.redundancy.test_rounds import resilient

RUN = sys.modules["planner.solve.run"]


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return compiled_problem(build_instance(load_case(Path("data/small"))))[0]


def cost(matrix: Matrix, x: np.ndarray) -> float:
    return float(matrix.objective @ x) + matrix.offset


def test_flows_of_two_blocks_share_no_row(matrix: Matrix) -> None:
    split = WithoutFlows.of(matrix)
    names = [n for n in FLOWS if n in matrix.columns]
    assert len(split.flows) == sum(len(matrix.column_index[n]) for n in names)
    assert sorted([*split.kept, *split.flows]) == list(range(matrix.shape[1]))
    a = matrix.a.tocsr()[split.rows][:, split.flows].tocoo()
    assert (split.row_block[a.coords[0]] == split.flow_block[a.coords[1]]).all()
    rest = np.setdiff1d(np.arange(matrix.shape[0]), split.rows)
    assert matrix.a.tocsr()[rest][:, split.flows].nnz == 0
    # One a period at least: a plan for all at once would make no blocks.
    assert split.blocks >= len(build_instance(load_case(Path("data/small"))).time.periods)


def test_the_duals_of_a_relaxation_make_one_of_the_same_cost(matrix: Matrix) -> None:
    whole = Session(matrix).solve_lp()
    split = WithoutFlows.of(matrix)
    problem = split.problem([whole.y])
    small = Session(problem).solve_lp()
    assert small.status == "optimal"
    assert cost(problem, small.x) == pytest.approx(cost(matrix, whole.x), rel=1e-8)
    # The same duals again say nothing new.
    assert split.problem([whole.y, whole.y]).shape == problem.shape


def test_no_duals_ask_more_than_flows_cost(matrix: Matrix) -> None:
    """Whatever the numbers are: at other points, each block's cuts are below its cost."""
    rng = np.random.default_rng(7)
    split = WithoutFlows.of(matrix)
    whole = Session(matrix).solve_lp()
    duals = [whole.y, *(whole.y * rng.uniform(0.0, 2.0, len(whole.y)) for _ in range(5))]
    duals += [rng.normal(size=len(whole.y)) * np.abs(whole.y).max() for _ in range(5)]
    # Duals from before rows joined.
    duals.append(whole.y[:-3])
    # Any numbers are a ray, too, and ask no more than every point keeps.
    rays = [rng.normal(size=len(whole.y)) for _ in range(5)]
    rays += [whole.y * (rng.random(len(whole.y)) < 0.2) for _ in range(20)]
    problem = split.problem(duals).with_rows(split.ray_cuts(rays))
    cuts, room, empty = (problem.rows[name] for name in (ROWS, ROOM, RAYS))
    assert min(room.stop - room.start, empty.stop - empty.start) > 0
    assert cuts.stop - cuts.start > split.blocks
    session = Session(matrix)
    every = np.arange(matrix.shape[1])
    seen = set()
    for _ in range(12):
        # Points that other costs lead to.
        session.set_costs(every, matrix.objective * rng.uniform(0.2, 5.0, len(every)))
        result = session.solve_lp()
        assert result.status == "optimal"
        seen.add(round(cost(matrix, result.x)))
        spent = (matrix.objective * result.x)[split.flows] / 1e6
        theta = np.bincount(split.flow_block, spent, split.blocks)
        point: Floats = np.append(result.x[split.kept], theta)
        taken = problem.a @ point
        slack = (taken - problem.row_lower)[cuts]
        assert slack.min() > -1e-6 * max(1.0, np.abs(theta).max())
        size = 1e-6 * (1.0 + abs(problem.a) @ np.abs(point))
        for kept in (room, empty):
            assert (taken >= problem.row_lower - size)[kept].all()
            assert (taken <= problem.row_upper + size)[kept].all()
        back = split.whole(point)
        assert (back[split.kept] == result.x[split.kept]).all()
        assert not back[split.flows].any()
    assert len(seen) > 5


def test_duals_of_the_smaller_problem_prove_as_much_of_the_whole(matrix: Matrix) -> None:
    """Also within other bounds of whole numbers, and with rows and duals that came later."""
    rng = np.random.default_rng(3)
    whole = Session(matrix)
    first = whole.solve_lp()
    master = Master(matrix, [first.y], 1)
    integer = np.flatnonzero(matrix.integer)
    low, high = matrix.lower.copy(), matrix.upper.copy()
    # A row over what is bought, and the duals of another relaxation.
    row = sp.csr_array(np.where(matrix.integer, rng.uniform(0.0, 1.0, len(low)), 0.0)[None, :])
    least = float((row @ first.x)[0]) + 1.0
    wider = matrix.with_rows(RowBatch("more", ((0,),), row, np.array([least]), np.full(1, np.inf)))
    second = Session(wider).solve_lp()
    assert second.status == "optimal"
    compared = 0
    for known in (matrix, wider):
        master.catch_up(known, [first.y, second.y] if known is wider else [])
        for _ in range(12):
            some = rng.choice(integer, 3, replace=False)
            low[some] = high[some] = rng.integers(0, 3, 3).clip(
                matrix.lower[some], matrix.upper[some]
            )
            relaxed = master.solve(low[integer], high[integer])
            if np.isfinite(relaxed.cost_usd):
                proven = proven_bound(known, master.whole_duals(relaxed.y), False, (low, high))
                assert proven >= relaxed.cost_usd - 1e-7 * abs(relaxed.cost_usd)
                compared += 1
            low, high = matrix.lower.copy(), matrix.upper.copy()
    assert compared > 12


@pytest.mark.parametrize("sifted", [RUN.SIFTED, 0])
def test_a_solve_by_parts_keeps_its_promises_and_proves_its_plan(
    sifted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HiGHS is asked for fewer columns than the problem has, and what it finds is a plan."""
    case = resilient(load_case(Path("data/small")))
    optimum = planner.solve(case, gap=1e-6, redundancy="rounds")
    asked: list[int] = []
    ask = Session.solve_mip

    def mip(self: Session, *args: object, **more: object) -> object:
        asked.append(self.matrix.shape[1])
        return ask(self, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(RUN, "SMALL", 0)
    monkeypatch.setattr(RUN, "SIFTED", sifted)
    monkeypatch.setattr(Session, "solve_mip", mip)
    for gap in (5e-3, 1e-6):
        plan = planner.solve(case, gap=gap, redundancy="rounds")
        audit_plan(plan).require()
        assert plan.summary["status"] == "proven"
        assert {"prove", "improve"} <= set(plan.summary["seconds"]["within_solve"])
        assert plan.bound_usd <= optimum.objective_usd * (1.0 + 1e-9)
        assert plan.objective_usd >= optimum.bound_usd * (1.0 - 1e-9)
    assert plan.objective_usd == pytest.approx(optimum.objective_usd, rel=2e-6)
    columns = compiled_problem(build_instance(case), mode="rounds")[0].shape[1]
    assert asked
    assert max(asked) < columns


@pytest.mark.parametrize("event", [2, 4, 6, 9, 13])
def test_ctrl_c_within_a_solve_by_parts_keeps_the_plan_in_hand(
    event: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is a plan with a bound that holds, or the word that there is none yet."""
    case = resilient(load_case(Path("data/small")))
    optimum = planner.solve(case, gap=1e-6, redundancy="rounds")
    monkeypatch.setattr(RUN, "SMALL", 0)
    told: list[Event] = []

    def progress(e: Event) -> None:
        told.append(e)
        if len(told) == event:
            signal.raise_signal(signal.SIGINT)

    try:
        plan = planner.solve(case, gap=1e-9, redundancy="rounds", progress=progress)
    except InterruptedSolveError:
        assert all(e.objective_usd is None for e in told[:event])
        return
    assert len(told) >= event
    audit_plan(plan).require()
    assert plan.summary["status"] in ("interrupted", "proven")
    assert plan.bound_usd <= optimum.objective_usd * (1.0 + 1e-9)
    assert plan.objective_usd >= optimum.bound_usd * (1.0 - 1e-9)


def test_a_warm_start_by_parts_goes_on_from_the_leaves_of_the_saved_tree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The root of a saved tree is no leaf: its proof is not thrown away for a new one."""
    case = resilient(load_case(Path("data/small")))
    monkeypatch.setattr(RUN, "SMALL", 0)
    cold = planner.solve(case, gap=2e-3, redundancy="rounds")
    assert len(cold.tables["certificate_nodes"]) > 3
    bounds: list[float] = []

    def progress(e: Event) -> None:
        bounds.append(-np.inf if e.bound_usd is None else e.bound_usd)

    warm = planner.solve(case, gap=1e-5, redundancy="rounds", warm=cold, progress=progress)
    audit_plan(warm).require()
    assert warm.summary["status"] == "proven"
    # What is proven of the saved leaves is never lost again.
    assert len(bounds) > 2
    assert all(b >= a * (1.0 - 1e-9) for a, b in itertools.pairwise(bounds))
    assert warm.objective_usd <= cold.objective_usd * (1.0 + 1e-9)


def test_a_mark_can_be_gone_back_to_after_rows_have_joined(matrix: Matrix) -> None:
    """More than once, from elsewhere: each time the relaxation is there at once."""
    session = Session(matrix)
    whole = session.solve_lp()
    mark = session.mark()
    integer = np.flatnonzero(matrix.integer)
    low, high = matrix.lower[integer], matrix.upper[integer]
    for i in range(3):
        row = sp.csr_array(matrix.a)[[i]]
        far = np.full(1, 1e9)
        session.add_rows(RowBatch(f"more {i}", ((i,),), row, -far, far))
        session.set_bounds(integer, np.minimum(high, np.ceil(whole.x[integer])), high)
        assert session.solve_lp().iterations > 0
        session.set_bounds(integer, low, high)
        session.back(mark)
        again = session.solve_lp()
        assert again.iterations == 0
        assert cost(matrix, again.x) == pytest.approx(cost(matrix, whole.x), rel=1e-12)


def test_a_dive_that_ends_at_the_cutoff_finds_no_structure(matrix: Matrix) -> None:
    """A plan in hand that is nearly as cheap as the relaxation leaves nothing to dive for."""
    search = Search(
        Session(matrix), SolveOptions(1e-3), lambda _: None, RUN.ranks(matrix), parts=True
    )
    search.root(dive=None)
    prover = Prover(search, RUN.DECIDED)
    whole = prover.dive(0)
    assert whole is not None
    search.best = search.bound * (1.0 + 1e-9)
    search.master, search.tree = None, Tree()
    search.root(dive=None)
    prover = Prover(search, RUN.DECIDED)
    assert prover.dive(0) is None
    prover.prove()
    assert search.gap <= search.tolerance
