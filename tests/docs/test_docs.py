"""The documentation builds without a warning, holds what it is made from, and asks for nothing."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import typer

from mkdocs_pages import command_line
from planner.case.tables import TABLES
from planner.cli import app
from planner.equations import EQUATIONS
from planner.plot import FIGURES
from planner.views import VIEWS
from tests.cases import ROOT

LOADED = re.compile(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"([^\"]+)\"|<link([^>]*)>")
FETCHED = ("stylesheet", "icon", "preload", "preconnect", "manifest")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning of mkdocs fails it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def text_of(page: Path) -> str:
    return unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_pages_hold_every_equation_column_and_view(site: Path) -> None:
    equations = " ".join(text_of(site / "equations.html").split())
    for equation in EQUATIONS:
        first = " ".join((equation.__doc__ or "").split("\n\n")[0].split()).replace("`", "")
        assert first in equations, equation.__name__
    columns = text_of(site / "case-format.html")
    for table in TABLES:
        assert table.file in columns
        assert all(name in columns for name in table.columns), table.name
    shown = text_of(site / "views.html")
    assert all(name in shown for name in (*VIEWS, *FIGURES))
    commands = text_of(site / "command-line.html")
    assert all(f"planner {name}" in commands for name in ("report", "import melange", "regret"))
    assert "obligations" in text_of(site / "python.html")


def commands_of(page: Path) -> list[str]:
    """Lines of a page's code blocks that are commands of ours."""
    fences = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    blocks = [text for kind, text in fences.findall(page.read_text("utf-8")) if kind == ""]
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line.split("  #")[0].split("   ")[0] for line in lines if line.startswith("planner ")]


def parsed(words: list[str]) -> None:
    """Parse a command without running it; raises click's error for what there is not."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        name, *words = words
        assert name in command.commands, name
        command = command.commands[name]
    command.make_context(command.name, words)


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_are_commands_of_ours(page: Path) -> None:
    for line in commands_of(page):
        parsed(shlex.split(line)[1:])


def test_how_to_names_every_command() -> None:
    lines = commands_of(ROOT / "docs" / "how-to.md")
    group: Any = typer.main.get_command(app)
    assert {line.split()[1] for line in lines} == set(group.commands)
    for wrong in (["nonsense"], ["report", "run", "--nonsense"], ["frontier", "data/small"]):
        with pytest.raises((AssertionError, typer.TyperException)):
            parsed(wrong)


def test_commands_within_groups_are_found() -> None:
    inner, outer = typer.Typer(), typer.Typer()
    inner.command("deep")(lambda: None)
    inner.command("other")(lambda: None)
    outer.add_typer(inner, name="inner")
    outer.command("flat")(lambda: None)
    shown = command_line(outer)
    assert re.findall(r"^## (.*)$", shown, re.MULTILINE) == [
        "planner flat", "planner inner deep", "planner inner other",
    ]  # fmt: skip


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    seen = 0
    for page in site.rglob("*.html"):
        for source, link in LOADED.findall(page.read_text(encoding="utf-8")):
            wanted = source
            if link and any(f'rel="{kind}' in link for kind in FETCHED):
                wanted = "".join(re.findall(r'href="([^"]+)"', link))
            seen += bool(wanted)
            assert not re.match(r"(?:https?:)?//", wanted), (page.name, wanted)
    assert seen > 20
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text("utf-8"))
