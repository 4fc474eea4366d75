"""From a point of the elastic problem to cells of the case, and the proof that they are enough."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from planner.case import Case
from planner.case.check import check
from planner.case.tables import TABLES
from planner.equations import Equation
from planner.errors import InfeasibleError, InputError, UnprovenError
from planner.explain.conflict_words import where
from planner.explain.elastic import Elastic
from planner.explain.knobs import edited, override
from planner.explain.report import Change, Relaxation
from planner.instance import build_instance
from planner.matrix import Matrix
from planner.redundancy.problem import compiled_problem
from planner.solve.options import SolveOptions
from planner.solve.run import solve_matrix
from planner.solve.session import Session

Floats = npt.NDArray[np.float64]
MOVED = 1e-7
"""Changes below this share of a knob's scale are the solver's tolerance."""
SMALL_COLUMNS = 5_000
"""Larger cases: a wider gap, no set of rows for what only whole numbers forbid, and only the
recommended relaxation is verified."""
HIGHS_COLUMNS = 20_000
"""Up to this size HiGHS verifies a relaxation; larger cases go the way of `planner.solve`."""
PLAN_GAP = 0.05
"""Gap of the plan that verifies a relaxation, when time allows."""
PLAN_SECONDS = 2.0
"""What HiGHS may take to make a plan cheaper that it found without cost."""


def changes_at(elastic: Elastic, x: Floats) -> dict[int, float]:
    """Knob -> change in its unit at a point, those that move; shares by their true quotient.

    The elastic problem counts a share's excess against a guess of the whole; at a point the whole
    is known.
    """
    n = elastic.base.shape[1]
    moved = {
        i: float(change)
        for i, (knob, change) in enumerate(zip(elastic.knobs, x[n:], strict=True))
        if change > MOVED * knob.scale
    }
    totals = elastic.totals(x)
    for i in moved:
        rows = [row for row in elastic.rows_of(i) if row in totals]
        if rows:
            shares = [totals[row][0] / max(totals[row][1], 1e-300) for row in rows]
            moved[i] = max(max(shares) - elastic.knobs[i].value, 0.0) * (1 + 1e-7)
    return {i: change for i, change in moved.items() if change > 0}


def worst_row(elastic: Elastic, x: Floats, knob: int) -> tuple[int, float]:
    """The row of a knob that lacks most without it, and by how much in the knob's unit.

    A share lacks what it is above its bound.
    """
    base = elastic.base
    at = np.flatnonzero(elastic.columns == knob)
    rows, values = elastic.rows[at], elastic.values[at]
    activity = base.a.tocsr()[rows] @ x[: base.shape[1]]
    over = np.maximum(activity - base.row_upper[rows], base.row_lower[rows] - activity)
    lacks = over / np.abs(values)
    totals = elastic.totals(x) if any(row in elastic.shares for row in rows.tolist()) else {}
    for i, row in enumerate(rows.tolist()):
        if row in totals:
            part, whole = totals[row]
            lacks[i] = part / max(whole, 1e-300) - elastic.knobs[knob].value
    worst = int(np.argmax(lacks))
    return int(rows[worst]), float(lacks[worst])


def relaxation_at(elastic: Elastic, x: Floats) -> Relaxation:
    """The relaxation that a point of the elastic problem stands for, dearest change first."""
    found: list[tuple[float, Change]] = []
    for i, change in changes_at(elastic, x).items():
        knob = elastic.knobs[i]
        after = knob.moved(change)
        row, lacks = worst_row(elastic, x, i)
        price = abs(after - knob.value) * knob.price
        constraint, index = elastic.label(row)
        found.append(
            (
                price,
                Change(
                    file=knob.file,
                    rows=tuple(at + 2 for at in knob.rows),
                    column=knob.column,
                    rule=knob.name,
                    unit=knob.unit,
                    before=knob.value,
                    after=after,
                    overrides=override(elastic.case, knob, after),
                    worst=where(elastic.raised, constraint, index),
                    lacks=lacks,
                ),
            )
        )
    found.sort(key=lambda item: -item[0])
    return Relaxation(
        changes=tuple(change for _, change in found),
        price=sum(price for price, _ in found),
        verified=None,
        plan_usd=None,
    )


def relaxed_case(elastic: Elastic, relaxation: Relaxation) -> Case:
    """The case with a relaxation's cells changed."""
    by_name = {knob.name: knob for knob in elastic.knobs}
    return edited(elastic.case, [(by_name[c.rule], c.after) for c in relaxation.changes])


def verify(
    elastic: Elastic, relaxation: Relaxation, until: float, equations: Iterable[Equation] = ()
) -> Relaxation:
    """Solve the changed case from its tables: the relaxation with the outcome noted.

    Not verified (False) when the changed case has no plan or breaks a rule of reading; None when
    time ran out before a plan was found, or an equation of one's own would have to change.
    """
    if any(change.file not in _FILES for change in relaxation.changes):
        return relaxation
    case = relaxed_case(elastic, relaxation)
    lines = {table.name: range(2, 2 + len(case.rows(table.name))) for table in TABLES}
    left = until - time.perf_counter()
    if left <= 0:
        return relaxation
    if check(case, lines):
        return replace(relaxation, verified=False)
    try:
        matrix = compiled_problem(build_instance(case, elastic.rates), equations)[0]
        verified, plan_usd = _plan(matrix, left)
    except (InfeasibleError, InputError):
        verified, plan_usd = False, None
    return replace(relaxation, verified=verified, plan_usd=plan_usd)


def _plan(matrix: Matrix, time_limit_s: float) -> tuple[bool | None, float | None]:
    """Whether a problem has a plan in whole numbers, and the cost of the one found.

    At the very edge of what is feasible the dive of `planner.solve` finds little: for small
    problems HiGHS looks for any point, then for a cheap one from there, and the whole numbers of
    that are fixed and solved again.
    """
    if matrix.shape[1] > HIGHS_COLUMNS:
        try:
            return True, solve_matrix(matrix, SolveOptions(PLAN_GAP, time_limit_s)).objective_usd
        except UnprovenError:
            return None, None
    free = replace(matrix, cost=np.zeros_like(matrix.cost), cost_offset=matrix.cost_offset * 0.0)
    status, x = Session(free).solve_mip(PLAN_GAP, time_limit_s)
    if not len(x):
        return (False if status == "infeasible" else None), None
    session = Session(matrix)
    _, better = session.solve_mip(PLAN_GAP, PLAN_SECONDS, start=x)
    integer = np.flatnonzero(matrix.integer)
    whole = np.round((better if len(better) else x)[integer])
    session.set_bounds(integer, whole, whole)
    settled = session.solve_lp()
    if settled.status != "optimal":
        return None, None
    return True, float(matrix.objective @ settled.x) + matrix.offset


_FILES = {"case.toml", *(table.file for table in TABLES)}
