"""`planner explain`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from planner.case import load_case
from planner.cli.app import INFEASIBLE, LIMIT, PROVEN, AsJson, CaseFolder, app, out
from planner.cli.show_conflict import print_report
from planner.errors import RunFolderError
from planner.explain.infeasible import explain_case
from planner.run_folder import MANIFEST

CODES = {"feasible": PROVEN, "infeasible": INFEASIBLE, "unproven": LIMIT}
"""Status of the case -> exit code, as `planner solve` has it."""


@app.command()
def explain(
    case: CaseFolder,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a value: table.row.column=value; repeatable."),
    ] = None,
    time_limit: Annotated[
        float, typer.Option(min=0.0, help="Seconds for all of it; what is left out is said.")
    ] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Say why a case has no plan: which limits conflict, by how much, how to relax them.

    A case that has a plan gets what the plan is short of and the limits to lift. Exit code 0:
    it has a plan. 4: proven infeasible. 3: stopped at the time limit before either.

    Example: [bold]planner explain data/small[/bold]
    Example: [bold]planner explain data/small --set case.qualification_engineers=4[/bold]
    """
    if (case / MANIFEST).is_file():
        raise RunFolderError(f"{case} is a run folder; explain takes a case folder")
    report = explain_case(load_case(case, changes or ()), time_limit_s=time_limit)
    if as_json:
        out.print_json(json.dumps(report.as_dict(), allow_nan=False))
    else:
        print_report(report, out)
    raise typer.Exit(CODES[report.status])
