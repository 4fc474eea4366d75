"""Typed rows of a case, part four: framework deals, spend commitments, discount tiers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from planner.case.records import Day, Name, NonNegative, PeriodLabel, Positive, Record, Share

DealStatus = Literal["signed", "negotiating", "rejected"]
"""signed opens its offers; negotiating leaves the decision to the plan; rejected closes them."""


class Deal(Record):
    """A framework agreement that opens offers: `deals.csv`."""

    deal: Name
    """Name of the deal; offers name it in their column `deal`."""
    status: DealStatus
    """Whether it is signed, still ours to decide, or off the table."""
    signing_cost_usd: NonNegative = 0.0
    """Paid once at signing when the plan signs it, USD."""
    prepayment_usd: NonNegative = 0.0
    """Paid at signing and credited against later payments, USD."""
    prepayment_credited_months: Annotated[int, Field(ge=0, le=240)] = 0
    """Months after signing at which the prepayment has come back as credit."""
    minimum_spend_usd: NonNegative = 0.0
    """Least payments to its offers within the horizon, USD; a shortfall is paid at its end."""
    earliest_signing: Day | None = None
    """First day on which it can be signed; empty = as_of."""
    ready_for_service: Day | None = None
    """First day on which its offers can deliver; lots start no earlier."""


class Commitment(Record):
    """A spend commitment over a window: `commitments.csv`."""

    commitment: Name
    """Name; the windows of one commitment share it."""
    cloud: Name
    """Provider to whom it is owed."""
    period_from: PeriodLabel
    """First period of the window."""
    period_to: PeriodLabel
    """Last period of the window."""
    minimum_usd: Positive
    """Least accrued spend in the window, USD; a shortfall is paid in its last period."""
    carry_over_share: Share = 0.0
    """Share of spend above the minimum that counts in the commitment's next window."""
    counts: Literal["all", "contracts", "pay_as_you_go"] = "all"
    """Which spend counts."""


class Tier(Record):
    """A step of a whole-spend discount by year: `tiers.csv`."""

    cloud: Name
    """Provider that gives it."""
    tier: Name
    """Name of the step."""
    year: Annotated[int, Field(ge=2000, le=2200)]
    """Calendar year of the spend."""
    from_usd: NonNegative
    """Accrued spend in the year at which the step begins, USD; a year that the horizon cuts has
    the part of it that its days within the horizon are of the year."""
    discount: Share
    """Discount on the whole year's spend, paid back at the year's end."""
