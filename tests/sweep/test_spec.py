"""Specifications are checked like a case; draws depend on nothing but spec and scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.errors import InputError
from planner.sweep import draws
from planner.sweep.draws import correlation_root, page, values_of
from planner.sweep.problem import problem_of
from planner.sweep.spec import load_spec, spec_of
from tests.cases import small_plan
from tests.sweep.sweeps import FACTORS, factor, spec

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"factors": []}, "factors"),
    "unknown design": ({"design": "guess"}, "design"),
    "no factor": ({"factor": []}, "factor: there is none"),
    "no scenarios": ({"scenarios": 0}, "scenarios"),
    "where of another kind": ({"factor": [factor("a", "demand", 0, 1, chip="h200")]}, "'chip'"),
    "unknown kind": ({"factor": [factor("a", "weather", 0, 1)]}, "kind"),
    "nothing drawn": ({"factor": [{"name": "a", "kind": "demand"}]}, "needs draw"),
    "grid without values": ({"design": "grid"}, "a grid needs values"),
    "name twice": ({"factor": [FACTORS[0], FACTORS[0]]}, "stands twice"),
    "low above high": ({"factor": [factor("a", "demand", 2, 1)]}, "is not below high"),
    "infinite": ({"factor": [factor("a", "demand", 0, float("inf"))]}, "finite"),
    "weights": (
        {"factor": [{"name": "a", "kind": "demand", "values": [1, 2],
                     "draw": {"kind": "choice", "weights": [1]}}]},
        "1 weights, 2 values",
    ),
    "numbers lost": (
        {"factor": [{"name": "a", "kind": "lost", "values": [1.0],
                     "draw": {"kind": "choice", "weights": [1]}}]},
        "lost takes names",
    ),
    "words": (
        {"factor": [{"name": "a", "kind": "demand", "values": ["x"]}]}, "'x' is not a number"
    ),
    "correlated with nothing": (
        {"correlation": [{"factors": ["growth", "nobody"], "rho": 0.5}]}, "no factor 'nobody'"
    ),
    "empty list": ({"design": "list"}, "has no rows"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_specifications_are_refused(name: str) -> None:
    change, words = WRONG[name]
    with pytest.raises(InputError) as caught:
        spec_of({"factor": FACTORS, **change}, "wrong.toml")
    assert words in str(caught.value)
    assert "wrong.toml" in str(caught.value)


def test_every_fault_is_told_at_once() -> None:
    factors = [factor("a", "demand", 2, 1), factor("b", "capacity", 3, 2)]
    with pytest.raises(InputError) as caught:
        spec_of({"factor": factors, "seed": -1})
    assert len(caught.value.faults) == 3
    assert "factor 'b'" in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (factor("a", "demand", 0, 1, model="nobody"), "touches nothing"),
        (factor("a", "capacity", 0, 1, cloud="nobody"), "touches nothing"),
        (factor("a", "deal", 0, 1), "touches nothing"),
        (
            {"name": "a", "kind": "lost", "values": ["", "nobody"],
             "draw": {"kind": "choice", "weights": [1, 1]}},
            "there is no cloud, region, chip or vendor 'nobody'",
        ),
    ],
)  # fmt: skip
def test_a_factor_that_touches_nothing_is_a_fault(bad: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        problem_of(small_plan(), spec([*FACTORS[:2], bad]))


def test_a_factor_that_touches_nothing_may_be_ignored() -> None:
    """Plans that differ in what it moves are compared under one specification."""
    idle = [*FACTORS[:2], factor("a", "deal", 0, 1)]
    found = problem_of(small_plan(), spec(idle, untouched="ignore"))
    plain = problem_of(small_plan(), spec(FACTORS[:2]))
    for one, other in zip(found.periods, plain.periods, strict=True):
        assert one.moves.multipliers.products == other.moves.multipliers.products


def test_a_file_with_its_list(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("lost,growth\n,0.1\nalder,-0.2\n")
    text = """
list = "rows.csv"
[[factor]]
name = "growth"
kind = "demand_growth"
[[factor]]
name = "lost"
kind = "lost"
values = ["", "alder"]
"""
    (tmp_path / "a.toml").write_text(text)
    found = load_spec(tmp_path / "a.toml")
    assert page(found, 0).tolist() == [[0.1, 0.0], [-0.2, 1.0]]
    (tmp_path / "rows.csv").write_text("lost,growth,more\nbirch,0.1,1\nalder,x,1\n")
    with pytest.raises(InputError) as caught:
        load_spec(tmp_path / "a.toml")
    told = [str(f) for f in caught.value.faults]
    assert told == [
        "rows.csv:1: more: is no factor",
        "rows.csv:3: growth: 'x' is not a value of it",
        "rows.csv:2: lost: 'birch' is not a value of it",
    ]


@pytest.mark.parametrize("text", ["a = [", "\xff", None])
def test_a_file_that_is_no_specification(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "a.toml"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.toml"):
        load_spec(path)


def test_a_grid_takes_every_combination() -> None:
    factors = [
        {"name": "a", "kind": "demand", "values": [0.5, 1.0, 2.0]},
        {"name": "b", "kind": "capacity", "values": [0.0, 1.0]},
    ]
    found = spec(factors, design="grid")
    assert found.count == 6
    assert {tuple(row) for row in page(found, 0).tolist()} == {
        (a, b) for a in (0.5, 1.0, 2.0) for b in (0.0, 1.0)
    }


@pytest.mark.parametrize("design", ["latin-hypercube", "sobol", "random"])
def test_draws_have_their_distribution(design: str) -> None:
    draws_of = [
        {"kind": "uniform", "low": 1.0, "high": 3.0},
        {"kind": "lognormal", "median": 2.0, "sigma": 0.2},
        {"kind": "normal", "mean": 1.0, "sd": 0.1, "low": 0.8},
        {"kind": "triangular", "low": 0.0, "mode": 0.2, "high": 1.0},
    ]
    factors = [{"name": f"f{i}", "kind": "demand", "draw": d} for i, d in enumerate(draws_of)]
    found = spec(factors, design=design, scenarios=20_000)
    values = page(found, 0)
    again = page(spec(factors, design=design, scenarios=20_000), 0)
    np.testing.assert_array_equal(values, again)
    assert not np.array_equal(
        values, page(spec(factors, design=design, seed=4, scenarios=20_000), 0)
    )
    assert values[:, 0].min() >= 1.0
    assert values[:, 0].max() <= 3.0
    assert values[:, 0].mean() == pytest.approx(2.0, abs=0.02)
    assert np.median(values[:, 1]) == pytest.approx(2.0, rel=0.01)
    assert np.log(values[:, 1]).std() == pytest.approx(0.2, rel=0.03)
    assert values[:, 2].min() == 0.8
    assert values[:, 3].mean() == pytest.approx(0.4, abs=0.01)


def test_choices_come_with_their_weights() -> None:
    values = page(spec(scenarios=10_000), 0)[:, -1]
    assert np.bincount(values.astype(int)) / 10_000 == pytest.approx([0.7, 0.1, 0.1, 0.1], abs=1e-3)


def test_correlated_factors() -> None:
    names = [f["name"] for f in FACTORS[:3]]
    link = [{"factors": names[:2], "rho": 0.8}]
    values = page(spec(FACTORS[:3], scenarios=20_000, correlation=link), 0)
    found = np.asarray(np.corrcoef(values.T)).reshape(3, 3)
    assert found[0, 1] == pytest.approx(0.786, abs=0.02)  # 6/pi asin(rho/2) for uniforms
    assert abs(found[0, 2]) < 0.03
    pairs = [(0, 1, 0.9), (1, 2, 0.9), (0, 2, -0.9)]
    bad = [{"factors": [names[a], names[b]], "rho": rho} for a, b, rho in pairs]
    with pytest.raises(InputError, match="cannot hold together"):
        correlation_root(spec(FACTORS[:3], correlation=bad))


@pytest.mark.parametrize("design", ["latin-hypercube", "sobol"])
def test_a_scenario_is_the_same_however_it_is_asked_for(
    design: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "PAGE", 64)
    found = spec(design=design, scenarios=200)
    every = np.concatenate([page(found, n) for n in range(4)])
    assert len(every) == 200
    picked = np.array([150, 3, 199, 64, 63])
    np.testing.assert_array_equal(values_of(found, picked), every[picked])
    if design == "sobol":
        monkeypatch.setattr(draws, "PAGE", 256)
        np.testing.assert_array_equal(page(found, 0), every)
