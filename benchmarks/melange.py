"""Outside instances: cost against that of continuous routing solved by HiGHS, and CPU time.

Takes a folder of instances in Mélange's format (`data/melange` when none is given) whose
`results.csv` holds `instance` and `frac_cost`, USD/h. Each is solved to the optimum; CPU
milliseconds are those of the solve in process, building the model not counted, median of five
after one that warms up. Keys: count, proven (how many), max_cost_ratio (largest cost over
`frac_cost`, to be at most 1 but for rounding of the file), max_unserved (largest share of
requests that a plan leaves out), median_cpu_ms, worst_cpu_ms.
"""

from __future__ import annotations

import csv
import statistics
import time
from pathlib import Path

import numpy as np

from planner.extract import values_of
from planner.instance import build_instance
from planner.matrix import compile_model
from planner.melange import melange_case, usd_per_hour
from planner.model import build_model
from planner.solve.options import SolveOptions
from planner.solve.run import solve_matrix

ROUNDS = 5
HERE = Path(__file__).parents[1] / "data" / "melange"


def reference(folder: Path) -> dict[str, float]:
    """Instance -> USD/h of continuous routing."""
    with (folder / "results.csv").open(encoding="utf-8", newline="") as stream:
        return {row["instance"]: float(row["frac_cost"]) for row in csv.DictReader(stream)}


def run(folder: str | None = None) -> dict[str, float]:
    """Cost ratios, proofs and CPU time over a folder of instances (ours unless given)."""
    where = HERE if folder is None else Path(folder)
    known = reference(where)
    files = sorted(where.glob("*.json"))
    if not files:
        raise SystemExit(f"{where}: no instances")
    proven, ratios, unserved, cpu_ms = 0, [], [], []
    for file in files:
        inst = build_instance(melange_case(file))
        matrix = compile_model(build_model(inst, strengthen=True))
        seconds = []
        for _ in range(ROUNDS + 1):
            before = time.process_time()
            solution = solve_matrix(matrix, SolveOptions(gap=0.0))
            seconds.append(time.process_time() - before)
        proven += solution.status == "proven"
        hourly = usd_per_hour(solution.objective_usd)
        ratios.append(hourly / known[file.stem])
        left = values_of(inst, matrix, solution.x).unserved.sum()
        unserved.append(float(left / inst.serving.peak.sum()))
        cpu_ms.append(1e3 * statistics.median(seconds[1:]))
        print(f"{file.stem} {hourly:.4f} USD/h of {known[file.stem]} in {cpu_ms[-1]:.1f} ms")
    return {
        "count": len(files),
        "proven": proven,
        "max_cost_ratio": float(np.max(ratios)),
        "max_unserved": float(np.max(unserved)),
        "median_cpu_ms": statistics.median(cpu_ms),
        "worst_cpu_ms": float(np.max(cpu_ms)),
    }
