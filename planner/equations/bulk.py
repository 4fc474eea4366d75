"""Sets, parameters and variables with many members, held as arrays until a member is asked for.

Pyomo normalises every member of a set, looks every key of a parameter up in its sets and makes an
object for every variable; with 100,000 serving flows that is most of the time of building a model.
Here keys and values come from arrays of the instance and are right by construction. The
components are Pyomo's own with one change: the containers that Pyomo reads (`_data`, `_values`)
are filled when they are first read (6.10; the version is pinned, and a test holds both ways
against each other). `planner.compile` reads the arrays, so that most of them never are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from pyomo.core.base.param import IndexedParam
from pyomo.core.base.set import IndexedSet, InsertionOrderSetData, OrderedScalarSet, SetProduct
from pyomo.core.base.var import IndexedVar

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Keys = Ints | Sequence[Any]
"""Distinct indices: an array [key, dimension], tuples, or numbers when there is one dimension."""


@dataclass(frozen=True, eq=False)
class Held:
    """A component's members as arrays."""

    axes: Ints
    """Index [dimension, member]."""
    values: Floats
    """Upper bound of each variable (the lower is 0), value of each parameter; empty for a set."""

    def keys(self) -> list[Any]:
        """Indices as Pyomo has them: tuples, or numbers when there is one dimension."""
        return tuples(self.axes)


def tuples(axes: Ints) -> list[Any]:
    """Indices [dimension, member] as tuples, or as numbers when there is one dimension."""
    columns = axes.tolist()
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def held(component: Any) -> Held | None:
    """Arrays of a component none of whose members has been asked for yet, else None."""
    return component.waiting if isinstance(component, _Waiting) else None


class _Waiting:
    """What the three kinds of components below share."""

    waiting: Held | None = None
    """The members; None once Pyomo holds them itself."""


class _Members(_Waiting):
    """An indexed component whose `_data` is filled when it is read."""

    _looking = False
    """Whether Pyomo is looking one index up, which may be a template."""

    @property
    def _data(self) -> dict[Any, Any]:
        if self.waiting is not None and not self._looking:
            found, self.waiting = self.waiting, None
            self._fill(found)
        return self._filled

    @_data.setter
    def _data(self, members: dict[Any, Any]) -> None:
        self._filled = members

    def _fill(self, found: Held) -> None:
        """Make every member."""
        raise NotImplementedError

    def __getitem__(self, index: Any) -> Any:
        self._looking = True
        try:
            return super().__getitem__(index)  # type: ignore[misc]
        finally:
            self._looking = False

    def _getitem_when_not_present(self, index: Any) -> Any:
        self._looking = False
        if index in self._data:
            return self._data[index]
        return super()._getitem_when_not_present(index)  # type: ignore[misc]


class _BulkVar(_Members, IndexedVar):  # type: ignore[misc]
    """Continuous variables between 0 and their upper bounds."""

    def __len__(self) -> int:
        return len(self._filled) if self.waiting is None else self.waiting.axes.shape[1]

    def _fill(self, found: Held) -> None:
        pattern: Any = None
        into = self._filled
        for key, most in zip(found.keys(), found.values.tolist(), strict=True):
            if pattern is None:
                pattern = IndexedVar._getitem_when_not_present(self, key)  # noqa: SLF001
                pattern.setlb(0.0)
                copy = type(pattern).copy
            column = copy(pattern)
            column._index, column._ub = key, most  # noqa: SLF001
            into[key] = column


class _BulkParam(_Members, IndexedParam):  # type: ignore[misc]
    """Numbers; an index that is not among them has the default."""

    def _fill(self, found: Held) -> None:
        self._filled.update(zip(found.keys(), found.values.tolist(), strict=True))


class _BulkSet(_Waiting, OrderedScalarSet):  # type: ignore[misc]
    """A set in the order of its keys."""

    @property
    def _values(self) -> dict[Any, Any]:
        if self.waiting is not None:
            found, self.waiting = self.waiting, None
            self._filled = dict.fromkeys(found.keys())
        return self._filled

    @_values.setter
    def _values(self, members: dict[Any, Any]) -> None:
        self._filled = members

    def __len__(self) -> int:
        return len(self._filled) if self.waiting is None else self.waiting.axes.shape[1]


class Groups(Mapping[Any, Sequence[Any]]):
    """Numbers by index, as arrays: one list after another."""

    def __init__(self, axes: Ints, start: Ints, count: Ints, members: Ints) -> None:
        """Hold indices [dimension, index], where each list begins, its length, and all members."""
        self.axes, self.start, self.count, self.members = axes, start, count, members
        self._place: dict[Any, int] | None = None

    def _places(self) -> dict[Any, int]:
        if self._place is None:
            self._place = {key: i for i, key in enumerate(tuples(self.axes))}
        return self._place

    def __getitem__(self, index: Any) -> Sequence[Any]:
        i = self._places()[index]
        found: list[int] = self.members[self.start[i] : self.start[i] + self.count[i]].tolist()
        return found

    def __iter__(self) -> Iterator[Any]:
        return iter(self._places())

    def __len__(self) -> int:
        return len(self.count)


class BulkSets(IndexedSet):  # type: ignore[misc]
    """Sets by index, each made when it is asked for, all when they are walked."""

    _ComponentDataClass = InsertionOrderSetData
    _all = True
    found: Mapping[Any, Sequence[Any]]
    """Index -> members; other indices are empty."""

    @property
    def _data(self) -> dict[Any, Any]:
        if not self._all:
            self._all = True
            for index in self.index_set():
                if index not in self._filled:
                    self._getitem_when_not_present(index)
        return self._filled

    @_data.setter
    def _data(self, members: dict[Any, Any]) -> None:
        self._filled = members

    def construct(self, _data: Any = None) -> None:
        """Be ready to make members; Pyomo would make all of them."""
        self._constructed = True
        for each in self._anonymous_sets or ():
            each.construct()
        self._all = False

    def groups(self) -> Groups | None:
        """The members as arrays; None when they are not held so, or one was changed."""
        found = self.found
        if isinstance(found, Groups) and all(
            list(made) == list(found.get(index, ())) for index, made in self._filled.items()
        ):
            return found
        return None

    def lists(self) -> dict[Any, Sequence[Any]]:
        """Index -> members, without making them; those that are made may have been changed."""
        return {**self.found, **{index: tuple(made) for index, made in self._filled.items()}}

    def __getitem__(self, index: Any) -> Any:
        before, self._all = self._all, True
        try:
            return super().__getitem__(index)
        finally:
            self._all = before


def _axes(keys: Keys, dimen: int) -> Ints:
    """Keys as an array [dimension, key]."""
    return np.ascontiguousarray(np.asarray(keys, dtype=np.int64).reshape(-1, dimen).T)


_NONE = np.zeros(0)


def flat_set(m: Any, name: str, keys: Keys, dimen: int) -> None:
    """Add an ordered Set of distinct keys of `dimen` numbers each."""
    out = _BulkSet(dimen=dimen)
    m.add_component(name, out)
    out.waiting = Held(_axes(keys, dimen), _NONE)


def bounded(m: Any, name: str, keys: Keys, upper: Floats | Sequence[float], *over: Any) -> None:
    """Add a continuous Var over `over` with 0 <= var[keys[i]] <= upper[i].

    keys are all indices of the product of sets, in its order; chips, requests/s or USD.
    """
    var = _BulkVar(*over, dense=False)
    m.add_component(name, var)
    var.waiting = Held(_axes(keys, var.dim()), np.asarray(upper, dtype=np.float64))


def numbered(m: Any, name: str, keys: Keys, values: Floats | Sequence[float], *over: Any) -> None:
    """Add a Param over `over` with param[keys[i]] = values[i], 0 for other indices."""
    param = _BulkParam(*over, default=0.0)
    m.add_component(name, param)
    param.waiting = Held(_axes(keys, param.dim()), np.asarray(values, dtype=np.float64))


def fill(param: Any, values: Mapping[Any, float]) -> None:
    """Give a constructed, immutable Param its values; keys are indices of its sets."""
    param._data.update(values)  # noqa: SLF001


def listed(
    m: Any, name: str, found: Mapping[Any, Sequence[Any]], *over: Any, dimen: int = 1
) -> None:
    """Add a Set indexed by `over` of members that are tuples of length `dimen`, or numbers."""

    def of(_m: Any, *index: Any) -> Sequence[Any]:
        return found.get(index[0] if len(index) == 1 else index, ())

    out = BulkSets(*over, initialize=of, dimen=dimen)
    out.found = found
    m.add_component(name, out)


def grouped(index: Ints, member: Ints) -> Groups:
    """Members [pair] by their index [dimension, pair], each in the order given."""
    order = np.lexsort(index[::-1])  # stable
    by, ordered = index[:, order], member[order]
    new = np.ones(len(member), dtype=bool)
    new[1:] = (by[:, 1:] != by[:, :-1]).any(axis=0)
    first = np.flatnonzero(new)
    return Groups(by[:, first], first, np.diff(first, append=len(member)), ordered)


def product_set(m: Any, name: str, over: Sequence[Any]) -> tuple[Any, ...]:
    """What to index by the product of sets: one flat set of whole numbers, added to the model.

    The sets as they are when there is only one, or when a member is not a whole number.
    """
    axes = _product(over) if len(over) > 1 else None
    if axes is None:
        return tuple(over)
    flat_set(m, name, axes.T, len(axes))
    return (m.component(name),)


def _product(over: Sequence[Any]) -> Ints | None:
    parts = [axes_of_set(each) for each in over]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    at = np.indices([part.shape[1] for part in known]).reshape(len(known), -1)
    return np.concatenate([part[:, i] for part, i in zip(known, at, strict=True)])


def axes_of_set(some: Any) -> Ints | None:
    """Members of a set [dimension, member]; None when they are not whole numbers."""
    waiting = held(some)
    if waiting is not None:
        return waiting.axes
    return _product(list(some.subsets())) if isinstance(some, SetProduct) else whole_numbers(some)


def whole_numbers(keys: Collection[Any]) -> Ints | None:
    """Indices as Pyomo has them as an array [dimension, index]; None has no dimension.

    Returns None when one is not a whole number, or of another dimension.
    """
    keys = list(keys)
    kinds = set(map(type, keys))
    if kinds <= {type(None)}:
        return np.zeros((0, len(keys)), dtype=np.int64)
    widths, flat = {1}, keys
    if kinds == {tuple}:
        widths, flat = set(map(len, keys)), list(chain.from_iterable(keys))
        kinds = set(map(type, flat))
    if kinds != {int} or len(widths) != 1:
        return None
    try:
        array = np.array(flat, dtype=np.int64)
    except OverflowError:
        return None
    return np.ascontiguousarray(array.reshape(len(keys), -1).T)
