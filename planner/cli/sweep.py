"""`planner sweep`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from planner.cli.app import LIMIT, app, err, out
from planner.cli.options import AsJson, RunFolder
from planner.cli.prices import records
from planner.errors import Fault, InputError
from planner.plan import load_plan
from planner.readable import Unit, money_unit
from planner.run_folder import dump_json
from planner.sweep.frames import factor_labels
from planner.sweep.pieces import Progress, work_place
from planner.sweep.replan import GAP
from planner.sweep.replan import replan as replan_plan
from planner.sweep.results import SweepResult, cost_by, load_sweep
from planner.sweep.results import regret as regret_of
from planner.sweep.run import AUDIT_BLOCKS, REROUTE_BLOCKS, SOLVES, Certify
from planner.sweep.run import sweep as sweep_plan


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """A bar for each step on a terminal; elsewhere silent."""
    if not err.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    with Bar(*columns, console=err, transient=True) as bar:
        known: dict[str, Any] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in known:
                known[step] = bar.add_task(step, total=total)
            bar.update(known[step], completed=done)

        yield show


@contextmanager
def _goes_on(target: Path) -> Iterator[None]:
    """Say, when Ctrl-C stops a sweep, that the pieces that are done are kept."""
    try:
        yield
    except KeyboardInterrupt:
        pieces = work_place(target)
        if not pieces.exists():
            raise
        err.print(f"stopped; the same command goes on from {pieces}", soft_wrap=True)
        raise typer.Exit(LIMIT) from None


@app.command()
def sweep(
    run: RunFolder,
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="Scenario specification (TOML).")],
    target: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    certify: Annotated[
        Certify,
        typer.Option(
            help="bounds: lower bounds only; audit: and a sample solved exactly; "
            "exact: every block solved."
        ),
    ] = "audit",
    audit_blocks: Annotated[int, typer.Option(min=1, help="Blocks in the audit.")] = AUDIT_BLOCKS,
    solves: Annotated[
        int, typer.Option(min=2, help="Most exact solves for the prices of one period.")
    ] = SOLVES,
    upper: Annotated[
        Literal["sample", "all"],
        typer.Option(help="Feasible costs by rerouting: of a sample of blocks, or of every one."),
    ] = "sample",
    replan: Annotated[
        bool, typer.Option("--replan", help="Contracts move too: bounds, and plans for --plans.")
    ] = False,
    plans: Annotated[int, typer.Option(min=0, help="With --replan: scenarios to plan.")] = 0,
    gap: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="With --replan: gap of these plans.")
    ] = GAP,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    as_json: AsJson = False,
) -> None:
    """What a saved plan costs in many scenarios, its contracts fixed, with proven bounds.

    Interrupted, it goes on where it stopped when it is called again.

    Example: [bold]planner sweep runs/claude scenarios.toml --out runs/sweep.parquet[/bold]
    Example: [bold]planner sweep runs/small scenarios.toml --replan --plans 5 --out r.parquet[/bold]
    """  # fmt: skip
    _without_effect(
        {"--certify": certify != "audit", "--audit-blocks": audit_blocks != AUDIT_BLOCKS,
         "--solves": solves != SOLVES, "--upper": upper != "sample"}
        if replan else {"--plans": plans != 0, "--gap": gap != GAP},
        "has no effect with --replan" if replan else "has no effect without --replan",
    )  # fmt: skip
    if replan:
        with _goes_on(target), _progress() as progress:
            result = replan_plan(
                load_plan(run), spec, out=target, plans=plans, gap=gap, jobs=jobs,
                name=run.name, progress=progress,
            )  # fmt: skip
        if as_json:
            out.print_json(dump_json({**result.summary, "file": str(target)}))
        else:
            _print_replan(result, target)
        return
    with _goes_on(target), _progress() as progress:
        result = sweep_plan(
            load_plan(run), spec, out=target, certify=certify,
            audit_blocks=audit_blocks, solves=solves, jobs=jobs, name=run.name, progress=progress,
            reroute_blocks="all" if upper == "all" else REROUTE_BLOCKS,
        )  # fmt: skip
    if as_json:
        out.print_json(dump_json({**result.summary, "file": str(target)}))
    else:
        _print(result.summary, target)


def _without_effect(given: dict[str, bool], rule: str) -> None:
    """Raise InputError with every option that was given and would do nothing."""
    faults = [Fault(name, rule) for name, here in given.items() if here]
    if faults:
        raise InputError(faults)


@app.command()
def regret(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Sweeps of one specification.")
    ],
    by: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Of two sweeps: the first plan's cost less the second's by these factors, the "
            "last across.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Which of several plans regrets least, from their sweeps of the same scenarios.

    A plan's regret in a scenario is its cost less that of the best of the plans there.

    Example: [bold]planner regret runs/with.parquet runs/without.parquet[/bold]
    Example: [bold]planner regret runs/with.parquet runs/without.parquet --by growth,late[/bold]
    """  # fmt: skip
    results = [load_sweep(path) for path in files]
    table = regret_of(results)
    if by is not None and len(results) != 2:
        raise InputError([Fault("--by", f"takes two sweeps, not {len(results)}")])
    cells = None if by is None else cost_by(results[0], by.split(","), less=results[1])
    if as_json:
        found: dict[str, Any] = {"regret": records(table)}
        if cells is not None:
            tidy = cells.melt(ignore_index=False, value_name="usd").reset_index()
            found["difference"] = records(tidy)
        out.print_json(dump_json(found["regret"] if cells is None else found))
        return
    if cells is not None:
        _print_difference(cells, [r.summary["plan"] for r in results])
    columns = {
        "mean cost": "mean_cost_usd", "mean regret": "mean_regret_usd",
        "+-, 99 %": "mean_regret_half_width_usd", "worst regret": "worst_regret_usd",
    }  # fmt: skip
    if not table["mean_regret_half_width_usd"].any():
        del columns["+-, 99 %"]
    unit = money_unit(float(table["mean_cost_usd"].max()))
    view = Table(title=f"Regret ({unit.name})", title_justify="left")
    for name in ("plan", *columns, "best in"):
        view.add_column(name, justify="left" if name == "plan" else "right")
    for row in table.sort_values("mean_regret_usd").to_dict("records"):
        usd = (_number(row[name], unit) for name in columns.values())
        view.add_row(row["plan"], *usd, f"{row['best_in_share']:.0%}")
    out.print(view)
    if not table["exact"].all():
        out.print(
            "from lower bounds of each plan's cost, so that regrets are neither at least nor at "
            "most these: sweep with --certify exact for exact ones",
            soft_wrap=True,
        )


def _print_replan(result: SweepResult, target: Path) -> None:
    """Bounds over the scenarios, and what was planned."""
    s = result.summary
    b = s["bound_usd"]
    unit = money_unit(b["most"])
    out.print(
        f"{s['scenarios']:,} scenarios, contracts free: the best plan costs at least "
        f"{unit.number(b['least'])} to {unit.number(b['most'])}, {unit.say(b['mean'])} on average"
    )
    if s["planned"]:
        view = Table(title=f"{s['planned']} planned ({unit.name})", title_justify="left")
        for name in ("scenario", "certificate's bound", "bound", "cost", "status"):
            view.add_column(name, justify="right")
        columns = ("scenario", "certificate_bound_usd", "cost_lower_usd", "cost_usd", "status")
        rows = result.columns(*columns)
        for _, row in rows[rows.status != ""].iterrows():
            usd = (unit.number(row[name]) for name in columns[1:4])
            view.add_row(str(row.scenario), *usd, str(row.status))
        out.print(view)
    out.print(f"results: {target}", soft_wrap=True)


def _print_difference(cells: pd.DataFrame, plans: list[str]) -> None:
    """One plan's cost less another's, by the values of factors."""
    across = f"across: {cells.columns.name}"
    title = f"Cost of {plans[0]} less that of {plans[1]} (million USD), {across}"
    out.print(title, soft_wrap=True, style="italic")
    view = Table()
    for name in cells.index.names:
        view.add_column(str(name))
    for label in factor_labels(cells.columns):
        view.add_column(label, justify="right")
    levels = map(
        factor_labels, (cells.index.get_level_values(i) for i in range(cells.index.nlevels))
    )
    for labels, row in zip(zip(*levels, strict=True), cells.to_numpy(), strict=True):
        view.add_row(*labels, *("" if x != x else f"{x / 1e6:,.0f}" for x in row))
    out.print(view)


def _number(usd: float | None, unit: Unit) -> str:
    return "" if usd is None or usd != usd else unit.number(usd)


def _print(s: dict[str, Any], target: Path) -> None:
    """Costs, what is certain about them, and what they hang on."""
    exact, drawn = "cost" in s, s["spec"]["design"] not in ("grid", "list")
    whole = s["cost"] if exact else s["cost_lower"]
    unit = money_unit(max(abs(at) for _, at, _ in whole["quantiles_usd"].values()))
    say = partial(_number, unit=unit)
    out.print(f"{s['scenarios']:,} scenarios, {s['blocks']:,} blocks")
    out.print(_expected(s, drawn, unit), soft_wrap=True)
    view = Table(title=f"Cost of a scenario ({unit.name})", title_justify="left")
    upper = s.get("cost_upper")
    view.add_column("")
    heads = [*(["cost"] if exact else ["at least"]), *(["99 % from", "to"] if drawn else []),
             *(["at most"] if upper else [])]  # fmt: skip
    for name in heads:
        view.add_column(name, justify="right")
    for name, (low, at, high) in whole["quantiles_usd"].items():
        limits = (low, high) if drawn else ()
        most = (upper["quantiles_usd"][name][1],) if upper else ()
        view.add_row(f"quantile {name}", *map(say, (at, *limits, *most)))
    at, half = whole["cvar_0.95_usd"], whole["cvar_0.95_half_width_usd"]
    limits = () if not drawn else (None, None) if half is None else (at - half, at + half)
    most = (upper["cvar_0.95_usd"],) if upper else ()
    view.add_row("mean of the worst 5 %", *map(say, (at, *limits, *most)))
    out.print(view)
    if not exact:
        out.print(
            "quantiles and the worst 5 % are those of proven lower bounds: of costs at least",
            soft_wrap=True,
        )
    if "audit" in s:
        _print_audit(s["audit"])
    names = {f["name"]: f["values"] for f in s["spec"]["factor"] if f["kind"] == "lost"}
    what = "cost" if exact else "bound"
    drivers = Table(title=f"Mean {what} by factor ({unit.name})", title_justify="left")
    for name in ("factor", "from", "to", "at from", "at to"):
        drivers.add_column(name, justify="left" if name == "factor" else "right")
    for row in s["sensitivity"][:10]:
        lost = names.get(row["factor"])
        ends = (
            f"{row[end]:.3g}" if lost is None else lost[int(row[end])] or "none"
            for end in ("low", "high")
        )
        usd = (say(row[f"cost_at_{end}_usd"]) for end in ("low", "high"))
        drivers.add_row(row["factor"], *ends, *usd)
    out.print(drivers)
    out.print(f"{s['seconds']['total']:.1f} s; results: {target}", soft_wrap=True)


def _expected(s: dict[str, Any], drawn: bool, unit: Unit) -> str:
    """The mean cost in a sentence, and what its interval comes from."""
    e = s["expected"]
    what = "expected cost" if drawn else f"mean cost of these {s['scenarios']:,} scenarios"
    mean, low, high = (_number(e[f"{name}_usd"], unit) for name in ("mean", "low", "high"))
    if e["mean_usd"] is None:
        surely = " at 99 % confidence" if drawn and low else ""
        least = low or unit.number(s["cost_lower"]["mean_usd"])
        return f"{what}: at least {least} {unit.name}{surely}"
    sampled = ["scenarios drawn"] if drawn else []
    sampled += ["blocks audited"] if "cost" not in s and not s["audit"]["every_block"] else []
    if not sampled:
        return f"{what}: {mean} {unit.name}, every block solved"
    if not low:
        return f"{what}: {mean} {unit.name}, too few {' and '.join(sampled)} for an interval"
    of = " and ".join(sampled)
    return f"{what}: {mean} {unit.name} (99 % interval {low} to {high}, of {of})"


def _print_audit(a: dict[str, Any]) -> None:
    """How many bounds were checked and what that proves of all."""
    if a["every_block"]:
        out.print(
            f"every block solved exactly: {a['misses']:,} of {a['blocks']:,} bounds are off by "
            f"more than 0.1 %, the worst by {a['worst_gap']:.2%}",
            soft_wrap=True,
        )
        return
    out.print(
        f"audit: {a['blocks']:,} blocks solved exactly, {a['misses']} off by more than 0.1 %; "
        f"at 99 % confidence at least {a['share_within_0.1pct_99conf']:.3%} are within",
        soft_wrap=True,
    )
