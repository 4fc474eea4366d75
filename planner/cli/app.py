"""The typer application and what every command shares: consoles, errors, exit codes."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import planner
from planner.errors import InputError, PlannerError

LOG_FILE = "planner-error.log"
"""Where the details of an unexpected error go, in the working folder."""
PROVEN, FAILED, BAD_INPUT, LIMIT, INFEASIBLE = 0, 1, 2, 3, 4
"""Exit codes."""
CTRL_C = 130
"""What typer makes of a Ctrl-C that the solve did not take."""

app = typer.Typer(
    name="planner",
    help="Plan AI compute: which chips to sign, with whom and when, with a proof.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
# Without emoji: `chips.csv:100:` is a line number.
out = Console(width=None if sys.stdout.isatty() else 120, emoji=False)
err = Console(stderr=True, emoji=False)


def _show_version(asked: bool) -> None:
    if asked:
        out.print(f"planner {planner.__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Entry point of the console script; turns errors into messages and exit codes."""
    try:
        app()
    except InputError as error:
        count = len(error.faults)
        for fault in error.faults:
            err.print(str(fault), markup=False, highlight=False, soft_wrap=True)
        err.print(f"{count} fault{'s' if count > 1 else ''} in the input; nothing was written")
        sys.exit(error.exit_code)
    except PlannerError as error:
        err.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except SystemExit as stop:
        if stop.code != CTRL_C:
            raise
        err.print("stopped; nothing was written")
        sys.exit(LIMIT)
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        said = f"{where}{error.strerror or error}"
        err.print(said, markup=False, highlight=False, soft_wrap=True)
        sys.exit(FAILED)
    except Exception as error:
        Path(LOG_FILE).write_text(traceback.format_exc(), encoding="utf-8")
        message = f"unexpected {type(error).__name__}: {error} (details in {LOG_FILE})"
        err.print(message, markup=False, highlight=False, soft_wrap=True)
        sys.exit(FAILED)
