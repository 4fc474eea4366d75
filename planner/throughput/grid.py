"""The best feasible configuration of every (workload, chip, round trip): one numpy grid.

A configuration is (precision, replica size n, batch B, mode). Its largest request rate R obeys

- TPOT: `t(B) / (1 - g R p) <= T`, so `R <= (1 - t(B) / T) / (g p)`;
- Little's law with at most B sequences in decode: `R out t(B) / (1 - g R p) <= B`, so
  `R <= B / (out t(B) + g B p)`;
- TTFT: the prefill pipe, one server with service time s, keeps its percentile:
  `first + round trip + t(B) + s (a + v L u / (1 - u)) <= target` at utilisation `u = R s`;

with first the fixed time of a first token, t the decode step, p the prefill time, g the share of
it that delays running requests, L `-log(1 - percentile)`, `a = 1 + (L - 1) cv` the service
quantile and `v = (1 + cv^2) / 2`. The rate of the configuration is the least of the three, and
theta is the largest rate per chip. Each of the three falls, or stays, when input or output grow,
the cache hits less, or bandwidth, compute or targets tighten, so their minimum and the maximum
over configurations do as well: the limits hold exactly on the discrete grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from planner.case.records import Architecture, Chip
from planner.throughput import physics
from planner.throughput.bands import band_of, provenance_codes
from planner.throughput.factors import Factors, load_factors, resolve
from planner.throughput.inputs import (
    PRECISIONS,
    BoolArray,
    ChipArrays,
    FloatArray,
    IntArray,
    chip_arrays,
    model_arrays,
)
from planner.throughput.shapes import Limit, Options, Provenance, RateTable, Shape

__all__ = ["Limit", "Options", "Provenance", "RateTable", "Shape", "best_rates"]

SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Replica sizes tried, chips; beyond the scale-up domain they meet over the scale-out network."""
BATCHES = np.unique(np.round(np.geomspace(1, 4096, 49)))
"""Batches tried."""
BLOCK = 250_000
"""Configurations evaluated at once per round trip; bounds the memory of the temporaries."""
MODES = ("aggregated", "disaggregated")
"""Serving modes; the index is the mode's code."""


def _queue_rate(
    slack: FloatArray, s: FloatArray, a: FloatArray, v: FloatArray, top: float
) -> FloatArray:
    """Largest rate of a pipe with service time `s` ms that leaves `slack` ms at the percentile.

    `u = 1 / (1 + v / (slack / s - a))`, at most `top`; 0 when even an empty pipe is too slow.
    """
    room = slack / s - a
    with np.errstate(divide="ignore", invalid="ignore"):
        used = np.where(room > 0, 1.0 / (1.0 + v / np.maximum(room, 1e-300)), 0.0)
    return np.asarray(1e3 * np.minimum(used, top) / s)


@dataclass(frozen=True)
class _Grid:
    """Terms that do not depend on the round trip; axes (W, C, P, N, B) or broadcastable."""

    step: FloatArray
    parts: physics.Step
    prefill: FloatArray
    share: FloatArray
    pipe: FloatArray
    free: FloatArray
    """TTFT target less handling and one step, ms: what the round trip and the pipe may use."""
    tpot_rate: FloatArray
    decode_rate: FloatArray
    """Least of the TPOT and batch limits, requests/s per replica; 0 where not allowed."""
    alone: FloatArray
    """Decode step of a replica that only decodes, ms."""
    alone_rate: FloatArray
    """Rate of a decode-only replica."""
    native: BoolArray
    fits: BoolArray
    allowed: BoolArray
    tpot_ok: BoolArray
    quantile: FloatArray
    spread: FloatArray
    target: FloatArray
    first: FloatArray


def _build(
    architectures: Sequence[Architecture],
    chips: ChipArrays,
    coefficients: FloatArray,
    separate: FloatArray,
    codes: IntArray,
    model_index: IntArray,
    shape: Shape,
    options: Options,
) -> _Grid:
    """All terms of the grid for the workloads of `shape`; coefficients (models, C, P, J).

    `separate` are those of a replica that only decodes.
    """

    def w(x: FloatArray) -> FloatArray:
        return np.asarray(x, dtype=float)[:, None, None, None, None]

    axis = np.arange(len(chips.bf16))[None, :, None, None, None]
    m = model_arrays(architectures).take(model_index).take(np.s_[:, None, None, None, None])
    chip = chips.take(axis)
    p = codes[None, None, :, None, None]
    peak = chips.tflops[axis, p]
    c = coefficients[model_index][:, :, :, None, None, :]
    n = np.asarray(SIZES)[None, None, None, :, None]
    batch = BATCHES[None, None, None, None, :]
    cached = np.minimum(w(shape.cached_tokens), w(shape.input_tokens))
    new = np.maximum(w(shape.input_tokens) - cached, 1.0)
    out = np.maximum(w(shape.output_tokens), 1.0)
    context = w(shape.input_tokens) + 0.5 * out
    parts = physics.decode_step(m, chip, c, p, peak, n, batch, context)
    step = limit_step = parts.total
    c_alone = separate[model_index][:, :, :, None, None, :]
    alone = limit_alone = physics.decode_step(m, chip, c_alone, p, peak, n, batch, context).total
    level = shape.tpot_percentile
    if level is not None and np.any(np.asarray(level) > 0.5):
        surge = batch + w(ndtri(np.maximum(level, 0.5))) * np.sqrt(batch)
        limit_step = physics.decode_step(m, chip, c, p, peak, n, surge, context).total
        limit_alone = physics.decode_step(m, chip, c_alone, p, peak, n, surge, context).total
    prefill = physics.prefill_ms(m, chip, c, peak, n, new, cached)
    slower = physics.coefficient(c, "interference")
    share = slower * prefill
    kept = physics.cache_gb(m, p, w(shape.input_tokens) + out)
    kept = kept + options.kept_prefixes * physics.cache_gb(m, p, w(shape.input_tokens))
    fits = physics.fits(m, chip, p, n, (batch + physics.HEADROOM * np.sqrt(batch)) * kept)
    native = chips.native[axis, p] | (p <= 1) | options.weight_only_fp4
    allowed = np.broadcast_to(fits & native, step.shape)
    room = 1.0 - limit_step / w(shape.tpot_ms)
    tpot_rate = 1e3 * np.maximum(room, 0.0) / share
    little = 1e3 * batch / (out * step + batch * share)
    tail = -np.log1p(-w(shape.percentile))
    cv = options.service_cv
    first = physics.coefficient(c, "first")
    return _Grid(
        step=step,
        parts=parts,
        prefill=prefill,
        share=share,
        pipe=prefill * np.maximum(slower, 1.0) + new / options.chunk_tokens * step,
        free=w(shape.ttft_ms) - first - step,
        tpot_rate=tpot_rate,
        decode_rate=np.where(allowed, np.minimum(tpot_rate, little), 0.0),
        alone=alone,
        alone_rate=np.where(
            allowed & (limit_alone <= w(shape.tpot_ms)), 1e3 * batch / (out * alone), 0.0
        ),
        native=native,
        fits=np.broadcast_to(fits, step.shape),
        allowed=allowed,
        tpot_ok=np.broadcast_to(room > 0, step.shape),
        quantile=1.0 + (tail - 1.0) * cv,
        spread=tail * (1.0 + cv * cv) / 2.0,
        target=w(shape.ttft_ms),
        first=first,
    )


def _flat(x: FloatArray) -> FloatArray:
    """Join the last three axes: one axis of configurations."""
    return x.reshape(*x.shape[:2], -1)


def _at(x: NDArray[Any], like: tuple[int, ...], best: IntArray) -> NDArray[Any]:
    """Value of a broadcastable grid term at the configuration index `best` (W, C)."""
    full = np.broadcast_to(x, like)
    w, c = np.indices(best.shape)
    return np.asarray(full[(w, c, *np.unravel_index(best, like[2:]))])


def _column(
    g: _Grid, trip: FloatArray, factors: Factors, options: Options
) -> dict[str, NDArray[Any]]:
    """Best configuration of every (workload, chip) at one round trip per workload, ms (W,)."""
    like = g.step.shape
    away = trip[:, None, None, None, None]
    with np.errstate(invalid="ignore"):
        slack = g.free - away
    queue = _queue_rate(slack, g.pipe, g.quantile, g.spread, options.max_utilisation)
    n = np.asarray(SIZES)[:, None]
    chosen = _flat(np.minimum(g.decode_rate, queue) / n)
    best = np.argmax(chosen, axis=-1)
    theta = np.take_along_axis(chosen, best[..., None], -1)[..., 0]
    mode = np.zeros_like(best)
    queued = g.prefill
    if options.disaggregation:
        with np.errstate(invalid="ignore"):
            left = g.target - g.first - away
        ahead = _queue_rate(left, g.prefill, g.quantile, g.spread, options.max_utilisation)
        per_chip = np.where(g.allowed[..., :1], ahead / n, 0.0)
        room = per_chip.max(axis=-2, keepdims=True)
        at_size = np.argmax(per_chip, axis=-2, keepdims=True)
        served = np.take_along_axis(np.broadcast_to(g.prefill, per_chip.shape), at_size, -2)
        load = 1e-3 * served * np.take_along_axis(ahead, at_size, -2)
        share = np.minimum(load, options.max_utilisation)
        queued = served * (g.quantile + g.spread * share / (1.0 - share))
        rate = g.alone_rate / n
        both = np.where((rate > 0) & (room > 0), 1.0 / factors.disaggregated, 0.0)
        both = _flat(both / (1.0 / np.maximum(rate, 1e-300) + 1.0 / np.maximum(room, 1e-300)))
        other = np.argmax(both, axis=-1)
        value = np.take_along_axis(both, other[..., None], -1)[..., 0]
        mode = (value > theta).astype(np.int64)
        best = np.where(mode == 1, other, best)
        theta = np.maximum(theta, value)
    size = np.asarray(SIZES)[np.unravel_index(best, like[2:])[1]]
    rate = theta * size

    def at(x: FloatArray) -> FloatArray:
        return np.asarray(_at(x, like, best), dtype=float)

    step = np.where(mode == 1, at(g.alone), at(g.step))
    share, pipe = at(g.share), at(g.pipe)
    load = np.minimum(rate * pipe * 1e-3, options.max_utilisation)
    wait = step + pipe * (at(g.quantile) + at(g.spread) * load / (1.0 - load))
    ttft = trip[:, None] + at(g.first) + np.where(mode == 1, at(queued), wait)
    delay = np.where(mode == 1, 0.0, np.minimum(rate * share * 1e-3, 0.999))
    limit = _limits(g, trip, theta, best, mode, at(queue), at(g.decode_rate), at(g.tpot_rate))
    alive = theta > 0
    which = np.unravel_index(best, like[2:])
    return {
        "theta": theta,
        "mode": np.where(alive, mode, 0),
        "size": np.where(alive, size, 0).astype(np.int64),
        "batch": np.where(alive, BATCHES[which[2]], 0).astype(np.int64),
        "precision": which[0],
        "ttft": np.where(alive, ttft, np.nan),
        "tpot": np.where(alive, step / (1.0 - delay), np.nan),
        "limit": limit,
    }


def _limits(
    g: _Grid,
    trip: FloatArray,
    theta: FloatArray,
    best: IntArray,
    mode: IntArray,
    queue: FloatArray,
    decode: FloatArray,
    tpot: FloatArray,
) -> IntArray:
    """Codes of `Limit` for one round trip, shape (W, C)."""
    like = g.step.shape
    axes = (2, 3, 4)
    empty = g.first + g.pipe * g.quantile + g.step
    reach = trip[:, None, None, None, None]
    ttft_ok = (g.target > reach + empty) & g.allowed
    local_ok = ((g.target > empty) & g.allowed & g.tpot_ok).any(axis=axes)
    code = np.full(theta.shape, int(Limit.TPOT))
    code = np.where(~ttft_ok.any(axis=axes), int(Limit.TTFT), code)
    code = np.where((code == Limit.TTFT) & local_ok, int(Limit.ROUND_TRIP), code)
    code = np.where(~g.allowed.any(axis=axes), int(Limit.DOES_NOT_FIT), code)
    no_format = ~np.broadcast_to(g.native, like).any(axis=axes)
    code = np.where(no_format, int(Limit.NO_PRECISION), code)
    parts = [np.asarray(_at(x, like, best)) for x in g.parts[:4]]
    largest = int(Limit.BINDS_TPOT_MEMORY) + np.argmax(np.stack(parts), axis=0)
    position = np.unravel_index(best, like[2:])
    last = position[2] == like[4] - 1
    after = (position[0], position[1], np.minimum(position[2] + 1, like[4] - 1))
    w, c = np.indices(best.shape)
    more_fits = g.fits[(w, c, *after)]
    more_tpot = g.tpot_ok[(w, c, *after)]
    binding = np.where(more_tpot & (tpot > decode * (1 + 1e-9)), int(Limit.BINDS_PREFILL), largest)
    binding = np.where((tpot <= decode * (1 + 1e-9)) | ~more_tpot, largest, binding)
    binding = np.where(~more_fits, int(Limit.BINDS_CAPACITY), binding)
    binding = np.where(last & more_fits, int(Limit.BINDS_BATCH_GRID), binding)
    capped = np.isfinite(g.target).reshape(-1, 1)
    waits = np.where(capped, int(Limit.BINDS_TTFT), int(Limit.BINDS_PREFILL))
    binding = np.where((queue < decode) & (mode == 0), waits, binding)
    return np.where(theta > 0, binding, code).astype(np.int64)


def best_rates(
    architectures: Sequence[Architecture],
    chips: Sequence[Chip],
    model_index: IntArray,
    shape: Shape,
    round_trip_ms: FloatArray,
    precisions: Sequence[str] = PRECISIONS,
    factors: Factors | None = None,
    options: Options | None = None,
) -> RateTable:
    """Largest rate within the targets for every (workload, chip, round-trip column).

    Args:
        architectures: models.
        chips: chip families.
        model_index: (W,) model of each workload, an index into `architectures`.
        shape: request shapes and targets, arrays of length W.
        round_trip_ms: (W, R) network round trips in milliseconds.
        precisions: weight formats allowed, out of `PRECISIONS`. FP4 needs FP4 arithmetic
            unless `options.weight_only_fp4`; FP8 on a chip without it stands for 8-bit weights
            computed at the BF16 rate.
        factors: calibrated factors; the packaged ones when None.
        options: assumptions; the defaults when None.

    Returns:
        A `RateTable` with axes (W, chips, R).

    Raises:
        ValueError: arrays of other lengths, an unknown precision, a model index out of range.
    """
    factors = load_factors() if factors is None else factors
    options = Options() if options is None else options
    index = np.asarray(model_index, dtype=np.int64)
    trips = np.asarray(round_trip_ms, dtype=float)
    _check(architectures, index, shape, trips, precisions)
    codes = np.array([PRECISIONS.index(p) for p in precisions], dtype=np.int64)
    coefficients = resolve(factors, architectures, chips, precisions)
    separate = resolve(factors, architectures, chips, precisions, separate=True)
    arrays = chip_arrays(chips)
    dims = (len(index), len(chips), trips.shape[1])
    columns: dict[str, NDArray[Any]] = {}
    per_block = max(1, int(BLOCK // max(1, len(chips) * len(codes) * len(SIZES) * len(BATCHES))))
    for start in range(0, dims[0], per_block):
        rows = slice(start, start + per_block)
        part = shape.rows(rows)
        g = _build(architectures, arrays, coefficients, separate, codes, index[rows], part, options)
        for r in range(dims[2]):
            for key, value in _column(g, trips[rows, r], factors, options).items():
                columns.setdefault(key, np.zeros(dims, dtype=value.dtype))[rows, :, r] = value
    provenance = provenance_codes(architectures, chips, index, shape, factors, dims)
    band = band_of(chips, provenance, factors)
    theta = columns["theta"]
    out = np.asarray(shape.output_tokens, dtype=float)[:, None, None]
    return RateTable(
        requests_per_s_per_chip=theta,
        low=theta * band[..., 0],
        high=theta * band[..., 1],
        provenance=provenance,
        limit=columns["limit"],
        chips_per_replica=columns["size"],
        batch=columns["batch"],
        precision=codes[columns["precision"]],
        mode=columns["mode"],
        ttft_ms=columns["ttft"],
        tpot_ms=columns["tpot"],
        output_tokens_per_s_per_chip=theta * out,
    )


def _check(
    architectures: Sequence[Architecture],
    index: IntArray,
    shape: Shape,
    trips: FloatArray,
    precisions: Sequence[str],
) -> None:
    """Raise ValueError when the arguments of `best_rates` do not belong together."""
    for name, value in vars(shape).items():
        if value is not None and np.shape(value) != index.shape:
            raise ValueError(f"shape.{name} has shape {np.shape(value)}, expected {index.shape}")
    if trips.ndim != 2 or trips.shape[0] != len(index):
        raise ValueError(f"round_trip_ms has shape {trips.shape}, expected ({len(index)}, R)")
    if len(index) and (index.min() < 0 or index.max() >= len(architectures)):
        raise ValueError("model_index points outside architectures")
    unknown = [p for p in precisions if p not in PRECISIONS]
    if unknown or not precisions:
        raise ValueError(f"unknown precisions {unknown}; known: {', '.join(PRECISIONS)}")
