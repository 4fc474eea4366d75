"""Cost terms of a Pyomo model as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.environ as pyo

from planner.compile.members import Members, UnknownError
from planner.compile.one_by_one import OneByOne
from planner.compile.walk import SUMS, Frame, Walk

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FEW = 100
"""Parts of a sum that are walked; one with more was written out, and Pyomo takes that faster."""


@dataclass(frozen=True, eq=False)
class Cost:
    """constant + sum of value * column, to be minimised, USD. A column may stand in it twice."""

    name: str
    constant: float
    column: Ints
    value: Floats
    at_once: bool
    """Whether its template was evaluated as a whole."""


def cost(objective: Any, members: Members, one_by_one: OneByOne) -> Cost:
    """A cost term; one that is to be maximised with its sign turned.

    ValueError when it is not linear.
    """
    at_once = True
    try:
        constant, column, value = _at_once(objective, members)
    except UnknownError:
        at_once = False
        constant, column, value = one_by_one.cost(objective)
    sign = 1.0 if objective.sense == pyo.minimize else -1.0
    return Cost(objective.name, sign * constant, column, sign * value, at_once)


def _at_once(objective: Any, members: Members) -> tuple[float, Ints, Floats]:
    """A term that is a template; UnknownError otherwise."""
    if not hasattr(objective, "template_expr"):
        raise UnknownError("no template")
    body, placeholders = objective.template_expr()
    if placeholders or (type(body) in SUMS and body.nargs() > FEW):
        raise UnknownError("a term with indices, or written out")
    walk = Walk(members, 1)
    walk.add(body, Frame(1, np.zeros(1, dtype=np.int64), {}), 1.0)
    none = np.zeros(0)
    column = np.concatenate([none.astype(np.int64), *(term.column for term in walk.terms)])
    value = np.concatenate([none, *(term.value for term in walk.terms)])
    return float(walk.constant[0]), column, value
