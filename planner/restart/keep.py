"""What a plan keeps for the next solve: its whole numbers and where its relaxations ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.errors import RunFolderError
from planner.instance import Instance
from planner.plan import RESTART, Plan
from planner.restart.axes import AXES, names_of_axes
from planner.solve.codes import BASIC
from planner.solve.run import Solution

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST_PARTS = 5
"""Longest index of a row or column."""
PARTS = [f"i{i}" for i in range(MOST_PARTS)]
"""Columns of the table that hold an index."""
COLUMNS = ["part", "name", "label", *PARTS, "value"]
"""Columns of the table."""


def restart_table(inst: Instance, solution: Solution) -> pd.DataFrame:
    """What the next solve may start from: part, name, index parts i0 to i4 (-1: none), value.

    part is `axis` (name of an axis; its label stands in `label`), `whole` (a whole-number column
    that is not 0), `root dual` (row duals of the root, USD per unit of the row), and `root column`,
    `root row`, `plan column` and `plan row` (statuses of two bases, those that are usual left out).
    """
    m = solution.matrix
    frames = [_axes(names_of_axes(inst))]
    whole = np.flatnonzero(m.integer & (np.abs(solution.x) > 0.5))
    columns = (m.columns, m.column_index)
    frames.append(_members("whole", columns, whole, solution.x[whole]))
    some = np.flatnonzero(solution.root_duals)
    frames.append(_members("root dual", (m.rows, m.row_index), some, solution.root_duals[some]))
    for name, basis in (("root", solution.root), ("plan", solution.plan)):
        if basis is not None:
            for side, codes, usual, at in (
                ("column", basis.columns, 0, columns),
                ("row", basis.rows, BASIC, (m.rows, m.row_index)),
            ):
                some = np.flatnonzero(codes != usual)
                frames.append(_members(f"{name} {side}", at, some, codes[some].astype(float)))
    return pd.concat(frames, ignore_index=True)


def _axes(names: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    rows = [(axis, i, label) for axis, labels in names.items() for i, label in enumerate(labels)]
    index = np.full((len(rows), MOST_PARTS), -1, dtype=np.int64)
    index[:, 0] = [i for _, i, _ in rows]
    axes, labels = [axis for axis, _, _ in rows], [label for _, _, label in rows]
    return _frame("axis", axes, labels, index, np.zeros(len(rows)))


def _members(part: str, at: tuple[Any, Any], positions: Ints, values: Floats) -> pd.DataFrame:
    blocks, labels = at
    names: list[str] = []
    index: list[Ints] = [np.zeros((0, MOST_PARTS), dtype=np.int64)]
    kept: list[Floats] = [np.zeros(0)]
    for name, block in blocks.items():
        inside = (positions >= block.start) & (positions < block.stop)
        if name not in AXES or not inside.any():
            continue
        found = [labels[name][i] for i in (positions[inside] - block.start).tolist()]
        members = np.full((len(found), MOST_PARTS), -1, dtype=np.int64)
        known = np.array(found, dtype=np.int64).reshape(len(found), -1)
        members[:, : known.shape[1]] = known
        names += [name] * len(found)
        index.append(members)
        kept.append(values[inside])
    return _frame(part, names, "", np.concatenate(index), np.concatenate(kept))


def _frame(
    part: str, names: list[str], label: str | list[str], index: Ints, values: Floats
) -> pd.DataFrame:
    """Rows of one part; the index is that of the members [row, index part]."""
    parts = {name: index[:, i] for i, name in enumerate(PARTS)}
    return pd.DataFrame({"part": part, "name": names, "label": label, **parts, "value": values})


def restart_of(plan: Plan) -> pd.DataFrame:
    """What a plan kept. Raises RunFolderError when it kept nothing or it cannot be read."""
    if plan.restart is not None:
        return plan.restart
    path = Path() if plan.folder is None else plan.folder / RESTART
    if not path.is_file():
        raise RunFolderError(f"{plan.folder} keeps nothing to start from: it has no {RESTART}")
    try:
        table = pd.read_parquet(path)
        missing = [name for name in COLUMNS if name not in table]
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} cannot be read: {error}") from error
    if missing:
        raise RunFolderError(f"{path} cannot be read: it has no {', '.join(missing)}")
    return table
