"""Lower bounds never exceed the optimum, upper bounds never fall short of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner import Plan, solve
from planner.equations.sets import param, rows
from planner.instance import Instance, build_instance
from planner.sweep import bounds
from planner.sweep.bounds import bounder, lower_bounds
from planner.sweep.draws import page
from planner.sweep.duals import Prices, coefficients, features, pool_of
from planner.sweep.exact import BlockSolver, layout, used_columns
from planner.sweep.general import scenario_terms
from planner.sweep.held import held_of
from planner.sweep.problem import problem_of
from planner.sweep.reroute import upper_bounds
from planner.sweep.run import sweep
from planner.sweep.scenario import scenario_case
from planner.sweep.spec import Spec, spec_of
from planner.sweep.strata import pilots_of
from planner.sweep.train import train
from planner.sweep.work import exact_rows, page_bounds
from tests.cases import claude_plan, random_case, small_case, small_plan, valid
from tests.sweep.dense import dense_optimum
from tests.sweep.sweeps import (
    MOVING_RATES,
    WHICH,
    exact_costs,
    factor,
    general_problem,
    problem,
    spec,
)

RELATIVE = 1e-7
LEAST_USD = 1e3
"""Costs below count as this where differences are relative."""


@pytest.mark.parametrize("which", WHICH)
def test_a_thousand_blocks_lie_between_their_bounds(which: str) -> None:
    found = problem() if which == "small" else problem_of(claude_plan(), spec_claude())
    rng, drawn = np.random.default_rng(11), page(found.spec, 0)
    moving = [p for p in found.periods if p.moves.touched]
    solved = 0
    for period in moving:
        trained = train(period, pilots_of(drawn), 12, 1)
        each = bounder(period, trained.prices)
        values = drawn[rng.permutation(len(drawn))[: -(-1000 // len(moving))]]
        z = period.moves.multipliers.values(values)
        lower, at = lower_bounds(each, period.features(z))
        sides = period.sides(z)
        lay = layout(period.merged.block)
        upper, _ = upper_bounds(
            period.merged.block, lay, trained.columns, trained.demand, at, sides
        )
        # They begin with what a few optima used: half the time.
        exact = exact_costs(period, z, used_columns(lay, trained.columns))
        # A block that costs nothing does so to the solver's rounding.
        slack = RELATIVE * np.maximum(exact, LEAST_USD)
        assert (lower <= exact + slack).all()
        assert (exact <= upper + slack).all()
        assert (lower >= 0).all()
        solved += len(exact)
    assert solved >= (200 * len(moving) if which == "small" else 1000)


def spec_claude() -> Spec:
    lost = {
        "name": "lost", "kind": "lost", "values": ["", "aws", "gcp", "azure"],
        "draw": {"kind": "choice", "weights": [7, 1, 1, 1]},
    }  # fmt: skip
    moving = [
        factor("growth", "demand_growth", -0.3, 0.4),
        factor("batch", "demand", 0.2, 2.0, **{"class": "batch"}),
        factor("usable", "capacity", 0.7, 1.0),
        factor("late", "slip_days", 0.0, 200.0, chip="tpu-8t"),
    ]
    return spec([*moving, lost], scenarios=1000)


def test_any_prices_give_a_bound() -> None:
    """Weak duality needs nothing of the prices but their signs and pi <= penalty."""
    rng = np.random.default_rng(2)
    tight = 0
    for period in problem().periods:
        b = period.merged.block
        jobs, groups, _, slices = b.shape_jgos
        k = 50
        psi = rng.random((k, jobs, 1)) * b.penalty_usd[:, :1]
        pi = np.where(
            b.weekly[:, None], psi * b.share, rng.random((k, jobs, slices)) * b.penalty_usd
        )
        scale = pi.max() * b.rate.max()
        firm = rng.random((k, groups, slices)) * scale * b.spot[:, None] * (rng.random() < 0.5)
        room = rng.random((k, b.rooms, slices)) * scale * 0.1
        cluster = (
            rng.random((k, jobs, slices)) * scale * 0.1 * np.isfinite(b.largest_chips)[:, None]
        )
        least = rng.random((k, groups, slices)) * scale * b.lacking[:, None]
        prices = Prices(pi * rng.random((k, 1, 1)), firm, room, cluster, least)
        z = period.moves.multipliers.values(page(problem().spec, 0)[:20])
        bound = features(period.sides(z)) @ coefficients(pool_of(b, prices)).T
        exact = exact_costs(period, z)
        assert (bound <= exact[:, None] + RELATIVE * np.maximum(exact[:, None], 1e6)).all()
        tight += int((bound > 0.1 * exact[:, None]).sum())
    assert tight > 0


def test_an_optimums_own_prices_are_tight() -> None:
    for period in problem().periods:
        z = period.moves.multipliers.values(page(problem().spec, 0)[:30])
        trained = train(period, pilots_of(page(problem().spec, 0)[:30]), 30, 1)
        lower, _ = lower_bounds(bounder(period, trained.prices), period.features(z))
        np.testing.assert_allclose(lower, exact_costs(period, z), rtol=1e-6, atol=10.0)


def test_more_prices_never_loosen() -> None:
    period = problem().periods[2]
    trained = train(period, pilots_of(page(problem().spec, 0)), 40, 1)
    z = period.moves.multipliers.values(page(problem().spec, 0))
    few, many = (
        lower_bounds(bounder(period, trained.prices.take(np.arange(k))), period.features(z))[0]
        for k in (5, len(trained.prices))
    )
    assert (many >= few * (1 - 1e-6) - 10).all()
    assert (many > few * (1 + 1e-6) + 10).any()


def test_a_common_stratum_is_searched_among_the_prices_that_serve_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    period = problem().periods[2]
    values = page(problem().spec, 0)
    pilots = pilots_of(values)
    trained = train(period, pilots, 60, 1)
    monkeypatch.setattr(bounds, "MANY_PILOTS", 30)
    each = bounder(period, trained.prices, pilots)
    sizes = [len(prices) for prices in each.searched]
    assert len(sizes) == 4
    assert min(sizes) < len(trained.prices)
    features = period.features(period.moves.multipliers.values(values))
    narrow, _ = lower_bounds(each, features, pilots.stratum)
    whole, _ = lower_bounds(each, features)
    # These are the pilots themselves: what none of them takes is no loss to them.
    np.testing.assert_allclose(narrow, whole, rtol=1e-5, atol=100.0)


HARD: dict[str, dict[str, float]] = {
    "everything lost": {"all chips": 0.0},
    "no demand": {"all demand": 0.0},
    "tenfold": {"all demand": 10.0},
    "as planned": {},
}


@pytest.mark.parametrize("name", HARD)
def test_hard_scenarios_are_right(name: str) -> None:
    factors = [
        {"name": "all demand", "kind": "demand"},
        {"name": "all chips", "kind": "capacity"},
    ]
    row = [HARD[name].get(f["name"], 1.0) for f in factors]
    found = problem_of(small_plan(), spec(factors, design="list", rows=[row]))
    total = 0.0
    for period in found.periods:
        values = page(found.spec, 0)
        trained = train(period, pilots_of(values), 1, 1)
        lower, _ = lower_bounds(
            bounder(period, trained.prices),
            period.features(period.moves.multipliers.values(values)),
        )
        exact = exact_costs(period, period.moves.multipliers.values(values))
        assert lower[0] == pytest.approx(exact[0], rel=1e-6, abs=10.0)
        jobs = period.merged.jobs
        everything = float(
            (jobs.demand * np.where(jobs.weekly, jobs.penalty_usd[:, 0],
                                    (jobs.shape * jobs.penalty_usd).sum(axis=1))).sum()
        )  # fmt: skip
        raw = period.merged.pays
        placed = float((raw.placed_chips * raw.cost_usd.sum(axis=1))[raw.run >= 0].sum())
        if name == "everything lost":
            assert exact[0] == pytest.approx(everything + placed, rel=1e-6)
        elif name == "tenfold":
            assert exact[0] > 0
        total += exact[0]
    if name == "no demand":
        # Chips are all there: training loses no more than in the plan.
        assert total <= found.held.work_value_usd.max() * found.held.work.sum()
    assert np.isfinite(total)


def pool_factors() -> tuple[list[str], list[dict[str, Any]]]:
    """Pools of data/small and a factor on the chips of each."""
    pools = build_instance(small_plan().case).pools
    return list(pools.names), [
        {"name": f"pool {p}", "kind": "capacity", "where": {"region": region, "chip": chip}}
        for p, (region, chip) in enumerate(zip(pools.region, pools.chip, strict=True))
    ]


def test_one_pool_left() -> None:
    """Each pool in turn: bounds hold on both sides, exact costs are the written program's."""
    names, factors = pool_factors()
    rows = [[float(i == keep) for i in range(len(names))] for keep in range(len(names))]
    nothing = [0.0] * len(names)
    asked = spec(factors, design="list", rows=[*rows, nothing], untouched="ignore")
    found = problem_of(small_plan(), asked)
    helps = 0
    for period in found.periods:
        values = page(found.spec, 0)
        z = period.moves.multipliers.values(values)
        sides = period.sides(z)
        exact = exact_costs(period, z)
        by_hand = [dense_optimum(period.merged.block, sides, i) for i in range(len(values))]
        np.testing.assert_allclose(exact, by_hand, rtol=1e-7)
        trained = train(period, pilots_of(values), len(values), 1)
        lower, at = lower_bounds(bounder(period, trained.prices), period.features(z))
        np.testing.assert_allclose(lower, exact, rtol=1e-6)
        assert (lower <= exact * (1 + RELATIVE)).all()
        lay = layout(period.merged.block)
        upper, _ = upper_bounds(
            period.merged.block, lay, trained.columns, trained.demand, at, sides
        )
        assert (exact <= upper * (1 + RELATIVE)).all()
        assert (exact[:-1] <= exact[-1] * (1 + RELATIVE)).all()
        helps += int((exact[:-1] < exact[-1] * (1 - 1e-6)).sum())
    assert helps >= len(found.periods)


@cache
def plan_without_training() -> Plan:
    return solve(valid(replace(small_case(), training=())), gap=0.0)


def as_planned(m: Any, inst: Instance) -> None:
    """Lots and leaving as that plan has them, whatever the data are."""
    plan = plan_without_training()
    lots = held_of(plan, build_instance(plan.case)).lots
    param(m, "held_lots", dict(enumerate(lots.tolist())), m.J)
    left = plan.tables["contracts_existing"].query("decision == 'leave'")
    names, periods = inst.contracts.names, inst.time.periods
    gone = {*zip(left.contract, left.left_from, strict=True)}
    rows(m, "lots_as_planned", m.J, rule=lambda m, j: m.lots[j] == m.held_lots[j])
    when = {(k, t): float((names[k], periods[t]) in gone) for k, t in m.LEAVE}
    param(m, "held_left", when, m.LEAVE)
    rows(m, "left_as_planned", m.LEAVE, rule=lambda m, k, t: m.leave[k, t] == m.held_left[k, t])


def test_demand_tenfold_costs_what_the_whole_model_says(tmp_path: Path) -> None:
    """Block by block, or as one model by Pyomo in which contracts are held as planned."""
    plan = plan_without_training()
    given = {"design": "list", "factor": [{"name": "all", "kind": "demand"}],
             "rows": [[1.0], [10.0], [0.1], [3.0]]}  # fmt: skip
    what = spec_of(given)
    swept = sweep(plan, what, out=tmp_path / "a.parquet", certify="exact").columns()
    for values, row in zip(page(what, 0), swept.to_dict("records"), strict=True):
        case = scenario_case(plan.case, what, values)
        whole = solve(case, gap=0.0, equations=[as_planned]).objective_usd
        assert row["cost_exact_usd"] == pytest.approx(whole, rel=1e-7)
        assert row["cost_lower_usd"] <= whole * (1 + RELATIVE)
        assert row["cost_lower_usd"] == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_bounds_hold_on_any_case(seed: int) -> None:
    """Random cases, plans and factors: lower <= the written program <= rerouted, and monotone."""
    plan = solve(random_case(seed), gap=0.0)
    factors = [
        factor("growth", "demand_growth", -0.6, 1.0),
        factor("chat", "demand", 0.3, 3.0, **{"class": "chat"}),
        factor("ash", "capacity", 0.0, 1.2, cloud="ash"),
        {"name": "lost", "kind": "lost", "values": ["", "elm"],
         "draw": {"kind": "choice", "weights": [2, 1]}},
    ]  # fmt: skip
    found = problem_of(plan, spec(factors, seed=seed, scenarios=40, untouched="ignore"))
    values = page(found.spec, 0)
    touched = 0
    for period in found.periods:
        z = period.moves.multipliers.values(values)
        sides = period.sides(z)
        block = period.merged.block
        trained = train(period, pilots_of(values), 10, seed)
        lower, at = lower_bounds(bounder(period, trained.prices), period.features(z))
        upper, _ = upper_bounds(block, layout(block), trained.columns, trained.demand, at, sides)
        exact = np.array([dense_optimum(block, sides, i) for i in range(len(z))])
        assert (lower <= exact + RELATIVE * exact).all()
        assert (exact <= upper + RELATIVE * exact).all()
        np.testing.assert_allclose(exact, exact_costs(period, z), rtol=1e-7, atol=1e-2)
        more = values.copy()
        more[:, 1] *= 1.3
        later = exact_costs(period, period.moves.multipliers.values(more))
        assert (later >= exact * (1 - RELATIVE) - 1e-2).all()
        touched += int((later > exact * (1 + RELATIVE)).any())
    assert touched


def test_rates_and_prices_that_move_keep_the_bound() -> None:
    found = general_problem()
    close = []
    for t, period in enumerate(found.periods):
        if not period.moves.touched:
            continue
        assert period.general
        trained = train(period, pilots_of(page(found.spec, 0)), 60, 1)
        each = bounder(period, trained.prices)
        values = page(found.spec, 0)[:60]
        classes = np.zeros((period.merged.block.rate.shape[0], 1))
        contract, lower, exact = exact_rows(each, values, classes)[:, :3].T
        assert (lower <= exact + RELATIVE * np.maximum(exact, 1e6)).all(), t
        z = period.moves.multipliers.values(values)
        assert not np.allclose(exact, exact_costs(period, z))
        close.extend(((exact - lower) / (contract + exact)).tolist())
    assert np.median(close) < 0.1


ENDS: dict[str, tuple[str, float]] = {
    "no demand": ("demand", 0.0),
    "demand dies out": ("demand_growth", -1.0),
    "no chips": ("capacity", 0.0),
    "all for nothing": ("price", 0.0),
    "rates die out": ("efficiency", -1.0),
    "low rates": ("rate_band", -1.0),
    "high rates": ("rate_band", 1.0),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_ends_of_every_range_have_bounds(name: str) -> None:
    """Values that a specification may have: the bound is that of the written program."""
    kind, value = ENDS[name]
    one = spec([{"name": "a", "kind": kind}], design="list", rows=[[value]])
    found = problem_of(small_plan(), one)
    values = page(found.spec, 0)
    total = 0.0
    for period in found.periods:
        trained = train(period, pilots_of(values), 1, 1)
        each = bounder(period, trained.prices)
        z = period.moves.multipliers.values(values)
        block = period.merged.block
        if period.general:
            rate, cost = scenario_terms(period, values, z)
            block = replace(block, rate=rate[0], cost_usd=cost[0])
        by_hand = dense_optimum(block, period.sides(z), 0)
        classes = np.zeros((block.rate.shape[0], 1))
        _, lower, exact = exact_rows(each, values, classes)[0, :3]
        assert exact == pytest.approx(by_hand, rel=1e-7, abs=1e-2)
        assert lower <= by_hand * (1 + RELATIVE) + 1e-2
        assert lower == pytest.approx(by_hand, rel=1e-6, abs=10.0)
        total += by_hand
    fails = ("no chips", "rates die out", "low rates")
    assert (total > 1e9) == (name in fails)


def test_a_rate_sweep_where_nothing_moves_is_the_plain_one() -> None:
    names = [f["name"] for f in MOVING_RATES]
    still = [1.0 if n not in ("growth", "software", "band") else 0.0 for n in names]
    found = problem_of(small_plan(), spec(MOVING_RATES, design="list", rows=[still]))
    for period in found.periods:
        trained = train(period, pilots_of(page(found.spec, 0)), 1, 1)
        _, lower, _ = page_bounds(bounder(period, trained.prices), page(found.spec, 0))
        z = np.ones((1, len(period.moves.multipliers.products)))
        exact = BlockSolver(period.merged.block).solve(period.sides(z), 0).cost_usd
        assert lower[0] == pytest.approx(exact, rel=1e-6, abs=10.0)
