"""The model as arrays: cost terms, rows, bounds, integrality, with labels."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.environ as pyo
import scipy.sparse as sp
from pyomo.common.gc_manager import PauseGC

from planner.compile.columns import Columns
from planner.compile.costs import cost
from planner.compile.members import Members
from planner.compile.one_by_one import OneByOne
from planner.compile.rows import Family, family
from planner.equations import Model
from planner.model import templates

Floats = npt.NDArray[np.float64]
COST_PREFIX = "cost_"


@dataclass(frozen=True, eq=False)
class RowBatch:
    """Rows that join a problem while it is solved: lower <= A x <= upper."""

    name: str
    """Constraint under which they stand."""
    index: tuple[tuple[int, ...], ...]
    """Index of each row."""
    a: sp.csr_array
    """Coefficients [row, column]."""
    lower: Floats
    """Lower sides [row]."""
    upper: Floats
    """Upper sides [row]."""


@dataclass(frozen=True)
class Matrix:
    """min sum_terms (cost @ x + cost_offset), row_lower <= A x <= row_upper, lower <= x <= upper.

    Columns stand in the order of the model's components and, within one, of its index.
    """

    cost_terms: tuple[str, ...]
    """Names of the cost terms."""
    cost: Floats
    """Coefficients [term, column], USD."""
    cost_offset: Floats
    """Constants [term], USD."""
    a: sp.csc_array
    """Coefficients [row, column]."""
    row_lower: Floats
    """Lower sides of the rows [row]."""
    row_upper: Floats
    """Upper sides [row]."""
    lower: Floats
    """Lower bounds of the columns [column]."""
    upper: Floats
    """Upper bounds [column]."""
    integer: npt.NDArray[np.bool_]
    """Whether the column is a whole number."""
    columns: dict[str, slice]
    """Component -> its columns."""
    column_index: dict[str, Sequence[Any]]
    """Component -> index of each of its columns."""
    rows: dict[str, slice]
    """Constraint -> its rows."""
    row_index: dict[str, tuple[Any, ...]]
    """Constraint -> index of each of its rows."""

    def with_rows(self, batch: RowBatch) -> Matrix:
        """The same problem with more rows below the others.

        Rows of a constraint that is there already join it, which therefore has to be the last.
        """
        start = self.rows.get(batch.name, slice(self.shape[0], 0)).start
        total = self.shape[0] + len(batch.index)
        out = replace(
            self,
            a=sp.csc_array(sp.vstack([self.a, batch.a], format="csc")),
            row_lower=np.concatenate([self.row_lower, batch.lower]),
            row_upper=np.concatenate([self.row_upper, batch.upper]),
            rows={**self.rows, batch.name: slice(start, total)},
            row_index={
                **self.row_index,
                batch.name: self.row_index.get(batch.name, ()) + batch.index,
            },
        )
        # More rows, the same cost: the sum over terms is not made again.
        out.__dict__["objective"] = self.objective
        return out

    @cached_property
    def objective(self) -> Floats:
        """Coefficients of the whole objective [column], USD; not to be written to."""
        out: Floats = self.cost.sum(axis=0)
        out.flags.writeable = False
        return out

    @property
    def offset(self) -> float:
        """Constant of the whole objective, USD."""
        return float(self.cost_offset.sum())

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.a.shape

    def size(self, without: Collection[str] = ()) -> dict[str, int]:
        """Numbers of columns, rows, nonzeros and integers, components `without` left out."""
        column, row = np.ones(self.shape[1], dtype=bool), np.ones(self.shape[0], dtype=bool)
        for name in without:
            column[self.columns.get(name, slice(0, 0))] = False
            row[self.rows.get(name, slice(0, 0))] = False
        return {
            "columns": int(column.sum()),
            "rows": int(row.sum()),
            "nonzeros": int(
                (row[self.a.indices] & np.repeat(column, np.diff(self.a.indptr))).sum()
            ),
            "integers": int(self.integer[column].sum()),
        }

    def values(self, x: Floats, component: str) -> dict[Any, float]:
        """Index -> value of one component's columns in a solution x."""
        block = x[self.columns[component]]
        return dict(zip(self.column_index[component], block.tolist(), strict=True))


def compile_model(m: Model) -> Matrix:
    """Compile a Pyomo model to arrays.

    Every variable is a column, also one that no row or cost term names; a variable that is fixed
    stands in no row. Constraints that are templates are evaluated for all their rows at once
    (`planner.compile`), others row by row. InfeasibleError when a row without variables does not
    hold; ValueError when one is not linear.
    """
    with templates(), PauseGC():
        return _compile(m)


def _compile(m: Model) -> Matrix:
    columns = Columns.of(m)
    members, one_by_one = Members(columns.first), OneByOne(columns.first)
    families = [
        family(constraint, members, one_by_one)
        for constraint in m.component_objects(pyo.Constraint, active=True)
    ]
    families = [each for each in families if each.index]
    terms = [
        cost(objective, members, one_by_one)
        for objective in m.component_data_objects(pyo.Objective, active=True)
    ]
    # By column: the order in which the objective adds terms up, whose last bits steer a search.
    costs = np.zeros((len(terms), columns.count), order="F")
    for i, term in enumerate(terms):
        paid, place = np.unique(term.column, return_inverse=True)
        costs[i, paid] = np.bincount(place, term.value)
    cost_offset = np.array([term.constant for term in terms], dtype=float)
    a = _rows(families, columns.count)
    sides = [
        np.concatenate([getattr(each, side) for each in families] or [np.zeros(0)])
        for side in ("lower", "upper")
    ]
    if columns.fixed.any():
        a, moved = _without(a, columns)
        sides = [side - moved for side in sides]
        cost_offset = cost_offset + costs @ columns.fixed_values
        costs[:, columns.fixed] = 0.0
    rows, start = {}, 0
    for each in families:
        rows[each.name] = slice(start, start + len(each.index))
        start += len(each.index)
    return Matrix(
        cost_terms=tuple(term.name.removeprefix(COST_PREFIX) for term in terms),
        cost=costs,
        cost_offset=cost_offset,
        a=a,
        row_lower=sides[0],
        row_upper=sides[1],
        lower=columns.lower,
        upper=columns.upper,
        integer=columns.integer,
        columns=columns.spans,
        column_index=columns.index,
        rows=rows,
        row_index={each.name: each.index for each in families},
    )


def _rows(families: list[Family], columns: int) -> sp.csc_array:
    """Terms of all families as one matrix, summed where a column stands twice in a row."""
    starts = np.cumsum([0, *(len(each.index) for each in families)]).tolist()
    at = [
        (term, start) for each, start in zip(families, starts, strict=False) for term in each.terms
    ]
    if not at:
        return sp.csc_array((starts[-1], columns))
    row = np.concatenate([term.row + start for term, start in at])
    column, value = (np.concatenate([getattr(t, k) for t, _ in at]) for k in ("column", "value"))
    a = sp.csc_array((value, (row, column)), shape=(starts[-1], columns))
    a.sum_duplicates()
    a.eliminate_zeros()
    return a


def _without(a: sp.csc_array, columns: Columns) -> tuple[sp.csc_array, Floats]:
    """The matrix without fixed columns, and what they are in each row."""
    moved: Floats = a @ columns.fixed_values
    kept = a.copy()
    kept.data[np.repeat(columns.fixed, np.diff(a.indptr))] = 0.0
    kept.eliminate_zeros()
    return kept, moved
