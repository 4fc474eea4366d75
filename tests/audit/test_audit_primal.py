"""A plan's values against rows, bounds and whole numbers; its costs against the summary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from planner.audit import AuditModel, Labelled, check_cost, check_primal
from planner.audit.checks import COST_ABSOLUTE, COST_RELATIVE, ROW_ABSOLUTE, ROW_RELATIVE
from planner.audit.report import Report
from planner.audit.values import MOST_FINDINGS
from planner.errors import AuditError

COMPONENTS = (
    "lots",
    "any_lots",
    "hourly",
    "leave",
    "contracted",
    "serve",
    "unserved",
    "shed",
    "place",
    "missed",
    "flex",
)
WHOLE = ("lots", "any_lots", "leave", "place", "missed")


def found(report: Report, check: str) -> set[str]:
    """Families with a finding in one check."""
    return {f.place.split(":")[0] for f in report.findings if f.check == check}


def test_every_component_of_the_model_is_tried(small: Any) -> None:
    assert set(COMPONENTS) == {name for name, index in small.matrix.column_index.items() if index}


def test_the_optimal_plan_passes_and_all_of_it_is_checked(solved: Any) -> None:
    report = check_primal(solved.problem.audit, solved.values())
    assert report.passed, report.findings
    checked = {(f.check, f.family): f.checked for f in report.families}
    matrix = solved.problem.matrix
    for name, block in matrix.rows.items():
        assert checked["rows", name] == block.stop - block.start
    for name in COMPONENTS:
        block = matrix.columns[name]
        assert checked["bounds", name] == block.stop - block.start
    assert set(WHOLE) == {family for check, family in checked if check == "whole numbers"}
    report.require()


def tight_nudge(solved: Any, component: str) -> tuple[Any, float, set[str]]:
    """A nudge of one column, inside its bounds, that the compiled matrix says breaks a row.

    Returns the index, the new value, and the constraints that it breaks; whole numbers move by
    1, others by a tenth of the room that is left on that side.
    """
    matrix, x = solved.problem.matrix, solved.solution.x
    block = matrix.columns[component]
    for column in range(block.start, block.stop):
        room = (matrix.upper[column] - x[column], x[column] - matrix.lower[column])
        for sign, left in zip((1.0, -1.0), room, strict=True):
            step = sign * (1.0 if matrix.integer[column] else 0.1 * left)
            if left < max(abs(step), 1e-3):
                continue
            moved = x.copy()
            moved[column] += step
            activity = matrix.a @ moved
            terms = abs(matrix.a) @ np.abs(moved) + 1.0
            off = np.maximum(matrix.row_lower - activity, activity - matrix.row_upper)
            broken = np.flatnonzero(off > 1e-3 * terms)
            if len(broken):
                names = {
                    name
                    for name, rows in matrix.rows.items()
                    if ((broken >= rows.start) & (broken < rows.stop)).any()
                }
                at = column - block.start
                return matrix.column_index[component][at], float(moved[column]), names
    raise AssertionError(f"no nudge of {component} breaks a row")


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_nudge_inside_the_bounds_breaks_a_row(component: str, solved: Any) -> None:
    index, value, broken = tight_nudge(solved, component)
    values = solved.values()
    values[component][index] = value
    report = check_primal(solved.problem.audit, values)
    assert broken <= found(report, "rows")
    assert not found(report, "bounds")
    with pytest.raises(AuditError, match="expected"):
        report.require()


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("side", ["above", "below"])
def test_a_value_outside_its_bounds_is_found(component: str, side: str, solved: Any) -> None:
    matrix, values = solved.problem.matrix, solved.values()
    at = matrix.columns[component].start
    index = matrix.column_index[component][0]
    top = matrix.upper[at]
    values[component][index] = top + 1e-4 * max(top, 1.0) if side == "above" else -1e-4
    assert component in found(check_primal(solved.problem.audit, values), "bounds")


@pytest.mark.parametrize("component", WHOLE)
def test_a_fraction_of_a_whole_number_is_found(component: str, solved: Any) -> None:
    matrix, values = solved.problem.matrix, solved.values()
    block = matrix.columns[component]
    whole = block.start + int(np.flatnonzero(matrix.integer[block])[0])
    index = matrix.column_index[component][whole - block.start]
    value = values[component][index]
    values[component][index] = value + (1e-4 if value < matrix.upper[whole] else -1e-4)
    report = check_primal(solved.problem.audit, values)
    assert found(report, "whole numbers") == {component}


def test_arrays_and_mappings_are_read_alike_in_any_order(solved: Any) -> None:
    rng = np.random.default_rng(3)
    values = {}
    for name, given in solved.values().items():
        index = np.array(list(given), dtype=np.int64).reshape(len(given), -1)
        order = rng.permutation(len(given))
        values[name] = Labelled(index[order], np.array(list(given.values()))[order])
    assert check_primal(solved.problem.audit, values).passed
    values["serve"].values[:] = values["serve"].values[::-1].copy()
    assert not check_primal(solved.problem.audit, values).passed


def test_values_that_are_not_named_are_zero(solved: Any) -> None:
    values = {
        name: {i: v for i, v in given.items() if v != 0.0}
        for name, given in solved.values().items()
    }
    assert check_primal(solved.problem.audit, values).passed
    largest = max(values["contracted"], key=lambda i: values["contracted"][i])
    del values["contracted"][largest]
    report = check_primal(solved.problem.audit, values)
    assert {"contracted_chips", "capacity"} <= found(report, "rows")


@pytest.mark.parametrize(
    ("component", "index", "value"),
    [
        ("serve", (0, 0, 0, 10**6), 0.0),
        ("serve", (0, 0), 0.0),
        ("extra", (0,), 0.0),
        ("lots", (0,), np.nan),
        ("unserved", None, np.inf),
    ],
)
def test_strange_labels_and_numbers_are_found(
    component: str, index: Any, value: float, solved: Any
) -> None:
    values: dict[str, Any] = solved.values()
    if index is None:
        index = next(iter(values[component]))
    shape = np.array([index], dtype=np.int64)
    values[component] = Labelled(shape, np.array([value]))
    report = check_primal(solved.problem.audit, values)
    assert component in found(report, "labels")


def test_a_label_that_stands_twice_is_found(solved: Any) -> None:
    values: dict[str, Any] = solved.values()
    given = values["contracted"]
    index = np.array([*given, next(iter(given))], dtype=np.int64)
    numbers = np.array([*given.values(), next(iter(given.values()))])
    values["contracted"] = Labelled(index, numbers)
    report = check_primal(solved.problem.audit, values)
    assert [f.found for f in report.findings] == ["more than one"]


def test_all_failures_are_counted_and_the_worst_are_shown(solved: Any) -> None:
    values = solved.values()
    for i, index in enumerate(values["serve"]):
        values["serve"][index] = -1.0 - i
    report = check_primal(solved.problem.audit, values)
    family = next(f for f in report.families if (f.check, f.family) == ("bounds", "serve"))
    shown = [f for f in report.findings if f.check == "bounds"]
    assert family.failed == family.checked == len(values["serve"])
    assert len(shown) == MOST_FINDINGS
    assert shown[0].found == -float(len(values["serve"])) == -family.worst
    assert family.worst_share > 1.0


@pytest.mark.parametrize(("share", "passes"), [(0.9, True), (1.1, False)])
def test_a_row_may_be_off_by_its_tolerance_and_no_more(
    share: float, passes: bool, tiny: Callable[..., AuditModel]
) -> None:
    # 1 x0 - 1 x1 <= 0 with x1 = 1e6: the largest term is 1e6 (x0 only just more).
    model = tiny(
        np.array([[1.0, -1.0]]),
        (np.array([-np.inf]), np.array([0.0])),
        (np.zeros(2), np.full(2, 1e9)),
        np.zeros(2),
    )
    over = share * (ROW_ABSOLUTE + ROW_RELATIVE * 1e6)
    report = check_primal(model, {"x": {0: 1e6 + over, 1: 1e6}})
    assert ("rows" not in {f.check for f in report.findings}) == passes


def test_the_cost_passes_with_every_term(solved: Any) -> None:
    audit = solved.problem.audit
    report = check_cost(audit, solved.values(), solved.cost_usd, solved.solution.objective_usd)
    assert report.passed, report.findings
    assert {f.family for f in report.families} == {*audit.cost_terms, "objective_usd"}


TERMS = (
    "existing_contracts",
    "exit_fees",
    "new_contracts",
    "pay_as_you_go",
    "liability_past_horizon",
    "salvage_past_horizon",
    "unserved_demand",
    "missed_training",
)


@pytest.mark.parametrize("term", TERMS)
def test_a_wrong_or_missing_cost_term_is_found(term: str, solved: Any) -> None:
    objective = solved.solution.objective_usd
    audit, values = solved.problem.audit, solved.values()
    assert set(TERMS) == set(audit.cost_terms)
    for off in (1.0, -1.0, np.nan):
        # A dollar on a term of up to 200 million: beyond a cent + 1e-9 of it.
        wrong = {**solved.cost_usd, term: solved.cost_usd[term] + off}
        assert COST_ABSOLUTE + COST_RELATIVE * abs(solved.cost_usd[term]) < 1.0
        report = check_cost(audit, values, wrong, objective)
        assert [f.place for f in report.findings] == [term]
    missing = {name: usd for name, usd in solved.cost_usd.items() if name != term}
    assert [f.place for f in check_cost(audit, values, missing, objective).findings] == [term]


def test_a_wrong_objective_and_an_unknown_term_are_found(solved: Any) -> None:
    audit, values, objective = solved.problem.audit, solved.values(), solved.solution.objective_usd
    report = check_cost(audit, values, solved.cost_usd, objective * (1 + 1e-7))
    assert [f.place for f in report.findings] == ["objective_usd"]
    report = check_cost(audit, values, {**solved.cost_usd, "bribes": 0.0}, objective)
    assert [f.place for f in report.findings] == ["bribes"]


def test_costs_follow_the_values(solved: Any) -> None:
    values = solved.values()
    index = next(iter(values["lots"]))
    values["lots"][index] += 1.0
    audit, objective = solved.problem.audit, solved.solution.objective_usd
    report = check_cost(audit, values, solved.cost_usd, objective)
    assert {"new_contracts", "objective_usd"} <= {f.place for f in report.findings}
