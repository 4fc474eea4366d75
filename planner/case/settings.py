"""Scalars of a case: `case.toml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from planner.case.records import Day, Name, NonNegative


class TimeSlice(BaseModel):
    """A block of hours of the representative week, in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Name
    """Name of the slice."""
    days: Literal["weekday", "weekend", "all"]
    """Monday to Friday, Saturday and Sunday, or the whole week."""
    from_hour_utc: Annotated[int, Field(ge=0, le=23)] = 0
    """First hour of the day."""
    to_hour_utc: Annotated[int, Field(ge=1, le=24)] = 24
    """Hour of the day at which the slice ends."""

    def hours_of_week(self) -> list[int]:
        """Hours since Monday 00:00 UTC that belong to the slice."""
        days = {"weekday": range(5), "weekend": range(5, 7), "all": range(7)}[self.days]
        return [24 * day + hour for day in days for hour in range(*self._range())]

    def _range(self) -> tuple[int, int]:
        return self.from_hour_utc, self.to_hour_utc


class Settings(BaseModel):
    """The scalars of a case. Unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    name: Name
    """Name of the case."""
    description: str = Field(
        default="", max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"
    )
    """What the case is about; shown with the plan."""
    start: Day
    """First day of the first period; the first of a month or of a quarter."""
    as_of: Day
    """Today of the plan: nothing is decided before as_of + lead."""
    period: Literal["month", "quarter"]
    """Length of a period."""
    periods: Annotated[int, Field(ge=1, le=120)]
    """Number of periods."""
    discount_rate_per_year: Annotated[float, Field(ge=0, le=1)]
    """Cash in later years counts less by this rate; USD are those of the start."""
    horizon_end_haircut: Annotated[float, Field(ge=0, le=1)] = 0.9
    """Share of a contract's value past the horizon that counts as kept."""
    reference_chip: Name
    """Chip in whose units load and fleet are reported."""
    qualification_engineers: NonNegative | None = None
    """Engineers that can qualify chips at a time; empty = no limit."""
    flow_floor_chips: NonNegative = 0.0
    """Flows below this many chips are left out of the serving table, their sum reported."""
    slices: Annotated[tuple[TimeSlice, ...], Field(min_length=1, max_length=168)]
    """Time slices; together they cover each hour of the week once."""
