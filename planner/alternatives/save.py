"""Alternatives as a folder: a run folder for each plan, and the tables about all of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planner.alternatives.run import Alternatives
from planner.run_folder import refuse_target, write_folder

KIND = "folder of alternatives"
"""What is written, as refusals name it."""
TABLES = ("alternatives.csv", "in_common.csv")
"""Tables that stand beside the run folders."""


def save_alternatives(
    found: Alternatives,
    folder: str | Path,
    *,
    force: bool = False,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Write everything, whole or not at all; returns the run folder of each plan by its name.

    `alternatives.csv` and `in_common.csv` stand beside the run folders `alt-1`, `alt-2`, ...
    Raises RunFolderError as `Plan.save` does.
    """
    target = Path(folder).absolute()
    refuse_target(target, force, KIND)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for name, plan in zip(found.names, found.plans, strict=True):
            plan.save(fresh / name, options={**(options or {}), "alternative": name})
        files = {
            path.relative_to(fresh).as_posix(): path.read_bytes()
            for path in sorted(fresh.rglob("*"))
            if path.is_file()
        }
        for name, table in zip(TABLES, (found.table(), found.common()), strict=True):
            files[name] = table.to_csv(index=False, lineterminator="\n").encode()
        manifest = {"kind": "planner alternatives", "options": dict(options or {})}
        write_folder(target, files, manifest, force)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return {name: Path(folder) / name for name in found.names}
