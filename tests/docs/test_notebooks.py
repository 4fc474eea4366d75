"""Notebooks are kept without outputs, use the public API only, and end in a figure and a number.

That they run is `make notebooks`.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

import planner
import planner.plot
from tests.cases import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
REFERENCE = re.findall(
    r"^::: (\S+)", (ROOT / "docs" / "python.md").read_text("utf-8"), re.MULTILINE
)
"""What the Python reference documents."""


def documented(module: str) -> bool:
    """Whether a module, or something in it, stands in the Python reference."""
    return module == "planner" or any(f"{name}.".startswith(f"{module}.") for name in REFERENCE)


def cells(path: Path) -> list[dict[str, Any]]:
    """Cells of a notebook."""
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def test_there_are_five() -> None:
    assert [path.name[:3] for path in NOTEBOOKS] == ["01-", "02-", "03-", "04-", "05-"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_outputs_and_imports_what_is_public(path: Path) -> None:
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    for cell in code:
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                assert not name.startswith("planner") or documented(name), name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_names_of_the_package_are_exported(path: Path) -> None:
    code = "\n".join("".join(c["source"]) for c in cells(path) if c["cell_type"] == "code")
    used = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in ("planner", "plot"):
                used.add((node.value.id, node.attr))
        elif isinstance(node, ast.ImportFrom) and node.module == "planner":
            used |= {("planner", alias.name) for alias in node.names}
    assert ("planner", "load_case") in used
    exported = {"planner": {*planner.__all__, "plot"}, "plot": set(planner.plot.__all__)}
    for module, name in used:
        assert name in exported[module], f"{module}.{name}"


def test_what_is_not_documented_is_noticed() -> None:
    assert documented("planner.plot")
    assert documented("planner.errors")
    assert not documented("planner.matrix")
    assert not documented("planner.plo")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_ends_in_a_figure_and_a_sentence_with_its_number(path: Path) -> None:
    code = ["".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "code"]
    assert "axes.figure" in code[-2] or "axes.figure" in code[-1]
    assert "print(" in code[-1]
    assert "USD" in code[-1]
    assert len(cells(path)) <= 14
    assert sum(len(source.splitlines()) for source in code) < 90
