"""Sets, parameters and variables of a Pyomo model as arrays, each read once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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


Axes = Sequence[Ints] | Ints
"""Indices, one array for each dimension; none for what has no index."""


class Places:
    """Where each index of a component stands among its keys."""

    def __init__(self, axes: Ints) -> None:
        """Hold distinct keys [dimension, key], which are whole numbers."""
        self._low = axes.min(axis=1, initial=0).tolist()
        self._span = [
            high - low + 1
            for low, high in zip(self._low, axes.max(axis=1, initial=0).tolist(), strict=True)
        ]
        cells, count = prod(self._span), axes.shape[1]
        if cells > 2**62:
            raise UnknownError("indices too far apart")
        self._grid: Ints | None = None
        code = self._code(axes, count)
        if cells <= ROOMY * count + 1024:
            self._grid = np.full(cells, -1, dtype=np.int64)
            self._grid[code] = np.arange(count)
        else:
            self._order = np.argsort(code, kind="stable")
            self._sorted = code[self._order]

    def _code(self, axes: Axes, size: int) -> Ints:
        """One number for each index within the spans [index]."""
        code = np.zeros(size, dtype=np.int64)
        for i, (axis, low, span) in enumerate(zip(axes, self._low, self._span, strict=True)):
            if i:
                code *= span
            code += axis
            if low:
                code -= low
        return code

    def of(self, axes: Axes, size: int) -> Ints:
        """Position of each of `size` indices among the keys; -1 where it is none."""
        if len(axes) != len(self._low):
            raise UnknownError("an index of another dimension")
        good = np.ones(size, dtype=bool)
        for axis, low, span in zip(axes, self._low, self._span, strict=True):
            if size and (axis.min() < low or axis.max() >= low + span):
                good &= (axis >= low) & (axis < low + span)
        if good.all():
            return self._within(self._code(axes, size))
        out = np.full(size, -1, dtype=np.int64)
        out[good] = self._within(self._code([axis[good] for axis in axes], int(good.sum())))
        return out

    def _within(self, code: Ints) -> Ints:
        if self._grid is not None:
            return self._grid[code]
        at = np.searchsorted(self._sorted, code)
        at[at == len(self._sorted)] = 0
        if not len(self._sorted):
            return np.full(len(code), -1, dtype=np.int64)
        return np.where(self._sorted[at] == code, self._order[at], -1)


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


class Members:
    """Arrays of a model's components, each read when it is first asked for."""

    def __init__(self, first_column: dict[int, int]) -> None:
        """Take the first column of each variable, by the component's id."""
        self._first = first_column
        self._read: dict[int, Any] = {}

    def columns(self, var: Any, axes: Axes, size: int) -> Ints:
        """Column of each of `size` indices of a variable [index]."""
        places = self._read.get(id(var))
        if places is None:
            waiting = held(var)
            keys = axes_of(var._data) if waiting is None else waiting.axes  # noqa: SLF001
            places = self._read[id(var)] = Places(keys)
        at: Ints = _given(places.of(axes, size))
        return at + self._first[id(var)]

    def values(self, param: Any, axes: Axes, size: int) -> Floats:
        """Value of each of `size` indices of a parameter [index]."""
        numbers = self._read.get(id(param))
        if numbers is None:
            numbers = self._read[id(param)] = _numbers(param)
        at = numbers.places.of(axes, size)
        out: Floats = numbers.values[_given(at) if numbers.complete else at]
        return out

    def of_set(self, some: Any) -> Ints:
        """Members [dimension, member] of a set without index, in its order."""
        if id(some) not in self._read:
            self._read[id(some)] = _of_set(some)
        out: Ints = self._read[id(some)]
        return out

    def lists(self, some: Any, axes: Axes, size: int) -> tuple[Ints, Ints]:
        """Members of an indexed set for each of `size` indices, one list after another.

        Returns the position of the index that each member belongs to [member], and the members
        [dimension, member].
        """
        lists = self._read.get(id(some))
        if lists is None:
            lists = self._read[id(some)] = self._lists(some)
        at = lists.places.of(axes, size)
        missing = at < 0
        if missing.any():
            _given(lists.every.of([axis[missing] for axis in axes], int(missing.sum())))
        count = np.where(missing, 0, lists.count[at]) if len(lists.count) else np.zeros_like(at)
        owner = np.repeat(np.arange(len(at)), count)
        start = lists.start[at] if len(lists.start) else np.zeros_like(at)
        before = np.cumsum(count) - count
        where = np.arange(len(owner)) + np.repeat(start - before, count)
        return owner, lists.members[:, where]

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


def _given(at: Ints) -> Ints:
    """Positions, none of which may be missing: Pyomo says what is wrong with an index."""
    if len(at) and at.min() < 0:
        raise UnknownError("an index that is not there")
    return at


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
