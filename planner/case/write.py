"""Write a case as a folder of tables; reading it again gives the same case."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from planner.case.case import Case
from planner.case.tables import SETTINGS_FILE, TABLES


def save_case(case: Case, folder: str | Path) -> None:
    """Write every table of `case` into a new or empty folder.

    Raises FileExistsError when the folder holds anything.
    """
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise FileExistsError(f"{root} is not empty")
    for name, text in case_files(case).items():
        (root / name).write_text(text, encoding="utf-8", newline="")


def case_files(case: Case) -> dict[str, str]:
    """File name -> text of every file of the case's folder."""
    files = {SETTINGS_FILE: _toml(case.settings.model_dump(mode="json"))}
    for table in TABLES:
        rows = case.rows(table.name)
        if rows or table.required:
            text = io.StringIO(newline="")
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(table.columns)
            for row in rows:
                dumped = row.model_dump(mode="json")
                writer.writerow([cell(dumped[field]) for field in table.columns.values()])
            files[table.file] = text.getvalue()
    return files


def cell(value: Any) -> str:
    """A value as a CSV cell: empty for None, `;` between list items."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ";".join(cell(item) for item in value)
    return repr(value) if isinstance(value, float) else str(value)


def _toml(settings: dict[str, Any]) -> str:
    """TOML of the settings, keys without a value left out.

    Dates are bare, everything else is JSON, which TOML shares.
    """
    lines: list[str] = []
    tables: list[str] = []
    for key, value in settings.items():
        if key == "slices":
            for item in value:
                tables.append("\n[[slices]]")
                tables.extend(
                    f"{name} = {json.dumps(part, ensure_ascii=False)}"
                    for name, part in item.items()
                )
        elif key in ("start", "as_of"):
            lines.append(f"{key} = {value}")
        elif value is not None:
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join([*lines, *tables]) + "\n"
