"""`planner new` and `planner check`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from planner.case import load_case
from planner.case.tables import TABLES
from planner.case.write import save_case
from planner.cli.app import app, err, out
from planner.cli.options import AsJson, CaseFolder
from planner.errors import Fault, InputError
from planner.example_cases import NAMES, example_folder
from planner.generate import generated_case
from planner.instance import build_instance
from planner.provenance import provenance


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.")],
    source: Annotated[str, typer.Option("--from", help="Example to copy: small or claude.")] = (
        "small"
    ),
) -> None:
    """Copy an example case into a new folder.

    Example: [bold]planner new mycase --from small[/bold]
    """
    if source not in NAMES:
        raise InputError([Fault("--from", f"'{source}' is not one of {', '.join(NAMES)}")])
    if folder.exists():
        raise InputError([Fault(str(folder), "exists already")])
    shutil.copytree(example_folder(source), folder)
    err.print(f"{folder}: a copy of the example '{source}'")


@app.command()
def check(case: CaseFolder, as_json: AsJson = False) -> None:
    """Read a case, report every fault at once, and say what it rests on.

    Example: [bold]planner check data/small[/bold]
    """
    read = load_case(case)
    build_instance(read)
    basis = provenance(read)
    by_table = {
        table.name: {
            "rows": len(read.rows(table.name)),
            **basis[basis.table == table.name].groupby("basis").rows.sum().to_dict(),
        }
        for table in TABLES
    }
    if as_json:
        content = {"case": read.settings.name, "sha256": read.sha256(), "tables": by_table}
        out.print_json(json.dumps(content))
        return
    view = Table(title=f"{read.settings.name}: no faults", title_justify="left")
    for name in ("table", "rows", "published", "measured", "derived", "assumption"):
        view.add_column(name, justify="left" if name == "table" else "right")
    for name, counts in by_table.items():
        cells = [
            str(counts.get(column, ""))
            for column in ("rows", "published", "measured", "derived", "assumption")
        ]
        view.add_row(name, *cells)
    out.print(view)


@app.command()
def generate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.")],
    columns: Annotated[
        int,
        typer.Option(
            min=1000,
            max=20_000_000,
            help="Serving columns of the model, about; small models have as many others.",
        ),
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal cases.")] = 0,
) -> None:
    """Draw a case of any size with the statistics of the reference case, without its rules.

    Example: [bold]planner generate large --columns 300000 --seed 1[/bold]
    """
    if folder.exists():
        raise InputError([Fault(str(folder), "exists already")])
    case = generated_case(columns, seed)
    save_case(case, folder)
    err.print(f"{folder}: {len(case.pools)} pools, {len(case.serving)} workloads")
