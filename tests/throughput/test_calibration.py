"""The stored factors belong to the stored data, and their errors are what they say."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from planner.throughput import load_factors
from planner.throughput.calibration import (
    Fit,
    Settings,
    data_hash,
    distinct,
    fit,
    leave_out,
    measured_points,
    neuron_points,
    pair_labels,
    stale,
    to_factors,
    usable,
)
from planner.throughput.closed_loop import predict
from planner.throughput.factors import Factors
from planner.throughput.points import Points

DATA = Path(__file__).parents[2] / "data" / "calibration"


@pytest.fixture(scope="module")
def points() -> Points:
    everything = measured_points(DATA)
    return everything.take(usable(everything))


@pytest.fixture(scope="module")
def solved(points: Points) -> Fit:
    return fit(points.take(distinct(points)))


def test_stored_factors_match_the_data(tmp_path: Path) -> None:
    factors = load_factors()
    assert not stale(factors, DATA)
    for path in DATA.glob("*.csv"):
        shutil.copy(path, tmp_path)
    assert data_hash(tmp_path) == factors.data_sha256
    table = tmp_path / "inferencex_points.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace(",23.67,", ",23.68,", 1), encoding="utf-8")
    assert stale(factors, tmp_path)


def test_stored_factors_are_the_fit_to_the_data(points: Points, solved: Fit) -> None:
    stored, again = load_factors(), to_factors(solved, points)
    a, b = predict(points, stored), predict(points, again)
    assert np.median(np.abs(a.tpot / b.tpot - 1)) < 1e-3
    assert np.max(np.abs(a.tpot / b.tpot - 1)) < 0.02
    errors = np.abs(a.tpot / points.tpot_ms - 1)
    assert np.median(errors) == pytest.approx(stored.errors["tpot_in_sample_median"], abs=2e-3)


@pytest.mark.parametrize("pair", ["H200|MiniMax-M2.5", "H100|gpt-oss-120b"])
def test_one_left_out_pair_is_reproduced(points: Points, pair: str) -> None:
    labels = pair_labels(points)
    mine = np.array(labels) == pair
    times = leave_out(points, labels, only=[pair])
    assert np.all(np.isnan(times.tpot[~mine]))
    median = np.median(np.abs(times.tpot / points.tpot_ms - 1)[mine])
    assert median == pytest.approx(load_factors().errors[f"left_out|{pair}"], abs=5e-3)


def test_a_fold_does_not_see_what_it_leaves_out(points: Points) -> None:
    """Measured times of a left-out pair have no influence on its prediction."""
    pair = "H200|MiniMax-M2.5"
    labels = pair_labels(points)
    mine = np.array(labels) == pair
    doubled = replace(points, tpot_ms=np.where(mine, 2.0 * points.tpot_ms, points.tpot_ms))
    quick = Settings(iterations=4)
    before = leave_out(points, labels, quick, only=[pair])
    after = leave_out(doubled, labels, quick, only=[pair])
    assert np.allclose(before.tpot[mine], after.tpot[mine], rtol=1e-9)


def test_left_out_errors_keep_their_targets() -> None:
    errors = load_factors().errors
    assert errors["tpot_left_out_median"] <= 0.12
    assert errors["tpot_left_out_p90"] <= 0.35
    assert errors["frontier_left_out_median"] <= 0.20
    assert errors["tpot_in_sample_median"] < errors["tpot_left_out_median"]


def test_factors_survive_json() -> None:
    factors = load_factors()
    assert Factors.from_json(factors.to_json()) == factors
    with pytest.raises((TypeError, KeyError, ValueError)):
        Factors.from_json("{}")


def test_measured_chips_of_other_engines_have_their_own_effect() -> None:
    neuron = neuron_points(DATA)
    stored = load_factors()
    own = np.abs(predict(neuron, stored).tpot / neuron.tpot_ms - 1)
    effects = {k: v for k, v in stored.effects.items() if "Trainium1" not in k}
    effects = {k: v for k, v in effects.items() if "Inferentia2" not in k}
    without = Factors(base=stored.base, effects=effects, terms=dict(stored.terms))
    prior = np.abs(predict(neuron, without).tpot / neuron.tpot_ms - 1)
    assert np.median(own) < 0.15 < np.median(prior)


def test_bands_widen_with_distance_from_measurement() -> None:
    bands = load_factors().bands
    order = ["calibrated", "modelled", "extrapolated", "unmeasured_family"]
    lows, highs = [bands[k][0] for k in order], [bands[k][1] for k in order]
    assert lows == sorted(lows, reverse=True)
    assert highs == sorted(highs)
    assert lows[0] < 1 < highs[0]
