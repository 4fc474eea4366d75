"""A table of the report: columns with a format each, rows as text and as what they sort by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from planner.readable import chips_unit


@dataclass(frozen=True)
class Column:
    """One column: which of the frame, its heading, its format."""

    name: str
    """Column of the frame."""
    heading: str
    """What stands above it, unit included."""
    form: str = ""
    """Python format of numbers such as `,.1f`; '' for text."""
    scale: float = 1.0
    """Numbers are divided by it before they are written."""


def chips_column(name: str, frame: pd.DataFrame, words: str = "", sign: str = "") -> Column:
    """A column of chips, in thousands where they are many; `words` stand before the unit."""
    most = float(frame[name].abs().max()) if len(frame) else 0.0
    unit = chips_unit(0.0 if math.isnan(most) else most)
    form = f"{sign},.1f" if unit.size > 1.0 else f"{sign},.0f"
    return Column(name, f"{words}{unit.name}", form, unit.size)


@dataclass(frozen=True)
class Cell:
    """What is read and what is sorted by."""

    text: str
    """What is read."""
    key: str
    """What the column is sorted by."""
    number: bool
    """Whether it is set as a number."""


@dataclass(frozen=True)
class Table:
    """A table ready for the page."""

    caption: str
    """What stands above it."""
    headings: tuple[tuple[str, bool], ...]
    """(heading, whether numbers stand below it)."""
    rows: tuple[tuple[Cell, ...], ...]
    """Cells of each row."""
    total: int
    """Rows that there are; more than `rows` when it is cut."""
    sums: tuple[Cell, ...] = ()
    """A last row with the sums of all rows; none for most tables."""


MOST_ROWS = 400
"""Rows of a table on the page; the run's tables have them all."""


def table(
    caption: str,
    frame: pd.DataFrame,
    columns: Sequence[Column],
    most: int = MOST_ROWS,
    summed: Sequence[str] = (),
) -> Table:
    """A frame as a table of the report, in its own order. Raises KeyError for unknown columns.

    `summed` names columns whose sums over all rows stand below, where there is more than one row.
    """
    some = frame.head(most)
    sums: tuple[Cell, ...] = ()
    if summed and len(frame) > 1:
        sums = tuple(
            _cell(frame[c.name].astype(float).sum(), c) if c.name in summed
            else Cell("total" if i == 0 else "", "", number=False)
            for i, c in enumerate(columns)
        )  # fmt: skip
    return Table(
        caption=caption,
        headings=tuple((c.heading, bool(c.form)) for c in columns),
        rows=tuple(
            tuple(_cell(row[c.name], c) for c in columns) for row in some.to_dict("records")
        ),
        total=len(frame),
        sums=sums,
    )


def used(frame: pd.DataFrame, columns: Sequence[Column]) -> list[Column]:
    """The columns without those of numbers that are 0 in every row."""
    return [c for c in columns if not c.form or (frame[c.name].astype(float) != 0.0).any()]


NONE, MINUS = "–", "−"
"""What stands for nothing, and before a negative number."""


def _cell(value: Any, column: Column) -> Cell:
    if not column.form:
        text = "" if value is None or (isinstance(value, float) and math.isnan(value)) else value
        return Cell(str(text), str(text).lower(), number=False)
    number = float(value)
    if not math.isfinite(number):
        return Cell("", "", number=True)
    number /= column.scale
    text = NONE if number == 0.0 else format(number, column.form).replace("-", MINUS)
    return Cell(text, repr(number), number=True)


def spread(frame: pd.DataFrame, row: str, column: str, value: str) -> pd.DataFrame:
    """A tidy frame with one column for each label of `column`, sums of `value`, rows in order."""
    wide = frame.pivot_table(index=row, columns=column, values=value, aggfunc="sum", sort=False)
    wide.columns = [str(name) for name in wide.columns]
    return wide.reset_index()
