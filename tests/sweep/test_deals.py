"""A deal that is not signed after all takes everything that it costs with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pytest

from planner import Plan, solve
from planner.case.agreements import Deal
from planner.instance import build_instance
from planner.sweep.draws import page
from planner.sweep.held import held_of
from planner.sweep.problem import problem_of
from tests.cases import offer, settings, supply_rows, tiny_case, valid
from tests.sweep.sweeps import exact_costs, spec

STATUS = {"signed by the plan": "negotiating", "signed before": "signed"}
SIGNING = {"signing_cost_usd": 1e5, "prepayment_usd": 4e6, "prepayment_credited_months": 6}
DEAL: dict[str, Any] = {"name": "deal", "kind": "deal", "where": {"deal": "frame"}}
PRICE: dict[str, Any] = {"name": "price", "kind": "price", "where": {"offer": "term"}}


@cache
def deal_plan(status: str) -> Plan:
    """Nothing but one deal is to be decided: its lots outlast the horizon, its minimum is not met.

    With one contract that cannot be left, no training and pay as you go, the plan without the
    deal is the best routing of what is left.
    """
    base = tiny_case(training=())
    case = replace(
        base,
        settings=settings(3),
        contracts=base.contracts[:1],
        offers=(
            offer("term", "reserved", 0.8, chip="trn2", term_months=24, lot_chips=400,
                  price_trend_per_year=-0.1, upfront_share=0.2, deal="frame"),
            offer("on-demand", "on_demand", 6.0, max_supply_share=0.1),
        ),
        supply=(*base.supply[:2], supply_rows("elm", "e1", "trn2", 1000)),
        demand=tuple(
            row.model_copy(update={"period": period})
            for row in base.demand if row.period == "2027-Q1"
            for period in ("2026-Q4", "2027-Q1", "2027-Q2")
        ),
        deals=(
            Deal.model_validate({"deal": "frame", "status": status, "minimum_spend_usd": 8e6}
                                | (SIGNING if status == "negotiating" else {})),
            Deal(deal="other", status="negotiating", signing_cost_usd=3e5),
        ),
    )  # fmt: skip
    return solve(valid(case), gap=0.0)


def without_deal(plan: Plan) -> Plan:
    deals = tuple(
        d.model_copy(update={"status": "rejected"}) if d.deal == "frame" else d
        for d in plan.case.deals
    )
    return solve(valid(replace(plan.case, deals=deals)), gap=0.0)


def swept(plan: Plan, *values: float, factors: list[dict[str, Any]] | None = None) -> list[float]:
    """Exact cost of the plan where the factors have these values, one scenario each."""
    asked = spec(factors or [DEAL], design="list", rows=[[v] for v in values])
    found = problem_of(plan, asked)
    total = np.full(len(values), found.held.fixed_usd)
    for period in found.periods:
        z = period.moves.multipliers.values(page(asked, 0))
        total += z @ period.contract_usd + exact_costs(period, z)
    out: list[float] = total.tolist()
    return out


@pytest.mark.parametrize("status", STATUS)
def test_a_deal_takes_all_it_costs_with_it(status: str) -> None:
    plan = deal_plan(STATUS[status])
    made = plan.tables["deals"].set_index("deal").loc["frame"]
    past = {t: plan.summary["cost_usd"][f"{t}_past_horizon"] for t in ("liability", "salvage")}
    assert made.shortfall_usd > 1e5
    assert past["liability"] > 1e5
    assert past["salvage"] < -1e5
    off, on = swept(plan, 0.0, 1.0)
    assert on == pytest.approx(plan.objective_usd, rel=1e-9)
    assert off == pytest.approx(without_deal(plan).objective_usd, rel=1e-9)
    assert off > on + 1e5


@pytest.mark.parametrize("status", STATUS)
def test_what_goes_with_a_deal_period_by_period(status: str) -> None:
    """From the case's own numbers: signing on as_of, its prepayment held for six months."""
    plan = deal_plan(STATUS[status])
    inst = build_instance(plan.case)
    held = held_of(plan, inst)
    signed, made = plan.tables["contracts_signed"], plan.tables["deals"].set_index("deal")
    past = sum(plan.summary["cost_usd"][f"{t}_past_horizon"] for t in ("liability", "salvage"))
    assert (signed.offer == "term").all()
    by_hand = np.zeros((2, 3))
    if status == "signed by the plan":
        t = inst.time.periods.index(made.signed_in["frame"])
        day = plan.case.calendar.starts[t]
        years = (day - date(2026, 10, 1)).days / 365.25
        by_hand[0, t] = 1.08**-years * (1e5 + 4e6 * (1 - 1.08**-0.5))
    by_hand[0, 2] += past + made.shortfall_usd["frame"] * inst.time.discount[2]
    np.testing.assert_allclose(held.deal_usd, by_hand, rtol=1e-9)
    cost = plan.summary["cost_usd"]
    assert held.fixed_usd == pytest.approx(cost.get("exit_fees", 0.0), abs=1e-3)


def test_prices_move_payments_only() -> None:
    plan = deal_plan("negotiating")
    paid = plan.summary["cost_usd"]["new_contracts"]
    half, same = swept(plan, 0.5, 1.0, factors=[PRICE])
    assert same == pytest.approx(plan.objective_usd, rel=1e-9)
    assert same - half == pytest.approx(0.5 * paid, rel=1e-7)


def test_a_deal_that_is_not_signed_gives_back_the_supply_that_its_lots_fill() -> None:
    """One lot fills the pool; without it, half of the supply can be had by the hour."""
    base = tiny_case(training=())
    case = replace(
        base,
        contracts=base.contracts[:1],
        offers=(
            offer("term", "reserved", 0.3, chip="trn2", term_months=12, lot_chips=1000,
                  deal="frame"),
            offer("on-demand", "on_demand", 2.0, chip="trn2", max_supply_share=0.5),
        ),
        supply=(*base.supply[:2], supply_rows("elm", "e1", "trn2", 1000)),
        deals=(Deal(deal="frame", status="negotiating"),),
    )  # fmt: skip
    plan = solve(valid(case), gap=0.0)
    assert plan.tables["contracts_signed"].chips.sum() == 1000.0
    signed, not_signed = swept(plan, 1.0, 0.0)
    assert signed == pytest.approx(plan.objective_usd, rel=1e-9)
    assert not_signed == pytest.approx(without_deal(plan).objective_usd, rel=1e-9)
    # And so say the bounds, which see right-hand sides as linear in the multipliers.
    found = problem_of(plan, spec([DEAL], design="list", rows=[[1.0], [0.0]]))
    for period in found.periods:
        z = period.moves.multipliers.values(page(found.spec, 0))
        sides = period.sides(z)
        every = np.concatenate([sides.demand, sides.free, sides.room, sides.most], axis=1)
        assert np.allclose(np.column_stack([z, np.ones(2)]) @ period.lift.T, every)
