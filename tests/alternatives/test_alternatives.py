"""Plans of almost least cost: within the budget, audited, and as far apart as can be."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import scipy.sparse as sp

import planner
from planner.alternatives.common import in_common
from planner.alternatives.mix import By, apart, mix_of
from planner.alternatives.run import Alternatives, audited
from planner.alternatives.save import save_alternatives
from planner.alternatives.search import Finder
from planner.audit import audit_model
from planner.audit.folder import audit_run
from planner.audit.report import Finding, Report
from planner.errors import InputError, RunFolderError
from planner.instance import build_instance
from tests.cases import (
    offer,
    random_case,
    small_case,
    small_plan,
    solve_linear,
    tiny_case,
    valid,
)
from tests.cases_rules import tiny_rules_case
from tests.cli.test_cli import Here, here
from tests.solve.test_brute_force import whole_points

__all__ = ["here"]
Floats = npt.NDArray[np.float64]
SEEDS = (0, 4, 9, 26)
# One process: they share plans that take seconds.
pytestmark = pytest.mark.xdist_group("alternatives")


@cache
def tiny(seed: int, by: By) -> Alternatives:
    return planner.alternatives(random_case(seed), slack=0.2, count=4, by=by, gap=0.0)


def every_mix(seed: int, by: By, budget: float) -> Floats:
    """Mixes of every choice of whole numbers whose least cost is within a budget [choice, m]."""
    pools = build_instance(random_case(seed)).pools
    names = np.array(pools.cloud if by == "cloud" else pools.chip)
    cost, mw = every_choice(seed)
    mw = mw[cost <= budget]
    return np.stack([mw[:, names == m].sum(axis=1) for m in dict.fromkeys(names.tolist())], axis=1)


@cache
def every_choice(seed: int) -> tuple[Floats, Floats]:
    """Least cost, and mean MW by pool, of every choice of whole numbers [choice], [choice, p].

    By the audit's matrix and scipy, without the planner's own equations.
    """
    inst = build_instance(random_case(seed))
    model = audit_model(inst)
    free = ~model.integer
    cost, offset = model.cost.sum(axis=0), float(model.cost_offset.sum())
    a, b = model.a[:, free], model.a[:, model.integer]
    equal = model.row_lower == model.row_upper
    up, down = np.isfinite(model.row_upper) & ~equal, np.isfinite(model.row_lower) & ~equal
    left = sp.vstack([a[up], -a[down]]).tocsr()
    bounds = np.stack([model.lower[free], model.upper[free]], axis=1)
    held = model.columns["contracted"]
    pools, hours = inst.pools, inst.time.hours
    costs, out = [], []
    for point in whole_points(model):
        moved = b @ point
        side = np.concatenate([(model.row_upper - moved)[up], -(model.row_lower - moved)[down]])
        found = solve_linear(
            cost[free], left, side, a[equal], (model.row_upper - moved)[equal], bounds,
            method="highs",
        )  # fmt: skip
        if found.status != 0:
            continue
        costs.append(found.fun + cost[model.integer] @ point + offset)
        x = np.zeros(len(model.lower))
        x[free], x[model.integer] = found.x, point
        chips = x[held.start : held.start + len(held)].reshape(len(pools.names), -1)
        out.append(chips @ hours / hours.sum() * pools.kw / 1e3)
    return np.array(costs), np.array(out)


@pytest.mark.parametrize("by", ["cloud", "chip"])
@pytest.mark.parametrize("seed", SEEDS)
def test_each_plan_is_the_farthest_of_all_within_the_budget(seed: int, by: By) -> None:
    found = tiny(seed, by)
    mixes = every_mix(seed, by, 1.2 * found.bound_usd * (1 + 1e-9))
    whole = found.mix_mw[0].sum()
    for i in range(1, len(found.plans) + 1):
        earlier = found.mix_mw[:i]
        each = np.abs(mixes[:, None, :] - earlier[None]).sum(axis=2).min(axis=1) / 2 / whole
        if i == len(found.plans):
            # Fewer plans than asked for: nothing else differs.
            assert i == 4 or each.max() < 1e-3
            continue
        assert found.apart[i, :i].min() == pytest.approx(each.max(), rel=1e-4, abs=1e-6)
        assert found.at_most[i] >= each.max() - 1e-6


def test_the_cases_have_alternatives() -> None:
    counts = [len(tiny(seed, by).plans) for seed in SEEDS for by in ("cloud", "chip")]
    assert max(counts) == 4
    assert sum(counts) > 12


@pytest.mark.parametrize("seed", SEEDS)
def test_every_plan_is_within_the_slack_of_the_bound_and_passes_its_audit(seed: int) -> None:
    found = tiny(seed, "cloud")
    for plan, report in zip(found.plans, found.reports, strict=True):
        report.require()
        assert plan.objective_usd <= 1.2 * found.bound_usd
        assert plan.bound_usd == found.bound_usd
        assert plan.case == random_case(seed)


def test_the_least_cost_plan_comes_first() -> None:
    for seed in SEEDS:
        costs = [plan.objective_usd for plan in tiny(seed, "cloud").plans]
        assert costs[0] == min(costs)


def test_without_slack_only_plans_of_least_cost_come_back() -> None:
    found = planner.alternatives(tiny_case(), slack=0.0, count=3, gap=0.0)
    assert len(found.plans) >= 1
    for plan in found.plans:
        assert plan.objective_usd == pytest.approx(found.bound_usd, rel=1e-9)


@pytest.mark.parametrize("seed", [1, 7, 12])
def test_copies_of_a_plan_are_no_alternatives(seed: int) -> None:
    """What rounding alone tells apart is the same plan."""
    found = planner.alternatives(random_case(seed), slack=0.05, count=4, by="chip")
    apart_by = found.apart[np.triu_indices(len(found.plans), 1)]
    assert (apart_by > 1e-6).all()


def test_without_contracts_there_is_nothing_to_differ_in() -> None:
    hourly = replace(
        tiny_case(), contracts=(), training=(),
        offers=(offer("on-demand", "on_demand", 6.0, max_supply_share=1.0),),
    )  # fmt: skip
    with pytest.raises(InputError, match="nothing under contract"):
        planner.alternatives(valid(hourly), count=3)


def test_more_slack_lets_plans_be_farther_apart() -> None:
    near, far = (planner.alternatives(tiny_case(), slack=s, count=2, gap=0.0) for s in (0.02, 0.2))
    assert far.apart[0, 1] > near.apart[0, 1] > 0


def test_the_way_of_large_problems_keeps_the_same_promises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search, small = sys.modules["planner.alternatives.search"], small_found()
    monkeypatch.setattr(search, "FEW_COLUMNS", 0)
    near = planner.alternatives(small_plan(), slack=0.01, count=4)
    monkeypatch.setattr(search, "SMALL", 0)
    monkeypatch.setattr(search, "SIFTED", 0)
    found = planner.alternatives(small_plan(), slack=0.01, count=4)
    assert len(found.plans) == 4
    table = found.table()
    assert (table.audited == "passed").all()
    assert (table.cost_usd <= 1.01 * found.bound_usd).all()
    assert (table.nearest_earlier.iloc[1:] > 1e-3).all()
    # What the bounds say must hold for whatever any of the ways finds after the same first plan.
    for other in (near, found, small):
        for bound in (near.at_most[1], found.at_most[1]):
            assert other.apart[0, 1] <= bound + 1e-9


@cache
def small_found() -> Alternatives:
    return planner.alternatives(small_plan(), slack=0.01, count=5)


def test_five_plans_of_the_small_case_within_one_percent() -> None:
    found = small_found()
    assert len(found.plans) == 5
    assert all(report.passed for report in found.reports)
    table = found.table()
    assert (table.cost_usd <= 1.01 * found.bound_usd).all()
    assert table.above_bound.iloc[1:].max() > 0
    off = found.apart + np.eye(5)
    assert off.min() > 1e-3
    assert (table.nearest_earlier.iloc[1:] <= table.could_not_exceed.iloc[1:] + 1e-9).all()


def test_distances_and_shares_are_those_of_the_plans_own_tables() -> None:
    found = small_found()
    hours = dict(
        zip(small_case().calendar.labels, small_case().calendar.hours().tolist(), strict=True)
    )
    kw = {chip.chip: chip.kw_per_chip for chip in small_case().chips}
    by_hand = []
    for plan in found.plans:
        held = plan.tables["capacity"]
        mwh = held.contracted_chips * held.chip.map(kw) / 1e3 * held.period.map(hours)
        by_hand.append((mwh.groupby(held.cloud).sum() / sum(hours.values())).to_dict())
    table = found.table()
    for i, mine in enumerate(by_hand):
        whole = sum(mine.values())
        for name in found.members:
            assert table[f"share_{name}"][i] == pytest.approx(mine[name] / whole, rel=1e-9)
        for j, other in enumerate(by_hand):
            gap = sum(abs(mine[n] - other[n]) for n in found.members) / 2
            assert table[f"apart_from_alt-{j + 1}"][i] == pytest.approx(
                gap / sum(by_hand[0].values()), rel=1e-9, abs=1e-12
            )


def test_the_columns_of_the_problem_have_the_mix_of_the_tables() -> None:
    inst = build_instance(small_case())
    mix = mix_of(inst, "chip")
    assert mix.of_plan(small_plan()).sum() > 0
    both = [mix_of(inst, by).of_plan(small_plan()) for by in ("cloud", "chip")]
    assert both[0].sum() == pytest.approx(both[1].sum(), rel=1e-12)
    assert (mix.of_plan(small_plan()) <= mix.most_mw * (1 + 1e-9)).all()
    assert apart(both[0], both[0], 1.0) == 0.0


def test_what_is_in_common_is_in_every_plan() -> None:
    found = small_found()
    table = found.common()
    periods = list(small_case().calendar.labels)
    lots = table[table.kind == "lots"]
    assert len(lots)
    for row in lots.to_dict("records"):
        upto = lots[(lots.what == row["what"]) & (lots["where"] == row["where"])]
        upto = upto[upto.period.map(periods.index) <= periods.index(row["period"])]
        started = []
        for plan in found.plans:
            some = plan.tables["contracts_signed"]
            where = some.cloud + "/" + some.region + "/" + some.chip
            some = some[(some.offer == row["what"]) & (where == row["where"])]
            some = some[some.start.map(periods.index) <= periods.index(row["period"])]
            started.append(int(some.lots.sum()))
        assert min(started) == upto["count"].sum()
    for row in table[table.kind == "leave"].to_dict("records"):
        for plan in found.plans:
            gone = plan.tables["contracts_existing"].query("decision == 'leave'")
            assert row["what"] in set(gone.contract)
    for row in table[table.kind == "placement"].to_dict("records"):
        for plan in found.plans:
            runs = plan.tables["training_runs"].set_index("run").placement
            assert runs[row["what"]] == row["where"]


def test_a_plan_has_everything_in_common_with_itself() -> None:
    plan = small_plan()
    alone, twice = in_common([plan]), in_common([plan, plan])
    pd.testing.assert_frame_equal(alone, twice)
    assert alone[alone.kind == "lots"]["count"].sum() == plan.tables["contracts_signed"].lots.sum()


def test_rules_hold_in_alternatives_and_what_all_decide_is_told() -> None:
    found = planner.alternatives(tiny_rules_case(), slack=0.05, count=3, gap=0.0)
    assert len(found.plans) > 1
    for report in found.reports:
        report.require()
    table = found.common()
    assert {"lots"} <= set(table.kind)


def test_contingencies_held_by_rounds_hold_in_alternatives_too() -> None:
    found = planner.alternatives(
        tiny_rules_case(), slack=0.05, count=3, gap=1e-3, redundancy="rounds"
    )
    assert len(found.plans) > 1
    for plan, report in zip(found.plans, found.reports, strict=True):
        report.require()
        assert plan.summary["redundancy"]["mode"] == "rounds"
        assert plan.summary["redundancy"]["blocks_short"] == 0


def test_what_is_waived_is_all_that_an_audit_may_find() -> None:
    found = planner.alternatives(
        tiny_rules_case(), slack=0.05, count=2, gap=1e-3, redundancy="waived"
    )
    outcomes = [audited(r, p) for r, p in zip(found.reports, found.plans, strict=True)]
    assert "only_waived" in outcomes
    assert "failed" not in outcomes
    assert not all(report.passed for report in found.reports)
    row = Finding("rows", "supply", 0.0, 1.0, 1e-6)
    flow = Finding("contingencies", "flow 3", "a flow that can be", 1.0, 0.0)
    for fault in (row, flow):
        assert audited(Report((fault,)), found.plans[0]) == "failed"
    assert audited(Report((row,)), small_plan()) == "failed"
    assert audited(Report(), small_plan()) == "passed"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"slack": -0.1}, "--slack"),
        ({"slack": float("nan")}, "--slack"),
        ({"count": 0}, "--count"),
        ({"by": "vendor"}, "--by"),
    ],
)
def test_what_means_nothing_is_refused(more: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        planner.alternatives(tiny_case(), **more)  # type: ignore[arg-type]


def test_a_plan_above_the_budget_is_refused() -> None:
    plan = small_plan()
    worse = replace(plan, summary={**plan.summary, "bound_usd": 0.9 * plan.objective_usd})
    with pytest.raises(InputError, match="above its bound"):
        planner.alternatives(worse, slack=0.05)


def test_a_limit_gives_what_was_found_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Finder.next

    def next_(finder: Finder, earlier: Floats) -> object:
        if len(earlier) == 2:
            finder.stop.set()
        return ask(finder, earlier)

    monkeypatch.setattr(Finder, "next", next_)
    found = planner.alternatives(small_plan(), slack=0.01, count=5)
    assert found.stopped
    assert len(found.plans) == 2
    assert not small_found().stopped
    assert planner.alternatives(small_plan(), count=3, time_limit_s=0.0).stopped


def test_the_folder_holds_run_folders_that_pass_their_audit(tmp_path: Path) -> None:
    folders = save_alternatives(small_found(), tmp_path / "out")
    assert list(folders) == [f"alt-{i}" for i in range(1, 6)]
    for folder in folders.values():
        audit_run(folder).require()
    table = pd.read_csv(tmp_path / "out" / "alternatives.csv")
    assert table.plan.tolist() == list(folders)
    assert len(pd.read_csv(tmp_path / "out" / "in_common.csv")) == len(small_found().common())
    with pytest.raises(RunFolderError, match="exists"):
        save_alternatives(small_found(), tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("kept")
    with pytest.raises(RunFolderError, match="left alone"):
        save_alternatives(small_found(), tmp_path / "other", force=True)
    assert (tmp_path / "other" / "mine.txt").read_text() == "kept"


def test_an_alternative_can_be_explained_and_swept_like_any_plan() -> None:
    found = planner.explain(small_found().plans[1], checked=2)
    assert len(found.words)


def test_the_command_writes_and_says_it_all(here: Here) -> None:
    ran = here("alternatives", str(small_plan_folder(here)), "--count", "2", "--by", "chip",
               "--out", "alts", "--json")  # fmt: skip
    assert ran.code == 0, ran.err
    content = ran.json()
    assert [row["plan"] for row in content["alternatives"]] == ["alt-1", "alt-2"]
    assert content["alternatives"][0]["nearest_earlier"] is None
    assert (here.folder / "alts" / "alt-2" / "summary.json").is_file()
    again = here("alternatives", "run", "--count", "2", "--out", "alts")
    assert again.code == 2
    assert "exists" in again.err
    shown = here("alternatives", "run", "--count", "2", "--out", "alts", "--force")
    assert shown.code == 0, shown.err
    assert "2 plans within 1.00% of the bound" in shown.out
    assert "In every plan" in shown.out


def small_plan_folder(here: Here) -> Path:
    small_plan().save(here.folder / "run")
    return here.folder / "run"


def test_a_bad_slack_is_one_clear_error(here: Here) -> None:
    small_plan_folder(here)
    ran = here("alternatives", "run", "--slack", "a little")
    assert ran.code == 2
    assert "'a little' is neither a share" in ran.err
    assert not (here.folder / "runs").exists()
    ran = here("alternatives", "run", "--set", "offers.x.lead_days=3")
    assert ran.code == 2
    assert "a run keeps its own copy" in ran.err


def test_the_small_program_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """scipy's HiGHS prints by itself: heard outside of `_muted`, and not inside."""
    signs = sys.modules["planner.alternatives.signs"]
    with signs._muted():
        os.write(1, b"said by a library")
    os.write(1, b"said by us")
    assert capfd.readouterr().out == "said by us"


def test_a_search_that_finds_nothing_excludes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    search = sys.modules["planner.alternatives.search"]
    plan = small_plan()
    monkeypatch.setattr(search, "FEW_COLUMNS", 0)
    monkeypatch.setattr(search, "SMALL", 0)
    monkeypatch.setattr(Finder, "_within", lambda *_: None)
    found = planner.alternatives(plan, slack=0.01, count=2)
    assert len(found.plans) == 1
    assert not found.stopped
    assert found.open >= small_found().apart[0, 1]
