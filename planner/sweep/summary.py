"""What a sweep says over all its scenarios: costs, audit, rerouting, sensitivity.

Blocks are tallied file by file and costs column by column, so that memory stays flat: at most 16
bytes a scenario, while quantiles are sorted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from planner.sweep.audit import CONFIDENCE, TOLERANCE, AuditedBlocks, share_within, t_half_width
from planner.sweep.block import Floats
from planner.sweep.results import BINS, CVAR, QUANTILES, binned

KEPT_GAPS = 1_000_000
"""Gaps that a median is worked out from, spread over all blocks."""


@dataclass
class Tally:
    """Gaps of blocks, added up file by file."""

    stride: int = 1
    """Of the gaps, every so many are kept for the median."""
    blocks: int = 0
    """Blocks seen."""
    misses: int = 0
    """Those with a gap above the tolerance."""
    wide: int = 0
    """Those with a gap above ten times the tolerance."""
    worst: float = 0.0
    """Largest gap, at least 0."""
    least: float = 0.0
    """Least gap, at most 0: below 0 by what solvers round."""
    mean_usd: float = 0.0
    """Mean of cost less bound."""
    squares: float = 0.0
    """Sum of squares of cost less bound around their mean, USD^2."""
    kept: list[Floats] = field(default_factory=list)
    """Gaps kept."""

    def add(self, contract: Floats, lower: Floats, cost: Floats) -> None:
        """Take in blocks [n], USD."""
        gap, more = AuditedBlocks(contract, lower, cost).gap, cost - lower
        if not len(gap):
            return
        self.misses += int(np.count_nonzero(gap > TOLERANCE))
        self.wide += int(np.count_nonzero(gap > 10 * TOLERANCE))
        self.worst = max(self.worst, float(gap.max()))
        self.least = min(self.least, float(gap.min()))
        self.kept.append(gap[:: self.stride].copy())
        # Means and squares of two parts are those of the whole (Chan, Golub and LeVeque).
        n, mean = len(more), float(more.mean())
        apart, whole = mean - self.mean_usd, self.blocks + n
        self.squares += float(((more - mean) ** 2).sum()) + apart**2 * self.blocks * n / whole
        self.mean_usd += apart * n / whole
        self.blocks = whole

    def audit(self, mean_lower_usd: float, periods: int, total: int) -> dict[str, Any]:
        """What an audit proves: share within tolerance, worst gap, mean cost by control variate.

        The mean cost of a scenario is the mean lower bound plus `periods` times the mean
        difference of exact and bound over blocks. With all `total` blocks solved nothing is
        sampled: the share is that of all and the mean has no interval.
        """
        every = self.blocks >= total
        share = 1 - self.misses / total if every else share_within(self.blocks, self.misses)
        half = 0.0 if every else periods * t_half_width(self.blocks, self.squares)
        return {
            "blocks": self.blocks,
            "every_block": every,
            "misses": self.misses,
            "share_within_0.1pct_99conf": share,
            "worst_gap": self.worst,
            "least_gap": self.least,
            "mean_usd": mean_lower_usd + periods * self.mean_usd,
            "mean_half_width_usd": _finite(half),
        }

    def rerouted(self) -> dict[str, Any]:
        """How far upper bounds are from the lower ones, as a gap."""
        return {
            "blocks": self.blocks,
            "share_within_0.1pct": 1 - self.misses / self.blocks,
            "share_within_1pct": 1 - self.wide / self.blocks,
            "median_gap": float(np.median(np.concatenate(self.kept))),
        }


def cost_summary(cost: Floats, *, drawn: bool = True, overwrite: bool = False) -> dict[str, Any]:
    """Mean, quantiles and CVaR of costs of scenarios, with 99 % limits of the sampling.

    Quantiles have the limits of order statistics (normal approximation to the binomial rank), None
    where the sample is too small for an end. The mean has those of its t interval, and so has CVaR,
    with the variance of its quantile as it was found: (var(tail) + q (CVaR - VaR)^2) / ((1 - q) n)
    (Manistre and Hancock, North American Actuarial Journal 9(2), 2005). Of
    scenarios that were not drawn (a grid, a list) nothing is sampled: limits are the values
    themselves, half widths 0. `overwrite` sorts `cost` itself and saves a copy of it.
    """
    n = len(cost)
    mean, half = float(cost.mean()), _half(cost, drawn)
    ordered = cost if overwrite else cost.copy()
    ordered.sort()
    z = float(special.ndtri(0.5 + CONFIDENCE / 2))
    quantiles = {}
    for q in QUANTILES:
        at = min(n - 1, int(np.floor(n * q)))
        spread = z * np.sqrt(n * q * (1 - q)) + 1
        low, high = (round(n * q + d) for d in (-spread, spread)) if drawn else (at, at)
        quantiles[f"{q:g}"] = [float(ordered[i]) if 0 <= i < n else None for i in (low, at, high)]
    tail = ordered[min(n - 1, int(np.floor(n * CVAR))) :]
    value = float(tail.mean())
    apart = CVAR * (value - float(tail[0])) ** 2
    return {
        "mean_usd": mean,
        "mean_half_width_usd": half,
        "quantiles_usd": quantiles,
        f"cvar_{CVAR:g}_usd": value,
        f"cvar_{CVAR:g}_half_width_usd": _half(tail, drawn, apart),
    }


def _half(values: Floats, drawn: bool, more: float = 0.0) -> float | None:
    """Half width of the mean's interval: 0 where nothing was drawn, None where it has no end.

    `more` is variance beside that of the values.
    """
    n = len(values)
    return _finite(t_half_width(n, n * (float(values.var()) + more))) if drawn else 0.0


def _finite(x: float) -> float | None:
    return x if np.isfinite(x) else None


def expected_cost(summary: dict[str, Any]) -> dict[str, float | None]:
    """Mean cost over the scenarios with its 99 % interval, USD: mean_usd, low_usd, high_usd.

    From exact costs, or from lower bounds and the audit's mean gap. The half widths of what was
    drawn and of what was audited are added, which is wider than both together need. Without
    either only `low_usd` is known: the low end for the mean bound, which no mean cost is below.
    """
    bounds = summary["cost_lower"]
    if "cost" in summary:
        mean, parts = summary["cost"]["mean_usd"], [summary["cost"]["mean_half_width_usd"]]
    elif "audit" in summary:
        mean = summary["audit"]["mean_usd"]
        parts = [bounds["mean_half_width_usd"], summary["audit"]["mean_half_width_usd"]]
    else:
        mean, parts = bounds["mean_usd"], [bounds["mean_half_width_usd"]]
    half = None if None in parts else sum(parts)
    low = None if half is None else mean - half
    if "cost" not in summary and "audit" not in summary:
        return {"mean_usd": None, "low_usd": low, "high_usd": None}
    return {"mean_usd": mean, "low_usd": low, "high_usd": None if half is None else mean + half}


def sensitivity(
    cost: Floats, values: Floats, names: Sequence[str], unordered: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Tornado: mean cost where a factor is in its lowest and highest bin, widest first.

    Of an `unordered` factor (the names of what is lost) the cheapest and the dearest value.
    """
    out = []
    for i, name in enumerate(names):
        column = values[:, i] if name in unordered else binned(values[:, i], BINS)
        of_all = float(np.var(cost))
        groups = pd.Series(cost).groupby(column).agg(["mean", "size"])
        if name in unordered:
            groups = groups.sort_values("mean", kind="stable")
        low, high = groups["mean"].iloc[0], groups["mean"].iloc[-1]
        between = float((groups["size"] * (groups["mean"] - cost.mean()) ** 2).sum() / len(cost))
        out.append(
            {
                "factor": name,
                "low": float(groups.index[0]),
                "high": float(groups.index[-1]),
                "cost_at_low_usd": float(low),
                "cost_at_high_usd": float(high),
                "share_of_variance": between / of_all if of_all > 0 else 0.0,
            }
        )
    return sorted(out, key=lambda row: -abs(row["cost_at_high_usd"] - row["cost_at_low_usd"]))
