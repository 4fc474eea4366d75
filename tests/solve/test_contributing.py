"""The example of CONTRIBUTING.md does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cases import small_plan

ROOT = Path(__file__).parents[2]


def test_an_equation_from_outside_is_part_of_the_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert block is not None
    monkeypatch.chdir(ROOT)
    found: dict[str, object] = {}
    exec(compile(block.group(1), "CONTRIBUTING.md", "exec"), found)
    held = float(capsys.readouterr().out)
    before = small_plan().tables["capacity"].query("cloud == 'cedar' and period == '2027-Q3'")
    assert before.contracted_chips.sum() < 900 <= held
    assert found["plan"].objective_usd > small_plan().objective_usd  # type: ignore[attr-defined]
