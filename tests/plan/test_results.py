"""Golden objective, bound and sizes of the examples.

`python -m tests.golden.update small claude` rewrites them and asks for the reason.
"""

from __future__ import annotations

import pytest

from planner import Plan
from planner.audit.folder import audit_plan
from tests.cases import claude_plan, small_plan
from tests.golden.results import PLANS, figures, golden_results

SAME = 1e-6
"""Relative difference of two optima that are one, to the solver's tolerances."""


def compare(name: str, plan: Plan) -> None:
    held, found = golden_results()[name], figures(plan)
    assert held.pop("reason").strip()
    assert found["size"] == held["size"]
    assert found["relaxation_usd"] == pytest.approx(held["relaxation_usd"], rel=SAME)
    # Two plans proven to a gap differ by no more than it: each bound is below the other's cost.
    within = max(plan.summary["gap_asked"], SAME)
    for key in ("objective_usd", "bound_usd"):
        assert found[key] == pytest.approx(held[key], rel=within), key


def test_every_example_is_held() -> None:
    assert golden_results().keys() == PLANS.keys()


def test_small() -> None:
    compare("small", small_plan())
    assert small_plan().status == "proven"
    audit_plan(small_plan()).require()


@pytest.mark.xdist_group("claude")
def test_claude() -> None:
    compare("claude", claude_plan())
