"""Units in which amounts are read well: no table or axis says 0.00 of something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit of a quantity."""

    size: float
    """The unit in that of the quantity (USD, MW, chips)."""
    name: str
    """Its name, such as `billion USD`."""

    def number(self, value: float, digits: int = 3, sign: str = "") -> str:
        """A value in this unit, without the name; `sign` "+" puts one before all numbers."""
        # Without the sign of a zero that rounding made.
        return f"{round(value / self.size, digits) + 0.0:{sign},.{digits}f}"

    def say(self, value: float, digits: int = 3) -> str:
        """A value with the name of its unit."""
        return f"{self.number(value, digits)} {self.name}"


BILLION_USD, MILLION_USD = Unit(1e9, "billion USD"), Unit(1e6, "million USD")
MONEY = (BILLION_USD, MILLION_USD, Unit(1e3, "thousand USD"), Unit(1.0, "USD"))
POWER = (Unit(1e3, "GW"), Unit(1.0, "MW"))
CHIPS = (Unit(1e3, "thousand chips"), Unit(1.0, "chips"))
MANY_CHIPS = 1e5
"""Chips from which on thousands are counted."""


def money_unit(most_usd: float, most: Unit = BILLION_USD) -> Unit:
    """Unit of amounts up to `most_usd`, none larger than `most`: that one where there are none."""
    if not abs(most_usd) > 0.0:
        return most
    some = [unit for unit in MONEY if unit.size <= most.size]
    return next((unit for unit in some if abs(most_usd) >= unit.size), some[-1])


def fine_money_unit(most_usd: float) -> Unit:
    """Unit of amounts up to `most_usd` whose differences are what is read."""
    return money_unit(most_usd / 10.0)


def power_unit(most_mw: float) -> Unit:
    """Unit of draws up to `most_mw`."""
    return POWER[0] if abs(most_mw) >= POWER[0].size else POWER[1]


def chips_unit(most_chips: float) -> Unit:
    """Unit of numbers of chips up to `most_chips`."""
    return CHIPS[0] if abs(most_chips) >= MANY_CHIPS else CHIPS[1]


def told_apart(numbers: Sequence[float], digits: int = 3) -> list[str]:
    """Numbers in so many digits, or as many as it takes for those that differ to look different."""
    labels: list[str] = []
    for many in range(digits, 17):
        labels = [f"{number + 0.0:.{many}g}" for number in numbers]
        if len(set(labels)) == len(set(numbers)):
            break
    return labels
