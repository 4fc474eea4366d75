"""Times of a benchmark run: a closed loop that keeps a number of requests in flight.

TPOT of an aggregated run is a decode step plus the share of the prefills that delays it,
`t(B) + g * B * p / osl`; a disaggregated run decodes undisturbed. With speculation a step
checks `VERIFIED` tokens and yields `accept` of them. TTFT is the handling, one step, the
prefill and the wait behind others: the loop starts with a burst, so that the mean wait grows
with the concurrency, `p * burst * (B - 1)^power`; disaggregated prefill waits by its load,
`p * queue * B * p / (osl * TPOT)`. What exceeds the cache waits for whole requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from planner.throughput import physics
from planner.throughput.factors import COEFFICIENTS, Factors, effect_keys
from planner.throughput.inputs import FloatArray, ModelArrays, chip_arrays, model_arrays
from planner.throughput.physics import NODE
from planner.throughput.points import Points

VERIFIED = 3.0
"""Tokens that a sequence checks per step under multi-token prediction."""
TERMS: dict[str, tuple[float, float]] = {
    "accept": (1.9, 0.2),
    "trend": (0.82, 0.3),
    "burst": (0.2, 1.0),
    "power": (0.7, 0.3),
    "queue": (1.0, 1.0),
}
"""Scalars of the loop, (prior mean, spread of the log): tokens accepted per speculative step;
time after one more year of software; wait behind others in prefills, `burst * (B - 1)^power`;
wait of disaggregated prefill, in prefills per unit of its load."""


class Times(NamedTuple):
    """Predicted times, ms, one entry per point."""

    tpot: FloatArray
    """Time per output token."""
    ttft: FloatArray
    """Time to the first token."""


@dataclass(frozen=True)
class Loop:
    """What of a table of points does not depend on the factors, gathered once."""

    points: Points
    """The measured points."""
    model: ModelArrays
    """Numbers of the model of each point."""
    batch: FloatArray
    """Concurrency of a worker that fits."""
    waiting: FloatArray
    """Concurrency of a worker that does not fit, and waits."""

    @classmethod
    def of(cls, points: Points) -> Loop:
        """Precompute for `points`; the batch is the concurrency per worker that fits."""
        m = model_arrays(points.architectures).take(points.model)
        hbm = np.array([c.hbm_gb for c in points.chips])[points.chip]
        wanted = points.concurrency / points.workers
        kept = physics.cache_gb(m, points.precision, points.isl + points.osl)
        dense, routed = physics.weight_gb(m, points.precision)
        n = points.size
        room = physics.USABLE_HBM * hbm * n - dense - routed
        copies = np.where(m.latent, 1.0, np.maximum(n / m.kv_split, 1.0))
        most = np.maximum(np.maximum(room, 0.05 * hbm) / (kept * copies), 1.0)
        batch = np.minimum(wanted, most)
        return cls(points, m, batch, wanted - batch)

    def times(self, log_coefficients: FloatArray, terms: FloatArray) -> Times:
        """Times at logs of coefficients (points, J) and logs of `TERMS` (in order)."""
        p, m, b = self.points, self.model, self.batch
        chip = chip_arrays(p.chips).take(p.chip)
        c = np.exp(log_coefficients)
        accept, trend, burst, power, queue = np.exp(terms)
        peak = chip.tflops[np.arange(len(p)), p.precision]
        context = p.isl + 0.5 * p.osl
        verify = np.where(p.speculative, VERIFIED, 1.0)
        step = physics.decode_step(m, chip, c, p.precision, peak, p.size, b, context, verify).total
        ahead = np.where(p.separate, np.minimum(p.prefill_size, NODE), p.prefill_size)
        prefill = physics.prefill_ms(m, chip, c, peak, ahead, p.isl, np.zeros(len(p)))
        pace = trend**p.years
        token = step * pace / np.where(p.speculative, accept, 1.0)
        delay = physics.coefficient(c, "interference") * b * prefill / p.osl
        tpot = token + np.where(p.separate, 0.0, delay)
        engines = np.maximum(p.prefill_size / ahead, 1.0)
        load = p.concurrency * prefill / (engines * p.osl * tpot)
        near = burst * np.maximum(b - 1.0, 0.0) ** power
        behind = np.where(p.separate, queue * load, near)
        first = physics.coefficient(c, "first") + step + prefill * (1.0 + behind)
        return Times(tpot, first + self.waiting / b * p.osl * tpot)


def levels(points: Points) -> list[list[str]]:
    """Effects of every point: its chip, model and precision, its engine and its layout."""
    found: dict[tuple[int, int, int], list[str]] = {}
    rows = []
    for i in range(len(points)):
        key = (int(points.model[i]), int(points.chip[i]), int(points.precision[i]))
        if key not in found:
            found[key] = effect_keys(points.architectures[key[0]], points.chips[key[1]], key[2])
        row = list(found[key])
        if points.backend[i]:
            row.append(f"backend:{points.backend[i]}")
        flags = (points.expert_parallel[i], points.separate[i], points.speculative[i])
        names = ("layout:experts", "layout:separate", "layout:speculative")
        rows.append(row + [n for n, on in zip(names, flags, strict=True) if on])
    return rows


def predict(points: Points, factors: Factors) -> Times:
    """Times of every point at stored factors, ms."""
    names = list(COEFFICIENTS)
    vectors = {
        key: np.array([row.get(n, 0.0) for n in names]) for key, row in factors.effects.items()
    }
    base = np.array([factors.base.get(n, np.log(COEFFICIENTS[n])) for n in names])
    zero = np.zeros(len(names))
    log = np.array(
        [base + sum((vectors.get(k, zero) for k in row), zero) for row in levels(points)]
    ).reshape(len(points), len(names))
    return Loop.of(points).times(log, term_array(factors.terms))


def term_array(terms: dict[str, float] | Sequence[float]) -> FloatArray:
    """Logs of the loop's terms in the order of `TERMS`; missing ones at their prior."""
    if isinstance(terms, dict):
        values = [terms.get(k, v) for k, (v, _) in TERMS.items()]
    else:
        values = list(terms)
    return np.asarray(np.log(np.array(values, dtype=float)))
