"""The report prints what was computed, and published rates are predicted sensibly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.throughput import run
from planner.throughput import load_factors, measured_chips, open_architectures
from planner.throughput.calibration import measured_points, usable
from planner.throughput.closed_loop import predict
from planner.throughput.external import free_choice, mlperf, peak_rates, published_actuals
from planner.throughput.frontier import FRONTIER_DATA, compare, frontier, groups, table
from planner.throughput.points import read_rows
from planner.throughput.report import markdown
from planner.throughput.validation import Validation

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data" / "calibration"


@pytest.fixture(scope="module")
def validation() -> Validation:
    """Predictions of the stored factors in every place, which is enough to print."""
    everything = measured_points(DATA)
    chosen = usable(everything)
    points = everything.take(chosen)
    listed = [row["model"] for row in read_rows(DATA / "inferencex_points.csv")]
    names = tuple(listed[i] for i in chosen)
    times = predict(points, load_factors())
    keys = groups(points, names)
    errors = compare(table(read_rows(DATA / FRONTIER_DATA)), frontier(points, times, keys), keys)
    return Validation(
        points, names, times, times, times, times, errors, errors, errors, points, times, times
    )


def test_the_report_follows_the_numbers(validation: Validation) -> None:
    factors = load_factors()
    text = markdown(factors, validation, DATA)
    for chip in ("H100", "H200", "B200"):
        assert f"| {chip} |" in text
    for model in ("gpt-oss-120b", "DeepSeek-V3", "GLM-5"):
        assert f"| {model} |" in text
    assert "| kept |" in text
    assert "missed" not in text
    worse = replace(factors, errors={**factors.errors, "tpot_left_out_median": 0.5})
    assert "| 50.0 % | 12.0 % | missed |" in markdown(worse, validation, DATA)


def test_the_page_belongs_to_the_stored_factors() -> None:
    text = (ROOT / "docs" / "throughput.md").read_text(encoding="utf-8")
    factors = load_factors()
    assert factors.data_sha256 in text
    assert f"{100 * factors.errors['tpot_left_out_median']:.1f} %" in text
    assert f"{100 * factors.errors['frontier_left_out_median']:.1f} %" in text


def test_published_rates_come_within_their_order() -> None:
    factors = load_factors()
    rows = [r for r in published_actuals(DATA, factors) if r.chip == "H20"]
    assert len(rows) == 4
    assert all(0.4 < r.ratio < 2.5 for r in rows)
    ratios = np.array([r.ratio for r in mlperf(DATA, factors)])
    assert len(ratios) >= 20
    assert np.median(np.abs(ratios - 1)) < 0.4


def test_peak_rates_rise_with_the_chip() -> None:
    model, chip = open_architectures()["Qwen3-8B"], measured_chips()["H20"]
    slow = peak_rates(model, chip, "fp8", 4096, 1024, load_factors())
    wide = chip.model_copy(update={"hbm_tb_per_s": 8.0})
    fast = peak_rates(model, wide, "fp8", 4096, 1024, load_factors())
    assert fast[0] == slow[0]
    assert fast[1] > slow[1]
    tiny = chip.model_copy(update={"hbm_gb": 0.01})
    assert peak_rates(model, tiny, "fp8", 4096, 1024, load_factors()) == (0.0, 0.0)


def test_the_planners_own_choice_is_of_the_measured_order() -> None:
    free = free_choice(DATA, load_factors(), "agg")
    ratio = free.predicted / free.measured
    assert len(ratio) > 300
    assert 0.8 < np.median(ratio) < 1.4
    apart = free_choice(DATA, load_factors(), "disagg")
    assert np.median(apart.predicted / apart.measured) == pytest.approx(1.0, abs=0.25)


def test_a_million_configurations_a_second() -> None:
    found = run()
    assert found["points_per_second"] >= 1_000_000
    assert found["points"] > 1e7


def test_packaged_training_rows_are_the_calibration_rows() -> None:
    packaged = ROOT / "planner" / "throughput" / "data" / "training_mfu.csv"
    assert packaged.read_bytes() == (DATA / "training_mfu.csv").read_bytes()


def test_azure_inputs_spread_as_assumed() -> None:
    rows = read_rows(DATA / "token_lengths.csv")
    spreads = [
        float(r["std_tokens"]) / float(r["mean_tokens"])
        for r in rows
        if "azure" in r["dataset"].lower() and r["side"] == "input"
    ]
    assert len(spreads) == 2
    assert all(0.8 < x < 1.3 for x in spreads)
