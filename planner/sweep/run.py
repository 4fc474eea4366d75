"""A sweep from plan and specification to a file of results, in pieces that processes share."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np

from planner.errors import Fault, InputError, RunFolderError
from planner.plan import Plan
from planner.sweep import tasks
from planner.sweep.audit import AuditedBlocks, sample_blocks
from planner.sweep.block import Ints, Sides
from planner.sweep.draws import PAGE, correlation_root, pages
from planner.sweep.exact import BlockSolver
from planner.sweep.gather import Asked, cost_file, gather_task, page_name, part_file
from planner.sweep.pieces import Progress, Work, work_folder
from planner.sweep.problem import Problem, problem_of
from planner.sweep.results import (
    SweepResult,
    audit_summary,
    cost_summary,
    rerouted_summary,
    sensitivity,
    write_parquet,
)
from planner.sweep.spec import Spec

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
    spec: Spec,
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
    moving = [t for t, p in enumerate(problem.periods) if p.moves.touched]
    numbers = range(pages(spec))
    work.run("draw", tasks.draw_task, ((n,) for n in numbers))
    tasks.save_pilots(folder, spec)
    work.run("train", tasks.train_task, ((t, asked["solves"]) for t in moving))
    work.run("bound", tasks.bounds_task, ((t, n) for t in moving for n in numbers))
    every = [(t, page_name(n), _scenarios(spec, n)) for t in moving for n in numbers]
    exact = asked["certify"] == "exact"
    solved: list[tuple[int, str, Ints]] = []
    if exact:
        solved = every
        work.run("solve", tasks.exact_task, solved)
    elif asked["certify"] == "audit":
        solved = _sampled(spec, moving, asked["audit_blocks"], spec.seed, "audit")
        work.run("audit", tasks.exact_task, solved)
    free = [t for t in moving if not problem.periods[t].general]
    whole = asked["reroute_blocks"] == "all"
    rerouted: list[tuple[int, str, Ints]] = []
    if whole:
        rerouted = every
    elif free and asked["reroute_blocks"]:
        rerouted = _sampled(spec, free, asked["reroute_blocks"], spec.seed + 1, "sample")
    if rerouted:
        work.run("reroute", tasks.upper_task, rerouted)
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
    _add_costs(folder, spec, summary)
    if solved:
        rows = np.concatenate([np.load(tasks.exact_file(folder, t, n)) for t, n, _ in solved])
        t_of = np.concatenate([np.full(len(s), t) for t, _, s in solved])
        audited = AuditedBlocks(rows[:, 0].astype(np.int64), t_of, *rows[:, 1:4].T)
        lower = summary["cost_lower"]["mean_usd"]
        summary["audit"] = audit_summary(audited, lower, len(moving))
    if rerouted:
        rows = np.concatenate([np.load(tasks.upper_file(folder, t, n)) for t, n, _ in rerouted])
        summary["rerouted"] = rerouted_summary(*rows[:, 1:4].T)
    summary["seconds"] = {**work.seconds, "total": time.perf_counter() - began}
    write_parquet([part_file(folder, n) for n in numbers], target, summary)
    return SweepResult(target, summary)


def _add_costs(folder: Path, spec: Spec, summary: dict[str, Any]) -> None:
    """Quantiles and the like, and sensitivity, from the pages' costs."""
    numbers = range(pages(spec))
    lower, judged, upper = np.concatenate([np.load(cost_file(folder, n)) for n in numbers], axis=1)
    summary["cost_lower"] = cost_summary(lower)
    if summary["certify"] == "exact":
        summary["cost"] = cost_summary(judged)
    if np.isfinite(upper).all():
        summary["cost_upper"] = cost_summary(upper)
    stride = max(1, spec.count // SAMPLE_ROWS)
    rows = np.arange(0, spec.count, stride)
    names = [f.name for f in spec.factor]
    summary["sensitivity"] = sensitivity(judged[rows], tasks.drawn_values(folder, rows), names)


def _scenarios(spec: Spec, number: int) -> Ints:
    return np.arange(number * PAGE, min(spec.count, (number + 1) * PAGE), dtype=np.int64)


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
