"""A constraint's template, evaluated for all its rows at once.

Pyomo states a family once, with placeholders for indices (`IndexTemplate`); a sum over a set that
depends on them (`TemplateSumExpression`) has another length in each row. Here a placeholder is an
array with its value in every entry, a sum makes of each entry as many as its set has members, and
parameters and column numbers are looked up for all entries together. What the walk does not know
raises UnknownError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.core.expr as expr
import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import (
    LinearExpression,
    MonomialTermExpression,
    NegationExpression,
    NPV_NegationExpression,
    NPV_ProductExpression,
    NPV_SumExpression,
    ProductExpression,
    SumExpression,
)
from pyomo.core.expr.template_expr import NPV_Numeric_GetItemExpression

from planner.compile.members import Members, Places, UnknownError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Value = float | Floats
"""A number, the same for every entry or one each."""
SUMS = (SumExpression, LinearExpression, NPV_SumExpression)
PRODUCTS = (ProductExpression, MonomialTermExpression, NPV_ProductExpression)
NEGATIONS = (NegationExpression, NPV_NegationExpression)


@dataclass(frozen=True, eq=False)
class Term:
    """A coefficient and a column for some rows; a row may stand in it more than once."""

    row: Ints
    column: Ints
    value: Floats


@dataclass(eq=False)
class Frame:
    """Entries to evaluate: a constraint's rows, or within a sum each of its members in them."""

    size: int
    row: Ints
    """Row of each entry [entry]."""
    own: dict[int, Ints]
    """Placeholder (by id) that is not one of `outer` -> its value in each entry [entry]."""
    outer: Frame | None = None
    owner: Ints | None = None
    """Entry of `outer` that each entry belongs to [entry]."""

    def code(self, places: Places, index: Sequence[tuple[int, Any]]) -> Ints:
        """Some dimensions of an index as one number (see `Places`) [entry].

        Those that are the same in all entries of an outer one are added up there.
        """
        outside = [(i, part) for i, part in index if id(part) not in self.own]
        if self.outer is not None and outside:
            code = self.outer.code(places, outside)[self.owner]
        else:
            code = np.zeros(self.size, dtype=np.int64)
            for i, part in outside:
                if type(part) is not int:
                    raise UnknownError("an index that is computed, or from elsewhere")
                code += places.part(i, np.full(self.size, part))
        for i, part in index:
            if id(part) in self.own:
                code = code + places.part(i, self.own[id(part)])
        return code

    def value(self, outside: Value) -> Value:
        """A value of the outer frame in each entry of this one."""
        return outside[self.owner] if isinstance(outside, np.ndarray) else outside


@dataclass(eq=False)
class Walk:
    """The linear terms of one constraint's body, and its constant [row]."""

    members: Members
    rows: int
    terms: list[Term] = field(default_factory=list)
    constant: Floats = field(init=False)

    def __post_init__(self) -> None:
        """Begin without a constant."""
        self.constant = np.zeros(self.rows)

    def add(self, node: Any, frame: Frame, scale: Value) -> None:
        """Add scale * node, which is linear, for every entry."""
        kind = type(node)
        if kind in SUMS:
            for part in node.args:
                self.add(part, frame, scale)
        elif kind in NEGATIONS:
            self.add(node.args[0], frame, -scale)
        elif kind in PRODUCTS:
            left, right = node.args
            if _is_fixed(left):
                self.add(right, frame, _times(scale, self.number(left, frame)))
            elif _is_fixed(right):
                self.add(left, frame, _times(scale, self.number(right, frame)))
            else:
                raise UnknownError("a product of variables")
        elif kind is expr.TemplateSumExpression:
            self._add_sum(node, frame, scale)
        elif _is_fixed(node):
            value = np.broadcast_to(np.asarray(scale * self.number(node, frame)), frame.size)
            self.constant += np.bincount(frame.row, value, minlength=self.rows)
        else:
            self._add_column(node, frame, scale)

    def _add_sum(self, node: Any, frame: Frame, scale: Value) -> None:
        body, *sets = node.template_args()
        for some, placeholders in zip(sets, node.template_iters(), strict=True):
            frame = self._expanded(frame, some, placeholders)
            scale = frame.value(scale)
        if frame.size:
            self.add(body, frame, scale)

    def _expanded(self, frame: Frame, some: Any, placeholders: tuple[Any, ...]) -> Frame:
        """Every member of a set in every entry of a frame."""
        if isinstance(some, expr.GetItemExpression):
            component, *index = some.args
            if getattr(component, "ctype", None) is not pyo.Set:
                raise UnknownError("a sum over something that is no set")
            lists = self.members.lists(component)
            at = _at(lists.places, index, frame)
            if len(at) and at.min() < 0:
                _given(_at(lists.every, index, frame))
            owner, found = lists.of(at)
        elif getattr(some, "ctype", None) in (pyo.Set, pyo.RangeSet):
            every = self.members.of_set(some)
            owner = np.repeat(np.arange(frame.size), every.shape[1])
            found = np.tile(every, frame.size)
        else:
            raise UnknownError("a sum over something that is no set")
        if len(owner) and len(found) != len(placeholders):
            raise UnknownError("members of another dimension")
        known = {id(one): axis for one, axis in zip(placeholders, found, strict=False)}
        row = owner if frame.outer is None else frame.row[owner]
        return Frame(len(owner), row, known, frame, owner)

    def _add_column(self, node: Any, frame: Frame, scale: Value) -> None:
        """Add scale * a variable, by its index or as a member of its own."""
        if isinstance(node, expr.GetItemExpression):
            component, *index = node.args
        elif getattr(node, "is_variable_type", bool)():
            component, key = node.parent_component(), node.index()
            index = list(key) if isinstance(key, tuple) else [] if key is None else [key]
        else:
            raise UnknownError(f"a node of kind {type(node).__name__}")
        if getattr(component, "ctype", None) is not pyo.Var:
            raise UnknownError("an indexed component that is no variable")
        if not isinstance(scale, np.ndarray):
            if scale == 0.0:
                raise UnknownError("a coefficient that is always 0")
            scale = np.full(frame.size, scale)
        places, first = self.members.columns(component)
        column = _given(_at(places, index, frame)) + first
        self.terms.append(Term(frame.row, column, scale))

    def number(self, node: Any, frame: Frame) -> Value:
        """Value of what has no variable, in each entry."""
        kind = type(node)
        if isinstance(node, (int, float)):
            return float(node)
        if kind is NPV_Numeric_GetItemExpression:
            component, *index = node.args
            if getattr(component, "ctype", None) is pyo.Param:
                numbers = self.members.numbers(component)
                at = _at(numbers.places, index, frame)
                return numbers.values[_given(at) if numbers.complete else at]
        elif kind in PRODUCTS:
            left, right = node.args
            return _times(self.number(left, frame), self.number(right, frame))
        elif kind in NEGATIONS:
            return -self.number(node.args[0], frame)
        elif kind in SUMS:
            first, *rest = (self.number(part, frame) for part in node.args)
            return sum(rest, start=first)
        raise UnknownError(f"a number of kind {kind.__name__}")


def _at(places: Places, index: Sequence[Any], frame: Frame) -> Ints:
    """Position of an index in each entry; -1 where it is none [entry]."""
    if len(index) != places.dimensions:
        raise UnknownError("an index of another dimension")
    return places.at(frame.code(places, list(enumerate(index))))


def _given(at: Ints) -> Ints:
    """Positions, none of which may be missing: Pyomo says what is wrong with an index."""
    if len(at) and at.min() < 0:
        raise UnknownError("an index that is not there")
    return at


def _times(one: Value, other: Value) -> Value:
    """Product of two values; 1 and -1 are told apart to spare the work."""
    if not isinstance(one, np.ndarray):
        if one == 1.0:
            return other
        if one == -1.0:
            return -other
    return one * other


def _is_fixed(node: Any) -> bool:
    """Whether there is no variable in it."""
    return isinstance(node, (int, float)) or not node.is_potentially_variable()
