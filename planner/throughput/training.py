"""Model FLOPs utilisation (MFU) of training by chip family, from published measurements.

An MFU here is the share of the dense BF16 peak (FP8 where the row says so) that steps reach
while they run. Published rows are of steady steps, so that they do not include goodput: time
lost to failures and restarts is counted apart. A chip without rows takes its family's, and a
family without rows takes the median of all families, with a wider band.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from planner.case.records import Chip

FAMILY_OF = {
    "H100": "hopper",
    "TPU v6e": "tpu",
    "TPU v5p": "tpu",
    "Trainium1": "trainium",
}
"""Chip name in the measured table -> calibration family."""
CHIP_OF = {"h100": "H100", "tpu-v6e": "TPU v6e", "tpu-v5p": "TPU v5p", "trn1": "Trainium1"}
"""Lower-case chip name of a case -> chip name in the measured table."""


@dataclass(frozen=True)
class Mfu:
    """An MFU with its band and where it comes from."""

    mid: float
    """What plans use."""
    low: float
    """Low end of the band."""
    high: float
    """High end of the band."""
    provenance: str
    """given (by the case), measured (rows of this chip), modelled (of its family) or extrapolated
    (of none)."""
    includes_goodput: bool
    """Whether lost time is already counted; false for every measured row."""
    rows: int
    """Number of measured rows behind it."""
    source: str
    """Sources of those rows, joined by `; `."""


def measured_rows() -> list[dict[str, str]]:
    """The published BF16 rows: chip, MFU in percent, source (package data)."""
    text = files("planner.throughput").joinpath("data").joinpath("training_mfu.csv")
    rows = list(csv.DictReader(text.read_text(encoding="utf-8").splitlines()))
    return [row for row in rows if row["precision"].startswith("bf16")]


def mfu(chip: Chip) -> Mfu | None:
    """MFU of training on `chip`: what its row of the case says, else from measured runs.

    A case's own number is `given`, without a band. From measurements: the median of the chip's
    rows, band from their 10th to 90th percentile. From the family: the band is at least 0.8 to
    1.2 of the median; from other families: at least 0.65 to 1.25. None when the chip cannot
    train.
    """
    if not chip.training_capable:
        return None
    if chip.mfu is not None:
        own_row = (chip.mfu, chip.mfu, chip.mfu)
        return Mfu(*own_row, "given", chip.mfu_includes_goodput, 0, chip.source)
    rows = measured_rows()
    name = CHIP_OF.get(chip.chip.lower(), chip.chip)
    own = [r for r in rows if r["chip"] == name]
    kin = [r for r in rows if FAMILY_OF.get(r["chip"]) == chip.family]
    chosen, provenance, slack = rows, "extrapolated", (0.65, 1.25)
    if kin:
        chosen, provenance, slack = kin, "modelled", (0.8, 1.2)
    if own:
        chosen, provenance, slack = own, "measured", (0.95, 1.05)
    values = np.array([float(r["mfu_pct"]) / 100.0 for r in chosen])
    mid = float(np.median(values))
    return Mfu(
        mid=mid,
        low=float(min(np.quantile(values, 0.1), slack[0] * mid)),
        high=float(min(1.0, max(np.quantile(values, 0.9), slack[1] * mid))),
        provenance=provenance,
        includes_goodput=False,
        rows=len(chosen),
        source="; ".join(sorted({r["source"] for r in chosen})),
    )
