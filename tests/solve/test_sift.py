"""Leaving columns out changes how fast a plan is found, not what is proven."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import planner
from planner.audit.folder import audit_plan
from planner.case import load_case
from planner.example_cases import example_folder
from planner.instance import build_instance
from planner.redundancy.mode import Redundancy
from planner.redundancy.problem import compiled_problem
from planner.solve.lp import LpResult
from planner.solve.session import Session
from planner.solve.sift import interior_point, sifted, sifted_inside
from tests.redundancy.test_rounds import resilient

RUN = sys.modules["planner.solve.run"]
SIFT = sys.modules["planner.solve.sift"]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SIFT, "KEPT", 0)


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
    whole.set_basis(inner.basis())
    assert whole.solve_lp().iterations == 0


def test_what_makes_up_for_a_rule_is_always_held(few: None) -> None:
    matrix, _ = compiled_problem(build_instance(load_case(Path("data/small"))))
    session = Session(matrix)
    inner = sifted(session, session.solve_lp())
    for component in ("unserved", "missed"):
        assert inner.active[matrix.columns[component]].all()


def test_what_is_held_for_its_cost_is_a_term_of_cost() -> None:
    """A term by another name would hold nothing, and nothing would say so."""
    matrix, _ = compiled_problem(build_instance(load_case(example_folder("claude"))))
    assert set(SIFT.SLACKS) <= set(matrix.cost_terms)


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
    made: list[Session] = []

    def noted(session: Session, result: LpResult) -> Session:
        made.append(sifted(session, result))
        assert not made[-1].active.all()
        return made[-1]

    monkeypatch.setattr(RUN, "SIFTED", 0)
    monkeypatch.setattr(sys.modules["planner.solve.branch"], "sifted", noted)
    plan = planner.solve(case, gap=gap, redundancy=mode)
    # One for the search, and one for each dive.
    assert len(made) > 1
    audit_plan(plan).require()
    assert plan.summary["status"] == "proven"
    for one, other in ((plain, plan), (plan, plain)):
        assert one.summary["bound_usd"] <= other.summary["objective_usd"] * (1 + 1e-9)


def test_a_priced_session_gives_the_relaxation_of_the_whole_matrix() -> None:
    """From any columns, also where it is infeasible over those that it holds."""
    matrix, _ = compiled_problem(build_instance(load_case(Path("data/small"))))
    whole = Session(matrix).solve_lp()
    least = matrix.integer | (matrix.lower != 0.0)
    rng = np.random.default_rng(4)
    seen = set()
    for kept in (0.0, 0.3, 0.9):
        active = least | (rng.random(matrix.shape[1]) < kept)
        seen.add(Session(matrix, active=active).solve_lp().status)
        session = Session(matrix, active=active, priced=True)
        result = session.solve_lp()
        assert result.status == "optimal"
        assert float(matrix.objective @ result.x) == pytest.approx(
            float(matrix.objective @ whole.x), rel=1e-9
        )
        assert session.active.sum() < matrix.shape[1]
        # Bounds that no plan can keep are infeasible over all columns, too.
        lots = np.flatnonzero(matrix.integer)
        session.set_bounds(lots, matrix.upper[lots], matrix.upper[lots])
        other = Session(matrix)
        other.set_bounds(lots, matrix.upper[lots], matrix.upper[lots])
        assert session.solve_lp().status == other.solve_lp().status == "infeasible"
    assert "infeasible" in seen


def test_a_basis_fits_a_session_that_holds_other_columns() -> None:
    matrix, _ = compiled_problem(build_instance(load_case(Path("data/small"))))
    whole = Session(matrix)
    result = whole.solve_lp()
    basis = whole.basis()
    inner = sifted(whole, result)
    inner.set_basis(basis)
    assert inner.solve_lp().iterations == 0
    whole.set_basis(inner.basis())
    assert whole.solve_lp().iterations == 0


@pytest.mark.skipif(not interior_point(), reason="highspy-extras is not installed")
def test_a_root_from_an_interior_point_proves_what_the_simplex_does(
    monkeypatch: pytest.MonkeyPatch, few: None
) -> None:
    matrix, _ = compiled_problem(build_instance(load_case(Path("data/small"))))
    whole = Session(matrix).solve_lp()
    cost = float(matrix.objective @ whole.x)
    session = Session(matrix)
    inside = session.solve_interior()
    assert inside.status == "optimal"
    assert float(matrix.objective @ inside.x) == pytest.approx(cost, rel=1e-5)
    held = sifted_inside(session, inside)
    assert not held.active.all()
    assert float(matrix.objective @ held.solve_lp().x) == pytest.approx(cost, rel=1e-9)
    # The session itself goes on by simplex.
    assert float(matrix.objective @ session.solve_lp().x) == pytest.approx(cost, rel=1e-9)
    monkeypatch.setattr(RUN, "SIFTED", 0)
    monkeypatch.setattr(sys.modules["planner.solve.root"], "INTERIOR", 0)
    plan = planner.solve(load_case(Path("data/small")), gap=1e-4)
    assert "interior point" in plan.summary["seconds"]["within_solve"]
    assert plan.summary["status"] == "proven"
    audit_plan(plan).require()
