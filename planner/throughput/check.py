"""Prediction of a user's measured table with the stored factors, row beside row."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planner.case.records import Architecture, Chip
from planner.throughput.closed_loop import Times, predict
from planner.throughput.factors import Factors, is_calibrated, load_factors
from planner.throughput.frontier import FrontierErrors, compare, frontier, groups, tokens_per_chip
from planner.throughput.inputs import FloatArray
from planner.throughput.points import Points, points_from_rows, read_rows

ADDED = (
    "predicted_tpot_ms",
    "predicted_ttft_ms",
    "predicted_output_tok_s_per_gpu",
    "tpot_relative_error",
    "ttft_relative_error",
    "provenance",
)
"""Columns that a check adds. Errors are `predicted / measured - 1`, blank without measurement."""


@dataclass(frozen=True)
class Check:
    """A checked table."""

    rows: tuple[dict[str, str], ...]
    """The rows as read, with the columns of `ADDED`."""
    points: Points
    """What was understood of each row."""
    predicted: Times
    """Predicted times, one entry a row, ms."""
    tpot_error: FloatArray
    """Relative errors of TPOT, signed; NaN without a measurement."""
    ttft_error: FloatArray
    """The same of TTFT."""
    frontier: FrontierErrors
    """Best tokens/s per chip at 20, 30 and 50 tokens/s/user, TTFT within 2 s, of these rows."""

    def summary(self) -> dict[str, float]:
        """Median and 90th percentile of the absolute errors; keys with no data are absent."""
        found: dict[str, float] = {"rows": float(len(self.rows))}
        for name, values in (("tpot", self.tpot_error), ("ttft", self.ttft_error)):
            known = np.abs(values[np.isfinite(values)])
            if len(known):
                found[f"{name}_median"] = float(np.median(known))
                found[f"{name}_p90"] = float(np.quantile(known, 0.9))
        if len(self.frontier.measured):
            found["frontier_median"] = float(np.median(self.frontier.errors))
        return found

    def write(self, path: Path) -> None:
        """Write the rows as CSV to `path`, columns in the order read, then `ADDED`."""
        with path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(self.rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)


def _cell(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else ""


def check_file(
    path: Path,
    factors: Factors | None = None,
    architectures: Mapping[str, Architecture] | None = None,
    chips: Mapping[str, Chip] | None = None,
) -> Check:
    """Predict every row of the CSV file `path` with `factors` (the stored ones when None).

    Columns as in `data/calibration/inferencex_points.csv`; only chip, model, isl, osl,
    concurrency and n_gpus must be there and filled. `architectures` and `chips` are the user's
    own rows by name, beside the packaged ones.

    Raises:
        FileNotFoundError: no such file.
        planner.throughput.points.PointError: one line per fault, `file:line: column: reason`.
    """
    factors = load_factors() if factors is None else factors
    rows = read_rows(path)
    points = points_from_rows(rows, path.name, architectures, chips)
    times = predict(points, factors)
    rate = tokens_per_chip(points, times)
    tpot_error = times.tpot / points.tpot_ms - 1.0
    ttft_error = times.ttft / points.ttft_ms - 1.0
    out = []
    for i, row in enumerate(rows):
        chip, model = points.chips[points.chip[i]], points.architectures[points.model[i]]
        firm = "calibrated" if is_calibrated(factors, model, chip) else "modelled"
        longer = points.isl[i] > factors.longest_input
        cells = (
            _cell(times.tpot[i]),
            _cell(times.ttft[i], 2),
            _cell(rate[i], 2),
            _cell(tpot_error[i], 4),
            _cell(ttft_error[i], 4),
            "extrapolated" if longer else firm,
        )
        out.append({**row, **dict(zip(ADDED, cells, strict=True))})
    keys = groups(points, [row["model"] for row in rows])
    measured = frontier(points, Times(points.tpot_ms, points.ttft_ms), keys)
    errors = compare(measured, frontier(points, times, keys), keys)
    return Check(tuple(out), points, times, tpot_error, ttft_error, errors)
