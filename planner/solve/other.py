"""Another solver by its Pyomo name: its plan is offered, its bound is not taken.

A solver such as `scip_direct` or `gurobi_direct` gets the Pyomo model itself, and the lazy rows
that its answers broke. Of an answer only the whole numbers are kept (`planner.solve.mip`): with
them fixed, the flows come from our own relaxation, so that the plan keeps every row within our
tolerances; and the lower bound is weak duality over our own tree, in our own arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.environ as pyo
import scipy.sparse as sp
from pyomo.contrib.solver.common.factory import SolverFactory as NewFactory
from pyomo.core.expr.numeric_expr import LinearExpression

from planner.errors import Fault, InputError
from planner.matrix import Matrix
from planner.solve.branch import Search

Floats = npt.NDArray[np.float64]
GAP_OPTION = {
    "appsi_highs": "mip_rel_gap",
    "cbc": "ratioGap",
    "cplex": "mip_tolerances_mipgap",
    "glpk": "mipgap",
    "gurobi": "MIPGap",
    "scip": "limits/gap",
}
"""Solver of Pyomo's older interfaces -> its option for the relative gap."""


def require_solver(name: str) -> None:
    """Raise InputError when Pyomo knows no such solver, or it is not installed."""
    _solver(name)


class Named:
    """A solver by its Pyomo name, to be asked by `planner.solve.mip.found_by`."""

    def __init__(self, m: Any, name: str) -> None:
        """Hold a Pyomo model; InputError when the solver is not there."""
        self.name = name
        self._m = m
        self._solver, self._new = _solver(name)
        self._rows = -1

    def __call__(self, search: Search, limit_s: float | None) -> tuple[str, Floats]:
        """Ask it for the problem that the search holds, lazy rows included."""
        matrix = search.matrix
        if self._rows < 0:
            self._rows = sum(
                block.stop - block.start
                for name, block in matrix.rows.items()
                if self._m.component(name) is not None
            )
        self._join(matrix)
        ask = _ask_new if self._new else _ask_old
        with _one_objective(self._m):
            gap = search.tolerance
            said, values = ask(self._solver, self._m, self.name, gap, limit_s)
        return said, np.zeros(0) if values is None else _in_order(self._m, matrix, values)

    def _join(self, matrix: Matrix) -> None:
        """Give the Pyomo model the rows that joined the matrix since the last time."""
        if self._rows == matrix.shape[0]:
            return
        m = self._m
        if m.component("joined") is None:
            m.joined = pyo.ConstraintList()
        every = [
            m.component(name)[key] for name, keys in matrix.column_index.items() for key in keys
        ]
        rows = sp.csr_array(matrix.a)[self._rows :]
        for i in range(rows.shape[0]):
            span = slice(rows.indptr[i], rows.indptr[i + 1])
            terms = [every[column] for column in rows.indices[span].tolist()]
            body = LinearExpression(linear_coefs=rows.data[span].tolist(), linear_vars=terms)
            low, high = (
                float(side[self._rows + i]) for side in (matrix.row_lower, matrix.row_upper)
            )
            m.joined.add(
                (low if np.isfinite(low) else None, body, high if np.isfinite(high) else None)
            )
        self._rows = matrix.shape[0]


def _solver(name: str) -> tuple[Any, bool]:
    """The solver, and whether it is of Pyomo's newer interfaces."""
    new = NewFactory(name)
    if new is not None:
        if not new.available():
            raise InputError([Fault("--solver", f"'{name}' is not installed")])
        return new, True
    # Pyomo would take any other name for a program to run.
    if name not in list(pyo.SolverFactory):
        raise InputError([Fault("--solver", f"Pyomo knows no solver '{name}'")])
    old = pyo.SolverFactory(name)
    if not old.available(exception_flag=False):
        raise InputError([Fault("--solver", f"'{name}' is not installed")])
    return old, False


@contextmanager
def _one_objective(m: Any) -> Iterator[None]:
    """Give the model the sum of its cost terms as its only objective, for a while."""
    terms = list(m.component_objects(pyo.Objective, active=True))
    for term in terms:
        term.deactivate()
    m.total_cost = pyo.Objective(expr=pyo.quicksum(term.expr for term in terms))
    try:
        yield
    finally:
        m.del_component("total_cost")
        for term in terms:
            term.activate()


def _ask_new(
    solver: Any, m: Any, _name: str, gap: float, limit_s: float | None
) -> tuple[str, dict[int, float] | None]:
    """Ask a solver of the newer interfaces; values are by the id of the variable."""
    found = solver.solve(
        m,
        load_solutions=False,
        raise_exception_on_nonoptimal_result=False,
        rel_gap=gap,
        time_limit=limit_s,
    )
    said = found.termination_condition.name
    if found.incumbent_objective is None:
        return said, None
    primals = found.solution_loader.get_vars()
    return said, {id(var): value for var, value in primals.items()}


def _ask_old(
    solver: Any, m: Any, name: str, gap: float, limit_s: float | None
) -> tuple[str, dict[int, float] | None]:
    """Ask a solver of the older interfaces; its answer is loaded into the model's variables."""
    extra = {} if limit_s is None else {"timelimit": limit_s}
    family = next((known for known in GAP_OPTION if name.startswith(known)), None)
    if family is not None:
        solver.options[GAP_OPTION[family]] = gap
    found = solver.solve(m, load_solutions=False, **extra)
    said = str(found.solver.termination_condition)
    if not len(found.solution):
        return said, None
    m.solutions.load_from(found)
    every = m.component_data_objects(pyo.Var, active=True)
    return said, {id(var): var.value for var in every if var.value is not None}


def _in_order(m: Any, matrix: Matrix, values: dict[int, float]) -> Floats:
    """Values as columns of the matrix; one that the solver never saw stands at its bound."""
    out: Floats = np.clip(np.zeros(matrix.shape[1]), matrix.lower, matrix.upper)
    for name, at in matrix.columns.items():
        component = m.component(name)
        for i, key in enumerate(matrix.column_index[name], start=at.start):
            value = values.get(id(component[key]))
            if value is not None:
                out[i] = value
    return out
