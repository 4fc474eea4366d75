"""A plan: a frozen value of tables and figures of merit. It needs no solver."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from planner.case import Case, load_case
from planner.case.write import case_files
from planner.errors import RunFolderError
from planner.run_folder import dump_json, read_manifest, write_folder

SUMMARY = "summary.json"
CASE_FOLDER = "case"
TEXT = dict.fromkeys(
    (
        "chip", "class", "cloud", "component", "constraint", "contingency", "contract", "deal",
        "generation", "index", "kind", "left_from", "member", "model", "offer", "option", "period",
        "placement", "pool", "rate_unit", "region", "rule", "run", "sense", "signed_in", "slice",
        "start", "term", "tier", "unit", "why_not_shown", "window", "workload",
    ),
    str,
)  # fmt: skip
"""Columns of labels: text even where every label of a table looks like a number."""
TABLE_FOLDER = "tables"
RESTART = "restart.parquet"
"""File with what the next solve may start from; see `planner.restart`."""
STATUS_WORDS = {
    "proven": "proven within the gap asked for",
    "limit": "feasible, not proven within the gap asked for: stopped at the time limit, "
    "or at what double precision can tell",
    "interrupted": "feasible, not proven within the gap asked for: stopped by Ctrl-C",
}
"""Status of a plan -> what it says."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What a solve decided, and what can be said about it."""

    case: Case
    """The case it was made for."""
    tables: Mapping[str, pd.DataFrame]
    """Tables by name; see `planner.tables`."""
    summary: Mapping[str, Any]
    """status, objective_usd, bound_usd, gap, cost_usd by term, and more; see `planner.solving`."""
    folder: Path | None = field(default=None, compare=False)
    """Where it was loaded from or saved to."""
    restart: pd.DataFrame | None = field(default=None, compare=False)
    """What the next solve may start from; of a loaded plan it stays in its folder."""

    @property
    def status(self) -> str:
        """`proven`, `limit` or `interrupted`."""
        return str(self.summary["status"])

    @property
    def objective_usd(self) -> float:
        """Cost of the plan, USD."""
        return float(self.summary["objective_usd"])

    @property
    def bound_usd(self) -> float:
        """Proven lower bound on any plan's cost, USD."""
        return float(self.summary["bound_usd"])

    @property
    def gap(self) -> float:
        """(objective - bound) / |objective|."""
        return float(self.summary["gap"])

    @property
    def plot(self) -> Any:
        """Figures: `plan.plot.capacity(ax=...)` returns the axes; see `planner.plot`."""
        # By name: figures are made from plans, and nothing that a plan needs imports them.
        return import_module("planner.plot").Plots(self)

    def save(
        self,
        folder: str | Path,
        *,
        force: bool = False,
        options: Mapping[str, Any] | None = None,
        extra: Mapping[str, bytes] | None = None,
    ) -> Plan:
        """Write a run folder, whole or not at all; returns the plan with its folder.

        It holds `summary.json`, `tables/*.csv`, a copy of the case, and a manifest with hashes,
        versions and `options`, so that the run can be redone from it; `extra` files (figures) go
        along. Raises RunFolderError when the folder exists and `force` is not given.
        """
        files = {SUMMARY: dump_json(dict(self.summary)).encode(), **(extra or {})}
        for name, table in self.tables.items():
            text = table.to_csv(index=False, lineterminator="\n")
            files[f"{TABLE_FOLDER}/{name}.csv"] = text.encode()
        if self.restart is not None:
            files[RESTART] = _parquet(self.restart)
        for name, text in case_files(self.case).items():
            files[f"{CASE_FOLDER}/{name}"] = text.encode()
        manifest = {
            "kind": "planner run",
            "case": self.case.settings.name,
            "case_sha256": self.summary["case_sha256"],
            "versions": self.summary["versions"],
            "options": dict(options or {}),
        }
        target = Path(folder)
        write_folder(target, files, manifest, force)
        return Plan(self.case, self.tables, self.summary, target, self.restart)


def _parquet(table: pd.DataFrame) -> bytes:
    """A table as a Parquet file."""
    out = io.BytesIO()
    table.to_parquet(out, index=False, compression="zstd")
    return out.getvalue()


def load_plan(folder: str | Path) -> Plan:
    """Read a run folder. Raises RunFolderError when it is none, InputError when its case is bad.

    Nothing is checked against the case here; `planner audit` does that.
    """
    root = Path(folder)
    manifest = read_manifest(root)
    tables = {}
    try:
        summary = json.loads((root / SUMMARY).read_text(encoding="utf-8"))
        for name in manifest["files"]:
            if name.startswith(f"{TABLE_FOLDER}/") and name.endswith(".csv"):
                path = (root / name).resolve()
                if not path.is_relative_to(root.resolve()):
                    raise RunFolderError(f"{name} leaves the run folder")
                text = path.read_text(encoding="utf-8")
                tables[Path(name).stem] = pd.read_csv(
                    io.StringIO(text), keep_default_na=False, na_values=["nan"], dtype=TEXT
                )
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{root} cannot be read: {error}") from error
    return Plan(load_case(root / CASE_FOLDER), tables, summary, root)
