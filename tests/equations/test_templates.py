"""Equations compile as templates, and limit cases are the smaller problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyomo.core.base.constraint as pyomo_constraint
import pyomo.environ as pyo
import pytest

import planner
from planner.audit.folder import audit_plan
from planner.case import Case
from planner.equations import EQUATIONS
from planner.instance import build_instance
from planner.matrix import compile_model
from planner.model import build_model, templates
from tests.cases import ROOT, demand_rows, measured, random_case, small_case, tiny_case, valid
from tests.cases_rules import tiny_rules_case

EQUATION_FILES = ROOT / "tests" / "golden" / "equations"


def expanded(m: Any) -> list[str]:
    """Constraints of which some row is not a template."""
    return [
        family.name
        for family in m.component_objects(pyo.Constraint)
        if len(family) and not all(hasattr(row, "template_expr") for row in family.values())
    ]


CASES: dict[str, Callable[[], Case]] = {
    "tiny": tiny_case,
    "small": small_case,
    "rules": tiny_rules_case,
}


@pytest.mark.parametrize("name", CASES)
def test_no_family_expands_in_silence(name: str) -> None:
    m = build_model(build_instance(CASES[name]()), strengthen=True)
    assert sum(1 for _ in m.component_objects(pyo.Constraint)) > 10
    assert expanded(m) == []


def test_every_family_is_looked_at() -> None:
    """Each constraint that has a golden matrix stands in one of the cases above."""
    there: set[str] = set()
    for make in CASES.values():
        m = build_model(build_instance(make()), strengthen=True)
        there |= {family.name for family in m.component_objects(pyo.Constraint) if len(family)}
    wanted = {f.stem.removeprefix("rows_") for f in EQUATION_FILES.glob("rows_*.txt")}
    assert len(wanted) > 30
    assert wanted - there == set()
    assert there - wanted == set()


def test_a_family_that_expands_is_noticed() -> None:
    """The check above can fail: a rule that sums over a list expands row by row."""
    m = build_model(build_instance(tiny_case()))
    with templates():
        m.plain = pyo.Constraint(
            m.T, rule=lambda m, t: sum(m.contracted[p, t] for p in list(m.P)) <= 1e9
        )
    assert expanded(m) == ["plain"]


def fail_inside() -> None:
    with templates():
        assert pyomo_constraint.TEMPLATIZE_CONSTRAINTS
        raise RuntimeError


def test_templates_are_put_back() -> None:
    before = pyomo_constraint.TEMPLATIZE_CONSTRAINTS
    with pytest.raises(RuntimeError):
        fail_inside()
    assert before == pyomo_constraint.TEMPLATIZE_CONSTRAINTS is False


def test_templates_and_plain_rows_are_one_model() -> None:
    """Built row by row, without templates, the compiled arrays are the same."""
    inst = build_instance(tiny_case())
    with_templates = compile_model(build_model(inst))
    m = pyo.ConcreteModel()
    for equation in EQUATIONS:
        equation(m, inst)
    plain = compile_model(m)
    assert plain.columns == with_templates.columns
    assert plain.rows.keys() == with_templates.rows.keys()
    assert abs(plain.a - with_templates.a).max() < 1e-12
    for name in ("row_lower", "row_upper", "lower", "upper", "cost", "cost_offset"):
        a, b = getattr(plain, name), getattr(with_templates, name)
        assert a == pytest.approx(b, rel=1e-12), name


LIMITS: dict[str, dict[str, Any]] = {
    "no pay as you go": {"offers": tiny_case().offers[:2]},
    "nothing but pay as you go": {"offers": tiny_case().offers[2:], "contracts": ()},
    "no contracts": {"contracts": ()},
    "no training": {"training": ()},
    "no optional table": {"contracts": (), "training": (), "throughput": (), "efficiency": ()},
    "deferrable only": {
        "serving": tiny_case().serving[2:],
        "demand": demand_rows("batch", 800, 1000),
        "throughput": measured("batch"),
    },
    "nothing deferrable": {
        "serving": tiny_case().serving[:2],
        "demand": (*demand_rows("chat-west", 2600, 3000), *demand_rows("chat-east", 500, 600)),
        "throughput": measured("chat"),
    },
    "one pool": {
        "pools": tiny_case().pools[:1],
        "supply": tiny_case().supply[:1],
        "contracts": tiny_case().contracts[:1],
        "offers": tuple(o for o in tiny_case().offers if o.chip != "trn2"),
        "training": tiny_case().training[1:2],
        "serving": tiny_case().serving[:1],
        "demand": demand_rows("chat-west", 2600, 3000),
        "throughput": measured("chat"),
    },
    "no demand": {
        "demand": tuple(d.model_copy(update={"requests_per_s": 0.0}) for d in tiny_case().demand)
    },
    "no new supply": {
        "supply": tuple(s.model_copy(update={"chips": 0.0}) for s in tiny_case().supply)
    },
}
"""Cases at an edge, each with what it replaces in the tiny case."""


@pytest.mark.parametrize("name", LIMITS)
def test_limit_cases_solve_and_stand_up_to_the_audit(name: str) -> None:
    case = valid(replace(tiny_case(), **LIMITS[name]))
    m = build_model(build_instance(case))
    assert expanded(m) == []
    plan = planner.solve(case, gap=0.0)
    assert plan.status == "proven"
    audit_plan(plan).require()
    _says_what_is_missing(name, plan)


def _says_what_is_missing(name: str, plan: planner.Plan) -> None:
    cost, tables = plan.summary["cost_usd"], plan.tables
    if name in ("no pay as you go", "no new supply"):
        assert cost["pay_as_you_go"] == 0.0
        assert tables["pay_as_you_go"].empty
    if name in ("no contracts", "no optional table", "nothing but pay as you go"):
        assert cost["existing_contracts"] == cost["exit_fees"] == 0.0
        assert tables["contracts_existing"].empty
    if name in ("no training", "no optional table"):
        assert cost["missed_training"] == 0.0
        assert tables["training"].empty
        assert tables["training_runs"].empty
    if name == "nothing but pay as you go":
        assert tables["contracts_signed"].empty
        assert cost["liability_past_horizon"] == cost["salvage_past_horizon"] == 0.0
        assert cost["pay_as_you_go"] > 0
    if name == "no demand":
        assert cost["unserved_demand"] == 0.0
        assert tables["serving"].empty
    if name == "no new supply":
        assert tables["contracts_signed"].empty
        assert (tables["capacity"].supply_chips == 0).all()
    if name == "deferrable only":
        assert set(tables["serving"].workload) == {"batch"}


@pytest.mark.parametrize("seed", [3, 7])
def test_no_pay_as_you_go_is_pay_as_you_go_that_nobody_can_have(seed: int) -> None:
    case = random_case(seed)
    assert any(o.term_months == 0 for o in case.offers)
    gone = replace(case, offers=tuple(o for o in case.offers if o.term_months))
    none = tuple(
        o if o.term_months else o.model_copy(update={"max_supply_share": 0.0}) for o in case.offers
    )
    assert _cost(gone) == pytest.approx(_cost(replace(case, offers=none)), rel=1e-9)
    assert _cost(gone) > _cost(case)


def test_a_run_of_no_value_is_a_run_that_is_not_there() -> None:
    case = replace(tiny_case(), training=tiny_case().training[:2])
    worthless = tuple(r.model_copy(update={"value_usd": 1e-6}) for r in case.training)
    without = _cost(replace(case, training=()))
    assert _cost(replace(case, training=worthless)) == pytest.approx(without, rel=1e-9)
    assert _cost(case) > without * (1 + 1e-6)


def test_one_lot_at_least_is_no_rule() -> None:
    """min_lots 1 adds no binaries; min_lots 2 adds one a start and never costs less."""
    case = tiny_case()
    one = tuple(o.model_copy(update={"min_lots": 1}) for o in case.offers)
    loose = planner.solve(replace(case, offers=one), gap=0.0)
    tied = planner.solve(case, gap=0.0)
    assert tied.summary["size"]["integers"] == loose.summary["size"]["integers"] + 2
    assert tied.objective_usd >= loose.objective_usd * (1 - 1e-9)


def _cost(case: Case) -> float:
    return planner.solve(valid(case), gap=0.0).objective_usd
