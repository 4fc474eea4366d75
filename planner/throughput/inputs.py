"""Architectures and chips as flat numpy arrays, and the tables of open models and measured chips.

The records are those of `planner.case.records`; everything numeric below works on the frozen
arrays built here, whose length is the number of records.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.case.records import Architecture, Chip

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MODEL_ENDING = (
    r"-(fp8|fp4|nvfp4|mxfp4|int4|int8|bf16|fp16|w4a16|w4a8|w8a8|awq|gptq|dynamic|block|instruct|it"
    r"|chat|hf|thinking|base|v\d+|\d{4}|\d{6}|kv|mtp|eagle3?)$"
)
"""Ending of a model name that says nothing about its architecture, lower case."""
CHIP_NOISE = r"nvidia|amd|instinct|aws|google|sxm\d?|hgx|nvl72|oam|[ _-]|\d+gb$"
"""Parts of a chip name that say nothing about the chip, lower case."""
PRECISIONS = ("bf16", "fp8", "fp4")
"""Weight formats, from the widest to the narrowest; the index is the precision's code."""


@dataclass(frozen=True)
class ModelArrays:
    """Architecture numbers; every array has the same shape, one entry per model.

    Parameters are in billions, widths in elements, `cache_*` in elements per token.
    """

    dense: FloatArray
    """Weights outside routed experts, billions."""
    routed: FloatArray
    """Weights in routed experts, billions."""
    active: FloatArray
    """Weights used by one token, billions."""
    expert_share: FloatArray
    """Share of the routed experts that one token uses; 1 for a dense model."""
    routes: FloatArray
    """Routed experts that one token uses; 0 for a dense model."""
    layers: FloatArray
    """Layers."""
    full_layers: FloatArray
    """Layers whose attention spans the whole context."""
    hidden: FloatArray
    """Width of the residual stream."""
    cache_full: FloatArray
    """Cached elements per token over all full-attention layers."""
    cache_window: FloatArray
    """Cached elements per token over all windowed layers."""
    window: FloatArray
    """Window of those layers, tokens."""
    state: FloatArray
    """Elements of constant state per sequence (linear-attention layers)."""
    sparse: FloatArray
    """Tokens that a query reads at most; infinity when attention is dense."""
    index_share: FloatArray
    """Cache elements read per token by a sparse-attention index, as a share of the cache."""
    kv_split: FloatArray
    """Number of chips over which tensor parallelism splits the cache; 1 for latent attention."""
    latent: BoolArray
    """Whether attention is latent, so that attention may run data-parallel."""
    attention_width: FloatArray
    """Multiply-adds per query token and context token over all full layers, prefill."""
    decode_width: FloatArray
    """The same in decoding (absorbed latent attention works on the latent)."""

    def take(self, index: Any) -> ModelArrays:
        """The same fields indexed by `index` (an integer array or any numpy index)."""
        return ModelArrays(**{k: getattr(self, k)[index] for k in self.__dataclass_fields__})


@dataclass(frozen=True)
class ChipArrays:
    """Chip numbers, one entry per chip; peaks in TFLOP/s, HBM in GB and TB/s, link in GB/s."""

    tflops: FloatArray
    """Shape (chips, 3): peak used for each of `PRECISIONS`, falling back to a wider format."""
    native: BoolArray
    """Shape (chips, 3): whether that precision has its own peak."""
    bf16: FloatArray
    """Dense BF16 peak."""
    hbm_gb: FloatArray
    """Memory per chip."""
    bandwidth: FloatArray
    """Memory bandwidth."""
    link: FloatArray
    """Scale-up bandwidth per chip, both directions."""
    domain: FloatArray
    """Chips in a scale-up domain."""

    def take(self, index: Any) -> ChipArrays:
        """The same fields indexed by `index` along the chip axis."""
        return ChipArrays(**{k: getattr(self, k)[index] for k in self.__dataclass_fields__})


def model_arrays(architectures: Sequence[Architecture]) -> ModelArrays:
    """Arrays of length `len(architectures)`.

    Cached elements per token are `2 * kv_heads * head_dim` a layer, or the latent width for
    latent attention. A layer without window keeps a constant state of
    `attention_heads * head_dim * 128` elements (gated delta networks keep one matrix per head).
    """

    def col(values: Sequence[float]) -> FloatArray:
        return np.asarray(values, dtype=float)

    a = list(architectures)
    latent = np.array([x.attention == "mla" for x in a], dtype=bool)
    full = col([x.full_attention_layers for x in a])
    layers = col([x.layers for x in a])
    rest = layers - full
    heads = col([x.attention_heads * x.head_dim for x in a])
    per_layer = np.where(
        latent, col([x.kv_latent_dim for x in a]), col([2 * x.kv_heads * x.head_dim for x in a])
    )
    window = col([x.window_tokens for x in a])
    sparse = col([x.sparse_tokens for x in a])
    routed = col([x.routed_params_b for x in a])
    total = col([x.total_params_b for x in a])
    share = col([x.experts_per_token / x.experts if x.experts else 1.0 for x in a])
    return ModelArrays(
        dense=np.maximum(total - routed, 0.0),
        routed=routed,
        active=col([x.active_params_b for x in a]),
        expert_share=share,
        routes=col([x.experts_per_token for x in a]),
        layers=layers,
        full_layers=full,
        hidden=col([x.hidden_size for x in a]),
        cache_full=full * per_layer,
        cache_window=np.where(window > 0, rest * per_layer, 0.0),
        window=window,
        state=np.where(window > 0, 0.0, rest * heads * 128.0),
        sparse=np.where(sparse > 0, sparse, np.inf),
        index_share=np.where(sparse > 0, 128.0 / np.maximum(per_layer, 1.0), 0.0),
        kv_split=np.where(latent, 1.0, col([x.kv_heads for x in a])),
        latent=latent,
        attention_width=2.0 * full * heads,
        decode_width=np.where(
            latent,
            full * col([x.attention_heads * (2 * x.kv_latent_dim - 64) for x in a]),
            2.0 * full * heads,
        ),
    )


def chip_arrays(chips: Sequence[Chip]) -> ChipArrays:
    """Arrays of length `len(chips)`; a missing FP8 or FP4 peak falls back to the wider format."""
    bf16 = np.array([c.bf16_tflops for c in chips], dtype=float)
    fp8 = np.array([c.fp8_tflops or c.bf16_tflops for c in chips], dtype=float)
    fp4 = np.array([c.fp4_tflops or c.fp8_tflops or c.bf16_tflops for c in chips], dtype=float)
    native = [[True, c.fp8_tflops is not None, c.fp4_tflops is not None] for c in chips]
    return ChipArrays(
        tflops=np.stack([bf16, fp8, fp4], axis=-1),
        native=np.array(native, dtype=bool).reshape(len(chips), 3),
        bf16=bf16,
        hbm_gb=np.array([c.hbm_gb for c in chips], dtype=float),
        bandwidth=np.array([c.hbm_tb_per_s for c in chips], dtype=float),
        link=np.array([c.scaleup_gb_per_s for c in chips], dtype=float),
        domain=np.array([c.scaleup_domain_chips for c in chips], dtype=float),
    )


def _rows(name: str) -> list[dict[str, str]]:
    text = files("planner.throughput").joinpath("data").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _aliases(rows: list[dict[str, str]], key: str) -> dict[str, str]:
    table: dict[str, str] = {}
    for row in rows:
        for alias in (row[key], *row["aliases"].split(";")):
            if alias:
                table[alias.strip().lower()] = row[key]
    return table


def _filled(row: Mapping[str, str]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if v != "" and k != "aliases"}


@cache
def open_architectures() -> dict[str, Architecture]:
    """The packaged open models by name (`data/architectures.csv`, a source on each row)."""
    return {
        r["architecture"]: Architecture.model_validate(_filled(r))
        for r in _rows("architectures.csv")
    }


@cache
def measured_chips() -> dict[str, Chip]:
    """The chips of the measured tables by name (`data/calibration_chips.csv`)."""
    return {r["chip"]: Chip.model_validate(_filled(r)) for r in _rows("calibration_chips.csv")}


@cache
def architecture_names() -> dict[str, str]:
    """Lower-case names and aliases of open models, to the name in `open_architectures`."""
    return _aliases(_rows("architectures.csv"), "architecture")


@cache
def chip_names() -> dict[str, str]:
    """Lower-case names and aliases of measured chips, to the name in `measured_chips`."""
    return _aliases(_rows("calibration_chips.csv"), "chip")


def find_architecture(text: str, names: Mapping[str, str]) -> str | None:
    """Name of the architecture that `text` means, by `names` (lower-case alias -> name).

    Publisher, weight format and tuning are no part of an architecture: where the whole is not
    known, `publisher/` and endings such as -FP8, -NVFP4 and -Instruct are taken off.
    """
    whole = text.strip().lower()
    if whole in names:
        return names[whole]
    part = whole.rsplit("/", 1)[-1]
    known = {alias.rsplit("/", 1)[-1]: name for alias, name in names.items()}
    while part not in known:
        shorter = re.sub(MODEL_ENDING, "", part)
        if shorter == part:
            return None
        part = shorter
    return known[part]


def find_chip(text: str, names: Mapping[str, str]) -> str | None:
    """Name of the chip that `text` means, by `names` (lower-case alias -> name).

    Where the whole is not known, the maker's name and the module's form are taken off.
    """
    whole = text.strip().lower()
    if whole in names:
        return names[whole]
    plain = {re.sub(r"[ _-]", "", alias): name for alias, name in names.items()}
    return plain.get(re.sub(CHIP_NOISE, "", whole))
