"""The tables agree with each other, with the summary and with the limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import planner
from planner import Plan
from planner.audit.folder import audit_plan
from planner.case import Case
from planner.costs import PAST_HORIZON, by_period
from planner.extract import values_of
from planner.instance import Instance, build_instance
from planner.matrix import compile_model
from planner.model import build_model
from planner.solve.options import SolveOptions
from planner.solve.run import solve_matrix
from planner.tables import TABLES, payments
from planner.values import Flows, Values, consolidate, pool_use, working
from tests.cases import random_case, settings, small_case, small_plan, tiny_case

SEEDS = (1, 4, 11, 20)


def plans() -> list[Plan]:
    return [small_plan(), *(planner.solve(random_case(seed), gap=0.0) for seed in SEEDS)]


def solved(case: Case) -> tuple[Instance, Values]:
    inst = build_instance(case)
    matrix = compile_model(build_model(inst))
    return inst, values_of(inst, matrix, solve_matrix(matrix, SolveOptions(gap=0.0)).x)


@pytest.mark.parametrize("plan", plans(), ids=["small", *map(str, SEEDS)])
def test_tables_agree(plan: Plan) -> None:
    tables, summary = plan.tables, plan.summary
    assert set(TABLES) <= set(tables)
    cash = tables["obligations"]
    parts = cash.drop(columns=["period", "total_usd"])
    np.testing.assert_allclose(parts.sum(axis=1), cash.total_usd, rtol=1e-12)
    assert list(cash.period) == list(plan.case.calendar.labels)
    same = {
        "new_contracts_usd": tables["contracts_signed"].payments_in_horizon_usd,
        "pay_as_you_go_usd": tables["pay_as_you_go"].cost_usd,
        "exit_fees_usd": tables["contracts_existing"].exit_fee_usd,
    }
    for column, other in same.items():
        assert cash[column].sum() == pytest.approx(other.sum(), rel=1e-12, abs=1e-6), column
    existing = cash.existing_committed_usd + cash.existing_cancellable_usd
    kept = tables["contracts_existing"].payments_in_horizon_usd.sum()
    assert existing.sum() == pytest.approx(kept, rel=1e-12, abs=1e-6)
    by_term = tables["cost_by_period"].groupby("term").present_value_usd.sum()
    assert dict(by_term) == pytest.approx(summary["cost_usd"], rel=1e-9, abs=1e-3)
    assert sum(summary["cost_usd"].values()) == pytest.approx(plan.objective_usd, rel=1e-12)
    late = tables["cost_by_period"]
    late = late[(late.period == PAST_HORIZON) & (late.present_value_usd != 0)]
    assert set(late.term) <= {"liability_past_horizon", "salvage_past_horizon"}
    signed = tables["contracts_signed"]
    assert signed.liability_past_horizon_usd.sum() <= summary["liability_past_horizon_usd"] + 1e-6
    assert signed.salvage_credit_usd.sum() <= summary["salvage_credit_usd"] + 1e-6


@pytest.mark.parametrize("plan", plans(), ids=["small", *map(str, SEEDS)])
def test_what_is_served_fits_what_is_there(plan: Plan) -> None:
    tables = plan.tables
    keys = ["cloud", "region", "chip", "period"]
    held = tables["capacity"].set_index(keys)
    assert held.index.is_unique
    assert (held.contracted_chips <= held.limit_chips * (1 + 1e-9)).all()
    total = held.contracted_chips + held.hourly_chips_peak
    assert (total <= held.limit_chips * (1 + 1e-6) + 1e-6).all()
    assert (held.utilisation <= 1 + 1e-6).all()
    assert (held.used_chips_mean <= held.used_chips_peak + 1e-9).all()
    lots = tables["contracts_signed"]
    assert (lots.lots >= 1).all()
    np.testing.assert_array_equal(lots.lots, np.round(lots.lots))
    used = tables["offers_not_used"]
    bought = set(zip(lots.offer, lots.cloud, lots.region, lots.chip, strict=True))
    assert not bought & set(zip(used.offer, used.cloud, used.region, used.chip, strict=True))
    served = tables["serving"]
    np.testing.assert_allclose(
        served.requests_per_s, served.chips * served.rate_requests_per_s_per_chip, rtol=1e-12
    )
    assert (served.rate_low <= served.rate_requests_per_s_per_chip).all()
    assert (served.rate_requests_per_s_per_chip <= served.rate_high).all()
    assert (served.rate_basis != "").all()
    lost = tables["unserved"]
    assert ((lost.share_of_demand > 0) & (lost.share_of_demand <= 1 + 1e-9)).all()
    penalties = plan.summary["cost_usd"]["unserved_demand"]
    assert lost.penalty_usd.sum() >= penalties - 1e-6


def test_summary_has_every_key_that_is_promised() -> None:
    summary = small_plan().summary
    promised = {
        "status", "objective_usd", "bound_usd", "gap", "cost_usd", "unserved",
        "liability_past_horizon_usd", "salvage_credit_usd", "seconds", "size", "peak_memory_mb",
        "provenance", "plausibility", "versions", "case_sha256",
    }  # fmt: skip
    assert promised <= set(summary)
    assert {"columns", "rows", "nonzeros", "integers"} <= set(summary["size"])
    assert {"served_demand", "spend"} <= set(summary["provenance"])
    assert set(summary["unserved"]) == {c.service_class for c in small_case().classes}
    phases = {"instance", "matrix", "solve", "tables"}
    assert phases <= set(summary["seconds"])
    spent = sum(summary["seconds"][phase] for phase in phases)
    assert summary["seconds"]["total"] == pytest.approx(spent)
    assert 50 < summary["peak_memory_mb"] < 20_000
    for row in summary["plausibility"]:
        assert {"period", "spend_busd_per_year", "power_gw", "busd_per_gw_year"} <= set(row)
        assert row["busd_per_gw_year"] == pytest.approx(
            row["spend_busd_per_year"] / row["power_gw"]
        )


def test_costs_by_period_add_up_term_by_term() -> None:
    inst, values = solved(tiny_case())
    terms = by_period(inst, values)
    assert all(amounts.shape == (len(inst.time.periods) + 1,) for amounts in terms.values())
    cash = payments(inst, values)
    discounted = (
        sum(cash[k] for k in ("existing_committed_usd", "existing_cancellable_usd"))
        * inst.time.discount
    )
    np.testing.assert_allclose(terms["existing_contracts"][:-1], discounted, rtol=1e-12)
    fees = cash["exit_fees_usd"] * inst.time.discount_start
    np.testing.assert_allclose(terms["exit_fees"][:-1], fees, rtol=1e-12)
    hourly = cash["pay_as_you_go_usd"] * inst.time.discount
    np.testing.assert_allclose(terms["pay_as_you_go"][:-1], hourly, rtol=1e-12)
    assert fees.sum() > 0
    assert hourly.sum() > 0


# -- dust --------------------------------------------------------------------------------------


def dusty(values: Values, inst: Instance, floor: float) -> Values:
    """Part of a large flow goes, in the same slot, to another pool that can serve and has room."""
    free = working(inst, values) - pool_use(inst, values)
    w, p, t, s = (axis.copy() for axis in values.serve.at)
    chips = values.serve.chips.copy()
    for i in np.flatnonzero(chips > 10 * floor).tolist():
        for other in np.flatnonzero(inst.serving.rate[w[i], :, t[i]] > 0).tolist():
            if other != p[i] and free[other, t[i], s[i]] > floor / 2:
                small = floor / 2
                rate = inst.serving.rate[w[i]]
                chips[i] -= small * rate[other, t[i]] / rate[p[i], t[i]]
                at = tuple(
                    np.append(axis, value)
                    for axis, value in zip((w, p, t, s), (w[i], other, t[i], s[i]), strict=True)
                )
                return replace(values, serve=Flows(at, np.append(chips, small)))
    raise AssertionError("no place for dust")


def served_by_slot(
    inst: Instance, values: Values
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    w, p, t, s = values.serve.at
    out = np.zeros(inst.serving.mean.shape)
    np.add.at(out, (w, t, s), values.serve.chips * inst.serving.rate[w, p, t])
    return out


@pytest.mark.parametrize("case", [random_case(4), small_case()], ids=["random", "small"])
def test_consolidation_keeps_limits_and_service(case: Case) -> None:
    inst, values = solved(case)
    floor = 5.0
    before = dusty(values, inst, floor)
    after, moved = consolidate(inst, before, floor)
    assert moved > 0
    assert len(after.serve.chips) == len(before.serve.chips) - moved
    np.testing.assert_allclose(
        served_by_slot(inst, after), served_by_slot(inst, before), rtol=1e-9, atol=1e-9
    )
    room = working(inst, after)
    assert (pool_use(inst, after) <= room + 1e-6 * np.maximum(1.0, room)).all()
    for name in ("lots", "leave", "contracted", "hourly", "unserved", "shed", "missed"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_no_floor_moves_nothing() -> None:
    inst, values = solved(tiny_case())
    after, moved = consolidate(inst, values, 0.0)
    assert moved == 0
    assert after is values


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_with_consolidated_flows_stands_up_to_the_audit(seed: int) -> None:
    case = random_case(seed)
    floored = replace(case, settings=settings(2, case.settings.slices, flow_floor_chips=200.0))
    plan, free = planner.solve(floored, gap=0.0), planner.solve(case, gap=0.0)
    audit_plan(plan).require()
    assert plan.objective_usd == free.objective_usd
    assert plan.summary["flows_consolidated"] >= 0
