"""`planner prices`."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

import pandas as pd
import typer
from rich.table import Table

from planner.cli.app import app, out
from planner.cli.options import AsJson, RunFolder
from planner.plan import load_plan
from planner.prices.save import save_prices
from planner.prices.table import MOST_CHECKED, prices

SHOWN = 12
"""Prices of each kind on the terminal; the tables hold all."""
TITLES = {
    "operating": "Operating: every lot, placement and decision as planned",
    "investment": "Investment: in the relaxation, where lots may be fractions",
}


@app.command("prices")
def prices_command(
    run: RunFolder,
    checked: Annotated[
        int, typer.Option(min=0, help="Prices of each problem to check by steps and show.")
    ] = MOST_CHECKED,
    as_json: AsJson = False,
) -> None:
    """Price what limits a saved plan, check the prices by finite steps, and save them in the run.

    Writes tables/prices_operating.csv, prices_investment.csv, prices_summary.csv and
    prices_duals.csv; `planner audit` checks them from then on.

    Example: [bold]planner prices runs/small[/bold]
    """
    found = prices(load_plan(run), checked)
    save_prices(run, found)
    if as_json:
        tables = {name: records(table) for name, table in found.tables().items()}
        del tables["prices_duals"]
        out.print_json(json.dumps(tables, allow_nan=False))
        return
    for row in found.summary.to_dict("records"):
        name = str(row["problem"])
        print_prices(TITLES[name], getattr(found, name))
        out.print(
            f"{row['limits']:,} limits and requirements, {row['binding']:,} with a dual, "
            f"{row['checked']:,} checked by steps, {row['shown']:,} shown"
        )
        hidden = getattr(found, name).query("not shown")
        for why, some in hidden.groupby("why_not_shown"):
            out.print(f"not shown, {len(some):,}: {why}")
    out.print(f"tables: {run / 'tables'}", soft_wrap=True)


def print_prices(title: str, table: pd.DataFrame, most: int = SHOWN) -> None:
    """The shown prices with most at stake, on the terminal."""
    view = Table(title=title, title_justify="left", title_style="bold")
    for name in ("kind", "of", "period", "one more"):
        view.add_column(name)
    for name in ("USD", "rate"):
        view.add_column(name, justify="right")
    for row in table[table.shown].head(most).to_dict("records"):
        when = " ".join(filter(None, (row["period"], row["slice"])))
        rate = f"{row['rate_usd']:,.3f} {row['rate_unit']}" if row["rate_unit"] else ""
        said = f"{row['unit']} {row['sense']}"
        view.add_row(row["kind"].replace("_", " "), row["member"], when, said,
                     number(row["price_usd"]), rate)  # fmt: skip
    out.print(view)


def number(value: float) -> str:
    """A price with as many places as it needs."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3f}"


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON has them: no NaN and no infinity."""
    return [
        {
            str(key): None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]
