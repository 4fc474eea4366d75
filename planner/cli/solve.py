"""`planner solve` and `planner show`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.text import Text

from planner.case import load_case
from planner.cli.app import LIMIT, PROVEN, AsJson, CaseFolder, RunFolder, app, err, out
from planner.cli.show import print_plan
from planner.errors import InfeasibleError, RunFolderError
from planner.plan import load_plan
from planner.redundancy.mode import Redundancy
from planner.run_folder import dump_json
from planner.solve.options import Event, Progress
from planner.solve.strategy import Strategy
from planner.solving import solve as solve_case


@contextmanager
def _progress() -> Iterator[Progress]:
    """A line that follows the solve; on a terminal it is rewritten, elsewhere silent."""
    if not err.is_terminal:
        yield lambda _event: None
        return
    with Live(Text("building the model"), console=err, transient=True) as live:

        def show(event: Event) -> None:
            parts = [f"{event.seconds:6.1f} s  {event.phase:<10}"]
            if event.objective_usd is not None:
                parts.append(f"best {event.objective_usd / 1e9:,.4f}")
            if event.bound_usd is not None:
                parts.append(f"bound {event.bound_usd / 1e9:,.4f} billion USD")
            if event.gap is not None:
                parts.append(f"gap {event.gap:.4%}")
            live.update(Text("  ".join(parts)))

        yield show


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
    gap: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Relative gap to prove; 0.001 = 0.1 %.")
    ] = 0.001,
    time_limit: Annotated[
        float | None, typer.Option(min=0.0, help="Stop after this many seconds.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the solver.")] = 1,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a value: table.row.column=value; repeatable."),
    ] = None,
    redundancy: Annotated[
        Redundancy,
        typer.Option(help="How contingencies are held; waived leaves them out."),
    ] = "auto",
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
    force: Annotated[bool, typer.Option("--force", help="Replace an existing run folder.")] = False,
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
    if target.exists() and not force:
        raise RunFolderError(f"{target} exists; --force replaces it")
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
        with _progress() as progress:
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
    images: dict[str, bytes] = {}
    if figures:
        from planner import plot  # noqa: PLC0415  (matplotlib takes a second to import)

        images = plot.render(plan)
    extra = {f"figures/{name}.png": data for name, data in images.items()}
    options["strategy_used"] = plan.summary["strategy"]
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
