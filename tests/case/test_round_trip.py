"""A case that is saved and loaded again is the same case."""

from __future__ import annotations

import csv
import dataclasses
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.case import Case, load_case, save_case
from planner.case.records import Record
from planner.case.tables import SETTINGS_FILE, TABLE, TABLES
from planner.case.write import case_files

DATA = Path(__file__).parents[2] / "data"
EXAMPLES = ("small", "claude")

FREE = [
    ("chips", "hbm_gb"),
    ("chips", "kw_per_chip"),
    ("regions", "price_multiplier"),
    ("regions", "install_limit_chips"),
    ("supply", "chips"),
    ("network", "rtt_ms"),
    ("offers", "price_usd_per_chip_hour"),
    ("contracts", "chips"),
    ("contracts", "payment_usd_per_chip_hour"),
    ("classes", "ttft_ms"),
    ("classes", "penalty_usd_per_million_tokens"),
    ("serving", "output_tokens"),
    ("demand", "requests_per_s"),
    ("training", "value_usd"),
]
"""Numeric columns that no rule ties to others (`output_tokens` once nothing is measured)."""

SMALL = load_case(DATA / "small")


def edited(case: Case, table: str, row: int, **values: object) -> Case:
    """The case with other values in one row of a table."""
    rows: list[Record] = list(case.rows(table))
    rows[row] = rows[row].model_copy(update=values)
    return dataclasses.replace(case, **{table: tuple(rows)})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", EXAMPLES)
def test_saved_and_loaded_again_is_equal(name: str, tmp_path: Path) -> None:
    case = load_case(DATA / name)
    save_case(case, tmp_path / "one")
    again = load_case(tmp_path / "one")
    assert again == case
    assert again.sha256() == case.sha256()
    save_case(again, tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_the_hash_is_of_the_content_not_of_the_layout(tmp_path: Path) -> None:
    """Columns in another order, Windows line ends, quotes, a byte order mark, blank lines."""
    shutil.copytree(DATA / "small", tmp_path / "case")
    for path in (tmp_path / "case").glob("*.csv"):
        rows = list(csv.reader(path.read_text().splitlines()))
        with path.open("w", newline="", encoding="utf-8-sig") as out:
            writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
            for row in rows:
                writer.writerow(
                    [
                        f" {cell} " if i and row is not rows[0] else cell
                        for i, cell in reversed(list(enumerate(row)))
                    ]
                )
                if row is not rows[0]:
                    out.write("\r\n")
    assert load_case(tmp_path / "case") == SMALL
    assert load_case(tmp_path / "case").sha256() == SMALL.sha256()


def test_the_hash_of_the_small_case_has_not_changed_by_itself() -> None:
    assert SMALL.sha256() == load_case(DATA / "small").sha256()
    assert len(SMALL.sha256()) == 64
    assert int(SMALL.sha256(), 16) > 0


@pytest.mark.parametrize("table", [t.name for t in TABLES if SMALL.rows(t.name)])
def test_the_hash_changes_with_every_table(table: str) -> None:
    assert edited(SMALL, table, 0, source="elsewhere").sha256() != SMALL.sha256()
    swapped = dataclasses.replace(SMALL, **{table: SMALL.rows(table)[:-1]})  # type: ignore[arg-type]
    assert swapped.sha256() != SMALL.sha256()


def test_the_hash_changes_with_the_settings() -> None:
    other = SMALL.settings.model_copy(update={"horizon_end_haircut": 0.8})
    assert dataclasses.replace(SMALL, settings=other).sha256() != SMALL.sha256()


def test_a_folder_that_holds_anything_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty"):
        save_case(SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
    assert (tmp_path / "note.txt").read_text() == "mine"


def test_an_empty_or_new_folder_is_filled(tmp_path: Path) -> None:
    save_case(SMALL, tmp_path)
    save_case(SMALL, tmp_path / "deep" / "er")
    wanted = {SETTINGS_FILE, *(table.file for table in TABLES if SMALL.rows(table.name))}
    assert {path.name for path in (tmp_path / "deep" / "er").iterdir()} == wanted


def test_optional_tables_may_be_empty(tmp_path: Path) -> None:
    names = [table.name for table in TABLES if not table.required]
    assert names
    bare = dataclasses.replace(SMALL, **dict.fromkeys(names, ()))  # type: ignore[arg-type]
    assert not {TABLE[name].file for name in names} & case_files(bare).keys()
    save_case(bare, tmp_path)
    assert load_case(tmp_path) == bare


def test_text_that_needs_quoting_survives(tmp_path: Path) -> None:
    text = 'a "quoted", comma; semicolon\nline é = # \\ \u20ac'
    case = edited(SMALL, "pools", 0, source=text)
    other = SMALL.settings.model_copy(update={"description": text})
    case = dataclasses.replace(case, settings=other)
    save_case(case, tmp_path)
    assert load_case(tmp_path) == case


@settings(max_examples=60, deadline=None)
@given(
    edits=st.lists(
        st.tuples(
            st.sampled_from(FREE),
            st.integers(0, 10**6),
            st.floats(1e-9, 1e15, allow_subnormal=False),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_number_survives(edits: list[tuple[tuple[str, str], int, float]]) -> None:
    case = dataclasses.replace(SMALL, throughput=())
    for (table, column), row, value in edits:
        case = edited(case, table, row % len(case.rows(table)), **{column: value})
    with tempfile.TemporaryDirectory() as folder:
        save_case(case, folder)
        again = load_case(folder)
    assert again == case
    assert again.sha256() == case.sha256()
