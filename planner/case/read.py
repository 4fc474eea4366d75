"""Read a case folder: every table, every fault at once.

Files are data: nothing in them is evaluated. A file is read only if it is a regular file
inside the folder, UTF-8 and not larger than `MAX_BYTES`.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from planner.case.case import Case
from planner.case.check import check
from planner.case.overrides import (
    Override,
    override_rows,
    override_settings,
    parse_overrides,
)
from planner.case.records import Record
from planner.case.settings import Settings
from planner.case.tables import SETTINGS_FILE, TABLES, Table
from planner.errors import Fault, InputError

MAX_BYTES = 64 * 1024 * 1024
"""Largest file that a case may hold."""
MAX_FAULTS_PER_FILE = 50
"""More faults than this in one file are counted, not listed."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters other than tab and line ends: none of them belongs in a table."""


def load_case(folder: str | Path, overrides: Iterable[str] = ()) -> Case:
    """Read and check a case folder.

    `overrides` are texts such as `deals.maia-200.status=rejected` (see
    `planner.case.overrides`), put in place before anything is checked. Raises InputError with
    every fault found.
    """
    changes = parse_overrides(overrides)
    root = Path(folder)
    if not root.is_dir():
        raise InputError([Fault(str(folder), "is not a folder")])
    faults: list[Fault] = []
    tables: dict[str, tuple[Record, ...]] = {}
    lines: dict[str, tuple[int, ...]] = {}
    known = {SETTINGS_FILE, *(table.file for table in TABLES)}
    faults.extend(
        Fault(_plain(path.name), "is not a table of a case")
        for path in sorted(root.iterdir())
        if path.suffix in (".csv", ".toml") and path.name not in known
    )
    settings = _read_settings(root, changes, faults)
    broken: set[str] = set()
    for table in TABLES:
        found: list[Fault] = []
        tables[table.name], lines[table.name] = _read_table(root, table, changes, found)
        if found:
            broken.add(table.name)
        faults.extend(found)
    if settings is None:
        raise InputError(_listed(faults))
    case = Case(settings, **tables)  # type: ignore[arg-type]
    faults.extend(check(case, lines, broken))
    if faults:
        raise InputError(_listed(faults))
    return case


def _listed(faults: list[Fault]) -> list[Fault]:
    """The faults, at most `MAX_FAULTS_PER_FILE` of a file, the rest of them as a number."""
    counts: Counter[str] = Counter()
    out = []
    for fault in faults:
        counts[fault.file] += 1
        if counts[fault.file] <= MAX_FAULTS_PER_FILE:
            out.append(fault)
    for file, count in counts.items():
        if count > MAX_FAULTS_PER_FILE:
            out.append(Fault(file, f"{count - MAX_FAULTS_PER_FILE} more faults are not listed"))
    return out


def _plain(text: str) -> str:
    """The first 80 characters, those that would act on a terminal written as escapes."""
    head = text[:80]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in head)


def _read_text(root: Path, name: str, required: bool, faults: list[Fault]) -> str | None:
    """Text of a file of the folder, or None with a fault noted (none for a missing optional)."""
    path = root / name
    if not path.exists() and not path.is_symlink():
        if required:
            faults.append(Fault(name, "the file is missing"))
        return None
    try:
        # A loop of symlinks is a RuntimeError up to Python 3.12.
        inside = path.resolve().is_relative_to(root.resolve()) and path.is_file()
    except (OSError, RuntimeError):
        inside = False
    if not inside:
        faults.append(Fault(name, "is not a regular file inside the case folder"))
        return None
    if path.stat().st_size > MAX_BYTES:
        faults.append(Fault(name, f"is larger than {MAX_BYTES // 2**20} MiB"))
        return None
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        faults.append(Fault(name, f"cannot be read: {error.strerror}"))
        return None
    except UnicodeDecodeError as error:
        faults.append(Fault(name, f"is not UTF-8 (byte {error.start})"))
        return None
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        faults.append(Fault(name, f"holds the control character {control[0]!a}", line))
        return None
    return text


def _read_settings(root: Path, changes: Sequence[Override], faults: list[Fault]) -> Settings | None:
    text = _read_text(root, SETTINGS_FILE, True, faults)
    if text is None:
        return None
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers too long, lists too deep
        faults.append(Fault(SETTINGS_FILE, f"is not TOML: {error}"))
        return None
    override_settings(values, changes, faults)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        faults.extend(_faults_of(error, SETTINGS_FILE, None))
    return None


def _read_table(
    root: Path, table: Table, changes: Sequence[Override], faults: list[Fault]
) -> tuple[tuple[Record, ...], tuple[int, ...]]:
    """Records of a table and the line of each."""
    text = _read_text(root, table.file, table.required, faults)
    if text is None:
        return (), ()
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    raw: list[dict[str, str]] = []
    at: list[int] = []
    start = 1  # first line of the row that is being read; a quoted cell may hold line ends
    try:
        header = next(reader, [])
        if not _check_header(table, header, faults):
            return (), ()
        start = reader.line_num + 1
        for cells in reader:
            line, start = start, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                rule = f"has {len(cells)} cells, the header has {len(header)}"
                faults.append(Fault(table.file, rule, line))
                continue
            at.append(line)
            raw.append({c: v.strip() for c, v in zip(header, cells, strict=True) if v.strip()})
    except csv.Error as error:
        faults.append(Fault(table.file, f"is not CSV: {error}", start))
        return (), ()
    if not raw and table.required and table.rows and not faults:
        faults.append(Fault(table.file, "the table has no rows"))
    override_rows(table, raw, changes, faults)
    return _parse(table, raw, at, faults)


def _check_header(table: Table, header: list[str], faults: list[Fault]) -> bool:
    """Whether the header has each needed column once and no unknown one."""
    columns = table.columns
    before = len(faults)
    if not header:
        faults.append(Fault(table.file, "the first line must be the header, it is empty"))
        return False
    for name in dict.fromkeys(header):
        if name not in columns:
            faults.append(
                Fault(table.file, "is not a column of this table", 1, _plain(name) or "''")
            )
        elif header.count(name) > 1:
            faults.append(Fault(table.file, "the column stands twice", 1, _plain(name)))
    for name, field in columns.items():
        if table.record.model_fields[field].is_required() and name not in header:
            faults.append(Fault(table.file, "the column is missing", 1, name))
    return len(faults) == before


def _parse(
    table: Table, raw: list[dict[str, str]], at: list[int], faults: list[Fault]
) -> tuple[tuple[Record, ...], tuple[int, ...]]:
    rows: list[Record] = []
    lines: list[int] = []
    adapter: TypeAdapter[Any] = TypeAdapter(table.record)
    seen: dict[tuple[str, ...], int] = {}
    for cells, line in zip(raw, at, strict=True):
        try:
            row = adapter.validate_python(cells)
        except ValidationError as error:
            faults.extend(_faults_of(error, table.file, line))
            continue
        key = tuple(str(getattr(row, table.columns[column])) for column in table.key)
        if key in seen:
            rule = f"repeats line {seen[key]} ({', '.join(key)})"
            faults.append(Fault(table.file, rule, line, "/".join(table.key)))
            continue
        seen[key] = line
        rows.append(row)
        lines.append(line)
    return tuple(rows), tuple(lines)


_LABELS = "A-Z, a-z, 0-9, blanks and . _ + / -, a letter or digit first"
_PERIODS = "a year and a quarter or month, such as 2027-Q1 or 2027-01"
_RULES = {
    "greater_than": "{value} is not above {gt:g}",
    "greater_than_equal": "{value} is below {ge:g}",
    "less_than": "{value} is not below {lt:g}",
    "less_than_equal": "{value} is above {le:g}",
    "finite_number": "{value} is not a finite number",
    "missing": "a value is missing",
    "float_parsing": "'{value}' is not a number",
    "int_parsing": "'{value}' is not a whole number",
    "int_from_float": "{value} is not a whole number",
    "bool_parsing": "'{value}' is neither true nor false",
    "literal_error": "'{value}' is not one of {expected}",
    "extra_forbidden": "is not a known key",
    "string_pattern_mismatch": "'{value}' is not a valid label: {allowed}",
    "value_error": "'{value}' {error}",
}


def _faults_of(error: ValidationError, file: str, line: int | None) -> list[Fault]:
    """Faults of a pydantic error, one for each field, in the planner's words."""
    faults = []
    for item in error.errors():
        context = {**item.get("ctx", {}), "value": _plain(str(item.get("input")))}
        context["allowed"] = _PERIODS if r"\d{4}" in str(context.get("pattern")) else _LABELS
        template = _RULES.get(item["type"])
        rule = template.format(**context) if template else f"{context['value']!r}: {item['msg']}"
        column = ".".join(_plain(str(part)) for part in item["loc"]) or None
        faults.append(Fault(file, rule, line, column))
    return faults
