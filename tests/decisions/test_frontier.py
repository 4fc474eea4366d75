"""Frontiers against solves at each of their values."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import planner
from planner.case import Case
from planner.case.rules import Limit, Qualification
from planner.decisions.frontier import Frontier
from planner.decisions.limits_moved import moved_limits
from planner.decisions.problem import Solver
from planner.errors import InfeasibleError, InputError, UnprovenError
from tests.cases import random_case, tiny_case, valid
from tests.cases_rules import tiny_rules_case
from tests.rules.test_limit_cases import plain, power, share

CLOSE = 1e-7


def exact(case: Case, name: str, value: float) -> float:
    """Cost of the optimum with the limit at a value; inf without a plan."""
    try:
        return planner.solve(moved_limits(case)[name].at(case, value), gap=0.0).objective_usd
    except (InfeasibleError, InputError):
        return np.inf


def budget(bound: float, **more: Any) -> Limit:
    return Limit(limit="cash", kind="budget", bound=bound, **more)


def both_clouds(bound: float) -> Case:
    rule = Limit(
        limit="homes", kind="placement", dimension="cloud", count=2, bound=bound,
        period_from="2027-Q1",
    )  # fmt: skip
    return valid(replace(tiny_case(), limits=(rule,)))


RANGES: dict[str, tuple[Case, str, float, float]] = {
    "share of spend": (
        valid(replace(plain(), limits=(share("spend", 1.0),))),
        "limits.cloud spend", 1.0, 0.3,
    ),
    "share of what is served": (
        valid(replace(random_case(1), limits=(share("served", 0.9, penalty_usd_per_unit=1e3),))),
        "limits.cloud served", 0.4, 1.0,
    ),
    "power": (valid(replace(plain(), limits=(power(2.0),))), "limits.power", 0.1, 1.0),
    "budget": (
        valid(replace(tiny_case(), limits=(budget(1e8, penalty_usd_per_unit=2.0),))),
        "limits.cash", 3e7, 1e6,
    ),
    "placement": (both_clouds(0.1), "limits.homes", 0.0, 0.5),
    "promise": (tiny_rules_case(), "survival.chat", 0.2, 0.6),
    "engineers": (tiny_rules_case(), "case.qualification_engineers", 4, 12),
}  # fmt: skip


def along(name: str, points: int = 5, **more: Any) -> Frontier:
    case, limit, start, stop = RANGES[name]
    return planner.frontier(case, limit, start=start, stop=stop, points=points, **more)


@pytest.mark.parametrize("name", RANGES)
def test_each_point_is_the_optimum_there(name: str) -> None:
    case, limit, start, stop = RANGES[name]
    found = along(name, gap=0.0)
    assert found.status == "proven"
    assert found.points.limit.tolist() == np.linspace(start, stop, 5).tolist()
    for row in found.points.to_dict("records"):
        cost = exact(case, limit, row["limit"])
        if np.isinf(cost):
            assert row["status"] == "infeasible"
            assert np.isnan(row["cost_usd"])
        else:
            assert row["status"] == "proven"
            assert row["cost_usd"] == pytest.approx(cost, rel=CLOSE)
            assert row["bound_usd"] == pytest.approx(cost, rel=CLOSE)


def test_some_ranges_end_without_a_plan() -> None:
    """A fifth of the demand on each of two clouds, and no power in one of them."""
    homes = Limit(
        limit="homes", kind="placement", dimension="cloud", count=2, bound=0.2,
        period_from="2027-Q1",
    )  # fmt: skip
    case = valid(plain(limits=(power(1.0, member="elm/e1"), homes)))
    points = planner.frontier(case, "limits.power", start=1.0, stop=0.0, points=5, gap=0.0).points
    assert points.status.tolist() == ["proven"] * 4 + ["infeasible"]
    assert np.isnan(points.gap[4])
    assert np.isnan(points.plan_found_at[4])
    assert points.bound_found_at[4] == points.limit[4]


def test_what_is_signed_can_leave_no_plan() -> None:
    """A hard budget below what cannot be left: known without a solve, and for all below it."""
    case = valid(replace(tiny_case(), limits=(budget(1e8),)))
    found = planner.frontier(case, "limits.cash", start=1e8, stop=1e5, points=4, gap=0.05)
    assert found.points.status.tolist() == ["proven"] * 3 + ["infeasible"]
    assert found.status == "proven"


@pytest.mark.parametrize("name", RANGES)
def test_cost_and_bound_never_fall_as_a_limit_tightens(name: str) -> None:
    case, limit, _, _ = RANGES[name]
    gap = 0.02
    found = along(name, points=6, gap=gap)
    tightest_last = found.points.sort_values("limit", ascending=not found.limit.tighter_is_less)
    some = tightest_last[tightest_last.status != "infeasible"]
    assert len(some) >= 2
    assert (np.diff(some.cost_usd) >= 0).all()
    assert (np.diff(some.bound_usd) >= 0).all()
    assert (some.gap <= gap * (1 + 1e-9)).all()
    for row in some.iloc[::3].to_dict("records"):
        cost = exact(case, limit, row["limit"])
        assert row["bound_usd"] <= cost * (1 + CLOSE)
        assert row["cost_usd"] >= cost * (1 - CLOSE)


def test_a_looser_limit_takes_a_cheaper_tighter_plan() -> None:
    """With a wide gap a plan found later can be cheaper; where it comes from is told."""
    found = along("power", points=9, gap=0.5)
    moved = found.points[found.points.plan_found_at != found.points.limit]
    for row in moved.to_dict("records"):
        source = found.points[found.points.limit == row["plan_found_at"]].iloc[0]
        assert row["cost_usd"] == source.cost_usd
        assert row["plan_found_at"] < row["limit"]


def test_neighbours_save_solves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the limit is slack the looser plan and bound stand, and nothing is searched."""
    slack = valid(replace(tiny_case(), limits=(budget(1e11),)))
    found = planner.frontier(slack, "limits.cash", start=1e12, stop=1e11, points=6, gap=0.0)
    assert found.solves == 1
    assert (found.points.bound_found_at == 1e12).all()
    monkeypatch.setattr(Solver, "routed", lambda *_: pytest.fail("no plan before the first"))
    assert planner.frontier(
        slack, "limits.cash", start=1e12, stop=1e11, points=2, gap=1.0, time_limit_s=0.0
    ).points.status.tolist() == ["unproven", "unproven"]


def test_time_that_is_over_is_said() -> None:
    case, limit, start, stop = RANGES["budget"]
    found = planner.frontier(case, limit, start=start, stop=stop, points=3, time_limit_s=0.0)
    assert found.status == "limit"
    assert set(found.points.status) == {"unproven"}
    told = found.as_dict()
    assert all(point["cost_usd"] is None for point in told["points"])


def test_ctrl_c_keeps_the_points_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first between two points, the second in the search of one."""
    case, limit, start, stop = RANGES["budget"]
    asked: dict[str, Any] = {"start": start, "stop": stop, "points": 4, "gap": 0.0}
    whole = planner.frontier(case, limit, **asked)
    solve, compiled = Solver.solve, Solver.compiled
    seen = 0

    def press_while_building(self: Solver, case: Case) -> Any:
        nonlocal seen
        seen += 1
        if seen == 3:
            signal.raise_signal(signal.SIGINT)
        return compiled(self, case)

    def press_while_solving(self: Solver, *a: Any, **k: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise UnprovenError("interrupted")
        return solve(self, *a, **k)

    for name, press in (("compiled", press_while_building), ("solve", press_while_solving)):
        seen = 0
        with monkeypatch.context() as patch:
            patch.setattr(Solver, name, press)
            found = planner.frontier(case, limit, **asked)
        assert found.status == "limit"
        loosest = found.points.limit.isin(sorted(found.points.limit, reverse=True)[:2])
        assert (found.points[loosest].status == "proven").all()
        same = whole.points[loosest].cost_usd
        assert found.points[loosest].cost_usd.to_numpy() == pytest.approx(same.to_numpy())
        assert found.points.bound_usd.notna().all()


def test_limits_have_names() -> None:
    case = tiny_rules_case()
    assert list(moved_limits(case)) == [
        "limits.spend", "limits.chips", "limits.peak", "limits.served", "limits.power",
        "limits.cash", "limits.both", "survival.chat", "survival.*",
        "case.qualification_engineers",
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"no limit 'share'; there are: limits\.spend, "):
        planner.frontier(case, "share", start=1.0, stop=0.5)
    with pytest.raises(InputError, match="none: the case has no limits"):
        planner.frontier(tiny_case(), "limits.spend", start=1.0, stop=0.5)


def test_values_that_a_limit_cannot_have_are_refused() -> None:
    case = tiny_rules_case()
    for limit, start, stop, file in (
        ("limits.spend", 1.0, 1.5, "limits.csv"), ("limits.cash", 1e6, -1e6, "limits.csv"),
        ("survival.chat", 0.0, 2.0, "survival.csv"),
        ("case.qualification_engineers", -1, 3, "case.toml"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=file):
            planner.frontier(case, limit, start=start, stop=stop, points=3)
    for more in ({"points": 1}, {"points": 1000}, {"stop": 1.0}, {"stop": float("nan")}):
        asked: dict[str, Any] = {"start": 1.0, "stop": 0.5, **more}
        with pytest.raises(InputError, match=r"--points|--from"):
            planner.frontier(case, "limits.spend", **asked)


def test_two_runs_tell_the_same() -> None:
    frames = [along("budget", gap=0.02).points.drop(columns="seconds") for _ in range(2)]
    assert frames[0].equals(frames[1])


def test_a_limit_of_all_classes_moves_every_promise() -> None:
    case = tiny_rules_case()
    more = Qualification(chip="trn2", generation="1", purpose="serving", done=True)
    moved = moved_limits(replace(case, qualification=(more,)))["survival.*"].at(case, 0.25)
    assert [row.share for row in moved.survival] == [0.25, 0.25]
    one = moved_limits(case)["limits.both"].at(case, 0.2)
    assert [r.bound for r in one.limits if r.limit == "both"] == [0.2]
    assert [r for r in one.limits if r.limit != "both"] == [
        r for r in case.limits if r.limit != "both"
    ]
