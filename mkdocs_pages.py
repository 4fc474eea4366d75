"""Pages of the documentation that are made from the code: equations, case format, commands.

mkdocs calls `on_files` before it builds; the pages exist only in the built site, so that they
cannot fall behind the code.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import typer.main

from planner.case.settings import Settings, TimeSlice
from planner.case.tables import SETTINGS_FILE, TABLES
from planner.cli import app
from planner.equations import EQUATIONS, STRENGTHENING
from planner.plot import FIGURES
from planner.tables import TABLES as PLAN_TABLES
from planner.views import VIEWS

MODEL = (
    "Made from the docstrings of `planner/equations`, family by "
    "family. The audit states each of them a second time, on its own."
)
CASE = (
    "A case is a folder: `case.toml` and one CSV file a table, units in the column names. "
    "`*` in a key column stands for all; the most specific row wins. Made from the records "
    "of `planner/case`."
)
COMMANDS = (
    "Exit codes: 0 done or proven, 1 failed, 2 bad input, 3 stopped at a limit, "
    "4 proven infeasible."
)
MADE = (
    "Tables stand in a run folder; views are made from them by `planner tables`, and by "
    "figures and report."
)


def escaped(text: str) -> str:
    """Markdown of a docstring: signs that would be markup are escaped outside code."""

    def line(words: str) -> str:
        if words.startswith("    "):
            return words
        parts = re.split(r"(`[^`]*`)", words)
        return "".join(
            p if p.startswith("`") else re.sub(r"([*_\[\]\\])", r"\\\1", p).replace("<", "&lt;")
            for p in parts
        )

    return "\n".join(line(words) for words in inspect.cleandoc(text).splitlines())


def _cell(text: str) -> str:
    return escaped(" ".join(text.split())).replace("|", "\\|")


def equations() -> str:
    """Every equation with its docstring: formula, index sets and units, family by family."""
    out = [
        "# The equations",
        "",
        MODEL,
        "",
    ]
    families: dict[str, list[Any]] = {}
    for equation in (*EQUATIONS, *STRENGTHENING):
        families.setdefault(equation.__module__, []).append(equation)
    for family, members in families.items():
        words = inspect.getdoc(sys.modules[family]) or ""
        out += [f"## {family.rsplit('.', 1)[-1].capitalize()}", "", escaped(words), ""]
        for equation in members:
            out += [f"### {equation.__name__}", "", escaped(equation.__doc__ or ""), ""]
    return "\n".join(out)


def _fields(model: type[Any], aliases: bool = True) -> list[str]:
    out = ["| column | needed | what |", "|---|---|---|"]
    for name, info in model.model_fields.items():
        label = (info.alias if aliases else None) or name
        needed = "yes" if info.is_required() else ""
        out.append(f"| `{label}` | {needed} | {_cell(info.description or '')} |")
    return [*out, ""]


def case_format() -> str:
    """Every table of a case, every column with its unit, from the records."""
    out = [
        "# Case format",
        "",
        CASE,
        "",
        f"## {SETTINGS_FILE}",
        "",
        *_fields(Settings),
        "Each of `slices`:",
        "",
        *_fields(TimeSlice),
    ]
    for table in TABLES:
        must = "" if table.required else " It may be missing."
        key = ", ".join(f"`{name}`" for name in table.key)
        out += [f"## {table.file}", "", escaped(table.record.__doc__ or ""), ""]
        out += [f"Unique: {key}.{must}", "", *_fields(table.record)]
    return "\n".join(out)


def _commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command below a group with its full name, those of groups within it included."""
    for part, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from _commands(command, f"{name} {part}")
        else:
            yield f"{name} {part}", command


def command_line(commands: Any = app) -> str:
    """Every command with its help, arguments and options."""
    out = ["# Command line", "", COMMANDS, ""]
    for name, command in _commands(typer.main.get_command(commands), "planner"):
        words = re.sub(r"\[/?bold\]", "`", inspect.cleandoc(command.help or ""))
        out += [f"## {name}", "", escaped(words), "", "| option | what |", "|---|---|"]
        for option in command.params:
            label = ", ".join(option.opts) if option.param_type_name == "option" else (
                option.metavar or option.name.upper())  # fmt: skip
            out.append(f"| `{label}` | {_cell(getattr(option, 'help', '') or '')} |")
        out.append("")
    return "\n".join(out)


def views() -> str:
    """Tables of a plan, views of it, and figures."""

    def section(title: str, made: dict[str, Callable[..., Any]]) -> list[str]:
        out = [f"## {title}", ""]
        for name, function in made.items():
            out += [f"### {name}", "", escaped(function.__doc__ or ""), ""]
        return out

    out = ["# Tables and views", "", MADE, ""]
    out += section("Tables of a plan", dict(PLAN_TABLES))
    out += section("Views", dict(VIEWS))
    out += section("Figures", {name: figure.draw for name, figure in FIGURES.items()})
    return "\n".join(out)


PAGES: dict[str, Callable[[], str]] = {
    "equations.md": equations,
    "case-format.md": case_format,
    "command-line.md": command_line,
    "views.md": views,
}
"""Page of the site -> what makes it."""


def on_files(files: Any, config: Any) -> Any:
    """Add the pages made from the code; mkdocs calls this."""
    from mkdocs.structure.files import File  # noqa: PLC0415  (only the docs need mkdocs)

    for name, page in PAGES.items():
        files.append(File.generated(config, name, content=page()))
    return files
