"""`planner compare`."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.table import Table

from planner.cli.app import app, out
from planner.cli.options import PICTURES, AsJson, Force, Picture
from planner.cli.prices import number, records
from planner.compare.run import Comparison, compare
from planner.compare.side import differing
from planner.errors import Fault, InputError
from planner.output import write_files
from planner.plan import load_plan
from planner.readable import fine_money_unit, money_unit, power_unit
from planner.run_folder import MANIFEST, dump_json

SHOWN = 20
"""Rows of each table on the terminal; --json and --out have all."""


def names_of(folders: list[Path]) -> list[str]:
    """Names of runs: the folder's, with a number where two are called alike."""
    counts = Counter(folder.absolute().name for folder in folders)
    names = []
    for i, folder in enumerate(folders, start=1):
        name = folder.absolute().name
        names.append(name if counts[name] == 1 else f"{name}-{i}")
    return names


@app.command("compare")
def compare_command(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN...", help="Run folders, the older one first.")
    ],
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the tables (CSV) and the waterfall figures."),
    ] = None,
    causes: Annotated[
        bool, typer.Option(help="Solve relaxations to split the change of cost by cause.")
    ] = True,
    format_: Picture = "png",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Hold saved plans side by side, and split the change of cost from the first by cause.

    Example: [bold]planner compare runs/october runs/november --out november[/bold]
    """
    names = names_of(runs)
    _check(folder, format_, causes)
    found = compare([load_plan(run) for run in runs], names, causes=causes)
    if folder is not None:
        files = {
            folder / f"{name}.csv": table.to_csv(index=False, lineterminator="\n").encode()
            for name, table in found.tables().items()
        }
        if causes:
            files |= _figures(found, folder, format_)
        again = force and (folder / "waterfall.csv").is_file()
        write_files(files, force)
        for old in (p for kind in PICTURES for p in folder.glob(f"waterfall-*.{kind}")):
            if again and old not in files:
                # Of the comparison that this one replaces.
                old.unlink()
    if as_json:
        content = {name: records(table) for name, table in found.tables().items()}
        out.print_json(dump_json({"periods": found.periods, **content}))
        return
    _print(found)
    if folder is not None:
        out.print(f"tables and figures: {folder}", soft_wrap=True)


def _check(folder: Path | None, format_: str, causes: bool) -> None:
    """Raise InputError for options that would do nothing, and for a place that is a run's."""
    faults = []
    if format_ != PICTURES[0] and (folder is None or not causes):
        faults.append(Fault("--format", "has no effect without figures: --out, and --causes"))
    if folder is not None and (folder / MANIFEST).is_file():
        faults.append(Fault(str(folder), "is a run folder; tables of a comparison need their own"))
    if faults:
        raise InputError(faults)


def _figures(found: Comparison, folder: Path, format_: str) -> dict[Path, bytes]:
    """A waterfall for each plan against the first."""
    from planner import plot  # noqa: PLC0415  (matplotlib takes a second to import)

    return {
        folder / f"waterfall-{name}.{format_}": plot.image(
            partial(plot.waterfall, found.waterfall[found.waterfall.plan == name]), format_
        )
        for name in found.names[1:]
    }


def _print(found: Comparison) -> None:
    names = list(found.names)
    _show("Plans", found.headline, ["figure"], names)
    cost = found.cost.copy()
    cost["term"] = cost["term"].str.replace("_", " ")
    unit = money_unit(float(cost[names].abs().max().max()))
    for name in names:
        cost[name] = cost[name] / unit.size
    _show(f"Cost, present value, {unit.name}", cost, ["term", "where"], names, "{:,.3f}")
    capacity = found.capacity.copy()
    unit = power_unit(float(capacity[names].max().max()))
    for name in names:
        capacity[name] = capacity[name] / unit.size
    words = f"Capacity, mean of {found.periods[0]} to {found.periods[-1]}, {unit.name}"
    _show(words, capacity, ["by", "member"], names, "{:,.3f}")
    _show("Share of served work", found.serving, ["by", "member"], names, "{:.1%}")
    _show("Share of demand not served", found.unserved, ["class"], names, "{:.2%}")
    keys = [c for c in found.contracts.columns if c not in names]
    different = differing(found.contracts, names)
    same = len(found.contracts) - len(different)
    if len(different):
        _show("Lots that not all sign alike", different, keys, names, "{:,.0f}")
    out.print(f"signed alike in all: {same:,}")
    keys = ["problem", "kind", "member", "period", "slice"]
    apart = differing(found.prices, names) if len(found.prices) else found.prices
    if len(apart):
        _show("Prices of limits, USD per unit", apart, keys, names, "n")
    elif len(found.prices):
        out.print(f"prices of limits: all {len(found.prices):,} alike")
    else:
        out.print("prices: not compared; `planner prices RUN` makes them, for every run")
    _print_inputs(found)
    _print_waterfall(found)


def _show(
    title: str, frame: pd.DataFrame, keys: list[str], names: list[str], form: str = "{}"
) -> None:
    out.print(f"[bold]{title}[/bold]")
    view = Table()
    for key in keys:
        view.add_column(key)
    for name in names:
        view.add_column(name, justify="right")
    for row in frame.head(SHOWN).to_dict("records"):
        cells = [number(row[n]) if form == "n" else form.format(row[n]) for n in names]
        view.add_row(*(str(row[key]) for key in keys), *cells)
    out.print(view)
    if len(frame) > SHOWN:
        out.print(f"and {len(frame) - SHOWN:,} more (--out has all)")


def _print_inputs(found: Comparison) -> None:
    for name in found.names[1:]:
        files = found.files[(found.files.plan == name) & ~found.files.same]
        some = found.inputs[found.inputs.plan == name]
        if files.empty:
            out.print(f"inputs of {name}: the same as those of {found.names[0]}")
            continue
        out.print(f"[bold]Inputs: {found.names[0]} against {name}[/bold]")
        view = Table()
        for column in ("file", "row", "column", "before", "after"):
            view.add_column(column, overflow="fold")
        for row in some.head(SHOWN).to_dict("records"):
            view.add_row(*(str(row[c]) for c in ("file", "row", "column", "before", "after")))
        out.print(view)
        counts = some.groupby("file", sort=False).size()
        out.print("cells that differ: " + ", ".join(f"{n:,} in {f}" for f, n in counts.items()))


def _print_waterfall(found: Comparison) -> None:
    for name in found.names[1:]:
        some = found.waterfall[found.waterfall.plan == name]
        if some.empty:
            continue
        out.print(f"[bold]Cost from {found.names[0]} to {name}, by cause[/bold]")
        unit = fine_money_unit(float(some.usd.abs().max()))
        view = Table()
        view.add_column("cause")
        view.add_column(unit.name, justify="right")
        for row in some.to_dict("records"):
            view.add_row(
                str(row["step"]), unit.number(row["usd"], 4, "" if row["is_total"] else "+")
            )
        out.print(view)
        for said in some.says[some.says != ""]:
            out.print(said)
        low, high = found.least_cost_change(name)
        if found.same_problem(name):
            totals = some[some.is_total]
            least, most = totals.low_usd.max(), totals.high_usd.min()
            out.print(
                f"the case is the same: its least cost is between {unit.number(least, 4)} and "
                f"{unit.say(most, 4)}"
            )
            continue
        out.print(
            f"the least possible cost changed by {unit.number(low, 4, '+')} to "
            f"{unit.number(high, 4, '+')} {unit.name}: bound against plan, both ways"
        )
