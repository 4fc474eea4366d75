"""Typed rows of a case, part one: the record base, hardware and places.

Every record is frozen and forbids unknown columns. A field's docstring says what it is and
its unit; the unit also stands at the end of the name. The other records are in
`commercial.py` (offers, contracts) and `workloads.py` (models, classes, demand, training).
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

Basis = Literal["published", "measured", "derived", "assumption"]
"""Where a row's numbers come from; a row that does not say counts as an assumption."""


def _split(value: Any) -> Any:
    """Turn a cell such as `a;b` into a tuple; leave anything that is not text alone."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(";") if part.strip())
    return value


def _written_as_day(value: Any) -> Any:
    """Refuse what pydantic would take for seconds since 1970, such as 0 or `20260701`."""
    if isinstance(value, date) or re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)):
        return value
    raise ValueError("is not a day such as 2026-07-01")


def _in_our_time(day: date) -> date:
    """Refuse days so far off that the calendar of a contract could not hold them."""
    if 1990 <= day.year < 2200:
        return day
    raise ValueError("is not between 1990 and 2199")


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ +/-]*$", max_length=80)]
"""A label: letters, digits, space and . _ + / -, at most 80 characters."""
Key = Annotated[
    str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._ +/-]*)$", max_length=80)
]
"""A label, or `*` for every label."""
NameOrEmpty = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._ +/-]*)?$", max_length=80)
]
"""A label, or nothing."""
PeriodLabel = Annotated[str, StringConstraints(pattern=r"^\d{4}-(Q[1-4]|0[1-9]|1[0-2])$")]
"""A quarter (`2026-Q3`) or a month (`2026-07`)."""
PeriodKey = Annotated[str, StringConstraints(pattern=r"^(\*|\d{4}-(Q[1-4]|0[1-9]|1[0-2]))$")]
"""A period label, or `*` for every period."""
Names = Annotated[tuple[Key, ...], BeforeValidator(_split)]
"""Labels separated by `;`; `*` stands for all."""
Shares = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)], ...], BeforeValidator(_split)
]
"""Shares between 0 and 1 separated by `;`, such as a delivery ramp `0.5;1`."""
Day = Annotated[date, BeforeValidator(_written_as_day), AfterValidator(_in_our_time)]
"""A day, written `2026-07-01`."""
Count = Annotated[int, Field(ge=1, le=10**9)]
CountOrZero = Annotated[int, Field(ge=0, le=10**9)]
NonNegative = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)]
"""Beyond a thousand million million of anything a solve could not tell one from none."""
Flop = Annotated[float, Field(gt=0, le=1e36, allow_inf_nan=False)]
"""Operations of a training run."""
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Record(BaseModel):
    """One row of a table. Frozen; unknown columns are refused; NaN and infinity are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    source: str = Field(default="", max_length=2000)
    """Where the numbers of this row were found; reported with the plan."""
    basis: Basis = "assumption"
    """published, measured, derived or assumption; reported with the plan."""

    @field_validator("basis", mode="after")
    @classmethod
    def _said_where(cls, basis: str, info: ValidationInfo) -> str:
        if basis != "assumption" and not info.data.get("source", "unread"):
            raise ValueError(f"'{basis}' needs a source")
        return basis


class Chip(Record):
    """A chip family: `chips.csv`. Peaks are dense, without sparsity."""

    chip: Name
    """Name of the chip family."""
    vendor: Name
    """Who designs it; diversification and supply stops go by vendor."""
    family: Name
    """Calibration family of the throughput model (hopper, blackwell, trainium, tpu, ...)."""
    bf16_tflops: Positive
    """Dense BF16 peak, TFLOP/s."""
    fp8_tflops: Positive | None = None
    """Dense FP8 peak, TFLOP/s; empty when the chip has no FP8."""
    fp4_tflops: Positive | None = None
    """Dense FP4 peak, TFLOP/s; empty when the chip has no FP4."""
    hbm_gb: Positive
    """Memory per chip, decimal GB."""
    hbm_tb_per_s: Positive
    """Memory bandwidth per chip, TB/s."""
    scaleup_gb_per_s: Positive
    """Scale-up link bandwidth per chip, both directions together, GB/s."""
    scaleup_domain_chips: Count
    """Largest number of chips in one scale-up domain."""
    kw_per_chip: Positive
    """All-in power per chip: host, network and cooling included, kW."""
    training_capable: bool
    """Whether training runs may be placed on it."""
    mfu: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    """Share of the dense BF16 peak that training reaches; empty = from measured runs of the
    chip or its family."""
    mfu_includes_goodput: bool = False
    """Whether `mfu` already counts time lost to failures, so that they count once."""
    announced: Day
    """Day of the public announcement; not after the case's `as_of`."""
    ready_for_service: Day | None = None
    """First day on which customers can use it; before it, supply counts as zero."""


class Architecture(Record):
    """Numbers of a model that the throughput model needs: `architectures.csv`."""

    architecture: Name
    """Name of the architecture, such as an open model."""
    total_params_b: Positive
    """All weights, billions."""
    active_params_b: Positive
    """Weights that one token uses, billions."""
    layers: Count
    """Transformer layers."""
    hidden_size: Count
    """Width of the residual stream, elements."""
    attention_heads: Count
    """Query heads."""
    kv_heads: Count
    """Key and value heads (grouped-query attention)."""
    head_dim: Count
    """Width of one head, elements."""
    attention: Literal["gqa", "mla"]
    """Grouped-query or latent attention."""
    kv_latent_dim: CountOrZero = 0
    """Latent attention: cached elements per layer and token; 0 for grouped-query."""
    experts: CountOrZero = 0
    """Routed experts per layer; 0 for a dense model."""
    experts_per_token: CountOrZero = 0
    """Routed experts that one token uses."""
    routed_params_b: NonNegative = 0.0
    """Weights in routed experts in total, billions."""
    full_attention_layers: CountOrZero
    """Layers whose attention spans the whole context."""
    window_tokens: CountOrZero = 0
    """Attention window of the other layers, tokens; 0 = constant state."""
    sparse_tokens: CountOrZero = 0
    """Sparse attention: cached tokens that one query reads at most; 0 = all of them."""


class Geography(Record):
    """A part of the world where users are, or regions stand: `geographies.csv`."""

    geography: Name
    """Name of the geography."""
    utc_offset_hours: Annotated[float, Field(ge=-12, le=14, allow_inf_nan=False)]
    """Local time less UTC, hours; demand profiles are in local time."""


class Region(Record):
    """A cloud region: `regions.csv`."""

    cloud: Name
    """Provider."""
    region: Name
    """Region of that provider."""
    geography: Name
    """Where it stands; resident workloads stay in their geographies."""
    campus: NameOrEmpty = ""
    """Regions of one cloud and campus can host one training run together; empty = alone."""
    price_multiplier: Positive = 1.0
    """Factor on every offer price in this region."""
    install_limit_chips: Positive | None = None
    """Most chips that new lots may start in one period; empty = no limit."""


class Pool(Record):
    """Chips of one family in one region: `pools.csv`."""

    cloud: Name
    """Provider."""
    region: Name
    """Region."""
    chip: Name
    """Chip family."""
    usable_share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    """Share of contracted chips that work at a time (failures, maintenance, fragments)."""
    pod_chips: Count = 1
    """Training takes whole pods of this many chips, of each pool when a campus hosts a run."""


class Supply(Record):
    """The most chips that a provider lets us have: `supply.csv`.

    Every period from the chip's ready-for-service date on needs a row, or `*`; 0 says none.
    """

    cloud: Name
    """Provider."""
    region: Name
    """Region."""
    chip: Name
    """Chip family."""
    period: PeriodKey
    """Period, or `*` for all that have no row of their own."""
    chips: NonNegative
    """Chips that can be under contract in the pool in that period."""


class NetworkPath(Record):
    """A round trip between users and a region: `network.csv`."""

    geography: Key
    """User geography, or `*`."""
    cloud: Key
    """Provider, or `*`."""
    region: Key
    """Region, or `*`."""
    rtt_ms: NonNegative
    """Round trip, milliseconds."""
