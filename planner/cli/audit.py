"""`planner audit`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import typer
from rich.table import Table

from planner.audit.folder import audit_run
from planner.audit.report import FamilyCheck, Finding
from planner.cli.app import FAILED, app, err, out
from planner.cli.options import AsJson, RunFolder


@app.command()
def audit(run: RunFolder, as_json: AsJson = False) -> None:
    """Check a saved plan against its case: every row, every cost term, and the bound.

    The arithmetic is the audit's own: it uses neither Pyomo nor a solver. Exit code 1 when
    anything is found.

    Example: [bold]planner audit runs/small[/bold]
    """
    report = audit_run(run)
    if as_json:
        content = {
            "passed": report.passed,
            "checked": report.checked,
            "findings": [_plain(finding) for finding in report.findings],
            "families": [_plain(family) for family in report.families],
        }
        out.print_json(json.dumps(content, allow_nan=False))
    else:
        view = Table(title="Audit", title_justify="left")
        for name in ("check", "checked", "failed"):
            view.add_column(name, justify="left" if name == "check" else "right")
        totals: dict[str, tuple[int, int]] = {}
        for family in report.families:
            checked, failed = totals.get(family.check, (0, 0))
            totals[family.check] = (checked + family.checked, failed + family.failed)
        for check, (checked, failed) in totals.items():
            view.add_row(check, f"{checked:,}", f"{failed:,}")
        out.print(view)
        for finding in report.findings:
            err.print(str(finding), markup=False, highlight=False, soft_wrap=True)
        word = "passed" if report.passed else f"FAILED: {len(report.findings)} findings"
        out.print(f"audit {word}")
    raise typer.Exit(0 if report.passed else FAILED)


def _plain(part: Finding | FamilyCheck) -> dict[str, Any]:
    """Fields as JSON has them: it knows no infinity and no NaN."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(part).items()
    }
