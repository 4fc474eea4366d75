"""Arguments and options that commands share: one wording for each.

A command gives the default, and says in its own help what is special about it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from planner.redundancy.mode import Redundancy

CaseFolder = Annotated[Path, typer.Argument(metavar="CASE", help="Case folder.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what exists already.")]
Gap = Annotated[
    float,
    typer.Option(min=0.0, max=1.0, help="Relative gap to prove in each solve; 0.001 = 0.1 %."),
]
TimeLimit = Annotated[
    float | None, typer.Option(min=0.0, help="Stop after this many seconds in all.")
]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the solver.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a value: table.row.column=value; repeatable."),
]
Promises = Annotated[
    Redundancy,
    typer.Option("--redundancy", help="How contingencies are held; waived leaves them out."),
]
PICTURES = ("png", "svg", "pdf")
"""File formats of figures; the first is taken where none is asked for."""
Picture = Annotated[
    Literal["png", "svg", "pdf"], typer.Option("--format", help="File format of the figures.")
]
