"""A block is the operating problem of a period: the plan's own, and any other."""

from __future__ import annotations

import numpy as np
import pytest

from planner import Plan
from planner.sweep.audit import AuditedBlocks
from planner.sweep.draws import page
from planner.sweep.exact import BlockSolver
from planner.sweep.merge import Merged, merge
from planner.sweep.problem import Period, problem_of
from tests.cases import claude_plan, small_plan
from tests.sweep.dense import dense_optimum
from tests.sweep.sweeps import WHICH, exact_costs, neutral, problem, spec

OPERATING = ("pay_as_you_go", "unserved_demand", "missed_training")


def operating_usd(plan: Plan, period: str) -> float:
    table = plan.tables["cost_by_period"]
    mine = (table.period == period) & table.term.isin(OPERATING)
    return float(table[mine].present_value_usd.sum())


@pytest.mark.parametrize("sift", [True, False])
def test_exact_solves_are_those_of_the_written_program(sift: bool) -> None:
    values = page(problem().spec, 0)[:12]
    for period in problem().periods:
        z = period.moves.multipliers.values(values)
        sides = period.sides(z)
        solver = BlockSolver(period.merged.block, sift=sift)
        for i in range(len(z)):
            expected = dense_optimum(period.merged.block, sides, i)
            assert solver.solve(sides, i).cost_usd == pytest.approx(expected, rel=1e-7, abs=1.0)


@pytest.mark.parametrize("which", WHICH)
def test_the_plans_own_data_give_its_own_operating_cost(which: str) -> None:
    plan = small_plan() if which == "small" else claude_plan()
    one = {"name": "all", "kind": "demand", "draw": {"kind": "lognormal", "sigma": 0.1}}
    found = problem_of(plan, spec([one]))
    total = 0.0
    for t, period in enumerate(found.periods):
        cost = float(exact_costs(period, neutral(period))[0])
        total += cost + float(period.contract_usd.sum())
        own = operating_usd(plan, found.inst.time.periods[t])
        if which == "claude":
            # Rules that the blocks waive bind here: the plan's own routing is one of theirs.
            assert cost <= own * (1 + 1e-6) + 1e3
    assert total + found.held.fixed_usd <= plan.objective_usd * (1 + 1e-7)
    if which == "small":
        assert total + found.held.fixed_usd == pytest.approx(plan.objective_usd, rel=1e-7)


def unmerged(period: Period) -> Merged:
    """The same block with every pool and job by itself: tiny differences keep them apart."""
    m = period.merged
    jobs = m.jobs
    nudge = 1.0 + 1e-13 * np.arange(jobs.rate.shape[1])
    apart = type(jobs)(**{**jobs.__dict__, "rate": jobs.rate * nudge})
    return merge(m.block.period, apart, m.pays, m.block.share, m.pool >= 0)


def test_merging_changes_no_optimum() -> None:
    values = page(problem().spec, 0)[:10]
    fewer = 0
    for period in problem().periods:
        z = period.moves.multipliers.values(values)
        whole = unmerged(period)
        fewer += whole.block.rate.shape[1] - period.merged.block.rate.shape[1]
        moves = period.moves
        sides = whole.sides(
            period.merged.jobs.demand * z[:, moves.job],
            period.working(z),
            period.room_base * z[:, moves.pay],
            period.offered_base * z[:, moves.pay[period.merged.pays.pool]],
        )
        solver = BlockSolver(whole.block)
        apart = [solver.solve(sides, i).cost_usd for i in range(len(z))]
        np.testing.assert_allclose(apart, exact_costs(period, z), rtol=1e-7, atol=1.0)
    assert fewer > 0


@pytest.mark.parametrize("what", ["demand", "working"])
def test_cost_never_falls_when_demand_rises_or_capacity_falls(what: str) -> None:
    rng = np.random.default_rng(5)
    rises = 0
    for period in problem().periods:
        z = period.moves.multipliers.values(page(problem().spec, 0)[:15])
        moves = period.moves
        more = z.copy()
        if what == "demand":
            columns = np.setdiff1d(moves.job, [0])
            more[:, columns] *= 1.0 + rng.random((len(z), len(columns)))
        else:
            columns = np.setdiff1d(np.concatenate([moves.kept, moves.new, moves.pay]), [0])
            more[:, columns] *= rng.random((len(z), len(columns)))
        before, after = exact_costs(period, z), exact_costs(period, more)
        assert (after >= before * (1 - 1e-9) - 1e-3).all()
        rises += int((after > before * (1 + 1e-6)).sum())
    assert rises > 10


def test_gap_is_over_contract_and_cost() -> None:
    one = np.ones(1)
    audited = AuditedBlocks(7 * one, 2 * one, 3 * one)
    assert audited.gap.tolist() == [0.1]
