"""Typed rows of a case, part two: offers and what is already signed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from planner.case.records import (
    Count,
    Day,
    Key,
    Name,
    NameOrEmpty,
    NonNegative,
    Positive,
    Record,
    Share,
    Shares,
)

OfferKind = Literal["on_demand", "spot", "reserved", "capacity_block"]
"""on_demand and spot are pay as you go by the hour; reserved and capacity_block have a term."""


class Offer(Record):
    """One way to obtain chips: `offers.csv`.

    A row may name pools by `*`. For each offer name and pool the most specific row wins; two
    rows that are equally specific for a pool are an error.
    """

    offer: Name
    """Name of the offer, such as `reserved-3y`."""
    cloud: Key
    """Provider, or `*`."""
    region: Key
    """Region, or `*`."""
    chip: Key
    """Chip family, or `*`."""
    kind: OfferKind
    """Contract kind; on_demand and spot are billed by use, the others by term."""
    interruptible: bool = False
    """The provider may take the chips back: not for interactive or non-preemptible work."""
    goodput_share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    """Pay as you go: share of billed chips that do work (interruptions, start-up)."""
    price_usd_per_chip_hour: NonNegative
    """Price for a start with the case, before the region's multiplier, USD per chip and hour."""
    price_trend_per_year: Annotated[float, Field(gt=-1, le=5, allow_inf_nan=False)] = 0.0
    """Relative change of the price a year later that a start is: -0.08 = 8 % cheaper."""
    floating: bool = False
    """Whether a running contract follows the trend; otherwise it keeps the price of its start."""
    term_months: Annotated[int, Field(ge=0, le=240)] = 0
    """Length of the contract, months; 0 for pay as you go."""
    lead_days: Annotated[int, Field(ge=0, le=3650)] = 0
    """Days from signing to the first delivery; nothing starts before as_of + lead."""
    ramp: Shares = (1.0,)
    """Share of a lot that is delivered in its first, second, ... period; then all of it."""
    lot_chips: Positive = 1.0
    """Chips in one delivery lot."""
    min_lots: Count = 1
    """Fewest lots that can start in a period, when any does."""
    max_lots: Count | None = None
    """Most lots that can start in one period in one pool; empty = as supply allows."""
    window_from: Day | None = None
    """First day on which lots of this offer can start."""
    window_to: Day | None = None
    """Last day on which lots of this offer can start."""
    upfront_share: Share = 0.0
    """Share of the contract's whole value that is paid at the start; the rest runs evenly."""
    deal: NameOrEmpty = ""
    """Deal that opens the offer; empty = none is needed."""
    guaranteed: bool = False
    """Pay as you go: whether the provider promises it in a contingency, when everyone asks."""
    max_chips: NonNegative | None = None
    """Pay as you go: most chips in one pool; empty = no limit of its own."""
    max_supply_share: Share | None = None
    """Pay as you go: most chips as a share of the pool's supply; empty = no such limit."""


class Contract(Record):
    """A line of a contract that is already signed: `contracts.csv`.

    Lines with one contract name belong together: leaving the contract ends all of them.
    """

    contract: Name
    """Name of the contract."""
    cloud: Name
    """Provider."""
    region: Name
    """Region."""
    chip: Name
    """Chip family."""
    chips: Positive
    """Chips once fully delivered."""
    start: Day
    """First day of the contract."""
    end: Day
    """First day after the contract."""
    ramp: Shares = (1.0,)
    """Share delivered in the first, second, ... period since the start; then all."""
    payment_usd_per_chip_hour: NonNegative
    """Payment for each delivered chip, used or not, USD per chip and hour."""
    take_or_pay: bool
    """Whether it must be paid to its end; otherwise it can be left with notice."""
    notice_days: Annotated[int, Field(ge=0, le=3650)] | None = None
    """Days of notice to leave; needed where it can be left."""
    exit_fee_usd: NonNegative = 0.0
    """Paid once when this line is left before its end, USD."""
