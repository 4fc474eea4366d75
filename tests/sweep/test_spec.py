"""Specifications are checked like a case; draws depend on nothing but spec and scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.errors import InputError
from planner.instance import build_instance
from planner.sweep import draws
from planner.sweep.draws import correlation_root, page, values_of
from planner.sweep.kinds import KINDS
from planner.sweep.labels import labels_of
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
    "rows of a drawn design": ({"rows": [[0.0] * 6]}, "latin-hypercube takes none"),
    "narrow row": ({"design": "list", "rows": [[0.0] * 5]}, "rows: 1: 5 values for 6 factors"),
    "correlated grid": (
        {"design": "grid", "factor": [{"name": "a", "kind": "demand", "values": [1]},
                                      {"name": "b", "kind": "demand", "values": [1]}],
         "correlation": [{"factors": ["a", "b"], "rho": 0.5}]},
        "nothing is drawn in a grid",
    ),
    "scenarios of a grid": (
        {"design": "grid", "scenarios": 10,
         "factor": [{"name": "a", "kind": "demand", "values": [1, 2]}]},
        "a grid has its own number",
    ),
    "grid of too many": (
        {"design": "grid", "factor": [{"name": f"f{i}", "kind": "demand", "values": [*range(100)]}
                                      for i in range(5)]},
        "10,000,000,000 scenarios",
    ),
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


RANGES = {
    "demand": (0.0, None),
    "demand_growth": (-1.0, None),
    "capacity": (0.0, None),
    "deal": (0.0, 1.0),
    "price": (0.0, None),
    "efficiency": (-1.0, None),
    "rate_band": (-1.0, 1.0),
    "lost": (0.0, 2.0),
}
NAMES = ["", "alder", "birch"]


def told(**values: Any) -> list[str]:
    """Faults of a specification, without their file."""
    with pytest.raises(InputError) as caught:
        spec_of(values)
    return [str(fault).removeprefix("spec: ") for fault in caught.value.faults]


@pytest.mark.parametrize("kind", RANGES)
def test_values_outside_of_the_range_of_their_kind_are_refused(kind: str) -> None:
    """Of grids, choices, rows and the ends of draws; what lies on the ends is taken."""
    low, high = RANGES[kind]
    ends = [end for end in (low, high) if end is not None]
    outside = [low - 0.25] + ([high + 1.25] if high is not None else [])
    rules = [f"{low - 0.25:g} is below {low:g}"]
    rules += [f"{high + 1.25:g} is above {high:g}"] if high is not None else []
    one: dict[str, Any] = {"name": "a", "kind": kind}
    if kind == "lost":
        one["values"] = NAMES
    rows = [[value] for value in (ends[0], *outside, ends[-1])]
    assert told(design="list", factor=[one], rows=rows) == [
        f"rows: {i}: factor 'a': {rule}" for i, rule in enumerate(rules, 2)
    ]
    assert spec_of({"design": "list", "factor": [one], "rows": [[v] for v in ends]}).count
    if kind in ("lost", "deal"):
        for draw in ({"kind": "uniform", "low": 0, "high": 1}, {"kind": "lognormal", "sigma": 1},
                     {"kind": "normal", "mean": 0, "sd": 1}):  # fmt: skip
            assert told(factor=[{**one, "draw": draw}]) == [
                f"factor 'a': draw: {kind} takes draws of kind choice only"
            ]
        (half,) = told(design="list", factor=[one], rows=[[0.5]])
        assert half == "rows: 1: factor 'a': 0.5 is not a whole number"
    if kind == "lost":
        return
    assert told(design="grid", factor=[{**one, "values": [*ends, *outside]}]) == [
        f"factor 'a': values: {rule}" for rule in rules
    ]
    assert spec_of({"design": "grid", "factor": [{**one, "values": ends}]}).count == len(ends)
    if kind == "deal":
        return
    top = 3.0 if high is None else high
    shapes: list[dict[str, Any]] = [{"kind": "uniform"}, {"kind": "triangular", "mode": 0.5}]
    for draw in (*shapes,
                 {"kind": "normal", "mean": 0.5, "sd": 1}):  # fmt: skip
        wide = {**draw, "low": outside[0], "high": top if high is None else outside[1]}
        ends_told = [
            f"factor 'a': draw: {end}: {rule}"
            for end, rule in zip(("low", "high"), rules, strict=False)
        ]
        assert told(factor=[{**one, "draw": wide}]) == ends_told
        assert spec_of({"factor": [{**one, "draw": {**draw, "low": low, "high": top}}]})


def test_a_normal_ends_where_its_kind_does() -> None:
    wide = {"kind": "normal", "mean": 0.1, "sd": 2.0}
    for kind, (low, high) in RANGES.items():
        if kind in ("lost", "deal"):
            continue
        values = page(spec([{"name": "a", "kind": kind, "draw": wide}], scenarios=2000), 0)
        assert values.min() == low
        assert values.max() == high if high is not None else values.max() > 4
    late = page(spec([{"name": "a", "kind": "slip_days", "draw": wide}], scenarios=2000), 0)
    assert late.min() < -4
    narrow = {**wide, "low": 0.5}
    assert page(spec([{"name": "a", "kind": "demand", "draw": narrow}]), 0).min() == 0.5
    (fault,) = told(factor=[{"name": "a", "kind": "price", "draw": {**wide, "high": -1}}])
    assert fault == "factor 'a': draw: high: -1 is below 0"


@pytest.mark.parametrize(
    ("kind", "value"),
    [("demand", 1e30), ("demand_growth", 1e300), ("price", 2e4), ("slip_days", -1e9)],
)
def test_a_slip_of_the_pen_is_refused(kind: str, value: float) -> None:
    one: dict[str, Any] = {"name": "a", "kind": kind}
    (grid,) = told(design="grid", factor=[{**one, "values": [0.5, value]}])
    assert grid == f"factor 'a': values: {value:g} is beyond {KINDS[kind].most:g}"
    (drawn,) = told(factor=[{**one, "draw": {"kind": "normal", "mean": value, "sd": 1}}])
    assert drawn.startswith(f"factor 'a': draw: mean: {value:g} is beyond ")


def test_a_lognormal_has_no_end() -> None:
    draw = {"kind": "lognormal", "sigma": 1}
    (fault,) = told(factor=[{"name": "a", "kind": "rate_band", "draw": draw}])
    assert fault == "factor 'a': draw: a lognormal has no largest value; rate_band ends at 1"


def test_all_that_is_wrong_with_a_factor_is_told_at_once() -> None:
    bad = {
        "name": "a", "kind": "price", "where": {"class": "batch", "model": "small"},
        "values": [-1, 2, -3], "draw": {"kind": "choice", "weights": [0]},
    }  # fmt: skip
    worse = {"name": "b", "kind": "demand", "values": ["x", "y"],
             "draw": {"kind": "triangular", "low": -2, "mode": 5, "high": 1}}  # fmt: skip
    assert len(told(factor=[bad, worse])) == 6 + 4


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (factor("a", "demand", 0, 1, model="nobody"), "where: there is no model 'nobody'"),
        (factor("a", "capacity", 0, 1, cloud="nobody"), "where: there is no cloud 'nobody'"),
        (factor("a", "demand", 0, 1, **{"class": "batch", "period": "2026-Q4", "model": ["base"]}),
         "there is no model 'base'"),
        (factor("a", "capacity", 0, 1, cloud="birch", region="us-1"), "touches nothing"),
        ({"name": "a", "kind": "deal", "values": [0, 1],
          "draw": {"kind": "choice", "weights": [1, 1]}}, "touches nothing"),
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


def test_every_label_must_be_one_of_the_case() -> None:
    """Also where another one of the list fits; the nearest is suggested."""
    bad = [
        factor("a", "capacity", 0, 1, cloud=["alder", "brich"]),
        factor("b", "capacity", 0, 1, chip=["h200", "h20"], vendor="nvidea"),
        factor("c", "demand", 0, 1, period=["2027-Q1", "2031-Q1"]),
        factor("d", "price", 0, 1, offer=["on-demand", "demand"]),
        {"name": "e", "kind": "lost", "values": ["", "cedra"],
         "draw": {"kind": "choice", "weights": [1, 1]}},
    ]  # fmt: skip
    with pytest.raises(InputError) as caught:
        problem_of(small_plan(), spec(bad))
    assert [str(fault).removeprefix("spec: factor ") for fault in caught.value.faults] == [
        "'a': where: there is no cloud 'brich'; is 'birch' meant?",
        "'b': where: there is no chip 'h20'; is 'h200' meant?",
        "'b': where: there is no vendor 'nvidea'; is 'nvidia' meant?",
        "'c': where: there is no period '2031-Q1'; is '2027-Q1' meant?",
        "'d': where: there is no offer 'demand'; is 'on-demand' meant?",
        "'e': there is no cloud, region, chip or vendor 'cedra'; is 'cedar' meant?",
    ]
    ignored = spec([*FACTORS[:2], *bad[:4]], untouched="ignore")
    assert problem_of(small_plan(), ignored).spec is ignored


def test_a_region_goes_by_its_name_or_with_its_cloud() -> None:
    named = ("us-1", "alder/us-1", ["cedar/us-2", "us-1"], ["us-2", "alder/us-1"])
    found = [
        problem_of(small_plan(), spec([factor("a", "capacity", 0, 1, region=name)]))
        for name in named
    ]
    kept = [[p.moves.kept.tolist() + p.moves.new.tolist() for p in one.periods] for one in found]
    assert kept[0] == kept[1] != kept[2] == kept[3]


def test_labels_are_those_that_factors_meet() -> None:
    """What the case calls itself and what sweeps fit factors to are the same names."""
    plan = small_plan()
    known, inst = labels_of(plan.case), build_instance(plan.case)
    pools, sv = inst.pools, inst.serving
    met = {
        "cloud": pools.cloud, "region": pools.region, "chip": pools.chip, "vendor": pools.vendor,
        "workload": sv.names, "model": sv.model, "geography": sv.geography,
        "class": sv.service_class, "channel": sv.channel, "period": inst.time.periods,
        "offer": (*inst.pay.offer, *inst.starts.offer), "deal": {*inst.starts.deal} - {""},
    }  # fmt: skip
    assert {*met} == {*known} == {key for kind in KINDS.values() for key in kind.where}
    for key, labels in met.items():
        assert {*labels} <= known[key], key


def test_a_factor_that_touches_nothing_may_be_ignored() -> None:
    """Plans that differ in what it moves are compared under one specification."""
    signed = {"kind": "choice", "weights": [1, 1]}
    idle = [*FACTORS[:2], {"name": "a", "kind": "deal", "values": [0, 1], "draw": signed}]
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
    assert [str(f) for f in caught.value.faults] == [
        "rows.csv:1: more: is no factor",
        "rows.csv:2: lost: 'birch' is not a value of it",
        "rows.csv:3: growth: 'x' is not a value of it",
    ]
    # What is wrong with the specification is told beside what is wrong with its rows.
    (tmp_path / "rows.csv").write_text("lost,growth,lost\nalder,-2,alder\n\n,1\nalder,nan,x\n")
    (tmp_path / "a.toml").write_text('seed = -1\ndesign = "grid"\n' + text)
    with pytest.raises(InputError) as caught:
        load_spec(tmp_path / "a.toml")
    assert [str(f) for f in caught.value.faults] == [
        "rows.csv:1: lost: stands twice",
        "rows.csv:2: growth: -2 is below -1",
        "rows.csv:4: 2 values for 3 columns",
        "rows.csv:5: growth: nan is no finite number",
        "rows.csv:5: lost: 'x' is not a value of it",
        "a.toml: design: a list has no other design",
        "a.toml: seed: Input should be greater than or equal to 0",
    ]
    (tmp_path / "rows.csv").write_text('"a')
    with pytest.raises(InputError, match="cannot be read"):
        load_spec(tmp_path / "a.toml")


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


def test_correlations_stand_once() -> None:
    def asked(*links: tuple[list[str], float]) -> Any:
        return correlation_root(
            spec(correlation=[{"factors": names, "rho": rho} for names, rho in links])
        )

    assert asked((["growth", "batch"], 0.5), (["batch", "growth"], 0.5)) is not None
    with pytest.raises(InputError, match="two correlations"):
        asked((["growth", "batch"], 0.5), (["batch", "growth"], -0.5))
    with pytest.raises(InputError, match="stands twice"):
        asked((["growth", "growth"], 0.5))
