"""Another solver's plan is offered with a bound of our own, and never believed unseen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest

import planner
from planner.audit.folder import audit_plan
from planner.case import Case
from planner.errors import InfeasibleError, InputError
from planner.instance import build_instance
from planner.matrix import Matrix, compile_model
from planner.model import build_model
from planner.solve import other
from planner.solve.options import SolveOptions
from planner.solve.other import Named, require_solver
from planner.solve.run import solve_matrix
from planner.solve.strategy import chosen
from tests.cases import Floats, small_case, small_plan, tiny_case
from tests.restart.test_restart import resilient

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


def test_the_optimum_is_ours_and_proven_by_us(solver: str) -> None:
    plan = planner.solve(small_case(), gap=1e-6, solver=solver)
    assert plan.objective_usd == pytest.approx(small_plan().objective_usd, rel=2e-6)
    assert plan.status == "proven"
    assert plan.gap <= 1e-6
    assert plan.summary["strategy"]["name"] == solver
    assert plan.summary["strategy"]["said"]
    audit_plan(plan).require()


def test_its_plan_is_there_before_anything_is_branched(solver: str) -> None:
    """At a gap that the root proves, the plan can only be the other solver's."""
    m, matrix = built(small_case())
    solution = solve_matrix(matrix, SolveOptions(gap=0.05), other=(solver, Named(m, solver)))
    assert len(solution.nodes) == 1
    assert solution.found is not None
    assert solution.found.plan_usd == solution.objective_usd
    x = solution.x
    assert (x[matrix.integer] == np.round(x[matrix.integer])).all()
    slack = 1e-5 * np.maximum(1.0, np.abs(matrix.a @ x))
    assert (matrix.a @ x >= matrix.row_lower - slack).all()
    assert (matrix.a @ x <= matrix.row_upper + slack).all()


def test_contingencies_hold_by_rows_that_are_given_again(solver: str) -> None:
    case = resilient(small_case())
    plan = planner.solve(case, gap=1e-6, redundancy="rounds", solver=solver)
    explicit = planner.solve(case, gap=1e-6, redundancy="explicit")
    assert plan.objective_usd == pytest.approx(explicit.objective_usd, rel=3e-6)
    assert plan.summary["redundancy"]["blocks_short"] == 0
    audit_plan(plan).require()


def test_rows_that_join_are_those_of_the_matrix() -> None:
    """A row that only the search knows: the solver's answer keeps it."""
    m, matrix = built(small_case())
    free = solve_matrix(matrix, SolveOptions(gap=0.0))
    lots = matrix.columns["lots"]
    few = 0.5 * float(free.x[lots].sum())

    class AtMost:
        given = False

        def __call__(self, x: Floats, *, exact: bool = True) -> Any:  # noqa: ARG002
            if self.given or x[lots].sum() <= few + 1e-9:
                return None
            self.given = True
            from planner.matrix import RowBatch

            row = np.zeros((1, matrix.shape[1]))
            row[0, lots] = 1.0
            import scipy.sparse as sp

            return RowBatch("few", ((0,),), sp.csr_array(row), np.array([-np.inf]), np.array([few]))

    asked = Named(m, "highs")
    bound = solve_matrix(matrix, SolveOptions(gap=1e-6), lazy=AtMost(), other=("highs", asked))
    assert bound.x[lots].sum() <= few + 1e-6
    assert bound.objective_usd > free.objective_usd
    own = solve_matrix(matrix, SolveOptions(gap=1e-6), lazy=AtMost())
    assert bound.objective_usd == pytest.approx(own.objective_usd, rel=3e-6)


def test_the_model_is_left_as_it_was() -> None:
    m, matrix = built(tiny_case())
    before = [o.name for o in m.component_objects(pyo.Objective, active=True)]
    solve_matrix(matrix, SolveOptions(gap=1e-6), other=("appsi_highs", Named(m, "appsi_highs")))
    assert [o.name for o in m.component_objects(pyo.Objective, active=True)] == before
    again = compile_model(m)
    assert again.cost_terms == matrix.cost_terms
    assert (again.a - matrix.a).count_nonzero() == 0


def test_unknown_and_missing_solvers() -> None:
    with pytest.raises(InputError, match="Pyomo knows no solver 'no-such'"):
        planner.solve(tiny_case(), solver="no-such")
    with pytest.raises(InputError, match="'baron' is not installed"):
        planner.solve(tiny_case(), solver="baron")
    with pytest.raises(InputError, match="says who finds the plan"):
        planner.solve(tiny_case(), solver="highs", strategy="dive")
    require_solver("highs")


def test_infeasible_is_proven_by_our_own_ray() -> None:
    m, _ = built(tiny_case())
    m.never = pyo.Constraint(expr=m.contracted[0, 0] + m.contracted[1, 0] >= 1e9)
    matrix = compile_model(m)
    with pytest.raises(InfeasibleError):
        solve_matrix(matrix, other=("appsi_highs", Named(m, "appsi_highs")))


@pytest.mark.parametrize("name", ["highs", "appsi_highs"])
def test_no_plan_of_theirs_is_proven_by_our_tree(name: str) -> None:
    """Half a lot is feasible for the relaxation only; our tree proves that no plan is."""
    m, _ = built(tiny_case())
    m.half = pyo.Constraint(expr=m.lots[0] + 0.0 * m.contracted[0, 0] == 0.5)
    with pytest.raises(InfeasibleError, match="whole lots"):
        solve_matrix(compile_model(m), other=(name, Named(m, name)))


@pytest.mark.parametrize("values", ["too many", "none"])
def test_nonsense_is_not_believed(values: str, monkeypatch: pytest.MonkeyPatch) -> None:
    m, matrix = built(tiny_case())

    def everything(*_: Any) -> tuple[str, dict[int, float] | None]:
        every = m.component_data_objects(pyo.Var)
        return "optimal", {id(v): 1e6 for v in every} if values == "too many" else None

    monkeypatch.setattr(other, "_ask_new", everything)
    solution = solve_matrix(matrix, SolveOptions(gap=0.0), other=("highs", Named(m, "highs")))
    own = solve_matrix(matrix, SolveOptions(gap=0.0))
    assert solution.objective_usd == pytest.approx(own.objective_usd, rel=1e-9)
    assert solution.status == "proven"


# -- strategies ------------------------------------------------------------------------------


def test_highs_and_dive_give_the_same_optimum() -> None:
    for case in (small_case(), tiny_case()):
        by_highs = planner.solve(case, gap=0.0, strategy="highs")
        by_dive = planner.solve(case, gap=0.0, strategy="dive")
        assert by_highs.objective_usd == pytest.approx(by_dive.objective_usd, rel=1e-9)
        assert by_highs.status == by_dive.status == "proven"
        assert by_highs.summary["strategy"]["name"] == "highs"
        assert "said" not in by_dive.summary["strategy"]
        audit_plan(by_highs).require()


def test_highs_is_asked_again_until_no_contingency_is_broken() -> None:
    case = resilient(small_case())
    plan = planner.solve(case, gap=1e-6, redundancy="rounds", strategy="highs")
    explicit = planner.solve(case, gap=1e-6, redundancy="explicit")
    assert plan.objective_usd == pytest.approx(explicit.objective_usd, rel=3e-6)
    assert plan.summary["redundancy"]["blocks_short"] == 0
    audit_plan(plan).require()


def test_auto_says_why() -> None:
    _, matrix = built(tiny_case())
    auto = chosen(matrix, "auto")
    assert auto.strategy == "dive"
    assert f"{matrix.shape[1]:,} columns" in auto.why
    assert chosen(matrix, "highs").why.startswith("asked for")
    assert chosen(matrix, "auto", "scip_direct").strategy == "scip_direct"
    assert small_plan().summary["strategy"] == {
        "name": "dive",
        "why": chosen(built(small_case())[1], "auto").why,
    }
