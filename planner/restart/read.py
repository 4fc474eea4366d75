"""What an earlier plan gives the problem of a case that has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.errors import RunFolderError
from planner.instance import Instance
from planner.matrix import Matrix
from planner.plan import Plan
from planner.redundancy.cuts import Cut
from planner.redundancy.problem import cuts_from
from planner.redundancy.rounds import Rounds
from planner.restart.axes import Translation
from planner.restart.keep import PARTS, restart_of
from planner.restart.tree import carried_tree, kept_tree
from planner.solve.codes import BASIC
from planner.solve.lp import Basis
from planner.solve.resume import Warm

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def kept_cuts(rounds: Rounds, inst: Instance, table: pd.DataFrame) -> tuple[list[Cut], Ints]:
    """The cuts of a plan as they are in this instance, and where each of them stands now.

    The same prices make another row where demand, rates or shares have changed; cuts of what is
    not there any more are left out (-1).
    """
    number = table["cut"].to_numpy(np.int64)
    now = np.full(int(number.max()) + 1 if len(table) else 0, -1, dtype=np.int64)
    work = table["workload"].astype(str)
    there = table["contingency"].isin(inst.rules.contingencies.names)
    there &= table["period"].isin(inst.time.periods) & table["slice"].isin(inst.time.slices)
    there &= np.where(
        work == "", table["pool"].isin(inst.pools.names), work.isin(inst.serving.names)
    )
    # Without prices of workloads it would be another cut.
    priced = np.unique(number[(work != "").to_numpy()])
    still = np.unique(number[(there & (work != "")).to_numpy()])
    there &= ~np.isin(number, np.setdiff1d(priced, still))
    some = table[there]
    asked = rounds.asked
    out: list[Cut] = []
    for i, cut in zip(
        np.unique(some["cut"].to_numpy(np.int64)), cuts_from(rounds, inst, some), strict=True
    ):
        serves = asked.serves[cut.k, : len(cut.pool_price), cut.t]
        proves = cut.price.any() or bool((cut.pool_price[serves] > 0).any())
        if asked.owed[cut.k, cut.t, cut.s] and proves and cut.pool_price.any():
            now[i] = len(out)
            out.append(cut)
    return out, now


def kept_flows(inst: Instance, table: pd.DataFrame) -> tuple[Ints, Floats]:
    """Contingency flows of a plan as they are numbered in this instance, without those of others.

    Contingency, workload, pool, period and slice [n, 5], and their chips [n]. Raises ValueError
    for chips that are below 0 or no number.
    """
    pool = table["cloud"].astype(str) + "/" + table["region"].astype(str)
    pool += "/" + table["chip"].astype(str)
    labels = (
        (table["contingency"], inst.rules.contingencies.names),
        (table["workload"], inst.serving.names),
        (pool, inst.pools.names),
        (table["period"], inst.time.periods),
        (table["slice"], inst.time.slices),
    )
    at = np.stack(
        [pd.Index(names).get_indexer(pd.Index(column.astype(str))) for column, names in labels],
        axis=1,
    ).astype(np.int64)
    chips = table["chips"].to_numpy(np.float64)
    if not (np.isfinite(chips) & (chips >= 0.0)).all():
        raise ValueError("contingency flows that are no numbers of chips")
    there = (at >= 0).all(axis=1)
    return at[there], chips[there]


@dataclass(frozen=True, eq=False)
class Given:
    """An earlier plan in the columns and rows of a problem."""

    matrix: Matrix
    """The problem, with the plan's cuts as its last rows."""
    warm: Warm
    """What the solve starts from."""
    cuts: int
    """Cuts that were taken over."""


def given_by(
    plan: Plan, inst: Instance, matrix: Matrix, rounds: Rounds | None, *, cuts: bool = True
) -> Given:
    """What a plan gives the problem of an instance.

    Without `cuts`, where promises are waived, its routings alone are remembered by the `rounds`.

    Raises RunFolderError when it kept nothing, or what cannot be.
    """
    try:
        return _given(plan, inst, matrix, rounds, cuts)
    except (ValueError, IndexError, KeyError) as error:
        raise RunFolderError(f"what the run keeps to start from is damaged: {error}") from error


def _given(
    plan: Plan, inst: Instance, matrix: Matrix, rounds: Rounds | None, with_cuts: bool
) -> Given:
    table = restart_of(plan)
    cuts: list[Cut] = []
    numbers = np.zeros(0, dtype=np.int64)
    if rounds is not None and with_cuts and "certificate_cuts" in plan.tables:
        cuts, numbers = kept_cuts(rounds, inst, plan.tables["certificate_cuts"])
        if cuts:
            matrix = matrix.with_rows(rounds.give(cuts))
    if rounds is not None and "contingency_flows" in plan.tables:
        rounds.remember(*kept_flows(inst, plan.tables["contingency_flows"]))
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
        values = rows["value"].to_numpy(np.float64)
        if not np.isfinite(values).all():
            raise ValueError(f"a value of {name} is no number")
        yield at[at >= 0], values[at >= 0]


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
