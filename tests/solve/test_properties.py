"""What must hold for every case: which way the cost moves, and what must not move it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

import planner
from planner.case import Case
from planner.case.commercial import Offer
from planner.case.settings import TimeSlice
from tests.cases import (
    ONE_SLICE,
    flat,
    offer,
    random_case,
    settings,
    tiny_case,
    valid,
)

EXAMPLES = example_settings(max_examples=10, deadline=None, derandomize=True)
SEED = st.integers(0, 400)
SAME = 1e-9
"""Relative difference that solves of one problem in another order may have."""


def cost(case: Case) -> float:
    return planner.solve(valid(case), gap=0.0).objective_usd


def not_below(dear: float, cheap: float) -> None:
    assert dear >= cheap - SAME * abs(cheap)


def scaled(case: Case, table: str, column: str, factor: float, **only: str) -> Case:
    """A case with one column of a table times a factor, in the rows that `only` picks."""
    changed: Any = tuple(
        row.model_copy(update={column: getattr(row, column) * factor})
        if all(getattr(row, k) == v for k, v in only.items())
        else row
        for row in case.rows(table)
    )
    return replace(case, **{table: changed})


@EXAMPLES
@given(SEED, st.floats(1.01, 2.0))
def test_more_demand_never_costs_less(seed: int, factor: float) -> None:
    case = random_case(seed)
    not_below(cost(scaled(case, "demand", "requests_per_s", factor)), cost(case))


@EXAMPLES
@given(SEED, st.floats(0.3, 0.99))
def test_less_supply_never_costs_less(seed: int, factor: float) -> None:
    case = random_case(seed)
    # A placement column takes what the pools can hold, so that supply must not reshape it.
    case = replace(case, training=tuple(r for r in case.training if r.can_pause))
    not_below(cost(scaled(case, "supply", "chips", factor)), cost(case))


@EXAMPLES
@given(SEED, st.floats(1.01, 2.0), st.sampled_from(["term", "bulk", "on-demand", "spot"]))
def test_a_higher_price_never_costs_less(seed: int, factor: float, name: str) -> None:
    case = random_case(seed)
    # Without contracts: what they are worth past the horizon follows the offers' prices.
    case = replace(case, contracts=())
    column = "price_usd_per_chip_hour"
    not_below(cost(scaled(case, "offers", column, factor, offer=name)), cost(case))


@EXAMPLES
@given(SEED, st.floats(1.01, 3.0))
def test_dearer_penalties_never_cost_less(seed: int, factor: float) -> None:
    case = random_case(seed)
    not_below(cost(scaled(case, "classes", "penalty_usd_per_million_tokens", factor)), cost(case))
    not_below(cost(scaled(case, "training", "value_usd", factor)), cost(case))


@EXAMPLES
@given(SEED)
def test_an_offer_more_never_costs_more(seed: int) -> None:
    case = replace(random_case(seed), contracts=())
    more = offer("extra", "reserved", 0.5, chip="trn2", term_months=3, lot_chips=500, max_lots=1)
    not_below(cost(case), cost(replace(case, offers=(*case.offers, more))))


@EXAMPLES
@given(SEED, st.integers(0, 1000))
def test_the_order_of_rows_means_nothing(seed: int, shuffle: int) -> None:
    case = random_case(seed)
    rng = np.random.default_rng(shuffle)
    mixed: dict[str, Any] = {}
    for field in fields(case)[1:]:
        rows = case.rows(field.name)
        mixed[field.name] = tuple(rows[i] for i in rng.permutation(len(rows)))
    assert any(mixed[name] != case.rows(name) for name in mixed)
    other = replace(case, **mixed)
    assert cost(other) == pytest.approx(cost(case), rel=SAME)


@EXAMPLES
@given(SEED, st.sampled_from([0.5, 2.0, 1000.0]))
def test_money_in_another_unit_scales_the_cost(seed: int, factor: float) -> None:
    case = random_case(seed)
    other = case
    for table, column in (
        ("offers", "price_usd_per_chip_hour"),
        ("contracts", "payment_usd_per_chip_hour"),
        ("contracts", "exit_fee_usd"),
        ("classes", "penalty_usd_per_million_tokens"),
        ("training", "value_usd"),
    ):
        other = scaled(other, table, column, factor)
    assert cost(other) == pytest.approx(factor * cost(case), rel=SAME)


@EXAMPLES
@given(SEED, st.sampled_from([0.5, 4.0]))
def test_chips_in_another_unit_change_nothing(seed: int, factor: float) -> None:
    """A chip counted as `factor` chips, each of them slower, cheaper and more in number."""
    case = replace(random_case(seed), training=())
    other = case
    for table, column, by in (
        ("supply", "chips", factor),
        ("contracts", "chips", factor),
        ("contracts", "payment_usd_per_chip_hour", 1 / factor),
        ("offers", "lot_chips", factor),
        ("offers", "price_usd_per_chip_hour", 1 / factor),
        ("throughput", "requests_per_s_per_chip", 1 / factor),
        ("throughput", "low", 1 / factor),
        ("throughput", "high", 1 / factor),
    ):
        other = scaled(other, table, column, by)
    for kind in ("on_demand", "spot"):
        other = replace(other, offers=_default_lots(other, kind, factor))
    assert cost(_install(other, factor)) == pytest.approx(cost(case), rel=SAME)


def _default_lots(case: Case, kind: str, factor: float) -> tuple[Offer, ...]:
    """Pay as you go has no lots: their size stays, its own limit goes along."""
    return tuple(
        row.model_copy(
            update={
                "lot_chips": 1.0,
                "max_chips": None if row.max_chips is None else row.max_chips * factor,
            }
        )
        if row.kind == kind
        else row
        for row in case.offers
    )


def _install(case: Case, factor: float) -> Case:
    regions = tuple(
        r.model_copy(update={"install_limit_chips": r.install_limit_chips * factor})
        if r.install_limit_chips
        else r
        for r in case.regions
    )
    return replace(case, regions=regions)


@EXAMPLES
@given(SEED, st.sampled_from([0.25, 3.0]))
def test_requests_in_another_unit_change_nothing(seed: int, factor: float) -> None:
    """`factor` times the requests, each with that many times fewer tokens and chips."""
    case = random_case(seed)
    other = scaled(case, "demand", "requests_per_s", factor)
    for column in ("requests_per_s_per_chip", "low", "high"):
        other = scaled(other, "throughput", column, factor)
    for table in ("throughput", "serving"):
        for column in ("input_tokens", "cached_tokens", "output_tokens"):
            other = scaled(other, table, column, 1 / factor)
    assert cost(other) == pytest.approx(cost(case), rel=SAME)


def day(name: str, days: Any, start: int, end: int) -> TimeSlice:
    return TimeSlice(name=name, days=days, from_hour_utc=start, to_hour_utc=end)


def test_a_flat_week_in_slices_is_the_static_problem() -> None:
    """Without a shape every cut of the week gives the cost of one slice."""
    whole = tiny_case(profile=flat(), settings=settings(2, ONE_SLICE))
    cut = (
        day("night", "weekday", 0, 7),
        day("day", "weekday", 7, 24),
        day("weekend", "weekend", 0, 24),
    )
    sliced = replace(whole, settings=settings(2, cut))
    assert cost(sliced) == pytest.approx(cost(whole), rel=SAME)


def test_a_shaped_week_costs_more_than_a_flat_one() -> None:
    """Capacity is sized for the peak of a slice: the same mean in a shape needs more."""
    shaped = tiny_case()
    assert cost(shaped) > cost(replace(shaped, profile=flat())) * (1 + 1e-3)


def test_no_discount_and_no_horizon_end_is_plain_cash() -> None:
    """The objective is then the cash of the plan, the part past the horizon in full."""
    plain = settings(2, discount_rate_per_year=0.0, horizon_end_haircut=0.0)
    plan = planner.solve(valid(replace(tiny_case(), settings=plain)), gap=0.0)
    cash = plan.tables["obligations"].total_usd.sum()
    terms = plan.summary["cost_usd"]
    inside = sum(
        terms[k] for k in ("existing_contracts", "exit_fees", "new_contracts", "pay_as_you_go")
    )
    assert inside == pytest.approx(cash, rel=1e-12)
    assert terms["salvage_past_horizon"] == 0.0
    signed = plan.tables["contracts_signed"]
    left = plan.tables["contracts_existing"]
    assert signed.liability_past_horizon_usd.sum() <= terms["liability_past_horizon"] + 1e-6
    assert (left.decision == "leave").any() or terms["liability_past_horizon"] > 0


def test_a_contract_that_ends_in_the_horizon_has_no_end_value() -> None:
    case = tiny_case()
    short = tuple(line.model_copy(update={"end": date(2027, 4, 1)}) for line in case.contracts)
    only = replace(case, contracts=short, offers=case.offers[2:], training=())
    terms = planner.solve(valid(only), gap=0.0).summary["cost_usd"]
    assert terms["liability_past_horizon"] == 0.0
    assert terms["salvage_past_horizon"] == 0.0


def test_a_better_kept_value_lowers_the_cost() -> None:
    """The haircut on what is left past the horizon: more of it kept, cheaper plans."""
    costs: list[float] = [
        cost(replace(tiny_case(), settings=settings(2, horizon_end_haircut=share)))
        for share in (0.0, 0.5, 0.9, 1.0)
    ]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


CHEAPER: tuple[tuple[str, Callable[[Case], Case]], ...] = (
    ("headroom", lambda c: scaled(c, "classes", "headroom", 0.9, service_class="chat")),
    ("usable", lambda c: scaled(c, "pools", "usable_share", 1.05)),
    ("faster", lambda c: _faster(c, 1.2)),
    ("installs", lambda c: _install(c, 2.0)),
    ("fees", lambda c: scaled(c, "contracts", "exit_fee_usd", 0.5)),
)


def _faster(case: Case, factor: float) -> Case:
    for column in ("high", "requests_per_s_per_chip"):
        case = scaled(case, "throughput", column, factor)
    return case


@pytest.mark.parametrize(("name", "ease"), CHEAPER, ids=[name for name, _ in CHEAPER])
def test_an_easier_case_never_costs_more(name: str, ease: Callable[[Case], Case]) -> None:
    base = replace(tiny_case(), training=())
    easier = ease(base)
    if name == "headroom":
        assert easier.classes[0].headroom < base.classes[0].headroom
    assert easier != base
    not_below(cost(base), cost(easier))
