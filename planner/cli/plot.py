"""`planner plot`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from planner.cli.app import app, out
from planner.cli.options import AsJson, Force, Picture
from planner.errors import Fault, InputError
from planner.output import write_files
from planner.plan import load_plan
from planner.sweep.frames import fan_frame, heat_frame, tornado_frame, widest_pair
from planner.sweep.results import SweepResult, load_sweep


def _drawings(
    result: SweepResult, pair: str | None, less: SweepResult | None
) -> dict[str, Callable[[], Any]]:
    """Figures of a sweep by name."""
    from planner import plot  # noqa: PLC0415  (matplotlib takes a second to import)

    if "sensitivity" not in result.summary:
        raise InputError([Fault("plot", "a sweep with --replan has no such figures")])
    two = widest_pair(result) if pair is None else tuple(pair.split(","))
    if pair is not None and len(two) != 2:
        raise InputError([Fault("--pair", f"'{pair}' is not two factors, A,B")])
    out: dict[str, Callable[[], Any]] = {
        "tornado": lambda: plot.tornado(tornado_frame(result)),
        "fan": lambda: plot.fan(fan_frame(result), name="cost beyond contracts, at least"),
    }
    if len(two) == 2:
        rows, columns = two
        heat = heat_frame(result, rows, columns, less=less)
        exact = all(one is None or one.exact for one in (result, less))
        cost = "cost" if exact else "lower bound of cost"
        of = cost if less is None else f"{cost} less the other plan's"
        out["heat_map"] = lambda: plot.heat_map(heat, rows=rows, columns=columns, name=of)
    return out


@app.command("plot")
def plot_command(
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Run folder; none with --sweep.")
    ] = None,
    what: Annotated[
        list[str] | None, typer.Option("--what", help="Figure; repeatable; all when absent.")
    ] = None,
    swept: Annotated[
        Path | None, typer.Option("--sweep", help="Draw a finished sweep (Parquet file) instead.")
    ] = None,
    pair: Annotated[
        str | None,
        typer.Option(help="With --sweep: two factors of the heat map, A,B; else the widest."),
    ] = None,
    less: Annotated[
        Path | None,
        typer.Option(help="With --sweep: another plan's sweep; heat map of the difference."),
    ] = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path("figures"),
    format_: Picture = "png",
    style: Annotated[
        Literal["light", "print"], typer.Option(help="light for screens, print for paper.")
    ] = "light",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Draw figures of a saved plan, or of a sweep: tornado, fan and heat_map.

    Example: [bold]planner plot runs/small --what capacity --what flows --out figures[/bold]
    Example: [bold]planner plot --sweep runs/sweep.parquet --pair growth,price[/bold]
    """
    if (run is None) == (swept is None):
        raise InputError([Fault("plot", "takes a run folder, or --sweep and a file")])
    from planner import plot  # noqa: PLC0415  (matplotlib takes a second to import)

    if run is not None:
        faults = [
            Fault(name, "is an option of --sweep")
            for name, given in (("--pair", pair), ("--less", less))
            if given is not None
        ]
        if faults:
            raise InputError(faults)
        images = plot.render(load_plan(run), format_, what, style)
    else:
        assert swept is not None
        drawn = _drawings(load_sweep(swept), pair, None if less is None else load_sweep(less))
        faults = [
            Fault("figure", f"'{name}' is not one of {', '.join(drawn)}")
            for name in what or ()
            if name not in drawn
        ]
        if faults:
            raise InputError(faults)
        images = {name: plot.image(drawn[name], format_, style) for name in what or drawn}
    files = {folder / f"{name}.{format_}": data for name, data in images.items()}
    write_files(files, force)
    if as_json:
        out.print_json(json.dumps({"files": [str(path) for path in files]}))
    else:
        for path in files:
            out.print(str(path), markup=False, highlight=False, soft_wrap=True)
