"""`planner explain`."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.table import Table

from planner.case import load_case
from planner.cli.app import AsJson, app, out
from planner.cli.prices import number, print_prices, records
from planner.errors import Fault, InputError, PlannerError
from planner.explain.run import Explanation, explain
from planner.plan import load_plan
from planner.prices.table import NOISE_USD
from planner.run_folder import MANIFEST

CASE_FILE = "case.toml"
INFEASIBLE_MODULE = "planner.explain.infeasible"
SHOWN = 12
"""Rows of each table on the terminal; --json has all."""


@app.command("explain")
def explain_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Run or case folder.")],
    checked: Annotated[
        int | None,
        typer.Option(min=0, help="Prices, offers and rules to confirm by re-solving."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say why a plan is as it is: what binds and what it costs, what nearly entered, deadlines.

    A case folder instead of a run is asked why no plan satisfies it.

    Example: [bold]planner explain runs/small[/bold]
    """
    if not (folder / MANIFEST).is_file() and (folder / CASE_FILE).is_file():
        _explain_case(folder, as_json)
        return
    if not (folder / MANIFEST).is_file():
        rule = f"is neither a run folder ({MANIFEST}) nor a case folder ({CASE_FILE})"
        raise InputError([Fault(str(folder), rule)])
    found = explain(load_plan(folder), checked)
    if as_json:
        content = {name: records(table) for name, table in found.tables().items()}
        out.print_json(json.dumps({"words": found.words, **content}, allow_nan=False))
    else:
        _print(found)


def _explain_case(folder: Path, as_json: bool) -> None:
    """Why a case has no plan; the module for it stands apart."""
    try:
        module = importlib.import_module(INFEASIBLE_MODULE)
    except ModuleNotFoundError as error:
        if error.name != INFEASIBLE_MODULE:
            raise
        message = "explaining a case without a plan is not available; solve it, explain the run"
        raise PlannerError(message) from error
    module.explain_case(load_case(folder), as_json=as_json)


def _print(found: Explanation) -> None:
    for sentence in found.words:
        out.print(f"- {sentence}", markup=False, highlight=False)
    for name, title in (
        ("investment", "What binds when signing (relaxation: lots may be fractions)"),
        ("operating", "What binds once all is signed"),
    ):
        some = found.binds[found.binds.problem == name]
        print_prices(title, some, SHOWN)
        _print_kinks(some[~some.shown])
    _print_rules(found.rules)
    _print_offers(found.offers)
    _print_demand(found.demand)
    _print_deadlines(found.deadlines)


def _view(title: str, *columns: str, left: int) -> Table:
    view = Table(title=title, title_justify="left", title_style="bold")
    for i, name in enumerate(columns):
        view.add_column(name, justify="left" if i < left else "right")
    return view


def _rest(table: pd.DataFrame) -> None:
    if len(table) > SHOWN:
        out.print(f"and {len(table) - SHOWN:,} more (--json has all)")


def _print_kinks(table: pd.DataFrame) -> None:
    """Limits without one price: what one less and one more are worth."""
    # Contracts that fill an allotment cannot be had with one less, and need not have one more.
    table = table[np.isfinite(table.one_less_usd) | (table.one_more_usd.abs() > NOISE_USD)]
    if table.empty:
        return
    view = _view("No one price here", "kind", "of", "period", "one less, USD", "one more, USD",
                 left=3)  # fmt: skip
    for row in table.head(SHOWN).to_dict("records"):
        sides = [
            "not possible" if abs(value) == float("inf") else number(value)
            for value in (row["one_less_usd"], row["one_more_usd"])
        ]
        view.add_row(row["kind"].replace("_", " "), row["member"], row["period"], *sides)
    out.print(view)
    _rest(table)


def _print_rules(table: pd.DataFrame) -> None:
    if table.empty:
        return
    view = _view("What a whole rule costs", "kind", "rule", "million USD in the relaxation",
                 "at most, million USD", left=2)  # fmt: skip
    for row in table.head(SHOWN).to_dict("records"):
        amounts = (row["saves_in_relaxation_usd"], row["saves_at_most_usd"])
        view.add_row(row["kind"], row["rule"], *(f"{value / 1e6:,.3f}" for value in amounts))
    out.print(view)
    _rest(table)


def _print_offers(table: pd.DataFrame) -> None:
    if table.empty:
        return
    view = _view("Offers not used, nearest first", "offer", "pool", "start", "asked", "enters at",
                 "less", "how sure", left=3)  # fmt: skip
    for row in table.head(SHOWN).to_dict("records"):
        view.add_row(
            row["offer"], f"{row['cloud']}/{row['region']}/{row['chip']}", row["start"],
            number(row["price_usd_per_chip_hour"]), number(row["entry_price_usd_per_chip_hour"]),
            f"{row['discount_to_enter']:.1%}", row["says"],
        )  # fmt: skip
    out.print(view)
    _rest(table)


def _print_demand(table: pd.DataFrame) -> None:
    some = table[table.shown]
    view = _view("Dearest demand at the margin", "workload", "period", "USD per million tokens",
                 "USD per request", left=2)  # fmt: skip
    for row in some.head(SHOWN).to_dict("records"):
        view.add_row(
            row["workload"], row["period"], number(row["usd_per_million_tokens"]),
            f"{row['usd_per_request']:,.5f}",
        )  # fmt: skip
    out.print(view)
    _rest(some)


def _print_deadlines(table: pd.DataFrame) -> None:
    view = _view("To decide, by date", "by", "decision", "what", "for", "thousand chips",
                 "million USD", left=4)  # fmt: skip
    for row in table.head(SHOWN).to_dict("records"):
        view.add_row(
            row["date"], row["decision"], row["what"], row["for"], f"{row['chips'] / 1e3:,.2f}",
            f"{row['usd'] / 1e6:,.2f}",
        )  # fmt: skip
    out.print(view)
    _rest(table)
