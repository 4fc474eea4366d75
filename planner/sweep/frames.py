"""Plain frames of a finished sweep, as the figures of `planner.plot.frames` take them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner.errors import Fault, InputError
from planner.sweep.results import BINS, QUANTILES, SweepResult

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


def heat_frame(result: SweepResult, first: str, second: str, bins: int = BINS) -> pd.DataFrame:
    """Mean cost by two factors: row, column, usd; lower bounds unless every block was solved.

    Raises InputError for a factor that the sweep does not have.
    """
    names = [factor["name"] for factor in result.summary["spec"]["factor"]]
    unknown = [name for name in (first, second) if name not in names]
    if unknown:
        raise InputError([Fault("factor", f"the sweep has no factor '{n}'") for n in unknown])
    if first == second:
        raise InputError([Fault("factor", f"'{first}' against itself is no heat map")])
    grid = result.heat_map(first, second, bins).rename_axis(index="row", columns=None)
    cells = grid.reset_index().melt("row", var_name="column", value_name="usd").dropna()
    for axis in ("row", "column"):
        cells[axis] = [_label(value) for value in cells[axis]]
    return cells


def _label(value: object) -> str:
    if isinstance(value, str):
        return value or "none"
    return f"{float(str(value)):.3g}"


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
