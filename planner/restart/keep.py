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
from planner.solve.run import Solution
from planner.solve.session import BASIC

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
    frame = pd.DataFrame(rows, columns=["name", "i0", "label"])
    frame["part"], frame["value"] = "axis", 0.0
    for i in range(1, MOST_PARTS):
        frame[f"i{i}"] = -1
    return frame[COLUMNS]


def _members(part: str, at: tuple[Any, Any], positions: Ints, values: Floats) -> pd.DataFrame:
    blocks, labels = at
    names: list[str] = []
    index = np.full((len(positions), MOST_PARTS), -1, dtype=np.int64)
    done = 0
    for name, block in blocks.items():
        inside = positions[(positions >= block.start) & (positions < block.stop)] - block.start
        if len(inside) and name in AXES:
            found = np.array([labels[name][i] for i in inside.tolist()], dtype=np.int64)
            found = found.reshape(len(inside), -1)
            index[done : done + len(inside), : found.shape[1]] = found
        names += [name] * len(inside)
        done += len(inside)
    frame = pd.DataFrame(index, columns=PARTS)
    frame["part"], frame["name"], frame["label"], frame["value"] = part, names, "", values
    return frame[frame.name.isin(AXES)][COLUMNS]


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
