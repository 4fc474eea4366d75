"""Dive: round the fractional lots and placements of a relaxation, re-solving hot in between."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from planner.solve.session import LpResult, Session

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
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
    keep_going: Callable[[], bool],
) -> LpResult | None:
    """A point with whole numbers near a relaxation, or None when the dive ends in a dead end.

    `low`, `high` are the bounds of the integer columns (in the order of the matrix's integer
    columns) at the node where the dive starts; the session's bounds are theirs again afterwards.
    Each round fixes a third of the fractional columns, those nearest their ceiling, at their
    ceiling; a batch that cannot be is taken back and halved, and a single column that cannot
    go up goes down.
    """
    integer = np.flatnonzero(session.matrix.integer)
    where = {int(j): i for i, j in enumerate(integer)}
    lo, hi = low.copy(), high.copy()
    result: LpResult | None = start
    try:
        while result is not None and keep_going():
            open_ = fractional(result.x, integer)
            if not len(open_):
                return _settle(session, integer, result, lo, hi)
            x = result.x
            gap_up = np.ceil(x[open_]) - x[open_]
            batch = open_[np.argsort(gap_up, kind="stable")][: max(1, len(open_) // 3)]
            result = _round(session, integer, where, x, batch, lo, hi)
        return None
    finally:
        session.set_bounds(integer, low, high)


def _round(
    session: Session,
    integer: Ints,
    where: dict[int, int],
    x: Floats,
    batch: Ints,
    lo: Floats,
    hi: Floats,
) -> LpResult | None:
    """Fix a batch at its ceilings; step back on infeasibility. Changes lo and hi."""
    while True:
        at = np.array([where[int(j)] for j in batch])
        before = lo[at].copy(), hi[at].copy()
        up = np.minimum(np.ceil(x[batch]), hi[at])
        lo[at] = hi[at] = up
        session.set_bounds(integer, lo, hi)
        result = session.solve_lp()
        if result.status == "optimal":
            return result
        if result.status != "infeasible":
            return None
        lo[at], hi[at] = before
        if len(batch) > 1:
            batch = batch[: len(batch) // 2]
            continue
        lo[at] = hi[at] = np.maximum(np.floor(x[batch]), lo[at])
        session.set_bounds(integer, lo, hi)
        result = session.solve_lp()
        return result if result.status == "optimal" else None


def _settle(
    session: Session, integer: Ints, result: LpResult, lo: Floats, hi: Floats
) -> LpResult | None:
    """Fix every whole number exactly and solve once more, so that nothing is off by a tolerance."""
    whole = np.round(result.x[integer])
    np.clip(whole, lo, hi, out=whole)
    session.set_bounds(integer, whole, whole)
    final = session.solve_lp()
    if final.status != "optimal":
        return None
    x = final.x.copy()
    x[integer] = whole
    return LpResult(final.status, x, final.y, final.iterations)
