"""A whole sweep: certificates, resuming, processes, results."""

from __future__ import annotations

import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy import stats
from scipy.stats import beta

import planner
from planner import Plan
from planner.errors import InputError, RunFolderError
from planner.sweep import draws, gather, tasks
from planner.sweep import run as run_module
from planner.sweep.audit import mean_interval, sample_blocks, share_within
from planner.sweep.bounds import bounder
from planner.sweep.frames import factor_labels
from planner.sweep.problem import problem_of
from planner.sweep.results import SweepResult, binned, load_sweep, regret
from planner.sweep.run import sweep
from planner.sweep.strata import pilots_of
from planner.sweep.summary import Tally, cost_summary, sensitivity
from planner.sweep.train import train
from planner.sweep.work import page_bounds
from tests.cases import small_plan, valid
from tests.sweep.sweeps import FACTORS, MOVING_RATES, spec

QUICK: dict[str, Any] = {"solves": 20, "audit_blocks": 60, "reroute_blocks": 40}


def run(tmp_path: Path, name: str = "a", **more: Any) -> SweepResult:
    given = {**QUICK, **more}
    what = given.pop("spec", None) or spec()
    return sweep(small_plan(), what, out=tmp_path / f"{name}.parquet", **given)


def table(result: SweepResult) -> pd.DataFrame:
    frame: pd.DataFrame = pq.read_table(result.path).to_pandas()
    return frame


def test_every_scenario_has_a_row_and_a_bound(tmp_path: Path) -> None:
    result = run(tmp_path)
    rows = table(result)
    assert rows.scenario.tolist() == list(range(200))
    assert set(rows.lost) <= {"", "alder", "birch", "cedar"}
    by_period = rows[[c for c in rows if str(c).startswith("lower_usd ")]]
    total = by_period.sum(axis=1) + rows.contract_usd + result.summary["still_usd"]
    np.testing.assert_allclose(rows.cost_lower_usd, total, rtol=1e-12)
    audit = result.summary["audit"]
    assert audit["blocks"] == 60
    assert audit["least_gap"] >= -1e-7
    assert (rows.binding_chip != "").mean() > 0.5
    assert not (tmp_path / "a.parquet.work").exists()
    again = load_sweep(result.path)
    assert again.summary["cost_lower"] == result.summary["cost_lower"]


def test_exact_agrees_with_bounds_and_audit(tmp_path: Path) -> None:
    exact = run(tmp_path, certify="exact")
    rows = table(exact)
    assert (rows.cost_lower_usd <= rows.cost_exact_usd * (1 + 1e-9)).all()
    gap = 1 - rows.cost_lower_usd / rows.cost_exact_usd
    assert gap.median() < 0.02
    s = run(tmp_path, "b", audit_blocks=10**6).summary
    # Every block audited: the control variate is the mean itself.
    assert s["audit"]["mean_usd"] == pytest.approx(rows.cost_exact_usd.mean(), rel=1e-9)
    assert exact.summary["cost"]["mean_usd"] == pytest.approx(rows.cost_exact_usd.mean(), rel=1e-12)
    sampled = run(tmp_path, "c", audit_blocks=150).summary["expected"]
    assert sampled["low_usd"] < rows.cost_exact_usd.mean() < sampled["high_usd"]
    lost = rows[rows["lost"] == "alder"]
    kept = rows[rows["lost"] == ""]
    column = "unserved_interactive_million_requests"
    assert lost[column].mean() > kept[column].mean()


def test_the_sweep_of_the_plans_own_scenario_is_the_plan(tmp_path: Path) -> None:
    one = {"name": "all", "kind": "demand"}
    neutral = spec([one], design="list", rows=[[1.0]])
    result = run(tmp_path, spec=neutral, certify="exact")
    cost = table(result).cost_exact_usd[0]
    assert cost == pytest.approx(small_plan().objective_usd, rel=1e-7)


def test_a_specification_may_be_a_path_or_a_mapping(tmp_path: Path) -> None:
    """All that a user needs is in `planner` itself."""
    given = {"design": "list", "factor": [{"name": "all", "kind": "demand"}], "rows": [[1.0]]}
    (tmp_path / "spec.toml").write_text(
        'list = "rows.csv"\n[[factor]]\nname = "all"\nkind = "demand"\n'
    )
    (tmp_path / "rows.csv").write_text("all\n1.0\n")
    path = tmp_path / "spec.toml"
    found = [
        planner.sweep(small_plan(), what, certify="exact", **QUICK)
        for what in (given, path, str(path), planner.load_spec(path), planner.spec_of(given))
    ]
    for result in found:
        assert isinstance(result, planner.SweepResult)
        assert result.summary["spec"] == found[0].summary["spec"]
        assert planner.spec_of(result.summary["spec"]) == planner.load_spec(path)
        own = planner.load_sweep(result.path).columns().cost_exact_usd[0]
        assert own == pytest.approx(small_plan().objective_usd, rel=1e-7)
    assert planner.regret(found[:2]).worst_regret_usd.tolist() == [0.0, 0.0]
    again = planner.replan(small_plan(), given)
    assert again.columns().cost_lower_usd[0] == pytest.approx(small_plan().bound_usd, rel=1e-9)
    with pytest.raises(InputError, match=r"none\.toml: cannot be read"):
        planner.sweep(small_plan(), tmp_path / "none.toml")
    with pytest.raises(InputError, match="there is none"):
        planner.sweep(small_plan(), {"factor": []})


class _StopError(Exception):
    pass


def test_an_interrupted_sweep_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = table(run(tmp_path, "whole"))

    def stop(step: str, done: int, _all: int) -> None:
        if step == "bound" and done == 2:
            raise _StopError

    with pytest.raises(_StopError):
        run(tmp_path, "part", progress=stop)
    work = tmp_path / "part.parquet.work"
    trained = tasks.period_file(work, 1)
    before = trained.stat().st_mtime_ns
    with pytest.raises(RunFolderError, match="another sweep"):
        run(tmp_path, "part", solves=21)
    seen: list[int] = []

    def look(step: str, done: int, _all: int) -> None:
        if step == "bound" and done == 0:
            seen.append(trained.stat().st_mtime_ns)

    pd.testing.assert_frame_equal(table(run(tmp_path, "part", progress=look)), whole)
    assert seen == [before]
    with pytest.raises(RunFolderError, match="exists"):
        run(tmp_path, "part")


def test_results_do_not_depend_on_pages_or_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = [
        {"name": "demand", "kind": "demand", "values": [0.8, 1.0, 1.3, 1.7]},
        {"name": "chips", "kind": "capacity", "values": [0.2, 0.6, 1.0]},
    ]
    what = spec(grid, design="grid")
    one = table(run(tmp_path, "one", spec=what))
    pd.testing.assert_frame_equal(table(run(tmp_path, "two", spec=what, jobs=2)), one)
    exact = table(run(tmp_path, "three", spec=what, certify="exact"))
    for module in (draws, gather, tasks):
        monkeypatch.setattr(module, "PAGE", 5)
    # Pilots are all scenarios in their order either way: the same prices, the same bounds.
    paged = table(run(tmp_path, "four", spec=what, certify="exact"))
    assert draws.pages(what) == 3
    pd.testing.assert_frame_equal(paged, exact, check_exact=False, rtol=1e-9)
    bounds = table(run(tmp_path, "five", spec=what))
    pd.testing.assert_frame_equal(bounds, one, check_exact=False, rtol=1e-9)


@pytest.mark.parametrize("factors", [FACTORS, MOVING_RATES], ids=["sides", "rates"])
def test_bounds_do_not_depend_on_the_size_of_a_page(factors: list[dict[str, Any]]) -> None:
    """A page bounded whole, or in chunks that end anywhere within tiles of products."""
    found = problem_of(small_plan(), spec(factors, scenarios=5000))
    values = draws.page(found.spec, 0)
    pilots = pilots_of(values)
    for period in found.periods[1:3]:
        each = bounder(period, train(period, pilots, 60, 1).prices, pilots)
        whole = page_bounds(each, values)
        for size in (7, 2048, 3001):
            chunks = (values[i : i + size] for i in range(0, len(values), size))
            contract, lower, _ = map(
                np.concatenate, zip(*(page_bounds(each, c) for c in chunks), strict=True)
            )
            np.testing.assert_allclose(contract, whole[0], rtol=1e-12)
            # The search is in single precision: of equally good prices it may take another.
            np.testing.assert_allclose(lower, whole[1], rtol=1e-6)


@pytest.mark.parametrize("processes", [False, True], ids=["a thread", "two processes"])
def test_on_a_dask_cluster(tmp_path: Path, processes: bool) -> None:
    distributed = pytest.importorskip("distributed")
    one = table(run(tmp_path, "one"))
    with (
        distributed.LocalCluster(
            n_workers=1 + processes,
            threads_per_worker=1,
            processes=processes,
            # Any free port: without an address it is 8787, with a warning where that is taken.
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config(backend="dask"),
    ):
        two = table(run(tmp_path, "two", jobs=-1))
        worked = client.run(lambda: "planner.sweep.tasks" in sys.modules)
    assert len(worked) == 1 + processes
    assert any(worked.values())
    pd.testing.assert_frame_equal(two, one)


def test_prices_and_rates_move(tmp_path: Path) -> None:
    result = run(tmp_path, spec=spec(MOVING_RATES, scenarios=40), certify="exact")
    rows = table(result)
    assert (rows.cost_lower_usd <= rows.cost_exact_usd * (1 + 1e-9)).all()
    assert "rerouted" not in result.summary
    with pytest.raises(InputError, match="only where rates"):
        run(tmp_path, "b", spec=spec(MOVING_RATES, scenarios=40), reroute_blocks="all")


def test_regret_between_plans(tmp_path: Path) -> None:
    plan = small_plan()
    signed = plan.tables["contracts_signed"]
    fewer = {**plan.tables, "contracts_signed": signed.iloc[1:].reset_index(drop=True)}
    other = Plan(plan.case, fewer, plan.summary)
    first = run(tmp_path, "first", certify="exact")
    second = sweep(other, spec(), out=tmp_path / "second.parquet", certify="exact", **QUICK)
    table_ = regret([first, second])
    assert (table_.mean_regret_usd >= 0).all()
    assert (table_.worst_regret_usd >= table_.mean_regret_usd).all()
    assert table_.best_in_share.sum() >= 1.0
    assert (table_.mean_regret_half_width_usd > 0).any()
    grid = spec([{"name": "demand", "kind": "demand", "values": [0.5, 1.5]}], design="grid")
    few = [
        sweep(each, grid, out=tmp_path / f"grid{i}.parquet", certify="exact", **QUICK)
        for i, each in enumerate((plan, other))
    ]
    assert regret(few).mean_regret_half_width_usd.tolist() == [0.0, 0.0]
    apart = run(tmp_path, "third", spec=spec(seed=9), certify="exact")
    with pytest.raises(RunFolderError, match="not of the same specification"):
        regret([first, apart])


def test_heat_map_and_tornado(tmp_path: Path) -> None:
    result = run(tmp_path, certify="exact")
    heat = result.heat_map("growth", "lost", bins=4)
    assert heat.shape == (4, 4)
    assert heat.loc[heat.index[-1], ""] > heat.loc[heat.index[0], ""]
    rows = {row["factor"]: row for row in result.summary["sensitivity"]}
    assert rows["interactive"]["cost_at_high_usd"] > rows["interactive"]["cost_at_low_usd"]
    assert sum(row["share_of_variance"] for row in rows.values()) < 2.0


def test_sensitivity_names_what_moves_the_cost() -> None:
    rng = np.random.default_rng(1)
    values = rng.random((5000, 2))
    rows = sensitivity(10 * values[:, 1] + 0.1 * values[:, 0], values, ["quiet", "loud"])
    assert [row["factor"] for row in rows] == ["loud", "quiet"]
    assert rows[0]["share_of_variance"] > 0.95


def test_names_of_what_is_lost_have_no_order() -> None:
    """The cheapest and the dearest of twenty, wherever they stand."""
    rng = np.random.default_rng(1)
    values = rng.integers(0, 20, (5000, 1)).astype(float)
    cost = np.where(values[:, 0] == 7, 9.0, np.where(values[:, 0] == 12, -5.0, 1.0))
    (row,) = sensitivity(cost, values, ["gone"], ["gone"])
    assert (row["low"], row["high"]) == (12.0, 7.0)
    assert (row["cost_at_low_usd"], row["cost_at_high_usd"]) == (-5.0, 9.0)


def test_labels_of_values_that_differ_differ() -> None:
    assert factor_labels([1.0, 0.5, 1.0]) == ["1", "0.5", "1"]
    assert factor_labels([1.0001, 1.0002]) == ["1.0001", "1.0002"]
    assert factor_labels(["", "aws"]) == ["none", "aws"]


def test_many_names_are_not_binned() -> None:
    names = np.array([f"region {i}" for i in range(30)], dtype=object)
    assert binned(names, 10) is names


def test_memory_is_16_bytes_a_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While costs are summed up: one column of them, and one more while it is sorted."""
    many = spec(scenarios=300_000)
    monkeypatch.setattr(run_module, "SAMPLE_ROWS", 1000)
    for number in range(draws.pages(many)):
        tasks.save(tasks.values_file(tmp_path, number), draws.page(many, number))
        size = len(draws.page(many, number))
        costs = np.random.default_rng(number).random((3, size))
        tasks.save(gather.cost_file(tmp_path, number), costs)
    for certify in ("audit", "exact"):
        summary: dict[str, Any] = {"certify": certify}
        tracemalloc.start()
        run_module._add_costs(tmp_path, many, summary, rerouted=True)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert 16 * many.count <= peak <= 17 * many.count
        assert summary["cost_upper"]["mean_usd"] == pytest.approx(0.5, abs=0.01)


def test_a_tally_of_parts_is_that_of_the_whole() -> None:
    rng = np.random.default_rng(2)
    contract, lower = rng.random((2, 1000)) * 1e6
    exact = lower + rng.exponential(2e3, 1000)
    whole, parts = Tally(), Tally()
    whole.add(contract, lower, exact)
    for cut in np.array_split(np.arange(1000), [1, 1, 400]):
        parts.add(contract[cut], lower[cut], exact[cut])
    one, other = (t.audit(5e5, 4, 10**6) for t in (whole, parts))
    assert one == pytest.approx(other)
    mean, half = mean_interval(exact - lower)
    assert one["mean_usd"] == pytest.approx(5e5 + 4 * mean)
    assert one["mean_half_width_usd"] == pytest.approx(4 * half)
    gap = (exact - lower) / np.maximum(contract + exact, 1)
    assert one["misses"] == (gap > 1e-3).sum() > 0
    assert parts.rerouted() == pytest.approx(whole.rerouted())
    assert whole.rerouted()["median_gap"] == pytest.approx(np.median(gap))
    assert whole.rerouted()["share_within_1pct"] == pytest.approx((gap <= 1e-2).mean())
    every = whole.audit(5e5, 4, 1000)
    assert every["mean_half_width_usd"] == 0.0
    assert every["share_within_0.1pct_99conf"] == pytest.approx((gap <= 1e-3).mean())


def test_nothing_is_sampled_in_a_grid() -> None:
    s = cost_summary(np.arange(100.0), drawn=False)
    assert s["mean_half_width_usd"] == s["cvar_0.95_half_width_usd"] == 0.0
    assert s["quantiles_usd"]["0.25"] == [25.0, 25.0, 25.0]


def test_cost_summary_brackets_the_truth() -> None:
    rng = np.random.default_rng(4)
    s = cost_summary(rng.exponential(size=20_000))
    assert s["mean_usd"] == pytest.approx(1.0, abs=s["mean_half_width_usd"])
    low, at, high = s["quantiles_usd"]["0.95"]
    assert low < at < high
    assert low <= -np.log(0.05) <= high
    assert s["cvar_0.95_usd"] == pytest.approx(1 - np.log(0.05), rel=0.05)


@pytest.mark.parametrize(("solved", "misses"), [(4600, 0), (10_000, 3), (50, 50), (7, 2)])
def test_confidence_of_the_audit_is_exact(solved: int, misses: int) -> None:
    expected = 0.0 if solved == misses else 1 - beta.ppf(0.99, misses + 1, solved - misses)
    assert share_within(solved, misses) == pytest.approx(expected, abs=1e-12)
    assert share_within(4603, 0) >= 0.999 > share_within(4602, 0)
    assert share_within(0, 0) == 0.0


def test_blocks_of_the_audit_are_different_and_spread() -> None:
    periods = np.array([1, 4, 5])
    scenario, t = sample_blocks(1000, periods, 600, 7)
    assert len({*zip(scenario.tolist(), t.tolist(), strict=True)}) == 600
    assert np.bincount(t)[periods].min() > 150
    assert scenario.mean() == pytest.approx(500, abs=60)
    assert len(sample_blocks(10, periods, 10**6, 7)[0]) == 30


def test_intervals_of_few_values() -> None:
    assert mean_interval(np.array([2.0])) == (2.0, float("inf"))
    assert mean_interval(np.zeros(0))[0] == 0.0


@pytest.mark.parametrize("content", [b"", b"nothing"])
def test_a_file_that_is_no_sweep(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(RunFolderError, match="not a sweep"):
        load_sweep(tmp_path / "a.parquet")


def test_a_pool_that_several_values_name_is_lost_for_each_of_them(tmp_path: Path) -> None:
    """Its cloud, its chip and its vendor; a name that stands twice; the order means nothing."""
    costs: list[dict[str, float]] = []
    for i, values in enumerate(
        (["", "alder", "h200", "nvidia", "us-1"], ["us-1", "nvidia", "h200", "alder", "alder", ""])
    ):
        what = spec([{"name": "lost", "kind": "lost", "values": values}], design="grid")
        rows = planner.sweep(small_plan(), what, out=tmp_path / str(i), certify="exact").columns()
        costs.append(dict(zip(rows.lost, rows.cost_exact_usd, strict=True)))
    assert costs[0].keys() == costs[1].keys()
    for name, usd in costs[0].items():
        assert usd == pytest.approx(costs[1][name], rel=1e-9)
        assert (usd > costs[0][""] * 1.01) == (name != "")


def test_what_is_unserved_is_told_by_class_though_jobs_are_alike(tmp_path: Path) -> None:
    case = small_plan().case
    batch = next(c for c in case.classes if c.service_class == "batch")
    night = batch.model_copy(update={"service_class": "overnight"})
    moved = next(w for w in case.serving if w.service_class == "batch")
    serving = tuple(
        w.model_copy(update={"service_class": "overnight"}) if w is moved else w
        for w in case.serving
    )
    profile = (
        *case.profile,
        *(p.model_copy(update={"service_class": "overnight"})
          for p in case.profile if p.service_class == "batch"),
    )  # fmt: skip
    rates = (
        *case.throughput,
        *(r.model_copy(update={"service_class": "overnight"})
          for r in case.throughput if r.service_class == "batch"),
    )  # fmt: skip
    other = valid(replace(case, classes=(*case.classes, night), serving=serving, profile=profile,
                          throughput=rates))  # fmt: skip
    factors = [
        {"name": "batch", "kind": "demand", "where": {"class": "batch"}, "values": [0.0]},
        {"name": "night", "kind": "demand", "where": {"class": "overnight"}, "values": [500.0]},
    ]
    what = spec(factors, design="grid")
    rows = planner.sweep(
        planner.solve(other, gap=0.01), what, out=tmp_path / "out", certify="exact"
    ).columns()
    assert (rows.unserved_batch_million_requests == 0.0).all()
    assert (rows.unserved_overnight_million_requests > 0.0).all()


def test_a_sweep_that_touches_nothing_is_the_plan_where_that_is_asked_for(tmp_path: Path) -> None:
    what = spec([{"name": "d", "kind": "deal", "values": [0.0, 1.0]}], design="grid",
                untouched="ignore")  # fmt: skip
    rows = planner.sweep(small_plan(), what, out=tmp_path / "out").columns()
    assert (rows.cost_lower_usd == rows.cost_lower_usd[0]).all()
    assert rows.cost_lower_usd[0] == pytest.approx(small_plan().objective_usd, rel=1e-3)


@pytest.mark.parametrize("name", ["usd", "scenario", "cost_lower_usd", "lower_usd 2026-Q4"])
def test_a_factor_has_no_name_of_a_result(name: str) -> None:
    with pytest.raises(InputError, match="is a column of the results"):
        spec([{"name": name, "kind": "demand", "values": [1.0]}], design="grid")


def test_limits_of_quantiles_that_a_sample_cannot_tell_are_left_out() -> None:
    few = cost_summary(np.arange(20.0))["quantiles_usd"]
    assert few["0.99"][2] is None
    assert few["0.01"][0] is None
    many = cost_summary(np.arange(100_000.0))["quantiles_usd"]
    assert all(end is not None for ends in many.values() for end in ends)


def test_the_interval_of_the_worst_costs_covers_what_it_says() -> None:
    """99 % over 400 samples of a normal: no fewer than 97 %."""
    rng = np.random.default_rng(5)
    true = float(stats.norm.pdf(stats.norm.ppf(0.95)) / 0.05)
    inside = 0
    for _ in range(400):
        s = cost_summary(rng.normal(size=2000))
        half = s["cvar_0.95_half_width_usd"]
        inside += abs(s["cvar_0.95_usd"] - true) <= half
    assert inside >= 388
