"""Slices of the week that are alike in what they ask of chips."""

from __future__ import annotations

import numpy as np

from planner.instance import Instance
from planner.solve.merged_week import Week


def week_of(inst: Instance) -> Week:
    """The week of an instance, its slices in groups by the chips that their peaks take at best."""
    serving = inst.serving
    best = serving.rate.max(axis=1, initial=0.0)
    served = best > 0.0
    chips = np.where(served, 1.0 / np.where(served, best, 1.0), 0.0)
    return Week.by_level(inst.time.slice_hours, np.einsum("wts,wt->s", serving.peak, chips))
