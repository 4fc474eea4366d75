"""A sweep in pieces: tasks that processes share, in a folder that outlives an interruption."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import joblib

from planner.errors import RunFolderError
from planner.plan import Plan
from planner.sweep.spec import Spec

Progress = Callable[[str, int, int], None]
"""Called with the step and how many of its pieces are done."""


class Work:
    """Runs tasks over processes, and keeps the time."""

    def __init__(self, folder: Path, jobs: int, progress: Progress):
        self.folder, self.jobs, self.progress = folder, jobs, progress
        self.seconds: dict[str, float] = {}

    def run(
        self, step: str, task: Callable[..., None], arguments: Iterable[tuple[Any, ...]]
    ) -> None:
        """Run task(folder, *arguments) for each; results are files."""
        listed = list(arguments)
        began = time.perf_counter()
        self.progress(step, 0, len(listed))
        parallel = joblib.Parallel(n_jobs=self.jobs, return_as="generator_unordered")
        calls = (joblib.delayed(task)(self.folder, *each) for each in listed)
        for done, _ in enumerate(parallel(calls), 1):
            self.progress(step, done, len(listed))
        self.seconds[step] = time.perf_counter() - began


DECIDED = (
    "contracts_signed", "contracts_existing", "options", "deals", "qualification", "training",
    "training_runs",
)  # fmt: skip
"""Tables of a plan that a sweep holds fixed."""


def work_place(target: Path) -> Path:
    """Where the pieces of a sweep to this file stand until it is done."""
    return target.absolute().with_name(f"{target.name}.work")


def work_folder(target: Path, plan: Plan, spec: Spec, asked: dict[str, Any]) -> Path:
    """Folder of the pieces, new or that of the same sweep."""
    folder = work_place(target)
    tables = hashlib.sha256()
    for name in DECIDED:
        if name in plan.tables:
            tables.update(name.encode() + plan.tables[name].to_csv(index=False).encode())
    mark = {
        "case_sha256": plan.case.sha256(),
        "tables_sha256": tables.hexdigest(),
        "spec": spec.model_dump(mode="json"),
        **asked,
    }
    text = json.dumps(mark, sort_keys=True)
    marker = folder / "sweep.json"
    if folder.exists():
        if not marker.is_file() or marker.read_text(encoding="utf-8") != text:
            raise RunFolderError(f"{folder} belongs to another sweep; remove it")
    else:
        folder.mkdir(parents=True)
        marker.write_text(text, encoding="utf-8")
    return folder
