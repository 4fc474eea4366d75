"""Every equation, written out for the tiny case, is as it was agreed.

`python -m tests.golden.update equations` rewrites the files and asks for the reason.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import planner.equations
from planner.equations import EQUATIONS
from tests.golden.render import COLUMN_AXES, ROW_AXES, rendered_equations
from tests.golden.results import EQUATIONS as GOLDEN

FILES = sorted(path.name for path in GOLDEN.glob("*.txt"))


@cache
def found() -> dict[str, str]:
    return rendered_equations()


def names_in_source() -> tuple[set[str], set[str], set[str]]:
    """Constraints, variables and cost terms that the equation modules name."""
    rows: set[str] = set()
    columns: set[str] = set()
    costs: set[str] = set()
    for path in sorted(Path(planner.equations.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "rows":
                assert isinstance(node.args[1], ast.Constant), f"{path.name}:{node.lineno}"
                rows.add(str(node.args[1].value))
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
                name, value = node.targets[0].attr, ast.unparse(node.value)
                if value.startswith("pyo.Var("):
                    columns.add(name)
                if value.startswith("pyo.Objective("):
                    costs.add(name)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_horizon_end":
                assert isinstance(node.args[2], ast.Constant)
                costs.add(f"cost_{node.args[2].value}_past_horizon")
    return rows, columns, costs


@pytest.mark.parametrize("name", FILES)
def test_the_equation_is_as_agreed(name: str) -> None:
    assert name in found(), "a golden file without a family"
    assert found()[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_family_has_a_file_with_something_in_it() -> None:
    assert sorted(found()) == FILES
    for name, text in found().items():
        assert text.strip(), f"the tiny case has no {name}: give it one"
    # A cost term without coefficients would be only its constant.
    assert all(text.count("\n") > 1 for name, text in found().items() if name.startswith("cost_"))


def test_the_tiny_case_has_every_family_of_the_source() -> None:
    """A family that the tiny case does not reach is in no golden file, so the case must reach it."""
    rows, columns, costs = names_in_source()
    assert rows == set(ROW_AXES)
    assert columns == set(COLUMN_AXES)
    assert {f"rows_{name}.txt" for name in rows} <= set(FILES)
    assert {f"columns_{name}.txt" for name in columns} <= set(FILES)
    assert {f"{name}.txt" for name in costs} == {n for n in FILES if n.startswith("cost_")}


def test_every_equation_says_its_formula() -> None:
    for equation in EQUATIONS:
        text = equation.__doc__ or ""
        assert len(text.split()) > 8, equation.__name__
        assert any(sign in text for sign in ("<=", ">=", "=", "sum_", "[")), equation.__name__
