"""Sets, parameters and variables with many members, held as arrays until a member is asked for.

Pyomo normalises every member of a set, looks every key of a parameter up in its sets and makes an
object for every variable; with 100,000 serving flows that is most of the time of building a model.
Here keys and values come from arrays of the instance and are right by construction. The
components are Pyomo's own with one change: the containers that Pyomo reads (`_data`, `_values`)
are filled when they are first read (6.10; the version is pinned, and a test holds both ways
against each other). `planner.compile` reads the arrays, so that most of them never are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pyomo.core.base.param import IndexedParam
from pyomo.core.base.set import IndexedSet, InsertionOrderSetData, OrderedScalarSet
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


def grouped(index: Ints, member: Ints) -> dict[Any, list[int]]:
    """Members [pair] by their index [dimension, pair], each in the order given."""
    if not len(member):
        return {}
    order = np.lexsort((np.arange(len(member)), *index[::-1]))
    by, ordered = index[:, order], member[order].tolist()
    first = np.flatnonzero(np.r_[True, (by[:, 1:] != by[:, :-1]).any(axis=0)])
    stops = [*first[1:].tolist(), len(ordered)]
    spans = zip(tuples(by[:, first]), first.tolist(), stops, strict=True)
    return {key: ordered[start:stop] for key, start, stop in spans}
