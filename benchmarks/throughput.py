"""How many configurations the throughput grid evaluates in a second on one core.

A configuration is one (workload, chip, precision, replica size, batch, mode, round trip).
"""

from __future__ import annotations

import time

import numpy as np

from planner.throughput import Shape, best_rates, load_factors, measured_chips, open_architectures
from planner.throughput.grid import BATCHES, MODES, SIZES
from planner.throughput.inputs import PRECISIONS

WORKLOADS = 48
ROUND_TRIPS = 24
REPEATS = 3


def case() -> tuple[Shape, np.ndarray, np.ndarray]:
    """Workloads of three kinds, their models, and their round trips."""
    kind = np.arange(WORKLOADS) % 3
    inputs = np.array([4000.0, 40000.0, 8000.0])[kind]
    shape = Shape(
        input_tokens=inputs,
        cached_tokens=inputs * np.array([0.4, 0.88, 0.2])[kind],
        output_tokens=np.array([350.0, 450.0, 600.0])[kind],
        ttft_ms=np.array([800.0, 3000.0, np.inf])[kind],
        tpot_ms=np.array([25.0, 20.0, np.inf])[kind],
        percentile=np.full(WORKLOADS, 0.95),
    )
    trips = np.tile(np.linspace(5.0, 250.0, ROUND_TRIPS), (WORKLOADS, 1))
    return shape, np.arange(WORKLOADS) // 3 % 3, trips


def run() -> dict[str, float]:
    """Best of three runs: points_per_second, points and seconds."""
    known = open_architectures()
    models = [known["MiniMax-M2.5"], known["DeepSeek-V3"], known["Llama-3.1-405B"]]
    chips = list(measured_chips().values())
    shape, index, trips = case()
    factors = load_factors()
    seconds = np.inf
    for _ in range(REPEATS):
        start = time.perf_counter()
        best_rates(models, chips, index, shape, trips, factors=factors)
        seconds = min(seconds, time.perf_counter() - start)
    sizes = len(SIZES) * len(BATCHES) * len(PRECISIONS) * len(MODES)
    points = float(WORKLOADS * len(chips) * ROUND_TRIPS * sizes)
    return {"points_per_second": points / seconds, "points": points, "seconds": seconds}
