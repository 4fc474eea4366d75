"""Imports go one way, and the heavy libraries stay behind their seams.

Read from the source: `import planner` loads everything, so running cannot tell.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import planner

ROOT = Path(planner.__file__).parent

ORDER: tuple[tuple[str, ...], ...] = (
    ("planner.errors", "planner.example_cases", "planner.held_back", "planner.readable"),
    ("planner.case",),
    ("planner.throughput", "planner.provenance"),
    ("planner.melange",),
    ("planner.instance",),
    ("planner.generate",),
    ("planner.equations",),
    ("planner.model",),
    ("planner.compile",),
    ("planner.matrix",),
    ("planner.export",),
    ("planner.solve",),
    ("planner.values", "planner.limits", "planner.week"),
    ("planner.redundancy",),
    ("planner.extract", "planner.tables_options", "planner.tables_rules"),
    ("planner.tables", "planner.costs"),
    ("planner.plausibility",),
    ("planner.output",),
    ("planner.run_folder",),
    ("planner.plan",),
    ("planner.audit",),
    ("planner.views",),
    ("planner.plot",),
    ("planner.prices",),
    ("planner.restart",),
    ("planner.solving",),
    ("planner.explain",),
    ("planner.decisions", "planner.alternatives", "planner.compare"),
    ("planner.sweep",),
    ("planner.report", "planner.workbook"),
    ("planner.__init__",),
    ("planner.cli",),
    ("planner.__main__",),
)
"""A module imports from rows above its own, and from its own package."""

SEAMS = {
    "pyomo": (
        "planner.equations",
        "planner.model",
        "planner.compile",
        "planner.matrix",
        "planner.solve.other",
    ),
    "highspy": (
        "planner.solve.codes",
        "planner.solve.session",
        "planner.solve.watch",
        "planner.solve.transport",
        "planner.solve.scheduler",
        "planner.sweep.exact",
    ),
    "pydantic": ("planner.case", "planner.cli", "planner.melange", "planner.sweep.spec"),
    "matplotlib": ("planner.plot",),
    "jinja2": ("planner.report",),
    "xlsxwriter": ("planner.workbook",),
    "typer": ("planner.cli",),
    "rich": ("planner.cli",),
}
"""Library -> the only places that may import it."""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    if parts[-1] == "__init__" and len(parts) > 2:
        parts = parts[:-1]
    return ".".join(parts)


@cache
def modules() -> dict[str, Path]:
    return {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Modules that a file imports anywhere in it, as dotted names."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in modules() else str(node.module)


def within(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def rank(name: str) -> int:
    if name == "planner":
        name = "planner.__init__"
    found = [i for i, row in enumerate(ORDER) if within(name, row)]
    assert len(found) == 1, f"{name} has no place in the order: give it one"
    return found[0]


def package(name: str) -> str:
    return ".".join(name.split(".")[:2])


def test_there_is_something_to_look_at() -> None:
    assert len(modules()) > 40
    for row in ORDER:
        for place in row:
            assert any(within(name, (place,)) for name in modules()), place


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_go_one_way(name: str) -> None:
    for other in imported(modules()[name]):
        if other.split(".")[0] == "planner" and package(other) != package(name):
            assert rank(other) < rank(name), f"{name} imports {other}"


@pytest.mark.parametrize("library", SEAMS)
def test_libraries_stay_behind_their_seams(library: str) -> None:
    users = {
        name
        for name, path in modules().items()
        if any(other.split(".")[0] == library for other in imported(path))
    }
    assert users, f"nobody imports {library}"
    assert [name for name in users if not within(name, SEAMS[library])] == []


def reached(start: str) -> set[str]:
    """Everything that importing a module imports, packages on the way but `planner` itself."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in modules():
            todo.extend(imported(modules()[name]))
            parts = name.split(".")
            todo.extend(".".join(parts[:i]) for i in range(2, len(parts)))
    return seen


def test_the_audit_knows_no_equations_and_no_solver() -> None:
    forbidden = (
        "pyomo", "highspy", "planner.equations", "planner.model", "planner.matrix",
        "planner.solve", "planner.solving", "planner.extract", "planner.redundancy",
    )  # fmt: skip
    audit = [name for name in modules() if within(name, ("planner.audit",))]
    assert len(audit) > 8
    for name in audit:
        everything = reached(name)
        assert "planner.instance.build" in everything or name != "planner.audit.model"
        assert [other for other in everything if within(other, forbidden)] == [], name


def test_a_plan_needs_no_solver_and_no_equations() -> None:
    everything = reached("planner.plan")
    assert "planner.case.read" in everything
    forbidden = ("pyomo", "highspy", "planner.equations", "planner.matrix", "planner.solve")
    assert [other for other in everything if within(other, forbidden)] == []


def test_the_walk_sees_what_is_imported_through_others() -> None:
    everything = reached("planner.solving")
    assert {"pyomo.environ", "highspy", "planner.solve.session"} <= everything
