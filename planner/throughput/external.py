"""Published throughputs that nothing was fitted to, beside what the model says of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from planner.case.records import Architecture, Chip
from planner.throughput import physics
from planner.throughput.factors import Factors, resolve
from planner.throughput.frontier import FLOORS, FRONTIER_DATA, TTFT_CAP_MS, FrontierErrors
from planner.throughput.grid import BATCHES, SIZES, best_rates
from planner.throughput.inputs import (
    PRECISIONS,
    architecture_names,
    chip_arrays,
    chip_names,
    measured_chips,
    model_arrays,
    open_architectures,
)
from planner.throughput.points import read_rows
from planner.throughput.shapes import Options, Shape

DECODE_TPOT_MS = 50.0
"""TPOT within which published decode rates are taken to hold: 20 tokens/s a user. Assumption."""


@dataclass(frozen=True)
class External:
    """One published rate and its prediction, tokens/s per chip."""

    chip: str
    """Chip family."""
    model: str
    """Model as published."""
    what: str
    """Rate or scenario of the table."""
    precision: str
    """One of `PRECISIONS`."""
    measured: float
    """As published."""
    predicted: float
    """0 where the model finds no configuration within the targets."""
    why: str
    """What limits the prediction; empty for the direct ones."""

    @property
    def ratio(self) -> float:
        """Predicted over measured."""
        return self.predicted / self.measured


def _named(chip: str, model: str) -> tuple[Chip, Architecture]:
    part = measured_chips()[chip_names()[chip.lower()]]
    return part, open_architectures()[architecture_names()[model.lower()]]


def peak_rates(
    architecture: Architecture,
    chip: Chip,
    precision: str,
    input_tokens: float,
    output_tokens: float,
    factors: Factors,
    tpot_ms: float = DECODE_TPOT_MS,
) -> tuple[float, float]:
    """(prefill, decode) tokens/s per chip of separate replicas, the best size and batch of each.

    Prefill counts input tokens without any cache; decode counts output tokens within `tpot_ms`.
    0 where nothing fits.
    """
    code = np.array([[PRECISIONS.index(precision)]])
    at = np.zeros((1, 1), dtype=np.int64)
    m = model_arrays([architecture]).take(at)
    part = chip_arrays([chip]).take(at)
    one = ([architecture], [chip], [precision])
    c = resolve(factors, *one)[0, 0].reshape(1, 1, -1)
    alone = resolve(factors, *one, separate=True)[0, 0].reshape(1, 1, -1)
    peak = part.tflops[..., PRECISIONS.index(precision)]
    n, batch = np.asarray(SIZES)[:, None], BATCHES[None, :]
    new = np.full((1, 1), input_tokens)
    kept = physics.cache_gb(m, code, new + output_tokens)
    fits = physics.fits(m, part, code, n, batch * kept)
    prefill = physics.prefill_ms(m, part, c, peak, n, new, np.zeros((1, 1)))
    read = np.where(fits[:, :1], 1e3 * input_tokens / prefill / n, 0.0)
    context = new + 0.5 * output_tokens
    step = physics.decode_step(m, part, alone, code, peak, n, batch, context).total
    written = np.where(fits & (step <= tpot_ms), 1e3 * batch / step / n, 0.0)
    return float(read.max()), float(written.max())


def published_actuals(folder: Path, factors: Factors) -> list[External]:
    """Rows of `published_actuals.csv`: prefill and decode tokens/s per chip in service."""
    found = []
    for row in read_rows(folder / "published_actuals.csv"):
        chip, model = _named(row["chip"], row["model"])
        lengths = (float(row["input_tokens"]), float(row["output_tokens"]))
        rates = peak_rates(model, chip, row["precision"], *lengths, factors)
        for what, value in zip(("prefill", "decode"), rates, strict=True):
            measured = float(row[f"{what}_tok_s_per_chip"])
            found.append(
                External(row["chip"], row["model"], what, row["precision"], measured, value, "")
            )
    return found


def mlperf(folder: Path, factors: Factors) -> list[External]:
    """Server and Interactive rows of `mlperf_v5_1.csv` with the shapes of `mlperf_shapes.csv`.

    Submissions serve aggregated. Targets are held at the 99th percentile, TPOT too; the measured
    value is the median of the submissions. The 99.9 % accuracy rows repeat the 99 % ones and are
    left out.
    """
    shapes = {
        (r["model"], r["scenario"]): [
            float(r[k])
            for k in ("input_tokens", "output_tokens", "ttft_ms", "tpot_ms", "percentile")
        ]
        for r in read_rows(folder / "mlperf_shapes.csv")
    }
    found = []
    for row in read_rows(folder / "mlperf_v5_1.csv"):
        values = shapes.get((row["model"], row["scenario"]))
        if values is None:
            continue
        chip, model = _named(row["chip"], row["model"])
        inputs, outputs, ttft, tpot, level = (np.array([v]) for v in values)
        shape = Shape(inputs, np.zeros(1), outputs, ttft, tpot, level, level)
        precision = row["best_weight_dtype"]
        table = best_rates(
            [model],
            [chip],
            np.zeros(1, dtype=np.int64),
            shape,
            np.zeros((1, 1)),
            (precision,),
            factors,
            Options(disaggregation=False),
        )
        at = (0, 0, 0)
        found.append(
            External(
                row["chip"],
                row["model"],
                row["scenario"],
                precision,
                float(row["median_tok_s_per_chip"]),
                float(table.output_tokens_per_s_per_chip[at]),
                table.reason(at),
            )
        )
    return found


def free_choice(folder: Path, factors: Factors, mode: str) -> FrontierErrors:
    """Measured frontier rows of one mode beside the planner's own best configuration.

    The planner chooses size and batch freely, without round trip, TTFT judged at its median with
    prefills of equal length. Measured runs stop at some load, so that its rate may be above what
    was tried. `mode` is agg or disagg; disagg lets the planner choose between the two.
    """
    rows = [
        r
        for r in read_rows(folder / FRONTIER_DATA)
        if r["ttft_cap_ms"] == f"{TTFT_CAP_MS:.0f}"
        and r["mode"] == mode
        and float(r["min_interactivity_tok_s_user"]) in FLOORS
    ]
    options = Options(disaggregation=mode == "disagg", service_cv=0.0, weight_only_fp4=True)
    predicted = np.zeros(len(rows))
    named = [_named(r["chip"], r["model"]) for r in rows]
    floor = np.array([float(r["min_interactivity_tok_s_user"]) for r in rows])
    for precision in PRECISIONS:
        at = [i for i, r in enumerate(rows) if (r["precision"] or "bf16") == precision]
        if not at:
            continue
        models = [named[i][1] for i in at]
        chips = sorted({named[i][0].chip for i in at})
        shape = Shape(
            input_tokens=np.array([float(rows[i]["isl"]) for i in at]),
            cached_tokens=np.zeros(len(at)),
            output_tokens=np.array([float(rows[i]["osl"]) for i in at]),
            ttft_ms=np.full(len(at), TTFT_CAP_MS),
            tpot_ms=1000.0 / floor[at],
            percentile=np.full(len(at), 0.5),
        )
        table = best_rates(
            models,
            [measured_chips()[c] for c in chips],
            np.arange(len(at)),
            shape,
            np.zeros((len(at), 1)),
            (precision,),
            factors,
            options,
        )
        own = np.array([chips.index(named[i][0].chip) for i in at])
        predicted[at] = table.output_tokens_per_s_per_chip[np.arange(len(at)), own, 0]
    return FrontierErrors(
        chip=tuple(named[i][0].chip.lower() for i in range(len(rows))),
        model=tuple(named[i][1].architecture for i in range(len(rows))),
        floor=floor,
        measured=np.array([float(r["best_output_tok_s_per_gpu"]) for r in rows]),
        predicted=predicted,
    )


def disaggregated_factor(folder: Path, factors: Factors) -> float:
    """Time of disaggregated serving over its ideal: the median over the measured frontier.

    The ideal is the sum of both sides at their best, with the factor at 1; the measured runs
    also move caches, balance the sides in whole workers and leave chips idle.
    """
    ideal = free_choice(folder, replace(factors, disaggregated=1.0), "disagg")
    known = ideal.predicted > 0
    return float(np.median(ideal.predicted[known] / ideal.measured[known]))
