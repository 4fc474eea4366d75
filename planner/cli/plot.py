"""`planner plot`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from planner.cli.app import AsJson, RunFolder, app, out
from planner.output import write_files
from planner.plan import load_plan


@app.command("plot")
def plot_command(
    run: RunFolder,
    what: Annotated[
        list[str] | None, typer.Option("--what", help="Figure; repeatable; all when absent.")
    ] = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path("figures"),
    format_: Annotated[
        Literal["png", "svg", "pdf"], typer.Option("--format", help="File format.")
    ] = "png",
    style: Annotated[
        Literal["light", "print"], typer.Option(help="light for screens, print for paper.")
    ] = "light",
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw figures of a saved plan.

    Example: [bold]planner plot runs/small --what capacity --what flows --out figures[/bold]
    """
    from planner import plot  # noqa: PLC0415  (matplotlib takes a second to import)

    images = plot.render(load_plan(run), format_, what, style)
    files = {folder / f"{name}.{format_}": data for name, data in images.items()}
    write_files(files, force)
    if as_json:
        out.print_json(json.dumps({"files": [str(path) for path in files]}))
    else:
        for path in files:
            out.print(str(path), markup=False, highlight=False, soft_wrap=True)
