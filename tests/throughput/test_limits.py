"""Limits of the grid: they hold exactly, on any pair of configurations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.case.records import Chip
from planner.throughput import (
    Limit,
    Options,
    Provenance,
    RateTable,
    Shape,
    best_rates,
    load_factors,
    measured_chips,
    open_architectures,
)

FACTORS = load_factors()
MODELS = [
    open_architectures()[k]
    for k in ("MiniMax-M2.5", "DeepSeek-V3", "gpt-oss-120b", "Llama-3.1-70B", "GLM-5")
]
CHIPS = [measured_chips()[k] for k in ("H100", "H200", "B200", "GB200", "MI300X", "Trainium2")]


def shape(**values: float) -> Shape:
    """One workload per model."""
    default = {
        "input_tokens": 6000.0,
        "cached_tokens": 2000.0,
        "output_tokens": 400.0,
        "ttft_ms": 1500.0,
        "tpot_ms": 30.0,
        "percentile": 0.95,
    }
    return Shape(**{k: np.full(5, v) for k, v in {**default, **values}.items()})


def rates(
    s: Shape | None = None,
    chips: list[Chip] | None = None,
    trip: float = 40.0,
    options: Options | None = None,
) -> RateTable:
    """Rates of every model on every chip at one round trip."""
    return best_rates(
        MODELS,
        CHIPS if chips is None else chips,
        np.arange(len(MODELS)),
        shape() if s is None else s,
        np.full((len(MODELS), 1), trip),
        factors=FACTORS,
        options=options,
    )


def never_below(more: RateTable, less: RateTable) -> None:
    a, b = more.requests_per_s_per_chip, less.requests_per_s_per_chip
    assert np.all(a >= b * (1 - 1e-12))


@settings(max_examples=12, deadline=None)
@given(
    field=st.sampled_from(["ttft_ms", "tpot_ms"]),
    start=st.floats(10.0, 3000.0),
    factor=st.floats(1.0, 3.0),
)
def test_looser_targets_never_lower_the_rate(field: str, start: float, factor: float) -> None:
    never_below(rates(shape(**{field: start * factor})), rates(shape(**{field: start})))


@settings(max_examples=12, deadline=None)
@given(
    field=st.sampled_from(["input_tokens", "output_tokens"]),
    start=st.floats(100.0, 60_000.0),
    factor=st.floats(1.0, 2.0),
)
def test_longer_requests_never_raise_the_rate(field: str, start: float, factor: float) -> None:
    never_below(
        rates(shape(cached_tokens=50.0, **{field: start})),
        rates(shape(cached_tokens=50.0, **{field: start * factor})),
    )


@settings(max_examples=10, deadline=None)
@given(cached=st.floats(0.0, 5900.0), less=st.floats(0.0, 1.0))
def test_a_colder_cache_never_raises_the_rate(cached: float, less: float) -> None:
    never_below(rates(shape(cached_tokens=cached)), rates(shape(cached_tokens=cached * less)))


@settings(max_examples=12, deadline=None)
@given(
    field=st.sampled_from(
        ["hbm_tb_per_s", "bf16_tflops", "fp8_tflops", "fp4_tflops", "hbm_gb", "scaleup_gb_per_s"]
    ),
    factor=st.floats(1.0, 4.0),
    tpot=st.floats(8.0, 100.0),
)
def test_a_better_chip_never_lowers_the_rate(field: str, factor: float, tpot: float) -> None:
    better = [
        c.model_copy(update={field: getattr(c, field) * factor}) if getattr(c, field) else c
        for c in CHIPS
    ]
    never_below(rates(shape(tpot_ms=tpot), better), rates(shape(tpot_ms=tpot)))


@settings(max_examples=10, deadline=None)
@given(trip=st.floats(0.0, 2000.0), more=st.floats(0.0, 500.0))
def test_a_longer_round_trip_never_raises_the_rate(trip: float, more: float) -> None:
    never_below(rates(trip=trip), rates(trip=trip + more))


def test_a_model_that_does_not_fit_has_no_rate_and_says_so() -> None:
    tiny = CHIPS[0].model_copy(update={"hbm_gb": 0.05})
    table = rates(chips=[tiny])
    assert np.all(table.requests_per_s_per_chip == 0)
    assert np.all(table.limit == Limit.DOES_NOT_FIT)
    assert np.all(table.chips_per_replica == 0)
    assert np.all(np.isnan(table.tpot_ms))


def test_reasons_of_impossible_targets() -> None:
    assert np.all(rates(shape(tpot_ms=0.01, ttft_ms=np.inf)).limit == Limit.TPOT)
    assert np.all(rates(shape(ttft_ms=1.0), trip=0.0).limit == Limit.TTFT)
    far = rates(shape(ttft_ms=60_000.0), trip=59_999.0)
    assert np.all(far.limit == Limit.ROUND_TRIP)
    assert np.all(far.requests_per_s_per_chip == 0)
    assert np.all(rates(trip=np.inf).requests_per_s_per_chip == 0)


def test_targets_hold_at_the_chosen_configuration() -> None:
    table = rates()
    alive = table.requests_per_s_per_chip > 0
    assert alive.sum() >= 10
    assert np.all(table.ttft_ms[alive] <= 1500.0 * (1 + 1e-9))
    assert np.all(table.tpot_ms[alive] <= 30.0 * (1 + 1e-9))
    assert np.all(table.limit[alive] > 10)
    assert np.all(table.low[alive] < table.requests_per_s_per_chip[alive])
    assert np.all(table.high[alive] > table.requests_per_s_per_chip[alive])


def test_provenance_by_measurement_and_length() -> None:
    table = rates()
    names = [c.chip for c in CHIPS]
    assert table.provenance[1, names.index("H200"), 0] == Provenance.CALIBRATED
    assert table.provenance[1, names.index("MI300X"), 0] == Provenance.MODELLED
    long = rates(shape(input_tokens=50_000.0, cached_tokens=45_000.0, ttft_ms=1e5, tpot_ms=200.0))
    assert np.all(long.provenance == Provenance.EXTRAPOLATED)

    def width(t: RateTable, chip: str) -> float:
        at = (1, names.index(chip), 0)
        return float(t.high[at] / t.low[at])

    assert width(table, "H200") < width(table, "MI300X") < 12
    assert width(table, "H200") < width(long, "H200")


def test_no_targets_give_the_largest_rate_and_ties_to_memory_or_compute() -> None:
    free = rates(shape(ttft_ms=np.inf, tpot_ms=np.inf))
    never_below(free, rates())
    assert np.all(np.isfinite(free.requests_per_s_per_chip))


def test_tpot_at_a_high_percentile_costs_rate() -> None:
    median = shape()
    tail = replace(median, tpot_percentile=np.full(5, 0.99))
    never_below(rates(median), rates(tail))
    assert rates(tail).requests_per_s_per_chip.sum() < rates(median).requests_per_s_per_chip.sum()


def test_kept_prefixes_take_memory() -> None:
    s = shape(input_tokens=40_000.0, cached_tokens=36_000.0, ttft_ms=np.inf, tpot_ms=np.inf)
    never_below(rates(s, options=Options(kept_prefixes=0.0)), rates(s))


@pytest.mark.parametrize("bad", ["length", "trips", "index", "precision"])
def test_arguments_that_do_not_belong_together(bad: str) -> None:
    s, trips, index, precisions = shape(), np.zeros((5, 2)), np.arange(5), ("fp8",)
    if bad == "length":
        s = replace(s, output_tokens=np.ones(4))
    elif bad == "trips":
        trips = np.zeros((4, 2))
    elif bad == "index":
        index = np.arange(5) + 3
    else:
        precisions = ("int3",)
    with pytest.raises(ValueError, match=r"shape|round_trip|model_index|precisions"):
        best_rates(MODELS, CHIPS, index, s, trips, precisions, FACTORS)


def test_fp4_needs_fp4_arithmetic_unless_asked() -> None:
    args = (MODELS, CHIPS[:2], np.arange(5), shape(), np.zeros((5, 1)), ("fp4",), FACTORS)
    assert np.all(best_rates(*args).limit == Limit.NO_PRECISION)
    assert np.any(best_rates(*args, Options(weight_only_fp4=True)).requests_per_s_per_chip > 0)
