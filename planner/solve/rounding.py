"""Steps of a dive: round a batch, try choices that exclude one another, mend a dead end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix
from planner.solve.bound import proving_ray
from planner.solve.lp import Basis, LpResult
from planner.solve.propagate import Activity
from planner.solve.session import Session

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEAST_PART = 0.02
"""Part of a relaxation below which a choice is not tried."""
MOST_CHOICES = 3
"""Choices that are tried, at most."""
MOST_PROOFS = 10
"""Proofs of infeasibility that a dead end is mended by, at most, each way."""
INTEGRAL = 1e-6
"""A whole number may be off by this much in the solver's answer."""


def fractional(x: Floats, integer: Ints) -> Ints:
    """Those of the columns `integer` whose value in x is not whole."""
    off = np.abs(x[integer] - np.round(x[integer]))
    return integer[off > INTEGRAL]


def packings(matrix: Matrix) -> Ints:
    """Row of which the column is one of those that add up to at most 1; -1 without one [column].

    Such a row has the upper side 1, and coefficient 1 for all its whole-number columns, more
    than one.
    """
    a = sp.csr_array(matrix.a)
    out = np.full(a.shape[1], -1, dtype=np.int64)
    for row in np.flatnonzero(matrix.row_upper == 1.0):
        span = slice(a.indptr[row], a.indptr[row + 1])
        whole = matrix.integer[a.indices[span]]
        if whole.sum() > 1 and (a.data[span][whole] == 1.0).all():
            out[a.indices[span][whole]] = row
    return out


def one_each(columns: Ints, pack: Ints, most: int) -> Ints:
    """The first `most` columns (at least one), at most one of each packing row."""
    taken: set[int] = set()
    chosen: list[int] = []
    for column in columns.tolist():
        row = int(pack[column])
        if row < 0 or row not in taken:
            taken.add(row)
            chosen.append(column)
        if len(chosen) >= max(1, most):
            break
    return np.array(chosen, dtype=np.int64)


def choices_of(x: Floats, pack: Ints, column: int) -> Ints:
    """Columns that exclude a column, and itself, with a part of a relaxation: the largest first."""
    if pack[column] < 0:
        return np.array([column])
    same = np.flatnonzero((pack == pack[column]) & (x > LEAST_PART))
    return same[np.argsort(-x[same], kind="stable")][:MOST_CHOICES]


def probe(
    session: Session, integer: Ints, choices: Ints, room: Activity
) -> tuple[LpResult, Activity]:
    """The cheapest relaxation with one of the choices at 1; with all at 0 when none can be."""
    basis = session.basis()
    best: tuple[float, LpResult, Activity, Basis] | None = None
    for column in choices.tolist():
        tried = room.copy()
        if not tried.allows(column, 1.0):
            continue
        tried.fix(column, 1.0)
        session.set_bounds(integer, tried.low[integer], tried.high[integer])
        result = session.solve_lp()
        if result.status == "optimal":
            cost = float(session.matrix.objective @ result.x)
            if best is None or cost < best[0]:
                best = cost, result, tried, session.basis()
        session.set_basis(basis)
    if best is None:
        zero = room.copy()
        for column in choices.tolist():
            zero.fix(column, 0.0)
        session.set_bounds(integer, zero.low[integer], zero.high[integer])
        return session.solve_lp(), zero
    _, result, tried, after = best
    session.set_bounds(integer, tried.low[integer], tried.high[integer])
    session.set_basis(after)
    return result, tried


def _rounded(room: Activity, x: Floats, batch: Ints) -> Activity:
    """The activity with a batch rounded up where there is room, else down."""
    out = room.copy()
    for column in batch.tolist():
        up, down = float(np.ceil(x[column])), float(np.floor(x[column]))
        out.fix(column, up if out.allows(column, up) or not out.allows(column, down) else down)
    return out


def round_batch(
    session: Session, integer: Ints, x: Floats, batch: Ints, room: Activity
) -> tuple[LpResult, Activity]:
    """Fix a batch and solve again; step back on infeasibility.

    Returns the activity it led to; where it is infeasible, the one before.
    """
    basis = session.basis()
    while True:
        tried = _rounded(room, x, batch)
        session.set_bounds(integer, tried.low[integer], tried.high[integer])
        result = session.solve_lp()
        if result.status == "optimal":
            return result, tried
        if result.status != "infeasible":
            return result, room
        # The basis of an infeasible problem is a bad start for the next one.
        session.set_basis(basis)
        if len(batch) > 1:
            batch = batch[: len(batch) // 2]
            continue
        column = int(batch[0])
        other = {float(np.ceil(x[column])), float(np.floor(x[column]))} - {tried.low[column]}
        tried = room.copy()
        tried.fix(column, other.pop())
        session.set_bounds(integer, tried.low[integer], tried.high[integer])
        result = session.solve_lp()
        if result.status == "infeasible":
            session.set_basis(basis)
            return result, room
        return result, tried


def mend(
    session: Session,
    column: int,
    values: list[float],
    room: Activity,
    every: tuple[Floats, Floats],
    pack: Ints,
) -> tuple[LpResult, Activity]:
    """Fix a column that can go neither way after others were fixed: some of those are open again.

    It gets the first of the `values` that can be. What opens are the columns that stand in a
    proof of the infeasibility, where their bounds of the node, `every`, would weaken it; a choice
    of a packing (`pack`: row [column], -1 without one) is not taken again. Returns the activity
    it led to.
    """
    integer = np.flatnonzero(session.matrix.integer)
    basis = session.basis()
    result = LpResult("infeasible", np.zeros(0), np.zeros(0), 0)
    for value in values:
        tried = room.copy()
        tried.fix(column, value)
        for _ in range(MOST_PROOFS):
            session.set_bounds(integer, tried.low[integer], tried.high[integer])
            result = session.solve_lp()
            freed = _in_proof(session, result, tried, every)
            freed = freed[freed != column]
            if not len(freed):
                break
            session.set_basis(basis)
            low, high = tried.low.copy(), tried.high.copy()
            low[freed], high[freed] = every[0][freed], every[1][freed]
            # A choice among those that exclude one another would be taken again: now another.
            chosen = freed[(tried.low[freed] == 1.0) & (pack[freed] >= 0)]
            low[chosen] = high[chosen] = 0.0
            tried = Activity(session.matrix, low, high)
        if result.status != "infeasible":
            return result, tried
        session.set_basis(basis)
    return result, room


def _in_proof(
    session: Session, result: LpResult, tried: Activity, every: tuple[Floats, Floats]
) -> Ints:
    """Columns fixed by the dive that an infeasible relaxation's ray has at the bound they gave."""
    m = session.matrix
    if result.status != "infeasible" or not len(result.y):
        return np.zeros(0, dtype=np.int64)
    held = np.where(session.active, tried.high, 0.0)
    ray = proving_ray(m.a, (m.row_lower, m.row_upper), (tried.low, held), result.y)
    weight = m.a.T @ ray
    least = INTEGRAL * float(np.abs(ray).max(initial=0.0))
    higher = (weight > least) & (tried.high < every[1])
    lower = (weight < -least) & (tried.low > every[0])
    return np.flatnonzero(m.integer & (higher | lower))
