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
from scipy import special

from planner.errors import RunFolderError
from planner.sweep.audit import CONFIDENCE, TOLERANCE, AuditedBlocks, mean_interval, share_within
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
        frame = self.columns(first, second, self.cost_column)
        rows, columns = (_binned(frame[name].to_numpy(), bins) for name in (first, second))
        cells = pd.DataFrame({first: rows, second: columns, "usd": frame[self.cost_column]})
        return cells.pivot_table(index=first, columns=second, values="usd", aggfunc="mean")

    @property
    def cost_column(self) -> str:
        """The exact cost where every block was solved, else the lower bound."""
        return "cost_exact_usd" if self.summary["certify"] == "exact" else "cost_lower_usd"


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


def _binned(values: Floats, bins: int) -> Floats:
    """Middle of the bin of each value, bins of equal count; the value itself where few differ."""
    different = np.unique(values)
    if len(different) <= bins:
        return values
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
    at = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    out: Floats = (0.5 * (edges[:-1] + edges[1:]))[at]
    return out


def cost_summary(cost: Floats) -> dict[str, Any]:
    """Mean, quantiles and CVaR of costs of scenarios, with 99 % limits of the sampling.

    Quantiles have the limits of order statistics (normal approximation to the binomial rank),
    the mean and CVaR those of their t intervals, CVaR at its quantile as it was found.
    """
    n = len(cost)
    ordered = np.sort(cost)
    mean, half = mean_interval(cost)
    z = float(special.ndtri(0.5 + CONFIDENCE / 2))
    quantiles = {}
    for q in QUANTILES:
        spread = z * np.sqrt(n * q * (1 - q))
        low, high = (int(np.clip(round(n * q + d), 0, n - 1)) for d in (-spread - 1, spread + 1))
        at = min(n - 1, int(np.floor(n * q)))
        quantiles[f"{q:g}"] = [float(ordered[i]) for i in (low, at, high)]
    tail = ordered[min(n - 1, int(np.floor(n * CVAR))) :]
    tail_mean, tail_half = mean_interval(tail)
    return {
        "mean_usd": mean,
        "mean_half_width_usd": _finite(half),
        "quantiles_usd": quantiles,
        f"cvar_{CVAR:g}_usd": tail_mean,
        f"cvar_{CVAR:g}_half_width_usd": _finite(tail_half),
    }


def _finite(x: float) -> float | None:
    return x if np.isfinite(x) else None


def audit_summary(audited: AuditedBlocks, mean_lower_usd: float, periods: int) -> dict[str, Any]:
    """What the audit proves: share within tolerance, worst gap, mean cost by control variate.

    The mean cost of a scenario is the mean lower bound plus periods times the mean difference of
    exact and bound over blocks.
    """
    gap = audited.gap
    misses = int(np.count_nonzero(gap > TOLERANCE))
    more, half = mean_interval(audited.exact_usd - audited.lower_usd)
    return {
        "blocks": len(gap),
        "misses": misses,
        "share_within_0.1pct_99conf": share_within(len(gap), misses),
        "worst_gap": float(gap.max(initial=0.0)),
        "least_gap": float(gap.min(initial=0.0)),
        "mean_usd": mean_lower_usd + periods * more,
        "mean_half_width_usd": _finite(periods * half),
    }


def rerouted_summary(contract: Floats, lower: Floats, upper: Floats) -> dict[str, Any]:
    """How far the upper bounds of rerouted blocks [n] are from the lower ones, as a gap."""
    gap = (upper - lower) / np.maximum(contract + upper, 1.0)
    return {
        "blocks": len(gap),
        "share_within_0.1pct": float((gap <= TOLERANCE).mean()),
        "share_within_1pct": float((gap <= 10 * TOLERANCE).mean()),
        "median_gap": float(np.median(gap)),
    }


def sensitivity(cost: Floats, values: Floats, names: Sequence[str]) -> list[dict[str, Any]]:
    """Tornado: mean cost where a factor is in its lowest and highest bin, widest first."""
    out = []
    for i, name in enumerate(names):
        column = _binned(values[:, i], BINS)
        low, high = (cost[column == end].mean() for end in (column.min(), column.max()))
        of_all = float(np.var(cost))
        groups = pd.Series(cost).groupby(column).agg(["mean", "size"])
        between = float((groups["size"] * (groups["mean"] - cost.mean()) ** 2).sum() / len(cost))
        out.append(
            {
                "factor": name,
                "low": float(column.min()),
                "high": float(column.max()),
                "cost_at_low_usd": float(low),
                "cost_at_high_usd": float(high),
                "share_of_variance": between / of_all if of_all > 0 else 0.0,
            }
        )
    return sorted(out, key=lambda row: -abs(row["cost_at_high_usd"] - row["cost_at_low_usd"]))


def regret(results: Sequence[SweepResult]) -> pd.DataFrame:
    """Expected and worst regret of several plans under the same scenarios.

    The regret of a plan in a scenario is its cost less the least cost of any plan there. Costs
    are exact where every block was solved, else lower bounds: `exact` says which. Raises
    RunFolderError when the sweeps are not of the same scenarios.
    """
    if len({json.dumps(r.summary["spec"], sort_keys=True) for r in results}) > 1:
        raise RunFolderError("regret compares sweeps of the same specification")
    costs = np.stack([r.columns(r.cost_column).to_numpy()[:, 0] for r in results])
    over = costs - costs.min(axis=0)
    halves = [mean_interval(row) for row in over]
    return pd.DataFrame(
        {
            "plan": [r.summary["plan"] for r in results],
            "mean_cost_usd": costs.mean(axis=1),
            "mean_regret_usd": [mean for mean, _ in halves],
            "mean_regret_half_width_usd": [half for _, half in halves],
            "worst_regret_usd": over.max(axis=1),
            "best_in_share": (over <= 0).mean(axis=1),
            "exact": [r.summary["certify"] == "exact" for r in results],
        }
    )
