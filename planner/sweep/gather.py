"""One page of a sweep as rows of results, from the files of its periods."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from planner.case.calendar import SECONDS_PER_HOUR
from planner.sweep import tasks
from planner.sweep.block import Floats
from planner.sweep.draws import PAGE
from planner.sweep.problem import Problem
from planner.sweep.results import write_part


@dataclass(frozen=True)
class Asked:
    """What the rows of a sweep hold."""

    moving: tuple[int, ...]
    """Periods that factors move."""
    base_usd: float
    """Cost that no scenario moves."""
    exact: bool
    """Whether every block was solved."""
    rerouted: bool
    """Whether every block was rerouted."""


def part_file(folder: Path, number: int) -> Path:
    """Rows of a page."""
    return folder / f"part-{number:05d}.parquet"


def cost_file(folder: Path, number: int) -> Path:
    """Lower bound, cost to be judged by, and upper bound of a page [3, n]; the last may be NaN."""
    return folder / f"cost-{number:05d}.npy"


def gather_task(folder: Path, number: int, asked: Asked) -> None:
    """Write the rows of one page, and its costs."""
    target = cost_file(folder, number)
    if target.exists() and part_file(folder, number).exists():
        return
    problem = tasks.problem_in(folder)
    values = np.load(tasks.values_file(folder, number))
    found = np.stack([np.load(tasks.bounds_file(folder, t, number)) for t in asked.moving])
    contract, lower = found[:, 0].sum(axis=0), found[:, 1].sum(axis=0)
    columns: dict[str, Any] = {"scenario": np.arange(len(values)) + number * PAGE}
    for i, factor in enumerate(problem.spec.factor):
        lost = factor.kind == "lost"
        columns[factor.name] = np.array(factor.values)[values[:, i].astype(int)] if lost \
            else values[:, i]  # fmt: skip
    columns["contract_usd"] = contract + problem.held.fixed_usd
    columns["cost_lower_usd"] = asked.base_usd + contract + lower
    judged, upper = columns["cost_lower_usd"], np.full(len(values), np.nan)
    if asked.rerouted:
        rows = _rows(folder, asked, tasks.upper_file, number)
        upper = asked.base_usd + contract + rows[:, :, 3].sum(axis=0)
        columns["cost_upper_usd"] = upper
        if not asked.exact:
            columns |= _unserved(problem, asked, rows[:, :, 4:], "unserved_rerouted")
    if asked.exact:
        rows = _rows(folder, asked, tasks.exact_file, number)
        judged = asked.base_usd + contract + rows[:, :, 3].sum(axis=0)
        columns["cost_exact_usd"] = judged
        columns |= _unserved(problem, asked, rows[:, :, 4:], "unserved")
    columns |= _scarce(folder, problem, asked, found)
    for t, one in zip(asked.moving, found, strict=True):
        columns[f"lower_usd {problem.inst.time.periods[t]}"] = one[1]
    write_part(part_file(folder, number), columns)
    tasks.save(target, np.stack([columns["cost_lower_usd"], judged, upper]))


def _rows(folder: Path, asked: Asked, file: Any, number: int) -> Floats:
    """Rows of a page in every period [period, n, column]."""
    return np.stack([np.load(file(folder, t, tasks.page_name(number))) for t in asked.moving])


def _unserved(problem: Problem, asked: Asked, rows: Floats, name: str) -> dict[str, Floats]:
    """Unserved by class over the periods, in millions of requests or period shares."""
    hours = problem.inst.time.hours[list(asked.moving)]
    out = {}
    for c, each in enumerate(tasks.class_names(problem)):
        if each == "training":
            out[f"{name}_training_period_shares"] = rows[:, :, c].sum(axis=0)
        else:
            millions = hours * SECONDS_PER_HOUR / 1e6
            out[f"{name}_{each}_million_requests"] = millions @ rows[:, :, c]
    return out


def _scarce(folder: Path, problem: Problem, asked: Asked, found: Floats) -> dict[str, Any]:
    """Period that costs most in each scenario, and the chip family that is scarcest there."""
    names = np.array([*sorted(set(problem.inst.pools.chip)), ""])
    worst = found[:, 1].argmax(axis=0)
    price = found[worst, 2, np.arange(found.shape[2])].astype(np.int64)
    chip = np.full(found.shape[2], len(names) - 1)
    for i, t in enumerate(asked.moving):
        mine = worst == i
        chip[mine] = np.load(tasks.scarce_file(folder, t))[price[mine]]
    periods = np.array(problem.inst.time.periods)[list(asked.moving)]
    return {"worst_period": periods[worst], "binding_chip": names[chip]}
