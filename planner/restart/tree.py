"""The tree of an earlier proof over the whole-number columns of the problem at hand.

A split is kept where its column is there and the whole numbers of the column lie on both sides;
the outer sides reach as far as the column does now. Where all of them lie on one side, that side
takes the place of the split; where the column is gone, the node becomes a leaf.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.matrix import Matrix
from planner.restart.axes import Translation
from planner.solve.certificate import Node, node_bounds, proven_bound

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class KeptTree:
    """A saved tree, its columns and rows those of the problem at hand."""

    column: Ints
    """Column that the node narrows; -1 for the root and where there is none any more [node]."""
    low: Floats
    """Least value of that column [node]."""
    high: Floats
    """Largest value of that column [node]."""
    children: tuple[tuple[int, ...], ...]
    """Children of the node [node]."""
    y: Mapping[int, Floats]
    """Leaf -> row duals, or a ray."""
    ray: npt.NDArray[np.bool_]
    """Whether the duals are a ray [node]."""


def kept_tree(tables: Mapping[str, pd.DataFrame], names: Translation, matrix: Matrix) -> KeptTree:
    """The tree of a plan's tables `certificate_nodes` and `certificate_duals`.

    Raises ValueError for numbers that no proof has.
    """
    nodes, duals = tables["certificate_nodes"], tables["certificate_duals"]
    column = _found(names, False, nodes["component"], nodes["index"])
    inside = column >= 0
    column[inside] = np.where(matrix.integer[column[inside]], column[inside], -1)
    row = _found(names, True, duals["constraint"], duals["index"])
    value, leaf = duals["dual"].to_numpy(np.float64), duals["node"].to_numpy(np.int64)
    low, high = (nodes[name].to_numpy(np.float64) for name in ("low", "high"))
    if not np.isfinite(value).all():
        raise ValueError("a dual is no number")
    if any((np.isnan(side) | (side != np.round(side)))[inside].any() for side in (low, high)):
        raise ValueError("a split is not at a whole number")
    if (nodes["parent"] >= np.arange(len(nodes))).any():
        raise ValueError("a node stands before its parent")
    children: list[list[int]] = [[] for _ in range(len(nodes))]
    for node, parent in enumerate(nodes["parent"].tolist()):
        if parent >= 0:
            children[parent].append(node)
    y = {}
    for at in np.flatnonzero(nodes["leaf"].to_numpy(bool)).tolist():
        mine = (leaf == at) & (row >= 0)
        y[at] = np.zeros(matrix.shape[0])
        y[at][row[mine]] = value[mine]
    return KeptTree(
        column,
        low,
        high,
        tuple(map(tuple, children)),
        y,
        nodes["ray"].to_numpy(bool),
    )


def _found(
    names: Translation, of_rows: bool, components: pd.Series[str], index: pd.Series[str]
) -> Ints:
    """Positions of labels such as `serve` and `3;0;2;1`; each is looked up once."""
    labels = components.astype(str) + "|" + index.astype(str)
    codes, unique = pd.factorize(labels)
    out = np.full(len(unique), -1, dtype=np.int64)
    split = [str(label).split("|") for label in unique]
    by_name: dict[str, list[int]] = {}
    for i, (name, _) in enumerate(split):
        by_name.setdefault(name, []).append(i)
    for name, at in by_name.items():
        parts = [[int(part) for part in split[i][1].split(";") if part] for i in at]
        widths = set(map(len, parts))
        if len(widths) == 1:
            out[at] = names.find(of_rows, name, np.array(parts, dtype=np.int64))
    found: Ints = out[codes]
    return found


def carried_tree(matrix: Matrix, kept: KeptTree) -> tuple[Node, ...]:
    """The tree as nodes over the columns of a problem; its bounds are not computed yet."""
    out: list[Node] = []
    todo = [(0, Node(-1, -1, -np.inf, np.inf))] if kept.children else []
    while todo:
        at, node = todo.pop()
        here = len(out)
        out.append(node)
        parts = _parts(matrix, out, here, kept, at)
        while len(parts) == 1:
            at = parts[0][0]
            parts = _parts(matrix, out, here, kept, at)
        if parts:
            node.leaf = False
            for child, low, high in reversed(parts):
                todo.append((child, Node(here, int(kept.column[child]), low, high)))
        else:
            node.y, node.ray = _duals(matrix, out, here, kept, at)
    return tuple(out)


def _parts(
    matrix: Matrix, nodes: list[Node], here: int, kept: KeptTree, at: int
) -> list[tuple[int, float, float]]:
    """Children of a kept node with their ranges at a node; none when they split nothing now."""
    children = sorted(kept.children[at], key=lambda child: float(kept.low[child]))
    columns = {int(kept.column[child]) for child in children}
    if len(columns) != 1 or -1 in columns:
        return []
    column = columns.pop()
    least, most = _range(matrix, nodes, here, column)
    starts = [least, *(float(kept.low[child]) for child in children[1:])]
    ends = [*(start - 1.0 for start in starts[1:]), most]
    if any(kept.high[child] < end for child, end in zip(children[:-1], ends, strict=False)):
        return []  # it left a whole number out, which was not there then
    spans = zip(children, starts, ends, strict=True)
    return [
        (child, max(low, least), min(high, most))
        for child, low, high in spans
        if max(low, least) <= min(high, most)
    ]


def _range(matrix: Matrix, nodes: list[Node], at: int, column: int) -> tuple[float, float]:
    """Bounds of one column at a node."""
    low, high = float(matrix.lower[column]), float(matrix.upper[column])
    while at >= 0:
        if nodes[at].column == column:
            low, high = max(low, nodes[at].low), min(high, nodes[at].high)
        at = nodes[at].parent
    return low, high


def _duals(
    matrix: Matrix, nodes: list[Node], here: int, kept: KeptTree, at: int
) -> tuple[Floats, bool]:
    """The duals of a kept leaf; of a node that had children, those below it that prove most."""
    if at in kept.y:
        return kept.y[at], bool(kept.ray[at])
    bounds = node_bounds(matrix, nodes, here)
    best, most = np.zeros(0), -np.inf
    todo = list(kept.children[at])
    while todo:
        below = todo.pop()
        todo += kept.children[below]
        if below in kept.y and not kept.ray[below]:
            proven = proven_bound(matrix, kept.y[below], False, bounds)
            if proven > most:
                best, most = kept.y[below], proven
    return best, False
