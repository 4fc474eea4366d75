"""Planted conflicts are found, explained by the rule that was planted, and can be relaxed.

What the explanation claims is checked with scipy's own branch and cut: that the rows cannot hold
together, that any one left out they can, and that the changed case has a plan.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, milp

from planner.case import Case, load_case
from planner.case.write import save_case
from planner.equations import Model
from planner.equations.sets import rows
from planner.errors import InfeasibleError
from planner.explain.conflict import deletion_filter, part
from planner.explain.conflict_words import ROWS, where
from planner.explain.elastic import Elastic, build_elastic
from planner.explain.infeasible import LOSSES_LEFT_OUT, explain_case
from planner.explain.knobs import edited
from planner.explain.report import ConflictRow, InfeasibilityReport
from planner.instance import Instance, build_instance
from planner.matrix import Matrix, compile_model
from planner.model import build_model
from tests.audit.rules_case import rules_case
from tests.cases import small_case, tiny_case, valid
from tests.cases_rules import tiny_rules_case
from tests.explain.planted import PLANTED, limited, planted, power
from tests.redundancy.test_rounds import resilient

LATER = time.perf_counter() + 3600.0
NAMES = sorted(PLANTED)
WHOLE = [name for name in NAMES if PLANTED[name].whole]


@cache
def explained(name: str) -> InfeasibilityReport:
    return explain_case(planted(name))


@cache
def elastic_of(name: str) -> Elastic:
    return build_elastic(planted(name))


def has_point(matrix: Matrix) -> bool:
    """Whether scipy finds a point, whole numbers included."""
    low, high = matrix.row_lower, matrix.row_upper
    found = milp(
        np.zeros(matrix.shape[1]),
        integrality=matrix.integer.astype(int),
        bounds=Bounds(matrix.lower, matrix.upper),
        constraints=[LinearConstraint(sp.csr_matrix(matrix.a), low, high)],
        options={"time_limit": 60.0},
    )
    assert found.status in (0, 2), found.message
    return bool(found.status == 0)


def has_plan(case: Case) -> bool:
    try:
        return has_point(compile_model(build_model(build_instance(case))))
    except InfeasibleError:
        return False


def position(elastic: Elastic, row: ConflictRow) -> int:
    block = elastic.base.rows[row.constraint]
    for i, index in enumerate(elastic.base.row_index[row.constraint]):
        at = index if isinstance(index, tuple) else (index,)
        if ";".join(map(str, at)) == row.index:
            return int(block.start) + i
    raise AssertionError(row)


def test_there_are_enough_cases() -> None:
    assert len(NAMES) >= 10
    assert WHOLE


@pytest.mark.parametrize("name", NAMES)
def test_the_planted_rule_is_named_first(name: str) -> None:
    report = explained(name)
    assert report.status == "infeasible"
    assert report.rules[0] in PLANTED[name].rules
    assert report.whole == PLANTED[name].whole
    assert report.price_at_least > 0
    assert not has_plan(planted(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_relaxation_works_as_overrides(name: str, tmp_path: Path) -> None:
    """Written as a folder, read with the overrides, the case has a plan; without it has none."""
    cheapest = explained(name).cheapest
    assert cheapest is not None
    assert cheapest.verified
    assert cheapest.plan_usd is not None
    assert cheapest.price >= explained(name).price_at_least * (1 - 1e-6)
    for change in cheapest.changes:
        assert change.after != change.before
        assert change.lacks > 0
    folder = tmp_path / "case"
    save_case(planted(name), folder)
    assert cheapest.overrides
    assert has_plan(load_case(folder, cheapest.overrides))


@pytest.mark.parametrize("name", NAMES)
def test_nine_tenths_of_the_relaxation_do_not_work(name: str) -> None:
    """The change is not larger than it must be: nine tenths of each leave no plan.

    Chips, lots and members come in steps of one.
    """
    report, elastic = explained(name), elastic_of(name)
    cheapest = report.cheapest
    assert cheapest is not None
    if any(change.unit in ("lots", "members") for change in cheapest.changes):
        pytest.skip("a whole step has no nine tenths")
    by_name = {knob.name: i for i, knob in enumerate(elastic.knobs)}
    tight = [
        (elastic.knobs[by_name[c.rule]], c.before + 0.9 * (c.after - c.before))
        for c in cheapest.changes
    ]
    assert not has_plan(edited(elastic.case, tight))


@pytest.mark.parametrize("name", NAMES)
def test_the_rows_conflict_and_none_can_be_left_out(name: str) -> None:
    conflict = explained(name).conflict
    assert conflict is not None
    assert conflict.irreducible
    assert conflict.whole == PLANTED[name].whole
    assert conflict.proven != conflict.whole
    assert set(PLANTED[name].rules) & {rule for row in conflict.rows for rule in row.rules}
    elastic = elastic_of(name)
    at = [position(elastic, row) for row in conflict.rows]
    assert not has_point(part(elastic.base, at, whole=conflict.whole))
    for row in at:
        rest = [other for other in at if other != row]
        assert not rest or has_point(part(elastic.base, rest, whole=conflict.whole))


@pytest.mark.parametrize("name", WHOLE)
def test_fractions_would_do(name: str) -> None:
    base = elastic_of(name).base
    assert has_point(replace(base, integer=np.zeros_like(base.integer)))


@pytest.mark.parametrize("make", [small_case, tiny_case, tiny_rules_case])
def test_with_all_knobs_at_rest_the_elastic_problem_is_the_case(make: Callable[[], Case]) -> None:
    """Same least cost as the case itself: the loosened bounds are all put back."""
    case = make()
    elastic = build_elastic(case)
    own = compile_model(build_model(build_instance(case)))
    wide = compile_model(build_model(elastic.raised))
    assert wide.shape[1] == elastic.base.shape[1]

    def least(matrix: Matrix, cost: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        found = milp(
            cost / 1e6,
            integrality=matrix.integer.astype(int),
            bounds=Bounds(matrix.lower, matrix.upper),
            constraints=[
                LinearConstraint(sp.csr_matrix(matrix.a), matrix.row_lower, matrix.row_upper)
            ],
            options={"mip_rel_gap": 1e-7},
        )
        assert found.status == 0
        return float(found.fun)

    one = least(own, own.objective) + own.offset / 1e6
    two = least(elastic.base, wide.objective) + wide.offset / 1e6
    assert one == pytest.approx(two, rel=1e-5)


@pytest.mark.parametrize("make", [tiny_rules_case, lambda: valid(rules_case(small_case()))])
def test_every_row_of_the_planner_has_words(make: Callable[[], Case]) -> None:
    """A row without them would be taken for an equation of one's own and given knobs."""
    elastic = build_elastic(make())
    compiled = compile_model(build_model(build_instance(make())))
    assert set(compiled.rows) | set(elastic.base.rows) <= set(ROWS)
    assert not [knob for knob in elastic.knobs if not knob.table]
    for name, index in compiled.row_index.items():
        for i in index:
            assert where(elastic.inst, name, i) or i is None, name


def test_a_case_with_a_plan_is_short_of_what_its_plan_leaves_undone() -> None:
    case = small_case()
    supply = tuple(row.model_copy(update={"chips": 500.0}) for row in case.supply)
    report = explain_case(replace(case, supply=supply))
    assert report.status == "feasible"
    kinds = {short.kind for short in report.shortages}
    assert {"unserved", "missed"} <= kinds
    assert report.lifts
    assert report.lifts[0].saves_usd > 0
    assert all(lift.rule.startswith(("supply", "install", "most lots")) for lift in report.lifts)
    assert report.cheapest is None


def test_a_case_without_shortages_says_so() -> None:
    report = explain_case(small_case())
    assert (report.status, report.shortages, report.lifts) == ("feasible", (), ())
    assert report.plan_usd is not None


def test_rules_exceeded_at_a_price_are_shortages() -> None:
    priced = power("alder/us-1", 8.0, penalty_usd_per_unit=1e3)
    report = explain_case(limited(small_case(), priced))
    assert report.status == "feasible"
    assert any(short.kind == "exceeded" and short.amount > 0 for short in report.shortages)


def too_much(m: Model, inst: Instance) -> None:
    """sum_{p} contracted[p,t] >= 1e5."""
    rows(m, "too_much", m.T, rule=lambda m, t: sum(m.contracted[p, t] for p in m.P) >= 1e5)


def test_an_equation_of_ones_own_is_named() -> None:
    report = explain_case(tiny_case(), equations=[too_much])
    assert report.status == "infeasible"
    assert report.conflict is not None
    assert "too_much" in {row.constraint for row in report.conflict.rows}
    assert any("too_much" in rule for rule in report.rules)


def test_no_time_is_unproven() -> None:
    report = explain_case(planted("engineers"), time_limit_s=0.0)
    assert report.status in ("unproven", "infeasible")
    assert report.notes


def test_the_report_is_strict_json() -> None:
    content = json.loads(json.dumps(explained("engineers").as_dict(), allow_nan=False))
    assert content["cheapest"]["overrides"] == ["case.qualification_engineers=10"]
    assert content["conflict"]["irreducible"] is True


@pytest.mark.parametrize("seed", range(20))
def test_the_filter_finds_a_least_set(seed: int) -> None:
    """Against sets known beforehand: rows conflict when they hold one of some least sets."""
    rng = np.random.default_rng(seed)
    least = [set(rng.choice(30, int(rng.integers(1, 5)), replace=False).tolist()) for _ in range(3)]

    def conflict(chosen: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> bool:
        return any(one <= set(chosen.tolist()) for one in least)

    kept, certain = deletion_filter(rng.permutation(30), conflict, LATER)
    assert certain
    assert conflict(kept)
    assert not any(conflict(np.setdiff1d(kept, [row])) for row in kept)


def test_an_unknown_answer_keeps_the_rows_and_says_so() -> None:
    kept, certain = deletion_filter(np.arange(9), lambda _rows: None, LATER)
    assert sorted(kept.tolist()) == list(range(9))
    assert not certain


def test_losses_that_are_left_out_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    case = resilient(load_case(Path("data/small")))
    assert LOSSES_LEFT_OUT not in explain_case(case).notes
    monkeypatch.setattr(sys.modules["planner.redundancy.mode"], "MOST_EXPLICIT", 0)
    assert LOSSES_LEFT_OUT in explain_case(case).notes
