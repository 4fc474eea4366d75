"""Rewrite golden files, with a reason: `python -m tests.golden.update [--reason TEXT] [WHAT ...]`.

WHAT is `equations`, `small` or `claude`; all of them when none is named. Files that would stay
as they are keep their reason. Each change is noted in tests/golden/CHANGES.md; look at the
difference (`git diff tests/golden`) before you commit it.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime

from tests.golden.render import rendered_equations
from tests.golden.results import CHANGES, EQUATIONS, PLANS, RESULTS, figures, golden_results


def update_equations() -> list[str]:
    """Write the files of the families, drop those without one; returns what changed."""
    EQUATIONS.mkdir(parents=True, exist_ok=True)
    wanted = rendered_equations()
    changed = []
    for path in sorted(EQUATIONS.glob("*.txt")):
        if path.name not in wanted:
            path.unlink()
            changed.append(f"{path.name} dropped")
    for name, text in wanted.items():
        path = EQUATIONS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


def update_result(name: str, reason: str) -> list[str]:
    """Solve an example and write its figures; returns what changed."""
    held = golden_results() if RESULTS.exists() else {}
    found = figures(PLANS[name]())
    before = {key: value for key, value in held.get(name, {}).items() if key != "reason"}
    if found == before:
        return []
    held[name] = {**found, "reason": reason}
    RESULTS.write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")
    return [f"{name} ({found['objective_usd']:.10g} USD)"]


def main() -> None:
    """Parse the arguments, ask for a reason when there is none, update and note."""
    what = ("equations", *PLANS)
    parser = argparse.ArgumentParser(prog="tests.golden.update", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="WHAT", help=", ".join(what))
    parser.add_argument("--reason", default="", help="why the numbers change")
    given = parser.parse_args()
    chosen: list[str] = given.what or list(what)
    if unknown := set(chosen) - set(what):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    reason = given.reason.strip() or input("reason: ").strip()
    if not reason:
        parser.error("a reason is needed")
    changed: list[str] = []
    for name in chosen:
        changed += update_equations() if name == "equations" else update_result(name, reason)
    if changed:
        day = datetime.now(tz=UTC).date()
        with CHANGES.open("a", encoding="utf-8") as notes:
            notes.write(f"- {day}: {reason} ({', '.join(changed)})\n")
    sys.stdout.write(f"{len(changed)} changed: {', '.join(changed) or 'nothing'}\n")


if __name__ == "__main__":
    main()
