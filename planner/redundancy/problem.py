"""The compiled problem of an instance, with redundancy held as its size asks for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from planner.equations import Equation, Model
from planner.equations.redundancy import redundancy
from planner.instance import Instance
from planner.matrix import Matrix, compile_model
from planner.model import build_model
from planner.redundancy.cuts import Cut, cut_of, standing_cut
from planner.redundancy.mode import Redundancy, redundancy_mode
from planner.redundancy.rounds import Rounds


def compiled_problem(
    inst: Instance,
    equations: Iterable[Equation] = (),
    mode: Redundancy = "auto",
    *,
    strengthen: bool = False,
) -> tuple[Matrix, Redundancy]:
    """Rows and columns of an instance, and how redundancy is held.

    Only `explicit` has redundancy among them; `rounds` join rows later, `waived` has none.
    `strengthen` as `build_model` has it.
    """
    m, mode = model_of(inst, equations, mode, strengthen=strengthen)
    return compile_model(m), mode


def model_of(
    inst: Instance,
    equations: Iterable[Equation] = (),
    mode: Redundancy = "auto",
    *,
    strengthen: bool = False,
) -> tuple[Model, Redundancy]:
    """The Pyomo model of an instance, and how redundancy is held."""
    mode = redundancy_mode(inst, mode)
    without = () if mode == "explicit" else (redundancy,)
    return build_model(inst, equations, without, strengthen=strengthen), mode


def with_cuts(inst: Instance, matrix: Matrix, table: pd.DataFrame) -> Matrix:
    """The problem with the cuts of a saved plan (its table `certificate_cuts`)."""
    rounds = Rounds.of(inst, matrix)
    cuts = cuts_from(rounds, inst, table)
    return matrix.with_rows(rounds.give(cuts)) if cuts else matrix


def cuts_from(rounds: Rounds, inst: Instance, table: pd.DataFrame) -> list[Cut]:
    """Cuts of a table as `planner.redundancy.survey.price_table` writes it."""
    names, pools = inst.rules.contingencies.names, inst.pools.names
    out: list[Cut] = []
    for _, some in table.groupby("cut", sort=True):
        first = some.iloc[0]
        at = (
            names.index(str(first["contingency"])),
            inst.time.periods.index(str(first["period"])),
            inst.time.slices.index(str(first["slice"])),
        )
        priced = some[some["workload"].astype(str) != ""]
        named = some[some["workload"].astype(str) == ""]
        if priced.empty:
            out.append(standing_cut(rounds.asked, at, pools.index(str(first["pool"]))))
            continue
        price = np.zeros(len(inst.serving.names))
        where = [inst.serving.names.index(str(name)) for name in priced["workload"]]
        price[where] = priced["price"].to_numpy(np.float64)
        given = np.full(len(pools), np.nan)
        where = [pools.index(str(name)) for name in named["pool"]]
        given[where] = named["price"].to_numpy(np.float64)
        out.append(cut_of(rounds.asked, at, price, given))
    return out
