"""Tiny whole-number problems solved by trying everything, without Pyomo or the session."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp

import planner
from planner.audit import AuditModel, audit_model
from planner.audit.folder import audit_plan
from planner.instance import build_instance
from tests.cases import random_case, solve_linear

Floats = npt.NDArray[np.float64]
SEEDS = (
    0, 1, 3, 4, 7, 8, 9, 11, 13, 14, 16, 17, 18, 20, 21, 26, 36, 37, 39, 41, 42, 43, 47, 49, 51, 52,
    54, 56,
)  # fmt: skip
"""Seeds whose cases have few choices."""
MOST_POINTS = 400


def whole_points(model: AuditModel) -> Iterator[Floats]:
    """Every choice of the whole-number columns that satisfies the rows made of them alone."""
    integer = np.flatnonzero(model.integer)
    only = (abs(model.a[:, ~model.integer])).sum(axis=1) == 0
    rows = sp.csr_array(model.a[only][:, integer]).toarray()
    low, high = model.row_lower[only], model.row_upper[only]
    ranges = [
        range(int(a), int(b) + 1)
        for a, b in zip(model.lower[integer], model.upper[integer], strict=True)
    ]
    for choice in itertools.product(*ranges):
        point = np.array(choice, dtype=float)
        activity = rows @ point
        if (activity >= low - 1e-9).all() and (activity <= high + 1e-9).all():
            yield point


def brute_force(model: AuditModel) -> tuple[float, int]:
    """Least cost over all choices, and the number of choices tried."""
    free = ~model.integer
    cost = model.cost.sum(axis=0)
    offset = float(model.cost_offset.sum())
    a, b = model.a[:, free], model.a[:, model.integer]
    equal = model.row_lower == model.row_upper
    up, down = np.isfinite(model.row_upper) & ~equal, np.isfinite(model.row_lower) & ~equal
    a_ub = sp.vstack([a[up], -a[down]]).tocsr()
    bounds = np.stack([model.lower[free], model.upper[free]], axis=1)
    best, tried = np.inf, 0
    for point in whole_points(model):
        tried += 1
        moved = b @ point
        side = np.concatenate([(model.row_upper - moved)[up], -(model.row_lower - moved)[down]])
        found = solve_linear(
            cost[free], a_ub, side, a[equal], (model.row_upper - moved)[equal], bounds,
            method="highs",
        )  # fmt: skip
        if found.status == 2:
            continue
        assert found.status == 0, found.message
        best = min(best, float(found.fun + cost[model.integer] @ point) + offset)
    return best, tried


@cache
def solved(seed: int) -> planner.Plan:
    return planner.solve(random_case(seed), gap=0.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_optimum_is_that_of_trying_everything(seed: int) -> None:
    model = audit_model(build_instance(random_case(seed)))
    best, tried = brute_force(model)
    assert 1 < tried <= MOST_POINTS
    plan = solved(seed)
    assert plan.status == "proven"
    assert plan.objective_usd == pytest.approx(best, rel=1e-7)
    assert plan.bound_usd == pytest.approx(plan.objective_usd, rel=1e-8)
    audit_plan(plan).require()


def test_the_cases_exercise_every_kind_of_whole_number() -> None:
    """Else the test above would say less than it seems to."""
    plans = [solved(seed) for seed in SEEDS]
    signed = [p.tables["contracts_signed"] for p in plans]
    assert any((t[t.offer == "bulk"].lots >= 2).any() for t in signed)
    assert any((t.offer == "term").any() for t in signed)
    left = [(p.tables["contracts_existing"].decision == "leave").any() for p in plans]
    assert any(left)
    runs = [p.tables["training_runs"] for p in plans]
    assert any((t.placement != "").any() for t in runs)
    paused = [t[t.run == "paused"].missed_share for t in runs]
    assert any((share == 0).any() for share in paused)
    assert any((share == 1).any() for share in paused)
    assert any((p.tables["pay_as_you_go"].offer == "spot").any() for p in plans)
    assert any(len(p.tables["unserved"]) for p in plans)
    assert any(p.summary["size"]["nodes"] > 1 for p in plans)
