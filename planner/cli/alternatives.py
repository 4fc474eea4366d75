"""`planner alternatives`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
import typer
from rich.table import Table

from planner.alternatives.run import Alternatives, alternatives
from planner.alternatives.save import KIND, save_alternatives
from planner.case import load_case
from planner.cli.app import FAILED, LIMIT, PROVEN, app, err, out
from planner.cli.options import AsJson, Changes, Force, Promises, Threads, TimeLimit
from planner.cli.prices import records
from planner.cli.telling import progress_line
from planner.errors import Fault, InputError
from planner.plan import load_plan
from planner.readable import chips_unit, money_unit, power_unit
from planner.run_folder import MANIFEST, dump_json, refuse_target

AUDITED = {
    "passed": "passed",
    "only_waived": "passed but for the promises that were waived",
    "failed": "FAILED",
}
"""Outcome of an audit -> its words."""
SHOWN = 25
"""Decisions in common that are shown; in_common.csv has all."""


def share(text: str) -> float:
    """A share from `1%` or `0.01`. Raises InputError for anything else."""
    number, percent = (text[:-1], 100.0) if text.endswith("%") else (text, 1.0)
    try:
        return float(number) / percent
    except ValueError:
        rule = f"'{text}' is neither a share (0.01) nor a percentage (1%)"
        raise InputError([Fault("--slack", rule)]) from None


@app.command("alternatives")
def alternatives_command(
    folder: Annotated[Path, typer.Argument(metavar="CASE", help="Case folder, or a run folder.")],
    slack: Annotated[
        str, typer.Option(help="Cost above the proven bound that is allowed: 1% or 0.01.")
    ] = "1%",
    count: Annotated[int, typer.Option(min=1, help="Plans, the one of least cost included.")] = 5,
    by: Annotated[
        Literal["cloud", "chip"], typer.Option(help="What the plans should differ in.")
    ] = "cloud",
    target: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write; runs/<case name>-alternatives if not given."),
    ] = None,
    gap: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Gap of the least-cost plan; half of the slack."),
    ] = None,
    time_limit: TimeLimit = None,
    threads: Threads = 1,
    changes: Changes = None,
    redundancy: Promises = "auto",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Plans of almost least cost that differ as much as they can, and what they have in common.

    A run folder in place of the case is taken as the plan of least cost, with its proof. Each plan
    is audited and written as a run folder. Exit code 1 when an audit finds anything, 3 when the
    time limit or Ctrl-C came first, or when no further plan was found and none is excluded: what
    was found until then is written.

    Example: [bold]planner alternatives data/small --slack 1% --count 5[/bold]
    Example: [bold]planner alternatives runs/claude --by chip --out runs/other-chips[/bold]
    """
    allowed = share(slack)
    saved = (folder / MANIFEST).is_file()
    if saved and (changes or redundancy != "auto"):
        rule = "changes a case; a run keeps its own copy of it"
        raise InputError([Fault("--set or --redundancy", rule)])
    if saved and gap is not None:
        raise InputError(
            [Fault("--gap", "is that of the least-cost plan, which a run has already")]
        )
    start = load_plan(folder) if saved else load_case(folder, changes or ())
    name = (start.case if saved else start).settings.name  # type: ignore[union-attr]
    place = target if target is not None else Path("runs") / f"{name}-alternatives"
    refuse_target(place, force, KIND)
    with progress_line() as progress:
        found = alternatives(
            start, slack=allowed, count=count, by=by, gap=gap, time_limit_s=time_limit,
            threads=threads, progress=progress, redundancy=redundancy,
        )  # fmt: skip
    options = {
        "from": str(folder), "slack": allowed, "count": count, "by": by, "gap": gap,
        "time_limit_s": time_limit, "threads": threads, "set": changes or [],
        "redundancy": redundancy,
    }  # fmt: skip
    save_alternatives(found, place, force=force, options=options)
    table = found.table()
    if as_json:
        content = {
            "folder": str(place), "slack": allowed, "by": by, "bound_usd": found.bound_usd,
            "stopped": found.stopped,
            "open": found.open,
            "alternatives": records(table), "in_common": records(found.common()),
        }  # fmt: skip
        out.print_json(dump_json(content))
    else:
        _print(found, table, count, place)
    failed = (table.audited == "failed").any()
    for report in found.reports if failed else ():
        for finding in report.findings:
            err.print(str(finding), markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(FAILED if failed else LIMIT if found.stopped or found.open else PROVEN)


def _print(found: Alternatives, table: pd.DataFrame, count: int, place: Path) -> None:
    """The plans, their mixes, their distances, and what they have in common."""
    unit, power = money_unit(found.bound_usd), power_unit(float(table.mean_mw.max()))
    out.print(
        f"{len(table)} plans within {found.slack:.2%} of the bound of "
        f"{unit.say(found.bound_usd, 4)}"
    )
    if found.stopped:
        out.print("stopped by the time limit or Ctrl-C before the others were found")
    elif found.open:
        out.print(f"no other was found; one up to {found.open:.2%} apart is not excluded")
    elif len(table) < count:
        out.print(f"no further plan within the slack differs in its mix by {found.by}")
    view = Table(title="Plans", title_justify="left", title_style="bold")
    for name in ("plan", unit.name, "above bound", "nearest before", "could not exceed",
                 f"mean {power.name}", "audit"):  # fmt: skip
        view.add_column(name, justify="left" if name in ("plan", "audit") else "right")
    for row in table.to_dict("records"):
        first = pd.isna(row["nearest_earlier"])
        view.add_row(
            row["plan"], unit.number(row["cost_usd"], 4), f"{row['above_bound']:.3%}",
            "" if first else f"{row['nearest_earlier']:.2%}",
            "" if first else f"{row['could_not_exceed']:.2%}", power.number(row["mean_mw"], 4),
            AUDITED[row["audited"]],
        )  # fmt: skip
    out.print(view)
    _print_shares(found, table)
    _print_common(found)
    out.print(f"run folders and tables: {place}", soft_wrap=True)


def _print_shares(found: Alternatives, table: pd.DataFrame) -> None:
    title = f"Share of power under contract by {found.by}, mean over the horizon"
    out.print(f"[bold]{title}[/bold]")
    view = Table()
    view.add_column(found.by)
    for name in found.names:
        view.add_column(name, justify="right")
    for member in found.members:
        shares = table[f"share_{member}"]
        if shares.max() > 0:
            view.add_row(member, *(f"{value:.1%}" for value in shares))
    out.print(view)
    out.print("[bold]Apart, share of the capacity of alt-1[/bold]")
    view = Table()
    view.add_column("")
    for name in found.names:
        view.add_column(name, justify="right")
    for i, name in enumerate(found.names):
        view.add_row(name, *(f"{value:.2%}" for value in found.apart[i]))
    out.print(view)


def _print_common(found: Alternatives) -> None:
    table = found.common()
    view = Table(title="In every plan", title_justify="left", title_style="bold")
    chips = chips_unit(float(table.chips.max() or 0.0))
    for name in ("kind", "what", "where", "from", "lots", chips.name, "sign by"):
        view.add_column(name, justify="right" if name in ("lots", chips.name) else "left")
    first = table[table.kind != "lots"]
    lots = table[table.kind == "lots"].sort_values("chips", ascending=False, kind="stable")
    for row in pd.concat([first, lots]).head(SHOWN).to_dict("records"):
        many = row["kind"] == "lots"
        view.add_row(
            row["kind"], row["what"], row["where"], row["period"],
            f"{row['count']:,}" if many else "",
            chips.number(row["chips"], 1 if chips.size > 1.0 else 0) if many else "",
            row["by"],
        )  # fmt: skip
    out.print(view)
    if len(table) > SHOWN:
        out.print(f"and {len(table) - SHOWN:,} more (in_common.csv has all)")
