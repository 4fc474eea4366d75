"""`planner sweep` from a run folder and a file to a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from planner.cli import main
from planner.sweep.results import load_sweep
from tests.cases import small_plan

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
    assert load_sweep(target).summary["scenarios"] == 60
    assert call(monkeypatch, "sweep", *common, *quick) == 2
    assert "exists" in capsys.readouterr().err


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
