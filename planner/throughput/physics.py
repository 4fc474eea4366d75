"""Times and bytes of one replica: the formulas, on arrays that broadcast against each other.

Units: GB over TB/s and GFLOP over TFLOP/s both give milliseconds. `c` is a coefficient array
(last axis `COEFFICIENTS`), indexed by name through `coefficient`. Every time falls, or stays,
when bandwidth, compute or link rise, and rises, or stays, in batch, context and new tokens.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.throughput.factors import INDEX
from planner.throughput.inputs import ChipArrays, FloatArray, ModelArrays

ROUTED_BYTES = np.array([2.0, 1.0, 0.5625])
"""Bytes of a routed-expert weight in bf16, fp8, fp4 (fp4: 4 bits and one scale of 8 per 16)."""
DENSE_BYTES = np.array([2.0, 1.0, 1.0])
"""Bytes of the other weights of a mixture of experts; fp4 checkpoints keep attention wider."""
CACHE_BYTES = np.array([2.0, 1.0, 1.0])
"""Bytes of a cached element."""
NODE = 8
"""Chips of a node, the largest tensor-parallel group of the measured runs."""
SCALEOUT_GB_PER_S = 100.0
"""Link of a chip beyond its scale-up domain, both directions: a 400 Gbit/s port. Assumption."""
SCALEOUT_LATENCY = 3.0
"""Latency of a collective beyond the scale-up domain over one within. Assumption."""
HEADROOM = 4.0
"""Memory is kept for the mean batch plus this many of its square roots. Random arrivals alone
would need two or three; a step also slows as the batch grows, which widens the swings."""
USABLE_HBM = 0.90
"""Share of memory for weights and cache; engines reserve the rest for activations."""


class Step(NamedTuple):
    """Parts of a decode step, ms; `total` adds them up."""

    memory: FloatArray
    """Reading weights and caches."""
    compute: FloatArray
    """Multiply-adds."""
    collective: FloatArray
    """Exchange between chips."""
    overhead: FloatArray
    """What every step takes."""
    total: FloatArray
    """Sum of the parts."""


def coefficient(c: FloatArray, name: str) -> FloatArray:
    """One named coefficient: `c` without its last axis."""
    return np.asarray(c[..., INDEX[name]])


def weight_gb(m: ModelArrays, precision: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """(dense, routed) weights in GB at a precision code; dense models quantise all linears."""
    dense = np.where(m.routed > 0, DENSE_BYTES[precision], ROUTED_BYTES[precision])
    return m.dense * dense, m.routed * ROUTED_BYTES[precision]


def cache_gb(m: ModelArrays, precision: NDArray[np.int64], context: FloatArray) -> FloatArray:
    """GB that one sequence of `context` tokens keeps in memory, over the whole replica.

    `(cache_full * context + cache_window * min(context, window)) * bytes + 2 * state`.
    """
    tokens = m.cache_full * context + m.cache_window * np.minimum(context, m.window)
    return np.asarray((tokens * CACHE_BYTES[precision] + 2.0 * m.state) * 1e-9)


def read_gb(m: ModelArrays, precision: NDArray[np.int64], context: FloatArray) -> FloatArray:
    """GB that one sequence's next token reads: as `cache_gb`, sparse attention reading less.

    Constant state is read and written once.
    """
    seen = np.minimum(context, m.sparse) + m.index_share * context
    tokens = m.cache_full * seen + m.cache_window * np.minimum(context, m.window)
    return np.asarray((tokens * CACHE_BYTES[precision] + 4.0 * m.state) * 1e-9)


def distinct_experts(m: ModelArrays, tokens: FloatArray) -> FloatArray:
    """Expected share of routed experts that a batch of `tokens` touches: `1 - (1 - k/E)^B`."""
    keep = np.log1p(-np.minimum(m.expert_share, 1.0 - 1e-12))
    return np.asarray(-np.expm1(tokens * keep))


def decode_step(
    m: ModelArrays,
    chip: ChipArrays,
    c: FloatArray,
    precision: NDArray[np.int64],
    tflops: FloatArray,
    n: FloatArray,
    batch: FloatArray,
    context: FloatArray,
    verify: FloatArray | float = 1.0,
) -> Step:
    """Time of one decode step of `batch` sequences on `n` chips.

    memory: `(dense + routed * distinct(B)) / n / bandwidth + B * read / split / bandwidth`,
    where the cache splits over `min(n, kv_heads)` chips; latent attention takes the better of
    tensor-parallel (cache on every chip) and data-parallel attention (dense weights on every
    chip, cache split n ways). compute: `2 * B * (active + attention) / n / peak`. The two
    combine as `hypot`. collective: two per layer, latency growing with log2(n), and
    `8 * layers * B * hidden * (n-1)/n` bytes. overhead: per step, layer and sequence.
    `verify` is the number of tokens a sequence checks per step (speculation).
    """
    tokens = batch * verify
    dense, routed = weight_gb(m, precision)
    dense = dense * coefficient(c, "weights")
    experts = routed * coefficient(c, "weights") * coefficient(c, "experts")
    experts = experts * distinct_experts(m, tokens) / n
    cache = read_gb(m, precision, context) * coefficient(c, "cache") * batch
    split = np.minimum(n, m.kv_split)
    tensor = dense / n + cache / split
    shared = np.where(m.latent, dense + cache / n, np.inf)
    memory = (np.minimum(tensor, shared) + experts) / chip.bandwidth
    reach = np.minimum(context, m.sparse)
    flops = m.active / tflops + m.decode_width * reach * 1e-9 / chip.bf16
    compute = 2.0 * tokens * flops / n * coefficient(c, "compute")
    collective = collective_ms(m, chip, c, n, tokens)
    overhead = (
        coefficient(c, "step")
        + 1e-3 * m.layers * coefficient(c, "layer")
        + 1e-3 * batch * coefficient(c, "sequence")
    )
    total = np.hypot(memory, compute) + collective + overhead
    return Step(memory, compute, collective, overhead, total)


def collective_ms(
    m: ModelArrays, chip: ChipArrays, c: FloatArray, n: FloatArray, tokens: FloatArray
) -> FloatArray:
    """Time of two collectives a layer for `tokens` tokens: latency and transfer, ms."""
    far = np.where(n > chip.domain, SCALEOUT_LATENCY, 1.0)
    latency = 2e-3 * m.layers * np.log2(n) * coefficient(c, "latency") * far
    return np.asarray(latency + transfer_ms(m, chip, c, n, tokens))


def transfer_ms(
    m: ModelArrays, chip: ChipArrays, c: FloatArray, n: FloatArray, tokens: FloatArray
) -> FloatArray:
    """Time to send the activations of `tokens` tokens through all layers, ms.

    Two all-reduces a layer of two-byte activations, each moving its data twice:
    `8 * layers * hidden * tokens * (n-1)/n` bytes. A mixture of experts with latent attention on
    more than a node may exchange tokens with experts instead (one byte out, two back):
    `3 * layers * hidden * experts per token * tokens / n`; the less of the two is taken. Beyond
    the scale-up domain the data pass the scale-out port.
    """
    link = np.where(n > chip.domain, np.minimum(chip.link, SCALEOUT_GB_PER_S), chip.link)
    reduced = 8.0 * (1.0 - 1.0 / n)
    exchange = (n > NODE) & m.latent & (m.routes > 0)
    moved = np.where(exchange, np.minimum(3.0 * m.routes / n, reduced), reduced)
    sent = 1e-6 * moved * m.layers * m.hidden * tokens / link
    return np.asarray(sent * coefficient(c, "link"))


def prefill_ms(
    m: ModelArrays,
    chip: ChipArrays,
    c: FloatArray,
    tflops: FloatArray,
    n: FloatArray,
    new: FloatArray,
    cached: FloatArray,
) -> FloatArray:
    """Time to process `new` tokens after `cached` ones on `n` chips, ms.

    `(2 * active * new / peak + 2 * attention_width * new * reach / bf16 peak) / n` with
    `reach` the mean number of tokens before a new one, `cached + new / 2`, at most the sparse
    limit (plus the index), and the transfer of the collectives.
    """
    span = cached + 0.5 * new
    reach = np.minimum(span, m.sparse) + m.index_share * span
    flops = m.active * new / tflops + m.attention_width * new * reach * 1e-9 / chip.bf16
    compute = 2.0 * flops / n * coefficient(c, "prefill")
    return np.asarray(compute + transfer_ms(m, chip, c, n, new))


def fits(
    m: ModelArrays,
    chip: ChipArrays,
    precision: NDArray[np.int64],
    n: FloatArray,
    held: FloatArray,
) -> NDArray[np.bool_]:
    """Whether weights and `held` GB of cache (over the replica) fit in usable memory per chip.

    Tensor parallel: `(dense + routed) / n + held / min(n, kv_heads)`; latent attention may
    instead run data-parallel: `dense + routed / n + held / n`.
    """
    dense, routed = weight_gb(m, precision)
    usable = USABLE_HBM * chip.hbm_gb
    tensor = (dense + routed) / n + held / np.minimum(n, m.kv_split) <= usable
    return np.asarray(tensor | (m.latent & (dense + (routed + held) / n <= usable)))
