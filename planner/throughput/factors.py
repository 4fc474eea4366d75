"""Efficiency factors of the throughput model: their names, a stored set, and its resolution.

A coefficient is the exponential of a sum of effects:
`log c_j = base_j + family[f]_j + lineage[l]_j + precision[p]_j + backend[b]_j`,
where an effect that was not fitted is 0, so that an unknown chip family or model takes the
common prior. All coefficients multiply a time, so smaller is faster.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np

from planner.case.records import Architecture, Chip
from planner.throughput.inputs import PRECISIONS, FloatArray, chip_names

COEFFICIENTS: dict[str, float] = {
    "weights": 1.5,
    "experts": 1.3,
    "cache": 1.5,
    "compute": 2.0,
    "prefill": 2.2,
    "latency": 4.0,
    "link": 1.5,
    "layer": 12.0,
    "step": 0.6,
    "sequence": 6.0,
    "interference": 0.9,
    "first": 30.0,
}
"""Coefficient -> prior mean.

weights, experts, cache: time of reading them over peak bandwidth; compute, prefill: over peak
compute; link: over peak link bandwidth; latency: microseconds of a collective and doubling of
chips; layer: microseconds a layer and step; step: milliseconds a step; sequence: microseconds a
sequence and step; interference: share of a prefill's time that delays running requests;
first: milliseconds of a request's handling before its first token.
"""
KINDS = (
    "family",
    "chip",
    "lineage",
    "model",
    "precision",
    "emulated",
    "backend",
    "layout",
)
"""Kinds of effects."""
INDEX = {name: i for i, name in enumerate(COEFFICIENTS)}
"""Position of each coefficient along the last axis of resolved arrays."""


@dataclass(frozen=True)
class Factors:
    """A set of fitted effects, with the band of its errors and what it was fitted to."""

    base: Mapping[str, float] = field(default_factory=dict)
    """log of each coefficient of `COEFFICIENTS`; missing means the prior mean."""
    effects: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """`kind:level` (kind in `KINDS`) -> coefficient -> log."""
    terms: dict[str, float] = field(default_factory=dict)
    """Scalars of the benchmark loop, named in `closed_loop.TERMS`."""
    disaggregated: float = 1.25
    """Time of disaggregated serving over the ideal sum of its two sides."""
    bands: Mapping[str, tuple[float, float]] = field(
        default_factory=lambda: {
            "calibrated": (0.75, 1.3),
            "modelled": (0.5, 1.6),
            "extrapolated": (0.45, 1.7),
            "unmeasured_family": (0.35, 2.0),
        }
    )
    """Provenance, and `unmeasured_family` -> (low, high) multipliers of a rate; from quantiles of
    left-out errors."""
    calibrated_chips: tuple[str, ...] = ()
    """Chips with measurements."""
    calibrated_pairs: tuple[str, ...] = ()
    """`family|lineage` combinations with measurements."""
    longest_input: float = 15_000.0
    """Longest measured input, tokens; longer ones are extrapolated."""
    data_sha256: str = ""
    """Hash of the measured tables and specifications that the set was fitted to."""
    version: str = "prior"
    """Version of the stored set."""
    fitted: str = ""
    """Day of the fit, ISO."""
    errors: Mapping[str, float] = field(default_factory=dict)
    """Summary of the errors of the fit and of its cross-validation."""

    def to_json(self) -> str:
        """The set as JSON text, keys sorted, so that it can be diffed."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Factors:
        """Read what `to_json` wrote. Raises ValueError or TypeError on another document."""
        raw = json.loads(text)
        raw["bands"] = {k: (float(v[0]), float(v[1])) for k, v in raw["bands"].items()}
        raw["calibrated_pairs"] = tuple(raw["calibrated_pairs"])
        raw["calibrated_chips"] = tuple(raw["calibrated_chips"])
        return cls(**raw)


def load_factors(path: Path | None = None) -> Factors:
    """The packaged factors, or those of `path`; the prior when nothing is packaged."""
    if path is not None:
        return Factors.from_json(path.read_text(encoding="utf-8"))
    stored = files("planner.throughput").joinpath("data").joinpath("factors.json")
    if not stored.is_file():
        return Factors()
    return Factors.from_json(stored.read_text(encoding="utf-8"))


def lineage(architecture: Architecture) -> str:
    """Kind of architecture whose kernels it shares, for partial pooling across models.

    Derived from the numbers alone, so that a model that was never measured finds its kin.
    """
    if architecture.sparse_tokens:
        return "sparse-latent"
    if architecture.attention == "mla":
        return "latent"
    if architecture.full_attention_layers < architecture.layers:
        return "hybrid" if architecture.window_tokens == 0 else "window"
    return "experts" if architecture.experts else "dense"


def kin(architecture: Architecture) -> str:
    """Layers, width and kind: architectures that share them run the same kernels.

    So Kimi-K2.5 takes what DeepSeek-V3 showed, and Llama-2-70B what Llama-3.1-70B did.
    """
    kind = lineage(architecture)
    return f"{architecture.layers}x{architecture.hidden_size}-{kind}"


def is_calibrated(factors: Factors, architecture: Architecture, chip: Chip) -> bool:
    """Whether the chip was measured, and this kind of architecture on its family.

    That is what the errors of left-out (chip, model) pairs speak for.
    """
    name = chip_names().get(chip.chip.lower(), chip.chip)
    pair = f"{chip.family}|{lineage(architecture)}"
    return name in factors.calibrated_chips and pair in factors.calibrated_pairs


def effect_keys(architecture: Architecture, chip: Chip, precision: int) -> list[str]:
    """Names of the effects of a model on a chip at a precision code.

    A format that the chip computes in a wider one has an effect of its own (`emulated`).
    """
    chip_name = chip_names().get(chip.chip.lower(), chip.chip)
    name = PRECISIONS[precision]
    peak = {"bf16": chip.bf16_tflops, "fp8": chip.fp8_tflops, "fp4": chip.fp4_tflops}[name]
    keys = [
        f"family:{chip.family}",
        f"chip:{chip_name}",
        f"lineage:{lineage(architecture)}",
        f"model:{kin(architecture)}",
        f"precision:{name}",
    ]
    return keys if peak is not None else [*keys, f"emulated:{name}"]


def resolve(
    factors: Factors,
    architectures: Sequence[Architecture],
    chips: Sequence[Chip],
    precisions: Sequence[str] = PRECISIONS,
    separate: bool = False,
) -> FloatArray:
    """Coefficients of every model, chip and precision: shape (models, chips, precisions, J).

    No engine is assumed (the mean of those measured), and no speculation. `separate` gives those
    of a replica that only decodes, for latent attention, with which such runs were measured;
    other models keep the aggregated ones.
    """
    names = list(COEFFICIENTS)
    vectors = {k: np.array([row.get(n, 0.0) for n in names]) for k, row in factors.effects.items()}
    zero = np.zeros(len(names))
    base = np.array([factors.base.get(n, np.log(COEFFICIENTS[n])) for n in names])
    log = np.empty((len(architectures), len(chips), len(precisions), len(names)))
    for i, a in enumerate(architectures):
        for j, c in enumerate(chips):
            for k, p in enumerate(precisions):
                keys = effect_keys(a, c, PRECISIONS.index(p))
                if separate and a.attention == "mla":
                    keys.append("layout:separate")
                log[i, j, k] = base + sum((vectors.get(x, zero) for x in keys), zero)
    return np.asarray(np.exp(log))
