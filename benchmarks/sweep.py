"""A million what-if scenarios on a plan of data/claude, each block with a proven bound.

The plan is that of data/claude with all its rules but redundancy (`--redundancy waived`), to 1 %.
It is solved once and kept in runs/benchmark-sweep-plan; `--dir RUN` sweeps another saved run, and
`--sizes N` takes N scenarios. The plan's time is not counted.

Every period that is not over at as_of moves, with all its slices: demand by growth, model,
geography and class, working chips by vendor, late chips, the loss of a whole cloud. The hot HiGHS
re-solve that it is held against keeps the whole merged program of a block in HiGHS and changes
right-hand sides between scenarios in the order in which they are drawn, on one core.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from joblib.externals.loky import get_reusable_executor

from planner import load_case, solve
from planner.example_cases import example_folder
from planner.plan import Plan, load_plan
from planner.sweep.draws import values_of
from planner.sweep.exact import BlockSolver
from planner.sweep.problem import Problem, problem_of
from planner.sweep.run import sweep
from planner.sweep.spec import Spec, load_spec

SPEC = Path(__file__).with_name("sweep.toml")
KEPT_PLAN = Path("runs/benchmark-sweep-plan")
AUDIT_BLOCKS = 20_000
RESOLVES = 8
"""Hot re-solves measured in each period."""


def hot_resolve(problem: Problem) -> tuple[float, int]:
    """CPU seconds and number of hot re-solves of whole blocks, no sifting."""
    rng = np.random.default_rng(0)
    seconds, solves = 0.0, 0
    for period in problem.periods:
        if not period.moves.touched:
            continue
        scenarios = rng.integers(0, problem.spec.count, RESOLVES + 1)
        z = period.moves.multipliers.values(values_of(problem.spec, scenarios))
        sides = period.sides(z)
        solver = BlockSolver(period.merged.block, sift=False)
        solver.solve(sides, 0)
        before = time.process_time()
        for i in range(1, RESOLVES + 1):
            solver.solve(sides, i)
        seconds += time.process_time() - before
        solves += RESOLVES
    return seconds, solves


def swept_plan() -> Plan:
    """The kept plan, or a new one when there is none of this case."""
    case = load_case(example_folder("claude"))
    if KEPT_PLAN.exists():
        kept = load_plan(KEPT_PLAN)
        if kept.case.sha256() == case.sha256():
            return kept
    return solve(case, gap=1e-2, redundancy="waived").save(KEPT_PLAN, force=True)


def run(folder: str | None = None, sizes: str | None = None) -> dict[str, Any]:
    """Figures of merit; `sizes` is the number of scenarios, a million when not given."""
    spec = load_spec(SPEC)
    if sizes is not None:
        spec = Spec.model_validate({**spec.model_dump(), "scenarios": int(sizes)})
    plan = swept_plan() if folder is None else load_plan(folder)
    cores = min(2, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory(prefix="sweep-") as into:
        before, began = _cpu(), time.perf_counter()
        result = sweep(
            plan, spec, out=Path(into) / "sweep.parquet", jobs=cores, audit_blocks=AUDIT_BLOCKS
        )
        seconds = time.perf_counter() - began
        # Workers count among the children once they have ended.
        get_reusable_executor().shutdown(wait=True)
        cpu = _cpu() - before
    s = result.summary
    resolve_s, resolves = hot_resolve(problem_of(plan, spec))
    figures = {
        "scenarios": s["scenarios"],
        "factors": len(spec.factor),
        "blocks": s["blocks"],
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_memory_mb": _memory_mb(cores),
        "audited": s["audit"]["blocks"],
        "misses": s["audit"]["misses"],
        "share_within_0.1pct_99conf": s["audit"]["share_within_0.1pct_99conf"],
        "worst_audited_gap": s["audit"]["worst_gap"],
        "least_audited_gap": s["audit"]["least_gap"],
        "share_two_sided": s["rerouted"]["share_within_0.1pct"],
        "prices": sum(s["prices"].values()),
        "hot_resolve_ms": 1e3 * resolve_s / resolves,
        "speedup": (s["blocks"] / seconds) / (resolves / resolve_s),
        **{f"seconds_{step}": value for step, value in s["seconds"].items() if step != "total"},
    }
    for name, value in figures.items():
        print(name, value)
    return figures


def _cpu() -> float:
    """CPU seconds of this process and of the workers that ended."""
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def _memory_mb(workers: int) -> float:
    """Most memory that this process and its workers can have held at once."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + workers * child) / 1024
