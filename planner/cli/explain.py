"""`planner explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.table import Table

from planner.case import load_case
from planner.cli.app import INFEASIBLE, LIMIT, PROVEN, app, out
from planner.cli.options import AsJson
from planner.cli.prices import number, print_prices, records
from planner.cli.show_conflict import print_report
from planner.errors import Fault, InputError
from planner.explain.infeasible import explain_case
from planner.explain.run import Explanation, explain
from planner.plan import load_plan
from planner.prices.table import NOISE_USD
from planner.run_folder import MANIFEST

CASE_FILE = "case.toml"
CODES = {"feasible": PROVEN, "infeasible": INFEASIBLE, "unproven": LIMIT}
"""Status of a case -> exit code, as `planner solve` has it."""
TIME_LIMIT_S = 120.0
"""Seconds for the explanation of a case."""
SHOWN = 12
"""Rows of each table on the terminal; --json has all."""


@app.command("explain")
def explain_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Run or case folder.")],
    checked: Annotated[
        int | None,
        typer.Option(min=0, help="Prices, offers and rules to confirm by re-solving."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="Case: override a value, table.row.column=value; repeatable."),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Case: seconds for all of it, 120 unless given; what is left out is said."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say why a plan is as it is: what binds and what it costs, what nearly entered, deadlines.

    A case folder instead of a run is asked which limits conflict, by how much, and how to relax
    them; a case that has a plan, what that is short of. Exit code of a case: 0 it has a plan, 4
    proven infeasible, 3 stopped at the time limit before either.

    Example: [bold]planner explain runs/small[/bold]
    Example: [bold]planner explain data/small --set case.qualification_engineers=4[/bold]
    """
    if not (folder / MANIFEST).is_file() and (folder / CASE_FILE).is_file():
        if checked is not None:
            raise InputError([Fault("--checked", "is an option for runs, not for cases")])
        _explain_case(
            folder, changes or [], TIME_LIMIT_S if time_limit is None else time_limit, as_json
        )
        return
    if changes:
        raise InputError([Fault("--set", "changes a case; a run keeps its own copy of it")])
    if time_limit is not None:
        raise InputError([Fault("--time-limit", "is an option for cases, not for runs")])
    if not (folder / MANIFEST).is_file():
        rule = f"is neither a run folder ({MANIFEST}) nor a case folder ({CASE_FILE})"
        raise InputError([Fault(str(folder), rule)])
    found = explain(load_plan(folder), checked)
    if as_json:
        content = {name: records(table) for name, table in found.tables().items()}
        out.print_json(json.dumps({"words": found.words, **content}, allow_nan=False))
    else:
        _print(found)


def _explain_case(folder: Path, changes: list[str], time_limit: float, as_json: bool) -> None:
    report = explain_case(load_case(folder, changes), time_limit_s=time_limit)
    if as_json:
        out.print_json(json.dumps(report.as_dict(), allow_nan=False))
    else:
        print_report(report, out)
    raise typer.Exit(CODES[report.status])


def _print(found: Explanation) -> None:
    for sentence in found.words:
        out.print(f"- {sentence}", markup=False, highlight=False)
    for name, when, rest in (
        ("investment", "when signing", " (relaxation: lots may be fractions)"),
        ("operating", "once all is signed", ""),
    ):
        some = found.binds[found.binds.problem == name]
        print_prices(f"What binds {when}{rest}", some, SHOWN)
        _print_kinks(f"No one price {when}", some[~some.shown])
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


def _print_kinks(title: str, table: pd.DataFrame) -> None:
    """Limits without one price: what one less and one more are worth."""
    # Contracts that fill an allotment cannot be had with one less, and need not have one more.
    table = table[np.isfinite(table.one_less_usd) | (table.one_more_usd.abs() > NOISE_USD)]
    if table.empty:
        return
    view = _view(title, "kind", "of", "period", "one less, USD", "one more, USD", left=3)
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
