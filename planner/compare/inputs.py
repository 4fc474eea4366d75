"""What two cases differ in: by the hash of each table, then row by row and column by column."""

from __future__ import annotations

import hashlib

import pandas as pd

from planner.case import Case
from planner.case.tables import SETTINGS_FILE, TABLES
from planner.case.write import case_files, cell

ABSENT = "(no such row)"
COLUMNS = ["file", "row", "column", "before", "after"]


def changed_files(old: Case, new: Case) -> pd.DataFrame:
    """Files of the cases: columns file, same, sha256_before, sha256_after ('' where absent)."""
    before, after = case_files(old), case_files(new)
    rows = []
    for name in dict.fromkeys([*before, *after]):
        digests = [
            hashlib.sha256(files[name].encode()).hexdigest() if name in files else ""
            for files in (before, after)
        ]
        rows.append((name, digests[0] == digests[1], *digests))
    return pd.DataFrame(rows, columns=["file", "same", "sha256_before", "sha256_after"])


def changed_rows(old: Case, new: Case) -> pd.DataFrame:
    """Every cell that differs, rows matched by their key: columns file, row, column, before, after.

    A row that only one case has is one line, with `(no such row)` on the other side. Sources and
    bases of numbers are columns like any other.
    """
    a, b = (case.settings.model_dump(mode="json") for case in (old, new))
    out = [(SETTINGS_FILE, "", k, cell(a[k]), cell(b[k])) for k in a if a[k] != b[k]]
    for table in TABLES:
        fields = table.columns
        before, after = (_by_key(case, table.name) for case in (old, new))
        for key in dict.fromkeys([*before, *after]):
            row = " / ".join(key)
            if key not in before:
                out.append((table.file, row, "", ABSENT, "added"))
            elif key not in after:
                out.append((table.file, row, "", "removed", ABSENT))
            else:
                one, two = before[key], after[key]
                out.extend(
                    (table.file, row, column, one[column], two[column])
                    for column in fields
                    if one[column] != two[column]
                )
    return pd.DataFrame(out, columns=COLUMNS)


def _by_key(case: Case, name: str) -> dict[tuple[str, ...], dict[str, str]]:
    """Rows of a table as cells, by their key."""
    table = next(t for t in TABLES if t.name == name)
    out = {}
    for row in case.rows(name):
        dumped = row.model_dump(mode="json")
        cells = {column: cell(dumped[field]) for column, field in table.columns.items()}
        out[tuple(cells[column] for column in table.key)] = cells
    return out
