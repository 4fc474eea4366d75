"""Sets, parameters and variables of a Pyomo model as arrays, each read once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.environ as pyo

from planner.equations.bulk import BulkSets, axes_of_set, held, whole_numbers

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
ROOMY = 8
"""A table of places has at most so many cells for each key; beyond, keys are searched."""


class UnknownError(Exception):
    """Something that is not evaluated for all rows at once: Pyomo has to do it row by row."""


class Places:
    """Where each index of a component stands among its keys.

    An index is one number, the sum of a part from each dimension; a negative sum is no key's.
    """

    def __init__(self, axes: Ints) -> None:
        """Hold distinct keys [dimension, key], which are whole numbers."""
        self._low = axes.min(axis=1, initial=0).tolist()
        high = axes.max(axis=1, initial=0).tolist()
        self._span = [most - low + 1 for low, most in zip(self._low, high, strict=True)]
        self.dimensions, count = axes.shape
        cells = prod(self._span)
        if cells * (self.dimensions + 1) > 2**62:
            raise UnknownError("indices too far apart")
        self._step = [prod(self._span[i + 1 :]) for i in range(self.dimensions)]
        self._outside = -cells
        code = np.zeros(count, dtype=np.int64)
        for i, axis in enumerate(axes):
            code += self.part(i, axis)
        self._grid: Ints | None = None
        if cells <= ROOMY * count + 1024:
            self._grid = np.full(cells, -1, dtype=np.int64)
            self._grid[code] = np.arange(count)
        else:
            self._order = np.argsort(code, kind="stable")
            self._sorted = code[self._order]

    def part(self, dimension: int, axis: Ints) -> Ints:
        """What one dimension of some indices adds to their numbers [index]."""
        low, span, step = (each[dimension] for each in (self._low, self._span, self._step))
        part: Ints = axis * step if step != 1 else axis
        if low:
            part = part - low * step
        if len(axis) and (axis.min() < low or axis.max() >= low + span):
            part = np.where((axis >= low) & (axis < low + span), part, self._outside)
        return part

    def at(self, code: Ints) -> Ints:
        """Position of each index among the keys, by its number [index]; -1 where it is none."""
        if len(code) and code.min() < 0:
            out = np.full(len(code), -1, dtype=np.int64)
            good = code >= 0
            out[good] = self.at(code[good])
            return out
        if self._grid is not None:
            return self._grid[code]
        near = np.searchsorted(self._sorted, code)
        near[near == len(self._sorted)] = 0
        return np.where(self._sorted[near] == code, self._order[near], -1)


def axes_of(keys: Collection[Any]) -> Ints:
    """Indices as Pyomo has them as an array [dimension, index]; None has no dimension.

    UnknownError when one is not a whole number.
    """
    axes = whole_numbers(keys)
    if axes is None:
        raise UnknownError("an index that is not whole numbers")
    return axes


@dataclass(frozen=True, eq=False)
class Numbers:
    """A parameter's values."""

    places: Places
    values: Floats
    """Value of each key, and last the default: position -1 is what has no key."""
    complete: bool
    """Whether there is no default, so that every index must have a key."""


@dataclass(frozen=True, eq=False)
class Lists:
    """An indexed set's members, one list after another."""

    places: Places
    start: Ints
    """Where the list of each key begins [key]."""
    count: Ints
    """Members of each key [key]."""
    members: Ints
    """Members [dimension, member]."""
    every: Places
    """Indices that the set has; one without a key has no members."""

    def of(self, at: Ints) -> tuple[Ints, Ints]:
        """Members of the keys at some positions, one list after another; none at -1.

        Returns the place in `at` that each belongs to [member], and the members
        [dimension, member].
        """
        if not len(self.count):
            return at[:0], self.members[:, :0]
        count = np.where(at < 0, 0, self.count[at])
        owner = np.repeat(np.arange(len(at)), count)
        before = np.cumsum(count) - count
        where = np.arange(len(owner)) + (self.start[at] - before)[owner]
        return owner, self.members[:, where]


class Members:
    """Arrays of a model's components, each read when it is first asked for."""

    def __init__(self, first_column: dict[int, int]) -> None:
        """Take the first column of each variable, by the component's id."""
        self._first = first_column
        self._read: dict[int, Any] = {}

    def columns(self, var: Any) -> tuple[Places, int]:
        """Where a variable's indices stand, and its first column."""
        return self._once(var, _keys), self._first[id(var)]

    def numbers(self, param: Any) -> Numbers:
        """A parameter's values."""
        out: Numbers = self._once(param, _numbers)
        return out

    def of_set(self, some: Any) -> Ints:
        """Members [dimension, member] of a set without index, in its order."""
        out: Ints = self._once(some, _of_set)
        return out

    def lists(self, some: Any) -> Lists:
        """Members of an indexed set."""
        out: Lists = self._once(some, self._lists)
        return out

    def _once(self, component: Any, read: Callable[[Any], Any]) -> Any:
        if id(component) not in self._read:
            self._read[id(component)] = read(component)
        return self._read[id(component)]

    def _lists(self, some: Any) -> Lists:
        every = Places(self.of_set(some.index_set()))
        groups = some.groups() if isinstance(some, BulkSets) else None
        if groups is not None:
            places, members = Places(groups.axes), groups.members[None, :]
            return Lists(places, groups.start, groups.count, members, every)
        found = some.lists() if isinstance(some, BulkSets) else dict(some._data)  # noqa: SLF001
        found = {key: members for key, members in found.items() if len(members)}
        count = np.fromiter(map(len, found.values()), dtype=np.int64, count=len(found))
        none = np.zeros((some.index_set().dimen, 0), dtype=np.int64)
        return Lists(
            places=Places(axes_of(found) if found else none),
            start=np.cumsum(count) - count,
            count=count,
            members=axes_of(list(chain.from_iterable(found.values()))),
            every=every,
        )


def _keys(var: Any) -> Places:
    waiting = held(var)
    return Places(axes_of(var._data) if waiting is None else waiting.axes)  # noqa: SLF001


def _numbers(param: Any) -> Numbers:
    if param.mutable:
        raise UnknownError("a mutable parameter")
    waiting = held(param)
    if waiting is not None:
        axes, values = waiting.axes, waiting.values
    else:
        data = param._data  # noqa: SLF001
        axes = axes_of(data) if data else np.zeros((param.dim(), 0), dtype=np.int64)
        if not set(map(type, data.values())) <= {int, float}:
            raise UnknownError("a value that is no plain number")
        values = np.fromiter(data.values(), dtype=np.float64, count=len(data))
    default = param._default_val  # noqa: SLF001
    complete = default is pyo.Param.NoValue
    if not complete and type(default) not in (int, float):
        raise UnknownError("a default that is no plain number")
    return Numbers(Places(axes), np.append(values, np.nan if complete else default), complete)


def _of_set(some: Any) -> Ints:
    axes = axes_of_set(some)
    if axes is None:
        raise UnknownError("a set that is not whole numbers")
    return axes
