"""`planner sweep`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from planner.cli.app import app, err, out
from planner.cli.options import AsJson, RunFolder
from planner.plan import load_plan
from planner.run_folder import dump_json
from planner.sweep.pieces import Progress
from planner.sweep.replan import GAP
from planner.sweep.replan import replan as replan_plan
from planner.sweep.results import SweepResult, load_sweep
from planner.sweep.results import regret as regret_of
from planner.sweep.run import AUDIT_BLOCKS, REROUTE_BLOCKS, SOLVES, Certify
from planner.sweep.run import sweep as sweep_plan
from planner.sweep.spec import load_spec


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
    if replan:
        with _progress() as progress:
            result = replan_plan(
                load_plan(run), load_spec(spec), out=target, plans=plans, gap=gap, jobs=jobs,
                name=run.name, progress=progress,
            )  # fmt: skip
        if as_json:
            out.print_json(dump_json({**result.summary, "file": str(target)}))
        else:
            _print_replan(result, target)
        return
    with _progress() as progress:
        result = sweep_plan(
            load_plan(run), load_spec(spec), out=target, certify=certify,
            audit_blocks=audit_blocks, solves=solves, jobs=jobs, name=run.name, progress=progress,
            reroute_blocks="all" if upper == "all" else REROUTE_BLOCKS,
        )  # fmt: skip
    if as_json:
        out.print_json(dump_json({**result.summary, "file": str(target)}))
    else:
        _print(result.summary, target)


@app.command()
def regret(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Sweeps of one specification.")
    ],
    as_json: AsJson = False,
) -> None:
    """Which of several plans regrets least, from their sweeps of the same scenarios.

    A plan's regret in a scenario is its cost less that of the best of the plans there.

    Example: [bold]planner regret runs/with.parquet runs/without.parquet[/bold]
    """
    table = regret_of([load_sweep(path) for path in files])
    if as_json:
        out.print_json(dump_json(table.to_dict("records")))
        return
    view = Table(title="Regret (billion USD)", title_justify="left")
    for name in ("plan", "mean cost", "mean regret", "+-", "worst regret", "best in"):
        view.add_column(name, justify="left" if name == "plan" else "right")
    columns = [f"{name}_usd" for name in
               ("mean_cost", "mean_regret", "mean_regret_half_width", "worst_regret")]  # fmt: skip
    for row in table.sort_values("mean_regret_usd").to_dict("records"):
        usd = (f"{row[name] / 1e9:,.3f}" for name in columns)
        view.add_row(row["plan"], *usd, f"{row['best_in_share']:.0%}")
    out.print(view)
    if not table["exact"].all():
        out.print("from lower bounds: sweep with --certify exact for exact costs")


def _print_replan(result: SweepResult, target: Path) -> None:
    """Bounds over the scenarios, and what was planned."""
    s = result.summary
    b = {name: usd / 1e9 for name, usd in s["bound_usd"].items()}
    out.print(
        f"{s['scenarios']:,} scenarios, contracts free: the best plan costs at least "
        f"{b['least']:,.3f} to {b['most']:,.3f}, {b['mean']:,.3f} billion USD on average"
    )
    if s["planned"]:
        view = Table(title=f"{s['planned']} planned (billion USD)", title_justify="left")
        for name in ("scenario", "certificate's bound", "bound", "cost", "status"):
            view.add_column(name, justify="right")
        columns = ("scenario", "certificate_bound_usd", "cost_lower_usd", "cost_usd", "status")
        rows = result.columns(*columns)
        for _, row in rows[rows.status != ""].iterrows():
            usd = (f"{row[name] / 1e9:,.3f}" for name in columns[1:4])
            view.add_row(str(row.scenario), *usd, str(row.status))
        out.print(view)
    out.print(f"results: {target}", soft_wrap=True)


def _print(s: dict[str, Any], target: Path) -> None:
    """Costs, what is certain about them, and what they hang on."""
    whole = s.get("cost", s["cost_lower"])
    word = "cost" if "cost" in s else "cost, at least"
    view = Table(
        title=f"{s['scenarios']:,} scenarios, {s['blocks']:,} blocks", title_justify="left"
    )
    view.add_column("")
    view.add_column(f"{word} (billion USD)", justify="right")
    view.add_row("mean", f"{whole['mean_usd'] / 1e9:,.3f}")
    for name, (_, at, _) in whole["quantiles_usd"].items():
        view.add_row(f"quantile {name}", f"{at / 1e9:,.3f}")
    view.add_row("mean of the worst 5 %", f"{whole['cvar_0.95_usd'] / 1e9:,.3f}")
    out.print(view)
    if "audit" in s:
        a = s["audit"]
        out.print(
            f"audit: {a['blocks']:,} blocks solved exactly, {a['misses']} off by more than 0.1 %; "
            f"at 99 % confidence at least {a['share_within_0.1pct_99conf']:.3%} are within"
        )
    drivers = Table(title="Cost by factor", title_justify="left")
    for name in ("factor", "from", "to", "billion USD at from", "at to"):
        drivers.add_column(name, justify="left" if name == "factor" else "right")
    for row in s["sensitivity"][:10]:
        drivers.add_row(
            row["factor"], f"{row['low']:.3g}", f"{row['high']:.3g}",
            f"{row['cost_at_low_usd'] / 1e9:,.3f}", f"{row['cost_at_high_usd'] / 1e9:,.3f}",
        )  # fmt: skip
    out.print(drivers)
    out.print(f"{s['seconds']['total']:.1f} s; results: {target}", soft_wrap=True)
