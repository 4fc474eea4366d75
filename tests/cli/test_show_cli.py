"""`planner plot`, `report` and `tables`: what they write, what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.output import write_files
from planner.plot import available
from planner.workbook import every_table
from tests.cases import small_plan
from tests.cli.test_cli import Here


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Here:
    monkeypatch.chdir(tmp_path)
    small_plan().save("run")
    return Here(tmp_path, monkeypatch, capsys)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_plot_writes_what_is_asked(here: Here) -> None:
    done = here("plot", "run", "--what", "cost", "--what", "power", "--format", "svg", "--json")
    assert done.code == 0
    assert names(here.folder / "figures") == ["cost.svg", "power.svg"]
    assert len(done.json()["files"]) == 2
    again = here("plot", "run", "--what", "cost", "--format", "svg")
    assert again.code == 2
    assert "exists; --force replaces it" in again.err
    assert here("plot", "run", "--what", "cost", "--format", "svg", "--force").code == 0


def test_plot_draws_all_by_default(here: Here) -> None:
    assert here("plot", "run", "--out", "all").code == 0
    assert names(here.folder / "all") == sorted(f"{name}.png" for name in available(small_plan()))


def test_an_unknown_figure_is_refused_and_nothing_written(here: Here) -> None:
    done = here("plot", "run", "--what", "cost", "--what", "nonsense")
    assert done.code == 2
    assert "nonsense" in done.err
    assert here.files() == ["run"]


def test_report_writes_one_file(here: Here) -> None:
    assert here("report", "run", "--out", "r.html").code == 0
    assert (here.folder / "r.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert here("report", "run", "--out", "r.html").code == 2
    assert here("report", "nowhere").code == 2


@pytest.mark.parametrize("format_", ["xlsx", "parquet", "csv"])
def test_tables_in_each_format(here: Here, format_: str) -> None:
    done = here("tables", "run", "--format", format_, "--out", "made")
    assert done.code == 0
    made = here.folder / "made"
    if format_ == "xlsx":
        assert made.read_bytes().startswith(b"PK")
    else:
        assert names(made) == sorted(f"{name}.{format_}" for name in every_table(small_plan()))


def test_files_are_written_all_or_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    wanted = {tmp_path / "new": b"1", tmp_path / "file": b"2", tmp_path / "file" / "below": b"3"}
    with pytest.raises(Exception, match="exists; --force replaces it") as caught:
        write_files(wanted)
    assert "is not a folder" in str(caught.value)
    assert names(tmp_path) == ["file"]
    write_files({tmp_path / "file": b"2"}, force=True)
    assert (tmp_path / "file").read_bytes() == b"2"
    assert names(tmp_path) == ["file"]
