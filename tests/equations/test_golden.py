"""Every equation, written out for the tiny case, is as it was agreed.

`python -m tests.golden.update equations` rewrites the files and asks for the reason.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import planner.equations
from planner.equations import EQUATIONS, STRENGTHENING
from tests.golden.render import rendered_equations
from tests.golden.results import EQUATIONS as GOLDEN

FILES = sorted(path.name for path in GOLDEN.glob("*.txt"))


@cache
def found() -> dict[str, str]:
    return rendered_equations()


def pattern(name: ast.expr) -> str:
    """A regular expression of a name in the source; parts filled in at run time fit anything."""
    if isinstance(name, ast.Constant):
        return re.escape(str(name.value))
    assert isinstance(name, ast.JoinedStr), ast.unparse(name)
    return "".join(
        re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w+"
        for part in name.values
    )


def names_in_source() -> set[str]:
    """Patterns of the golden files that the equation modules call for."""
    out: set[str] = set()
    for path in sorted(Path(planner.equations.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "rows":
                out.add(f"rows_{pattern(node.args[1])}")
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_objective":
                out.add(f"cost_{pattern(node.args[1])}")
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_horizon_end":
                out.add(f"cost_{pattern(node.args[2])}_past_horizon")
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "bounded":
                out.add(f"columns_{pattern(node.args[1])}")
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
                name, value = node.targets[0].attr, ast.unparse(node.value)
                if value.startswith("pyo.Var("):
                    out.add(f"columns_{name}")
                if value.startswith("pyo.Objective("):
                    out.add(name)
    return out


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


def test_the_tiny_case_reaches_every_family_of_the_source() -> None:
    """A family without rows in the tiny case is in no golden file: the case has to grow."""
    wanted = names_in_source()
    assert len(wanted) > 30
    names = [name.removesuffix(".txt") for name in FILES]
    missing = [w for w in sorted(wanted) if not any(re.fullmatch(w, name) for name in names)]
    assert missing == [], "no golden file: give the tiny case one, then update"
    strange = [name for name in names if not any(re.fullmatch(w, name) for w in wanted)]
    assert strange == [], "a golden file without a family"


def test_every_equation_says_its_formula() -> None:
    for equation in (*EQUATIONS, *STRENGTHENING):
        text = equation.__doc__ or ""
        assert len(text.split()) > 8, equation.__name__
        assert any(sign in text for sign in ("<=", ">=", "=", "sum_", "[")), equation.__name__
