"""The documentation builds without a warning, holds what it is made from, and asks for nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

from planner.case.tables import TABLES
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
    assert "planner report" in text_of(site / "command-line.html")
    assert "obligations" in text_of(site / "python.html")


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
