"""A sweep from plan and specification to a file of results, in pieces that processes share."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np

from planner.errors import RunFolderError
from planner.plan import Plan
from planner.sweep import tasks
from planner.sweep.audit import AuditedBlocks, sample_blocks
from planner.sweep.block import Ints, Sides
from planner.sweep.draws import PAGE, correlation_root, pages
from planner.sweep.exact import BlockSolver
from planner.sweep.problem import Problem, problem_of
from planner.sweep.results import (
    SweepResult,
    audit_summary,
    cost_summary,
    sensitivity,
    write_parquet,
    write_part,
)
from planner.sweep.spec import Spec

Progress = Callable[[str, int, int], None]
"""Called with the step and how many of its pieces are done."""
Certify = Literal["bounds", "audit", "exact"]
AUDIT_BLOCKS = 4700
"""From 4,603 without a miss: at least 99.9 % within tolerance at 99 % confidence."""
SOLVES = 1600
"""Most exact solves for the prices of one period."""
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
    reroute_blocks: int = 2000,
    jobs: int = 1,
    name: str | None = None,
    progress: Progress | None = None,
) -> SweepResult:
    """Cost of a plan whose contracts stay, in every scenario of a specification.

    certify = "bounds": proven lower bounds only; "audit": and `audit_blocks` blocks, drawn at
    random, solved exactly; "exact": every block solved. `reroute_blocks` blocks get a feasible
    upper bound without a solver, as a sample. `jobs` processes work through joblib, on whatever
    backend is active. An interrupted sweep goes on where it stopped when it is called again with
    the same arguments. Raises InputError for a factor that touches nothing, RunFolderError when
    `out` exists or its work folder belongs to another sweep.
    """
    target = Path(tempfile.mkdtemp(prefix="sweep-")) / "sweep.parquet" if out is None else Path(out)
    if target.exists():
        raise RunFolderError(f"{target} exists")
    correlation_root(spec)
    problem = problem_of(plan, spec)
    asked = {"certify": certify, "audit_blocks": audit_blocks, "solves": solves,
             "reroute_blocks": reroute_blocks}  # fmt: skip
    folder = _work_folder(target, plan, spec, asked)
    tasks.save_joblib(folder / tasks.PROBLEM, problem)
    work = _Work(folder, jobs, progress or (lambda _step, _done, _all: None))
    result = _run(work, problem, target, asked, name or plan.case.settings.name)
    shutil.rmtree(folder)
    return result


class _Work:
    """Runs tasks over processes, and keeps the time."""

    def __init__(self, folder: Path, jobs: int, progress: Progress):
        self.folder, self.jobs, self.progress = folder, jobs, progress
        self.seconds: dict[str, float] = {}

    def run(
        self, step: str, task: Callable[..., None], arguments: Iterable[tuple[Any, ...]]
    ) -> None:
        """Run task(folder, *arguments) for each; results are files."""
        listed = list(arguments)
        began = time.perf_counter()
        self.progress(step, 0, len(listed))
        parallel = joblib.Parallel(n_jobs=self.jobs, return_as="generator_unordered")
        calls = (joblib.delayed(task)(self.folder, *each) for each in listed)
        for done, _ in enumerate(parallel(calls), 1):
            self.progress(step, done, len(listed))
        self.seconds[step] = time.perf_counter() - began


def _work_folder(target: Path, plan: Plan, spec: Spec, asked: dict[str, Any]) -> Path:
    """Folder of the pieces, new or that of the same sweep."""
    folder = target.absolute().with_name(f"{target.name}.work")
    tables = hashlib.sha256()
    for name in ("contracts_signed", "contracts_existing", "training", "training_runs"):
        tables.update(plan.tables[name].to_csv(index=False).encode())
    mark = {
        "case_sha256": plan.case.sha256(),
        "tables_sha256": tables.hexdigest(),
        "spec": spec.model_dump(mode="json"),
        **asked,
    }
    text = json.dumps(mark, sort_keys=True)
    marker = folder / "sweep.json"
    if folder.exists():
        if not marker.is_file() or marker.read_text(encoding="utf-8") != text:
            raise RunFolderError(f"{folder} belongs to another sweep; remove it")
    else:
        folder.mkdir(parents=True)
        marker.write_text(text, encoding="utf-8")
    return folder


def _run(
    work: _Work, problem: Problem, target: Path, asked: dict[str, Any], name: str
) -> SweepResult:
    """Every step; the last writes the file."""
    began = time.perf_counter()
    spec, folder = problem.spec, work.folder
    moving = [t for t, p in enumerate(problem.periods) if p.moves.touched]
    numbers = range(pages(spec))
    work.run("draw", tasks.draw_task, ((n,) for n in numbers))
    work.run("train", tasks.train_task, ((t, asked["solves"]) for t in moving))
    work.run("bound", tasks.bounds_task, ((t, n) for t in moving for n in numbers))
    picked: list[tuple[int, str, Ints]] = []
    if asked["certify"] == "exact":
        every = ((t, n) for t in moving for n in numbers)
        picked = [(t, f"page{n:05d}", _scenarios(spec, n)) for t, n in every]
        work.run("solve", tasks.exact_task, picked)
    elif asked["certify"] == "audit":
        picked = _sampled(spec, moving, asked["audit_blocks"], spec.seed, "audit")
        work.run("audit", tasks.exact_task, picked)
    free = [t for t in moving if not problem.periods[t].general]
    rerouted: list[tuple[int, str, Ints]] = []
    if free and asked["reroute_blocks"]:
        rerouted = _sampled(spec, free, asked["reroute_blocks"], spec.seed + 1, "sample")
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
            problem.inst.time.periods[t]: len(tasks.period_in(folder, t).prices) for t in moving
        },
    }
    parts = _assemble(work, problem, moving, summary)
    if asked["certify"] != "bounds":
        rows = np.concatenate([np.load(tasks.exact_file(folder, t, n)) for t, n, _ in picked])
        t_of = np.concatenate([np.full(len(s), t) for t, _, s in picked])
        audited = AuditedBlocks(rows[:, 0].astype(np.int64), t_of, *rows[:, 1:4].T)
        lower = summary["cost_lower"]["mean_usd"]
        summary["audit"] = audit_summary(audited, lower, len(moving))
    if rerouted:
        rows = np.concatenate([np.load(tasks.upper_file(folder, t, n)) for t, n, _ in rerouted])
        _, contract, low, high = rows[:, :4].T
        gap = (high - low) / np.maximum(contract + high, 1.0)
        summary["rerouted"] = {
            "blocks": len(gap),
            "share_within_0.1pct": float((gap <= 1e-3).mean()),
            "median_gap": float(np.median(gap)),
        }
    summary["seconds"] = {**work.seconds, "total": time.perf_counter() - began}
    write_parquet(parts, target, summary)
    return SweepResult(target, summary)


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


def _assemble(
    work: _Work, problem: Problem, moving: list[int], summary: dict[str, Any]
) -> list[Path]:
    """One Parquet part a page; adds costs and sensitivity to the summary."""
    spec, folder, periods = problem.spec, work.folder, problem.inst.time.periods
    base = summary["fixed_usd"] + summary["still_usd"]
    exact = summary["certify"] == "exact"
    binding = {t: _binding(problem, folder, t) for t in moving}
    classes = tasks.class_names(problem)
    costs: dict[str, list[Any]] = {"lower": [], "exact": []}
    stride = max(1, spec.count // SAMPLE_ROWS)
    values_kept, parts = [], []
    names = [f.name for f in spec.factor]
    for number in range(pages(spec)):
        values = np.load(tasks.values_file(folder, number))
        found = {t: np.load(tasks.bounds_file(folder, t, number)) for t in moving}
        contract = sum(found[t][0] for t in moving)
        lower = sum(found[t][1] for t in moving)
        columns: dict[str, Any] = {"scenario": _scenarios(spec, number)}
        for i, factor in enumerate(spec.factor):
            labels = np.array(factor.values)[values[:, i].astype(int)] if factor.kind == "lost" \
                else values[:, i]  # fmt: skip
            columns[factor.name] = labels
        columns["contract_usd"] = contract + summary["fixed_usd"]
        columns["cost_lower_usd"] = base + contract + lower
        worst = np.argmax(np.stack([found[t][1] for t in moving]), axis=0)
        price = np.stack([found[t][2] for t in moving])[worst, np.arange(len(values))].astype(int)
        columns["worst_period"] = np.array(periods)[np.array(moving)[worst]]
        label = np.empty(len(values), dtype=object)
        for i, t in enumerate(moving):
            label[worst == i] = np.array(binding[t], dtype=object)[price[worst == i]]
        columns["binding_chip"] = label.astype(str)
        costs["lower"].append(columns["cost_lower_usd"])
        if exact:
            solved = {t: np.load(tasks.exact_file(folder, t, f"page{number:05d}")) for t in moving}
            columns["cost_exact_usd"] = base + contract + sum(s[:, 3] for s in solved.values())
            costs["exact"].append(columns["cost_exact_usd"])
            hours = problem.inst.time.hours
            for c, each in enumerate(classes):
                unit = "period_shares" if each == "training" else "million_requests"
                scale = [1.0 if each == "training" else hours[t] * 3600 / 1e6 for t in moving]
                lost = sum(solved[t][:, 4 + c] * k for t, k in zip(moving, scale, strict=True))
                columns[f"unserved_{each}_{unit}"] = lost
        for t in moving:
            columns[f"lower_usd {periods[t]}"] = found[t][1]
        values_kept.append(values[::stride])
        part = folder / f"part-{number:05d}.parquet"
        write_part(part, columns)
        parts.append(part)
    lower_all = np.concatenate(costs["lower"])
    summary["cost_lower"] = cost_summary(lower_all)
    judged = lower_all
    if exact:
        judged = np.concatenate(costs["exact"])
        summary["cost"] = cost_summary(judged)
    kept = np.concatenate([c[::stride] for c in costs["exact" if exact else "lower"]])
    summary["sensitivity"] = sensitivity(kept, np.concatenate(values_kept), names)
    return parts


def _binding(problem: Problem, folder: Path, t: int) -> list[str]:
    """Chip family that earns the most rent under each price of a period: what is scarce [k]."""
    each = tasks.period_in(folder, t)
    period = each.period
    z = np.ones((1, len(period.moves.multipliers.products)))
    free = np.maximum(period.sides(z).free[0], 0.0)
    rent = each.rent * free
    chip = {
        int(g): problem.inst.pools.chip[p]
        for p, g in enumerate(period.merged.pool.tolist())
        if g >= 0
    }
    names = sorted(set(chip.values()))
    total = np.zeros((len(rent), len(names)))
    for g, name in chip.items():
        total[:, names.index(name)] += rent[:, g]
    best = total.argmax(axis=1)
    return [names[i] if total[k, i] > 0 else "" for k, i in enumerate(best.tolist())]
