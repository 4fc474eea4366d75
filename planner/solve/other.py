"""Another solver by its Pyomo name: its plan is offered, its bound is not taken.

A solver such as `scip_direct` or `gurobi_direct` gets the Pyomo model itself. Of its answer only
the whole numbers are kept: with them fixed, the flows come from our own relaxation, so that the
plan keeps every row within our tolerances; and the lower bound is weak duality at our own root
relaxation, in our own arithmetic.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.environ as pyo
from pyomo.contrib.solver.common.factory import SolverFactory as NewFactory

from planner.errors import Fault, InfeasibleError, InputError, UnprovenError
from planner.matrix import Matrix
from planner.solve.certificate import Node, proven_bound
from planner.solve.options import SolveOptions, relative_gap
from planner.solve.session import Session

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


@dataclass(frozen=True)
class Answer:
    """What another solver found, held against our own bound."""

    solver: str
    """Pyomo name of the solver."""
    said: str
    """Its own word on how it ended."""
    x: Floats
    """Column values in the order of the matrix, settled by our own relaxation."""
    objective_usd: float
    """Cost of x, USD."""
    root: Node
    """The root relaxation with the row duals that prove the bound."""
    seconds: dict[str, float]
    """Wall time: relaxation, solver, settle."""

    @property
    def bound_usd(self) -> float:
        """Lower bound on every plan's cost, USD."""
        return self.root.bound

    @property
    def gap(self) -> float:
        """(objective - bound) / |objective|."""
        return relative_gap(self.objective_usd, self.bound_usd)


def require_solver(name: str) -> None:
    """Raise InputError when Pyomo knows no such solver, or it is not installed."""
    _solver(name)


def solve_by_name(m: Any, matrix: Matrix, name: str, options: SolveOptions) -> Answer:
    """Solve a Pyomo model, of which `matrix` is the compiled form, with a solver by its name.

    Raises InputError for a solver that is not there, InfeasibleError when our own relaxation
    proves that no plan exists, and UnprovenError when the solver found none.
    """
    solver, new = _solver(name)
    session = Session(matrix, options.threads)
    started = time.perf_counter()
    root = _relaxation(session, options.time_limit_s)
    seconds = {"relaxation": time.perf_counter() - started}
    left = options.time_limit_s
    if left is not None:
        left = max(1.0, left - seconds["relaxation"])
    started = time.perf_counter()
    with _one_objective(m):
        said, values = (_ask_new if new else _ask_old)(solver, m, name, options.gap, left)
    seconds["solver"] = time.perf_counter() - started
    if values is None:
        raise UnprovenError(f"{name} found no plan: it ended with '{said}'")
    started = time.perf_counter()
    x = _settle(session, _in_order(m, matrix, values))
    seconds["settle"] = time.perf_counter() - started
    if x is None:
        raise UnprovenError(f"the whole numbers that {name} gave do not make a plan")
    cost = float(matrix.objective @ x) + matrix.offset
    return Answer(name, said, x, cost, root, seconds)


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


def _relaxation(session: Session, limit_s: float | None) -> Node:
    """The root with the duals of our own relaxation and the bound that they prove."""
    result = session.solve_lp(limit_s)
    node = Node(-1, -1, -np.inf, np.inf)
    node.y, node.ray = result.y, result.status == "infeasible"
    matrix = session.matrix
    node.bound = proven_bound(matrix, node.y, node.ray, (matrix.lower, matrix.upper))
    if node.ray and node.bound == np.inf:
        raise InfeasibleError("no plan satisfies every rule, not even with fractions of lots")
    return node


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


def _settle(session: Session, x: Floats) -> Floats | None:
    """Keep the whole numbers of x, and let our own relaxation find the rest; None if none is."""
    matrix = session.matrix
    whole = np.flatnonzero(matrix.integer)
    fixed = np.clip(np.round(x[whole]), matrix.lower[whole], matrix.upper[whole])
    session.set_bounds(whole, fixed, fixed)
    result = session.solve_lp()
    session.set_bounds(whole, matrix.lower[whole], matrix.upper[whole])
    if result.status != "optimal":
        return None
    out = result.x.copy()
    out[whole] = fixed
    return out
