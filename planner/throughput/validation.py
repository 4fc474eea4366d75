"""Calibration end to end: fit, errors in sample and left out, bands, and the stored result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from planner.throughput.calibration import (
    CALIBRATION_DATA,
    Fit,
    Settings,
    data_hash,
    distinct,
    fit,
    fit_chips,
    leave_out,
    measured_points,
    neuron_points,
    pair_labels,
    to_factors,
    usable,
)
from planner.throughput.closed_loop import Times, predict
from planner.throughput.external import disaggregated_factor, free_choice
from planner.throughput.factors import Factors
from planner.throughput.frontier import (
    FRONTIER_DATA,
    FrontierErrors,
    compare,
    frontier,
    groups,
    table,
)
from planner.throughput.inputs import FloatArray
from planner.throughput.points import Points, read_rows

VERSION = "1"
"""Version of the stored factors; raised when the model's formulas change."""
LONG_INPUT = 8000.0
"""Inputs from here on are left out together, to see how the model extrapolates to them."""


@dataclass(frozen=True)
class Validation:
    """Measurements beside predictions in sample and left out; arrays of one length."""

    points: Points
    """What was measured."""
    names: tuple[str, ...]
    """Model names as the table lists them."""
    inside: Times
    """Predicted by the fit to all points."""
    outside: Times
    """Predicted without any point of the same (chip, architecture)."""
    other_family: Times
    """Predicted without any point of the same chip family."""
    longer: Times
    """Inputs of `LONG_INPUT` or more, predicted from shorter ones; NaN for the others."""
    frontier_inside: FrontierErrors
    """Best rates at a speed for users, by the fit to all points."""
    frontier_outside: FrontierErrors
    """The same without the (chip, architecture)."""
    frontier_other_family: FrontierErrors
    """The same without the chip family."""
    neuron: Points
    """Measured points of Trainium1 and Inferentia2."""
    neuron_inside: Times
    """Trainium1 and Inferentia2, whose own effects are fitted to these rows."""
    neuron_outside: Times
    """The same from the GPU fit alone: what a chip of an unmeasured family is given."""

    def errors(self, times: Times) -> FloatArray:
        """Absolute relative errors of TPOT."""
        return np.asarray(np.abs(times.tpot / self.points.tpot_ms - 1.0))

    def summary(self) -> dict[str, float]:
        """Headline medians and 90th percentiles, rounded to four decimals."""
        values: dict[str, FloatArray] = {
            "tpot_in_sample": self.errors(self.inside),
            "tpot_left_out": self.errors(self.outside),
            "tpot_other_family": self.errors(self.other_family),
            "tpot_longer_input": self.errors(self.longer),
            "ttft_in_sample": np.abs(self.inside.ttft / self.points.ttft_ms - 1.0),
            "ttft_left_out": np.abs(self.outside.ttft / self.points.ttft_ms - 1.0),
            "frontier_in_sample": self.frontier_inside.errors,
            "frontier_left_out": self.frontier_outside.errors,
            "frontier_other_family": self.frontier_other_family.errors,
        }
        found: dict[str, float] = {"points": float(len(self.points))}
        for key, value in values.items():
            known = value[np.isfinite(value)]
            found[f"{key}_median"] = round(float(np.median(known)), 4)
            found[f"{key}_p90"] = round(float(np.quantile(known, 0.9)), 4)
        labels = np.array(pair_labels(self.points))
        outside = self.errors(self.outside)
        for pair in sorted(set(labels)):
            found[f"left_out|{pair}"] = round(float(np.median(outside[labels == pair])), 4)
        return found


def _band(errors: FrontierErrors, chips: tuple[str, ...]) -> tuple[float, float]:
    """(low, high) multipliers of a rate: 10th and 90th percentile of measured over predicted."""
    inside = np.array([c not in chips for c in errors.chip]) & (errors.predicted > 0)
    ratio = errors.measured[inside] / errors.predicted[inside]
    low, high = np.quantile(ratio, [0.1, 0.9])
    return min(float(low), 0.95), max(float(high), 1.05)


def bands(validation: Validation, free: FrontierErrors) -> dict[str, tuple[float, float]]:
    """Band of each provenance, on rates.

    calibrated: left-out pairs at the measured configurations, and `free`, the planner's own
    choice against the measured best, the wider of the two; modelled: left-out chip families, at
    least a tenth wider in logs;
    extrapolated: the modelled band widened by what longer inputs add to TPOT's error;
    unmeasured_family: down to the 10th percentile of how Trainium1 and Inferentia2 fared against
    the prior of the GPUs, the only chips of other makers with measurements.
    Rack-scale rows are not used: their runs are few and their chip counts doubtful.
    """
    racks = ("gb200", "gb300")
    left, chosen = _band(validation.frontier_outside, racks), _band(free, racks)
    firm = (min(left[0], chosen[0]), max(left[1], chosen[1]))
    other = _band(validation.frontier_other_family, racks)
    wide = (min(other[0], firm[0] ** 1.1), max(other[1], firm[1] ** 1.1))
    ratio = validation.longer.tpot / validation.points.tpot_ms
    ratio = ratio[np.isfinite(ratio)]
    shift = np.abs(np.log(np.quantile(ratio, [0.1, 0.9])))
    low = np.exp(-np.hypot(np.log(wide[0]), shift[0]))
    high = np.exp(np.hypot(np.log(wide[1]), shift[1]))
    slower = np.quantile(validation.neuron_outside.tpot / validation.neuron.tpot_ms, 0.1)
    spans = {
        "calibrated": firm,
        "modelled": wide,
        "extrapolated": (float(low), float(high)),
        "unmeasured_family": (min(float(slower), float(low)), float(high)),
    }
    return {k: (round(v[0], 4), round(v[1], 4)) for k, v in spans.items()}


def _chips(points: Points) -> list[str]:
    """Names of the chips that `points` were measured on."""
    return sorted({points.chips[c].chip for c in points.chip})


def _longer(points: Points, settings: Settings | None) -> Times:
    labels = ["long" if x >= LONG_INPUT else "short" for x in points.isl]
    return leave_out(points, labels, settings, only=["long"])


def validate(folder: Path, settings: Settings | None = None) -> tuple[Fit, Validation]:
    """Fit to the tables of `folder` and predict every left-out group; about a minute.

    Raises FileNotFoundError or `planner.throughput.points.PointError`.
    """
    everything = measured_points(folder)
    chosen = usable(everything)
    listed = [row["model"] for row in read_rows(folder / CALIBRATION_DATA[0])]
    points, names = everything.take(chosen), tuple(listed[i] for i in chosen)
    solved = fit(points.take(distinct(points)), settings)
    families = [points.chips[c].family for c in points.chip]
    inside = solved.times(points)
    outside = leave_out(points, pair_labels(points), settings)
    other = leave_out(points, families, settings)
    keys = groups(points, names)
    measured = table(read_rows(folder / FRONTIER_DATA))

    def judged(times: Times) -> FrontierErrors:
        return compare(measured, frontier(points, times, keys), keys)

    neuron = neuron_points(folder)
    kin = fit_chips(neuron, solved, settings)
    own = to_factors(solved, points, dict.fromkeys(_chips(neuron), kin))
    return solved, Validation(
        points=points,
        names=names,
        inside=inside,
        outside=outside,
        other_family=other,
        longer=_longer(points, settings),
        frontier_inside=judged(inside),
        frontier_outside=judged(outside),
        frontier_other_family=judged(other),
        neuron=neuron,
        neuron_inside=predict(neuron, own),
        neuron_outside=predict(neuron, to_factors(solved, points)),
    )


def calibrate(
    folder: Path, settings: Settings | None = None, day: date | None = None
) -> tuple[Factors, Validation]:
    """Factors fitted to the tables of `folder`, with bands, errors and the data's hash.

    Args:
        folder: with the tables of `CALIBRATION_DATA` and `FRONTIER_DATA`.
        day: date to store; today (UTC) when None.

    Raises:
        FileNotFoundError: a table is missing.
        planner.throughput.points.PointError: a row cannot be read.
    """
    solved, found = validate(folder, settings)
    kin = fit_chips(found.neuron, solved, settings)
    factors = to_factors(solved, found.points, dict.fromkeys(_chips(found.neuron), kin))
    more = to_factors(solved, found.neuron)
    factors = replace(factors, disaggregated=round(disaggregated_factor(folder, factors), 4))
    return replace(
        factors,
        calibrated_chips=tuple(sorted({*factors.calibrated_chips, *more.calibrated_chips})),
        calibrated_pairs=tuple(sorted({*factors.calibrated_pairs, *more.calibrated_pairs})),
        bands=bands(found, free_choice(folder, factors, "agg")),
        data_sha256=data_hash(folder),
        version=VERSION,
        fitted=(day or datetime.now(tz=UTC).date()).isoformat(),
        errors=found.summary(),
    ), found


def store(factors: Factors, path: Path) -> None:
    """Write the factors as JSON to `path`."""
    path.write_text(factors.to_json(), encoding="utf-8")
