"""A saved proof of a lower bound, and its reading against the audit's model.

The proof is a tree. Each node but the root narrows one whole-number column of its parent to
[low, high]; the leaves carry row multipliers. `planner.audit.checks.check_bound` judges it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planner.audit.draft import Bools, Floats, Ints
from planner.audit.model import AuditModel
from planner.audit.report import Finding
from planner.errors import AuditError


@dataclass(frozen=True, eq=False)
class Certificate:
    """The tree as arrays [node], and the multipliers of its leaves as a list [dual]."""

    parent: Ints
    """Position of the parent, before the node itself; -1 for the root [node]."""
    component: tuple[str, ...]
    """Variable that the node narrows; '' for the root [node]."""
    index: tuple[tuple[int, ...], ...]
    """Index of the narrowed column; () for the root [node]."""
    low: Floats
    """Least value of that column [node]."""
    high: Floats
    """Largest value of that column [node]."""
    is_leaf: Bools
    """Whether the node has no children and its duals prove it [node]."""
    is_ray: Bools
    """Whether the duals are a ray which proves that nothing is feasible [node]."""
    dual_node: Ints
    """Leaf of the multiplier [dual]."""
    dual_row: tuple[str, ...]
    """Constraint [dual]."""
    dual_index: Ints
    """Index of the row, filled up with -1 [dual, axis]."""
    dual_value: Floats
    """Multiplier, USD per unit of the row (a ray: any unit) [dual]."""

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together."""
        per_node = (self.component, self.index, self.low, self.high, self.is_leaf, self.is_ray)
        per_dual = (self.dual_row, self.dual_index, self.dual_value)
        if any(len(a) != len(self.parent) for a in per_node) or any(
            len(a) != len(self.dual_node) for a in per_dual
        ):
            raise AuditError("the certificate's arrays differ in length")


def certificate_of(nodes: pd.DataFrame, duals: pd.DataFrame) -> Certificate:
    """Read the tables of a saved plan; an index is written as positions joined by `;`.

    nodes: node, parent, component, index, low, high, leaf, ray; duals: node, constraint, index,
    dual. Raises AuditError when a column is missing or holds something else.
    """
    try:
        if nodes["node"].tolist() != list(range(len(nodes))):
            raise AuditError("the certificate's nodes are not numbered from 0")
        return Certificate(
            parent=nodes["parent"].to_numpy(np.int64),
            component=tuple(nodes["component"].astype(str)),
            index=tuple(
                tuple(int(part) for part in text.split(";") if part)
                for text in nodes["index"].astype(str)
            ),
            low=nodes["low"].to_numpy(np.float64),
            high=nodes["high"].to_numpy(np.float64),
            is_leaf=_flags(nodes["leaf"]),
            is_ray=_flags(nodes["ray"]),
            dual_node=duals["node"].to_numpy(np.int64),
            dual_row=tuple(duals["constraint"].astype(str)),
            dual_index=_positions(duals["index"].astype(str)),
            dual_value=duals["dual"].to_numpy(np.float64),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise AuditError(f"the certificate cannot be read: {error}") from error


def _flags(column: pd.Series[bool]) -> Bools:
    """A column of true and false; text would all count as true."""
    if len(column) and column.dtype != np.bool_:
        raise AuditError(f"the certificate's column {column.name} is not true or false")
    return column.to_numpy(np.bool_)


def _positions(texts: pd.Series[str]) -> Ints:
    """Index texts `a;b;c` as numbers, filled up with -1 [text, axis]; each is parsed once."""
    unique, which = np.unique(texts.to_numpy(np.str_), return_inverse=True)
    parsed = [[int(part) for part in text.split(";") if part] for text in unique.tolist()]
    out = np.full((len(parsed), max(map(len, parsed), default=0)), -1, dtype=np.int64)
    for i, parts in enumerate(parsed):
        out[i, : len(parts)] = parts
    return out[which]


Range = tuple[float, float]
Ranges = dict[int, Range]
"""Column -> the bounds to which a node has come."""


def _malformed(place: str, expected: str, found: str) -> Finding:
    return Finding("bound", place, expected, found, 0.0)


def narrowed_columns(model: AuditModel, proof: Certificate) -> tuple[Ints, list[Finding]]:
    """Column that each node narrows; -1 for the root and where there is no such column."""
    out = np.full(len(proof.parent), -1, dtype=np.int64)
    faults = []
    for node, (name, index) in enumerate(zip(proof.component, proof.index, strict=True)):
        if proof.parent[node] < 0:
            if name:
                faults.append(_malformed(f"node {node}", "a root that narrows nothing", name))
            continue
        block = model.columns.get(name)
        if block is not None:
            out[node] = block.find(np.array([index], dtype=np.int64).reshape(1, -1))[0]
        if out[node] < 0 or not model.integer[out[node]]:
            faults.append(_malformed(f"node {node}", "a whole-number column", f"{name}{index}"))
            out[node] = -1
    return out, faults


def node_ranges(
    model: AuditModel, proof: Certificate, narrowed: Ints
) -> tuple[list[Ranges], list[Finding]]:
    """The narrowed ranges of each node, its ancestors' included, and faults of the tree.

    The tree must have one root, which comes first, and every parent must come before its
    children; a leaf has none and every other node has some.
    """
    faults = []
    ranges: list[Ranges] = []
    children = np.zeros(len(proof.parent), dtype=np.int64)
    for node, parent in enumerate(proof.parent.tolist()):
        if not (parent < node and (parent >= 0) == (node > 0)):
            faults.append(_malformed(f"node {node}", "a parent that stands before it", str(parent)))
            ranges.append({})
            continue
        if node == 0:
            ranges.append({})
            continue
        children[parent] += 1
        column, here = int(narrowed[node]), dict(ranges[parent])
        if column >= 0:
            low, high = here.get(column, (float(model.lower[column]), float(model.upper[column])))
            here[column] = (max(low, float(proof.low[node])), min(high, float(proof.high[node])))
        ranges.append(here)
    if np.isnan(proof.low[1:]).any() or np.isnan(proof.high[1:]).any():
        faults.append(_malformed("tree", "bounds of every node", "some that are not a number"))
    for node in np.flatnonzero((children > 0) == proof.is_leaf).tolist():
        found = f"{children[node]} children" + (" at a leaf" if proof.is_leaf[node] else "")
        faults.append(_malformed(f"node {node}", "a leaf, or a node with children", found))
    return ranges, faults


def uncovered(
    model: AuditModel, proof: Certificate, narrowed: Ints, ranges: list[Ranges]
) -> list[Finding]:
    """Splits that leave out a whole number of the parent's range.

    All children of a node must narrow the same column, and every whole number between the
    parent's bounds must lie in one of them.
    """
    families: dict[int, list[int]] = {}
    for node, parent in enumerate(proof.parent.tolist()):
        if parent >= 0:
            families.setdefault(parent, []).append(node)
    faults = []
    for parent, members in families.items():
        columns = {int(narrowed[node]) for node in members}
        if len(columns) > 1 or -1 in columns:
            faults.append(_malformed(f"node {parent}", "a split of one column", "another"))
            continue
        column = columns.pop()
        base = (float(model.lower[column]), float(model.upper[column]))
        low, high = ranges[parent].get(column, base)
        gap = _gap((low, high), [(float(proof.low[i]), float(proof.high[i])) for i in members])
        if gap is not None:
            place = f"node {parent}, split of {model.column_words(column)}"
            found = f"{gap:g} in none of them"
            faults.append(_malformed(place, f"{low:g} to {high:g} in the children", found))
    return faults


def _gap(whole: Range, parts: list[Range]) -> float | None:
    """The first whole number of a range that lies in none of the parts; None when all do."""
    if not (math.isfinite(whole[0]) and math.isfinite(whole[1])):
        return None if any(p == (-math.inf, math.inf) for p in parts) else math.nan
    reached = math.ceil(whole[0]) - 1
    last = math.floor(whole[1])
    for low, high in sorted(parts):
        if not low <= reached + 1:
            break
        reached = max(reached, last if high >= last else math.floor(high))
    return float(reached + 1) if reached < last else None


def leaf_duals(model: AuditModel, proof: Certificate) -> tuple[Ints, list[Finding]]:
    """Row of each multiplier; -1 where the model has no such row, with a finding each."""
    out = np.full(len(proof.dual_value), -1, dtype=np.int64)
    names = np.array(proof.dual_row, dtype=np.str_)
    faults = []
    for name in np.unique(names).tolist():
        which = np.flatnonzero(names == name)
        block = model.rows.get(name)
        if block is not None:
            width = len(block.axes)
            index = proof.dual_index[which]
            filled = (index[:, width:] == -1).all(axis=1)
            out[which] = np.where(filled, block.find(index[:, :width]), -1)
        strange = which[out[which] < 0]
        if len(strange):
            first = tuple(proof.dual_index[strange[0]].tolist())
            found = f"{len(strange)} multipliers without one, the first at {first}"
            faults.append(_malformed(str(name), "rows of the model", found))
    return out, faults
