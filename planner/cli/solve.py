"""`planner solve` and `planner show`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from planner.case import load_case
from planner.cli.app import LIMIT, PROVEN, app, out
from planner.cli.options import (
    AsJson,
    CaseFolder,
    Changes,
    Force,
    Gap,
    Promises,
    RunFolder,
    Threads,
    TimeLimit,
)
from planner.cli.show import print_plan
from planner.cli.telling import progress_line
from planner.errors import InfeasibleError
from planner.plan import load_plan
from planner.run_folder import dump_json, refuse_target
from planner.solve.strategy import Strategy
from planner.solving import solve as solve_case


def _again(changes: list[str] | None) -> list[str]:
    """The same overrides as options of another command."""
    return [part for text in changes or () for part in ("--set", text)]


@app.command()
def solve(
    case: CaseFolder,
    run: Annotated[
        Path | None,
        typer.Option("--out", help="Run folder to write; runs/<case name> when not given."),
    ] = None,
    gap: Gap = 0.001,
    time_limit: TimeLimit = None,
    threads: Threads = 1,
    changes: Changes = None,
    redundancy: Promises = "auto",
    warm: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Start from an earlier run of a case much like it."),
    ] = None,
    strategy: Annotated[
        Strategy,
        typer.Option(help="Who finds the plan: branch and dive, or HiGHS; the bound is ours."),
    ] = "auto",
    solver: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Another solver that Pyomo knows finds the plan."),
    ] = None,
    force: Force = False,
    figures: Annotated[bool, typer.Option(help="Draw the figures too.")] = True,
    as_json: AsJson = False,
) -> None:
    """Solve a case and write its plan; Ctrl-C keeps the best plan so far.

    Exit code 0: proven within the gap. 3: stopped at a limit with a plan. 4: proven infeasible.

    Example: [bold]planner solve data/small --out runs/small[/bold]
    Example: [bold]planner solve data/small --set offers.reserved-1y.lead_days=120[/bold]
    Example: [bold]planner solve data/small --warm runs/small --out runs/again[/bold]
    """
    read = load_case(case, changes or ())
    target = run if run is not None else Path("runs") / read.settings.name
    refuse_target(target, force)
    options = {
        "gap": gap,
        "time_limit_s": time_limit,
        "threads": threads,
        "set": changes or [],
        "redundancy": redundancy,
        "warm": None if warm is None else str(warm),
        "strategy": strategy,
        "solver": solver,
    }
    earlier = None if warm is None else load_plan(warm)
    try:
        with progress_line() as progress:
            plan = solve_case(
                read,
                gap=gap,
                time_limit_s=time_limit,
                threads=threads,
                progress=progress,
                redundancy=redundancy,
                warm=earlier,
                strategy=strategy,
                solver=solver,
            )
    except InfeasibleError as error:
        command = shlex.join(["planner", "explain", str(case), *_again(changes)])
        raise InfeasibleError(f"{error}; `{command}` says which limits conflict") from error
    options["strategy_used"] = plan.summary["strategy"]
    images: dict[str, bytes] = {}
    try:
        if figures:
            from planner import plot  # noqa: PLC0415  (matplotlib takes a second to import)

            images = plot.render(plan)
    finally:
        # A figure that cannot be drawn, or Ctrl-C while it is, costs no plan.
        extra = {f"figures/{name}.png": data for name, data in images.items()}
        plan = plan.save(target, force=force, options=options, extra=extra)
    if as_json:
        out.print_json(dump_json({**plan.summary, "run": str(target)}))
    else:
        print_plan(plan, out, target)
    raise typer.Exit(PROVEN if plan.status == "proven" else LIMIT)


@app.command()
def show(run: RunFolder, as_json: AsJson = False) -> None:
    """Show a saved plan.

    Example: [bold]planner show runs/small[/bold]
    """
    plan = load_plan(run)
    if as_json:
        out.print_json(dump_json(dict(plan.summary)))
    else:
        print_plan(plan, out, run)
