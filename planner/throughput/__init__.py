"""Latency-feasible throughput: the model, its calibration, and the rates that plans stand on."""

from planner.throughput.factors import Factors, load_factors
from planner.throughput.grid import Limit, Options, Provenance, RateTable, Shape, best_rates
from planner.throughput.inputs import measured_chips, open_architectures

__all__ = [
    "Factors",
    "Limit",
    "Options",
    "Provenance",
    "RateTable",
    "Shape",
    "best_rates",
    "load_factors",
    "measured_chips",
    "open_architectures",
]
