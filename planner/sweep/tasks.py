"""Pieces of a sweep as tasks on files: any process that sees the folder can do them.

A task that finds its result already there does nothing, which is what makes a sweep resumable,
and writes under another name first, so that what has its name is whole.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from planner.sweep.block import Floats, Ints
from planner.sweep.bounds import Bounder, bounder
from planner.sweep.draws import PAGE, page, pages
from planner.sweep.exact import layout, used_columns
from planner.sweep.problem import Problem
from planner.sweep.spec import Spec
from planner.sweep.strata import Pilots, drawn_pilots
from planner.sweep.train import train
from planner.sweep.work import exact_rows, page_bounds, rerouted, scarce_chips

PROBLEM = "problem.joblib"
PILOTS = "pilots.joblib"
MOST_PILOTS = 60_000
"""Scenarios among which training looks for those to solve."""
PILOT_PAGES = 16
"""Pages that they come from, spread over all."""


def values_file(folder: Path, number: int) -> Path:
    """Factors of a page [n, factor]."""
    return folder / f"values-{number:05d}.npy"


def period_file(folder: Path, t: int) -> Path:
    """Bounder of a period."""
    return folder / f"period-{t:03d}.joblib"


def optima_file(folder: Path, t: int) -> Path:
    """Optima of a period that rerouting starts from."""
    return folder / f"optima-{t:03d}.joblib"


def scarce_file(folder: Path, t: int) -> Path:
    """Scarcest chip family under each price of a period [k]."""
    return folder / f"scarce-{t:03d}.npy"


def bounds_file(folder: Path, t: int, number: int) -> Path:
    """Contract cost, lower bound and price of a page in a period [3, n]."""
    return folder / f"bounds-{t:03d}-{number:05d}.npy"


def exact_file(folder: Path, t: int, name: str) -> Path:
    """Exact solves of a period: scenario, contract, lower, exact, then unserved by class."""
    return folder / f"exact-{t:03d}-{name}.npy"


def upper_file(folder: Path, t: int, name: str) -> Path:
    """Rerouted scenarios of a period: scenario, contract, lower, upper, unserved by class."""
    return folder / f"upper-{t:03d}-{name}.npy"


def page_name(number: int) -> str:
    """Name of a page's own files of exact or rerouted rows."""
    return f"page{number:05d}"


def save(path: Path, array: Any) -> None:
    """Write an array under its name, whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("wb") as file:
        np.save(file, array)
    fresh.replace(path)


def save_joblib(path: Path, value: Any) -> None:
    """Pickle `value` under its name, whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    joblib.dump(value, fresh)
    fresh.replace(path)


@lru_cache(maxsize=2)
def _problem(folder: Path, _stamp: int) -> Problem:
    found: Problem = joblib.load(folder / PROBLEM)
    return found


def problem_in(folder: Path) -> Problem:
    """The sweep's problem, read once a process."""
    return _problem(folder, (folder / PROBLEM).stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _period(folder: Path, t: int, _stamp: int) -> Bounder:
    found: Bounder = joblib.load(period_file(folder, t))
    return found


def period_in(folder: Path, t: int) -> Bounder:
    """Bounder of a period, the last one kept in memory."""
    return _period(folder, t, period_file(folder, t).stat().st_mtime_ns)


def draw_task(folder: Path, number: int) -> None:
    """Draw one page."""
    target = values_file(folder, number)
    if not target.exists():
        save(target, page(problem_in(folder).spec, number))


def save_pilots(folder: Path, spec: Spec) -> None:
    """Pilots from pages that are drawn, spread over the whole sweep."""
    target = folder / PILOTS
    if not target.exists():
        every = pages(spec)
        chosen = np.unique(np.linspace(0, every - 1, min(every, PILOT_PAGES)).astype(int)).tolist()
        drawn = (np.load(values_file(folder, number)) for number in chosen)
        save_joblib(target, drawn_pilots(drawn, MOST_PILOTS, spec.seed))


def drawn_values(folder: Path, scenarios: Ints) -> Floats:
    """Factors of some scenarios, in their order [n, factor]."""
    parts, rows = [], []
    of_page = scenarios // PAGE
    for number in np.unique(of_page).tolist():
        mine = np.flatnonzero(of_page == number)
        whole = np.load(values_file(folder, number), mmap_mode="r")
        parts.append(np.asarray(whole[scenarios[mine] - number * PAGE]))
        rows.append(mine)
    return np.concatenate(parts)[np.argsort(np.concatenate(rows), kind="stable")]


def train_task(folder: Path, t: int, solves: int) -> None:
    """Train one period."""
    target = period_file(folder, t)
    if target.exists():
        return
    problem = problem_in(folder)
    period = problem.periods[t]
    pilots: Pilots = joblib.load(folder / PILOTS)
    trained = train(period, pilots, solves, problem.spec.seed)
    save_joblib(optima_file(folder, t), trained)
    used = used_columns(layout(period.merged.block), trained.columns)
    each = bounder(period, trained.prices, pilots, used)
    save(scarce_file(folder, t), scarce_chips(problem, each))
    save_joblib(target, each)


def bounds_task(folder: Path, t: int, number: int) -> None:
    """Bound one page in one period."""
    target = bounds_file(folder, t, number)
    if not target.exists():
        values = np.load(values_file(folder, number))
        contract, lower, price = page_bounds(period_in(folder, t), values)
        save(target, np.stack([contract, lower, price.astype(float)]))


def exact_task(folder: Path, t: int, name: str, scenarios: Ints) -> None:
    """Solve scenarios of one period exactly."""
    target = exact_file(folder, t, name)
    if not target.exists():
        values = drawn_values(folder, scenarios)
        rows = exact_rows(period_in(folder, t), values, classes_of(problem_in(folder), t))
        save(target, np.column_stack([scenarios, rows]))


def exact_page_task(folder: Path, t: int, number: int) -> None:
    """Solve a whole page of one period exactly."""
    exact_task(folder, t, page_name(number), _page_scenarios(folder, number))


def upper_page_task(folder: Path, t: int, number: int) -> None:
    """Reroute a whole page of one period."""
    upper_task(folder, t, page_name(number), _page_scenarios(folder, number))


def _page_scenarios(folder: Path, number: int) -> Ints:
    count = problem_in(folder).spec.count
    return np.arange(number * PAGE, min(count, (number + 1) * PAGE), dtype=np.int64)


def upper_task(folder: Path, t: int, name: str, scenarios: Ints) -> None:
    """Reroute scenarios of one period."""
    target = upper_file(folder, t, name)
    if not target.exists():
        each, trained = period_in(folder, t), joblib.load(optima_file(folder, t))
        values = drawn_values(folder, scenarios)
        rows = rerouted(each, trained, values, classes_of(problem_in(folder), t))
        save(target, np.column_stack([scenarios, rows]))


def classes_of(problem: Problem, t: int) -> Floats:
    """What one unit of a job's demand counts for in each class, last training [j, class].

    Serving counts in requests/s, training as 1 for the work of a run in the period.
    """
    merged = problem.periods[t].merged
    names = class_names(problem)
    out = np.zeros((merged.block.rate.shape[0], len(names)))
    first = np.unique(merged.job, return_index=True)[1]
    for j, raw in enumerate(first.tolist()):
        w = int(merged.jobs.workload[raw])
        if w >= 0:
            out[j, names.index(problem.inst.serving.service_class[w])] = 1.0
        else:
            out[j, -1] = 1.0 / merged.jobs.demand[raw]
    return out


def class_names(problem: Problem) -> list[str]:
    """Service classes of the case, then `training`."""
    return [*dict.fromkeys(problem.inst.serving.service_class), "training"]
