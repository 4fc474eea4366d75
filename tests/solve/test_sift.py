"""Leaving columns out changes how fast a plan is found, not what is proven."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import planner
from planner.audit.folder import audit_plan
from planner.case import load_case
from planner.instance import build_instance
from planner.redundancy.mode import Redundancy
from planner.redundancy.problem import compiled_problem
from planner.solve.session import Session
from planner.solve.sift import sifted
from tests.redundancy.test_rounds import resilient

RUN = sys.modules["planner.solve.run"]
SIFT = sys.modules["planner.solve.sift"]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SIFT, "KEPT", 1)


def test_the_relaxation_is_the_same_with_columns_left_out(few: None) -> None:
    inst = build_instance(load_case(Path("data/small")))
    matrix, _ = compiled_problem(inst)
    whole = Session(matrix)
    result = whole.solve_lp()
    inner = sifted(whole, result)
    again = inner.solve_lp()
    assert not inner.active.all()
    assert again.x.shape == result.x.shape
    assert again.iterations == 0
    cost = [float(matrix.objective @ r.x) for r in (result, again)]
    assert cost[1] == pytest.approx(cost[0], rel=1e-9)
    assert not again.x[~inner.active].any()
    whole.begin_from(inner)
    assert whole.solve_lp().iterations == 0


def test_a_column_that_must_be_there_cannot_be_left_out() -> None:
    matrix, _ = compiled_problem(build_instance(load_case(Path("data/small"))))
    active = np.ones(matrix.shape[1], dtype=bool)
    active[np.flatnonzero(matrix.integer)[0]] = False
    with pytest.raises(ValueError, match="left out"):
        Session(matrix, active=active)


def test_bounds_of_a_column_that_is_not_held_cannot_be_set() -> None:
    matrix, _ = compiled_problem(build_instance(load_case(Path("data/small"))))
    out = np.flatnonzero(~matrix.integer & (matrix.lower == 0.0))[:1]
    active = np.ones(matrix.shape[1], dtype=bool)
    active[out] = False
    with pytest.raises(ValueError, match="not held"):
        Session(matrix, active=active).set_bounds(out, np.zeros(1), np.zeros(1))


@pytest.mark.parametrize("contingencies", [False, True])
def test_a_sifted_search_proves_what_the_whole_one_does(
    monkeypatch: pytest.MonkeyPatch, few: None, contingencies: bool
) -> None:
    case = load_case(Path("data/small"))
    case = resilient(case) if contingencies else case
    mode: Redundancy = "rounds" if contingencies else "auto"
    gap = 1e-4
    plain = planner.solve(case, gap=gap, redundancy=mode)
    made: list[int] = []

    def noted(session: Session, result: object) -> Session:
        made.append(1)
        return sifted(session, result)  # type: ignore[arg-type]

    monkeypatch.setattr(RUN, "SIFTED", 0)
    monkeypatch.setattr(sys.modules["planner.solve.branch"], "sifted", noted)
    plan = planner.solve(case, gap=gap, redundancy=mode)
    assert made
    audit_plan(plan).require()
    assert plan.summary["status"] == "proven"
    for one, other in ((plain, plan), (plan, plain)):
        assert one.summary["bound_usd"] <= other.summary["objective_usd"] * (1 + 1e-9)
