"""Another solver's plan is offered with a bound of our own, and never believed unseen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest

from planner.case import Case
from planner.errors import InfeasibleError, InputError, UnprovenError
from planner.instance import build_instance
from planner.matrix import Matrix, compile_model
from planner.model import build_model
from planner.solve import other
from planner.solve.certificate import proven_bound
from planner.solve.options import SolveOptions
from planner.solve.other import require_solver, solve_by_name
from tests.cases import small_case, small_plan, tiny_case

EXACT = SolveOptions(gap=1e-7, time_limit_s=60.0)
HERE = ("appsi_highs", "highs", "scip_direct")
"""One of Pyomo's older interfaces and two of its newer ones."""


def built(case: Case) -> tuple[Any, Matrix]:
    m = build_model(build_instance(case))
    return m, compile_model(m)


@pytest.fixture(params=HERE)
def solver(request: pytest.FixtureRequest) -> str:
    if request.param == "scip_direct":
        pytest.importorskip("pyscipopt", reason="the optional solver is not installed")
    return str(request.param)


def test_the_optimum_is_ours(solver: str) -> None:
    m, matrix = built(small_case())
    answer = solve_by_name(m, matrix, solver, EXACT)
    assert answer.solver == solver
    assert answer.said
    assert answer.objective_usd == pytest.approx(small_plan().objective_usd, rel=1e-6)
    x = answer.x
    activity = matrix.a @ x
    slack = 1e-5 * np.maximum(1.0, np.abs(activity))
    assert (activity >= matrix.row_lower - slack).all()
    assert (activity <= matrix.row_upper + slack).all()
    assert (x[matrix.integer] == np.round(x[matrix.integer])).all()
    assert answer.objective_usd == pytest.approx(matrix.objective @ x + matrix.offset, rel=1e-12)


def test_the_bound_is_weak_duality_at_our_relaxation(solver: str) -> None:
    m, matrix = built(small_case())
    answer = solve_by_name(m, matrix, solver, EXACT)
    again = proven_bound(matrix, answer.root.y, False, (matrix.lower, matrix.upper))
    assert answer.bound_usd == again
    # The solver itself closed the gap; the relaxation cannot, and its bound is what is said.
    assert answer.bound_usd < answer.objective_usd * (1 - 1e-4)
    assert answer.gap > 1e-4


def test_the_model_is_left_as_it_was() -> None:
    m, matrix = built(tiny_case())
    before = [o.name for o in m.component_objects(pyo.Objective, active=True)]
    solve_by_name(m, matrix, "appsi_highs", EXACT)
    assert [o.name for o in m.component_objects(pyo.Objective, active=True)] == before
    again = compile_model(m)
    assert again.cost_terms == matrix.cost_terms
    assert (again.a - matrix.a).count_nonzero() == 0


def test_unknown_and_missing_solvers() -> None:
    with pytest.raises(InputError, match="Pyomo knows no solver 'no-such'"):
        require_solver("no-such")
    with pytest.raises(InputError, match="'baron' is not installed"):
        require_solver("baron")
    require_solver("highs")


def test_infeasible_is_proven_by_our_own_ray() -> None:
    m, _ = built(tiny_case())
    m.never = pyo.Constraint(expr=m.contracted[0, 0] + m.contracted[1, 0] >= 1e9)
    with pytest.raises(InfeasibleError):
        solve_by_name(m, compile_model(m), "appsi_highs", EXACT)


@pytest.mark.parametrize("name", ["highs", "appsi_highs"])
def test_no_plan_is_no_proof(name: str) -> None:
    """Half a lot is feasible for the relaxation only: whatever the solver says proves nothing."""
    m, _ = built(tiny_case())
    m.half = pyo.Constraint(expr=m.lots[0] + 0.0 * m.contracted[0, 0] == 0.5)
    with pytest.raises(UnprovenError, match=f"{name} found no plan"):
        solve_by_name(m, compile_model(m), name, EXACT)


def test_whole_numbers_that_make_no_plan_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    m, matrix = built(tiny_case())

    def everything(*_: Any) -> tuple[str, dict[int, float]]:
        every = m.component_data_objects(pyo.Var)
        return "optimal", {id(v): 1e6 for v in every}

    monkeypatch.setattr(other, "_ask_new", everything)
    with pytest.raises(UnprovenError, match="do not make a plan"):
        solve_by_name(m, matrix, "highs", EXACT)


def test_an_answer_without_a_value_stands_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns that the solver never saw are 0 or their nearest bound: here all of them."""
    case = replace(tiny_case(), training=())
    m, matrix = built(case)
    monkeypatch.setattr(other, "_ask_new", lambda *_: ("feasible", {}))
    answer = solve_by_name(m, matrix, "highs", EXACT)
    assert not answer.x[matrix.integer].any()
    best = solve_by_name_exactly(m, matrix)
    assert answer.objective_usd >= best * (1 - 1e-9)


def solve_by_name_exactly(m: Any, matrix: Matrix) -> float:
    return solve_by_name(m, matrix, "appsi_highs", EXACT).objective_usd
