"""Irreducible infeasible sets: rows that cannot hold together, none of which can be left out.

Column bounds and the need for whole numbers are facts and stay. A deletion filter drops chunks of
rows as long as the rest is infeasible, and halves a chunk that cannot go; a row is kept only when
dropping it alone made the rest feasible, so the set is irreducible. For a linear conflict the
filter starts from the rows of a dual ray (a few of them, whatever the size of the case), and each
test is a hot re-solve of that small part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix
from planner.solve.certificate import proven_bound
from planner.solve.session import Session

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
CHUNKS = 8
"""Chunks in which rows are tried first."""


@dataclass(frozen=True)
class RowSet:
    """Rows of a matrix that cannot hold together."""

    rows: tuple[int, ...]
    """Positions in the matrix, in its order."""
    irreducible: bool
    """Whether each row was shown to be needed."""
    proven: bool
    """Whether a dual ray proves in own arithmetic that they cannot hold together."""


def part(matrix: Matrix, rows: Sequence[int], *, whole: bool) -> Matrix:
    """The problem of some rows alone, without cost, and only the columns that stand in them.

    Without `whole` numbers may be fractions.
    """
    at = np.array(rows, dtype=np.int64)
    a = sp.csc_array(sp.csr_array(matrix.a)[at])
    used = np.flatnonzero(np.diff(a.indptr))
    return Matrix(
        cost_terms=("none",),
        cost=np.zeros((1, len(used))),
        cost_offset=np.zeros(1),
        a=sp.csc_array(a[:, used]),
        row_lower=matrix.row_lower[at],
        row_upper=matrix.row_upper[at],
        lower=matrix.lower[used],
        upper=matrix.upper[used],
        integer=matrix.integer[used] & whole,
        columns={"x": slice(0, len(used))},
        column_index={"x": tuple(range(len(used)))},
        rows={"r": slice(0, len(at))},
        row_index={"r": tuple(range(len(at)))},
    )


def holds(matrix: Matrix, time_limit_s: float | None = None) -> bool | None:
    """Whether a problem has a point (with its whole numbers); None when time ran out."""
    session = Session(matrix)
    if matrix.integer.any():
        status, x = session.solve_mip(gap=1.0, time_limit_s=time_limit_s)
        if len(x):
            return True
    else:
        status = session.solve_lp(time_limit_s).status
    return {"optimal": True, "infeasible": False}.get(status)


def linear_conflict(
    matrix: Matrix, duals: Floats, last: Sequence[int], until: float
) -> RowSet | None:
    """An irreducible set of rows that not even fractions satisfy; None when none was found.

    `duals` are those of the elastic problem: where they are not 0 its rows are in conflict, for
    they are a dual ray of the rows without knobs. Rows in `last` are dropped last, so that the
    set rather holds them. After the time `until` (of `time.perf_counter`) what is left is
    returned, perhaps reducible.
    """
    size = np.abs(duals)
    support = np.flatnonzero(size > 1e-12 * size.max(initial=1e-300))
    if holds(part(matrix, support.tolist(), whole=False)) is not False:
        support = np.arange(matrix.shape[0])
        if holds(matrix_without_whole(matrix), until - time.perf_counter()) is not False:
            return None
    small = part(matrix, support.tolist(), whole=False)
    session = Session(small)
    everything = (small.row_lower, small.row_upper)

    def infeasible(rows: Ints) -> bool | None:
        low, high = np.full(small.shape[0], -np.inf), np.full(small.shape[0], np.inf)
        low[rows], high[rows] = everything[0][rows], everything[1][rows]
        session.set_row_bounds(np.arange(small.shape[0]), low, high)
        return {"optimal": False, "infeasible": True}.get(session.solve_lp().status)

    later = np.isin(support, list(last))
    order = np.concatenate([np.flatnonzero(~later), np.flatnonzero(later)])
    kept, certain = deletion_filter(order, infeasible, until)
    rows = tuple(sorted(support[kept].tolist()))
    return RowSet(rows, certain, _ray_proves(part(matrix, rows, whole=False)))


def matrix_without_whole(matrix: Matrix) -> Matrix:
    """The relaxation of a matrix."""
    return replace(matrix, integer=np.zeros_like(matrix.integer))


def _ray_proves(matrix: Matrix) -> bool:
    """Whether HiGHS finds a dual ray that proves infeasibility in own arithmetic."""
    result = Session(matrix).solve_lp()
    bounds = matrix.lower, matrix.upper
    return result.status == "infeasible" and proven_bound(matrix, result.y, True, bounds) == np.inf


def whole_conflict(matrix: Matrix, last: Sequence[int], until: float) -> RowSet | None:
    """The same for a conflict that only whole numbers have: every test solves with them.

    For small problems; None when the whole set was not shown to be infeasible in time.
    """

    def infeasible(rows: Ints) -> bool | None:
        left = max(until - time.perf_counter(), 0.01)
        found = holds(part(matrix, rows.tolist(), whole=True), left)
        return None if found is None else not found

    later = np.isin(np.arange(matrix.shape[0]), list(last))
    order = np.concatenate([np.flatnonzero(~later), np.flatnonzero(later)])
    if not infeasible(np.sort(order)):
        return None
    kept, certain = deletion_filter(order, infeasible, until)
    return RowSet(tuple(sorted(kept.tolist())), certain, proven=False)


def deletion_filter(
    rows: Ints, infeasible: Callable[[Ints], bool | None], until: float
) -> tuple[Ints, bool]:
    """Drop rows, in their order, as long as the rest is infeasible.

    `infeasible(rows)` says whether a subset is; None (unknown) keeps the rows and makes the set
    uncertain. Returns the rows kept and whether each was shown to be needed.
    """
    size = max(1, -(-len(rows) // CHUNKS))
    todo = [rows[i : i + size] for i in range(0, len(rows), size)]
    kept: list[Ints] = []
    certain = True
    while todo:
        chunk = todo.pop(0)
        rest = np.concatenate([*kept, *todo, np.zeros(0, dtype=np.int64)]).astype(np.int64)
        found = None if time.perf_counter() > until else infeasible(np.sort(rest))
        if found:
            continue
        if found is None:
            kept.append(chunk)
            certain = False
        elif len(chunk) == 1:
            kept.append(chunk)
        else:
            half = len(chunk) // 2
            todo[:0] = [chunk[:half], chunk[half:]]
    return np.concatenate(kept) if kept else np.zeros(0, dtype=np.int64), certain
