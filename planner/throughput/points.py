"""Measured points as arrays: the tables' columns made physical.

What the columns of the public tables do not say is inferred here, once, for the fit and for
checks alike:

- a run labelled aggregated on more chips than one 8-chip node stands for tensor times expert
  parallel size (the same times appear again under the square root), so its size is the root;
- the multi-token prediction of DeepSeek models is on in the engine builds of `SPECULATIVE`
  (their step times split in two there, by a factor near two at small batches);
- a run on more than eight chips of a rack is disaggregated, whatever its label;
- a disaggregated run decodes in workers of at most eight chips.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from planner.case.records import Architecture, Chip
from planner.throughput.inputs import (
    PRECISIONS,
    BoolArray,
    FloatArray,
    IntArray,
    architecture_names,
    chip_names,
    find_architecture,
    find_chip,
    measured_chips,
    open_architectures,
)
from planner.throughput.physics import NODE

SPECULATIVE = {
    ("trtllm", "1.1.0rc2.post2", "2026-01"),
    ("trtllm", "1.1.0rc2.post2", "2026-02"),
    ("trtllm", "1.2.0rc6.post3", "2026-02"),
}
"""(backend, version, month) with multi-token prediction on, by the split of their step times."""
SPECULATING_LINEAGES = ("latent",)
"""Lineages with a trained prediction head that these builds use."""
REFERENCE_DAY = date(2026, 1, 15)
"""Day at which the software trend is zero."""
DECODE_SHARE = 0.6
"""Share of the chips of a disaggregated run that decode, where the table does not say."""
REQUIRED = ("chip", "model", "isl", "osl", "concurrency", "n_gpus")
"""Columns that a prediction needs."""


class PointError(ValueError):
    """Rows that cannot be read; the message lists every fault as `file:line: column: reason`."""


@dataclass(frozen=True)
class Points:
    """Measured points; arrays of one length, the records shared."""

    architectures: tuple[Architecture, ...]
    """Architectures of the models."""
    chips: tuple[Chip, ...]
    """Chip families."""
    model: IntArray
    """Index into `architectures`."""
    chip: IntArray
    """Index into `chips`."""
    precision: IntArray
    """Index into `PRECISIONS`."""
    backend: tuple[str, ...]
    """Engine, lower case; empty when not given."""
    isl: FloatArray
    """Input tokens of a request, all of them."""
    osl: FloatArray
    """Output tokens of a request."""
    concurrency: FloatArray
    """Requests in flight."""
    size: FloatArray
    """Chips of one decode worker."""
    workers: FloatArray
    """Decode workers that share the concurrency."""
    counted: FloatArray
    """Chips that the table counts, prefill included."""
    prefill_size: FloatArray
    """Chips that prefill (the worker itself when aggregated)."""
    separate: BoolArray
    """Whether prefill runs elsewhere."""
    split_known: BoolArray
    """Whether the table says how many chips prefill and decode."""
    expert_parallel: BoolArray
    """Whether the table shows an expert-parallel layout."""
    speculative: BoolArray
    """Whether tokens are drafted ahead."""
    years: FloatArray
    """Years of the run after `REFERENCE_DAY`; 0 when no date is given."""
    ttft_ms: FloatArray
    """Measured; NaN when not given."""
    tpot_ms: FloatArray
    """Measured; NaN when not given."""

    def __len__(self) -> int:
        return len(self.isl)

    def pairs(self) -> list[tuple[str, str]]:
        """(chip, architecture) of every point."""
        names = [a.architecture for a in self.architectures]
        return [(self.chips[c].chip, names[m]) for c, m in zip(self.chip, self.model, strict=True)]

    def take(self, index: IntArray) -> Points:
        """The points at `index`."""
        kept = {}
        for key in self.__dataclass_fields__:
            value = getattr(self, key)
            if key in ("architectures", "chips"):
                kept[key] = value
            elif key == "backend":
                kept[key] = tuple(value[i] for i in index)
            else:
                kept[key] = value[index]
        return Points(**kept)


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as text cells. Raises PointError when it has no header or rows."""
    with path.open(newline="", encoding="utf-8-sig") as handle:
        rows = list(csv.DictReader(handle))
    if not rows:
        raise PointError(f"{path.name}: no rows")
    return [{k: (v or "").strip() for k, v in row.items() if k is not None} for row in rows]


def _number(
    row: Mapping[str, str], key: str, where: str, faults: list[str], required: bool
) -> float:
    text = row.get(key, "")
    if text == "" or text.lower() in ("nan", "none", "na", "null"):
        if required:
            faults.append(f"{where}: {key}: missing")
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        faults.append(f"{where}: {key}: {text!r} is not a number")
        return float("nan")
    if not np.isfinite(value) or value < 0 or (required and value <= 0):
        faults.append(f"{where}: {key}: {text!r} is not a finite positive number")
    return value


def _years(text: str) -> float:
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return 0.0
    return float((day - REFERENCE_DAY).days) / 365.25


def _precision(row: Mapping[str, str], where: str, faults: list[str], default: str) -> int:
    text = row.get("precision", "").lower()
    names = {
        "": default,
        "nan": default,
        "bf16": "bf16",
        "fp16": "bf16",
        "fp8": "fp8",
        "int8": "fp8",
        "fp4": "fp4",
        "nvfp4": "fp4",
        "mxfp4": "fp4",
        "int4": "fp4",
        "bfloat16": "bf16",
        "float16": "bf16",
        "w4a16": "fp4",
        "w4a8": "fp4",
        "awq": "fp4",
    }
    if text not in names:
        faults.append(f"{where}: precision: {text!r} is none of {', '.join(PRECISIONS)}")
        return 0
    return PRECISIONS.index(names[text])


def points_from_rows(
    rows: Iterable[Mapping[str, str]],
    name: str = "rows",
    architectures: Mapping[str, Architecture] | None = None,
    chips: Mapping[str, Chip] | None = None,
) -> Points:
    """Points of a table with the columns of `inferencex_points.csv`.

    Only `REQUIRED` columns must be filled; precision, backend, backend_version, mode,
    prefill_gpus, decode_gpus, measured_date, ttft_ms and tpot_ms may be blank or missing; n_gpus
    as well where prefill_gpus and decode_gpus are given.
    `architectures` and `chips` add to, and win over, the packaged ones.

    Raises:
        PointError: with one line per fault (unknown model or chip, missing or bad number).
    """
    models = {**open_architectures(), **(architectures or {})}
    parts = {**measured_chips(), **(chips or {})}
    model_names = {**architecture_names(), **{k.lower(): k for k in architectures or {}}}
    part_names = {**chip_names(), **{k.lower(): k for k in chips or {}}}
    model_list, part_list = list(models), list(parts)
    faults: list[str] = []
    columns: dict[str, list[float]] = {}
    backend: list[str] = []

    def put(**values: float) -> None:
        for key, value in values.items():
            columns.setdefault(key, []).append(value)

    for line, row in enumerate(rows, start=2):
        where = f"{name}:{line}"
        model = find_architecture(row.get("model", ""), model_names)
        part = find_chip(row.get("chip", ""), part_names)
        if model is None:
            faults.append(f"{where}: model: {row.get('model', '')!r} is not a known architecture")
        if part is None:
            faults.append(f"{where}: chip: {row.get('chip', '')!r} is not a known chip")
        extra = ("prefill_gpus", "decode_gpus", "ttft_ms", "tpot_ms")
        more = {k: _number(row, k, where, faults, False) for k in extra}
        split = more["prefill_gpus"] + more["decode_gpus"]
        filled = {**row, "n_gpus": row.get("n_gpus") or (str(split) if split > 0 else "")}
        need = {k: _number(filled, k, where, faults, True) for k in REQUIRED[2:]}
        hint = row.get("model", "").lower()
        default = (
            "fp8" if "fp8" in hint else "fp4" if "fp4" in hint or "gpt-oss" in hint else "bf16"
        )
        code = _precision(row, where, faults, default)
        if model is None or part is None:
            continue
        architecture = models[model]
        engine = row.get("backend", "").lower()
        decode = more["decode_gpus"]
        total = need["n_gpus"]
        rack = parts[part].scaleup_domain_chips > NODE and parts[part].vendor == "NVIDIA"
        apart = row.get("mode", "").lower().startswith("disagg") or decode > 0
        apart = apart or (rack and total > NODE)
        stated = decode > 0
        if apart:
            decode = decode if decode > 0 else max(1.0, np.round(DECODE_SHARE * total))
            ahead = more["prefill_gpus"] if more["prefill_gpus"] > 0 else max(1.0, total - decode)
            size = min(decode, float(NODE))
            experts = False
        else:
            experts = bool(architecture.experts) and total > NODE
            size = max(1.0, float(np.round(np.sqrt(total)))) if experts else total
            decode = ahead = size
        month = row.get("measured_date", "")[:7]
        spec = (engine, row.get("backend_version", ""), month) in SPECULATIVE
        spec = spec and architecture.attention == "mla" and not architecture.sparse_tokens
        backend.append(engine)
        put(
            model=model_list.index(model),
            chip=part_list.index(part),
            precision=code,
            isl=need["isl"],
            osl=need["osl"],
            concurrency=need["concurrency"],
            size=size,
            workers=max(1.0, decode / size),
            counted=total,
            prefill_size=ahead,
            separate=apart,
            split_known=stated,
            expert_parallel=experts,
            speculative=spec,
            years=_years(row.get("measured_date", "")),
            ttft_ms=more["ttft_ms"],
            tpot_ms=more["tpot_ms"],
        )
    if faults:
        raise PointError("\n".join(faults))
    flags = ("split_known", "separate", "expert_parallel", "speculative")
    whole = ("model", "chip", "precision")
    return Points(
        architectures=tuple(models.values()),
        chips=tuple(parts.values()),
        backend=tuple(backend),
        **{
            k: np.array(v, dtype=bool if k in flags else np.int64 if k in whole else float)
            for k, v in columns.items()
        },
    )
