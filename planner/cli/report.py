"""`planner report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from planner.cli.app import app, out
from planner.cli.options import AsJson, Force, RunFolder
from planner.output import write_files
from planner.plan import load_plan


@app.command("report")
def report_command(
    run: RunFolder,
    file: Annotated[Path, typer.Option("--out", help="HTML file to write.")] = Path("report.html"),
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write a saved plan as one HTML file: decisions first, then money, sites, proof, sources.

    Example: [bold]planner report runs/small --out report.html[/bold]
    """
    from planner.report import report_html  # noqa: PLC0415  (matplotlib takes a second to import)

    text = report_html(load_plan(run))
    write_files({file: text.encode()}, force)
    if as_json:
        out.print_json(json.dumps({"file": str(file), "bytes": len(text.encode())}))
    else:
        out.print(str(file), markup=False, highlight=False, soft_wrap=True)
