"""Generated cases of 10,000 to 1,000,000 columns to 1 %, and HiGHS with default options on them.

Each size and solver runs in a process of its own. Keys for each size N (asked for; columns_N is
what came): seconds_N (CPU: instance, model, matrix, solve), gap_N (proven; null when no plan was
found in time), memory_mb_N (peak), and highs_seconds_N (CPU, solve only, all its threads),
highs_gap_N, highs_memory_mb_N on the same arrays with the same gap and limit of wall time;
ratio_300k_30k, our seconds at 300,000 over those at 30,000 columns. `--sizes 10000,30000` and
`--limit 60` (wall seconds of each solve) make it shorter.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
GAP = 0.01
LIMIT_S = 600.0
PHASES = ("instance", "model", "matrix", "solve")


def one(columns: int, who: str, limit_s: float) -> dict[str, Any]:
    """What `_scale_one` prints."""
    command = [sys.executable, "-m", "benchmarks._scale_one", str(columns), who]
    done = subprocess.run(
        [*command, str(GAP), str(limit_s)], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(sizes: str | None = None, limit: float | None = None) -> dict[str, Any]:
    """Seconds by phase, memory and gap by size, ours and HiGHS with default options."""
    limit_s = LIMIT_S if limit is None else limit
    out: dict[str, Any] = {}
    for n in SIZES if sizes is None else [int(part) for part in sizes.split(",")]:
        ours = one(n, "planner", limit_s)
        print(n, "planner", json.dumps(ours), flush=True)
        theirs = one(n, "highs", limit_s)
        print(n, "highs", json.dumps(theirs), flush=True)
        out |= {
            f"columns_{n}": ours["columns"],
            f"seconds_{n}": sum(ours[f"{phase}_cpu_s"] for phase in PHASES),
            f"solve_wall_s_{n}": ours["solve_wall_s"],
            f"gap_{n}": ours["gap"],
            f"memory_mb_{n}": ours["memory_mb"],
            f"highs_seconds_{n}": theirs["solve_cpu_s"],
            f"highs_solve_wall_s_{n}": theirs["solve_wall_s"],
            f"highs_gap_{n}": theirs["gap"],
            f"highs_memory_mb_{n}": theirs["memory_mb"],
        }
    if {"seconds_30000", "seconds_300000"} <= set(out):
        out["ratio_300k_30k"] = out["seconds_300000"] / out["seconds_30000"]
    return out
