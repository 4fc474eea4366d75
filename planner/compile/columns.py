"""Variables of a Pyomo model as columns: bounds, integrality, labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.environ as pyo

from planner.equations.bulk import Held, held

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Labels(Sequence[Any]):
    """Indices of many columns, made when one is asked for; numpy gets an array."""

    def __init__(self, members: Held) -> None:
        """Hold the indices of the members."""
        self._members = members
        self._made: tuple[Any, ...] | None = None

    def _all(self) -> tuple[Any, ...]:
        if self._made is None:
            self._made = tuple(self._members.keys())
        return self._made

    def __len__(self) -> int:
        return int(self._members.axes.shape[1])

    def __getitem__(self, at: Any) -> Any:
        return self._all()[at]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Labels):
            return np.array_equal(self._members.axes, other._members.axes)
        return self._all() == other

    __hash__ = None  # type: ignore[assignment]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        axes = self._members.axes
        return np.array(axes[0] if len(axes) == 1 else axes.T, dtype=dtype)


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns in the order of the model's components and, within one, as Pyomo holds them."""

    count: int
    first: dict[int, int]
    """First column of each variable, by the component's id."""
    spans: dict[str, slice]
    """Component -> its columns."""
    index: dict[str, Sequence[Any]]
    """Component -> index of each of its columns."""
    lower: Floats
    upper: Floats
    integer: Bools
    """Whether the column is a whole number."""
    fixed: Bools
    """Whether Pyomo holds the variable at a value."""
    fixed_values: Floats
    """That value [column]; 0 where it is not fixed."""

    @classmethod
    def of(cls, m: Any) -> Columns:
        """Read the active variables of a model."""
        first, spans, parts, start = {}, {}, [], 0
        index: dict[str, Sequence[Any]] = {}
        for var in m.component_objects(pyo.Var, active=True):
            waiting = held(var)
            if waiting is None:
                # From the container: walking the index set looks each of them up again.
                data = var._data  # noqa: SLF001
                index[var.name], part = tuple(data), _read(list(data.values()))
            else:
                index[var.name], none = Labels(waiting), np.zeros(len(waiting.values))
                flag = none.astype(bool)
                part = none, waiting.values, flag, flag, none
            first[id(var)] = start
            spans[var.name] = slice(start, start + len(part[0]))
            parts.append(part)
            start += len(part[0])
        joined = [np.concatenate(each) for each in zip(*parts, strict=True)] if parts else _read([])
        return cls(start, first, spans, index, *joined)


def _read(data: list[Any]) -> tuple[Floats, Floats, Bools, Bools, Floats]:
    """Lower and upper bound of variables, the tighter of their own and their domain's.

    And whether each is whole, whether fixed, and at which value. A domain is asked once, not for
    each of its variables.
    """
    lower, upper = (_numbers(data, side) for side in ("_lb", "_ub"))
    domains = list(map(attrgetter("domain"), data))
    code = np.fromiter(map(id, domains), dtype=np.int64, count=len(data))
    integer = np.zeros(len(data), dtype=bool)
    for at in np.unique(code, return_index=True)[1].tolist():
        here = code == code[at]
        low, high = domains[at].bounds()
        lower[here] = np.maximum(lower[here], -np.inf if low is None else low)
        upper[here] = np.minimum(upper[here], np.inf if high is None else high)
        integer[here] = not data[at].is_continuous()
    fixed = np.fromiter(map(attrgetter("fixed"), data), dtype=bool, count=len(data))
    values = np.zeros(len(data))
    values[fixed] = [data[i].value for i in np.flatnonzero(fixed).tolist()]
    return lower, upper, integer, fixed, values


def _numbers(data: list[Any], side: str) -> Floats:
    """One side's bound of each variable, infinite where there is none.

    Read where Pyomo keeps it: its properties compare with the domain each time they are asked.
    """
    missing = -np.inf if side == "_lb" else np.inf
    try:
        out = np.array(list(map(attrgetter(side), data)), dtype=float)
    except (TypeError, ValueError):  # an expression stands there
        public = attrgetter("lb" if side == "_lb" else "ub")
        out = np.array(list(map(public, data)), dtype=float)
    out[np.isnan(out)] = missing
    return out
