"""Rows and cost terms through Pyomo's own walkers, one at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.environ as pyo
from pyomo.repn.linear import LinearRepnVisitor
from pyomo.repn.linear_template import LinearTemplateRepnVisitor
from pyomo.repn.util import TemplateVarRecorder

from planner.equations.bulk import BulkSets

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class _Plain(dict[Any, Any]):
    """Members of an indexed Set by its index; what is not there yet is asked of Pyomo."""

    def __init__(self, component: Any) -> None:
        lists = component.lists() if isinstance(component, BulkSets) else component
        super().__init__({index: tuple(each) for index, each in lists.items()})
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
    """Gives every variable its column in the model's order when a walker meets it."""

    def __init__(self, first_column: dict[int, int]) -> None:
        super().__init__({}, None)
        self.env: Any = _Names(self.env)
        self._first = first_column
        self._var_order: dict[int, int] = {}

    @property
    def var_list(self) -> dict[int, Any]:
        """Variables met so far by column; the walkers only look into it."""
        return {self._var_order[key]: var for key, var in self.var_map.items()}

    def add(self, var: Any) -> None:
        """Give every member of the variable that `var` belongs to its column."""
        component = var.parent_component()
        name = self.symbolmap.getSymbol(component)
        if name in self.env:
            return
        held = component._data  # noqa: SLF001
        start = self._first[id(component)]
        span = range(start, start + len(held))
        self.env[name] = dict(zip(held, span, strict=True))
        self.var_map.update(zip(map(id, held.values()), held.values(), strict=True))
        self._var_order.update(zip(map(id, held.values()), span, strict=True))


class OneByOne:
    """Pyomo's walkers over one model, whose columns are numbered already."""

    def __init__(self, first_column: dict[int, int]) -> None:
        """Take the first column of each variable, by the component's id."""
        self._recorder = _Recorder(first_column)
        self._plain = LinearRepnVisitor({}, var_recorder=self._recorder)
        self._template = LinearTemplateRepnVisitor({}, var_recorder=self._recorder)

    def row(self, row: Any) -> tuple[float | None, float | None, float, Any, Any]:
        """A row's lower and upper bound, constant, columns and coefficients.

        ValueError when it is not linear.
        """
        if hasattr(row, "template_expr"):
            constant, columns, values, low, high = self._template.expand_expression(
                row, row.template_expr()
            )
            return low, high, constant, columns, values
        low, body, high = row.to_bounded_expression(evaluate_bounds=True)
        return low, high, *self._linear(body, row.name)

    def cost(self, term: Any) -> tuple[float, Ints, Floats]:
        """A cost term's constant, columns and coefficients; ValueError when it is not linear."""
        constant, columns, values = self._linear(term.expr, term.name)
        return constant, np.array(columns, dtype=np.int64), np.array(values, dtype=np.float64)

    def _linear(self, body: Any, name: str) -> tuple[float, list[int], list[float]]:
        found = self._plain.walk_expression(body)
        if found.nonlinear is not None:
            raise ValueError(f"{name} is not linear")
        columns = list(map(self._recorder.var_order.__getitem__, found.linear))
        return float(found.constant), columns, list(found.linear.values())
