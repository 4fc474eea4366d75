"""Plain frames of a finished sweep, as the figures of `planner.plot.frames` take them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from planner.readable import told_apart
from planner.sweep.results import BINS, QUANTILES, SweepResult, cost_by

_LOWER = "lower_usd "


def tornado_frame(result: SweepResult) -> pd.DataFrame:
    """What each factor does to the mean cost: factor, low_usd, high_usd (changes).

    The ends are the factor's lowest and highest tenth of scenarios, or its ends where it has
    few values.
    """
    rows = pd.DataFrame(result.summary["sensitivity"])
    mean = result.summary.get("cost", result.summary["cost_lower"])["mean_usd"]
    return pd.DataFrame(
        {
            "factor": rows["factor"],
            "low_usd": rows["cost_at_low_usd"] - mean,
            "high_usd": rows["cost_at_high_usd"] - mean,
        }
    )


def heat_frame(
    result: SweepResult,
    first: str,
    second: str,
    bins: int = BINS,
    less: SweepResult | None = None,
) -> pd.DataFrame:
    """Mean cost by two factors: row, column, usd; lower bounds unless every block was solved.

    `less` and errors as in `planner.sweep.results.cost_by`.
    """
    grid = cost_by(result, (first, second), bins, less).rename_axis(index="row", columns=None)
    cells = grid.reset_index().melt("row", var_name="column", value_name="usd").dropna()
    for axis in ("row", "column"):
        cells[axis] = factor_labels(cells[axis])
    return cells


def factor_labels(values: Iterable[object]) -> list[str]:
    """A factor's values in three digits, or as many as tell them apart; `none` for no loss."""
    listed = list(values)
    if any(isinstance(value, str) for value in listed):
        return [str(value) or "none" for value in listed]
    return told_apart([float(str(value)) for value in listed])


def fan_frame(result: SweepResult) -> pd.DataFrame:
    """Quantiles of what blocks cost beyond their contracts: period, quantile, usd.

    From the lower bounds by period.
    """
    columns = [f"{_LOWER}{period}" for period in result.summary["periods"]]
    values = np.quantile(result.columns(*columns).to_numpy(), QUANTILES, axis=0)
    return pd.DataFrame(
        {
            "period": np.repeat(result.summary["periods"], len(QUANTILES)),
            "quantile": np.tile(QUANTILES, len(columns)),
            "usd": values.T.ravel(),
        }
    )


def widest_pair(result: SweepResult) -> tuple[str, ...]:
    """The two factors that move the cost most, fewer where there is only one."""
    return tuple(row["factor"] for row in result.summary["sensitivity"][:2])
