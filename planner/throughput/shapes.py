"""What the grid takes and gives: request shapes, options, codes and the table of rates."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from planner.throughput.inputs import FloatArray, IntArray


class Provenance(IntEnum):
    """How a rate came about, from the firmest; `MEASURED` is set by whoever has a measurement."""

    MEASURED = 0
    CALIBRATED = 1
    MODELLED = 2
    EXTRAPOLATED = 3


class Limit(IntEnum):
    """Why a rate is zero (below 10), or what binds a positive one."""

    DOES_NOT_FIT = 1
    ROUND_TRIP = 2
    TTFT = 3
    TPOT = 4
    NO_PRECISION = 5
    BINDS_TTFT = 11
    BINDS_TPOT_MEMORY = 12
    BINDS_TPOT_COMPUTE = 13
    BINDS_TPOT_COLLECTIVE = 14
    BINDS_TPOT_OVERHEAD = 15
    BINDS_CAPACITY = 16
    BINDS_PREFILL = 17
    BINDS_BATCH_GRID = 18


@dataclass(frozen=True)
class Shape:
    """Request shapes and targets of W workloads; every array has length W."""

    input_tokens: FloatArray
    """Mean input, cached part included, tokens."""
    cached_tokens: FloatArray
    """Mean part of the input served from the prefix cache, tokens."""
    output_tokens: FloatArray
    """Mean output, tokens."""
    ttft_ms: FloatArray
    """Target for the time to first token, round trip included; infinity = none."""
    tpot_ms: FloatArray
    """Target for the time per output token; infinity = none."""
    percentile: FloatArray
    """Percentile at which TTFT is judged, such as 0.95."""
    tpot_percentile: FloatArray | None = None
    """Percentile at which TPOT is judged; None = the median."""

    def rows(self, index: slice) -> Shape:
        """The workloads at `index`, all arrays as floats."""

        def cut(values: FloatArray) -> FloatArray:
            return np.asarray(values, dtype=float)[index]

        level = self.tpot_percentile
        return Shape(
            cut(self.input_tokens),
            cut(self.cached_tokens),
            cut(self.output_tokens),
            cut(self.ttft_ms),
            cut(self.tpot_ms),
            cut(self.percentile),
            None if level is None else cut(level),
        )


@dataclass(frozen=True)
class Options:
    """Assumptions of the planner that no measurement fixes."""

    chunk_tokens: float = 8192.0
    """New tokens that one step prefills at most; each step also decodes the batch."""
    service_cv: float = 1.0
    """Coefficient of variation of prefill times, from the spread of new tokens. The inputs of the
    public Azure traces (`data/calibration/token_lengths.csv`) have about one."""
    max_utilisation: float = 0.95
    """Ceiling of the prefill pipe's utilisation when there is no TTFT target."""
    kept_prefixes: float = 1.0
    """Idle prefixes, each as long as the mean input, kept in memory per running request. It does
    not depend on the hit rate, so that a cold cache never looks better than a warm one."""
    disaggregation: bool = True
    """Whether separate prefill and decode replicas may be chosen."""
    weight_only_fp4: bool = False
    """Whether FP4 weights may be used on chips without FP4 arithmetic."""


@dataclass(frozen=True)
class RateTable:
    """Best configurations, arrays of shape (workloads, chips, round trips)."""

    requests_per_s_per_chip: FloatArray
    """Mid rate; 0 where impossible."""
    low: FloatArray
    """Low end of the band."""
    high: FloatArray
    """High end of the band."""
    provenance: IntArray
    """Codes of `Provenance`."""
    limit: IntArray
    """Codes of `Limit`."""
    chips_per_replica: IntArray
    """Chosen n; 0 where impossible."""
    batch: IntArray
    """Chosen batch per replica."""
    precision: IntArray
    """Index into `PRECISIONS`."""
    mode: IntArray
    """Index into `MODES`."""
    ttft_ms: FloatArray
    """TTFT at the percentile, round trip included."""
    tpot_ms: FloatArray
    """TPOT."""
    output_tokens_per_s_per_chip: FloatArray
    """Rate times output tokens."""

    def reason(self, at: tuple[int, int, int]) -> str:
        """What limits the rate at (workload, chip, round trip), in lower-case words."""
        return Limit(int(self.limit[at])).name.lower().replace("_", " ")
