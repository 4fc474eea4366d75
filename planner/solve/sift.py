"""Sift: hold only the columns that can matter, so that the many relaxations of a dive are small.

Of the flows of a large case most are far from ever being used: their reduced cost at a relaxation
is a large part of what they cost. Searches and dives, which solve dozens of nearby relaxations,
begin without them and take in those that a relaxation wants.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix
from planner.solve.bound import usable_duals
from planner.solve.codes import BASIC, LOWER
from planner.solve.lp import Basis, LpResult
from planner.solve.session import Session

Floats = npt.NDArray[np.float64]
SIFTED = 50_000
"""Columns from which on a problem is sifted: smaller ones gain nothing."""
INTERIOR = 600_000
"""Columns from which on the root is first solved by HiPO, where it is installed: below, the simplex
takes less."""
USED = 1.0
"""Value, in units of the column, from which on a column counts as used at an interior point."""
SLACKS = ("unserved_demand", "missed_training", "commitment_shortfall", "exceeded_rules")
"""Cost terms whose columns make up for what a rule asks: without them a dive could not go on."""
KEPT = 4
"""Columns of each row that are held from the beginning, beside those that must be."""


def interior_point() -> bool:
    """Whether HiPO is there: it comes with `highspy-extras`."""
    return find_spec("highspy_extras") is not None


def sifted(session: Session, result: LpResult, basis: Basis | None = None) -> Session:
    """A priced session with the columns that matter near a relaxation, and its basis.

    The relaxation is the one that `session` has just solved, with the bounds of the matrix: dual
    feasible, since columns that it did not hold want nothing. Or one of a problem like it, whose
    `basis` is given, and mended.
    """
    own = session.basis() if basis is None else basis
    must = (own.columns == BASIC) | (result.x != 0.0)
    active = _near(session.matrix, must, result.y)
    out = Session(session.matrix, session.threads, session.stop, active, priced=True)
    out.set_basis(own, mend=basis is not None)
    return out


def sifted_from(session: Session, basis: Basis, y: Floats, plan: Basis | None) -> Session:
    """A priced session with the columns that matter near where a like problem's relaxation ended.

    `basis` and the row duals `y` are that relaxation's; it starts from the basis, mended. The
    columns that the basis of a `plan` uses are held, too.
    """
    must = basis.columns != LOWER
    if plan is not None:
        must |= plan.columns != LOWER
    active = _near(session.matrix, must, y)
    out = Session(session.matrix, session.threads, session.stop, active, priced=True)
    out.set_basis(basis, mend=True)
    return out


def sifted_inside(session: Session, result: LpResult) -> Session:
    """A priced session with the columns that matter near a point that has no basis."""
    active = _near(session.matrix, result.x > USED, result.y)
    return Session(session.matrix, session.threads, session.stop, active, priced=True)


def _near(matrix: Matrix, must: npt.NDArray[np.bool_], y: Floats) -> npt.NDArray[np.bool_]:
    """Columns to hold: those that must be, and `KEPT` of each row that are nearest to being used.

    Whole numbers, slacks and what has a lower bound must be, too. Nearness is the reduced cost at
    the duals y relative to the size of its terms.
    """
    y = np.concatenate([y, np.zeros(matrix.shape[0] - len(y))])
    y = usable_duals(y, matrix.row_lower, matrix.row_upper)
    reduced = matrix.objective - matrix.a.T @ y
    size = np.abs(matrix.objective) + abs(matrix.a).T @ np.abs(y)
    relative = reduced / np.where(size > 0.0, size, 1.0)
    slack = [term in SLACKS for term in matrix.cost_terms]
    must = must | matrix.integer | (matrix.lower != 0.0) | (matrix.cost[slack] > 0.0).any(axis=0)
    active: npt.NDArray[np.bool_] = must
    active[_best_of_rows(matrix, relative, KEPT)] = True
    return active


def _best_of_rows(matrix: Matrix, relative: Floats, kept: int) -> npt.NDArray[np.int64]:
    """The `kept` columns of each row with the least relative reduced cost."""
    entries = sp.coo_array(matrix.a)
    row, column = entries.coords
    order = np.lexsort((column, relative[column], row))
    starts = np.searchsorted(row[order], np.arange(matrix.shape[0]))
    place = np.arange(len(order)) - starts[row[order]]
    out: npt.NDArray[np.int64] = column[order[place < kept]].astype(np.int64)
    return out
