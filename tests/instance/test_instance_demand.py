"""Demand by slice and rates by period, against numbers worked out by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.case import Case, load_case
from planner.case.settings import TimeSlice
from planner.case.workloads import ProfilePoint
from planner.instance import Instance, build_instance
from planner.instance.demand import trends, weekly_shapes
from planner.throughput.rates import Rates, rates_of

CASE = load_case(Path(__file__).parents[2] / "data" / "small")
RATES = rates_of(CASE)
AMERICA = "basic/north-america/interactive/first-party"
EUROPE = "basic/europe/interactive/first-party"
BATCH = "pro/europe/batch/first-party"


def with_rows(case: Case, table: str, **values: Any) -> Case:
    """The case with values in every row of a table; a function is given the row."""
    rows = tuple(
        row.model_copy(update={k: v(row) if callable(v) else v for k, v in values.items()})
        for row in case.rows(table)
    )
    return dataclasses.replace(case, **{table: rows})  # type: ignore[arg-type]


def with_settings(case: Case, **values: Any) -> Case:
    return dataclasses.replace(case, settings=case.settings.model_copy(update=values))


def with_profile(case: Case, factors: list[float]) -> Case:
    points = tuple(
        ProfilePoint.model_validate(
            {"geography": "*", "class": "*", "hour_of_week": hour, "factor": factor}
        )
        for hour, factor in enumerate(factors)
    )
    return dataclasses.replace(case, profile=points)


def build(case: Case, rates: Rates = RATES) -> Instance:
    return build_instance(case, rates)


def at(workload: str) -> int:
    return [w.workload for w in CASE.serving].index(workload)


def impulse(hour: int) -> list[float]:
    return [168.0 if h == hour else 0.0 for h in range(168)]


@pytest.mark.parametrize(
    ("offset", "local", "utc"),
    [(0, 10, 10), (1, 10, 9), (-6, 10, 16), (9, 3, 162), (-6, 165, 3), (14, 0, 154)],
)
def test_local_hours_shift_by_the_offset(offset: float, local: int, utc: int) -> None:
    """Hour h UTC is hour h + offset of local time, around the end of the week."""
    case = with_rows(with_profile(CASE, impulse(local)), "geographies", utc_offset_hours=offset)
    for shape in weekly_shapes(case):
        assert shape[utc] == pytest.approx(168)
        assert np.flatnonzero(shape).tolist() == [utc]


@pytest.mark.parametrize(("offset", "hours"), [(5.5, (4, 5)), (-3.5, (13, 14)), (0.5, (9, 10))])
def test_half_hour_zones_share_between_two_hours(offset: float, hours: tuple[int, int]) -> None:
    """Local 10:00 to 11:00 at +5:30 is 04:30 to 05:30 UTC: half in hour 4, half in hour 5."""
    case = with_rows(with_profile(CASE, impulse(10)), "geographies", utc_offset_hours=offset)
    shape = weekly_shapes(case)[0]
    assert np.flatnonzero(shape).tolist() == list(hours)
    assert shape[list(hours)] == pytest.approx([84, 84])


def test_quarter_hour_zones_share_by_time() -> None:
    """Nepal, +5:45: local 10:00 to 11:00 is 04:15 to 05:15 UTC."""
    case = with_rows(with_profile(CASE, impulse(10)), "geographies", utc_offset_hours=5.75)
    assert weekly_shapes(case)[0][[4, 5]] == pytest.approx([0.75 * 168, 0.25 * 168])


def test_each_geography_has_its_own_shift() -> None:
    shapes = weekly_shapes(with_profile(CASE, impulse(12)))
    assert int(shapes[at(AMERICA)].argmax()) == 18
    assert int(shapes[at(EUROPE)].argmax()) == 11


def test_the_most_specific_shape_wins() -> None:
    base = with_profile(CASE, [1.0] * 168)
    own = tuple(
        ProfilePoint.model_validate(
            {"geography": "europe", "class": "interactive", "hour_of_week": h, "factor": f}
        )
        for h, f in enumerate(impulse(1))
    )
    for profile in (base.profile + own, own + base.profile):
        shapes = weekly_shapes(dataclasses.replace(base, profile=profile))
        assert shapes[at(EUROPE)][0] == pytest.approx(168)
        assert shapes[at(AMERICA)] == pytest.approx(np.ones(168))
        assert shapes[at(BATCH)] == pytest.approx(np.ones(168))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0, 1e6), min_size=168, max_size=168).filter(lambda f: sum(f) > 1e-3),
    st.sampled_from([-9.5, -6, 0, 1, 5.5, 5.75, 14]),
)
def test_the_week_has_the_weekly_mean(factors: list[float], offset: float) -> None:
    """Whatever the shape and its scale: sum over slices of hours x mean = 168 x weekly mean."""
    case = with_rows(with_profile(CASE, factors), "geographies", utc_offset_hours=offset)
    inst = build(case)
    week = inst.serving.mean @ inst.time.slice_hours / 168
    wanted = np.zeros_like(week)
    for row in case.demand:
        wanted[at(row.workload), case.calendar.index(row.period)] = row.requests_per_s
    assert week == pytest.approx(wanted, rel=1e-9)
    firm = ~inst.serving.deferrable
    assert (inst.serving.peak[firm] >= inst.serving.mean[firm] * (1 - 1e-12)).all()


def test_slices_by_hand() -> None:
    """Weekend hours at half the level of weekdays, one weekday hour three times as high."""
    factors = [2.0] * 120 + [1.0] * 48
    factors[30] = 6.0
    total = sum(factors)  # 119 x 2 + 6 + 48
    case = with_rows(with_profile(CASE, factors), "geographies", utc_offset_hours=0)
    inst = build(case)
    w, demand = at(AMERICA), 4500.0
    unit = 168 / total * demand
    assert inst.time.slices == ("weekday", "weekend")
    assert inst.time.slice_hours.tolist() == [120, 48]
    assert inst.serving.mean[w, 0] == pytest.approx([unit * 244 / 120, unit])
    assert inst.serving.headroom[w] == 1.2
    assert inst.serving.peak[w, 0] == pytest.approx([unit * 6 * 1.2, unit * 1.2])


def test_a_deferrable_class_has_no_peak_of_its_own() -> None:
    inst = build(CASE)
    w = at(BATCH)
    weekly = next(r.requests_per_s for r in CASE.demand if r.workload == BATCH)
    assert inst.serving.deferrable[w]
    assert inst.serving.peak[w, 0] == pytest.approx([1.05 * weekly] * 2)


def test_one_hour_slices_have_mean_equal_to_peak_over_headroom() -> None:
    blocks = tuple(
        TimeSlice(name=f"h{h}", days="all", from_hour_utc=h, to_hour_utc=h + 1) for h in range(24)
    )
    day = [1.0 + h for h in range(24)]
    inst = build(with_settings(with_profile(CASE, day * 7), slices=blocks))
    firm = ~inst.serving.deferrable
    headroom = inst.serving.headroom[firm, None, None]
    assert inst.serving.peak[firm] == pytest.approx(inst.serving.mean[firm] * headroom)
    assert inst.pay.billed_share == pytest.approx(np.ones((4, 24)))


def test_billed_share_is_mean_over_peak() -> None:
    """All workloads of one shape: the share is that of the shape, whatever their weights."""
    factors = [2.0] * 120 + [1.0] * 48
    factors[30] = 6.0
    inst = build(with_rows(with_profile(CASE, factors), "geographies", utc_offset_hours=0))
    assert inst.pay.billed_share == pytest.approx(np.tile([(244 / 120) / 6, 1.0], (4, 1)))


def test_slot_hours_fill_the_calendar() -> None:
    inst = build(CASE)
    assert inst.time.slot_hours.sum(axis=1) == pytest.approx(inst.time.hours)
    assert inst.time.slot_hours[0] == pytest.approx([2208 * 120 / 168, 2208 * 48 / 168])


def test_penalty_and_tokens_by_hand() -> None:
    """2000 tokens in, 800 of them cached, 300 out; 400 USD per million computed tokens."""
    serving, w = build(CASE).serving, at(AMERICA)
    assert serving.computed_tokens[w] == 1500
    assert serving.total_tokens[w] == 2300
    assert serving.penalty_usd[w] == pytest.approx(0.6)


def test_rates_follow_the_gain_a_year() -> None:
    """20 % a year, 30 % on trn2 by the more specific row; bands by their own gains."""
    inst = build(CASE)
    years = inst.time.years
    for p, chip in enumerate(inst.pools.chip):
        low, mid, high = (0.15, 0.3, 0.45) if chip == "trn2" else (0.1, 0.2, 0.3)
        for array, start, gain in (
            (inst.serving.rate, RATES.mid, mid),
            (inst.serving.rate_low, RATES.low, low),
            (inst.serving.rate_high, RATES.high, high),
            (inst.serving.rate_failover, RATES.failover, mid),
        ):
            for w in range(len(CASE.serving)):
                assert array[w, p] == pytest.approx(start[w, p] * (1 + gain) ** years)
    assert years == pytest.approx(np.array([0, 92, 182, 273]) / 365.25)


def test_no_efficiency_table_means_no_gain() -> None:
    assert (trends(dataclasses.replace(CASE, efficiency=())) == 1).all()


def test_no_rate_where_there_is_no_demand() -> None:
    case = with_rows(
        CASE,
        "demand",
        requests_per_s=lambda row: 0.0 if row.period == "2027-Q1" else row.requests_per_s,
    )
    rate = build(case).serving.rate
    assert (rate[:, :, 1] == 0).all()
    assert (rate[:, :, 0] == RATES.mid).all()


def test_a_model_that_no_chip_can_hold_poisons_nothing() -> None:
    """The others keep their worth; the load of what cannot be served counts as 0."""
    rows = [
        a.model_copy(update={"total_params_b": 1e9, "routed_params_b": 0.9e9})
        if a.architecture == "deepseek-v3"
        else a
        for a in CASE.architectures
    ]
    inst = build_instance(dataclasses.replace(CASE, architectures=tuple(rows)))
    pro = [name.startswith("pro/") for name in inst.serving.names]
    assert (inst.serving.rate[pro] == 0).all()
    assert (inst.serving.reference_load[pro] == 0).all()
    others = ~np.array(pro)
    assert (inst.serving.reference_load[others] > 0).all()
    assert np.isfinite(inst.pools.reference_chips).all()
    assert (inst.pools.reference_chips > 0).all()


def test_workloads_stay_where_they_are_allowed() -> None:
    serving, pools = build(CASE).serving, build(CASE).pools
    resident = serving.names.index("pro/europe/interactive/resident")
    market = serving.names.index("basic/north-america/interactive/alder-market")
    for p in range(len(pools.names)):
        if pools.geography[p] != "europe":
            assert serving.rate[resident, p].tolist() == [0.0] * 4
            assert serving.reason[resident, p] == "not_allowed"
        if pools.cloud[p] != "alder":
            assert serving.rate[market, p].tolist() == [0.0] * 4
    assert (serving.rate[resident] > 0).any()
    assert (serving.rate[market] > 0).any()
