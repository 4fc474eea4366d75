"""Supply, contracts, offers and the end of the horizon, against numbers worked out by hand."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.case import Case, load_case
from planner.case.commercial import Contract, Offer
from planner.case.records import Supply
from planner.instance import Instance, build_instance
from planner.throughput.rates import rates_of

CASE = load_case(Path(__file__).parents[2] / "data" / "small")
RATES = rates_of(CASE)
POOL = ("alder", "us-1", "h200")
HOURS = [2208.0, 2160.0, 2184.0, 2208.0]
"""2026-Q4 to 2027-Q3."""
LATER = [2208.0, 2184.0, 2184.0, 2208.0]
"""2027-Q4 to 2028-Q3, a leap year."""


def with_settings(case: Case, **values: Any) -> Case:
    return dataclasses.replace(case, settings=case.settings.model_copy(update=values))


def with_chip(case: Case, name: str, **values: Any) -> Case:
    chips = tuple(c.model_copy(update=values) if c.chip == name else c for c in case.chips)
    return dataclasses.replace(case, chips=chips)


def with_region(case: Case, name: str, **values: Any) -> Case:
    rows = tuple(r.model_copy(update=values) if r.region == name else r for r in case.regions)
    return dataclasses.replace(case, regions=rows)


BARE = with_settings(
    dataclasses.replace(CASE, offers=(), contracts=()),
    discount_rate_per_year=0.0,
    as_of=date(2026, 10, 1),
)
"""No offers, no contracts, no discount, the plan starts with the horizon."""


def offer(**values: Any) -> Offer:
    """A reserved offer of 12 months in one pool: lots of 100 chips at 2 USD."""
    base: dict[str, Any] = {"offer": "deal", "kind": "reserved", "term_months": 12}
    base |= {"cloud": POOL[0], "region": POOL[1], "chip": POOL[2]}
    base |= {"price_usd_per_chip_hour": 2.0, "lot_chips": 100.0}
    return Offer(**(base | values))


def hourly(**values: Any) -> Offer:
    """A pay-as-you-go offer in the same pool."""
    base: dict[str, Any] = {"kind": "on_demand", "term_months": 0, "lot_chips": 1.0}
    return offer(**(base | values))


def line(**values: Any) -> Contract:
    """1000 chips at 2 USD for the year of the horizon, to be paid to the end."""
    base: dict[str, Any] = {"contract": "old", "start": date(2026, 10, 1)}
    base |= {"cloud": POOL[0], "region": POOL[1], "chip": POOL[2], "end": date(2027, 10, 1)}
    base |= {"chips": 1000.0, "payment_usd_per_chip_hour": 2.0, "take_or_pay": True}
    return Contract(**(base | values))


def build(*rows: Offer | Contract, case: Case = BARE) -> Instance:
    offers = tuple(row for row in rows if isinstance(row, Offer))
    contracts = tuple(row for row in rows if isinstance(row, Contract))
    return build_instance(dataclasses.replace(case, offers=offers, contracts=contracts), RATES)


def start(inst: Instance, period: int) -> int:
    """The one start in a period."""
    (found,) = np.flatnonzero(inst.starts.period == period)
    return int(found)


# Offers: delivery, lead, window, lots


def test_a_lot_is_there_for_its_term() -> None:
    inst = build(offer(term_months=6))
    assert inst.starts.period.tolist() == [0, 1, 2, 3]
    assert inst.starts.active.tolist() == [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1]]
    assert inst.starts.term_periods.tolist() == [2] * 4
    assert inst.starts.names[1] == "deal: alder/us-1/h200 @ 2027-Q1"
    assert [inst.pools.names[p] for p in inst.starts.pool] == ["alder/us-1/h200"] * 4


def test_delivery_ramps() -> None:
    inst = build(offer(ramp=(0.25, 0.5, 1.0)))
    assert inst.starts.active[start(inst, 0)].tolist() == [0.25, 0.5, 1, 1]
    assert inst.starts.active[start(inst, 2)].tolist() == [0, 0, 0.25, 0.5]


def test_after_a_ramp_that_ends_below_1_all_is_there() -> None:
    inst = build(offer(ramp=(0.25, 0.5)))
    assert inst.starts.active[start(inst, 0)].tolist() == [0.25, 0.5, 1, 1]


def test_a_ramp_longer_than_the_term_is_cut() -> None:
    inst = build(offer(term_months=3, ramp=(0.25, 0.5, 1.0)))
    assert inst.starts.active[start(inst, 1)].tolist() == [0, 0.25, 0, 0]


def test_only_delivered_chips_are_paid() -> None:
    inst = build(offer(ramp=(0.25, 0.5)))
    delivered = np.array([0.25, 0.5, 1, 1])
    assert inst.starts.payment_usd[start(inst, 0)] == pytest.approx(
        200 * np.array(HOURS) * delivered
    )


@pytest.mark.parametrize(
    ("as_of", "lead", "periods"),
    [
        (date(2026, 10, 1), 0, [0, 1, 2, 3]),
        (date(2026, 10, 2), 0, [1, 2, 3]),
        (date(2026, 11, 22), 40, [1, 2, 3]),  # 2027-01-01 itself
        (date(2026, 11, 22), 41, [2, 3]),
        (date(2026, 11, 22), 312, []),
        (date(2026, 10, 1), 274, []),
        (date(2026, 10, 1), 273, [3]),
    ],
)
def test_nothing_starts_before_as_of_and_lead(as_of: date, lead: int, periods: list[int]) -> None:
    case = with_settings(BARE, as_of=as_of)
    inst = build(offer(lead_days=lead), hourly(offer="now", lead_days=lead), case=case)
    assert inst.starts.period.tolist() == periods
    assert inst.starts.sign_by_days.tolist() == [lead] * len(periods)
    assert np.flatnonzero(inst.pay.max_chips[0]).tolist() == periods


@pytest.mark.parametrize(
    ("first", "last", "periods"),
    [
        (date(2027, 1, 1), None, [1, 2, 3]),
        (date(2027, 1, 2), None, [2, 3]),
        (None, date(2027, 4, 1), [0, 1, 2]),
        (None, date(2027, 3, 31), [0, 1]),
        (date(2027, 1, 1), date(2027, 6, 30), [1, 2]),
        (date(2027, 4, 2), date(2027, 6, 30), []),
    ],
)
def test_lots_start_within_the_window(
    first: date | None, last: date | None, periods: list[int]
) -> None:
    inst = build(offer(window_from=first, window_to=last))
    assert inst.starts.period.tolist() == periods


def test_the_last_lots_run_past_their_window() -> None:
    inst = build(offer(window_to=date(2026, 12, 31)))
    assert inst.starts.active.tolist() == [[1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("values", "most"),
    [
        ({}, 50),  # 5000 chips allotted
        ({"lot_chips": 300.0}, 16),
        ({"lot_chips": 5000.0}, 1),
        ({"lot_chips": 5000.1}, None),
        ({"max_lots": 7}, 7),
        ({"max_lots": 70}, 50),
        ({"lot_chips": 1000.0, "min_lots": 5}, 5),
        ({"lot_chips": 1000.0, "min_lots": 6}, None),
    ],
)
def test_lots_fit_the_supply(values: dict[str, Any], most: int | None) -> None:
    inst = build(offer(**values))
    assert inst.starts.max_lots.tolist() == ([] if most is None else [most] * 4)
    assert inst.starts.min_lots.tolist() == [values.get("min_lots", 1)] * len(inst.starts.names)


def test_lots_fit_the_least_supply_of_their_term() -> None:
    keep = tuple(s for s in BARE.supply if (s.cloud, s.region, s.chip) != POOL)
    supply = tuple(
        Supply(cloud=POOL[0], region=POOL[1], chip=POOL[2], period=period, chips=chips)
        for period, chips in (("2026-Q4", 900.0), ("*", 500.0), ("2027-Q2", 250.0))
    )
    case = dataclasses.replace(BARE, supply=keep + supply)
    inst = build(offer(term_months=6), case=case)
    p = inst.pools.names.index("alder/us-1/h200")
    assert inst.pools.supply[p].tolist() == [900, 500, 250, 500]
    assert inst.starts.max_lots.tolist() == [5, 2, 2, 5]


@pytest.mark.parametrize(
    ("ramp", "most"),
    [
        ((1.0,), [2, 5, 5, 5]),
        # 250 chips have room for 5 lots of which half is delivered, and 500 then for all of them;
        # past the horizon 500 are there as well.
        ((0.5, 1.0), [5, 10, 5, 5]),
        # 250 would do for 12 lots of 20 chips each, but 500 then only for 10 of 50.
        ((0.2, 0.5), [10, 20, 10, 10]),
    ],
)
def test_a_ramp_needs_room_for_what_is_delivered(ramp: tuple[float, ...], most: list[int]) -> None:
    keep = tuple(s for s in BARE.supply if (s.cloud, s.region, s.chip) != POOL)
    supply = tuple(
        Supply(cloud=POOL[0], region=POOL[1], chip=POOL[2], period=period, chips=chips)
        for period, chips in (("2026-Q4", 250.0), ("*", 500.0), ("2027-Q2", 1000.0))
    )
    case = dataclasses.replace(BARE, supply=keep + supply)
    inst = build(offer(term_months=6, ramp=ramp), case=case)
    room, starts = inst.pools.allotted[inst.starts.pool], inst.starts
    delivered = starts.max_lots[:, None] * starts.lot_chips[:, None] * starts.active
    one_more = delivered + starts.lot_chips[:, None] * starts.active
    assert (delivered <= room + 1e-6).all()
    assert (one_more > room + 1e-6)[:3].any(axis=1).all()
    assert starts.max_lots.tolist() == most


def test_supply_without_end_is_still_a_number_of_lots() -> None:
    supply = tuple(s.model_copy(update={"chips": 1e30}) for s in BARE.supply)
    inst = build(offer(), case=dataclasses.replace(BARE, supply=supply))
    assert (inst.starts.max_lots > 10**6).all()


def test_existing_chips_count_as_room() -> None:
    """What is signed above the allotment stays: the limit is the larger of the two."""
    inst = build(offer(lot_chips=6000.0), line(chips=7000.0))
    p = inst.pools.names.index("alder/us-1/h200")
    assert inst.pools.supply[p].tolist() == [5000] * 4
    assert inst.pools.existing[p].tolist() == [7000] * 4
    assert inst.pools.limit[p].tolist() == [7000] * 4
    assert inst.starts.max_lots.tolist() == [1] * 4


# Supply and ready for service


@pytest.mark.parametrize(
    ("ready", "supply"),
    [
        (date(2026, 10, 1), [5000, 5000, 5000, 5000]),
        (date(2027, 1, 1), [0, 5000, 5000, 5000]),
        (date(2027, 1, 2), [0, 0, 5000, 5000]),
        (date(2030, 1, 1), [0, 0, 0, 0]),
        (None, [5000, 5000, 5000, 5000]),
    ],
)
def test_no_supply_before_ready_for_service(ready: date | None, supply: list[float]) -> None:
    case = with_chip(BARE, "h200", ready_for_service=ready)
    inst = build(offer(term_months=3), hourly(offer="now"), case=case)
    p = inst.pools.names.index("alder/us-1/h200")
    assert inst.pools.supply[p].tolist() == supply
    assert inst.starts.period.tolist() == [t for t in range(4) if supply[t]]
    assert inst.pay.max_chips[0].tolist() == supply
    other = inst.pools.names.index("alder/us-1/trn2")
    assert inst.pools.supply[other].tolist() == [6000] * 4


def test_no_lot_starts_before_a_chip_is_ready_though_its_term_reaches_there() -> None:
    case = with_chip(BARE, "h200", ready_for_service=date(2027, 4, 1))
    assert build(offer(), case=case).starts.period.tolist() == [2, 3]


# Prices


def test_a_locked_price_is_that_of_the_start() -> None:
    inst = build(offer(price_trend_per_year=-0.2))
    years = np.array([0, 92, 182, 273]) / 365.25
    price = 2.0 * 0.8**years
    assert inst.starts.price_usd_per_chip_hour == pytest.approx(price)
    assert inst.starts.payment_usd[start(inst, 1)] == pytest.approx(
        100 * price[1] * np.array([0, *HOURS[1:]])
    )


def test_a_floating_price_follows_the_trend() -> None:
    inst = build(offer(price_trend_per_year=-0.2, floating=True))
    price = 2.0 * 0.8 ** (np.array([0, 92, 182, 273]) / 365.25)
    assert inst.starts.price_usd_per_chip_hour == pytest.approx(price)
    assert inst.starts.payment_usd[start(inst, 1)] == pytest.approx(
        100 * price * np.array([0, *HOURS[1:]])
    )


def test_locked_and_floating_are_one_without_a_trend() -> None:
    locked, floating = build(offer()).starts, build(offer(floating=True)).starts
    for name in ("payment_usd", "present_usd", "liability_usd", "credit_usd"):
        assert np.array_equal(getattr(locked, name), getattr(floating, name))


def test_the_region_multiplies_every_price() -> None:
    case = with_region(BARE, "us-1", price_multiplier=1.5)
    plain, dear = (
        build(offer(), hourly(offer="now")),
        build(offer(), hourly(offer="now"), case=case),
    )
    for name in ("payment_usd", "liability_usd", "credit_usd", "price_usd_per_chip_hour"):
        assert getattr(dear.starts, name) == pytest.approx(1.5 * getattr(plain.starts, name))
    assert dear.pay.price_usd_per_chip_hour == pytest.approx(np.full((1, 4), 3.0))


# The end of the horizon


def test_a_contract_that_ends_with_the_horizon_leaves_nothing() -> None:
    starts = build(offer()).starts
    assert starts.liability_usd[0] == 0
    assert starts.credit_usd[0] == 0
    assert starts.inside_usd[0] == pytest.approx(200 * sum(HOURS))


def test_payments_past_the_horizon_are_owed_in_full() -> None:
    starts = build(offer()).starts
    for t in range(4):
        assert starts.liability_usd[t] == pytest.approx(200 * sum(LATER[:t]))
        assert starts.credit_usd[t] == pytest.approx(0.9 * starts.liability_usd[t])
        assert starts.inside_usd[t] == pytest.approx(200 * sum(HOURS[t:]))


@pytest.mark.parametrize("haircut", [0.0, 0.5, 1.0])
def test_the_credit_is_haircut_times_worth(haircut: float) -> None:
    starts = build(offer(), case=with_settings(BARE, horizon_end_haircut=haircut)).starts
    assert starts.credit_usd == pytest.approx(haircut * starts.liability_usd)


def later(trend: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Price of the offer in the three quarters after the horizon."""
    return np.asarray(2.0 * (1 + trend) ** (np.array([365, 457, 548]) / 365.25))


def test_falling_prices_make_a_locked_contract_worth_what_is_paid_then() -> None:
    starts = build(offer(price_trend_per_year=-0.2)).starts
    locked = 2.0 * 0.8 ** (273 / 365.25)
    past = np.array([2208, 2184, 2184])
    assert starts.liability_usd[3] == pytest.approx(100 * locked * past.sum())
    assert starts.credit_usd[3] == pytest.approx(0.9 * 100 * (later(-0.2) * past).sum())
    assert starts.credit_usd[3] < 0.9 * starts.liability_usd[3]


def test_rising_prices_make_it_worth_no_more_than_what_is_locked() -> None:
    starts = build(offer(price_trend_per_year=0.2)).starts
    assert starts.credit_usd == pytest.approx(0.9 * starts.liability_usd)


def test_a_floating_contract_is_worth_what_it_owes() -> None:
    starts = build(offer(price_trend_per_year=-0.2, floating=True)).starts
    past = np.array([2208, 2184, 2184])
    assert starts.liability_usd[3] == pytest.approx(100 * (later(-0.2) * past).sum())
    assert starts.credit_usd == pytest.approx(0.9 * starts.liability_usd)


def test_ramps_go_on_past_the_horizon() -> None:
    starts = build(offer(ramp=(0.25, 0.5))).starts
    assert starts.liability_usd[3] == pytest.approx(200 * (0.5 * 2208 + 2184 + 2184))


@settings(max_examples=30, deadline=None)
@given(
    st.floats(0, 0.3),
    st.floats(-0.4, 0.4),
    st.booleans(),
    st.floats(0, 1),
    st.sampled_from([3, 6, 12, 36]),
    st.floats(0, 1),
)
def test_properties_of_the_horizon_end(
    rate: float, trend: float, floating: bool, upfront: float, term: int, haircut: float
) -> None:
    case = with_settings(BARE, discount_rate_per_year=rate, horizon_end_haircut=haircut)
    values: dict[str, Any] = {"price_trend_per_year": trend, "floating": floating}
    starts = build(offer(**values, upfront_share=upfront, term_months=term), case=case).starts
    plain = build(offer(**values, term_months=term), case=case).starts
    # What is kept does not hang on how it is paid, and is worth no more than its whole price.
    assert starts.credit_usd == pytest.approx(plain.credit_usd)
    assert (plain.credit_usd <= haircut * plain.liability_usd * (1 + 1e-9) + 1e-6).all()
    assert starts.liability_usd == pytest.approx((1 - upfront) * plain.liability_usd)
    # Money paid earlier is worth more, and the sum paid is the same.
    total = starts.inside_usd + starts.liability_usd
    assert (total >= (plain.inside_usd + plain.liability_usd) * (1 - 1e-9)).all()
    if rate == 0:
        assert total == pytest.approx(plain.inside_usd + plain.liability_usd)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_upfront_share_is_of_the_whole_and_paid_at_the_start(share: float) -> None:
    starts = build(offer(upfront_share=share)).starts
    whole = 200 * (HOURS[3] + sum(LATER[:3]))
    assert starts.payment_usd[3].tolist() == pytest.approx(
        [0, 0, 0, share * whole + (1 - share) * 200 * HOURS[3]]
    )
    assert starts.liability_usd[3] == pytest.approx((1 - share) * 200 * sum(LATER[:3]))
    assert starts.credit_usd[3] == pytest.approx(0.9 * 200 * sum(LATER[:3]))


def test_upfront_money_is_discounted_to_the_start_of_its_period() -> None:
    case = with_settings(BARE, discount_rate_per_year=0.1)
    starts = build(offer(term_months=3, upfront_share=1.0), case=case).starts
    years = np.array([0, 92, 182, 273]) / 365.25
    assert starts.inside_usd == pytest.approx(200 * np.array(HOURS) * 1.1**-years)
    starts = build(offer(term_months=3), case=case).starts
    middle = years + np.array(HOURS) / 2 / (24 * 365.25)
    assert starts.inside_usd == pytest.approx(200 * np.array(HOURS) * 1.1**-middle)


# Pay as you go


@pytest.mark.parametrize(
    ("values", "chips"),
    [
        ({}, 5000),
        ({"max_supply_share": 0.05}, 250),
        ({"max_chips": 100.0}, 100),
        ({"max_supply_share": 0.05, "max_chips": 100.0}, 100),
        ({"max_supply_share": 0.01, "max_chips": 100.0}, 50),
        ({"max_supply_share": 0.0}, 0),
    ],
)
def test_pay_as_you_go_is_limited(values: dict[str, Any], chips: float) -> None:
    inst = build(hourly(**values))
    assert inst.pay.max_chips.tolist() == [[chips] * 4]
    assert inst.starts.names == ()


def test_the_share_is_of_supply_not_of_what_is_signed() -> None:
    inst = build(hourly(max_supply_share=0.1), line(chips=9000.0))
    assert inst.pay.max_chips.tolist() == [[500] * 4]


def test_pay_as_you_go_follows_its_trend() -> None:
    inst = build(
        hourly(kind="spot", price_trend_per_year=-0.2, goodput_share=0.8, interruptible=True)
    )
    years = np.array([0, 92, 182, 273]) / 365.25
    assert inst.pay.price_usd_per_chip_hour[0] == pytest.approx(2.0 * 0.8**years)
    assert inst.pay.goodput.tolist() == [0.8]
    assert inst.pay.interruptible.tolist() == [True]


# Contracts already signed


def test_a_contract_within_the_horizon() -> None:
    got = build(line(start=date(2027, 1, 1), end=date(2027, 7, 1))).contracts
    assert got.chips.tolist() == [[0, 1000, 1000, 0]]
    assert got.payment_usd[0] == pytest.approx([0, 2000 * HOURS[1], 2000 * HOURS[2], 0])
    assert (got.liability_usd[0], got.credit_usd[0]) == (0, 0)
    assert got.leave_until.tolist() == [3]
    assert got.leave_from.tolist() == [4]
    assert got.line_names == ("old: alder/us-1/h200",)


def test_a_ramp_begun_before_the_horizon_goes_on() -> None:
    ramp = (0.2, 0.4, 0.6, 0.8)
    begun = build(line(start=date(2026, 4, 1), ramp=ramp)).contracts
    assert begun.chips[0] == pytest.approx([600, 800, 1000, 1000])
    fresh = build(line(ramp=ramp)).contracts
    assert fresh.chips[0] == pytest.approx([200, 400, 600, 800])
    old = build(line(start=date(2020, 1, 1), ramp=ramp)).contracts
    assert old.chips[0] == pytest.approx([1000] * 4)


@pytest.mark.parametrize("haircut", [0.0, 0.9])
@pytest.mark.parametrize(
    ("values", "left"),
    [
        ({"take_or_pay": False, "notice_days": 90}, True),
        ({"take_or_pay": False, "notice_days": 365}, True),
        # Its notice is over a day after the horizon.
        ({"take_or_pay": False, "notice_days": 366}, False),
        ({}, False),
    ],
)
def test_a_tail_costs_no_more_than_leaving_then(
    values: dict[str, Any], left: bool, haircut: float
) -> None:
    """Half a year past the horizon, 8.9 million USD, or a fee of 100,000 where it can be left."""
    case = with_settings(BARE, horizon_end_haircut=haircut)
    fee = {"exit_fee_usd": 1e5} if values else {}
    tail = line(end=date(2028, 4, 1), **fee, **values)
    got = build(tail, case=case).contracts
    owed = 2000.0 * sum(LATER[:2])
    assert got.liability_usd[0] == pytest.approx(1e5 if left else owed)
    assert got.credit_usd[0] == pytest.approx(0.0 if left else haircut * owed)
    dear = build(tail.model_copy(update={"exit_fee_usd": 1e7}), case=case).contracts
    assert dear.liability_usd[0] == pytest.approx(owed)


def test_a_contract_is_left_then_with_all_its_lines() -> None:
    """Fees and tails count together: the first line alone would be kept."""
    of = {"end": date(2028, 4, 1), "take_or_pay": False, "notice_days": 90}
    case = with_settings(BARE, horizon_end_haircut=0.5, discount_rate_per_year=0.1)
    first = line(exit_fee_usd=6e6, chips=10.0, **of)
    second = line(chips=9990.0, region="eu-1", **of)
    got = build(first, second, case=case).contracts
    years = 365 / 365.25
    assert got.liability_usd == pytest.approx([6e6 * 1.1**-years, 0.0])
    assert got.credit_usd.tolist() == [0.0, 0.0]


def test_only_delivered_chips_of_a_contract_are_paid() -> None:
    got = build(line(ramp=(0.2, 0.4))).contracts
    assert got.payment_usd[0] == pytest.approx(got.chips[0] * 2.0 * np.array(HOURS))


def test_a_contract_that_ended_before_the_horizon_is_nothing() -> None:
    inst = build(line(start=date(2025, 1, 1), end=date(2026, 10, 1)))
    assert inst.contracts.chips.tolist() == [[0] * 4]
    assert inst.contracts.payment_usd.tolist() == [[0] * 4]
    assert inst.contracts.leave_until.tolist() == [0]
    assert inst.pools.existing.sum() == 0


@pytest.mark.parametrize(
    ("end", "share"),
    [
        (date(2027, 10, 1), []),
        (date(2028, 1, 1), [1]),
        (date(2028, 2, 1), [1, 31 / 91]),
        (date(2027, 10, 24), [23 / 92]),
        (date(2028, 10, 1), [1, 1, 1, 1]),
    ],
)
def test_a_contract_past_the_horizon_is_owed_and_kept(end: date, share: list[float]) -> None:
    got = build(line(end=end)).contracts
    owed = 2000 * sum(hours * part for hours, part in zip(LATER, share, strict=False))
    assert got.liability_usd[0] == pytest.approx(owed)
    assert got.credit_usd[0] == pytest.approx(0.9 * owed)
    assert got.chips.tolist() == [[1000] * 4]


def test_a_dear_contract_is_worth_the_cheapest_offer_then() -> None:
    got = build(
        line(end=date(2028, 1, 1)),
        offer(price_usd_per_chip_hour=1.5),
        offer(offer="other", price_usd_per_chip_hour=1.2, price_trend_per_year=-0.5),
        hourly(offer="now", price_usd_per_chip_hour=0.1),  # by the hour: not the same good
    ).contracts
    cheapest = 1.2 * 0.5 ** (365 / 365.25)
    assert got.liability_usd[0] == pytest.approx(2000 * LATER[0])
    assert got.credit_usd[0] == pytest.approx(0.9 * 1000 * cheapest * LATER[0])


def test_a_cheap_contract_is_worth_no_more_than_its_price() -> None:
    got = build(line(end=date(2028, 1, 1)), offer(price_usd_per_chip_hour=9.0)).contracts
    assert got.credit_usd[0] == pytest.approx(0.9 * 2000 * LATER[0])


def test_discounting_of_what_lies_past_the_horizon() -> None:
    case = with_settings(BARE, discount_rate_per_year=0.1)
    got = build(line(end=date(2028, 1, 1)), case=case).contracts
    assert got.liability_usd[0] == pytest.approx(2000 * LATER[0] * 1.1 ** -((365 + 46) / 365.25))


@pytest.mark.parametrize(
    ("as_of", "notice", "first"),
    [
        (date(2026, 10, 1), 0, 0),
        (date(2026, 10, 1), 1, 1),
        (date(2026, 10, 1), 92, 1),
        (date(2026, 10, 1), 93, 2),
        (date(2026, 11, 22), 90, 2),  # 2027-02-20
        (date(2026, 11, 22), 3650, 4),
    ],
)
def test_notice(as_of: date, notice: int, first: int) -> None:
    free = line(take_or_pay=False, notice_days=notice, exit_fee_usd=5e5)
    got = build(free, case=with_settings(BARE, as_of=as_of)).contracts
    assert got.leave_from.tolist() == [first]
    assert got.leave_until.tolist() == [4]
    assert got.exit_fee_usd.tolist() == [5e5]


def test_take_or_pay_cannot_be_left() -> None:
    assert build(line()).contracts.leave_from.tolist() == [4]


def test_a_contract_is_left_at_its_start_at_the_earliest() -> None:
    got = build(line(start=date(2027, 4, 1), take_or_pay=False, notice_days=0)).contracts
    assert got.leave_from.tolist() == [2]


def test_lines_of_one_contract_belong_together_in_any_order() -> None:
    lines = (
        line(take_or_pay=False, notice_days=0),
        line(region="eu-1", take_or_pay=False, notice_days=0),
        line(contract="new", region="us-3", chip="trn2"),
    )
    for rows in (lines, lines[::-1]):
        got = build(*rows).contracts
        k = got.names.index("old")
        assert sorted(got.names) == ["new", "old"]
        assert got.leave_from[k] == 0
        assert got.leave_until[k] == 4
        assert [got.names[c] for c in got.line_contract] == [row.contract for row in rows]
        assert got.leave_from[1 - k] == 4


def test_no_contracts_and_no_offers() -> None:
    inst = build()
    assert inst.contracts.chips.shape == (0, 4)
    assert inst.starts.active.shape == (0, 4)
    assert inst.pay.max_chips.shape == (0, 4)
    assert inst.pools.existing.sum() == 0


def test_install_limits() -> None:
    inst = build_instance(CASE, RATES)
    limit = dict(zip(inst.regions, inst.install_limit.tolist(), strict=True))
    assert limit["alder/eu-1"] == 1000
    assert limit["alder/us-1"] == np.inf
