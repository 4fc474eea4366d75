"""Simulate one replica, seeded, to see whether the rate that the grid allows keeps its targets.

Requests arrive at random (Poisson), with random lengths around the means, and queue first come
first served for prefill. Every step of the engine decodes one token of each running request
and prefills up to `chunk` new tokens of the requests at the head of the queue (continuous
batching with chunked prefill). Step times come from the same physics as the grid; what is
checked is the queueing: the percentile of TTFT, and TPOT.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.case.records import Architecture, Chip
from planner.throughput import physics
from planner.throughput.factors import Factors, resolve
from planner.throughput.inputs import PRECISIONS, FloatArray, chip_arrays, model_arrays


@dataclass(frozen=True)
class Replica:
    """A configuration to simulate."""

    architecture: Architecture
    """What is served."""
    chip: Chip
    """On which chip."""
    precision: str
    """One of `PRECISIONS`."""
    chips: int
    """Chips of the replica."""
    batch: int
    """Requests decoded at once on average; `physics.HEADROOM` root batches more are admitted."""
    chunk_tokens: float = 8192.0
    """New tokens prefilled in a step at most."""


@dataclass(frozen=True)
class Traffic:
    """Requests offered to the replica."""

    requests_per_s: float
    """Mean rate of arrivals."""
    input_tokens: float
    """Mean of a request, cached ones included."""
    cached_tokens: float
    """Of these, found in the cache."""
    output_tokens: float
    """Mean of a request."""
    round_trip_ms: float = 0.0
    """Network time, added to the first token."""
    cv: float = 1.0
    """Coefficient of variation of new input tokens and of outputs (gamma distributed)."""


@dataclass(frozen=True)
class Outcome:
    """Times of the requests that finished after the warm-up, ms."""

    ttft_ms: FloatArray
    """Time to the first token of each request."""
    tpot_ms: FloatArray
    """Time per output token of each request."""
    busy_batch: float
    """Mean number of requests decoding, over time."""


def _lengths(rng: np.random.Generator, mean: float, cv: float, count: int) -> FloatArray:
    if cv <= 0:
        return np.full(count, max(1.0, round(mean)))
    shape = 1.0 / (cv * cv)
    return np.maximum(1.0, np.round(rng.gamma(shape, mean / shape, count)))


class _Clock:
    """Step times of one replica, on tables so that a step costs two look-ups."""

    def __init__(self, replica: Replica, traffic: Traffic, factors: Factors) -> None:
        code = np.array([PRECISIONS.index(replica.precision)])
        m, chip = model_arrays([replica.architecture]), chip_arrays([replica.chip])
        c = resolve(factors, [replica.architecture], [replica.chip], [replica.precision])[0, 0, 0]
        peak = chip.tflops[:, code[0]]
        n = np.array([float(replica.chips)])
        context = np.array([traffic.input_tokens + 0.5 * traffic.output_tokens])
        sizes = np.arange(1.0, 4.0 * replica.batch + 65.0)
        self.decode = physics.decode_step(m, chip, c, code, peak, n, sizes, context).total
        new = max(1.0, traffic.input_tokens - traffic.cached_tokens)
        whole = physics.prefill_ms(
            m, chip, c, peak, n, np.array([new]), np.array([traffic.cached_tokens])
        )
        self.alone = float(whole[0]) / new
        self.beside = self.alone * float(physics.coefficient(c, "interference"))
        self.first = float(physics.coefficient(c, "first"))

    def step(self, running: int, tokens: float) -> float:
        """Time of a step that decodes `running` requests and prefills `tokens` tokens, ms."""
        if running == 0:
            return self.alone * tokens
        return float(self.decode[min(running, len(self.decode)) - 1]) + self.beside * tokens


def simulate(
    replica: Replica,
    traffic: Traffic,
    factors: Factors,
    requests: int = 2000,
    seed: int = 0,
    warm_up: float = 0.2,
) -> Outcome:
    """Run `requests` requests through one replica; the first `warm_up` share is not counted.

    Raises ValueError on a rate, length or batch that is not positive.
    """
    if min(traffic.requests_per_s, traffic.output_tokens, traffic.input_tokens) <= 0:
        raise ValueError("rate, input and output must be positive")
    if replica.batch < 1 or requests < 10:
        raise ValueError("batch must be at least 1 and requests at least 10")
    rng = np.random.default_rng(seed)
    clock = _Clock(replica, traffic, factors)
    arrive = np.cumsum(rng.exponential(1e3 / traffic.requests_per_s, requests))
    fresh = max(1.0, traffic.input_tokens - traffic.cached_tokens)
    new = _lengths(rng, fresh, traffic.cv, requests)
    out = _lengths(rng, traffic.output_tokens, traffic.cv, requests)
    left_new, left_out = new.copy(), out - 1.0
    first, done = np.full(requests, np.nan), np.full(requests, np.nan)
    now, head, area = 0.0, 0, 0.0
    tail, most = 0, replica.batch + physics.HEADROOM * np.sqrt(replica.batch)
    running: list[int] = []
    while head < requests or running:
        if not running and head == tail and now < arrive[head]:
            now = float(arrive[head])
        while tail < requests and arrive[tail] <= now:
            tail += 1
        budget, finished = replica.chunk_tokens, []
        k = head
        while k < tail and budget > 0 and len(running) + k - head < most:
            taken = min(budget, left_new[k])
            left_new[k] -= taken
            budget -= taken
            if left_new[k] > 0:
                break
            finished.append(k)
            k += 1
        head += len(finished)
        span = clock.step(len(running), replica.chunk_tokens - budget)
        area += span * len(running)
        now += span
        alive = []
        for i in running:
            left_out[i] -= 1.0
            if left_out[i] <= 0:
                done[i] = now
            else:
                alive.append(i)
        running = alive
        for i in finished:
            first[i] = now
            if left_out[i] <= 0:
                done[i] = now
            else:
                running.append(i)
    counted = np.arange(requests) >= int(warm_up * requests)
    long = counted & (out > 1)
    return Outcome(
        ttft_ms=(first - arrive)[counted] + clock.first + traffic.round_trip_ms,
        tpot_ms=((done - first) / np.maximum(out - 1.0, 1.0))[long],
        busy_batch=area / now,
    )
