"""`planner frontier`."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from planner.case import load_case
from planner.cli.app import LIMIT, PROVEN, app, err, out
from planner.cli.options import (
    AsJson,
    CaseFolder,
    Changes,
    Force,
    Gap,
    Picture,
    Promises,
    Threads,
    TimeLimit,
)
from planner.cli.telling import telling
from planner.decisions.frontier import GAP, WORDS, Frontier
from planner.decisions.frontier import frontier as frontier_of
from planner.output import check_places, write_files
from planner.readable import fine_money_unit, money_unit, told_apart
from planner.run_folder import dump_json


@app.command("frontier")
def frontier_command(
    case: CaseFolder,
    limit: Annotated[
        str,
        typer.Option(
            help="Limit to move: limits.NAME, survival.CLASS, survival.* or "
            "case.qualification_engineers."
        ),
    ],
    start: Annotated[float, typer.Option("--from", help="First value of the limit.")],
    stop: Annotated[float, typer.Option("--to", help="Last value of the limit.")],
    points: Annotated[int, typer.Option(help="Values, both ends included.")] = 7,
    gap: Gap = GAP,
    time_limit: TimeLimit = None,
    threads: Threads = 1,
    changes: Changes = None,
    redundancy: Promises = "auto",
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for frontier.csv, .parquet, .json and the figure."),
    ] = None,
    format_: Picture = "png",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """What a case costs along a range of one limit, each point with its proven bound.

    Exit code 0: every point is within the gap or proven to have no plan. 3: some are not.

    Example: [bold]planner frontier data/claude --limit limits.cloud-share --from 1 --to 0.4[/bold]
    """
    read = load_case(case, changes or ())
    if folder is not None:
        check_places([folder / f"frontier.{kind}" for kind in (*DATA, format_)], force)
    with telling() as tell:
        found = frontier_of(
            read, limit, start=start, stop=stop, points=points, gap=gap, time_limit_s=time_limit,
            threads=threads, redundancy=redundancy, tell=tell,
        )  # fmt: skip
    if folder is not None:
        write_files({folder / name: data for name, data in _data(found).items()}, force)
    if as_json:
        out.print_json(dump_json(found.as_dict()))
    else:
        _print(found)
    # After everything else: hours of searches are not lost to a figure that cannot be drawn.
    if folder is not None:
        if not as_json:
            out.print(f"files: {folder}", markup=False, highlight=False, soft_wrap=True)
        try:
            write_files({folder / f"frontier.{format_}": _figure(found, format_)}, force)
        except KeyboardInterrupt:
            err.print("stopped before the figure was drawn")
            raise typer.Exit(LIMIT) from None
    raise typer.Exit(PROVEN if found.status == "proven" else LIMIT)


DATA = ("csv", "parquet", "json")
"""Kinds of files that hold the points."""


def _data(found: Frontier) -> dict[str, bytes]:
    """Name -> content of the files that hold the points."""
    parquet = io.BytesIO()
    found.points.to_parquet(parquet, index=False)
    return {
        "frontier.csv": found.points.to_csv(index=False, lineterminator="\n").encode(),
        "frontier.parquet": parquet.getvalue(),
        "frontier.json": dump_json(found.as_dict()).encode(),
    }


def _figure(found: Frontier, format_: str) -> bytes:
    """Cost along the limit as an image file."""
    from planner import plot  # noqa: PLC0415  (matplotlib takes a second to import)

    words = f"{found.limit.name} ({found.limit.unit})"
    return plot.image(partial(plot.frontier, found.points, words=words), format_)


def _print(found: Frontier) -> None:
    limits, along = found.points["limit"].tolist(), found.limit.unit
    if along.startswith("USD"):
        of_limit = money_unit(max(map(abs, limits)))
        limits = [value / of_limit.size for value in limits]
        along = along.replace("USD", of_limit.name, 1)
    view = Table(
        title=f"Cost along {found.limit.name} ({along})", title_justify="left",
        title_style="bold",
    )  # fmt: skip
    unit, named = fine_money_unit(np.nanmax([0.0, *found.points.cost_usd]))
    for i, name in enumerate(("value", named, "at least", "gap", "")):
        view.add_column(name, justify="left" if i == 4 else "right")
    values = told_apart(limits, 6)
    for value, row in zip(values, found.points.to_dict("records"), strict=True):
        cells = [
            "" if np.isnan(row[k]) else f"{row[k] / unit:,.3f}" for k in ("cost_usd", "bound_usd")
        ]
        gap = "" if np.isnan(row["gap"]) else f"{row['gap']:.3%}"
        view.add_row(value, *cells, gap, WORDS[str(row["status"])])
    out.print(view)
    out.print(f"searches: {found.solves}, to a gap of {found.gap:g}; {found.seconds:.0f} s")
