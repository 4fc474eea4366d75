"""One size of `benchmarks.scale` in a process of its own, so that its memory is its own.

`python -m benchmarks._scale_one COLUMNS planner|highs GAP LIMIT_S` prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks._arrays import solve_by_default
from planner.errors import UnprovenError
from planner.generate import generated_case
from planner.instance import build_instance
from planner.matrix import Matrix, compile_model
from planner.model import build_model
from planner.solve.merged_week import Week
from planner.solve.options import SolveOptions
from planner.solve.run import solve_matrix
from planner.solving import peak_memory_mb
from planner.week import week_of

SEED = 1


@contextmanager
def timed(into: dict[str, Any], phase: str) -> Iterator[None]:
    """Note the CPU seconds of a block under a phase."""
    before = time.process_time()
    try:
        yield
    finally:
        into[f"{phase}_cpu_s"] = time.process_time() - before


def built(columns: int, found: dict[str, Any]) -> tuple[Matrix, Week]:
    """The compiled problem of a generated case and its week, its phases noted."""
    case = generated_case(columns, SEED)
    with timed(found, "instance"):
        inst = build_instance(case)
    with timed(found, "model"):
        model = build_model(inst, strengthen=True)
    with timed(found, "matrix"):
        return compile_model(model), week_of(inst)


def main(columns: int, who: str, gap: float, limit_s: float) -> dict[str, Any]:
    """One size solved by one solver: what was found, by phase."""
    found: dict[str, Any] = {}
    matrix, week = built(columns, found)
    found["columns"], found["gap"] = matrix.shape[1], None
    wall = time.perf_counter()
    if who == "highs":
        run = solve_by_default(matrix, gap, limit_s)
        found["solve_cpu_s"], found["gap"] = run.cpu_s, run.gap
    else:
        with timed(found, "solve"):
            try:
                solution = solve_matrix(matrix, SolveOptions(gap, limit_s), week=week)
            except UnprovenError as error:
                found["why"] = str(error)
            else:
                found["gap"], found["status"] = solution.gap, solution.status
                found["phases_wall_s"] = solution.seconds
    found["solve_wall_s"] = time.perf_counter() - wall
    found["memory_mb"] = peak_memory_mb()
    return found


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))))
