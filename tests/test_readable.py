"""Amounts are told in units in which they are read well."""

from __future__ import annotations

import pytest

from planner.readable import (
    BILLION_USD,
    MILLION_USD,
    chips_unit,
    fine_money_unit,
    money_unit,
    power_unit,
    told_apart,
)


@pytest.mark.parametrize(
    ("usd", "name"),
    [
        (104.9e9, "billion USD"), (1e9, "billion USD"), (9.99e8, "million USD"),
        (-2.5e6, "million USD"), (12_000.0, "thousand USD"), (3.0, "USD"), (0.5, "USD"),
    ],
)  # fmt: skip
def test_money_is_at_least_one_of_its_unit(usd: float, name: str) -> None:
    assert money_unit(usd).name == name


def test_nothing_has_the_largest_unit() -> None:
    assert money_unit(0.0) == BILLION_USD
    assert money_unit(float("nan"), MILLION_USD) == MILLION_USD


def test_a_table_in_millions_stays_in_them_and_small_ones_do_not() -> None:
    assert money_unit(5e9, MILLION_USD) == MILLION_USD
    assert money_unit(5e4, MILLION_USD).name == "thousand USD"


def test_differences_are_told_in_the_finer_unit() -> None:
    assert fine_money_unit(9e9) == MILLION_USD
    assert fine_money_unit(1e10) == BILLION_USD


def test_power_and_chips() -> None:
    assert power_unit(999.0).name == "MW"
    assert power_unit(1000.0).name == "GW"
    assert chips_unit(99_999).name == "chips"
    assert chips_unit(100_000).name == "thousand chips"


def test_numbers_with_and_without_name_and_sign() -> None:
    assert BILLION_USD.say(104.930e9) == "104.930 billion USD"
    assert MILLION_USD.number(1.25e6, 1, "+") == "+1.2"
    assert MILLION_USD.number(-1_234.5e6, 0) == "-1,234"


def test_numbers_that_differ_look_different_and_zeros_alike() -> None:
    assert told_apart([0.0, -0.0, 1.0]) == ["0", "0", "1"]
    assert told_apart([75123456.0, 75123455.0], 6) == ["75123456", "75123455"]
    assert BILLION_USD.number(-1.0) == "0.000"
