"""Contracts move too: bounds from the plan's certificate hold for any other data."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import planner
from planner import solve
from planner.audit.model import audit_model
from planner.case import Case
from planner.errors import InputError, RunFolderError
from planner.instance import build_instance
from planner.plan import Plan
from planner.sweep.draws import page
from planner.sweep.replan import certificate_bound, proof_of, replan
from planner.sweep.scenario import scenario_case
from planner.sweep.spec import Spec
from tests.cases import random_case, small_plan
from tests.cases_rules import tiny_rules_case
from tests.sweep.sweeps import factor, spec

MOVING: list[dict[str, Any]] = [
    factor("growth", "demand_growth", -0.2, 0.3),
    factor("batch", "demand", 0.7, 1.4, **{"class": "batch"}),
    factor("usable", "capacity", 0.9, 1.0, cloud="alder"),
    factor("prices", "price", 0.8, 1.3),
]
SMALL_MOVING = [f for f in MOVING if f["name"] != "usable"]


def bound_of(proof: Any, case: Any) -> float:
    return certificate_bound(proof, audit_model(build_instance(case)))


def test_the_plans_own_data_give_its_own_bound() -> None:
    for plan in (small_plan(), solve(tiny_rules_case(), gap=0.0)):
        proof = proof_of(plan)
        assert bound_of(proof, plan.case) == pytest.approx(plan.bound_usd, rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_no_plan_of_another_case_is_cheaper_than_the_bound(seed: int) -> None:
    """Trees with many leaves, and data that move far."""
    plan = solve(random_case(seed), gap=0.0)
    proof = proof_of(plan)
    wanted = [
        factor("growth", "demand_growth", -0.6, 1.0),
        factor("chips", "capacity", 0.5, 1.0),
        factor("prices", "price", 0.5, 2.0),
    ]
    what = spec(wanted, scenarios=4, seed=seed)
    for values in page(what, 0):
        case = scenario_case(plan.case, what, values)
        best = solve(case, gap=0.0)
        assert bound_of(proof, case) <= best.objective_usd * (1 + 1e-7) + 1.0


def test_bounds_are_close_where_little_moves() -> None:
    plan = small_plan()
    proof = proof_of(plan)
    what = spec([factor("growth", "demand_growth", -0.02, 0.02)], scenarios=3)
    for values in page(what, 0):
        case = scenario_case(plan.case, what, values)
        best = solve(case, gap=0.0).objective_usd
        bound = bound_of(proof, case)
        assert 0.97 * best <= bound <= best * (1 + 1e-7)


def test_a_later_chip_moves_labels_and_keeps_the_bound() -> None:
    plan = small_plan()
    late = [c.chip for c in plan.case.chips if c.ready_for_service is not None]
    what = spec(
        [{"name": "late", "kind": "slip_days", "where": {"chip": late[0]}}],
        design="list", rows=[[0.0], [900.0], [1100.0]],
    )  # fmt: skip
    proof, before = proof_of(plan), -np.inf
    for values in page(what, 0):
        case = scenario_case(plan.case, what, values)
        best = solve(case, gap=0.0).objective_usd
        assert bound_of(proof, case) <= best * (1 + 1e-7)
        assert best >= before - 1.0
        before = best


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "lost": ({"name": "a", "kind": "lost", "values": ["alder"]}, "cannot move with lost"),
    "band": ({"name": "a", "kind": "rate_band"}, "cannot move with rate_band"),
    "period": (
        {"name": "a", "kind": "capacity", "where": {"period": "2027-Q1"}}, "capacity by period",
    ),
    "nothing": ({"name": "a", "kind": "demand", "where": {"model": "none"}}, "no model 'none'"),
    "no deal": ({"name": "a", "kind": "deal", "where": {"deal": "none"}}, "no deal 'none'"),
    "no price": ({"name": "a", "kind": "price", "where": {"offer": "no"}}, "no offer 'no'"),
    "no pool": ({"name": "a", "kind": "capacity", "where": {"chip": "no"}}, "no chip 'no'"),
    "no date": (
        {"name": "a", "kind": "slip_days", "where": {"chip": "trn2", "vendor": "nvidia"}},
        "touches nothing",
    ),
    "no such place": (
        {"name": "a", "kind": "capacity", "where": {"chip": "trn2", "vendor": "nvidia"}},
        "touches nothing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_case_can_be_written_for_is_refused(name: str, tmp_path: Path) -> None:
    given, rule = REFUSED[name]
    what = spec([given], design="list", rows=[[0.0]])
    with pytest.raises(InputError, match=rule):
        replan(small_plan(), what, out=tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())


def test_what_touches_nothing_may_be_ignored(tmp_path: Path) -> None:
    idle = [
        {"name": "chips", "kind": "capacity", "where": {"chip": "trn2", "vendor": "nvidia"}},
        {"name": "deal", "kind": "deal", "where": {"deal": "none"}},
    ]
    rows = {"design": "list", "rows": [[0.5, 0.0]], "untouched": "ignore"}
    result = replan(small_plan(), spec(idle, **rows), out=tmp_path / "a.parquet")
    assert result.columns().cost_lower_usd[0] == pytest.approx(small_plan().bound_usd, rel=1e-9)


def test_a_share_above_one_is_a_fault_of_the_case() -> None:
    what = spec([{"name": "chips", "kind": "capacity"}], design="list", rows=[[3.0]])
    with pytest.raises(InputError, match="usable_share"):
        scenario_case(small_plan().case, what, np.array([3.0]))


def test_a_date_moves_within_the_calendar() -> None:
    what = spec([{"name": "late", "kind": "slip_days"}], design="list", rows=[[0.0]])
    with pytest.raises(InputError, match="36,500"):
        scenario_case(small_plan().case, what, np.array([1e6]))


def replanned(tmp_path: Path, name: str, what: Spec, **more: Any) -> Any:
    return replan(small_plan(), what, out=tmp_path / f"{name}.parquet", gap=0.0, **more)


class _StopError(Exception):
    pass


def test_bounds_for_all_and_plans_for_some(tmp_path: Path) -> None:
    what = spec(SMALL_MOVING, scenarios=6)
    result = replanned(tmp_path, "a", what, plans=2)
    rows = result.columns()
    assert len(rows) == 6
    made = rows[rows.status == "proven"]
    assert len(made) == 2
    assert rows.certificate_bound_usd.idxmin() in made.index
    assert rows.certificate_bound_usd.idxmax() in made.index
    assert (made.certificate_bound_usd <= made.cost_usd * (1 + 1e-7)).all()
    assert (rows.certificate_bound_usd <= rows.cost_lower_usd).all()
    assert rows.cost_usd.notna().sum() == 2

    def stop(step: str, done: int, _all: int) -> None:
        if step == "plan" and done == 1:
            raise _StopError

    with pytest.raises(_StopError):
        replanned(tmp_path, "b", what, plans=2, progress=stop)
    again = replanned(tmp_path, "b", what, plans=2)
    np.testing.assert_array_equal(again.columns().cost_lower_usd, rows.cost_lower_usd)
    with pytest.raises(RunFolderError, match="exists"):
        replanned(tmp_path, "b", what, plans=2)


def test_a_rejected_deal_is_not_signed() -> None:
    case = tiny_rules_case()
    deal = case.deals[0].deal
    what = spec(
        [{"name": "deal", "kind": "deal", "where": {"deal": deal}}], design="list",
        rows=[[0.0], [1.0]],
    )  # fmt: skip
    without, with_it = (scenario_case(case, what, values) for values in page(what, 0))
    assert without.deals[0].status == "rejected"
    assert with_it.deals[0].status == case.deals[0].status
    back = scenario_case(without, what, np.array([1.0]))
    assert back.deals[0].status == "negotiating"


def test_chosen_scenarios_start_from_the_swept_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a run with its restart file, also after it was saved; without one, from nothing."""
    asked: list[bool] = []

    def noted(case: Case, **given: Any) -> Plan:
        asked.append(given["warm"] is not None)
        return planner.solve(case, **given)

    monkeypatch.setattr(sys.modules["planner.sweep.replan"], "solve", noted)
    what = spec(SMALL_MOVING, scenarios=3)
    saved = planner.load_plan(small_plan().save(tmp_path / "run").folder or tmp_path)
    bare = replace(saved, restart=None, folder=None)
    warm, cold = (
        replan(plan, what, out=tmp_path / f"{i}.parquet", plans=1, gap=0.0).columns()
        for i, plan in enumerate((saved, bare))
    )
    assert asked == [True, False]
    np.testing.assert_allclose(warm.cost_usd.dropna(), cold.cost_usd.dropna(), rtol=1e-7)


@pytest.mark.parametrize("value", [0.3, 3.0])
def test_a_price_moves_where_it_is_said_though_a_row_stands_for_every_pool(value: float) -> None:
    """As in a case whose rows are written out by pool."""
    case = small_plan().case
    what = spec([factor("dear", "price", 0.1, 9.0, cloud="birch")], design="list", rows=[[value]])
    moved = build_instance(scenario_case(case, what, np.array([value])))
    inst = build_instance(case)
    here = np.array([inst.pools.cloud[p] == "birch" for p in inst.pay.pool])
    assert here.any()
    assert not here.all()
    by = moved.pay.price_usd_per_chip_hour / inst.pay.price_usd_per_chip_hour
    assert np.allclose(by, np.where(here, value, 1.0)[:, None])
    assert moved.starts.names == inst.starts.names
    there = np.array([inst.pools.cloud[p] == "birch" for p in inst.starts.pool])
    paid = inst.starts.payment_usd.sum(axis=1)
    assert np.allclose(moved.starts.payment_usd.sum(axis=1), paid * np.where(there, value, 1.0))


def test_a_chip_that_is_late_in_some_of_its_pools_only_is_refused() -> None:
    case = small_plan().case
    chips = tuple(
        c.model_copy(update={"ready_for_service": case.settings.as_of}) for c in case.chips
    )
    case = replace(case, chips=chips)
    what = spec([factor("late", "slip_days", 0.0, 90.0, region="us-1")], design="list",
                rows=[[30.0]])  # fmt: skip
    with pytest.raises(InputError, match="late in all of its pools"):
        scenario_case(case, what, np.array([30.0]))


def test_a_scenario_that_is_no_case_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    what = spec([{"name": "chips", "kind": "capacity", "values": [0.9, 1.2]}], design="grid")
    with pytest.raises(InputError, match=r"scenario 1 \(chips 1\.2\)"):
        replan(small_plan(), what, out=tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []
