"""What comes back: one row a scenario in a Parquet file, and a summary with its confidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from planner.errors import Fault, InputError, RunFolderError
from planner.sweep.audit import mean_interval
from planner.sweep.block import Floats

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
CVAR = 0.95
BINS = 10
_META = b"planner_sweep"


@dataclass(frozen=True, eq=False)
class SweepResult:
    """A finished sweep."""

    path: Path
    """Parquet file: scenario, factors, contract_usd, cost_lower_usd, cost_exact_usd where every
    block was solved, and lower bounds by period; USD, discounted."""
    summary: dict[str, Any]
    """Counts, cost quantiles, CVaR, audit, sensitivity; also in the file's metadata."""

    def columns(self, *names: str) -> pd.DataFrame:
        """Columns of the file, all where none is named, scenario by scenario."""
        frame: pd.DataFrame = pq.read_table(self.path, columns=list(names) or None).to_pandas()
        return frame

    def heat_map(self, first: str, second: str, bins: int = BINS) -> pd.DataFrame:
        """Mean lower bound on the cost by bins of two factors: rows the first, columns the second.

        Labels are the bins' middle values; a factor with few values has one bin a value.
        """
        return cost_by(self, (first, second), bins)

    @property
    def exact(self) -> bool:
        """Whether every block was solved."""
        return bool(self.summary["certify"] == "exact")

    @property
    def cost_column(self) -> str:
        """The exact cost where every block was solved, else the lower bound."""
        return "cost_exact_usd" if self.exact else "cost_lower_usd"


def load_sweep(path: str | Path) -> SweepResult:
    """Read a finished sweep. Raises RunFolderError when the file is none."""
    path = Path(path)
    try:
        metadata = pq.read_schema(path).metadata or {}
        return SweepResult(path, json.loads(metadata[_META]))
    except (OSError, KeyError, ValueError) as error:
        raise RunFolderError(f"{path} is not a sweep: {error}") from error


def write_parquet(parts: Sequence[Path], path: Path, summary: dict[str, Any]) -> None:
    """Put parts together, one after another, with the summary as metadata; whole or not at all."""
    fresh = path.with_name(f".{path.name}.writing")
    schema = pq.read_schema(parts[0])
    metadata = {**(schema.metadata or {}), _META: json.dumps(summary).encode()}
    try:
        with pq.ParquetWriter(fresh, schema.with_metadata(metadata)) as writer:
            for part in parts:
                writer.write_table(pq.read_table(part).replace_schema_metadata(metadata))
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def write_part(path: Path, columns: dict[str, Any]) -> None:
    """One page of rows; it has its name only when it is whole."""
    fresh = path.with_name(f".{path.name}.writing")
    pq.write_table(pa.table(columns), fresh)
    fresh.replace(path)


def binned(values: Floats, bins: int) -> Floats:
    """Middle of the bin of each value, bins of equal count.

    The value itself where few differ, and of names.
    """
    if values.dtype == object or len(np.unique(values)) <= bins:
        return values
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
    at = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    out: Floats = (0.5 * (edges[:-1] + edges[1:]))[at]
    return out


def cost_by(
    result: SweepResult, names: Sequence[str], bins: int = BINS, less: SweepResult | None = None
) -> pd.DataFrame:
    """Mean cost by factors, USD: columns the last of `names`, rows the others.

    `less` is a sweep of another plan over the same scenarios, whose cost is subtracted. Costs are
    those of `cost_column`. A factor with many values has bins of equal count, by their middles.
    Raises InputError for names that are no factors or stand twice, RunFolderError where the
    scenarios are not the same.
    """
    known = [factor["name"] for factor in result.summary["spec"]["factor"]]
    faults = [Fault("factor", f"the sweep has no factor '{n}'") for n in names if n not in known]
    faults += [Fault("factor", f"'{n}' stands twice") for n in {*names} if names.count(n) > 1]
    if len(names) < 2 and not faults:
        faults.append(Fault("factor", "costs by factor need two of them or more"))
    if faults:
        raise InputError(faults)
    frame = result.columns(*names, result.cost_column)
    cells = pd.DataFrame({name: binned(frame[name].to_numpy(), bins) for name in names})
    cells["usd"] = frame[result.cost_column]
    if less is not None:
        _same([result, less])
        cells["usd"] -= less.columns(less.cost_column)[less.cost_column]
    return cells.pivot_table(
        index=list(names[:-1]), columns=names[-1], values="usd", aggfunc="mean"
    )


def _same(results: Sequence[SweepResult]) -> None:
    """Raise RunFolderError unless the sweeps are of the same scenarios."""
    if len({json.dumps(r.summary["spec"], sort_keys=True) for r in results}) > 1:
        raise RunFolderError("these sweeps are not of the same specification")


def regret(results: Sequence[SweepResult]) -> pd.DataFrame:
    """Expected and worst regret of several plans under the same scenarios.

    The regret of a plan in a scenario is its cost less the least cost of any plan there. Costs
    are exact where every block was solved, else lower bounds: `exact` says which. The half width
    of the mean's 99 % interval is 0 for scenarios that were not drawn, NaN for a single one.
    Raises RunFolderError when the sweeps are not of the same scenarios.
    """
    _same(results)
    costs = np.stack([r.columns(r.cost_column).to_numpy()[:, 0] for r in results])
    over = costs - costs.min(axis=0)
    drawn = results[0].summary["spec"]["design"] not in ("grid", "list")
    halves = [mean_interval(row)[1] if drawn else 0.0 for row in over]
    # One scenario has no interval.
    halves = [half if np.isfinite(half) else np.nan for half in halves]
    return pd.DataFrame(
        {
            "plan": [r.summary["plan"] for r in results],
            "mean_cost_usd": costs.mean(axis=1),
            "mean_regret_usd": over.mean(axis=1),
            "mean_regret_half_width_usd": halves,
            "worst_regret_usd": over.max(axis=1),
            "best_in_share": (over <= 0).mean(axis=1),
            "exact": [r.exact for r in results],
        }
    )
