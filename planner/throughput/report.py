"""The calibration report as Markdown: errors in sample and left out, and published rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from planner.throughput.external import External, mlperf, published_actuals
from planner.throughput.factors import Factors
from planner.throughput.frontier import FLOORS, FrontierErrors
from planner.throughput.inputs import BoolArray, FloatArray
from planner.throughput.validation import Validation

TARGETS = {
    "tpot_left_out_median": 0.12,
    "tpot_left_out_p90": 0.35,
    "frontier_left_out_median": 0.20,
}
"""Headline errors and the most that they may be."""


def _percent(value: float) -> str:
    return f"{100.0 * value:.1f} %" if np.isfinite(value) else "-"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _pair(errors: FloatArray, mask: BoolArray) -> list[str]:
    kept = errors[mask & np.isfinite(errors)]
    if not len(kept):
        return ["-", "-"]
    return [_percent(float(np.median(kept))), _percent(float(np.quantile(kept, 0.9)))]


def _by(validation: Validation, labels: Sequence[str], head: str) -> str:
    inside, outside = validation.errors(validation.inside), validation.errors(validation.outside)
    names = np.array(labels)
    rows = []
    for name in sorted(set(labels)):
        mine = names == name
        both = [*_pair(inside, mine), *_pair(outside, mine)]
        rows.append([name, str(int(mine.sum())), *both])
    columns = ["in sample, median", "p90", "left out, median", "p90"]
    return _table([head, "points", *columns], rows)


def _frontier(inside: FrontierErrors, outside: FrontierErrors, labels: str) -> str:
    names = np.array(getattr(outside, labels)).astype(str)
    rows = []
    for name in sorted(set(names)):
        mine = names == name
        none = int((outside.predicted[mine] <= 0).sum())
        both = [*_pair(inside.errors, mine), *_pair(outside.errors, mine)]
        rows.append([name, str(int(mine.sum())), *both, str(none)])
    head = ["rows", "in sample, median", "p90", "left out, median", "p90", "no run found"]
    return _table([labels, *head], rows)


def _external(rows: Sequence[External]) -> str:
    return _table(
        ["chip", "model", "", "weights", "measured", "predicted", "predicted / measured", "limit"],
        [
            [
                r.chip,
                r.model,
                r.what,
                r.precision,
                f"{r.measured:,.0f}",
                f"{r.predicted:,.0f}",
                f"{r.ratio:.2f}",
                r.why,
            ]
            for r in rows
        ],
    )


def _headline(factors: Factors) -> str:
    names = {
        "tpot_left_out_median": "TPOT at given load, left-out pairs, median",
        "tpot_left_out_p90": "the same, 90th percentile",
        "frontier_left_out_median": "output tokens/s per chip at 20, 30, 50 tokens/s/user, median",
    }
    rows = []
    for key, most in TARGETS.items():
        value = factors.errors[key]
        verdict = "kept" if value <= most else "missed"
        rows.append([names[key], _percent(value), _percent(most), verdict])
    return _table(["error", "measured", "target", ""], rows)


def markdown(factors: Factors, validation: Validation, folder: Path) -> str:
    """The whole report; `folder` holds the tables of published rates.

    Every number is computed from `validation`, `factors` and the tables; nothing is typed in.
    """
    v, e = validation, factors.errors
    p = v.points
    chips = [
        p.chips[c].chip + (" disagg." if s else "") for c, s in zip(p.chip, p.separate, strict=True)
    ]
    models = [p.architectures[m].architecture for m in p.model]
    pairs = [f"{a} {b}" for a, b in p.pairs()]
    floors = [
        f"{floor:.0f}: {_percent(float(np.median(v.frontier_outside.errors[at])))}"
        for floor in FLOORS
        for at in [v.frontier_outside.floor == floor]
    ]
    neuron = [np.abs(t.tpot / v.neuron.tpot_ms - 1.0) for t in (v.neuron_inside, v.neuron_outside)]
    bands = _table(
        ["provenance", "low", "high"],
        [[k.replace("_", " "), f"{a:.2f}", f"{b:.2f}"] for k, (a, b) in factors.bands.items()],
    )
    others = [
        ["TTFT at given load, in sample", "ttft_in_sample"],
        ["TTFT at given load, left-out pairs", "ttft_left_out"],
        ["TPOT, a whole chip family left out", "tpot_other_family"],
        ["TPOT, all inputs of 8,000 tokens or more left out", "tpot_longer_input"],
        ["frontier, a whole chip family left out", "frontier_other_family"],
    ]
    rest = _table(
        ["error", "median", "90th percentile"],
        [[t, _percent(e[f"{k}_median"]), _percent(e[f"{k}_p90"])] for t, k in others],
    )
    actual, perf = published_actuals(folder, factors), mlperf(folder, factors)
    ratios = np.array([r.ratio for r in perf])
    spread = _percent(float(np.median(np.abs(ratios - 1.0))))
    return (
        "\n\n".join(
            [
                "# Throughput: calibration and its errors",
                f"Factors version {factors.version}, fitted {factors.fitted} to {len(p):,} points; "
                f"SHA-256 of the data `{factors.data_sha256}`. `planner calibrate` writes this page.",
                "A pair is a (chip, architecture); DeepSeek-R1, V3 and V3.1 are one architecture, so that "
                "none of them helps to predict another on a chip left out. Each left-out error comes from "
                "a fit that saw no point of the pair. The strengths of the fit's priors were chosen by "
                "these same left-out errors, so that they are slightly favourable. Rows are counted as "
                "the tables list them, repeats included; the fit sees a repeated run once. Not judged: "
                "aggregated rows of rack-scale chips on more than eight chips, whose label is doubtful.",
                "## Headline",
                _headline(factors),
                "## TPOT by chip",
                _by(v, chips, "chip"),
                "## TPOT by model",
                _by(v, models, "model"),
                "## TPOT by pair",
                _by(v, pairs, "pair"),
                "## Output tokens/s per chip at an interactivity floor",
                "Best of the measured configurations by predicted TPOT and TTFT against the best by "
                "measured ones, TTFT within 2 s. Error 100 %: the model finds none of them within the "
                "targets. By floor, left out: " + "; ".join(floors) + ".",
                _frontier(v.frontier_inside, v.frontier_outside, "chip"),
                _frontier(v.frontier_inside, v.frontier_outside, "model"),
                "## Other errors",
                rest,
                f"Trainium1 and Inferentia2 ({len(v.neuron)} points, TPOT): median "
                f"{_percent(float(np.median(neuron[0])))} with their own effect, "
                f"{_percent(float(np.median(neuron[1])))} from the GPUs' prior alone, which is what a "
                "chip of an unmeasured maker is given.",
                "## Bands of a rate",
                bands,
                "## Published rates in service, not fitted to",
                "Tokens/s per chip. The lengths, and for one row the precision, are not published and "
                "are assumed; decode is taken within a TPOT of 50 ms.",
                _external(actual),
                "## MLPerf Inference v5.1, not fitted to",
                "Median of the submissions, tokens/s per chip; token lengths are approximate means. "
                f"Median error {spread}.",
                _external(perf),
                "## Weak spots",
                "- TTFT is predicted far worse than TPOT: it depends on the benchmark's arrivals.\n"
                "- Rack-scale disaggregated runs: their TTFT, and so their frontier, is not described.\n"
                "- Which runs speculate is inferred from the engine build, and only for DeepSeek models.\n"
                "- Inputs beyond those measured, cached prefixes, and chips of other makers than NVIDIA "
                "rest on the formulas; their bands say so.",
            ]
        )
        + "\n"
    )
