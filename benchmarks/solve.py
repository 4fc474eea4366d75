"""`data/claude` to a proven 0.1 %: the planner against HiGHS with default options.

`--redundancy waived` leaves the promises for contingencies out.

Both get the same arrays and the same gap, HiGHS with every redundancy cut that the planner found
from the beginning; both are cut off at 600 s of wall time (`--limit`).
seconds and highs_seconds are CPU seconds, wall_s and highs_wall_s what one waits; gap and
highs_gap are what each proved (null: no solution); speedup is highs_seconds / seconds, a lower
bound on it when HiGHS was cut off.
"""

from __future__ import annotations

import time
from functools import partial

from benchmarks._arrays import solve_by_default
from planner import load_case
from planner.example_cases import example_folder
from planner.instance import build_instance
from planner.redundancy.learn import first_cuts
from planner.redundancy.mode import Redundancy
from planner.redundancy.problem import compiled_problem
from planner.redundancy.rounds import Rounds
from planner.solve.options import SolveOptions
from planner.solve.run import solve_matrix
from planner.week import week_of

GAP = 1e-3
LIMIT_S = 600.0


def run(limit: float | None = None, redundancy: Redundancy = "auto") -> dict[str, float | None]:
    """Our solve of the reference case against HiGHS with default options on the same arrays."""
    limit_s = LIMIT_S if limit is None else limit
    inst = build_instance(load_case(example_folder("claude")))
    matrix, mode = compiled_problem(inst, mode=redundancy, strengthen=True)
    cpu, wall = time.process_time(), time.perf_counter()
    options = SolveOptions(GAP, limit_s)
    if mode == "rounds":
        rounds = Rounds.of(inst, matrix)
        learn = partial(first_cuts, inst, matrix, rounds)
        solution = solve_matrix(matrix, options, None, rounds, learn, week=week_of(inst))
    else:
        solution = solve_matrix(matrix, options, week=week_of(inst))
    seconds, waited = time.process_time() - cpu, time.perf_counter() - wall
    theirs = solve_by_default(solution.matrix, GAP, limit_s)
    return {
        "columns": matrix.shape[1],
        "integers": float(matrix.integer.sum()),
        "seconds": seconds,
        "wall_s": waited,
        "gap": solution.gap,
        "highs_seconds": theirs.cpu_s,
        "highs_wall_s": theirs.wall_s,
        "highs_gap": theirs.gap,
        "speedup": theirs.cpu_s / seconds,
    }
