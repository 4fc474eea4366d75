"""Instance -> Pyomo model, by walking the registry of equations."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pyomo.core.base.constraint as pyomo_constraint
import pyomo.core.base.objective as pyomo_objective
import pyomo.environ as pyo

from planner.equations import EQUATIONS, Equation, Model
from planner.instance import Instance


@contextmanager
def templates() -> Iterator[None]:
    """Build constraints as templates: one expression a family instead of one a row.

    Pyomo 6.10 has them behind module globals, off by default; they are put back afterwards.
    """
    before = pyomo_constraint.TEMPLATIZE_CONSTRAINTS, pyomo_objective.TEMPLATIZE_OBJECTIVES
    pyomo_constraint.TEMPLATIZE_CONSTRAINTS = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        pyomo_constraint.TEMPLATIZE_CONSTRAINTS = before[0]
        pyomo_objective.TEMPLATIZE_OBJECTIVES = before[1]


def build_model(inst: Instance, extra: Iterable[Equation] = ()) -> Model:
    """The Pyomo model of an instance; `extra` equations are added after the registered ones."""
    m = pyo.ConcreteModel()
    with templates():
        for equation in (*EQUATIONS, *extra):
            equation(m, inst)
    return m
