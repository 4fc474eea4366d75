"""Limits, qualification, deals, commitments and tiers in the audit: the matrix, and a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from typing import Any

import numpy as np
import pytest

import planner
from planner.audit import check_bound, check_cost, check_primal
from planner.case import Case
from planner.case.rules import Limit, Qualification
from planner.instance import Instance, build_instance
from tests.audit.rules_case import rules_case
from tests.audit.test_audit_matrix import (
    _jitter,
    _leavable,
    _no_contracts,
    _no_demand_in_a_period,
    _no_hourly,
    _steady,
    _together,
    assert_equal,
)
from tests.audit.test_audit_primal import found, tight_nudge
from tests.cases import small_case

COMPONENTS = (
    "qualify",
    "spend",
    "served",
    "over_share",
    "carries",
    "sign",
    "deal_shortfall",
    "shortfall",
    "carried",
    "in_tier",
    "tier_spend",
    "over_power",
    "over_budget",
)
WHOLE = ("qualify", "carries", "sign", "in_tier")
ROWS = (
    "qualify_once",
    "qualified_serving",
    "qualified_training",
    "engineers_limit",
    "spend_accrued",
    "served_work",
    "share_spend",
    "share_served",
    "share_chips",
    "share_training_peak",
    "placement_share",
    "placement_members_least",
    "sign_once",
    "deal_opens",
    "deal_minimum",
    "commitment",
    "carry_over",
    "tier_total",
    "tier_least",
    "tier_most",
    "tier_one",
    "power",
    "budget",
)
TERMS = (
    "qualification",
    "deals",
    "commitment_shortfall",
    "tier_discounts",
    "exceeded_rules",
)


def case() -> Case:
    return rules_case(small_case())


# -- the matrix ------------------------------------------------------------------------------


def test_every_family_of_rules_is_there(rules: Any) -> None:
    matrix = rules.matrix
    assert set(ROWS) <= set(matrix.rows)
    assert set(COMPONENTS) <= {name for name, index in matrix.column_index.items() if index}
    assert set(TERMS) <= set(matrix.cost_terms)
    for measure in ("spend", "chips", "training_peak", "served"):
        of = [i for i, name in enumerate(rules.inst.rules.shares.measure) if name == measure]
        # One that is hard and one that has a price, of every measure.
        assert set(np.isfinite(rules.inst.rules.shares.penalty_usd[of]).tolist()) == {True, False}


def test_rules_are_the_compiled_model(rules: Any) -> None:
    assert_equal(rules)


def _other_windows(inst: Instance) -> Instance:
    """Windows that count other spend, and tiers that end beyond all that can be spent."""
    c_, g_ = inst.rules.commitments, inst.rules.tiers
    changed = replace(
        inst.rules,
        commitments=replace(c_, counts=tuple(np.roll(c_.counts, 3).tolist())),
        tiers=replace(g_, to_usd=np.full_like(g_.to_usd, np.inf), from_usd=10.0 * g_.from_usd),
    )
    return replace(inst, rules=changed)


def _slow_work(inst: Instance) -> Instance:
    q = inst.rules.qualification
    lead = np.arange(len(q.names)) + 1
    return replace(inst, rules=replace(inst.rules, qualification=replace(q, lead_periods=lead)))


def _all_hard(inst: Instance) -> Instance:
    shares, power = inst.rules.shares, inst.rules.power
    hard = replace(
        inst.rules,
        shares=replace(shares, penalty_usd=np.full_like(shares.penalty_usd, np.inf)),
        power=replace(power, penalty_usd=np.full_like(power.penalty_usd, np.inf)),
    )
    return replace(inst, rules=hard)


@pytest.mark.parametrize(
    "variant",
    [
        _jitter,
        _leavable,
        _steady,
        _together,
        _no_contracts,
        _no_hourly,
        _no_demand_in_a_period,
        _other_windows,
        _slow_work,
        _all_hard,
    ],
    ids=lambda v: v.__name__.strip("_"),
)
def test_variants_of_rules_are_the_compiled_model(
    variant: Callable[[Instance], Instance], rules: Any, compiled: Callable[[Instance], Any]
) -> None:
    assert_equal(compiled(variant(rules.inst)))


def test_every_variant_of_rules_together(rules: Any, compiled: Callable[[Instance], Any]) -> None:
    inst = rules.inst
    for variant in (_leavable, _steady, _together, _no_demand_in_a_period, _slow_work, _jitter):
        inst = variant(inst)
    assert_equal(compiled(inst))


def _power(member: str) -> Limit:
    return Limit(limit="x", kind="power", dimension="region", member=member, bound=30.0)


ONLY: dict[str, dict[str, Any]] = {
    **{
        f"{measure} {'priced' if price else 'hard'}": {
            "limits": (
                Limit(
                    limit="x", kind="share", dimension="cloud", measure=measure, bound=bound,
                    period_from="2027-Q2", penalty_usd_per_unit=price,
                ),
            )
        }
        for measure in ("spend", "chips", "training_peak", "served")
        for price, bound in ((None, 1.0), (3.0, 0.0))
    },
    "power": {"limits": (_power("*"),)},
    "power of nothing": {"limits": (_power("alder/us-9"),)},
    "budget": {"limits": (Limit(limit="x", kind="budget", bound=1e8),)},
    "priced budget": {
        "limits": (Limit(limit="x", kind="budget", bound=0.0, penalty_usd_per_unit=2.0),)
    },
    "placement": {"limits": (Limit(limit="x", kind="placement", dimension="chip", bound=0.5),)},
    "placement of nothing": {
        "limits": (Limit(limit="x", kind="placement", dimension="cloud", bound=0.0),)
    },
    "idle work": {
        "qualification": (Qualification(chip="h200", generation="9", purpose="serving"),)
    },
    "deals": {"deals": None},
    "commitments": {"commitments": None},
    "tiers": {"tiers": None},
    "qualification": {"qualification": None},
}  # fmt: skip


@pytest.mark.parametrize("name", ONLY)
def test_one_kind_of_rule_is_the_compiled_model(
    name: str, compiled: Callable[[Instance], Any]
) -> None:
    """The rule alone: terms and variables of the others are not in the model."""
    every = case()
    tables = {
        key: getattr(every, key) if rows is None else rows for key, rows in ONLY[name].items()
    }
    assert_equal(compiled(build_instance(replace(small_case(), **tables))))


def test_nothing_can_be_decided_at_the_end(compiled: Callable[[Instance], Any]) -> None:
    """In the last period no work begins, deals are signed while it is under way, and history
    needs no qualification."""
    every = case()
    late = every.settings.model_copy(update={"as_of": date(2027, 7, 2)})
    problem = compiled(build_instance(replace(every, settings=late, limits=())))
    assert len(problem.audit.columns["qualify"]) == 0
    assert set(problem.audit.columns["sign"]["period"].tolist()) == {3}
    assert len(problem.audit.rows["qualified_serving"]) == 0
    assert_equal(problem)


def test_members_are_named(rules: Any) -> None:
    audit = rules.audit
    said = [audit.column_words(i) for i in audit.columns["carries"].positions.tolist()]
    assert "carries: placement rule clouds: basic, member birch or alder/eu-1, period 2027-Q2" in (
        said
    )


# -- a plan ----------------------------------------------------------------------------------


def test_the_optimal_plan_passes_every_check(solved_rules: Any) -> None:
    audit, values = solved_rules.problem.audit, solved_rules.values()
    report = check_primal(audit, values)
    objective = solved_rules.solution.objective_usd
    report += check_cost(audit, values, solved_rules.cost_usd, objective)
    report += check_bound(audit, solved_rules.certificate(), solved_rules.solution.bound_usd)
    assert report.passed, report.findings
    checked = {(f.check, f.family): f.checked for f in report.families}
    assert all(checked["rows", name] for name in ROWS)
    assert all(checked["bounds", name] for name in COMPONENTS)
    assert all(checked["whole numbers", name] for name in WHOLE)
    assert all(checked["cost", name] for name in TERMS)
    # The plan makes use of the rules; a plan that is 0 in all of them would say little.
    assert all(any(values[name].values()) for name in COMPONENTS)


def test_a_bound_raised_by_a_millionth_fails(solved_rules: Any) -> None:
    claim = solved_rules.solution.bound_usd * (1 + 1e-6)
    proof = solved_rules.certificate()
    assert not check_bound(solved_rules.problem.audit, proof, claim).passed


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_nudge_inside_the_bounds_breaks_a_row(component: str, solved_rules: Any) -> None:
    index, value, broken = tight_nudge(solved_rules, component)
    values = solved_rules.values()
    values[component][index] = value
    report = check_primal(solved_rules.problem.audit, values)
    assert broken <= found(report, "rows")
    assert not found(report, "bounds")


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("side", ["above", "below"])
def test_a_value_outside_its_bounds_is_found(component: str, side: str, solved_rules: Any) -> None:
    matrix, values = solved_rules.problem.matrix, solved_rules.values()
    at = matrix.columns[component].start
    index = matrix.column_index[component][0]
    top = matrix.upper[at]
    values[component][index] = top + 1e-4 * max(top, 1.0) if side == "above" else -1e-4
    assert component in found(check_primal(solved_rules.problem.audit, values), "bounds")


@pytest.mark.parametrize("component", WHOLE)
def test_a_fraction_of_a_decision_is_found(component: str, solved_rules: Any) -> None:
    values = solved_rules.values()
    index = next(i for i, value in values[component].items() if value > 0.5)
    values[component][index] = 1.0 - 1e-4
    report = check_primal(solved_rules.problem.audit, values)
    assert found(report, "whole numbers") == {component}


@pytest.mark.parametrize("term", TERMS)
def test_a_wrong_or_missing_cost_of_rules_is_found(term: str, solved_rules: Any) -> None:
    objective = solved_rules.solution.objective_usd
    audit, values, usd = solved_rules.problem.audit, solved_rules.values(), solved_rules.cost_usd
    assert usd[term] != 0.0
    wrong = check_cost(audit, values, {**usd, term: usd[term] + 1.0}, objective)
    assert [f.place for f in wrong.findings] == [term]
    missing = {name: value for name, value in usd.items() if name != term}
    assert [f.place for f in check_cost(audit, values, missing, objective).findings] == [term]


def test_no_field_of_the_rules_is_forgotten(rules: Any) -> None:
    """Each number of the rules is in the audit: changing it changes what the audit states."""
    idle = {"Contingencies", "names", "group_names", "member_names"}
    positions = {"previous", "group"}
    for part in fields(rules.inst.rules):
        arrays = getattr(rules.inst.rules, part.name)
        if type(arrays).__name__ in idle:
            continue
        for field in fields(arrays):
            value = getattr(arrays, field.name)
            if field.name in idle or not isinstance(value, np.ndarray) or not value.size:
                continue
            other = ~value if value.dtype == bool else value + 1
            changed = replace(
                rules.inst,
                rules=replace(
                    rules.inst.rules, **{part.name: replace(arrays, **{field.name: other})}
                ),
            )
            if field.name in positions:
                continue
            stated = planner.audit.audit_model(changed)
            assert _differs(stated, rules.audit), f"{part.name}.{field.name}"


def _differs(a: Any, b: Any) -> bool:
    if a.a.shape != b.a.shape or a.cost_terms != b.cost_terms or (a.a != b.a).nnz:
        return True
    parts = ("row_lower", "row_upper", "lower", "upper", "cost", "cost_offset")
    return any(not np.array_equal(getattr(a, part), getattr(b, part)) for part in parts)
