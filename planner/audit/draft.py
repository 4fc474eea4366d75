"""Labelled blocks of columns and rows, and the draft that the families write into.

A block is one variable (or one constraint) with the index tuples of its columns (or rows); it
finds positions by label, so that no two families need to agree on an order. Entries are kept
as coordinates (row, column, coefficient) until `planner.audit.model` puts them together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from planner.errors import AuditError
from planner.instance import Instance

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Number = float | Floats | Ints


def axis_labels(inst: Instance) -> dict[str, tuple[str, ...]]:
    """The labels of each axis that an index may run over."""
    rules = inst.rules
    return {
        "period": inst.time.periods,
        "slice": inst.time.slices,
        "pool": inst.pools.names,
        "workload": inst.serving.names,
        "contract": inst.contracts.names,
        "start": inst.starts.names,
        "line": inst.contracts.line_names,
        "option": inst.options.names,
        "hourly offer": inst.pay.names,
        "run": inst.training.names,
        "placement": inst.training.column_names,
        "region": inst.regions,
        "share rule": rules.shares.names,
        "power rule": rules.power.names,
        "budget": rules.budget.names,
        "placement rule": rules.placement.names,
        "member": _members(rules.placement.member_names),
        "qualification": rules.qualification.names,
        "deal": rules.deals.names,
        "window": rules.commitments.names,
        "tier": rules.tiers.names,
        "tier group": rules.tiers.group_names,
    }


def _members(names: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """What stands at each position among the members of the rules: `birch or alder/us-3`."""
    columns = zip_longest(*names, fillvalue="")
    return tuple(" or ".join(dict.fromkeys(filter(None, at))) for at in columns)


def _numbers(value: Number, n: int) -> Floats:
    """A number, or one for each of n, as an array [n]."""
    out: Floats = np.broadcast_to(np.asarray(value, dtype=np.float64), (n,)).copy()
    return out


@dataclass(frozen=True, eq=False)
class Block:
    """The columns of one variable, or the rows of one constraint."""

    name: str
    """Component of the model."""
    axes: tuple[str, ...]
    """Axis of each part of the index; empty for a scalar."""
    labels: tuple[tuple[str, ...], ...]
    """Labels of each axis."""
    index: Ints
    """Index tuples [member, axis]."""
    start: int
    """Position of the first member in the whole model."""
    lower: Floats
    """Lower bounds [member]."""
    upper: Floats
    """Upper bounds [member]."""
    integer: Bools
    """Whether the value is a whole number [member]; False for rows."""
    _order: Ints = field(init=False, repr=False)
    _keys: Ints = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Sort the labels for `find`; a label that stands twice is a fault of the family."""
        keys, inside = self._key(self.index)
        order = np.argsort(keys, kind="stable")
        object.__setattr__(self, "_order", order.astype(np.int64))
        object.__setattr__(self, "_keys", keys[order])
        if not inside.all() or np.any(np.diff(self._keys) == 0):
            raise AuditError(f"{self.name}: an index is outside its axes or stands twice")

    def __len__(self) -> int:
        """Number of members."""
        return len(self.index)

    def __getitem__(self, axis: str) -> Ints:
        """Index of every member along one axis [member]."""
        out: Ints = self.index[:, self.axes.index(axis)]
        return out

    @property
    def positions(self) -> Ints:
        """Position of every member in the whole model [member]."""
        return np.arange(self.start, self.start + len(self), dtype=np.int64)

    def _key(self, index: Ints) -> tuple[Ints, Bools]:
        """One number for each index tuple, and whether the tuple lies within the axes."""
        key = np.zeros(len(index), dtype=np.int64)
        inside = np.ones(len(index), dtype=bool)
        for axis, names in enumerate(self.labels):
            part = index[:, axis]
            inside &= (part >= 0) & (part < len(names))
            key = key * len(names) + part
        return key, inside

    def find(self, index: Ints) -> Ints:
        """Positions of index tuples [n, axis]; -1 where the block has no such member."""
        missing = np.full(len(index), -1, dtype=np.int64)
        if not len(self) or index.shape[1] != len(self.axes):
            return missing
        key, inside = self._key(index)
        near = np.minimum(np.searchsorted(self._keys, key), len(self) - 1)
        found = inside & (self._keys[near] == key)
        return np.where(found, self.start + self._order[near], missing)

    def at(self, *parts: Ints) -> Ints:
        """Positions of the members whose index has these parts; -1 where there is none."""
        return self.find(np.stack(np.broadcast_arrays(*parts), axis=1))

    def words(self, position: int) -> str:
        """A member in words: `capacity: pool aws/us-east/trn2, period 2026-Q3, slice night`."""
        index = self.index[position - self.start].tolist()
        parts = zip(self.axes, self.labels, index, strict=True)
        said = ", ".join(f"{axis} {names[i]}" for axis, names, i in parts)
        return f"{self.name}: {said}" if said else self.name


class Draft:
    """What the families have written so far: blocks, entries and cost terms."""

    def __init__(self, inst: Instance) -> None:
        """An empty draft over the axes of an instance."""
        self.axes = axis_labels(inst)
        self.columns: dict[str, Block] = {}
        self.rows: dict[str, Block] = {}
        self.entries: list[tuple[Ints, Ints, Floats]] = []
        self.costs: dict[str, list[tuple[Ints, Floats]]] = {}
        self.offsets: dict[str, float] = {}

    def add_axis(self, name: str, labels: tuple[str, ...]) -> None:
        """Add an axis that `axis_labels` does not have."""
        self.axes[name] = labels

    def each_slice(self, *parts: Ints) -> tuple[Ints, ...]:
        """Index parts, each repeated for every slice, and the slice as last part."""
        slices, n = len(self.axes["slice"]), len(parts[0])
        repeated = tuple(np.repeat(part, slices) for part in parts)
        return (*repeated, np.tile(np.arange(slices, dtype=np.int64), n))

    def add_columns(
        self,
        name: str,
        axes: tuple[str, ...],
        index: tuple[Ints, ...],
        upper: Number,
        integer: bool | Bools = False,
    ) -> Block:
        """Add a variable >= 0 with the given upper bounds; no axes make it one column."""
        block = self._block(name, axes, index, 0.0, upper, integer, self.columns)
        self.columns[name] = block
        return block

    def add_rows(
        self,
        name: str,
        axes: tuple[str, ...],
        index: tuple[Ints, ...],
        lower: Number = -np.inf,
        upper: Number = np.inf,
    ) -> Block:
        """Add a constraint lower <= (sum of its entries) <= upper; no axes make it one row."""
        block = self._block(name, axes, index, lower, upper, False, self.rows)
        self.rows[name] = block
        return block

    def _block(
        self,
        name: str,
        axes: tuple[str, ...],
        index: tuple[Ints, ...],
        lower: Number,
        upper: Number,
        integer: bool | Bools,
        among: dict[str, Block],
    ) -> Block:
        n = len(index[0]) if index else 1
        tuples = np.stack(index, axis=1) if index else np.zeros((1, 0))
        return Block(
            name=name,
            axes=axes,
            labels=tuple(self.axes[axis] for axis in axes),
            index=tuples.astype(np.int64),
            start=sum(len(block) for block in among.values()),
            lower=_numbers(lower, n),
            upper=_numbers(upper, n),
            integer=np.broadcast_to(np.asarray(integer, dtype=bool), (n,)).copy(),
        )

    def put(self, rows: Ints, columns: Ints, value: Number, some: bool = False) -> None:
        """Add `value` times the columns to the rows, by position.

        Every position has to exist, else AuditError; with `some`, entries without a row are
        left out: the constraint then stands only where it says something.
        """
        values = _numbers(value, len(rows))
        if some:
            there = rows >= 0
            rows, columns, values = rows[there], columns[there], values[there]
        if np.any(rows < 0) or np.any(columns < 0):
            raise AuditError("an entry of the audit's matrix has no row or no column")
        self.entries.append((rows, columns, values))

    def add_cost(self, term: str, columns: Ints, value: Number, offset: float = 0.0) -> None:
        """Add `value` (USD) times the columns, and a constant, to a cost term."""
        if np.any(columns < 0):
            raise AuditError(f"cost term {term}: a coefficient has no column")
        self.costs.setdefault(term, []).append((columns, _numbers(value, len(columns))))
        self.offsets[term] = self.offsets.get(term, 0.0) + offset
