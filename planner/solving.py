"""Case -> Plan: the whole way, timed by phase."""

from __future__ import annotations

import platform
import resource
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.case import Case
from planner.costs import by_period, cost_table
from planner.equations import STRENGTHENED, Equation
from planner.errors import Fault, InputError, PlannerError
from planner.extract import values_of
from planner.instance import Instance, build_instance
from planner.matrix import Matrix, compile_model
from planner.plan import Plan
from planner.plausibility import plausibility, rests_on, unserved_by_class
from planner.redundancy.learn import first_cuts
from planner.redundancy.mode import Redundancy
from planner.redundancy.problem import model_of
from planner.redundancy.rounds import Rounds
from planner.redundancy.survey import price_table, survey
from planner.restart.keep import restart_table
from planner.restart.read import given_by
from planner.solve.options import Progress, SolveOptions
from planner.solve.other import Named, require_solver
from planner.solve.run import Solution, interruptible, solve_matrix
from planner.solve.strategy import Strategy
from planner.tables import make_tables
from planner.values import Values, consolidate
from planner.week import week_of

PACKAGES = ("compute-planner", "highspy", "numpy", "pandas", "pyomo", "scipy")
"""Packages whose versions a run records."""


def solve(
    case: Case,
    *,
    gap: float = 1e-3,
    time_limit_s: float | None = None,
    threads: int = 1,
    progress: Progress | None = None,
    equations: Iterable[Equation] = (),
    redundancy: Redundancy = "auto",
    warm: Plan | None = None,
    strategy: Strategy = "auto",
    solver: str | None = None,
) -> Plan:
    """Solve a case and return its plan.

    gap is (cost - bound) / cost at which to stop; `equations` are added to the registered ones
    (each a function of the Pyomo model and the instance). `redundancy` says how contingencies are
    held: explicit flows, rounds of cuts, or not at all (waived: the plan's audit then fails by a
    proof wherever a promise is not kept). `warm` is an earlier plan, of a case that differs in a
    price, a date or some demand: its proof, whole numbers, cuts and bases are where the solve
    starts. `strategy` says whether branching and diving or HiGHS finds the plan (see
    `planner.solve.strategy`), `solver` names another solver of Pyomo's that finds it; the bound is
    our own in each. Raises InputError, RunFolderError, InfeasibleError or UnprovenError.
    """
    if solver is not None:
        require_solver(solver)
        if strategy != "auto":
            raise InputError([Fault("--strategy", "says who finds the plan, and so does --solver")])
    phases: dict[str, float] = {}
    clock = _Clock(phases)
    inst = build_instance(case)
    clock.mark("instance")
    model, mode = model_of(inst, equations, redundancy, strengthen=True)
    matrix = compile_model(model)
    clock.mark("matrix")
    options = SolveOptions(gap, time_limit_s, threads)
    rounds = None if mode == "explicit" else Rounds.of(inst, matrix)
    lazy = None if mode == "waived" else rounds
    given = None
    if warm is not None:
        # Where promises are waived its routings still say which of them are kept.
        given = given_by(warm, inst, matrix, rounds, cuts=lazy is not None)
        clock.mark("earlier plan")
    learn = None
    if lazy is not None and not (given and given.cuts):
        learn = partial(first_cuts, inst, matrix, lazy)
    solution = solve_matrix(
        given.matrix if given else matrix,
        options,
        progress,
        lazy,
        learn,
        warm=given.warm if given else None,
        strategy=strategy,
        other=None if solver is None else (solver, Named(model, solver)),
        week=week_of(inst),
    )
    clock.mark("solve")
    # The search is over: a Ctrl-C now does not take its plan away.
    with interruptible(threading.Event()):
        plan = plan_of(case, inst, matrix, solution, mode, rounds, gap, phases)
    if warm is None or given is None:
        return plan
    earlier = _earlier(warm, given.cuts, solution)
    return replace(plan, summary={**plan.summary, "earlier_plan": earlier})


def plan_of(
    case: Case,
    inst: Instance,
    matrix: Matrix,
    solution: Solution,
    mode: Redundancy,
    rounds: Rounds | None,
    gap: float,
    phases: dict[str, float],
) -> Plan:
    """The plan that a solution of a compiled problem stands for, with its tables and its proof.

    `rounds` are over the columns of `matrix`, and None where `mode` is explicit; `phases` (seconds
    by phase) goes on with what is done here.
    """
    clock = _Clock(phases)
    values, moved = consolidate(inst, values_of(inst, matrix, solution.x), inst.flow_floor_chips)
    extra: dict[str, pd.DataFrame] = {}
    if rounds is not None:
        found = survey(rounds, solution.x)
        values = replace(values, rules={**values.rules, "cover": found.cover})
        extra["certificate_cuts"] = price_table(inst, rounds.asked, rounds.cuts)
        if found.short:
            extra["contingency_rays"] = price_table(inst, rounds.asked, found.short)
        clock.mark("contingencies")
    tables = {**make_tables(case, inst, values), **extra}
    tables["cost_by_period"] = cost_table(inst, values)
    tables["certificate_nodes"], tables["certificate_duals"] = certificate_tables(
        solution.matrix, solution
    )
    clock.mark("tables")
    summary = _summary(case, inst, matrix, solution, values, phases, gap)
    summary["flows_consolidated"] = moved
    summary["redundancy"] = {"mode": mode} | (
        {}
        if rounds is None
        else {
            "blocks": rounds.asked.blocks,
            "rounds": rounds.rounds,
            "cuts": len(rounds.cuts),
            "blocks_short": len(found.short),
        }
    )
    summary["strategy"] = {"name": solution.choice.strategy, "why": solution.choice.why}
    if solution.found is not None:
        summary["strategy"] |= {"said": solution.found.said, "asked": solution.found.asked}
    return Plan(case, tables, summary, restart=restart_table(inst, solution))


def _earlier(warm: Plan, cuts: int, solution: Solution) -> dict[str, Any]:
    """What an earlier plan gave: its case, what its proof and its whole numbers were worth."""
    carried = solution.carried
    bound = carried.bound_usd if carried else -np.inf
    cost = carried.plan_usd if carried else np.inf
    return {
        "case_sha256": warm.summary["case_sha256"],
        "cuts": cuts,
        "leaves": carried.leaves if carried else 0,
        "bound_usd": bound if np.isfinite(bound) else None,
        "plan_usd": cost if np.isfinite(cost) else None,
    }


class _Clock:
    """Seconds between marks."""

    def __init__(self, phases: dict[str, float]) -> None:
        self._phases, self._last = phases, time.perf_counter()

    def mark(self, phase: str) -> None:
        now = time.perf_counter()
        self._phases[phase] = now - self._last
        self._last = now


def label_of(index: Any) -> str:
    """Index of a row or column as text: positions joined by `;`."""
    if index is None:
        return ""
    return ";".join(str(i) for i in index) if isinstance(index, tuple) else str(index)


def certificate_tables(matrix: Matrix, solution: Solution) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The proof of the bound: the tree of branchings, and the row duals of its leaves.

    Nodes: node, parent (-1 = root), component and index of the branched column, its range, and
    whether it is a leaf and its duals a ray. Duals: node, constraint, index, value (USD per
    unit of the row), zeros left out.
    """
    column_of = _labels(matrix.columns, matrix.column_index)
    row_of = _labels(matrix.rows, matrix.row_index)
    nodes: list[tuple[Any, ...]] = []
    where: list[npt.NDArray[np.int64]] = []
    value: list[npt.NDArray[np.float64]] = []
    count = np.zeros(len(solution.nodes), dtype=np.int64)
    for i, node in enumerate(solution.nodes):
        component, index = column_of(node.column) if node.column >= 0 else ("", "")
        nodes.append((i, node.parent, component, index, node.low, node.high, node.leaf, node.ray))
        if node.leaf and len(node.y):
            used = np.flatnonzero(node.y)
            where.append(used)
            value.append(node.y[used])
            count[i] = len(used)
    names = ("node", "parent", "component", "index", "low", "high", "leaf", "ray")
    frame = pd.DataFrame(nodes, columns=list(names))
    if len(frame):
        frame.loc[frame.node == 0, ["low", "high"]] = 0.0
    # Most leaves have duals on the same rows: each label is made once.
    rows, which = np.unique(np.concatenate([*where, np.zeros(0, np.int64)]), return_inverse=True)
    labels = np.array([row_of(row) for row in rows.tolist()], dtype=object).reshape(-1, 2)[which]
    duals = {
        "node": np.repeat(np.arange(len(count)), count),
        "constraint": labels[:, 0].tolist(),
        "index": labels[:, 1].tolist(),
        "dual": np.concatenate([*value, np.zeros(0)]),
    }
    return frame, pd.DataFrame(duals)


def _labels(blocks: dict[str, slice], index: Mapping[str, Sequence[Any]]) -> Any:
    """Function from a position to (name of its block, index as text)."""
    starts = np.array([block.start for block in blocks.values()])
    names = list(blocks)

    def label(position: int) -> tuple[str, str]:
        # Empty blocks share their start with the next one; the last of them holds the position.
        at = int(np.searchsorted(starts, position, side="right")) - 1
        return names[at], label_of(index[names[at]][position - starts[at]])

    return label


def _summary(
    case: Case,
    inst: Instance,
    matrix: Matrix,
    solution: Solution,
    values: Values,
    phases: dict[str, float],
    gap: float,
) -> dict[str, Any]:
    """Figures of merit. Cost terms come from the compiled coefficients of the objective."""
    terms = matrix.cost @ solution.x + matrix.cost_offset
    cost = dict(zip(matrix.cost_terms, terms.tolist(), strict=True))
    for term, amounts in by_period(inst, values).items():
        # Tables and objective state the same cost; a difference is a defect of the planner.
        if abs(amounts.sum() - cost[term]) > 1e-6 * max(1.0, abs(solution.objective_usd)):
            raise PlannerError(f"cost term {term}: tables and objective differ")
    detail = {k: v for k, v in solution.seconds.items() if k != "solve"}
    seconds = {**phases, "total": sum(phases.values()), "within_solve": detail}
    return {
        "case": case.settings.name,
        "status": solution.status,
        "objective_usd": solution.objective_usd,
        "bound_usd": solution.bound_usd,
        "gap": solution.gap,
        "gap_asked": gap,
        "cost_usd": cost,
        "unserved": unserved_by_class(inst, values),
        "liability_past_horizon_usd": cost.get("liability_past_horizon", 0.0),
        "salvage_credit_usd": -cost.get("salvage_past_horizon", 0.0),
        "seconds": seconds,
        "size": {**matrix.size(without=STRENGTHENED), "nodes": len(solution.nodes)},
        "peak_memory_mb": peak_memory_mb(),
        "provenance": {
            **rests_on(inst, values),
            "proxy_architectures": {m.model: m.architecture for m in case.models if m.proxy},
        },
        "plausibility": plausibility(inst, values),
        "versions": dict(_versions()),
        "case_sha256": case.sha256(),
    }


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    """Names and versions of Python and of `PACKAGES`."""
    return (
        ("python", platform.python_version()),
        *((name, version(name)) for name in PACKAGES),
    )


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024.0 * 1024.0 if sys.platform == "darwin" else 1024.0)
