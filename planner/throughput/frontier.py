"""Output tokens/s per chip at floors of interactivity: what the model says, and how far off.

Interactivity is the tokens/s that one user sees, `1000 / TPOT`. Of the runs of one (chip, model,
precision, mode, input, output), the frontier at a floor is the most output tokens/s per chip,
`concurrency * osl / (TTFT + (osl - 1) * TPOT) / chips`, among those at or above the floor whose
TTFT is within the cap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planner.throughput.closed_loop import Times
from planner.throughput.inputs import FloatArray, architecture_names, chip_names
from planner.throughput.points import Points

FLOORS = (20.0, 30.0, 50.0)
"""Interactivity floors of the headline errors, tokens/s per user."""
FRONTIER_DATA = "inferencex_frontier.csv"
"""Measured frontier in `data/calibration`."""
TTFT_CAP_MS = 2000.0
"""TTFT within which a run counts."""


@dataclass(frozen=True)
class FrontierErrors:
    """Frontier rows compared: measured and predicted tokens/s per chip and their labels."""

    chip: tuple[str, ...]
    """Chip of each row."""
    model: tuple[str, ...]
    """Its model."""
    floor: FloatArray
    """Least tokens/s a user asked for."""
    measured: FloatArray
    """Tokens/s per chip, measured."""
    predicted: FloatArray
    """Tokens/s per chip, predicted."""

    @property
    def errors(self) -> FloatArray:
        """Relative errors, absolute; 1 where the model finds no run within the targets."""
        return np.abs(self.predicted / self.measured - 1.0)


def tokens_per_chip(points: Points, times: Times) -> FloatArray:
    """Output tokens/s per counted chip of every run at the given times."""
    span = times.ttft + (points.osl - 1.0) * times.tpot
    return np.asarray(1e3 * points.concurrency * points.osl / span / points.counted)


def groups(points: Points, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Key of every run: chip, model name as listed, precision, mode, input and output length."""
    return [
        (
            points.chips[points.chip[i]].chip.lower(),
            names[i],
            str(points.precision[i]),
            "disagg" if points.separate[i] else "agg",
            str(float(points.isl[i])),
            str(float(points.osl[i])),
        )
        for i in range(len(points))
    ]


def frontier(
    points: Points,
    times: Times,
    keys: Sequence[tuple[str, ...]],
    floors: Sequence[float] = FLOORS,
    cap_ms: float = TTFT_CAP_MS,
) -> dict[tuple[tuple[str, ...], float], float]:
    """Best tokens/s per chip of every group and floor; groups without a feasible run left out."""
    rate = tokens_per_chip(points, times)
    best: dict[tuple[tuple[str, ...], float], float] = {}
    for floor in floors:
        good = (1000.0 / times.tpot >= floor) & (times.ttft <= cap_ms) & np.isfinite(rate)
        for i in map(int, np.flatnonzero(good)):
            place = (keys[i], float(floor))
            best[place] = max(best.get(place, 0.0), float(rate[i]))
    return best


def table(rows: Sequence[Mapping[str, str]]) -> dict[tuple[tuple[str, ...], float], float]:
    """Measured frontier from rows as `inferencex_frontier.csv`, those with the 2000 ms cap."""
    codes = {"bf16": "0", "fp8": "1", "fp4": "2", "": "0", "nan": "0"}
    best: dict[tuple[tuple[str, ...], float], float] = {}
    for row in rows:
        if row["ttft_cap_ms"] == "" or float(row["ttft_cap_ms"]) != TTFT_CAP_MS:
            continue
        key = (
            chip_names().get(row["chip"].lower(), row["chip"]).lower(),
            row["model"],
            codes[row["precision"].lower()],
            row["mode"],
            str(float(row["isl"])),
            str(float(row["osl"])),
        )
        place = (key, float(row["min_interactivity_tok_s_user"]))
        best[place] = float(row["best_output_tok_s_per_gpu"])
    return best


def compare(
    measured: Mapping[tuple[tuple[str, ...], float], float],
    predicted: Mapping[tuple[tuple[str, ...], float], float],
    known: Sequence[tuple[str, ...]],
    floors: Sequence[float] = FLOORS,
) -> FrontierErrors:
    """Rows of `measured` at `floors` whose group is among `known`, beside the predictions."""
    groups_known = set(known)
    rows = [
        (key, floor, value)
        for (key, floor), value in measured.items()
        if floor in floors and key in groups_known
    ]
    return FrontierErrors(
        chip=tuple(key[0] for key, _, _ in rows),
        model=tuple(architecture_names().get(key[1].lower(), key[1]) for key, _, _ in rows),
        floor=np.array([floor for _, floor, _ in rows]),
        measured=np.array([value for _, _, value in rows]),
        predicted=np.array([predicted.get((key, floor), 0.0) for key, floor, _ in rows]),
    )
