"""Dive: round the fractional lots and placements of a relaxation, re-solving hot in between."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix
from planner.solve.propagate import Activity
from planner.solve.session import Basis, LpResult, Session

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Tighten(Protocol):
    """Adds the lazy rows that a relaxation violates and solves it again."""

    def __call__(self, result: LpResult, *, exact: bool) -> LpResult:
        """The relaxation with no violated row left; not `exact`: none that is cheap to find."""


LEAST_PART = 0.02
"""Part of a relaxation below which a choice is not tried."""
MOST_CHOICES = 3
"""Choices that are tried, at most."""
INTEGRAL = 1e-6
"""A whole number may be off by this much in the solver's answer."""


def fractional(x: Floats, integer: Ints) -> Ints:
    """Those of the columns `integer` whose value in x is not whole."""
    off = np.abs(x[integer] - np.round(x[integer]))
    return integer[off > INTEGRAL]


def dive(
    session: Session,
    start: LpResult,
    low: Floats,
    high: Floats,
    order: Ints,
    keep_going: Callable[[], bool],
    tighten: Tighten,
    probed: AbstractSet[int] = frozenset(),
) -> LpResult | None:
    """A point with whole numbers near a relaxation, or None when the dive ends in a dead end.

    `low`, `high` are the bounds of the integer columns (in the order of the matrix's integer
    columns) at the node where the dive starts; the session's bounds are theirs again afterwards.
    Columns go in the `order` of their rank [column]: structure first, lots last. Each round fixes
    a third of the fractional columns of the lowest rank, those nearest their ceiling, and of
    columns of which only one can be 1 only the first: at their ceiling where the rows have room
    for it, else at their floor. A batch that cannot be is taken
    back and halved, and a single column that cannot go one way goes the other.

    Columns of `probed` ranks go one at a time: those that exclude one another are each tried at
    1, and the cheapest relaxation goes on.

    `tighten` adds lazy rows that a relaxation violates: what is cheap to find after each round,
    all of them for a point with whole numbers.
    """
    matrix = session.matrix
    integer = np.flatnonzero(matrix.integer)
    every_low, every_high = matrix.lower.copy(), matrix.upper.copy()
    every_low[integer], every_high[integer] = low, high
    room = Activity(matrix, every_low, every_high)
    pack = packings(matrix)
    result: LpResult | None = start
    try:
        while result is not None and keep_going():
            if session.matrix is not matrix:
                matrix = session.matrix
                room = Activity(matrix, room.low, room.high)
            open_ = fractional(result.x, integer)
            if not len(open_):
                result = tighten(result, exact=True)
                if result.status != "optimal":
                    return None
                if session.matrix is not matrix:
                    continue
                return _settle(session, integer, result, room, tighten)
            x = result.x
            open_ = open_[order[open_] == order[open_].min()]
            nearest = open_[np.argsort(np.ceil(x[open_]) - x[open_], kind="stable")]
            choices = _choices(x, pack, int(nearest[0]))
            if int(order[nearest[0]]) in probed and len(choices) > 1:
                result, room = _probe(session, integer, choices, room)
            else:
                batch = _one_each(nearest, pack, len(open_) // 3)
                result, room = _round(session, integer, x, batch, room)
            if result is not None:
                result = tighten(result, exact=False)
                if result.status != "optimal":
                    return None
        return None
    finally:
        session.set_bounds(integer, low, high)


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


def _one_each(columns: Ints, pack: Ints, most: int) -> Ints:
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


def _choices(x: Floats, pack: Ints, column: int) -> Ints:
    """Columns that exclude one another and have a part of a relaxation, the largest first."""
    if pack[column] < 0:
        return np.array([column])
    same = np.flatnonzero((pack == pack[column]) & (x > LEAST_PART))
    return same[np.argsort(-x[same], kind="stable")][:MOST_CHOICES]


def _probe(
    session: Session, integer: Ints, choices: Ints, room: Activity
) -> tuple[LpResult | None, Activity]:
    """The cheapest relaxation with one of the choices at 1; none when none can be."""
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
        result = session.solve_lp()
        return (result if result.status == "optimal" else None), zero
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


def _round(
    session: Session, integer: Ints, x: Floats, batch: Ints, room: Activity
) -> tuple[LpResult | None, Activity]:
    """Fix a batch and solve again; step back on infeasibility. Returns the activity it led to."""
    basis = session.basis()
    while True:
        tried = _rounded(room, x, batch)
        session.set_bounds(integer, tried.low[integer], tried.high[integer])
        result = session.solve_lp()
        if result.status == "optimal":
            return result, tried
        if result.status != "infeasible":
            return None, room
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
        return (result if result.status == "optimal" else None), tried


def _settle(
    session: Session, integer: Ints, result: LpResult, room: Activity, tighten: Tighten
) -> LpResult | None:
    """Fix every whole number exactly and solve once more, so that nothing is off by a tolerance."""
    whole = np.round(result.x[integer])
    np.clip(whole, room.low[integer], room.high[integer], out=whole)
    session.set_bounds(integer, whole, whole)
    final = tighten(session.solve_lp(), exact=True)
    if final.status != "optimal":
        return None
    x = final.x.copy()
    x[integer] = whole
    return LpResult(final.status, x, final.y, final.iterations)
