"""Constraints of a Pyomo model as arrays, family by family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from pyomo.core.base.constraint import TemplateConstraintData

from planner.compile.members import Members, UnknownError, axes_of
from planner.compile.one_by_one import OneByOne
from planner.compile.walk import Frame, Term, Walk
from planner.errors import InfeasibleError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Family:
    """Rows of one constraint: lower <= sum of terms <= upper."""

    name: str
    index: tuple[Any, ...]
    """Index of each row, as Pyomo has it."""
    lower: Floats
    upper: Floats
    terms: Sequence[Term]
    at_once: bool
    """Whether its template was evaluated for all rows together."""


def family(constraint: Any, members: Members, one_by_one: OneByOne) -> Family:
    """The rows of a constraint, in the order in which Pyomo holds them.

    A row without any term is left out when it holds; InfeasibleError when it does not. ValueError
    when a row is not linear.
    """
    data = constraint._data  # noqa: SLF001
    try:
        found = _at_once(constraint.name, data, members)
    except UnknownError:
        found = _row_by_row(constraint.name, data, one_by_one)
    return _without_empty(found)


def _at_once(name: str, data: dict[Any, Any], members: Members) -> Family:
    """All rows of a constraint that is one template; UnknownError otherwise."""
    some: Any = next(iter(data.values()), None)
    if type(some) is not TemplateConstraintData:
        raise UnknownError("rows of their own")
    template = some._expr  # noqa: SLF001
    if not hasattr(template[0], "args"):
        raise UnknownError("no relation")
    for row in data.values():
        if type(row) is not TemplateConstraintData or row._expr is not template or not row._active:  # noqa: SLF001
            raise UnknownError("a row of its own")
    placeholders = template[1]
    axes = axes_of(data)
    if len(axes) != len(placeholders):
        raise UnknownError("indices of another dimension")
    count = len(data)
    known = {id(one): axis for one, axis in zip(placeholders, axes, strict=True)}
    frame = Frame(count, np.arange(count), known)
    low, body, high = some.to_bounded_expression()
    if low is not None and high is not None and low is not high:
        raise UnknownError("a range")
    walk = Walk(members, count)
    walk.add(body, frame, 1.0)
    lower, upper = (
        np.full(count, missing) if side is None else walk.number(side, frame) - walk.constant
        for side, missing in ((low, -np.inf), (high, np.inf))
    )
    return Family(name, tuple(data), lower, upper, walk.terms, True)


def _row_by_row(name: str, data: dict[Any, Any], one_by_one: OneByOne) -> Family:
    """Rows of a constraint through Pyomo, a range as two of them."""
    index: list[Any] = []
    sides: list[tuple[float, float]] = []
    columns: list[Any] = []
    values: list[Any] = []
    for key, row in data.items():
        if not row.active:
            continue
        low, high, constant, at, coefficients = one_by_one.row(row)
        for side in _sides(low, high):
            index.append(key)
            sides.append((side[0] - constant, side[1] - constant))
            columns.append(at)
            values.append(coefficients)
    counts = list(map(len, columns))
    term = Term(
        row=np.repeat(np.arange(len(index)), counts),
        column=np.fromiter(chain.from_iterable(columns), dtype=np.int64, count=sum(counts)),
        value=np.fromiter(chain.from_iterable(values), dtype=np.float64, count=sum(counts)),
    )
    lower, upper = np.array(sides, dtype=np.float64).reshape(-1, 2).T
    return Family(name, tuple(index), lower, upper, [term], False)


def _sides(low: float | None, high: float | None) -> list[tuple[float, float]]:
    """Bounds of the rows that a row becomes: none without bounds, two for a range."""
    if low is not None and low == high:
        return [(low, low)]
    above = [] if high is None else [(-np.inf, high)]
    return above if low is None else [*above, (low, np.inf)]


def _without_empty(found: Family) -> Family:
    """The family without rows that have no term, which must hold."""
    count = np.zeros(len(found.index), dtype=np.int64)
    for term in found.terms:
        count += np.bincount(term.row, minlength=len(count))
    if count.all():
        return found
    empty = count == 0
    broken = empty & ((found.lower > 0) | (found.upper < 0))
    if broken.any():
        index = found.index[int(np.flatnonzero(broken)[0])]
        label = "" if index is None else f"[{','.join(map(str, _parts(index)))}]"
        raise InfeasibleError(f"a rule that nothing can satisfy: {found.name}{label}")
    place = np.cumsum(~empty) - 1
    kept = tuple(key for key, gone in zip(found.index, empty.tolist(), strict=True) if not gone)
    terms = [Term(place[term.row], term.column, term.value) for term in found.terms]
    return Family(found.name, kept, found.lower[~empty], found.upper[~empty], terms, found.at_once)


def _parts(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)
