"""The week as one mean slice: a small stand-in for a problem, to find prices of cuts quickly.

Columns that differ in their slice alone become one, at their mean over the week, and so do rows:
each slice counts by its hours. What is bought and placed stays as it is, and a problem of five
slices has a fifth of its flows. Nothing is proven with it: a cut holds for any prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix, RowBatch

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
BY_SLICE_COLUMNS = ("serve", "unserved", "hourly", "flex")
"""Components whose last index is a slice."""


@dataclass(frozen=True, eq=False)
class MeanWeek:
    """The stand-in and what its columns are."""

    matrix: Matrix
    """The problem of the mean slice."""
    sums: sp.csc_array
    """Which columns of the whole problem each of its columns stands for [whole, small]."""

    def whole(self, x: Floats) -> Floats:
        """A point of the stand-in as one of the whole problem: every slice like the mean."""
        out: Floats = self.sums @ x
        return out

    def rows(self, batch: RowBatch) -> RowBatch:
        """Rows over columns of the whole problem in those of the stand-in."""
        return replace(batch, a=sp.csr_array(batch.a @ self.sums))


def mean_week(matrix: Matrix, slice_hours: Floats) -> MeanWeek:
    """The problem with one slice, the mean of all, standing for the week."""
    share = np.asarray(slice_hours) / np.sum(slice_hours)
    names = [name for name in BY_SLICE_COLUMNS if name in matrix.columns]
    into, slot = _merged(matrix.columns, matrix.column_index, names, matrix.shape[1])
    row_into, row_slot = _merged(
        matrix.rows, matrix.row_index, _by_slice(matrix, slot), matrix.shape[0]
    )
    sums = _sums(into, np.ones(len(into)))
    means = _sums(into, np.where(slot < 0, 1.0, share[slot]))
    row_means = _sums(row_into, np.where(row_slot < 0, 1.0, share[row_slot]))
    small = replace(
        matrix,
        cost=matrix.cost @ sums,
        a=sp.csc_array(row_means.T @ matrix.a @ sums),
        row_lower=row_means.T @ matrix.row_lower,
        row_upper=row_means.T @ matrix.row_upper,
        lower=means.T @ matrix.lower,
        upper=means.T @ matrix.upper,
        integer=(sums.T @ matrix.integer.astype(float)) > 0.0,
        columns={},
        column_index={},
        rows={},
        row_index={},
    )
    return MeanWeek(small, sums)


def _sums(into: Ints, weight: Floats) -> sp.csc_array:
    """Where each column (or row) goes, with a weight, as a matrix [from, to]."""
    at = np.arange(len(into)), into
    return sp.csc_array(sp.coo_array((weight, at), shape=(len(into), int(into.max()) + 1)))


def _merged(
    blocks: Mapping[str, slice],
    index: Mapping[str, Sequence[Any]],
    names: Sequence[str],
    count: int,
) -> tuple[Ints, Ints]:
    """Place among the merged, and slice, of each column (or row); slice -1 where it is not one.

    Of the blocks `names`, those go together whose index differs in the last number alone.
    """
    into, slot = np.full(count, -1, dtype=np.int64), np.full(count, -1, dtype=np.int64)
    first = 0
    for name, block in sorted(blocks.items(), key=lambda item: item[1].start):
        size = block.stop - block.start
        if size and name in names:
            each = np.array(index[name], dtype=np.int64).reshape(size, -1)
            rest = each[:, :-1]
            key = np.ravel_multi_index(tuple(rest.T), tuple(rest.max(axis=0, initial=0) + 1))
            _, place = np.unique(key, return_inverse=True)
            slot[block] = each[:, -1]
        else:
            place = np.arange(size)
        into[block] = first + place
        first += int(place.max(initial=-1)) + 1
    return into, slot


def _by_slice(matrix: Matrix, slot: Ints) -> list[str]:
    """Constraints whose rows are about one slice each: the last of several numbers of the index."""
    entries = sp.coo_array(matrix.a)
    row, column = entries.coords
    some = slot[column] >= 0
    low = np.full(matrix.shape[0], np.iinfo(np.int64).max)
    high = np.full(matrix.shape[0], -1)
    np.minimum.at(low, row[some], slot[column[some]])
    np.maximum.at(high, row[some], slot[column[some]])
    out = []
    for name, block in matrix.rows.items():
        index = np.array(matrix.row_index[name])
        some = high[block] >= 0
        if index.ndim == 2 and index.shape[1] > 1 and some.any():
            last, each = index[some, -1], (low[block][some], high[block][some])
            if (last == each[0]).all() and (last == each[1]).all():
                out.append(name)
    return out
