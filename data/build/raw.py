"""Reading raw tables, writing case tables, numbers and labels."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

Row = dict[str, str]
Table = list[Row]

RAW = Path(__file__).resolve().parent.parent / "raw"

PERIODS = [f"{year}-Q{q}" for year in range(2026, 2030) for q in range(1, 5)][2:14]
"""The twelve quarters of the case: 2026-Q3 to 2029-Q2."""


def read(name: str) -> Table:
    """Rows of a raw table."""
    with (RAW / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def write(folder: Path, name: str, rows: Iterable[Row]) -> int:
    """Write a case table; the first row gives the columns. Returns the number of rows."""
    table = list(rows)
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return len(table)


def num(value: float, digits: int = 0) -> str:
    """A number without thousands separators, trailing zeros or exponent."""
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def items(cell: str) -> list[str]:
    """The parts of a `;` list."""
    return [part.strip() for part in cell.split(";") if part.strip()]


def by(rows: Table, *keys: str) -> dict[tuple[str, ...], Row]:
    """Index rows by their key columns, refusing duplicates."""
    index = {tuple(row[key] for key in keys): row for row in rows}
    if len(index) != len(rows):
        raise ValueError(f"duplicate rows by {keys}")
    return index


def noted(*parts: str) -> str:
    """Join the non-empty parts of a source."""
    return "; ".join(part for part in parts if part)


def scalar(name: str) -> float:
    """A number of `assumptions_scalars.csv`."""
    return float(by(read("assumptions_scalars"), "name")[(name,)]["value"])


def first_day(text: str) -> str:
    """An ISO day for a published day, month, quarter or a range of which the first counts.

    `2024-03-18` stays; `2022-10` and `2024-Q2` become the first day; of `2024-Q4/2025` the
    first part counts; half years and words such as `late 2024` become the first day of that
    half or quarter.
    """
    part = text.split("/", maxsplit=1)[0].split(" (", maxsplit=1)[0].strip()
    if part.startswith("late "):
        part = f"{part[5:]}-Q4"
    part = part.replace("-H1", "-Q1").replace("-H2", "-Q3")
    if "-Q" in part:
        year, quarter = part.split("-Q")
        part = f"{year}-{3 * int(quarter) - 2:02d}"
    return {4: f"{part}-01-01", 7: f"{part}-01"}.get(len(part), part)


def copied(name: str, drop: tuple[str, ...] = ()) -> Callable[[], Table]:
    """A table that the case takes over as it is, less the columns that only the build needs."""

    def rows() -> Table:
        return [
            {key: cell for key, cell in row.items() if key not in (*drop, "source", "basis")}
            | {"source": row["source"], "basis": row["basis"]}
            for row in read(name)
        ]

    return rows


def split(row: Row) -> dict[str, float]:
    """Shares by region of a supply row, `region:share` separated by `;`."""
    pairs = (part.split(":") for part in items(row["region_split"]))
    shares = {region: float(share) for region, share in pairs}
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f"{row['cloud']} {row['chip']}: shares do not add to 1")
    return shares
