"""The figures of the example cases that are held."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import planner
from planner.instance import build_instance
from planner.redundancy.problem import compiled_problem
from planner.solve.session import Session
from tests.cases import claude_plan, small_plan

FOLDER = Path(__file__).parent
EQUATIONS = FOLDER / "equations"
RESULTS = FOLDER / "cases.json"
CHANGES = FOLDER / "CHANGES.md"
PLANS = {"small": small_plan, "claude": claude_plan}
SIZES = ("columns", "rows", "nonzeros", "integers")


def relaxation_usd(case: planner.Case) -> float:
    """What a case's problem costs without whole numbers and promises: one figure, however solved.

    Which of the plans within a gap a search ends at depends on a processor's rounding.
    """
    inst = build_instance(case)
    matrix, _ = compiled_problem(inst, mode="waived", strengthen=True)
    result = Session(matrix).solve_lp()
    return float(matrix.objective @ result.x) + matrix.offset


def figures(plan: planner.Plan) -> dict[str, Any]:
    """What is held of a plan."""
    return {
        "relaxation_usd": relaxation_usd(plan.case),
        "objective_usd": plan.objective_usd,
        "bound_usd": plan.bound_usd,
        "size": {name: plan.summary["size"][name] for name in SIZES},
    }


def golden_results() -> dict[str, dict[str, Any]]:
    """Case -> its figures and the reason of their last change."""
    content: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return content
