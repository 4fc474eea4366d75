"""What the tests of sweeps share: specifications and problems on data/small."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from planner.sweep.block import Floats, Ints
from planner.sweep.exact import BlockSolver, tour
from planner.sweep.problem import Period, Problem, problem_of
from planner.sweep.spec import Spec, spec_of
from tests.cases import small_plan

WHICH = ["small", pytest.param("claude", marks=pytest.mark.xdist_group("claude"))]
"""Cases whose plans are swept."""


def factor(name: str, kind: str, low: float, high: float, **where: Any) -> dict[str, Any]:
    draw = {"kind": "uniform", "low": low, "high": high}
    return {"name": name, "kind": kind, "where": where, "draw": draw}


FACTORS: list[dict[str, Any]] = [
    factor("growth", "demand_growth", -0.5, 1.0),
    factor("interactive", "demand", 0.5, 1.6, **{"class": "interactive"}),
    factor("batch", "demand", 0.2, 2.0, **{"class": "batch"}),
    factor("alder", "capacity", 0.3, 1.0, cloud="alder"),
    factor("gb200", "capacity", 0.3, 1.1, chip="gb200"),
    {
        "name": "lost",
        "kind": "lost",
        "values": ["", "alder", "birch", "cedar"],
        "draw": {"kind": "choice", "weights": [7, 1, 1, 1]},
    },
]
MOVING_RATES: list[dict[str, Any]] = [
    *FACTORS[:4],
    factor("on demand", "price", 0.3, 3.0),
    factor("software", "efficiency", -0.2, 0.4, chip="h200"),
    factor("band", "rate_band", -1.0, 1.0),
]


def spec(factors: list[dict[str, Any]] | None = None, **more: Any) -> Spec:
    drawn = {} if more.get("design") in ("grid", "list") else {"scenarios": 200}
    return spec_of({"factor": factors or FACTORS, "seed": 3, **drawn, **more})


@cache
def problem() -> Problem:
    return problem_of(small_plan(), spec())


@cache
def general_problem() -> Problem:
    return problem_of(small_plan(), spec(MOVING_RATES))


def exact_costs(period: Period, z: Floats, columns: Ints | None = None) -> Floats:
    """Exact recourse cost of scenarios whose rates and prices stay.

    `columns` are serving columns to begin with; the optimum is that of all.
    """
    solver = BlockSolver(period.merged.block, columns=columns)
    sides = period.sides(z)
    features = period.features(z)
    out = np.empty(len(z))
    # Neighbours one after another: half the time.
    for i in tour(features / np.maximum(features.std(axis=0), 1e-9)).tolist():
        out[i] = solver.solve(sides, i).cost_usd
    return out


def neutral(period: Period) -> Floats:
    """Multipliers of a scenario in which nothing moves."""
    return np.ones((1, len(period.moves.multipliers.products)))
