"""The model as arrays: cost terms, rows, bounds, integrality, with labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.environ as pyo
import scipy.sparse as sp
from pyomo.common.errors import InfeasibleConstraintException
from pyomo.common.gc_manager import PauseGC
from pyomo.repn.plugins import standard_form
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from pyomo.repn.util import TemplateVarRecorder

from planner.equations import Model
from planner.errors import InfeasibleError
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
    upper: Floats


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
    row_upper: Floats
    lower: Floats
    upper: Floats
    integer: npt.NDArray[np.bool_]
    """Whether the column is a whole number."""
    columns: dict[str, slice]
    """Component -> its columns."""
    column_index: dict[str, tuple[Any, ...]]
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
        return replace(
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

    @property
    def objective(self) -> Floats:
        """Coefficients of the whole objective [column], USD."""
        out: Floats = self.cost.sum(axis=0)
        return out

    @property
    def offset(self) -> float:
        """Constant of the whole objective, USD."""
        return float(self.cost_offset.sum())

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.a.shape

    def values(self, x: Floats, component: str) -> dict[Any, float]:
        """Index -> value of one component's columns in a solution x."""
        block = x[self.columns[component]]
        return dict(zip(self.column_index[component], block.tolist(), strict=True))


def compile_model(m: Model) -> Matrix:
    """Compile a Pyomo model to arrays with the standard-form compiler.

    Every variable is a column, also one that no row or cost term names.
    """
    with templates(), PauseGC():
        return _compile(m)


def _compile(m: Model) -> Matrix:
    variables = list(m.component_objects(pyo.Var, active=True))
    try:
        with _recording():
            form = LinearStandardFormCompiler().write(m, mixed_form=True)
    except InfeasibleConstraintException as error:
        raise InfeasibleError(f"a rule that nothing can satisfy: {error}") from error
    columns, column_index, start = {}, {}, 0
    data = []
    for var in variables:
        index, block = _members(var)
        columns[var.name] = slice(start, start + len(block))
        column_index[var.name] = tuple(index)
        data.extend(block)
        start += len(block)
    n = len(data)
    order = _positions(data, form.columns)
    a = _spread(form.A, order, n)
    kinds = np.array([entry.bound_type for entry in form.rows], dtype=np.int64)
    rhs = np.asarray(form.rhs, dtype=float)
    rows, row_index = _row_labels([entry.constraint for entry in form.rows])
    names = tuple(obj.name.removeprefix(COST_PREFIX) for obj in form.objectives)
    lower, upper, integer = _columns(data)
    return Matrix(
        cost_terms=names,
        cost=_spread(form.c, order, n).toarray(),
        cost_offset=np.asarray(form.c_offset, dtype=float),
        a=a,
        row_lower=np.where(kinds == 1, -np.inf, rhs),
        row_upper=np.where(kinds == -1, np.inf, rhs),
        lower=lower,
        upper=upper,
        integer=integer,
        columns=columns,
        column_index=column_index,
        rows=rows,
        row_index=row_index,
    )


def _members(var: Any) -> tuple[list[Any], list[Any]]:
    """Indices and members of a variable, in the order in which Pyomo holds them.

    Read from the container: walking the index set looks each of them up again.
    """
    held = var._data  # noqa: SLF001
    return list(held), list(held.values())


class _Plain(dict[Any, Any]):
    """Members of an indexed Set by its index; what is not there yet is asked of Pyomo."""

    def __init__(self, component: Any) -> None:
        super().__init__({index: tuple(each) for index, each in component.items()})
        self._component = component

    def __missing__(self, index: Any) -> Any:
        return self._component[index]


class _Names(dict[str, Any]):
    """Names that compiled templates see, with Sets as tuples: Pyomo's iterate many times slower."""

    def __setitem__(self, name: str, value: Any) -> None:
        if getattr(value, "ctype", None) in (pyo.Set, pyo.RangeSet):
            value = _Plain(value) if value.is_indexed() else tuple(value)
        super().__setitem__(name, value)


class _Recorder(TemplateVarRecorder):  # type: ignore[misc]
    """Numbers the columns of a variable at once; Pyomo's own goes member by member."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.env: Any = _Names(self.env)

    def add(self, var: Any) -> None:
        """Give every member of the variable that `var` belongs to its column."""
        component = var.parent_component()
        name = self.symbolmap.getSymbol(component)
        if name in self.env:
            return
        index, block = _members(component)
        start = len(self.var_map)
        span = range(start, start + len(block))
        ids = list(map(id, block))
        self.env[name] = dict(zip(index, span, strict=True))
        self.var_map.update(zip(ids, block, strict=True))
        if self._var_order is not None:
            self._var_order.update(zip(ids, span, strict=True))


@contextmanager
def _recording() -> Iterator[None]:
    """Let the standard-form compiler use `_Recorder`; it takes its recorder from its module."""
    before = standard_form.TemplateVarRecorder
    standard_form.TemplateVarRecorder = _Recorder
    try:
        yield
    finally:
        standard_form.TemplateVarRecorder = before


def _positions(data: list[Any], columns: list[Any]) -> npt.NDArray[np.int64]:
    """Position in `data` of each of `columns`, which are the same objects."""
    known = np.fromiter(map(id, data), dtype=np.int64)
    wanted = np.fromiter(map(id, columns), dtype=np.int64)
    sorter = np.argsort(known)
    out: npt.NDArray[np.int64] = sorter[np.searchsorted(known, wanted, sorter=sorter)]
    return out


def _columns(data: list[Any]) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Bounds of each variable, the tighter of its own and its domain's, and whether it is whole.

    A domain is asked once, not for each of its variables.
    """
    lower, upper = (_numbers(data, side) for side in ("_lb", "_ub"))
    domains = list(map(attrgetter("domain"), data))
    code = np.fromiter(map(id, domains), dtype=np.int64)
    integer = np.zeros(len(data), dtype=bool)
    for first in np.unique(code, return_index=True)[1].tolist():
        here = code == code[first]
        low, high = domains[first].bounds()
        lower[here] = np.maximum(lower[here], -np.inf if low is None else low)
        upper[here] = np.minimum(upper[here], np.inf if high is None else high)
        integer[here] = not data[first].is_continuous()
    return lower, upper, integer


def _numbers(data: list[Any], side: str) -> Floats:
    """One side's bound of each variable, infinite where there is none.

    Read where Pyomo keeps it: its properties compare with the domain each time they are asked.
    """
    missing = -np.inf if side == "_lb" else np.inf
    try:
        out = np.array(list(map(attrgetter(side), data)), dtype=float)
    except (TypeError, ValueError):  # an expression stands there
        public = attrgetter("lb" if side == "_lb" else "ub")
        out = np.array(list(map(public, data)), dtype=float)
    out[np.isnan(out)] = missing
    return out


def _spread(matrix: Any, order: npt.NDArray[np.int64], n: int) -> sp.csc_array:
    """The compiled matrix with its columns in model order, summed where one stands twice."""
    coo = sp.coo_array(matrix)
    out = sp.csc_array((coo.data, (coo.coords[0], order[coo.coords[1]])), shape=(coo.shape[0], n))
    out.sum_duplicates()
    return out


def _row_labels(
    constraints: list[Any],
) -> tuple[dict[str, slice], dict[str, tuple[Any, ...]]]:
    """Rows of each constraint and their indices; rows of one constraint stand together."""
    rows: dict[str, slice] = {}
    labels: dict[str, tuple[Any, ...]] = {}
    start = 0
    while start < len(constraints):
        parent = constraints[start].parent_component()
        stop = start
        index = []
        while stop < len(constraints) and constraints[stop].parent_component() is parent:
            index.append(constraints[stop].index())
            stop += 1
        rows[parent.name] = slice(start, stop)
        labels[parent.name] = tuple(index)
        start = stop
    return rows, labels
