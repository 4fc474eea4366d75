"""`planner throughput` and `planner calibrate`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from pydantic import ValidationError
from rich.table import Table

from planner.case import load_case
from planner.case.records import Architecture
from planner.cli.app import app, err, out
from planner.cli.options import AsJson, CaseFolder, Force
from planner.errors import Fault, InputError
from planner.output import check_places, write_files
from planner.throughput.factors import load_factors
from planner.throughput.table import throughput_table, why

SHOWN = (
    "model", "class", "chip", "chips_per_replica", "batch", "ttft_ms", "tpot_ms",
    "requests_per_s_per_chip", "low", "high", "output_tokens_per_s_per_chip",
    "provenance", "usd_per_million_tokens",
)  # fmt: skip


@app.command()
def throughput(
    case: CaseFolder,
    reason: Annotated[
        tuple[str, str, str] | None,
        typer.Option("--why", metavar="MODEL CHIP CLASS", help="Say what limits one pair."),
    ] = None,
    round_trip: Annotated[
        float | None,
        typer.Option(min=0.0, max=1e5, help="Round trip, ms; the nearest pool's when absent."),
    ] = None,
    file: Annotated[Path | None, typer.Option("--out", help="Write the table as CSV.")] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Rates within the latency targets: the best configuration per model, class and chip.

    Example: [bold]planner throughput data/small[/bold]
    Example: [bold]planner throughput data/claude --why large tpu-v5e agentic[/bold]
    """
    read = load_case(case)
    if file is not None:
        if reason is not None:
            raise InputError([Fault("--out", "writes the table, which --why does not make")])
        check_places([file], force)
    if reason is not None:
        try:
            lines = why(read, *reason, round_trip_ms=round_trip)
        except KeyError as error:
            raise InputError([Fault("--why", str(error.args[0]))]) from error
        if as_json:
            out.print_json(json.dumps({"why": lines}))
        else:
            for line in lines:
                out.print(line, markup=False, highlight=False, soft_wrap=True)
        return
    table = throughput_table(read, round_trip)
    if file is not None:
        write_files({file: table.to_csv(index=False, lineterminator="\n").encode()}, force)
    if as_json:
        out.print_json(table.to_json(orient="records"))
        return
    view = Table(title="Best configurations", title_justify="left")
    names = {"chips_per_replica": "chips", "requests_per_s_per_chip": "req/s per chip",
             "output_tokens_per_s_per_chip": "output tok/s per chip",
             "usd_per_million_tokens": "USD per M tokens"}  # fmt: skip
    for name in SHOWN:
        view.add_column(names.get(name, name.replace("_", " ")), overflow="fold")
    for row in table.to_dict("records"):
        if row["requests_per_s_per_chip"] == 0:
            cells = [str(row[k]) for k in SHOWN[:3]]
            view.add_row(*cells, f"impossible: {row['limited_by']}", *([""] * 9))
        else:
            view.add_row(*(_cell(row[k]) for k in SHOWN))
    out.print(view)


def _cell(value: object) -> str:
    if isinstance(value, float):
        # Whole numbers where four digits would need an exponent, which a narrow column cuts.
        return "" if pd.isna(value) else f"{value:,.0f}" if value >= 1e3 else f"{value:.4g}"
    return str(value)


@app.command()
def calibrate(
    data: Annotated[
        Path, typer.Option("--data", help="Folder of measured tables to fit to.")
    ] = Path("data/calibration"),
    check: Annotated[
        Path | None,
        typer.Option("--check", help="Predict a measured table with the stored factors."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--out", help="Where to write: predictions (CSV) or factors (JSON)."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write the report of errors (Markdown).")
    ] = None,
    architectures: Annotated[
        Path | None,
        typer.Option("--architectures", help="Your own rows of architectures.csv, for --check."),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Fit the throughput model to measurements, or hold it against a table of your own.

    Without --out a fit is only compared with the stored factors.

    Example: [bold]planner calibrate --check mine.csv --out predicted.csv[/bold]
    """
    check_places([path for path in (file, report) if path is not None], force)
    summary = _check(check, file, architectures) if check is not None else _fit(data, file, report)
    if as_json:
        out.print_json(json.dumps(summary))
        return
    for name, value in summary.items():
        out.print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")


def _check(path: Path, file: Path | None, own: Path | None) -> dict[str, object]:
    from planner.throughput.check import check_file  # noqa: PLC0415  (keeps other commands fast)
    from planner.throughput.points import PointError  # noqa: PLC0415

    if not path.is_file():
        raise InputError([Fault(str(path), "the file is missing")])
    try:
        found = check_file(path, architectures=_own_architectures(own))
    except PointError as error:
        raise InputError([Fault(str(path), line) for line in str(error).splitlines()]) from error
    if file is not None:
        found.write(file)
    return dict(found.summary())


def _own_architectures(path: Path | None) -> dict[str, Architecture]:
    """Rows of a user's architectures by name. Raises InputError for a row that is none."""
    if path is None:
        return {}
    if not path.is_file():
        raise InputError([Fault(str(path), "the file is missing")])
    out: dict[str, Architecture] = {}
    faults: list[Fault] = []
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    for line, row in enumerate(rows, start=2):
        try:
            record = Architecture.model_validate({k: v for k, v in row.items() if v})
        except ValidationError as error:
            faults.extend(
                Fault(path.name, str(part["msg"]), line, ".".join(str(x) for x in part["loc"]))
                for part in error.errors()
            )
        else:
            out[record.architecture] = record
    if faults:
        raise InputError(faults)
    return out


def _fit(data: Path, file: Path | None, report: Path | None) -> dict[str, object]:
    from planner.throughput.calibration import stale  # noqa: PLC0415
    from planner.throughput.report import markdown  # noqa: PLC0415
    from planner.throughput.validation import calibrate as fit  # noqa: PLC0415
    from planner.throughput.validation import store  # noqa: PLC0415

    if not data.is_dir():
        raise InputError([Fault(str(data), "is not a folder")])
    was_stale = stale(load_factors(), data)
    if was_stale:
        err.print("the stored factors were fitted to other data than this folder's")
    try:
        with err.status("fitting, and once more without each pair of chip and model: some minutes"):
            factors, validation = fit(data)
    except (FileNotFoundError, ValueError) as error:
        raise InputError([Fault(str(data), str(error))]) from error
    if file is not None:
        store(factors, file)
    if report is not None:
        report.write_text(markdown(factors, validation, data), encoding="utf-8")
    return {"stored_factors_match_data": not was_stale, **factors.errors}
