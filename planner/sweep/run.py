"""A sweep from plan and specification to a file of results, in pieces that processes share."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from planner.errors import Fault, InputError, RunFolderError
from planner.plan import Plan
from planner.sweep import tasks
from planner.sweep.audit import sample_blocks
from planner.sweep.block import Floats, Ints, Sides
from planner.sweep.draws import correlation_root, pages
from planner.sweep.exact import BlockSolver
from planner.sweep.gather import Asked, cost_file, gather_task, part_file
from planner.sweep.pieces import Progress, Work, work_folder
from planner.sweep.problem import Problem, problem_of
from planner.sweep.results import SweepResult, write_parquet
from planner.sweep.spec import Given, Spec, as_spec
from planner.sweep.summary import KEPT_GAPS, Tally, cost_summary, expected_cost, sensitivity

Certify = Literal["bounds", "audit", "exact"]
AUDIT_BLOCKS = 4700
"""From 4,603 without a miss: at least 99.9 % within tolerance at 99 % confidence."""
SOLVES = 2200
"""Most exact solves for the prices of one period."""
REROUTE_BLOCKS = 2000
"""Blocks whose routing is made feasible, as a sample."""
SAMPLE_ROWS = 200_000
"""Scenarios that the sensitivity is worked out from, spread over all."""


def sweep(
    plan: Plan,
    spec: Given,
    *,
    out: str | Path | None = None,
    certify: Certify = "audit",
    audit_blocks: int = AUDIT_BLOCKS,
    solves: int = SOLVES,
    reroute_blocks: int | Literal["all"] = REROUTE_BLOCKS,
    jobs: int = 1,
    name: str | None = None,
    progress: Progress | None = None,
) -> SweepResult:
    """Cost of a plan whose contracts stay, in every scenario of a specification.

    `spec` may be the path of a TOML file or a mapping like it.
    certify = "bounds": proven lower bounds only; "audit": and `audit_blocks` blocks, drawn at
    random, solved exactly; "exact": every block solved. `reroute_blocks` blocks get a feasible
    upper bound without a solver, as a sample; "all" gives every scenario its upper bound and what
    that leaves unserved by class. `jobs` processes work through joblib, on whatever
    backend is active. An interrupted sweep goes on where it stopped when it is called again with
    the same arguments. Raises InputError for a factor that touches nothing, RunFolderError when
    `out` exists or its work folder belongs to another sweep.
    """
    target = Path(tempfile.mkdtemp(prefix="sweep-")) / "sweep.parquet" if out is None else Path(out)
    if target.exists():
        raise RunFolderError(f"{target} exists")
    spec = as_spec(spec)
    correlation_root(spec)
    problem = problem_of(plan, spec)
    if reroute_blocks == "all" and any(p.general for p in problem.periods if p.moves.touched):
        rule = "every block is rerouted only where rates and prices of pay as you go stay"
        raise InputError([Fault("spec", rule)])
    asked = {"certify": certify, "audit_blocks": audit_blocks, "solves": solves,
             "reroute_blocks": reroute_blocks}  # fmt: skip
    folder = work_folder(target, plan, spec, asked)
    tasks.save_joblib(folder / tasks.PROBLEM, problem)
    work = Work(folder, jobs, progress or (lambda _step, _done, _all: None))
    result = _run(work, problem, target, asked, name or plan.case.settings.name)
    shutil.rmtree(folder)
    return result


def _run(
    work: Work, problem: Problem, target: Path, asked: dict[str, Any], name: str
) -> SweepResult:
    """Every step; the last writes the file."""
    began = time.perf_counter()
    spec, folder = problem.spec, work.folder
    # Where nothing moves at all (`untouched = "ignore"`), the first period stands for it.
    moving = [t for t, p in enumerate(problem.periods) if p.moves.touched] or [0]
    numbers = range(pages(spec))
    work.run("draw", tasks.draw_task, ((n,) for n in numbers))
    tasks.save_pilots(folder, spec)
    work.run("train", tasks.train_task, ((t, asked["solves"]) for t in moving))
    work.run("bound", tasks.bounds_task, ((t, n) for t in moving for n in numbers))
    every = [(t, n) for t in moving for n in numbers]
    named = [(t, tasks.page_name(n)) for t, n in every]
    exact = asked["certify"] == "exact"
    solved: list[tuple[int, str]] = []
    if exact:
        work.run("solve", tasks.exact_page_task, every)
        solved = named
    elif asked["certify"] == "audit":
        some = _sampled(spec, moving, asked["audit_blocks"], spec.seed, "audit")
        work.run("audit", tasks.exact_task, some)
        solved = [(t, name) for t, name, _ in some]
    free = [t for t in moving if not problem.periods[t].general]
    whole = asked["reroute_blocks"] == "all"
    rerouted: list[tuple[int, str]] = []
    if whole:
        work.run("reroute", tasks.upper_page_task, every)
        rerouted = named
    elif free and asked["reroute_blocks"]:
        some = _sampled(spec, free, asked["reroute_blocks"], spec.seed + 1, "sample")
        work.run("reroute", tasks.upper_task, some)
        rerouted = [(t, name) for t, name, _ in some]
    summary = {
        "plan": name,
        "certify": asked["certify"],
        "spec": spec.model_dump(mode="json"),
        "scenarios": spec.count,
        "blocks": spec.count * len(moving),
        "periods": [problem.inst.time.periods[t] for t in moving],
        "fixed_usd": problem.held.fixed_usd,
        "still_usd": _still(problem, moving),
        "prices": {
            problem.inst.time.periods[t]: len(np.load(tasks.scarce_file(folder, t))) for t in moving
        },
    }
    base = summary["fixed_usd"] + summary["still_usd"]
    rows_asked = Asked(tuple(moving), base, exact, whole)
    work.run("gather", gather_task, ((n, rows_asked) for n in numbers))
    _add_costs(folder, spec, summary, rerouted=whole)
    if solved:
        lower, blocks = summary["cost_lower"]["mean_usd"], summary["blocks"]
        audited = _tally((tasks.exact_file(folder, t, name) for t, name in solved), blocks)
        summary["audit"] = audited.audit(lower, len(moving), blocks)
    summary["expected"] = expected_cost(summary)
    if rerouted:
        files = (tasks.upper_file(folder, t, name) for t, name in rerouted)
        summary["rerouted"] = _tally(files, summary["blocks"]).rerouted()
    summary["seconds"] = {**work.seconds, "total": time.perf_counter() - began}
    write_parquet([part_file(folder, n) for n in numbers], target, summary)
    return SweepResult(target, summary)


def _tally(files: Iterable[Path], blocks: int) -> Tally:
    """Blocks of files of scenario, contract, lower, cost and more, one file at a time."""
    out = Tally(stride=max(1, blocks // KEPT_GAPS))
    for file in files:
        rows = np.load(file, mmap_mode="r")
        out.add(*np.array(rows[:, 1:4]).T)
    return out


def _add_costs(folder: Path, spec: Spec, summary: dict[str, Any], *, rerouted: bool) -> None:
    """Quantiles and the like, and sensitivity, from the pages' costs, one column at a time."""
    exact = summary["certify"] == "exact"
    judged = _costs(folder, spec, 1)
    rows = np.arange(0, spec.count, max(1, spec.count // SAMPLE_ROWS))
    names, lost = [f.name for f in spec.factor], {f.name for f in spec.factor if f.kind == "lost"}
    values = tasks.drawn_values(folder, rows)
    summary["sensitivity"] = sensitivity(judged[rows], values, names, lost)
    summary["cost" if exact else "cost_lower"] = cost_summary(
        judged, drawn=spec.drawn, overwrite=True
    )
    del judged
    if exact:
        lower = _costs(folder, spec, 0)
        summary["cost_lower"] = cost_summary(lower, drawn=spec.drawn, overwrite=True)
        del lower
    if rerouted:
        upper = _costs(folder, spec, 2)
        summary["cost_upper"] = cost_summary(upper, drawn=spec.drawn, overwrite=True)


def _costs(folder: Path, spec: Spec, row: int) -> Floats:
    """One of the costs of `cost_file` for every scenario [n]."""
    out, at = np.empty(spec.count), 0
    for number in range(pages(spec)):
        part = np.load(cost_file(folder, number), mmap_mode="r")[row]
        out[at : at + len(part)] = part
        at += len(part)
    return out


def _sampled(
    spec: Spec, moving: list[int], blocks: int, seed: int, name: str
) -> list[tuple[int, str, Ints]]:
    """Blocks drawn at random, by period."""
    scenario, t = sample_blocks(spec.count, np.array(moving, dtype=np.int64), blocks, seed)
    return [(each, name, scenario[t == each]) for each in np.unique(t).tolist()]


def _still(problem: Problem, moving: list[int]) -> float:
    """Contract and recourse cost of the periods that no factor moves, USD."""
    out = 0.0
    for t, period in enumerate(problem.periods):
        if t not in moving:
            z = np.ones((1, len(period.moves.multipliers.products)))
            sides: Sides = period.sides(z)
            out += BlockSolver(period.merged.block).solve(sides, 0).cost_usd
            out += float(period.contract_usd.sum())
    return out
