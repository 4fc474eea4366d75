"""Provenance of a rate and the band that goes with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.case.records import Architecture, Chip
from planner.throughput.factors import Factors, is_calibrated
from planner.throughput.inputs import FloatArray, IntArray
from planner.throughput.shapes import Provenance, Shape


def provenance_codes(
    architectures: Sequence[Architecture],
    chips: Sequence[Chip],
    index: IntArray,
    shape: Shape,
    factors: Factors,
    dims: tuple[int, ...],
) -> IntArray:
    """Codes of `Provenance`, shape `dims`."""
    table = np.array([[is_calibrated(factors, a, x) for x in chips] for a in architectures])
    code = np.where(table[index], int(Provenance.CALIBRATED), int(Provenance.MODELLED))
    far = np.asarray(shape.input_tokens, dtype=float) > factors.longest_input
    code = np.where(far[:, None], int(Provenance.EXTRAPOLATED), code)
    return np.broadcast_to(code[:, :, None], dims).astype(np.int64)


def band_of(chips: Sequence[Chip], provenance: IntArray, factors: Factors) -> FloatArray:
    """(low, high) multipliers of every rate, shape (W, C, R, 2).

    A chip whose family was never measured takes the wider of its provenance's band and
    `unmeasured_family`.
    """
    codes = (Provenance.CALIBRATED, Provenance.MODELLED, Provenance.EXTRAPOLATED)
    table = np.ones((4, 2))
    for code in codes:
        table[code] = factors.bands[code.name.lower()]
    band = table[provenance]
    far = np.array(factors.bands["unmeasured_family"])
    known = np.array([f"family:{c.family}" in factors.effects for c in chips], dtype=bool)
    foreign = (~known[None, :, None]) & (provenance != Provenance.CALIBRATED)
    low = np.where(foreign, np.minimum(band[..., 0], far[0]), band[..., 0])
    high = np.where(foreign, np.maximum(band[..., 1], far[1]), band[..., 1])
    return np.stack([low, high], axis=-1)
