"""The calibration report as Markdown: errors in sample and left out, and published rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from planner.throughput.external import External, free_choice, mlperf, published_actuals
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
OTHERS = (
    ("TTFT at given load, in sample", "ttft_in_sample"),
    ("TTFT at given load, left-out pairs", "ttft_left_out"),
    ("TPOT, a whole chip family left out", "tpot_other_family"),
    ("TPOT, all inputs of 8,000 tokens or more left out", "tpot_longer_input"),
    ("frontier, a whole chip family left out", "frontier_other_family"),
)
"""Further errors: what they are, and their key."""


INTRO = """\
A pair is a (chip, architecture); DeepSeek-R1, V3 and V3.1 are one architecture, so that none of
them helps to predict another on a chip left out. Each left-out error comes from a fit that saw no
point of the pair. The strengths of the fit's priors were chosen by these same left-out errors, so
that they are slightly favourable. Rows are counted as the tables list them, repeats included; the
fit sees a repeated run once. Not judged: runs on more than eight chips of a rack whose split into
prefill and decode the table does not give."""
FRONTIER_NOTE = """\
Best of the measured configurations by predicted TPOT and TTFT against the best by measured ones,
TTFT within 2 s. Error 100 %: the model finds none of them within the targets."""
FREE_NOTE = """\
Size and batch chosen freely by the planner, from factors fitted to all points, at the same lengths
and floors; predicted over measured. Measured runs stop at some load, often 64 requests, so that a
ratio above one may be room that nobody tried, or optimism. The time of disaggregated serving over
its ideal is set so that the median of the disaggregated rows is one; some of those runs
speculate."""
ACTUALS_NOTE = """\
Tokens/s per chip. The lengths, and for one row the precision, are not published and are assumed;
decode is taken within a TPOT of 50 ms."""
MLPERF_NOTE = """\
Median of the submissions, tokens/s per chip; token lengths are approximate means and taken to
spread exponentially, which is hard on long prompts at the 99th percentile."""
WEAK = """\
- TTFT is predicted far worse than TPOT: it depends on the benchmark's arrivals.
- Disaggregated runs on racks: TPOT is described, TTFT and the balance of the two sides are not.
- Large expert-parallel groups over several nodes are modelled crudely and come out too slow.
- The frontier error moves by several points with the strengths of the priors: a predicted TPOT
  that crosses a floor by a hair changes the best run.
- Which runs speculate is inferred from the engine build, and only for DeepSeek models.
- gpt-oss runs on H100 at 512 requests were limited by something that the table does not show.
- Inputs beyond those measured, cached prefixes, and chips of other makers than NVIDIA rest on the
  formulas; their bands say so."""


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


def _free(rows: FrontierErrors, mode: str) -> str:
    names = np.array(rows.chip)
    lines = []
    for name in sorted(set(rows.chip)):
        ratio = rows.predicted[names == name] / rows.measured[names == name]
        quantiles = [f"{x:.2f}" for x in np.quantile(ratio, [0.1, 0.5, 0.9])]
        lines.append([name, str(len(ratio)), *quantiles])
    return _table([f"chip ({mode})", "rows", "predicted / measured, p10", "median", "p90"], lines)


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
        p.chips[c].chip + (" disagg." if apart else "")
        for c, apart in zip(p.chip, p.separate, strict=True)
    ]
    models = [p.architectures[m].architecture for m in p.model]
    pairs = [f"{a} {b}" for a, b in p.pairs()]
    perf = mlperf(folder, factors)
    spread = float(np.median([abs(r.ratio - 1.0) for r in perf]))
    stored = (
        f"Factors version {factors.version}, fitted {factors.fitted} to {len(p):,} points; "
        f"SHA-256 of the data `{factors.data_sha256}`. `planner calibrate` writes this page."
    )
    bands = [[k.replace("_", " "), f"{a:.2f}", f"{b:.2f}"] for k, (a, b) in factors.bands.items()]
    rest = [[t, _percent(e[f"{k}_median"]), _percent(e[f"{k}_p90"])] for t, k in OTHERS]
    parts = [
        "# Throughput: calibration and its errors",
        stored,
        INTRO,
        "## Headline",
        _headline(factors),
        "## TPOT by chip",
        _by(v, chips, "chip"),
        "## TPOT by model",
        _by(v, models, "model"),
        "## TPOT by pair",
        _by(v, pairs, "pair"),
        "## Output tokens/s per chip at an interactivity floor",
        FRONTIER_NOTE,
        _floors(v.frontier_outside),
        _frontier(v.frontier_inside, v.frontier_outside, "chip"),
        _frontier(v.frontier_inside, v.frontier_outside, "model"),
        "## The planner's own choice against the measured best",
        FREE_NOTE,
        _free(free_choice(folder, factors, "agg"), "agg"),
        _free(free_choice(folder, factors, "disagg"), "disagg"),
        "## Other errors",
        _table(["error", "median", "90th percentile"], rest),
        _neuron(v),
        "## Bands of a rate",
        _table(["provenance", "low", "high"], bands),
        "## Published rates in service, not fitted to",
        ACTUALS_NOTE,
        _external(published_actuals(folder, factors)),
        "## MLPerf Inference v5.1, not fitted to",
        f"{MLPERF_NOTE} Median error {_percent(spread)}.",
        _external(perf),
        "## Weak spots",
        WEAK,
    ]
    return "\n\n".join(parts) + "\n"


def _floors(errors: FrontierErrors) -> str:
    """Median left-out error at each floor, one line."""
    words = [
        f"{floor:.0f} tokens/s: {_percent(float(np.median(errors.errors[errors.floor == floor])))}"
        for floor in FLOORS
    ]
    return "Median by floor, left out: " + "; ".join(words) + "."


def _neuron(v: Validation) -> str:
    """One line on the chips of another maker."""
    own, prior = (
        _percent(float(np.median(np.abs(t.tpot / v.neuron.tpot_ms - 1.0))))
        for t in (v.neuron_inside, v.neuron_outside)
    )
    return (
        f"Trainium1 and Inferentia2 ({len(v.neuron)} points, TPOT): median {own} with their own "
        f"effect, {prior} from the GPUs' prior alone, which is what a chip of an unmeasured maker "
        "is given."
    )
