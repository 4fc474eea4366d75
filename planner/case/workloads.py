"""Typed rows of a case, part three: what is served and trained, and how fast."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from planner.case.records import (
    Flop,
    Key,
    Name,
    NameOrEmpty,
    Names,
    NonNegative,
    PeriodLabel,
    Positive,
    Record,
    Share,
)


class ServedModel(Record):
    """A served model: `models.csv`."""

    model: Name
    """Name of the model."""
    generation: Name
    """Model generation; chips are qualified per generation."""
    architecture: Name
    """Row of `architectures.csv` that stands for it in the throughput model."""
    proxy: bool
    """Whether that architecture is only assumed to be of like size."""
    precision: Literal["bf16", "fp8", "fp4"]
    """Lowest weight precision that its quality allows; chips without it use the next higher."""
    served_from: PeriodLabel | None = None
    """First period in which it is served; empty = from the start."""
    served_to: PeriodLabel | None = None
    """Last period in which it is served; empty = to the end."""


class ServiceClass(Record):
    """A service class: `classes.csv`."""

    service_class: Name = Field(alias="class")
    """Name of the class."""
    ttft_ms: Positive | None = None
    """Limit on the time to first token, round trip included, ms; empty = none."""
    ttft_percentile: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.95
    """Share of requests that must keep the TTFT limit."""
    tpot_ms: Positive | None = None
    """Limit on the time per output token, ms; empty = none."""
    deferrable: bool
    """Whether only the weekly volume counts, not the hour."""
    headroom: Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)]
    """Factor on peak demand that capacity must carry (forecast error)."""
    penalty_usd_per_million_tokens: NonNegative
    """Price of not serving, USD per million computed tokens (input not cached, and output)."""
    failover_cached_share: Share = 0.0
    """Share of the cached tokens that are still cached after a failover."""


class Serving(Record):
    """A serving workload: `serving.csv`."""

    workload: Name
    """Name of the workload."""
    model: Name
    """Served model."""
    geography: Name
    """Where its users are."""
    service_class: Name = Field(alias="class")
    """Service class."""
    channel: Name
    """How it is sold: first-party, or the marketplace of a cloud."""
    input_tokens: Positive
    """Mean input tokens a request, cached ones included."""
    cached_tokens: NonNegative
    """Mean input tokens a request that the prefix cache holds."""
    output_tokens: Positive
    """Mean output tokens a request."""
    allowed_clouds: Names = ("*",)
    """Clouds that may serve it; `*` = all."""
    allowed_geographies: Names = ("*",)
    """Geographies whose regions may serve it; `*` = all."""


class Demand(Record):
    """Weekly mean demand of a workload in a period: `demand.csv`."""

    workload: Name
    """Serving workload."""
    period: PeriodLabel
    """Period."""
    requests_per_s: NonNegative
    """Mean over the representative week, requests per second."""


class ProfilePoint(Record):
    """One hour of the week in local time: `profile.csv`."""

    geography: Key
    """User geography, or `*`."""
    service_class: Key = Field(alias="class")
    """Service class, or `*`."""
    hour_of_week: Annotated[int, Field(ge=0, le=167)]
    """Hour since Monday 00:00 local time."""
    factor: NonNegative
    """Demand of that hour over the weekly mean; the week is normalised to mean 1."""


class TrainingRun(Record):
    """A training run or a standing research load: `training.csv`."""

    run: Name
    """Name of the run."""
    kind: Literal["run", "standing"]
    """A run has a volume in FLOP; a standing load holds peak FLOP/s on average over the week."""
    training_flop: Flop | None = None
    """Runs: model FLOP to be done."""
    held_eflop_per_s: Positive | None = None
    """Standing loads: dense BF16 peak held, EFLOP/s."""
    earliest: PeriodLabel
    """First period in which it may run."""
    deadline: PeriodLabel
    """Last period in which it may run."""
    max_chips: Positive | None = None
    """Largest cluster, chips that are usable; empty = no limit."""
    precision: Literal["bf16", "fp8"] = "bf16"
    """Precision of the matrix work; FP8 runs at the chip's FP8 peak and the same MFU."""
    allowed_chips: Names = ("*",)
    """Chip families that it may use; `*` = all that are training capable."""
    generation: NameOrEmpty = ""
    """Model generation that is trained: chips are qualified for its training by generation;
    empty = every generation, so that all work to qualify a chip for training binds it."""
    can_pause: bool
    """Whether it can stop and go by the slice."""
    pause_overhead: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0
    """Extra work of a pausable run for saving and loading, share of its FLOP."""
    preemptible: bool = False
    """Whether it may use interruptible chips and gives chips up in a contingency."""
    value_usd: Positive
    """Price of not doing it (a standing load: for its whole window), USD."""


class MeasuredRate(Record):
    """A measured rate that overrides the throughput model: `throughput.csv` (optional)."""

    model: Name
    """Served model."""
    chip: Name
    """Chip family."""
    service_class: Name = Field(alias="class")
    """Service class whose targets the measurement kept."""
    input_tokens: Positive
    """Input tokens of the measured requests; must equal those of a workload."""
    cached_tokens: NonNegative
    """Cached input tokens of the measured requests."""
    output_tokens: Positive
    """Output tokens of the measured requests."""
    max_rtt_ms: NonNegative
    """Longest round trip at which the class's TTFT still holds at this rate, ms."""
    requests_per_s_per_chip: Positive
    """Measured rate, requests per second and chip."""
    low: Positive
    """Low end of the rate's band."""
    high: Positive
    """High end of the rate's band."""


class Efficiency(Record):
    """Software gains: `efficiency.csv`. The most specific row wins."""

    model: Key
    """Served model, or `*`."""
    chip: Key
    """Chip family, or `*`."""
    gain_per_year: Annotated[float, Field(gt=-1, le=10, allow_inf_nan=False)]
    """Relative gain of the rate a year, from the case's start."""
    gain_per_year_low: Annotated[float, Field(gt=-1, le=10, allow_inf_nan=False)]
    """Low end of the gain's band."""
    gain_per_year_high: Annotated[float, Field(gt=-1, le=10, allow_inf_nan=False)]
    """High end of the gain's band."""
