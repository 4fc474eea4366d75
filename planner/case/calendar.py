"""Periods with their real dates and hours, and the slices of the representative week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.case.settings import Settings

HOURS_PER_WEEK = 168
SECONDS_PER_HOUR = 3600.0
DAYS_PER_YEAR = 365.25
MONTHS = {"month": 1, "quarter": 3}


def add_months(day: date, months: int) -> date:
    """The first of the month `months` after that of `day` (days of the month are dropped)."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def label(day: date, period: str) -> str:
    """`2026-Q3` or `2026-07` for the period that starts on `day`."""
    if period == "quarter":
        return f"{day.year}-Q{(day.month + 2) // 3}"
    return f"{day.year}-{day.month:02d}"


@dataclass(frozen=True)
class Calendar:
    """The periods of a case.

    `starts` has one more entry than there are periods: the end of the horizon.
    """

    period: str
    """`month` or `quarter`."""
    starts: tuple[date, ...]
    """First day of each period, and of what follows the last."""
    as_of: date
    """Day of the decision: earlier periods are history."""

    @classmethod
    def of(cls, settings: Settings) -> Calendar:
        """The calendar of a case's settings."""
        step = MONTHS[settings.period]
        starts = tuple(add_months(settings.start, step * i) for i in range(settings.periods + 1))
        return cls(settings.period, starts, settings.as_of)

    @property
    def months(self) -> int:
        """Months in one period."""
        return MONTHS[self.period]

    @property
    def labels(self) -> tuple[str, ...]:
        """Label of each period."""
        return tuple(label(day, self.period) for day in self.starts[:-1])

    def __len__(self) -> int:
        """Number of periods."""
        return len(self.starts) - 1

    def extended(self, periods: int) -> Calendar:
        """The same calendar with `periods` more periods after the horizon."""
        last = self.starts[-1]
        more = tuple(add_months(last, self.months * (i + 1)) for i in range(periods))
        return Calendar(self.period, self.starts + more, self.as_of)

    def hours(self) -> npt.NDArray[np.float64]:
        """Calendar hours of each period, shape (periods,)."""
        days = [(b - a).days for a, b in zip(self.starts, self.starts[1:], strict=False)]
        return 24.0 * np.array(days, dtype=float)

    def years(self) -> npt.NDArray[np.float64]:
        """Years from the start of the case to the start of each period, shape (periods,)."""
        days = [(day - self.starts[0]).days for day in self.starts[:-1]]
        return np.array(days, dtype=float) / DAYS_PER_YEAR

    def overlap(self, start: date, end: date) -> npt.NDArray[np.float64]:
        """Share of each period that lies in [start, end), shape (periods,)."""
        shares = []
        for a, b in zip(self.starts, self.starts[1:], strict=False):
            days = (min(b, end) - max(a, start)).days
            shares.append(max(0, days) / (b - a).days)
        return np.array(shares)

    def first_from(self, day: date) -> int:
        """Index of the first period that starts on or after `day` (may be len(self))."""
        return next((i for i, s in enumerate(self.starts[:-1]) if s >= day), len(self))

    def index(self, period_label: str) -> int:
        """Index of a period by its label; raises KeyError when it is outside the horizon."""
        lookup: dict[str, Any] = {name: i for i, name in enumerate(self.labels)}
        return int(lookup[period_label])
