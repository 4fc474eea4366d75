"""Instance -> Pyomo model, by walking the registry of equations."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import pyomo.core.base.constraint as pyomo_constraint
import pyomo.core.base.objective as pyomo_objective
import pyomo.environ as pyo
from pyomo.common.gc_manager import PauseGC

from planner.equations import EQUATIONS, STRENGTHENING, Equation, Model
from planner.instance import Instance


@contextmanager
def templates() -> Iterator[None]:
    """Build constraints and cost terms as templates: one expression a family, not one a row.

    Pyomo 6.10 has them behind module globals, off by default; they are put back afterwards.
    """
    before = pyomo_constraint.TEMPLATIZE_CONSTRAINTS, pyomo_objective.TEMPLATIZE_OBJECTIVES
    pyomo_constraint.TEMPLATIZE_CONSTRAINTS = True
    pyomo_objective.TEMPLATIZE_OBJECTIVES = True
    try:
        with _quiet():
            yield
    finally:
        pyomo_constraint.TEMPLATIZE_CONSTRAINTS = before[0]
        pyomo_objective.TEMPLATIZE_OBJECTIVES = before[1]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back one deprecation that Pyomo's own template code logs about itself."""

    def not_own(record: logging.LogRecord) -> bool:
        return "sparse_iteritems" not in record.getMessage()

    logger = logging.getLogger("pyomo.core.base.param")
    logger.addFilter(not_own)
    try:
        yield
    finally:
        logger.removeFilter(not_own)


def build_model(
    inst: Instance,
    extra: Iterable[Equation] = (),
    without: Collection[Equation] = (),
    *,
    strengthen: bool = False,
) -> Model:
    """The Pyomo model of an instance; `extra` equations are added after the registered ones.

    Equations in `without` are left out: what holds instead is the caller's matter. `strengthen`
    adds what follows from the others (`planner.equations.strengthening`), last.
    """
    m = pyo.ConcreteModel()
    # Many small objects and no cycles: collecting garbage meanwhile only costs time.
    with templates(), PauseGC():
        for equation in (*EQUATIONS, *extra, *(STRENGTHENING if strengthen else ())):
            if equation not in without:
                equation(m, inst)
    return m
