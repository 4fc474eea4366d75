"""What an earlier plan gives the problem of a case that has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.instance import Instance
from planner.matrix import Matrix
from planner.plan import Plan
from planner.redundancy.cuts import Cut, cut_of, standing_cut
from planner.redundancy.rounds import Rounds
from planner.restart.axes import Translation
from planner.restart.keep import BASIC, PARTS, restart_of
from planner.restart.tree import carried_tree, kept_tree
from planner.solve.resume import Warm
from planner.solve.session import Basis

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def kept_cuts(rounds: Rounds, inst: Instance, table: pd.DataFrame) -> tuple[list[Cut], Ints]:
    """The cuts of a plan as they are in this instance, and where each of them stands now.

    The same prices make another row where demand, rates or shares have changed; cuts of what is
    not there any more are left out (-1).
    """
    asked, pools = rounds.asked, inst.pools.names
    where = [
        {name: i for i, name in enumerate(names)}
        for names in (inst.rules.contingencies.names, inst.time.periods, inst.time.slices)
    ]
    workload = {name: i for i, name in enumerate(inst.serving.names)}
    out: list[Cut] = []
    now = np.full(int(table["cut"].max()) + 1 if len(table) else 0, -1, dtype=np.int64)
    for number, some in table.groupby("cut", sort=True):
        first = some.iloc[0]
        k, t, s = (
            known.get(str(first[name]), -1)
            for known, name in zip(where, ("contingency", "period", "slice"), strict=True)
        )
        if min(k, t, s) < 0 or not asked.owed[k, t, s]:
            continue
        if str(first["workload"]) == "":
            pool = pools.index(str(first["pool"])) if str(first["pool"]) in pools else -1
            if pool < 0 or not asked.serves[k, pool, t]:
                continue
            cut = standing_cut(asked, (k, t, s), pool)
        else:
            price = np.zeros(len(workload))
            for name, value in zip(some["workload"], some["price"], strict=True):
                if str(name) in workload:
                    price[workload[str(name)]] = float(value)
            cut = cut_of(asked, (k, t, s), price)
        if cut.pool_price.any() and (cut.price.any() or not cut.least):
            now[int(str(number))] = len(out)
            out.append(cut)
    return out, now


@dataclass(frozen=True, eq=False)
class Given:
    """An earlier plan in the columns and rows of a problem."""

    matrix: Matrix
    """The problem, with the plan's cuts as its last rows."""
    warm: Warm
    cuts: int
    """Cuts that were taken over."""


def given_by(plan: Plan, inst: Instance, matrix: Matrix, rounds: Rounds | None) -> Given:
    """What a plan gives the problem of an instance. Raises RunFolderError when it kept nothing."""
    table = restart_of(plan)
    cuts: list[Cut] = []
    numbers = np.zeros(0, dtype=np.int64)
    if rounds is not None and "certificate_cuts" in plan.tables:
        cuts, numbers = kept_cuts(rounds, inst, plan.tables["certificate_cuts"])
        if cuts:
            matrix = matrix.with_rows(rounds.give(cuts))
    names = Translation(table, inst, matrix)
    names.add_axis("cut", numbers)
    parts = dict(iter(table.groupby("part")))
    whole = np.zeros(matrix.shape[1])
    for positions, values in _placed(names, False, parts.get("whole")):
        whole[positions] = values
    duals = np.zeros(matrix.shape[0])
    for positions, values in _placed(names, True, parts.get("root dual")):
        duals[positions] = values
    nodes = carried_tree(matrix, kept_tree(plan.tables, names, matrix))
    root, held = (_basis(names, matrix, parts, name) for name in ("root", "plan"))
    return Given(matrix, Warm(whole, nodes, root, duals, held), len(cuts))


def _placed(
    names: Translation, of_rows: bool, some: pd.DataFrame | None
) -> Iterable[tuple[Ints, Floats]]:
    """Positions in the problem and values of the rows of a part, by component."""
    if some is None:
        return
    for name, rows in some.groupby("name"):
        index = rows[PARTS].to_numpy(np.int64)
        at = names.find(of_rows, str(name), index)
        yield at[at >= 0], rows["value"].to_numpy(np.float64)[at >= 0]


def _basis(
    names: Translation, matrix: Matrix, parts: Mapping[Any, pd.DataFrame], which: str
) -> Basis | None:
    if f"{which} column" not in parts:
        return None
    columns = np.zeros(matrix.shape[1], dtype=np.int8)
    rows = np.full(matrix.shape[0], BASIC, dtype=np.int8)
    for of_rows, side, codes in ((False, "column", columns), (True, "row", rows)):
        for positions, values in _placed(names, of_rows, parts.get(f"{which} {side}")):
            codes[positions] = values.astype(np.int8)
    return Basis(columns, rows)
