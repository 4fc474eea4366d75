"""A limit of a case that can be moved: which cells it stands in, and which way is tighter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from planner.case import Case
from planner.case.check import check
from planner.case.edit import changed
from planner.case.tables import SETTINGS_FILE, TABLE, TABLES
from planner.errors import Fault, InputError

UNITS = {"share": "share", "power": "MW", "budget": "USD a period", "placement": "share of demand"}
"""Kind of a limit -> unit of its bound."""
ENGINEERS = "case.qualification_engineers"


@dataclass(frozen=True)
class MovedLimit:
    """Cells that hold one limit."""

    name: str
    """`limits.cloud-share`, `survival.interactive`, `survival.*` or ENGINEERS."""
    table: str
    """Table of the cells, or `case`."""
    rows: tuple[int, ...]
    """Rows of that table; none for `case`."""
    column: str
    """Column, or key of `case.toml`."""
    unit: str
    """Unit of the values."""
    tighter_is_less: bool
    """Whether a smaller value leaves fewer plans."""

    def at(self, case: Case, value: float) -> Case:
        """The case with the limit at a value.

        Raises InputError when the case then breaks a rule of its format.
        """
        if self.table == "case":
            tables: dict[str, Any] = {
                "settings": changed(case.settings, self.column, value, SETTINGS_FILE)
            }
        else:
            rows = list(case.rows(self.table))
            for i in self.rows:
                rows[i] = changed(rows[i], self.column, value, TABLE[self.table].file)
            tables = {self.table: tuple(rows)}
        moved = replace(case, **tables)
        lines = {table.name: range(2, 2 + len(moved.rows(table.name))) for table in TABLES}
        faults = check(moved, lines)
        if faults:
            raise InputError(faults)
        return moved


def moved_limits(case: Case) -> dict[str, MovedLimit]:
    """Every limit of a case that can be moved, by name."""
    out: dict[str, MovedLimit] = {}
    for rule in dict.fromkeys(limit.limit for limit in case.limits):
        rows = tuple(i for i, limit in enumerate(case.limits) if limit.limit == rule)
        kind = case.limits[rows[0]].kind
        name = f"limits.{rule}"
        out[name] = MovedLimit(name, "limits", rows, "bound", UNITS[kind], kind != "placement")
    every = tuple(range(len(case.survival)))
    classes = dict.fromkeys(row.service_class for row in case.survival)
    for promised in (*classes, "*") if every else ():
        rows = tuple(i for i in every if promised in ("*", case.survival[i].service_class))
        name = f"survival.{promised}"
        unit = "share of peak demand that survives"
        out[name] = MovedLimit(name, "survival", rows, "share", unit, False)
    if case.settings.qualification_engineers is not None:
        column = ENGINEERS.split(".")[1]
        out[ENGINEERS] = MovedLimit(ENGINEERS, "case", (), column, "engineers", True)
    return out


def moved_limit(case: Case, name: str) -> MovedLimit:
    """The limit of that name. Raises InputError naming those that there are."""
    known = moved_limits(case)
    if name not in known:
        there = ", ".join(known) if known else "none: the case has no limits that can be moved"
        raise InputError([Fault("--limit", f"there is no limit '{name}'; there are: {there}")])
    return known[name]
