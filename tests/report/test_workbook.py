"""Exported tables hold what the plan's tables hold, and text stays text."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

import planner
from planner import workbook
from planner.plan import Plan
from planner.views import VIEWS
from tests.cases import small_plan
from tests.cases_rules import tiny_rules_case


@cache
def survival_plan() -> Plan:
    """A tiny plan with every rule, options and contingencies."""
    return planner.solve(tiny_rules_case(), gap=0.0)


@cache
def book() -> Any:
    return openpyxl.load_workbook(io.BytesIO(workbook.workbook(survival_plan())))


def test_a_sheet_for_each_table_and_view() -> None:
    tables = workbook.every_table(survival_plan())
    assert set(VIEWS) <= set(tables)
    assert set(survival_plan().tables) <= set(tables)
    assert book().sheetnames == ["contents", *(n for n in tables if n not in workbook.PROOF)]


@pytest.mark.parametrize("name", ["obligations", "contingencies", "cost_per_token", "capacity"])
def test_cells_are_those_of_the_table(name: str) -> None:
    table = workbook.every_table(survival_plan())[name]
    sheet = book()[name]
    rows = list(sheet.iter_rows(values_only=True))
    assert list(rows[0]) == list(table.columns)
    assert len(rows) == 1 + len(table) > 1
    for got, want in zip(rows[1:], table.itertuples(index=False), strict=True):
        for one, other in zip(got, want, strict=True):
            if isinstance(other, float | np.floating):
                assert one == pytest.approx(float(other), nan_ok=True) or np.isnan(other)
            else:
                assert (one or "") == other


def test_headers_are_frozen_and_numbers_have_their_unit() -> None:
    for name in book().sheetnames[1:]:
        assert book()[name].freeze_panes == "A2", name
    sheet = book()["contingencies"]
    assert sheet["C2"].number_format == "0.0%"
    money = book()["obligations"]
    assert money["B2"].number_format == "#,##0"
    signed = book()["contracts_signed"]
    days = {cell.value: cell.column for cell in signed[1]}
    assert isinstance(signed.cell(2, days["sign_by"]).value, datetime)


def widths(sheet: Any) -> dict[int, float]:
    """Width of each column; openpyxl gives those of equal neighbours once."""
    return {
        column: float(group.width)
        for group in sheet.column_dimensions.values()
        for column in range(group.min, group.max + 1)
    }


def test_columns_are_wide_enough_for_their_numbers() -> None:
    """Else a spreadsheet shows ####."""
    plan = small_plan()
    large = pd.DataFrame({"usd": [-123456789012.0, 1.0], "chips": [1e9, 0.5], "lots": [1, 2]})
    tables = {**plan.tables, "large": large}
    data = workbook.workbook(Plan(plan.case, tables, plan.summary))
    read = openpyxl.load_workbook(io.BytesIO(data))
    assert widths(read["large"])[1] > len("-123,456,789,012")
    assert read["large"]["C2"].number_format == "#,##0"
    seen = 0
    for sheet in read.worksheets[1:]:
        wide = widths(sheet)
        for row in sheet.iter_rows(min_row=2):
            for cell in row:
                if isinstance(cell.value, int | float) and not isinstance(cell.value, bool):
                    places = len(cell.number_format.partition(".")[2].rstrip("%"))
                    assert cell.number_format != "General"
                    assert wide[cell.column] > len(f"{cell.value:,.{places}f}"), cell
                    seen += 1
    assert seen > 500


def test_days_are_days_and_other_texts_stay() -> None:
    sites = openpyxl.load_workbook(io.BytesIO(workbook.workbook(small_plan())))["sites"]
    assert isinstance(sites["A2"].value, datetime)
    assert sites["A2"].number_format == "yyyy-mm-dd"
    plan = small_plan()
    mixed = pd.DataFrame(
        {"end": ["2027-01-01", "", "2027-02-03"], "start": ["2027-01-01", "x", ""]}
    )
    data = workbook.workbook(Plan(plan.case, {**plan.tables, "mixed": mixed}, plan.summary))
    sheet = openpyxl.load_workbook(io.BytesIO(data))["mixed"]
    days = [sheet.cell(i, 1).value for i in (2, 3, 4)]
    assert days[1] is None
    assert isinstance(days[0], datetime)
    assert [str(day)[:10] for day in days] == ["2027-01-01", "None", "2027-02-03"]
    assert sheet["B2"].value == "2027-01-01"


def test_contents_say_what_stands_where() -> None:
    sheet = book()["contents"]
    facts = {row[0].value: row[1] for row in sheet.iter_rows(max_row=6)}
    assert facts["gap"].number_format == "0.000%"
    assert facts["cost, present value, USD"].value == pytest.approx(survival_plan().objective_usd)
    said = {row[0].value: row[2].value for row in sheet.iter_rows(min_row=8)}
    for name in (*VIEWS, "contracts_signed"):
        assert said[name], name


def test_text_is_never_a_formula_or_an_address() -> None:
    plan = small_plan()
    nasty = ["=1+1", "@SUM(A1)", "https://example.org", "+2", "007"]
    tables = {"nasty": pd.DataFrame({"offer": nasty, "usd": [np.nan, np.inf, 1.0, 2.0, 3.0]})}
    data = workbook.workbook(Plan(plan.case, {**plan.tables, **tables}, plan.summary))
    sheet = openpyxl.load_workbook(io.BytesIO(data))["nasty"]
    for i, text in enumerate(nasty, start=2):
        assert sheet.cell(i, 1).value == text
        assert sheet.cell(i, 1).data_type == "s"
        assert sheet.cell(i, 1).hyperlink is None
    assert sheet["B2"].value is None
    assert sheet["B3"].value == "inf"


def test_equal_plans_give_equal_files() -> None:
    plan = survival_plan()
    again = replace(plan)
    assert workbook.workbook(plan) == workbook.workbook(again)
    assert workbook.parquet(plan) == workbook.parquet(again)


@pytest.mark.parametrize("name", ["serving", "sites", "contract_lines"])
def test_parquet_and_csv_are_the_tables(name: str) -> None:
    table = workbook.every_table(survival_plan())[name]
    back = pd.read_parquet(io.BytesIO(workbook.parquet(survival_plan())[name]))
    pd.testing.assert_frame_equal(back, table, check_dtype=False)
    assert (
        workbook.csv(survival_plan())[name]
        == table.to_csv(index=False, lineterminator="\n").encode()
    )
