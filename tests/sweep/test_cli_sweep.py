"""`planner sweep` from a run folder and a file to a file."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

import planner
from planner import Plan
from planner.cli import main
from planner.sweep.frames import heat_frame
from planner.sweep.results import load_sweep
from tests.cases import small_plan

run_module = import_module("planner.sweep.run")

SPEC = """
scenarios = 60
seed = 2

[[factor]]
name = "growth"
kind = "demand_growth"
draw = {kind = "uniform", low = -0.2, high = 0.8}

[[factor]]
name = "chips"
kind = "capacity"
draw = {kind = "uniform", low = 0.5, high = 1.0}
"""


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["planner", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    return int(code) if code is not None else 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_plan().save(tmp_path / "run")
    (tmp_path / "spec.toml").write_text(SPEC)
    return tmp_path


def test_sweep_prints_and_writes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = folder / "out.parquet"
    common = (str(folder / "run"), str(folder / "spec.toml"), "--out", str(target))
    quick = ("--solves", "20", "--audit-blocks", "50")
    assert call(monkeypatch, "sweep", *common, *quick) == 0
    said = capsys.readouterr().out
    assert "60 scenarios" in said
    assert "audit: 50 blocks" in said
    assert "growth" in said
    assert "of scenarios drawn and blocks audited)" in said
    assert "quantiles and the worst 5 % are those of proven lower bounds" in said
    assert "at least ┃ 99 % from" in said
    expected = load_sweep(target).summary["expected"]
    low, mean, high = (f"{expected[f'{name}_usd'] / 1e9:,.3f}" for name in ("low", "mean", "high"))
    assert f"expected cost: {mean} billion USD (99 % interval {low} to {high}" in said
    assert float(low) < float(mean) < float(high)
    assert load_sweep(target).summary["scenarios"] == 60
    assert call(monkeypatch, "sweep", *common, *quick) == 2
    assert "exists" in capsys.readouterr().err


GRID = """design = "grid"

[[factor]]
name = "growth"
kind = "demand_growth"
values = [-0.1, 0.2]

[[factor]]
name = "gone"
kind = "lost"
values = ["", "birch"]
"""
TOLD: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "exact": (
        ("--certify", "exact"),
        ("mean cost of these 4 scenarios: ", " USD, every block solved\n",
         "every block solved exactly: ", " none ", " birch "),
        ("99 %", "at least", "confidence", "expected"),
    ),
    "all audited": ((), ("every block solved\n", "at least"), ("99 %", "confidence")),
    "some audited": (
        ("--audit-blocks", "5"), ("(99 % interval ", ", of blocks audited)"), ("99 % from",)
    ),
    "one audited": (("--audit-blocks", "1"), ("too few blocks audited",), ("99 % interval",)),
    "bounds": (
        ("--certify", "bounds"), ("mean cost of these 4 scenarios: at least ",),
        ("audit", "confidence"),
    ),
    "both sides": (("--upper", "all"), ("at least ┃ at most",), ()),
}  # fmt: skip


@pytest.mark.parametrize("how", TOLD)
def test_a_grid_has_no_interval_of_sampling(
    how: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "grid.toml").write_text(GRID)
    asked, there, not_there = TOLD[how]
    target = folder / "out.parquet"
    code = call(
        monkeypatch, "sweep", str(folder / "run"), str(folder / "grid.toml"), "--out", str(target),
        *asked,
    )  # fmt: skip
    assert code == 0
    said = capsys.readouterr().out
    for words in there:
        assert words in said
    for words in not_there:
        assert words not in said
    rows, expected = load_sweep(target).columns(), load_sweep(target).summary["expected"]
    if how == "exact":
        mean = rows.cost_exact_usd.mean()
        assert [*expected.values()] == pytest.approx([mean, mean, mean], rel=1e-12)
    elif how == "bounds":
        assert expected["mean_usd"] is None
        assert expected["low_usd"] == pytest.approx(rows.cost_lower_usd.mean(), rel=1e-12)


def test_bounds_of_drawn_scenarios(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = folder / "out.parquet"
    assert call(monkeypatch, "sweep", str(folder / "run"), str(folder / "spec.toml"), "--out",
                str(target), "--certify", "bounds") == 0  # fmt: skip
    said = capsys.readouterr().out
    bounds = load_sweep(target).summary["cost_lower"]
    low = (bounds["mean_usd"] - bounds["mean_half_width_usd"]) / 1e9
    assert f"expected cost: at least {low:,.3f} billion USD at 99 % confidence" in said


def test_sweep_as_json(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = folder / "out.parquet"
    code = call(
        monkeypatch, "sweep", str(folder / "run"), str(folder / "spec.toml"), "--out", str(target),
        "--certify", "exact", "--solves", "20", "--json",
    )  # fmt: skip
    assert code == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["certify"] == "exact"
    assert summary["cost"]["mean_usd"] >= summary["cost_lower"]["mean_usd"]


def test_a_bad_specification_writes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "spec.toml").write_text(SPEC.replace('"capacity"', '"weather"'))
    target = folder / "out.parquet"
    code = call(
        monkeypatch, "sweep", str(folder / "run"), str(folder / "spec.toml"), "--out", str(target)
    )
    assert code == 2
    assert "factor 'chips': kind" in capsys.readouterr().err
    assert not list(folder.glob("out*"))


def test_ctrl_c_says_where_it_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_arguments: object, **_more: object) -> None:
        raise KeyboardInterrupt

    arguments = ("sweep", str(folder / "run"), str(folder / "spec.toml"),
                 "--out", str(folder / "s.parquet"))  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setattr(run_module, "sensitivity", stopped)
        assert call(patched, *arguments) == 3
    said = capsys.readouterr().err
    assert "goes on from" in said
    assert "nothing was written" not in said
    assert (folder / "s.parquet.work").is_dir()
    assert call(monkeypatch, *arguments) == 0
    assert not (folder / "s.parquet.work").exists()


def test_a_sweep_is_drawn(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = folder / "out.parquet"
    run, spec = str(folder / "run"), str(folder / "spec.toml")
    assert call(monkeypatch, "sweep", run, spec, "--out", str(target), "--solves", "20",
                "--audit-blocks", "10", "--upper", "all") == 0  # fmt: skip
    rows = load_sweep(target).columns()
    assert (rows.cost_lower_usd <= rows.cost_upper_usd).all()
    assert (rows.unserved_rerouted_interactive_million_requests >= 0).all()
    figures = folder / "figures"
    common = ("plot", "--sweep", str(target), "--out", str(figures))
    assert call(monkeypatch, *common) == 0
    for name in ("tornado", "fan", "heat_map"):
        assert (figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    other = ("--what", "heat_map", "--pair", "chips,growth", "--format", "svg")
    assert call(monkeypatch, *common, *other) == 0
    assert "heat_map.svg" in capsys.readouterr().out
    for wrong in (("--pair", "chips"), ("--pair", "chips,rain"), ("--what", "capacity")):
        assert call(monkeypatch, *common, "--force", *wrong) == 2
    assert call(monkeypatch, "plot", run, "--sweep", str(target)) == 2
    assert call(monkeypatch, "plot") == 2


def test_contracts_move_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "spec.toml").write_text(
        """design = "grid"

[[factor]]
name = "growth"
kind = "demand_growth"
values = [-0.05, 0.05]
"""
    )
    run, spec = str(folder / "run"), str(folder / "spec.toml")
    said = {}
    for name, more in (("a", ()), ("b", ("--json",))):
        target = folder / f"{name}.parquet"
        assert call(monkeypatch, "sweep", run, spec, "--out", str(target), "--replan", "--plans",
                    "1", "--gap", "0.05", *more) == 0  # fmt: skip
        said[name] = capsys.readouterr().out
    assert "2 scenarios, contracts free" in said["a"]
    assert "proven" in said["a"]
    assert json.loads(said["b"])["planned"] == 1
    assert call(monkeypatch, "plot", "--sweep", str(folder / "a.parquet")) == 2


def test_regret_of_two_plans(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, spec = str(folder / "run"), str(folder / "spec.toml")
    target = folder / "out.parquet"
    assert call(monkeypatch, "sweep", run, spec, "--out", str(target), "--solves", "20",
                "--audit-blocks", "10") == 0  # fmt: skip
    capsys.readouterr()
    assert call(monkeypatch, "regret", str(target), str(target)) == 0
    said = capsys.readouterr().out
    assert "100%" in said
    assert "from lower bounds" in said
    assert "+-" not in said
    assert call(monkeypatch, "regret", str(target), "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["mean_regret_usd"] == 0.0
    assert row["exact"] is False
    assert call(monkeypatch, "regret", str(folder / "spec.toml")) == 2


def test_the_difference_of_two_plans_by_factor(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "grid.toml").write_text(GRID)
    plan = small_plan()
    signed = plan.tables["contracts_signed"]
    fewer = {**plan.tables, "contracts_signed": signed.iloc[1:].reset_index(drop=True)}
    one, other = (
        planner.sweep(which, folder / "grid.toml", out=folder / f"{name}.parquet",
                      certify="exact", name=name)
        for name, which in (("whole", plan), ("fewer", Plan(plan.case, fewer, plan.summary)))
    )  # fmt: skip
    common = ("regret", str(one.path), str(other.path))
    assert call(monkeypatch, *common, "--by", "growth,gone") == 0
    said = capsys.readouterr().out
    assert "Cost of whole less that of fewer (million USD), across: gone" in said
    assert call(monkeypatch, *common, "--by", "growth,gone", "--json") == 0
    found = json.loads(capsys.readouterr().out)["difference"]
    both = (r.columns().set_index(["growth", "gone"]).cost_exact_usd for r in (one, other))
    apart = next(both) - next(both)
    assert len(found) == len(apart) == 4
    for cell in found:
        usd = apart[cell["growth"], cell["gone"]]
        assert cell["usd"] == pytest.approx(usd, rel=1e-9)
        assert f"{usd / 1e6:,.0f}" in said
    for wrong in ("growth", "growth,growth", "growth,rain"):
        assert call(monkeypatch, *common, "--by", wrong) == 2
    assert call(monkeypatch, "regret", str(one.path), "--by", "growth,gone") == 2
    figures = ("--out", str(folder / "figures"), "--what", "heat_map")
    assert call(monkeypatch, "plot", "--sweep", str(one.path), "--less", str(other.path),
                "--pair", "growth,gone", *figures) == 0  # fmt: skip
    frame = heat_frame(one, "growth", "gone", less=other)
    assert sorted(frame["usd"]) == pytest.approx(sorted(apart), rel=1e-9)
    assert {*frame["column"]} == {"none", "birch"}
