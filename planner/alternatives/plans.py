"""Alternatives as plans: full tables, and the proof of the least-cost plan as their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.alternatives.search import Found
from planner.instance import Instance
from planner.matrix import Matrix
from planner.plan import Plan
from planner.redundancy.mode import Redundancy
from planner.redundancy.rounds import Rounds
from planner.solve.options import relative_gap
from planner.solve.run import Solution
from planner.solving import plan_of

PROOF = ("certificate_nodes", "certificate_duals", "certificate_cuts")
"""Tables that prove the bound; it holds for every plan of the case."""


def as_plan(
    base: Plan,
    inst: Instance,
    matrix: Matrix,
    mode: Redundancy,
    rounds: Rounds | None,
    found: Found,
    slack: float,
    about: Mapping[str, Any],
) -> Plan:
    """The plan of an alternative: its bound is that of `base`, with the same proof.

    `about` goes into its summary as `alternative`; the gap asked for is that of `slack`.
    """
    objective = float(matrix.objective @ found.x) + matrix.offset
    solution = Solution(
        status="proven", x=found.x, objective_usd=objective, bound_usd=base.bound_usd,
        gap=relative_gap(objective, base.bound_usd), nodes=(), seconds={}, events=(),
        iterations=0, matrix=matrix,
    )  # fmt: skip
    plan = plan_of(base.case, inst, matrix, solution, mode, rounds, slack / (1.0 + slack), {})
    tables = {name: table for name, table in plan.tables.items() if name not in PROOF}
    tables |= {name: base.tables[name] for name in PROOF if name in base.tables}
    size = {**plan.summary["size"], "nodes": base.summary["size"]["nodes"]}
    held = dict(plan.summary["redundancy"])
    if "cuts" in held:
        held |= {name: base.summary["redundancy"][name] for name in ("cuts", "rounds")}
    summary = {**plan.summary, "size": size, "redundancy": held, "alternative": dict(about)}
    return Plan(base.case, tables, summary)
