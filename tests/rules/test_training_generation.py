"""Chips are qualified for training by the generation that is trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import planner
from planner.audit import audit_model
from planner.audit.folder import audit_plan
from planner.case import Case
from planner.case.rules import Qualification
from planner.instance import build_instance
from planner.matrix import compile_model
from planner.model import build_model
from tests.audit.conftest import Problem
from tests.audit.test_audit_matrix import assert_equal
from tests.cases import tiny_case, valid

PRICE = 1e4
"""Cost of the work, below the value of the runs."""


def training(generations: tuple[str, ...], *rows: tuple[str, float]) -> Case:
    """The placed and the pausable run of the given generations; work (generation, cost) on trn2."""
    tiny = tiny_case()
    runs = [
        run.model_copy(update={"generation": name, "allowed_chips": ("trn2",), "max_chips": None})
        for run, name in zip(tiny.training, generations, strict=False)
    ]
    work = tuple(
        Qualification(chip="trn2", generation=name, purpose="training", cost_usd=usd)
        for name, usd in rows
    )
    # No served model is of generation 2: that a chip is done for it makes its name known.
    known = Qualification(chip="h200", generation="2", purpose="training", done=True)
    return valid(replace(tiny, training=tuple(runs), qualification=(*work, known)))


def solved(case: Case) -> planner.Plan:
    plan = planner.solve(case, gap=0.0)
    audit_plan(plan).require()
    return plan


def missed(plan: planner.Plan) -> dict[str, float]:
    table = plan.tables["training_runs"]
    return dict(zip(table.run, table.missed_share, strict=True))


def is_close(value: float) -> Any:
    return pytest.approx(value, rel=1e-8)


def test_work_of_another_generation_binds_nothing() -> None:
    free = solved(training(("2", "2")))
    other = solved(training(("2", "2"), ("1", 1e9)))
    assert missed(free) == {"whole": 0.0, "paused": 0.0}
    assert missed(other) == missed(free)
    assert other.objective_usd == is_close(free.objective_usd)


def test_work_of_its_own_generation_is_paid_or_the_run_is_missed() -> None:
    free = solved(training(("2", "2")))
    paid = solved(training(("2", "2"), ("1", 1e9), ("2", PRICE)))
    assert paid.objective_usd == is_close(free.objective_usd + PRICE)
    assert missed(paid) == missed(free)
    assert missed(solved(training(("2", "2"), ("2", 1e9)))) == {"whole": 1.0, "paused": 1.0}


def test_each_generation_pays_for_its_own() -> None:
    free = solved(training(("1", "2")))
    both = solved(training(("1", "2"), ("1", PRICE), ("2", PRICE)))
    # The pausable run waits for the second quarter: its work is paid 92 days later.
    later = 1.08 ** -(92 / 365.25)
    assert both.objective_usd == is_close(free.objective_usd + PRICE * (1 + later))
    one = solved(training(("1", "2"), ("1", PRICE), ("2", 1e9)))
    assert missed(one) == {"whole": 0.0, "paused": 1.0}


def test_a_run_of_no_generation_is_bound_by_all_work() -> None:
    assert missed(solved(training(("", "2"), ("1", 1e9), ("2", PRICE)))) == {
        "whole": 1.0, "paused": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize("generations", [("1", "2"), ("", "2"), ("2", "")])
def test_the_audit_states_the_same(generations: tuple[str, ...]) -> None:
    inst = build_instance(training(generations, ("1", 1.0), ("2", 2.0)))
    assert_equal(
        Problem(inst, compile_model(build_model(inst, strengthen=True)), audit_model(inst))
    )
