"""The rates of a case: the throughput model at each pool's round trip, and the user's own rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.case import Case, most_specific
from planner.throughput.factors import Factors, load_factors
from planner.throughput.grid import Limit, Provenance, RateTable, Shape, best_rates
from planner.throughput.inputs import PRECISIONS, FloatArray


@dataclass(frozen=True)
class Rates:
    """Requests per second and chip at the start of the case, before any efficiency trend."""

    mid: FloatArray
    """Rate [workload, pool]; 0 where the pool cannot serve the workload."""
    low: FloatArray
    """Low end of the band [workload, pool]."""
    high: FloatArray
    """High end of the band [workload, pool]."""
    failover: FloatArray
    """Rate with the cache hits that remain after a failover [workload, pool]."""
    basis: NDArray[np.str_]
    """measured, calibrated, modelled, extrapolated; '' where the rate is 0 [workload, pool]."""
    reason: NDArray[np.str_]
    """What limits the rate, or why it is 0 [workload, pool]."""
    by_chip: FloatArray
    """Rate without round trip [workload, chip]."""
    reference: FloatArray
    """Rate of the case's reference chip without round trip; without latency targets where it
    cannot keep them [workload]."""
    round_trip_ms: FloatArray
    """Round trip [workload, pool]."""


def round_trips(case: Case) -> FloatArray:
    """Round trip between each workload's users and each pool, ms [workload, pool]."""
    keys = ("geography", "cloud", "region")
    known: dict[tuple[str, ...], float] = {}
    out = np.empty((len(case.serving), len(case.pools)))
    for i, w in enumerate(case.serving):
        for p, pool in enumerate(case.pools):
            target = (w.geography, pool.cloud, pool.region)
            if target not in known:
                row = most_specific(case.network, keys, target)
                known[target] = np.inf if row is None else row.rtt_ms
            out[i, p] = known[target]
    return out


def shape_of(case: Case, failover: bool = False) -> Shape:
    """Request shapes and targets of the case's workloads; with the failover cache if asked."""
    classes = {c.service_class: c for c in case.classes}
    service = [classes[w.service_class] for w in case.serving]
    cached = np.array([w.cached_tokens for w in case.serving])
    if failover:
        cached = cached * np.array([c.failover_cached_share for c in service])
    return Shape(
        input_tokens=np.array([w.input_tokens for w in case.serving]),
        cached_tokens=cached,
        output_tokens=np.array([w.output_tokens for w in case.serving]),
        ttft_ms=np.array([c.ttft_ms or np.inf for c in service]),
        tpot_ms=np.array([c.tpot_ms or np.inf for c in service]),
        percentile=np.array([c.ttft_percentile for c in service]),
    )


def _subset(shape: Shape, rows: NDArray[np.int64]) -> Shape:
    return replace(
        shape,
        **{
            k: getattr(shape, k)[rows]
            for k in (
                "input_tokens",
                "cached_tokens",
                "output_tokens",
                "ttft_ms",
                "tpot_ms",
                "percentile",
            )
        },
    )


def grids(
    case: Case, shape: Shape, round_trip_ms: FloatArray, factors: Factors | None = None
) -> list[tuple[NDArray[np.int64], RateTable]]:
    """Best configurations, apart for each set of precisions: (workload rows, table).

    round_trip_ms has the axes [workload, column]; the tables have [row, chip, column].
    """
    factors = factors or load_factors()
    model_at = {m.model: i for i, m in enumerate(case.models)}
    by_name = {a.architecture: a for a in case.architectures}
    architectures = [by_name[m.architecture] for m in case.models]
    model_index = np.array([model_at[w.model] for w in case.serving])
    lowest = np.array([PRECISIONS.index(case.models[m].precision) for m in model_index])
    out = []
    for code in np.unique(lowest):
        rows = np.flatnonzero(lowest == code)
        table = best_rates(
            architectures,
            case.chips,
            model_index[rows],
            _subset(shape, rows),
            round_trip_ms[rows],
            precisions=PRECISIONS[: code + 1],
            factors=factors,
        )
        out.append((rows, table))
    return out


def rates_of(case: Case, factors: Factors | None = None) -> Rates:
    """Rates of every workload on every pool.

    0 where the pool is outside the workload's allowed clouds and geographies, the model does not
    fit, or the targets cannot be met after the round trip. A row of `throughput.csv` overrides
    the model wherever its round trip reaches.
    """
    trip = round_trips(case)
    chip_at = {c.chip: i for i, c in enumerate(case.chips)}
    p_chip = np.array([chip_at[p.chip] for p in case.pools])
    sites, site_of = np.unique([f"{p.cloud}/{p.region}" for p in case.pools], return_inverse=True)
    first = np.array([int(np.argmax(site_of == i)) for i in range(len(sites))])
    # One column a site, and a last one without round trip.
    columns = np.hstack([trip[:, first], np.zeros((len(trip), 1))])
    n_workloads, n_pools = trip.shape
    mid, low, high = (np.zeros((n_workloads, n_pools)) for _ in range(3))
    basis = np.full((n_workloads, n_pools), "", dtype="<U12")
    reason = np.full((n_workloads, n_pools), "", dtype="<U24")
    by_chip = np.zeros((n_workloads, len(case.chips)))
    for rows, table in grids(case, shape_of(case), columns, factors):
        pick = np.ix_(rows, np.arange(n_pools))
        mid[pick] = table.requests_per_s_per_chip[:, p_chip, site_of]
        low[pick] = table.low[:, p_chip, site_of]
        high[pick] = table.high[:, p_chip, site_of]
        basis[pick] = _names(Provenance)(table.provenance[:, p_chip, site_of])
        reason[pick] = _names(Limit)(table.limit[:, p_chip, site_of])
        by_chip[rows] = table.requests_per_s_per_chip[:, :, -1]
    cold = np.zeros((n_workloads, n_pools))
    for rows, table in grids(case, shape_of(case, failover=True), columns, factors):
        pick = np.ix_(rows, np.arange(n_pools))
        cold[pick] = table.requests_per_s_per_chip[:, p_chip, site_of]
    _override(case, trip, p_chip, (mid, low, high, cold), basis, reason)
    outside = ~_allowed(case)
    for array in (mid, low, high, cold):
        array[outside] = 0.0
    reason[outside] = "not_allowed"
    basis[mid <= 0] = ""
    return Rates(
        mid=mid,
        low=low,
        high=high,
        failover=cold,
        basis=basis,
        reason=reason,
        by_chip=by_chip,
        reference=_reference(case, by_chip, factors),
        round_trip_ms=trip,
    )


def _names(kind: type[Provenance | Limit]) -> Callable[[NDArray[np.int64]], NDArray[np.str_]]:
    """Codes of an enumeration to lower-case names."""
    lookup = {int(item): item.name.lower() for item in kind}
    return np.vectorize(lambda code: lookup.get(int(code), ""), otypes=["<U24"])


def _allowed(case: Case) -> NDArray[np.bool_]:
    """Whether the pool is in the workload's clouds and geographies [workload, pool]."""
    geography = {(r.cloud, r.region): r.geography for r in case.regions}
    return np.array(
        [
            [
                bool({"*", p.cloud} & set(w.allowed_clouds))
                and bool({"*", geography[p.cloud, p.region]} & set(w.allowed_geographies))
                for p in case.pools
            ]
            for w in case.serving
        ],
        dtype=bool,
    )


def _override(
    case: Case,
    trip: FloatArray,
    p_chip: NDArray[np.int64],
    arrays: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    basis: NDArray[np.str_],
    reason: NDArray[np.str_],
) -> None:
    """Put the user's measured rates in place of the model's.

    The failover rate keeps the model's own ratio of cold to warm.
    """
    mid, low, high, cold = arrays
    chip_at = {c.chip: i for i, c in enumerate(case.chips)}
    for row in case.throughput:
        on_chip = p_chip == chip_at[row.chip]
        for i, w in enumerate(case.serving):
            same = (w.model, w.service_class) == (row.model, row.service_class)
            tokens = (w.input_tokens, w.cached_tokens, w.output_tokens)
            if not same or tokens != (row.input_tokens, row.cached_tokens, row.output_tokens):
                continue
            here = on_chip & (trip[i] <= row.max_rtt_ms)
            ratio = np.divide(cold[i], mid[i], out=np.ones_like(mid[i]), where=mid[i] > 0)
            cold[i, here] = (ratio * row.requests_per_s_per_chip)[here]
            mid[i, here] = row.requests_per_s_per_chip
            low[i, here], high[i, here] = row.low, row.high
            basis[i, here], reason[i, here] = "measured", "measured"


def _reference(case: Case, by_chip: FloatArray, factors: Factors | None) -> FloatArray:
    """Rate of the reference chip without round trip [workload].

    Where it cannot keep the targets, its rate without them. Where it cannot hold the model at
    all, the rate of the fastest chip that can, scaled by memory bandwidth, which bounds
    decoding: what the reference chip would do if it had the memory.
    """
    at = [c.chip for c in case.chips].index(case.settings.reference_chip)
    bandwidth = np.array([c.hbm_tb_per_s for c in case.chips])
    out = by_chip[:, at].copy()
    if (out > 0).all():
        return out
    shape = shape_of(case)
    free = np.full(len(out), np.inf)
    relaxed = replace(shape, ttft_ms=free, tpot_ms=free)
    for rows, table in grids(case, relaxed, np.zeros((len(out), 1)), factors):
        rate = table.requests_per_s_per_chip[:, :, 0]
        best = rate.argmax(axis=1)
        scaled = rate.max(axis=1) * bandwidth[at] / bandwidth[best]
        fallback = np.where(rate[:, at] > 0, rate[:, at], scaled)
        out[rows] = np.where(out[rows] > 0, out[rows], fallback)
    return np.maximum(out, np.finfo(float).tiny)
