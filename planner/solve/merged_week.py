"""The week with slices merged: a smaller problem, to find prices of the whole one quickly.

Columns that differ in their slice alone, and that within one group of slices, become one, at their
mean; so do rows: each slice counts by its hours. What is bought and placed stays as it is, and a
problem of five slices in one group has a fifth of its flows. Nothing is proven with it by itself:
its row duals, each slice with its share, are duals of the whole problem, and what those prove is
computed there (`planner.solve.bound`); a cut holds for any prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix, RowBatch
from planner.solve.lp import Basis

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
BY_SLICE_COLUMNS = ("serve", "unserved", "hourly", "flex")
"""Components whose last index is a slice."""
GROUPS = 3
"""Groups of slices that prices are found with: with three of five slices on `data/claude` the bound
of the root is 0.0006 of 101.18 billion below that of all, in less than half the time."""


@dataclass(frozen=True, eq=False)
class Week:
    """The slices of a week, and which of them are merged."""

    hours: Floats
    """Hours of each slice [s]."""
    group: Ints
    """Group of each slice, from 0 [s]."""

    @classmethod
    def one(cls, hours: Floats) -> Week:
        """All slices as one."""
        return cls(np.asarray(hours), np.zeros(len(hours), dtype=np.int64))

    @classmethod
    def by_level(cls, hours: Floats, level: Floats, groups: int = GROUPS) -> Week:
        """Groups of slices of nearly the same level, which differ least from their means [s].

        Least squares over the hours; with as many groups as slices, or more, none are merged.
        """
        hours, level = np.asarray(hours), np.asarray(level)
        order = np.argsort(level, kind="stable")
        count = min(groups, len(order))
        ways = [
            np.split(order, [at + 1 for at in cuts])
            for cuts in combinations(range(len(order) - 1), count - 1)
        ]
        best = min(ways, key=lambda way: sum(_spread(hours[each], level[each]) for each in way))
        group = np.zeros(len(order), dtype=np.int64)
        for i, each in enumerate(best):
            group[each] = i
        return cls(hours, group)

    @property
    def merges(self) -> bool:
        """Whether there are fewer groups than slices."""
        return int(self.group.max(initial=-1)) + 1 < len(self.group)

    @property
    def share(self) -> Floats:
        """Share of each slice in the hours of its group [s]."""
        out: Floats = self.hours / np.bincount(self.group, self.hours)[self.group]
        return out


def _spread(hours: Floats, level: Floats) -> float:
    """Squared distance of levels from their mean, over the hours."""
    mean = np.average(level, weights=hours)
    return float(np.sum(hours * (level - mean) ** 2))


@dataclass(frozen=True, eq=False)
class MergedWeek:
    """The smaller problem, and what its columns and rows are."""

    matrix: Matrix
    """The problem with its slices merged."""
    sums: sp.csc_array
    """Which columns of the whole problem each of its columns stands for [whole, small]."""
    means: sp.csc_array
    """Of which rows of the whole problem each of its rows is the mean, with their shares."""

    def whole(self, x: Floats) -> Floats:
        """A point of it as one of the whole problem: every slice like the mean of its group."""
        out: Floats = self.sums @ x
        return out

    def rows(self, batch: RowBatch) -> RowBatch:
        """Rows over columns of the whole problem in those of this one."""
        return replace(batch, a=sp.csr_array(batch.a @ self.sums))

    def duals(self, y: Floats) -> Floats:
        """Row duals of it as some of the whole problem: each slice has its share."""
        out: Floats = self.means @ y
        return out

    def sums_of_rows(self, y: Floats) -> Floats:
        """Row duals of the whole problem as some of it: what `duals` makes of them, undone."""
        y = np.concatenate([y, np.zeros(self.means.shape[0] - len(y))])
        out = np.zeros(self.means.shape[1])
        np.add.at(out, _into(self.means), y)
        return out

    def apart(self, basis: Basis) -> Basis:
        """A basis of it in the columns and rows of the whole problem: each slice as its group."""
        return Basis(basis.columns[_into(self.sums)], basis.rows[_into(self.means)])

    def together(self, basis: Basis) -> Basis:
        """A basis of the whole problem in its own columns and rows: each as its first slice.

        Rows that have joined since are slack.
        """
        columns = np.unique(_into(self.sums), return_index=True)[1]
        rows = np.unique(_into(self.means), return_index=True)[1]
        return Basis(basis.columns[columns], basis.rows[rows[rows < len(basis.rows)]])


def merged_week(matrix: Matrix, week: Week) -> MergedWeek:
    """The problem with the slices of each group as one, their mean."""
    names = [name for name in BY_SLICE_COLUMNS if name in matrix.columns]
    into, slot = _merged(matrix.columns, matrix.column_index, names, matrix.shape[1], week.group)
    row_into, row_slot = _merged(
        matrix.rows,
        matrix.row_index,
        _by_slice(matrix, slot, len(week.hours)),
        matrix.shape[0],
        week.group,
    )
    share = week.share
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
    return MergedWeek(small, sums, row_means)


def _into(sums: sp.csc_array) -> Ints:
    """Where each column (or row) of the whole problem went: the inverse of `_sums`."""
    out: Ints = sp.csr_array(sums).indices.astype(np.int64)
    return out


def _sums(into: Ints, weight: Floats) -> sp.csc_array:
    """Where each column (or row) goes, with a weight, as a matrix [from, to]."""
    at = np.arange(len(into)), into
    return sp.csc_array(sp.coo_array((weight, at), shape=(len(into), int(into.max()) + 1)))


def _merged(
    blocks: Mapping[str, slice],
    index: Mapping[str, Sequence[Any]],
    names: Sequence[str],
    count: int,
    group: Ints,
) -> tuple[Ints, Ints]:
    """Place among the merged, and slice, of each column (or row); slice -1 where it is not one.

    Of the blocks `names`, those go together whose index differs in the last number alone, and that
    by slices of one group.
    """
    into, slot = np.full(count, -1, dtype=np.int64), np.full(count, -1, dtype=np.int64)
    first = 0
    for name, block in sorted(blocks.items(), key=lambda item: item[1].start):
        size = block.stop - block.start
        if size and name in names:
            each = np.array(index[name], dtype=np.int64).reshape(size, -1)
            slot[block] = each[:, -1]
            of = np.column_stack([each[:, :-1], group[each[:, -1]]])
            _, place = np.unique(of, axis=0, return_inverse=True)
        else:
            place = np.arange(size)
        into[block] = first + place
        first += int(place.max(initial=-1)) + 1
    return into, slot


def _by_slice(matrix: Matrix, slot: Ints, slices: int) -> list[str]:
    """Constraints whose rows are about one slice each: the last of several numbers of the index.

    Those where some row has columns of slices, each such row those of its own slice alone, and no
    row's last number is anything else.
    """
    entries = sp.coo_array(matrix.a)
    row, column = entries.coords
    some = slot[column] >= 0
    low = np.full(matrix.shape[0], slices)
    high = np.full(matrix.shape[0], -1)
    np.minimum.at(low, row[some], slot[column[some]])
    np.maximum.at(high, row[some], slot[column[some]])
    out = []
    for name, block in matrix.rows.items():
        index = _numbers(matrix.row_index[name])
        some = high[block] >= 0
        if index is None or not some.any():
            continue
        last = index[:, -1]
        mine = (last[some] == low[block][some]).all() and (last[some] == high[block][some]).all()
        if mine and (last >= 0).all() and (last < slices).all():
            out.append(name)
    return out


def _numbers(index: Sequence[Any]) -> Ints | None:
    """The index of a constraint's rows, several whole numbers each; None where it is not so."""
    sizes = {len(each) if isinstance(each, tuple) else 1 for each in index}
    if len(sizes) != 1 or min(sizes) < 2:
        return None
    if not all(isinstance(n, int | np.integer) for each in index for n in each):
        return None
    return np.array(index, dtype=np.int64)
