"""Every column has an effect: perturbed, it changes the instance or the provenance, or raises."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from planner.case import Case, load_case, save_case
from planner.case.calendar import add_months
from planner.case.settings import Settings, TimeSlice
from planner.case.tables import SETTINGS_FILE, TABLE, TABLES
from planner.case.write import case_files
from planner.errors import InputError
from planner.instance import Instance, build_instance
from planner.provenance import provenance
from tests.case.rule_tables import RULE_TABLES, rules_case
from tests.cases import DATA, small_case

ON_RULES = ("offers.deal", "offers.guaranteed", "training.generation", "qualification_engineers")
"""Columns and keys of other tables that only the rules give a meaning to."""
COLUMNS = [(table.name, column) for table in TABLES for column in table.columns]
SHOWN = ("name", "description")
"""Keys of case.toml that no number depends on: they are shown with the plan."""


def base(table: str, column: str = "") -> Case:
    """The case on which a column is walked: data/small, or the one with rules beside it."""
    ruled = f"{table}.csv" in RULE_TABLES or (f"{table}.{column}" if column else table) in ON_RULES
    return rules_case() if ruled else small_case()


@cache
def numbers(ruled: bool) -> tuple[Instance, Any]:
    """Instance and provenance of a case as it is."""
    case = rules_case() if ruled else small_case()
    return build_instance(case), provenance(case)


def same(a: Any, b: Any) -> bool:
    """Whether two values are equal all the way down."""
    if type(a) is not type(b):
        return False
    if dataclasses.is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(one, two) for one, two in zip(a, b, strict=True))
    if isinstance(a, np.ndarray):
        return bool(a.dtype.kind == b.dtype.kind and np.array_equal(a, b))
    return bool(a == b)


def annotation_types(annotation: Any) -> Iterator[Any]:
    """The plain types, and the literals, inside an annotation."""
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for part in inner:
        yield from annotation_types(part)


VALUED = [
    (table.name, column)
    for table in TABLES
    for column, field in table.columns.items()
    if float in annotation_types(table.record.model_fields[field].annotation)
    # The tokens of a measured rate are a key: they must be those of a workload.
    and (table.name, column[-7:]) != ("throughput", "_tokens")
]
"""Columns of numbers: that a change raises is not enough, an accepted one must change an array."""


def other_values(table: str, column: str, text: str, column_texts: list[str]) -> list[str]:
    """Sensible perturbations of a cell, by the type of its column."""
    info = TABLE[table].record.model_fields[TABLE[table].columns[column]]
    types = list(annotation_types(info.annotation))
    literals = [part for part in types if isinstance(part, str)]
    if column in ("source", "campus"):
        return [text + " elsewhere"] if text else ["elsewhere"]
    if literals:
        return [name for name in literals if name != text]
    if bool in types:
        return ["false" if text == "true" else "true"]
    if date in types:
        day = date.fromisoformat(text) if text else date(2026, 10, 1)
        return [str(add_months(day, 3)), str(add_months(day, -3))]
    if tuple in types or Ellipsis in types:
        items = [item for item in text.split(";") if item]
        if float in types:
            return ["0.3;1"] if items in (["1.0"], ["1"]) else ["1"]
        return [name for name in sorted(set(column_texts)) if name != text] or ["*"]
    if int in types:
        return [str(max(1, round(float(text or 0) * 1.1) + 1)), "1", "0"]
    if float in types:
        value = float(text or 0)
        if not value:
            return ["0.1", "100"]
        # A limit that is slack in this case needs a larger step, or a share close to 1; numbers
        # that others of the row bound, a smaller one.
        return [*(repr(value * factor) for factor in (1.1, 0.9, 0.4, 4.0, 1.001)), "0.9999"]
    return [name for name in sorted(set(column_texts)) if name not in ("", text)] + ["other"]


def effect(folder: Path, case: Case) -> str:
    """What differs from the case as it was: instance, provenance or raises; '' for nothing."""
    instance, known = numbers(case is rules_case())
    try:
        other = load_case(folder)
        built = build_instance(other)
    except InputError:
        return "raises"
    if not same(built, instance):
        return "instance"
    return "" if provenance(other).equals(known) else "provenance"


def effects(folder: Path, table: str, column: str) -> Iterator[str]:
    """Effect of each perturbation of each row, in the order of the rows."""
    case = base(table, column)
    save_case(case, folder)
    text = case_files(case)[TABLE[table].file]
    rows = list(csv.DictReader(io.StringIO(text)))
    texts = [row[column] for row in rows]
    for row in rows:
        was = row[column]
        for value in other_values(table, column, was, texts):
            row[column] = value
            out = io.StringIO()
            writer = csv.DictWriter(out, list(row), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            (folder / TABLE[table].file).write_text(out.getvalue())
            yield effect(folder, case)
        row[column] = was


@pytest.mark.parametrize("case", [small_case(), rules_case()], ids=["small", "rules"])
def test_an_unchanged_case_has_no_effect(case: Case, tmp_path: Path) -> None:
    """Else every test below would pass."""
    save_case(case, tmp_path)
    assert effect(tmp_path, case) == ""


def test_the_walk_covers_every_column_of_the_files() -> None:
    """A table needs rows in the case on which it is walked, or its columns show nothing."""
    for table in TABLES:
        case = base(table.name)
        assert case.rows(table.name), table.file
        header = case_files(case)[table.file].splitlines()[0].split(",")
        assert [(table.name, column) for column in header] == [
            pair for pair in COLUMNS if pair[0] == table.name
        ]
    files = {SETTINGS_FILE, *(t.file for t in TABLES)}
    there = {path.name for path in (DATA / "small").iterdir()}
    assert files - set(RULE_TABLES) <= there <= files


@pytest.mark.parametrize(
    ("table", "column"), [pytest.param(*name, id=".".join(name)) for name in COLUMNS]
)
def test_column_has_an_effect(table: str, column: str, tmp_path: Path) -> None:
    # Some bases and sources are carried along with the numbers (prices, rates, MFU).
    wanted = {"instance", "provenance" if column in ("source", "basis", "proxy") else "raises"}
    if (table, column) in VALUED:
        wanted = {"instance"}
    assert any(found in wanted for found in effects(tmp_path, table, column)), (
        f"{table}.{column}: no accepted change in any row has an effect"
    )


def setting_values(key: str) -> list[Any]:
    """Perturbations of a key of case.toml."""
    values: dict[str, list[Any]] = {
        "start": ["2027-01-01"],
        "as_of": ["2027-02-22"],
        "period": ["month"],
        "periods": [3, 5],
        "discount_rate_per_year": [0.088],
        "horizon_end_haircut": [0.8],
        "reference_chip": ["gb200"],
        "flow_floor_chips": [0.55],
        "qualification_engineers": [3.5],
        "name": ["other"],
        "description": ["other"],
    }
    return values[key]


@pytest.mark.parametrize("key", [k for k in Settings.model_fields if k != "slices"])
def test_setting_has_an_effect(key: str, tmp_path: Path) -> None:
    case = base(key)
    folder = tmp_path / "case"
    save_case(case, folder)
    for value in setting_values(key):
        lines = (folder / SETTINGS_FILE).read_text().splitlines()
        known = [line for line in lines if line.startswith(f"{key} =")]
        if known:
            lines.remove(known[0])  # the first: slices have names too
        lines[:0] = [f"{key} = {value if key in ('start', 'as_of') else json.dumps(value)}"]
        (folder / SETTINGS_FILE).write_text("\n".join(lines))
        if key in SHOWN:
            assert effect(folder, case) == ""
            assert getattr(load_case(folder).settings, key) == value
            assert load_case(folder).sha256() != case.sha256()
        else:
            assert effect(folder, case) in ("instance", "raises")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "weekday"', 'name = "working"'),
        ('days = "weekday"', 'days = "all"'),
        ("from_hour_utc = 0", "from_hour_utc = 1"),
        ("to_hour_utc = 24", "to_hour_utc = 23"),
    ],
)
def test_key_of_a_slice_has_an_effect(old: str, new: str, tmp_path: Path) -> None:
    assert old.split(maxsplit=1)[0] in TimeSlice.model_fields
    save_case(small_case(), tmp_path)
    text = (tmp_path / SETTINGS_FILE).read_text()
    assert old in text
    (tmp_path / SETTINGS_FILE).write_text(text.replace(old, new, 1))
    assert effect(tmp_path, small_case()) in ("instance", "raises")
