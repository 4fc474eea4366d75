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
