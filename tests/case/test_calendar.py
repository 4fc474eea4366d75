"""Periods with their real dates and hours, slices of the week, discount factors."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.case import Calendar, load_case
from planner.case.calendar import add_months
from planner.case.settings import TimeSlice
from planner.instance.procurement import discount

SETTINGS = load_case(Path(__file__).parents[2] / "data" / "small").settings


def calendar(start: date, period: Literal["month", "quarter"], periods: int) -> Calendar:
    values = {"start": start, "period": period, "periods": periods, "as_of": start}
    return Calendar.of(SETTINGS.model_copy(update=values))


QUARTERS = calendar(date(2026, 7, 1), "quarter", 12)
MONTHS = calendar(date(2027, 12, 1), "month", 4)


def test_hours_of_quarters() -> None:
    days = [92, 92, 90, 91, 92, 92, 91, 91, 92, 92, 90, 91]  # 2028-Q1 has a 29 February
    assert QUARTERS.hours().tolist() == [24.0 * d for d in days]


def test_hours_of_months_in_a_leap_year() -> None:
    assert MONTHS.hours().tolist() == [744.0, 744.0, 696.0, 744.0]


@pytest.mark.parametrize(("year", "days"), [(2027, 28), (2028, 29), (2100, 28), (2000, 29)])
def test_february(year: int, days: int) -> None:
    assert calendar(date(year, 2, 1), "month", 1).hours().tolist() == [24.0 * days]


@given(st.dates(date(1990, 1, 1), date(2190, 1, 1)), st.integers(1, 60))
def test_periods_follow_each_other_without_a_gap(day: date, periods: int) -> None:
    first = day.replace(day=1)
    months = calendar(first, "month", periods)
    assert len(months) == periods
    assert months.hours().sum() == 24 * (months.starts[-1] - first).days
    assert all(start.day == 1 for start in months.starts)
    assert len(set(months.labels)) == periods


def test_labels() -> None:
    assert QUARTERS.labels[:4] == ("2026-Q3", "2026-Q4", "2027-Q1", "2027-Q2")
    assert QUARTERS.labels[-1] == "2029-Q2"
    assert MONTHS.labels == ("2027-12", "2028-01", "2028-02", "2028-03")
    assert list(QUARTERS.labels) == sorted(QUARTERS.labels)
    assert (QUARTERS.months, MONTHS.months) == (3, 1)


def test_index_is_the_inverse_of_the_labels() -> None:
    assert [QUARTERS.index(name) for name in QUARTERS.labels] == list(range(12))
    with pytest.raises(KeyError):
        QUARTERS.index("2029-Q3")


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        (date(2026, 11, 1), 3, date(2027, 2, 1)),
        (date(2026, 12, 1), 1, date(2027, 1, 1)),
        (date(2026, 1, 31), 0, date(2026, 1, 1)),
        (date(2026, 1, 1), -1, date(2025, 12, 1)),
        (date(2026, 1, 1), 36, date(2029, 1, 1)),
    ],
)
def test_add_months(day: date, months: int, then: date) -> None:
    assert add_months(day, months) == then


def test_years_are_counted_in_days() -> None:
    years = QUARTERS.years()
    assert years[0] == 0
    assert years[4] == pytest.approx(365 / 365.25)
    assert years[8] == pytest.approx((365 + 366) / 365.25)
    assert len(years) == 12


def test_overlap_of_whole_and_cut_periods() -> None:
    share = QUARTERS.overlap(date(2026, 10, 1), date(2027, 2, 15))
    assert share[:4].tolist() == [0.0, 1.0, 45 / 90, 0.0]
    assert share[4:].sum() == 0


def test_overlap_of_what_lies_outside_or_around() -> None:
    assert QUARTERS.overlap(date(2020, 1, 1), date(2026, 7, 1)).sum() == 0
    assert QUARTERS.overlap(date(2029, 7, 1), date(2040, 1, 1)).sum() == 0
    assert QUARTERS.overlap(date(2020, 1, 1), date(2040, 1, 1)).tolist() == [1.0] * 12
    assert QUARTERS.overlap(date(2027, 1, 1), date(2026, 1, 1)).sum() == 0


@given(st.dates(date(2025, 1, 1), date(2031, 1, 1)), st.integers(0, 1500))
def test_overlap_counts_every_day_once(start: date, days: int) -> None:
    end = start + timedelta(days=days)
    low, high = max(start, QUARTERS.starts[0]), min(end, QUARTERS.starts[-1])
    inside = max(0, (high - low).days)
    assert QUARTERS.overlap(start, end) @ QUARTERS.hours() == pytest.approx(24 * inside)


def test_extended_keeps_what_was_there() -> None:
    longer = QUARTERS.extended(3)
    assert longer.starts[:13] == QUARTERS.starts
    assert longer.labels[12:] == ("2029-Q3", "2029-Q4", "2030-Q1")
    assert np.array_equal(longer.hours()[:12], QUARTERS.hours())
    assert np.array_equal(longer.years()[:12], QUARTERS.years())
    assert (longer.period, longer.as_of) == (QUARTERS.period, QUARTERS.as_of)
    assert QUARTERS.extended(0) == QUARTERS
    assert MONTHS.extended(2).labels[4:] == ("2028-04", "2028-05")


@pytest.mark.parametrize(
    ("day", "index"),
    [
        (date(2020, 1, 1), 0),
        (date(2026, 7, 1), 0),
        (date(2026, 7, 2), 1),
        (date(2026, 10, 1), 1),
        (date(2026, 11, 22), 2),
        (date(2029, 4, 1), 11),
        (date(2029, 4, 2), 12),
        (date(2040, 1, 1), 12),
    ],
)
def test_first_from(day: date, index: int) -> None:
    assert QUARTERS.first_from(day) == index


def test_discount_at_the_start_and_in_the_middle() -> None:
    start = discount(QUARTERS, 0.08, middle=False)
    middle = discount(QUARTERS, 0.08, middle=True)
    assert start[0] == 1
    assert start[4] == pytest.approx(1.08 ** -(365 / 365.25))
    assert middle[0] == pytest.approx(1.08 ** -(46 / 365.25))
    assert middle[4] == pytest.approx(1.08 ** -((365 + 46) / 365.25))
    assert (start > middle).all()
    assert (middle[:-1] > start[1:]).all()


def test_no_discount_at_rate_0() -> None:
    assert discount(QUARTERS, 0.0, middle=True).tolist() == [1.0] * 12


@pytest.mark.parametrize(
    ("days", "low", "high", "hours"),
    [
        ("weekday", 0, 24, range(120)),
        ("weekend", 0, 24, range(120, 168)),
        ("all", 0, 24, range(168)),
        ("weekend", 22, 24, [142, 143, 166, 167]),
        ("weekday", 6, 7, [6, 30, 54, 78, 102]),
    ],
)
def test_hours_of_a_slice(
    days: Literal["weekday", "weekend", "all"], low: int, high: int, hours: range | list[int]
) -> None:
    block = TimeSlice(name="x", days=days, from_hour_utc=low, to_hour_utc=high)
    assert block.hours_of_week() == list(hours)
