"""Views against the plan's tables and against figures worked out from the case by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pytest

import planner
from planner import views
from planner.case.calendar import SECONDS_PER_HOUR
from planner.explain.deadlines import deadlines
from planner.plan import Plan
from planner.views.known import known
from tests.audit.rules_case import rules_case
from tests.cases import small_case, small_plan, valid
from tests.rules.test_options import lease, option, solved


@cache
def rules_plan() -> Plan:
    """data/small with rules of every kind but contingencies."""
    return planner.solve(rules_case(small_case()), gap=0.02, time_limit_s=60)


PLANS = pytest.mark.parametrize("make", [small_plan, rules_plan], ids=["small", "rules"])


@PLANS
def test_sites_add_up_to_what_is_under_contract(make: Callable[[], Plan]) -> None:
    plan = make()
    changes = views.sites(plan)
    table = plan.tables["capacity"]
    last = table[table.period == plan.case.calendar.labels[-1]]
    held = last.set_index(["cloud", "region", "chip"]).contracted_chips
    summed = changes.groupby(["cloud", "region", "chip"]).change_chips.sum()
    for place, chips in summed.items():
        assert chips == pytest.approx(held.get(place, 0.0), abs=1.0)
    assert set(held[held > 1].index) <= set(summed.index)


@PLANS
def test_work_and_idle_add_up(make: Callable[[], Plan]) -> None:
    plan = make()
    used = views.use(plan)
    table = plan.tables["capacity"]
    assert (used.serve_chips + used.train_chips).sum() == pytest.approx(table.used_chips_mean.sum())
    assert ((used.idle_share >= 0) & (used.idle_share <= 1)).all()
    idle = views.idle_commitments(plan)
    assert ((idle.idle_usd >= 0) & (idle.idle_usd <= idle.committed_usd)).all()
    cash = plan.tables["obligations"]
    existing = (cash.existing_committed_usd + cash.existing_cancellable_usd).sum()
    new = idle.committed_usd.sum() - existing
    # Part of some lots is paid up front for time past the horizon: that has not accrued within it.
    assert 0 < new <= cash.new_contracts_usd.sum() * (1 + 1e-9)


def test_idle_dollars_by_hand() -> None:
    plan = small_plan()
    first = plan.case.calendar.labels[0]
    hours = float(plan.case.calendar.hours()[0])
    price = {
        (line.cloud, line.region, line.chip): line.payment_usd_per_chip_hour
        for line in plan.case.contracts
    }
    table = plan.tables["capacity"]
    table = table[(table.period == first) & (table.contracted_chips > 0)]
    assert (table.hourly_chips_mean == 0).all()
    assert (table.new_chips == 0).all()
    wasted: dict[str, float] = {}
    for row in table.to_dict("records"):
        paid = row["contracted_chips"] * price[row["cloud"], row["region"], row["chip"]] * hours
        wasted[row["cloud"]] = wasted.get(row["cloud"], 0.0) + paid * (1 - row["utilisation"])
    assert max(wasted.values()) > 1e6, "something is meant to stand idle"
    idle = views.idle_commitments(plan)
    idle = idle[idle.period == first]
    assert dict(zip(idle.cloud, idle.idle_usd, strict=True)) == pytest.approx(wasted, abs=1.0)


def test_exit_exposure_by_hand() -> None:
    plan = small_plan()
    exits = views.exit_exposure(plan).set_index("contract")
    calendar, case = plan.case.calendar, plan.case
    today = max(t for t, day in enumerate(calendar.starts[:-1]) if day <= case.settings.as_of)
    hours = calendar.hours()
    ramped = {line.contract for line in case.contracts if set(line.ramp) != {1.0}}
    bound = {line.contract for line in case.contracts if line.take_or_pay} - ramped
    assert bound
    for name in sorted(bound):
        lines = [line for line in case.contracts if line.contract == name]
        owed = sum(
            line.chips * line.payment_usd_per_chip_hour * hours[t] * share
            for line in lines
            for t, share in enumerate(calendar.overlap(line.start, line.end))
            if t >= today
        )
        assert exits.loc[name].unavoidable_usd == pytest.approx(owed)
        assert exits.loc[name].can_be_left_from == ""
    free = [line for line in case.contracts if not line.take_or_pay]
    for line in free:
        assert exits.loc[line.contract].exit_fee_usd >= line.exit_fee_usd
        assert exits.loc[line.contract].can_be_left_from != ""
    new = exits[exits.status == "new"]
    signed = plan.tables["contracts_signed"]
    assert new.unavoidable_usd.sum() == pytest.approx(signed.payments_in_horizon_usd.sum())


def test_burn_down_ends_at_the_shortfall_that_the_plan_pays() -> None:
    plan = rules_plan()
    last = views.burn_down(plan).groupby("window").last()
    table = plan.tables["commitments"].set_index("window")
    assert set(last.index) == set(table.index)
    assert (table.shortfall_usd > 0).any(), "the case is meant to have a shortfall"
    left = last.left_usd.reindex(table.index).to_numpy()
    assert left == pytest.approx(table.shortfall_usd.to_numpy(), rel=1e-6, abs=1.0)


@PLANS
def test_cost_per_token(make: Callable[[], Plan]) -> None:
    plan = make()
    cost = views.cost_per_token(plan)
    spent = known(plan).spend_usd.sum(axis=0)
    by_period = cost.groupby("period").with_idle_usd.sum()
    assert (
        by_period.reindex(list(plan.case.calendar.labels)).to_numpy() <= spent * (1 + 1e-9)
    ).all()
    assert (cost.with_idle_usd >= cost.chips_usd * (1 - 1e-9)).all()
    if not (plan.tables["unserved"].empty):
        return
    hours = dict(zip(plan.case.calendar.labels, plan.case.calendar.hours(), strict=True))
    tokens = {w.workload: w.input_tokens - w.cached_tokens + w.output_tokens
              for w in plan.case.serving}  # fmt: skip
    wanted = sum(
        row.requests_per_s * tokens[row.workload] * hours[row.period] * SECONDS_PER_HOUR / 1e6
        for row in plan.case.demand
    )
    assert cost.tokens_millions.sum() == pytest.approx(wanted, rel=1e-9)


def test_shares_are_those_that_the_rules_hold() -> None:
    plan = rules_plan()
    table = views.limits(plan)
    shares = table[table.unit == "share"]
    over = plan.tables["rules"]
    over = over[over.kind == "share"]
    beyond = shares[shares.value > shares.limit + 1e-6]
    found = set(zip(beyond.rule, beyond.period, strict=True))
    assert found == {
        (rule, period) for rule, period, value in
        zip(over.rule, over.period, over.value, strict=True) if value > 1e-3
    }  # fmt: skip
    assert len(found) > 0
    power = table[table.unit == "MW"]
    assert (power.value > 0).any()
    hard = power[power.rule.str.startswith("power-hard")]
    assert (hard.value <= hard.limit * (1 + 1e-6)).all()


def test_without_a_share_rule_shares_stand_without_a_limit() -> None:
    table = views.limits(small_plan())
    assert table.limit.isna().all()
    clouds = table[table.rule.str.startswith("cloud:") & (table.measure == "chips")]
    np.testing.assert_allclose(clouds.groupby("period").value.sum(), 1.0)


def test_flows_and_training_hold_all_work() -> None:
    plan = small_plan()
    assert views.flows(plan).share.sum() == pytest.approx(1.0)
    places = views.training_places(plan)
    time = known(plan).inst.time
    week = dict(zip(time.slices, time.slice_hours / 168.0, strict=True))
    table = plan.tables["training"]
    assert places.chips.sum() == pytest.approx(sum(table.chips * table["slice"].map(week)))


def test_idle_chips_of_one_slice_are_not_filled_by_hours_of_another() -> None:
    """Hours bought in one slice do not make contracted chips of another one busy."""
    for plan in (small_plan(), rules_plan()):
        k = known(plan)
        week = k.inst.time.slice_hours / 168.0
        firm = k.inst.pools.usable[:, None] * k.values.contracted
        idle = (np.maximum(0.0, firm[:, :, None] - k.used_by_slice) @ week).sum()
        paid = k.spend_usd - k.hourly_usd
        each = np.divide(paid, firm, out=np.zeros_like(paid), where=firm > 0)
        usd = (each[:, :, None] * np.maximum(0.0, firm[:, :, None] - k.used_by_slice)) @ week
        assert idle > 0
        assert views.idle_commitments(plan).idle_usd.sum() == pytest.approx(usd.sum(), rel=1e-6)


def test_power_is_that_of_the_slice_that_draws_most() -> None:
    plan = rules_plan()
    k = known(plan)
    rules = k.inst.rules.power
    table = views.limits(plan)
    drawn = dict(zip(zip(table.rule, table.period, strict=True), table.value, strict=True))
    assert (table.measure == "power").any()
    for n, name in enumerate(rules.names):
        for t in np.flatnonzero(rules.active[n]).tolist():
            draw = np.zeros(len(k.inst.time.slices))
            for p in np.flatnonzero(rules.member[n]).tolist():
                mine = k.inst.pay.pool == p
                chips = k.values.contracted[p, t] + k.values.hourly[mine, t].sum(axis=0)
                draw += k.inst.pools.kw[p] * chips / 1e3
            assert drawn[name, k.inst.time.periods[t]] == pytest.approx(draw.max())


def test_a_contract_that_ends_before_its_notice_cannot_be_left() -> None:
    case = small_case()
    line = next(line for line in case.contracts if not line.take_or_pay)
    short = line.model_copy(update={"end": date(2027, 1, 1), "notice_days": 90,
                                    "exit_fee_usd": 5e5})  # fmt: skip
    lines = tuple(short if each is line else each for each in case.contracts)
    plan = planner.solve(valid(replace(case, contracts=lines)), gap=0.02)
    row = views.exit_exposure(plan).set_index("contract").loc[line.contract]
    assert row.can_be_left_from == ""
    assert row.exit_fee_usd == 0.0
    table = plan.tables["contracts_existing"].set_index("contract")
    assert not table.loc[line.contract].can_be_left
    spans = views.contract_lines(plan).set_index("name")
    assert spans.loc[line.contract].can_be_left_from == ""
    assert not (deadlines(plan).what == line.contract).any()


def test_an_exercised_option_is_one_row_with_its_liability() -> None:
    plan = solved(lease(option()))
    rows = views.exit_exposure(plan).set_index("contract")
    assert rows.loc["right"].status == "option"
    signed = plan.tables["contracts_signed"]
    mine = signed[signed.offer == "right"]
    assert rows.loc["right"].unavoidable_usd == pytest.approx(mine.payments_in_horizon_usd.sum())
    assert rows.loc["right"].past_horizon_usd == pytest.approx(
        mine.liability_past_horizon_usd.sum()
    )
    spans = views.contract_lines(plan)
    assert set(spans[spans.name == "right"].kind) == {"option"}
