"""Overrides of single values without editing files: `--set deals.maia-200.status=rejected`.

An override is `table.row.column=value`; row is the value of the table's first key column, and
all rows that have it are changed. `case.key=value` changes a scalar of `case.toml`. Values are
checked like those of a file. Nothing is evaluated.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from planner.case.tables import TABLE, Table
from planner.errors import Fault, InputError


@dataclass(frozen=True)
class Override:
    """One value to put in place of a file's."""

    text: str
    """As it was given."""
    table: str
    """Table, or `case` for `case.toml`."""
    row: str
    """Value of the table's first key column; '' for `case`."""
    column: str
    """Column or key."""
    value: str
    """New text of the cell."""


def parse_overrides(texts: Iterable[str]) -> tuple[Override, ...]:
    """Overrides from their texts. Raises InputError naming each that cannot be understood."""
    faults, out = [], []
    for text in texts:
        path, equals, value = text.partition("=")
        parts = path.split(".")
        table, row, column = parts[0], ".".join(parts[1:-1]), parts[-1]
        if not equals or len(parts) < 2:
            faults.append(Fault("--set", f"'{text}' is not table.row.column=value"))
        elif table == "case" and not row:
            out.append(Override(text, table, "", column, value.strip()))
        elif table not in TABLE:
            faults.append(Fault("--set", f"'{text}': there is no table '{table}'"))
        elif not row:
            faults.append(Fault("--set", f"'{text}' names no row"))
        elif column not in TABLE[table].columns:
            faults.append(Fault("--set", f"'{text}': {table} has no column '{column}'"))
        else:
            out.append(Override(text, table, row, column, value.strip()))
    if faults:
        raise InputError(faults)
    return tuple(out)


def override_rows(
    table: Table, rows: list[dict[str, str]], overrides: Sequence[Override], faults: list[Fault]
) -> None:
    """Put values into the raw rows of a table; an override that fits no row is a fault."""
    for item in overrides:
        if item.table != table.name:
            continue
        fits = [row for row in rows if row.get(table.key[0], "") == item.row]
        if not fits:
            rule = f"'{item.text}': {table.name} has no row '{item.row}'"
            faults.append(Fault("--set", rule))
        for row in fits:
            if item.value:
                row[item.column] = item.value
            else:
                row.pop(item.column, None)


def override_settings(
    values: dict[str, Any], overrides: Sequence[Override], faults: list[Fault]
) -> None:
    """Put values into the scalars of `case.toml`, read as TOML or else as text."""
    for item in overrides:
        if item.table != "case":
            continue
        if item.column == "slices":
            faults.append(Fault("--set", f"'{item.text}': slices cannot be set"))
            continue
        try:
            values[item.column] = tomllib.loads(f"value = {item.value}")["value"]
        except tomllib.TOMLDecodeError:
            values[item.column] = item.value
