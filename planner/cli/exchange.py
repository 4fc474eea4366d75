"""`planner import` and `planner export`: instances of others come in, models go out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from planner.case import load_case
from planner.case.write import save_case
from planner.cli.app import app, err
from planner.cli.options import CaseFolder, Force
from planner.errors import Fault, InputError
from planner.export import write_lp, write_mps
from planner.instance import build_instance
from planner.melange import INPUT_TOKENS, OUTPUT_TOKENS, melange_case
from planner.output import check_places
from planner.redundancy.problem import compiled_problem

incoming = typer.Typer(
    help="Make a case from an instance of another planner.\n\n"
    "Example: [bold]planner import melange instance.json mycase[/bold]",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(incoming, name="import")


class ModelFormat(StrEnum):
    """File formats of a model."""

    mps = "mps"
    lp = "lp"


def _lengths(option: str, text: str | None, usual: tuple[float, ...]) -> tuple[float, ...]:
    """Token lengths such as `25;100;250`; the usual ones when none are given."""
    if text is None:
        return usual
    try:
        lengths = tuple(float(part) for part in text.split(";"))
    except ValueError as error:
        raise InputError([Fault(option, f"'{text}' is not numbers between `;`")]) from error
    if not all(1.0 <= length <= 1e9 for length in lengths):
        raise InputError([Fault(option, f"'{text}' holds a length below 1 or above 1e9")])
    return lengths


@incoming.command()
def melange(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Instance in Mélange's format.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Case folder to make.")],
    input_tokens: Annotated[
        str | None,
        typer.Option(help="Input length of each bucket, such as 25;100; the usual eight if none."),
    ] = None,
    output_tokens: Annotated[
        str | None,
        typer.Option(help="Output length of each bucket; the usual six if none."),
    ] = None,
) -> None:
    """Make a case of a Mélange instance: GPU types, prices, rates and one month of demand.

    All of it a thousand times: the instance's USD/h is the plan's cost / 744,000.

    Example: [bold]planner import melange data/melange/mixed_80_20_tpot40_r4.json mycase[/bold]
    """
    if folder.exists():
        raise InputError([Fault(str(folder), "exists already")])
    case = melange_case(
        file,
        _lengths("--input-tokens", input_tokens, INPUT_TOKENS),
        _lengths("--output-tokens", output_tokens, OUTPUT_TOKENS),
    )
    save_case(case, folder)
    err.print(f"{folder}: {len(case.chips)} GPU types, {len(case.serving)} buckets with requests")


@app.command()
def export(
    case: CaseFolder,
    kind: Annotated[
        ModelFormat | None,
        typer.Option("--format", help="File format; by the end of the file's name, else mps."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--out", help="File to write; <case name>.<format> if none.")
    ] = None,
    force: Force = False,
) -> None:
    """Write a case's model for any solver, in USD, chips and requests per second.

    Example: [bold]planner export data/small --format lp --out small.lp[/bold]
    """
    read = load_case(case)
    ending = "" if file is None else file.suffix.removeprefix(".").lower()
    named = ModelFormat(ending) if ending in list(ModelFormat) else None
    if kind is not None and named not in (None, kind):
        raise InputError([Fault("--format", f"is {kind}, and the file's name ends in .{ending}")])
    kind = kind or named or ModelFormat.mps
    target = file if file is not None else Path(f"{read.settings.name}.{kind.value}")
    check_places([target], force)
    if not target.parent.is_dir():
        raise InputError([Fault(str(target), "its folder does not exist")])
    matrix, held = compiled_problem(build_instance(read))
    if held != "explicit":
        rule = "asks for more contingency flows than a file can hold; export the case without it"
        raise InputError([Fault("contingencies.csv", rule)])
    write = {ModelFormat.mps: write_mps, ModelFormat.lp: write_lp}[kind]
    write(matrix, target, read.settings.name)
    rows, columns = matrix.shape
    err.print(f"{target}: {rows:,} rows, {columns:,} columns", highlight=False)
