"""The week as its busiest slice: a small stand-in for a problem, to find prices of cuts quickly.

Columns and rows of the other slices are left out, and where a row or the cost adds up slices,
the busiest one stands for all hours. Nothing is proven with it: a cut holds for any prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.instance import Instance
from planner.matrix import Matrix

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
BY_SLICE_COLUMNS = ("serve", "unserved", "hourly", "flex")
"""Components whose last index is a slice."""


@dataclass(frozen=True, eq=False)
class PeakProblem:
    """The stand-in and what its columns are."""

    matrix: Matrix
    """The problem of the busiest slice."""
    columns: npt.NDArray[np.int64]
    """Column of the whole problem that each column of the stand-in is."""


def busiest(inst: Instance) -> int:
    """Slice in which the promised demand needs most chips."""
    sv = inst.serving
    best = np.where(sv.rate_failover.max(axis=1) > 0, sv.rate_failover.max(axis=1), np.inf)
    return int((sv.peak / best[:, :, None]).sum(axis=(0, 1)).argmax())


def peak_problem(inst: Instance, matrix: Matrix) -> PeakProblem:
    """The problem with the busiest slice standing for the week."""
    chosen = busiest(inst)
    whole = 168.0 / float(inst.time.slice_hours[chosen])
    n = matrix.shape[1]
    of = np.full(n, -1)
    for name in BY_SLICE_COLUMNS:
        if name in matrix.columns and matrix.column_index[name]:
            of[matrix.columns[name]] = [i[-1] for i in matrix.column_index[name]]
    keep, weight = (of < 0) | (of == chosen), np.where(of < 0, 1.0, whole)
    a = sp.coo_array(matrix.a)
    row, column = a.coords
    some = of[column] >= 0
    first = np.full(matrix.shape[0], len(inst.time.slices))
    last = np.full(matrix.shape[0], -1)
    np.minimum.at(first, row[some], of[column[some]])
    np.maximum.at(last, row[some], of[column[some]])
    # Rows over one slice go with it; rows over several add up the week.
    rows = (last < 0) | (first < last) | (first == chosen)
    factor = np.where((first < last)[row], weight[column], 1.0)
    scaled = sp.csc_array(sp.coo_array((a.data * factor, (row, column)), shape=a.shape))
    kept, kept_rows = np.flatnonzero(keep), np.flatnonzero(rows)
    return PeakProblem(
        replace(
            matrix,
            cost=(matrix.cost * weight)[:, kept],
            a=sp.csc_array(scaled[kept_rows][:, kept]),
            row_lower=matrix.row_lower[kept_rows],
            row_upper=matrix.row_upper[kept_rows],
            lower=matrix.lower[kept],
            upper=matrix.upper[kept],
            integer=matrix.integer[kept],
            columns=_blocks(matrix.columns, keep),
            column_index=_indices(matrix.columns, matrix.column_index, keep),
            rows=_blocks(matrix.rows, rows),
            row_index=_indices(matrix.rows, matrix.row_index, rows),
        ),
        kept,
    )


def _blocks(blocks: dict[str, slice], keep: Bools) -> dict[str, slice]:
    """Blocks after the members that are not kept are gone."""
    ends = np.concatenate([[0], np.cumsum(keep)])
    return {name: slice(int(ends[b.start]), int(ends[b.stop])) for name, b in blocks.items()}


def _indices(
    blocks: dict[str, slice], index: Mapping[str, Sequence[Any]], keep: Bools
) -> dict[str, Any]:
    """Indices of the members that are kept."""
    return {
        name: tuple(i for i, kept in zip(index[name], keep[b].tolist(), strict=True) if kept)
        for name, b in blocks.items()
    }
