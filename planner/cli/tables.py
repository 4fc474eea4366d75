"""`planner tables`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from planner.cli.app import app, out
from planner.cli.options import AsJson, Force, RunFolder
from planner.output import write_files
from planner.plan import load_plan


@app.command("tables")
def tables_command(
    run: RunFolder,
    format_: Annotated[
        Literal["xlsx", "parquet", "csv"],
        typer.Option("--format", help="One workbook, or a folder of Parquet or CSV files."),
    ] = "xlsx",
    place: Annotated[
        Path | None,
        typer.Option("--out", help="File (xlsx) or folder; tables.xlsx or tables when absent."),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Export every table of a saved plan, and the views of it that figures and report show.

    Example: [bold]planner tables runs/small --format xlsx --out small.xlsx[/bold]
    """
    # xlsxwriter and pyarrow take long to import, and only this command needs them.
    from planner import workbook  # noqa: PLC0415

    plan = load_plan(run)
    if format_ == "xlsx":
        target = place if place is not None else Path("tables.xlsx")
        files = {target: workbook.workbook(plan)}
    else:
        target = place if place is not None else Path("tables")
        made = workbook.parquet(plan) if format_ == "parquet" else workbook.csv(plan)
        files = {target / f"{name}.{format_}": data for name, data in made.items()}
    write_files(files, force)
    if as_json:
        out.print_json(json.dumps({"files": [str(path) for path in files]}))
    else:
        out.print(f"{target}: {len(files)} file{'s' if len(files) > 1 else ''}",
                  markup=False, highlight=False, soft_wrap=True)  # fmt: skip
