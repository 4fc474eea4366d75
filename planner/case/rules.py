"""Typed rows of a case, part five: limits, contingencies, qualification."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from planner.case.records import Key, Name, NonNegative, PeriodLabel, Positive, Record

Dimension = Literal["cloud", "vendor", "chip", "region"]
"""What pools are grouped by. A region is named `cloud/region`."""
Measure = Literal["spend", "chips", "training_peak", "served"]
"""What a share is taken of.

spend: accrued payments, existing contracts included; chips: contracted and hourly chips in
reference chips; training_peak: dense BF16 peak of contracted training-capable chips; served:
served requests in reference chips.
"""


class Limit(Record):
    """A rule on the whole plan: `limits.csv`."""

    limit: Name
    """Name of the rule."""
    kind: Literal["share", "power", "budget", "placement"]
    """share: no member has more than `bound` of the measure; power: MW of a region; budget: cash
    of a period, rebates and credits taken off, USD; placement: at least `count` members carry
    `bound` of a model's demand."""
    dimension: Dimension | None = None
    """share, placement: what members are; power: region."""
    member: Key = "*"
    """Member, or `*` for each of them."""
    measure: Measure | None = None
    """share: what it is a share of."""
    model: Key = "*"
    """placement: served model, or `*` for each of them."""
    count: Annotated[int, Field(ge=1)] | None = None
    """placement: least number of members."""
    bound: NonNegative
    """share and placement: 0 to 1; power: MW; budget: USD a period."""
    period_from: PeriodLabel | None = None
    """First period; empty = the first."""
    period_to: PeriodLabel | None = None
    """Last period; empty = the last."""
    penalty_usd_per_unit: Positive | None = None
    """Price of exceeding it by one unit for a period (share: of the measure; power: MW; budget:
    USD; placement: not allowed); empty = hard."""


class Contingency(Record):
    """A loss that the plan must survive: `contingencies.csv`."""

    contingency: Name
    """Name of the rule."""
    kind: Literal["outage", "supply_stop"]
    """An outage takes installed chips away; a supply stop takes lots delivered from then on."""
    dimension: Dimension
    """What is lost."""
    member: Key = "*"
    """Member, or `*` for each of them, one at a time."""
    months: Annotated[int, Field(ge=1, le=120)] = 3
    """Supply stop: how long it has lasted; lots that started within that time are missing."""
    period_from: PeriodLabel | None = None
    """First period that must survive it; empty = the first that decisions can reach."""
    period_to: PeriodLabel | None = None
    """Last period that must survive it; empty = the last."""


class Survival(Record):
    """What a class promises in a contingency: `survival.csv`."""

    service_class: Name = Field(alias="class")
    """Service class."""
    kind: Literal["outage", "supply_stop"]
    """Kind of contingency."""
    dimension: Dimension
    """What is lost."""
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    """Share of peak demand that is still served."""


class Qualification(Record):
    """The work to enable a chip family for a model generation: `qualification.csv`.

    A pair without a row needs no work.
    """

    chip: Name
    """Chip family."""
    generation: Name
    """Model generation; paid again for each."""
    purpose: Literal["serving", "training"]
    """What the work enables."""
    done: bool = False
    """Whether it is already qualified."""
    cost_usd: NonNegative = 0.0
    """Cost of the work, paid when it begins, USD."""
    engineers: NonNegative = 0.0
    """Engineers from its beginning until it is done."""
    lead_months: Annotated[int, Field(ge=0, le=60)] = 0
    """Months from beginning to first use."""
