"""Read a case folder: every table, every fault at once.

Files are data: nothing in them is evaluated. A file is read only if it is a regular file
inside the folder, UTF-8 and not larger than `MAX_BYTES`.
"""

from __future__ import annotations

import csv
import io
import tomllib
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from planner.case.case import Case
from planner.case.check import check
from planner.case.records import Record
from planner.case.settings import Settings
from planner.case.tables import SETTINGS_FILE, TABLES, Table
from planner.errors import Fault, InputError

MAX_BYTES = 64 * 1024 * 1024
"""Largest file that a case may hold."""
MAX_FAULTS_PER_FILE = 50
"""More faults than this in one file are counted, not listed."""


def load_case(folder: str | Path) -> Case:
    """Read and check a case folder.

    Raises InputError with every fault found; see `design` rules in docs/case.md.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError([Fault(str(folder), "is not a folder")])
    faults: list[Fault] = []
    tables: dict[str, tuple[Record, ...]] = {}
    lines: dict[str, tuple[int, ...]] = {}
    known = {SETTINGS_FILE, *(table.file for table in TABLES)}
    faults.extend(
        Fault(path.name, "is not a table of a case")
        for path in sorted(root.iterdir())
        if path.suffix in (".csv", ".toml") and path.name not in known
    )
    settings = _read_settings(root, faults)
    for table in TABLES:
        found: list[Fault] = []
        rows, at = _read_table(root, table, found)
        tables[table.name], lines[table.name] = rows, at
        faults.extend(found[:MAX_FAULTS_PER_FILE])
        if len(found) > MAX_FAULTS_PER_FILE:
            more = len(found) - MAX_FAULTS_PER_FILE
            faults.append(Fault(table.file, f"{more} more faults are not listed"))
    if faults or settings is None:
        raise InputError(faults)
    case = Case(settings, **tables)  # type: ignore[arg-type]
    faults = check(case, lines)
    if faults:
        raise InputError(faults)
    return case


def _read_text(root: Path, name: str, required: bool, faults: list[Fault]) -> str | None:
    """Text of a file of the folder, or None with a fault noted (none for a missing optional)."""
    path = root / name
    if not path.exists() and not path.is_symlink():
        if required:
            faults.append(Fault(name, "the file is missing"))
        return None
    if not path.resolve().is_relative_to(root.resolve()) or not path.is_file():
        faults.append(Fault(name, "is not a regular file inside the case folder"))
        return None
    if path.stat().st_size > MAX_BYTES:
        faults.append(Fault(name, f"is larger than {MAX_BYTES // 2**20} MiB"))
        return None
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.append(Fault(name, f"is not UTF-8 (byte {error.start})"))
        return None
    if "\x00" in text:
        faults.append(Fault(name, "holds a NUL byte"))
        return None
    return text


def _read_settings(root: Path, faults: list[Fault]) -> Settings | None:
    text = _read_text(root, SETTINGS_FILE, True, faults)
    if text is None:
        return None
    try:
        return Settings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(SETTINGS_FILE, f"is not TOML: {error}"))
    except ValidationError as error:
        faults.extend(_faults_of(error, SETTINGS_FILE, None))
    return None


def _read_table(
    root: Path, table: Table, faults: list[Fault]
) -> tuple[tuple[Record, ...], tuple[int, ...]]:
    """Records of a table and the line of each."""
    text = _read_text(root, table.file, table.required, faults)
    if text is None:
        return (), ()
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    raw: list[dict[str, str]] = []
    at: list[int] = []
    try:
        header = next(reader, [])
        if not _check_header(table, header, faults):
            return (), ()
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                rule = f"has {len(cells)} cells, the header has {len(header)}"
                faults.append(Fault(table.file, rule, reader.line_num))
                continue
            at.append(reader.line_num)
            raw.append({c: v.strip() for c, v in zip(header, cells, strict=True) if v.strip()})
    except csv.Error as error:
        faults.append(Fault(table.file, f"is not CSV: {error}", reader.line_num))
        return (), ()
    if not raw and table.required and not faults:
        faults.append(Fault(table.file, "the table has no rows"))
    return _parse(table, raw, at, faults)


def _check_header(table: Table, header: list[str], faults: list[Fault]) -> bool:
    """Whether the header has each needed column once and no unknown one."""
    columns = table.columns
    before = len(faults)
    if not header:
        faults.append(Fault(table.file, "the file is empty"))
        return False
    for name in dict.fromkeys(header):
        if name not in columns:
            faults.append(Fault(table.file, "is not a column of this table", 1, name or "''"))
        elif header.count(name) > 1:
            faults.append(Fault(table.file, "the column stands twice", 1, name))
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
    "string_pattern_mismatch": "'{value}' is not a valid label",
}


def _faults_of(error: ValidationError, file: str, line: int | None) -> list[Fault]:
    """Faults of a pydantic error, one for each field, in the planner's words."""
    faults = []
    for item in error.errors():
        context = {**item.get("ctx", {}), "value": str(item.get("input"))[:80]}
        template = _RULES.get(item["type"])
        rule = template.format(**context) if template else f"{context['value']!r}: {item['msg']}"
        column = ".".join(str(part) for part in item["loc"]) or None
        faults.append(Fault(file, rule, line, column))
    return faults
