"""Feasible, but short: what the plan leaves undone, and the limits whose lifting pays most."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from planner.equations import Equation
from planner.errors import UnprovenError
from planner.explain.elastic import Elastic
from planner.explain.report import Lift, Shortage
from planner.matrix import Matrix
from planner.redundancy.problem import compiled_problem
from planner.solve.session import Session
from planner.solving import solve

Floats = npt.NDArray[np.float64]
STEP = 0.1
"""Lifts are tried by this share of the limit's scale."""
TRIED = 5
"""Limits that are tried by a step, those with the largest promise."""
GAP = 0.01
"""Gap of the plan that the shortages are read from."""


@dataclass(frozen=True)
class Found:
    """What a feasible plan is short of."""

    shortages: tuple[Shortage, ...]
    """What the plan is short of."""
    lifts: tuple[Lift, ...]
    """Limits whose lifting would help."""
    plan_usd: float | None
    """Cost of the plan; None when none was found in time."""
    notes: tuple[str, ...]
    """What could not be told, in words."""


def shortages_of(elastic: Elastic, equations: tuple[Equation, ...], time_limit_s: float) -> Found:
    """Unserved demand, runs not done and rules exceeded at a price in a plan of the case.

    And the limits to lift: from the duals of the relaxation those whose lifting promises most,
    each then lifted by STEP of its scale and the relaxation solved again.
    """
    started = time.perf_counter()
    try:
        plan = solve(elastic.case, gap=GAP, time_limit_s=0.6 * time_limit_s, equations=equations)
    except UnprovenError as error:
        return Found((), (), None, (str(error),))
    short = [
        Shortage("unserved", f"{name} demand", part["share"], "share of peak demand")
        for name, part in plan.summary["unserved"].items()
        if part["share"] > 1e-9
    ]
    runs = plan.tables["training_runs"]
    short += [
        Shortage("missed", str(run), float(share), "share of the run")
        for run, share in zip(runs.run, runs.missed_share.to_numpy(dtype=float), strict=True)
        if share > 0
    ]
    for term, kind in (
        ("exceeded_rules", "rules exceeded at their price"),
        ("commitment_shortfall", "spend commitments not reached"),
    ):
        paid = plan.summary["cost_usd"].get(term, 0.0)
        if paid > 0:
            short.append(Shortage("exceeded", kind, paid, "USD"))
    left = time_limit_s - (time.perf_counter() - started)
    lifts, notes = _lifts(elastic, equations, left) if short else ((), ())
    return Found(tuple(short), lifts, plan.objective_usd, notes)


def _lifts(
    elastic: Elastic, equations: tuple[Equation, ...], time_limit_s: float
) -> tuple[tuple[Lift, ...], tuple[str, ...]]:
    """Limits by what a step saves in the relaxation, present value in USD."""
    until = time.perf_counter() + time_limit_s
    priced = _priced(elastic, compiled_problem(elastic.raised, equations)[0])
    session = Session(priced)
    result = session.solve_lp(max(time_limit_s, 0.05))
    if result.status != "optimal":
        return (), ("time ran out before limits to lift were found",)
    cost = float(priced.objective @ result.x)
    worth = np.zeros(len(elastic.knobs))
    np.add.at(worth, elastic.columns, result.y[elastic.rows] * elastic.values)
    steps = np.array([min(STEP * knob.scale, knob.most) for knob in elastic.knobs])
    promise = worth * steps
    n = elastic.base.shape[1]
    found = []
    notes: tuple[str, ...] = ()
    basis = session.basis()
    for i in np.argsort(-promise)[:TRIED].tolist():
        if promise[i] <= 1e-9 * max(abs(cost), 1.0):
            break
        if time.perf_counter() > until:
            notes = ("not all limits to lift were tried for time",)
            break
        at = np.array([n + i])
        session.set_basis(basis)
        session.set_bounds(at, np.zeros(1), steps[[i]])
        lifted = session.solve_lp(max(until - time.perf_counter(), 0.05))
        session.set_bounds(at, np.zeros(1), np.zeros(1))
        if lifted.status == "optimal":
            knob = elastic.knobs[i]
            saves = cost - float(priced.objective @ lifted.x)
            found.append(Lift(knob.file, knob.name, knob.unit, float(steps[i]), saves))
    return tuple(sorted(found, key=lambda lift: -lift.saves_usd)), notes


def _priced(elastic: Elastic, compiled: Matrix) -> Matrix:
    """The case's own rows and cost, with a free column for each knob, all held at 0."""
    matrix = elastic.matrix(free=())
    cost = np.zeros((compiled.cost.shape[0], matrix.shape[1]))
    cost[:, : compiled.shape[1]] = compiled.cost
    return replace(
        matrix, cost_terms=compiled.cost_terms, cost=cost, cost_offset=compiled.cost_offset
    )
