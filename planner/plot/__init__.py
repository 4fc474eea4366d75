"""Figures of a plan. No arithmetic beyond sums over its tables and views.

`FIGURES` lists them by name; `render` makes image files; `Plots` is what `plan.plot` is.
"""

from __future__ import annotations

from planner.plot.figures import FIGURES, FORMATS, Figure, available, image, render
from planner.plot.frames import fan, frontier, heat_map, steps, tornado, waterfall
from planner.plot.plots import Plots
from planner.plot.style import STYLES, VENDOR_COLOURS, Style, chip_colours, new_axes, vendor_colours

__all__ = [
    "FIGURES", "FORMATS", "STYLES", "VENDOR_COLOURS", "Figure", "Plots", "Style", "available",
    "chip_colours", "fan", "frontier", "heat_map", "image", "new_axes", "render", "steps",
    "tornado", "vendor_colours", "waterfall",
]  # fmt: skip
