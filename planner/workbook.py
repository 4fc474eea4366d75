"""A plan's tables and views as an Excel workbook or as Parquet files."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import xlsxwriter

from planner.plan import Plan
from planner.tables import TABLES
from planner.views import VIEWS

PROOF = ("certificate_nodes", "certificate_duals", "certificate_cuts", "prices_duals")
"""Tables that only the audit reads: left out of a workbook."""
MOST_ROWS = 1_048_575
"""Rows that a sheet holds below its header."""
NUMBERS = (
    (r"usd_per_(?!request)|_usd_per|rate_usd", "#,##0.0000"),
    (r"usd", "#,##0"),
    (r"share|utilisation|discount|part", "0.0%"),
    (r"mw|_gw|chips", "#,##0.0"),
    (r"_per_s|^rate_|eflop", "#,##0.000"),
    (r"tokens_millions|hours|requests", "#,##0"),
)
"""(pattern in a column's name, format); the first that fits. Other numbers: three places, or none
where all are whole."""
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
WIDEST = 48
SAID: Mapping[str, Any] = {**VIEWS, **TABLES}
"""Table or view -> what makes it, whose docstring says what it holds."""


def every_table(plan: Plan) -> dict[str, pd.DataFrame]:
    """Tables of the plan, then views of it whose names the tables do not have."""
    views = {name: view(plan) for name, view in VIEWS.items() if name not in plan.tables}
    return {**plan.tables, **views}


def parquet(plan: Plan) -> dict[str, bytes]:
    """Every table and view as a Parquet file: name -> bytes."""
    out = {}
    for name, table in every_table(plan).items():
        data = io.BytesIO()
        table.to_parquet(data, index=False)
        out[name] = data.getvalue()
    return out


def csv(plan: Plan) -> dict[str, bytes]:
    """Every table and view as a CSV file: name -> bytes."""
    return {
        name: table.to_csv(index=False, lineterminator="\n").encode()
        for name, table in every_table(plan).items()
    }


def workbook(plan: Plan) -> bytes:
    """One sheet a table: header frozen and filtered, columns wide enough, numbers by their unit.

    The first sheet lists the others and states cost and bound. Text is text: nothing is taken for
    a formula or an address. Equal plans give equal files.
    """
    tables = {name: t for name, t in every_table(plan).items() if name not in PROOF}
    data = io.BytesIO()
    options = {
        "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
        "strings_to_numbers": False, "default_date_format": "yyyy-mm-dd",
    }  # fmt: skip
    with xlsxwriter.Workbook(data, options) as book:
        as_of = plan.case.settings.as_of
        created = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC).replace(tzinfo=None)
        book.set_properties({"title": f"Plan of {plan.case.settings.name}", "created": created})
        _contents(book, plan, tables)
        for name, table in tables.items():
            _sheet(book, name, table)
    return data.getvalue()


def _contents(book: Any, plan: Plan, tables: Mapping[str, pd.DataFrame]) -> None:
    sheet = book.add_worksheet("contents")
    bold = book.add_format({"bold": True})
    money = book.add_format({"num_format": "#,##0", "align": "left"})
    part = book.add_format({"num_format": "0.000%", "align": "left"})
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 22)
    sheet.set_column(2, 2, 90)
    facts = [
        ("case", plan.case.settings.name),
        ("as of", plan.case.settings.as_of.isoformat()),
        ("status", plan.status),
        ("cost, present value, USD", plan.objective_usd),
        ("proven lower bound, USD", plan.bound_usd),
        ("gap", plan.gap),
    ]
    for row, (what, value) in enumerate(facts):
        sheet.write_string(row, 0, what, bold)
        if isinstance(value, float):
            sheet.write_number(row, 1, value, part if what == "gap" else money)
        else:
            sheet.write_string(row, 1, value)
    top = len(facts) + 1
    for column, heading in enumerate(("sheet", "rows", "what it holds")):
        sheet.write_string(top, column, heading, bold)
    for row, (name, table) in enumerate(tables.items(), start=top + 1):
        sheet.write_url(row, 0, f"internal:'{name}'!A1", string=name)
        sheet.write_number(row, 1, len(table), money)
        made = SAID.get(name)
        if made is not None:
            sheet.write_string(row, 2, (made.__doc__ or "").strip().splitlines()[0])


def _form(column: str, values: list[Any]) -> str:
    """Number format of a column, from the unit in its name, else from its numbers."""
    for pattern, form in NUMBERS:
        if re.search(pattern, column):
            return form
    numbers = [v for v in values if isinstance(v, int | float) and math.isfinite(v)]
    return "#,##0" if all(float(v).is_integer() for v in numbers) else "#,##0.000"


def _days(values: list[Any]) -> list[Any]:
    """Texts that are all days become days, so that Excel sorts and subtracts them."""
    texts = [v for v in values if v not in ("", None) and not _missing(v)]
    if not texts or not all(isinstance(v, str) and DATE.fullmatch(v) for v in texts):
        return values
    return [date.fromisoformat(v) if isinstance(v, str) and v else None for v in values]


def _missing(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _letters(values: list[Any], form: str) -> int:
    """Characters of the longest value as it is shown."""
    places = len(form.partition(".")[2].rstrip("%"))
    numbers = [
        abs(v) * (100 if form.endswith("%") else 1)
        for v in values
        if isinstance(v, int | float) and math.isfinite(v)
    ]
    longest = len(f"{max(numbers, default=0.0):,.{places}f}") + 2
    words = [
        10 if isinstance(v, date) else len(str(v)) for v in values if isinstance(v, str | date)
    ]
    return max([longest, *words])


def _sheet(book: Any, name: str, table: pd.DataFrame) -> None:
    sheet = book.add_worksheet(name[:31])
    head = book.add_format({"bold": True, "bg_color": "#E8EDF2", "bottom": 1})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for j, column in enumerate(table.columns):
        sheet.write_string(0, j, str(column), head)
        values = _days(table[column].tolist()[:MOST_ROWS])
        shown = _form(str(column), values)
        form = book.add_format({"num_format": shown})
        # The button of the filter takes three characters of a header.
        sheet.set_column(j, j, min(WIDEST, max(len(str(column)) + 3, _letters(values, shown) + 1)))
        for i, value in enumerate(values, start=1):
            _write(sheet, i, j, value, form, day)
    sheet.freeze_panes(1, 0)
    if len(table) and len(table.columns):
        sheet.autofilter(0, 0, min(len(table), MOST_ROWS), len(table.columns) - 1)


def _write(sheet: Any, i: int, j: int, value: Any, form: Any, day: Any) -> None:
    """One cell; what is not there stays empty, and infinity is a word: Excel has none."""
    if isinstance(value, bool):
        sheet.write_boolean(i, j, value)
    elif isinstance(value, int | float):
        if math.isfinite(value):
            sheet.write_number(i, j, value, form)
        elif math.isinf(value):
            sheet.write_string(i, j, str(value))
    elif isinstance(value, date):
        sheet.write_datetime(i, j, datetime(value.year, value.month, value.day), day)  # noqa: DTZ001
    elif value is not None and value != "":
        sheet.write_string(i, j, str(value))
