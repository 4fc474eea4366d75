"""`planner explain`: what it prints, its exit codes, and how `planner solve` points to it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from planner.case.write import save_case
from planner.cli import main
from tests.cases import DATA, small_plan
from tests.explain.planted import planted


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["planner", *arguments])
    capsys.readouterr()
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_case(planted("budget-below-what-a-placement-takes"), tmp_path / "case")
    return tmp_path / "case"


def test_an_infeasible_case_is_4_and_says_why(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = run(capsys, monkeypatch, "explain", str(folder))
    assert code == 4
    assert "has no plan (proven)" in out
    assert "budget rule 'cash': limits.csv:3: bound: 63.100 million USD -> 65.087 million" in out
    assert "--set limits.cash.bound=65087100" in out
    code, out, _ = run(capsys, monkeypatch, "explain", str(folder), "--json")
    assert code == 4
    assert json.loads(out)["rules"][0] == "budget rule 'cash'"
    code, out, _ = run(
        capsys, monkeypatch, "explain", str(folder), "--set", "limits.cash.bound=65087100"
    )
    assert code == 0
    assert "has a plan" in out


def test_solve_points_to_it_with_the_same_overrides(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = folder.parent / "run"
    code, _, err = run(
        capsys, monkeypatch, "solve", str(folder), "--out", str(target),
        "--set", "limits.cash.bound=6.4e7",
    )  # fmt: skip
    assert code == 4
    assert len(err.splitlines()) == 1
    assert f"planner explain {folder} --set limits.cash.bound=6.4e7" in err
    assert not target.exists()


def test_whole_numbers_are_said_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_case(planted("engineers"), tmp_path / "case")
    code, out, _ = run(capsys, monkeypatch, "explain", str(tmp_path / "case"))
    assert code == 4
    assert "whole ones do not" in out
    assert "case.toml: qualification_engineers: 9 engineers -> 10 engineers" in out


def test_a_limit_below_what_is_signed_is_a_fault_of_reading(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run(
        capsys, monkeypatch, "explain", str(folder), "--set", "limits.cash.bound=4e7"
    )
    assert (code, out) == (2, "")
    assert "rule 'cash' from 2027-Q2 cannot hold in 2027-Q2" in err


def test_a_run_keeps_its_own_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small_plan().save(tmp_path / "run")
    change = ("--set", "case.discount_rate_per_year=0.1")
    code, _, err = run(capsys, monkeypatch, "explain", str(tmp_path / "run"), *change)
    assert code == 2
    assert "a run keeps its own copy" in err


def test_shortages_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = [f"supply.{cloud}.chips=500" for cloud in ("alder", "birch", "cedar")]
    options = [part for text in changes for part in ("--set", text)]
    code, out, _ = run(capsys, monkeypatch, "explain", str(DATA / "small"), *options)
    assert code == 0
    assert "unserved: interactive demand" in out
    assert "Limits to lift" in out
