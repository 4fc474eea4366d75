"""Colours, sizes and styles that every figure shares.

A vendor has one colour everywhere (Okabe and Ito's palette, safe for colour-blind readers); the
chips of a vendor are shades of it.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from planner.held_back import held_back

with held_back("matplotlib.pyplot", "matplotlib.pylab"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure
    from matplotlib.patheffects import withStroke

VENDOR_COLOURS = {
    "aws": "#E69F00",
    "google": "#0072B2",
    "nvidia": "#009E73",
    "microsoft": "#CC79A7",
    "amd": "#D55E00",
}
SPARE_COLOURS = ("#56B4E9", "#F0E442", "#999999", "#000000")
CLOUD_GREYS = ("#333333", "#555555", "#777777", "#999999", "#BBBBBB", "#D5D5D5")
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "++++", "oooo")
INK, FAINT = "#222222", "#D0D0D0"
WIDTH_IN = 7.0
"""Width of a figure, inches: that of a page's text."""
SMALL = 9.5
"""Least size of any text, points: above 5.5 where a figure takes half of a page's width."""

Style = Literal["light", "print"]
_BASE: dict[Any, Any] = {
    "font.size": 10.5, "axes.titlesize": 10.5, "axes.labelsize": 10.5, "legend.fontsize": SMALL,
    "xtick.labelsize": SMALL, "ytick.labelsize": SMALL,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "legend.frameon": False, "svg.hashsalt": "planner", "svg.fonttype": "path",
    "pdf.fonttype": 42, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK,
    "ytick.color": INK, "hatch.linewidth": 0.4, "axes.grid.axis": "y",
}  # fmt: skip
STYLES: dict[Style, dict[Any, Any]] = {
    "light": {**_BASE, "axes.grid": True, "grid.color": "#ECECEC", "axes.edgecolor": "#888888",
              "savefig.dpi": 150},
    "print": {**_BASE, "axes.grid": False, "axes.edgecolor": "black", "text.color": "black",
              "axes.labelcolor": "black", "xtick.color": "black", "ytick.color": "black",
              "patch.force_edgecolor": True, "savefig.dpi": 300},
}  # fmt: skip
"""light: for screens, faint grid. print: 300 dpi, black ink, and hatches beside colours."""

_hatched = False

__all__ = [
    "CLOUD_GREYS", "FAINT", "HATCHES", "INK", "SMALL", "SPARE_COLOURS", "STYLES",
    "VENDOR_COLOURS", "WIDTH_IN", "Axes", "Style", "chip_colours", "hatch", "horizontal",
    "money_unit", "new_axes", "outlined", "period_axis", "power_unit", "row_axes",
    "shade", "short", "side_legend", "styled", "to_rgb", "vendor_colours",
]  # fmt: skip


@contextmanager
def styled(style: Style) -> Iterator[None]:
    """Draw inside in one of the styles; what was set before comes back afterwards."""
    global _hatched  # noqa: PLW0603  (matplotlib's own settings are global too)
    before, _hatched = _hatched, style == "print"
    try:
        with mpl.rc_context(STYLES[style]):
            yield
    finally:
        _hatched = before


def hatch(position: int) -> str:
    """Hatch of the n-th series of a colour: none on screens."""
    return HATCHES[position % len(HATCHES)] if _hatched else ""


def vendor_colours(vendors: Sequence[str]) -> dict[str, str]:
    """Colour of each vendor; those without one of their own take the spare ones in turn."""
    unknown = [v for v in dict.fromkeys(vendors) if v not in VENDOR_COLOURS]
    spare = {v: SPARE_COLOURS[i % len(SPARE_COLOURS)] for i, v in enumerate(unknown)}
    return {**VENDOR_COLOURS, **spare}


def shade(colour: str, step: int, steps: int) -> tuple[float, float, float]:
    """One of `steps` shades of a colour: from darker than it, through it, to a light tint."""
    hue, light, full = colorsys.rgb_to_hls(*to_rgb(colour))
    low, high = max(0.18, 0.6 * light), 0.82
    at = light if steps == 1 else low + (high - low) * step / (steps - 1)
    red, green, blue = colorsys.hls_to_rgb(hue, at, full if at <= light else 0.7 * full)
    return red, green, blue


def chip_colours(chips: Mapping[str, str]) -> dict[str, tuple[float, float, float]]:
    """Colour of each chip, a shade of its vendor's; `chips` is chip -> vendor, all of a case."""
    colours = vendor_colours(list(chips.values()))
    out = {}
    for vendor in dict.fromkeys(chips.values()):
        mine = [chip for chip, whose in chips.items() if whose == vendor]
        for i, chip in enumerate(mine):
            out[chip] = shade(colours[vendor], i, len(mine))
    return out


def new_axes(width: float = WIDTH_IN, height: float = 4.0) -> Axes:
    """Axes of a new figure that is not kept by pyplot; inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def row_axes(rows: int) -> Axes:
    """Axes of a new figure with room for so many labelled rows."""
    return new_axes(height=max(2.2, 1.2 + 0.205 * rows))


def period_axis(ax: Axes, periods: Sequence[str]) -> None:
    """Label positions 0, 1, ... with periods, every second or third where there are many."""
    step = 1 + len(periods) // 17
    ax.set_xticks(range(0, len(periods), step), list(periods)[::step], rotation=45, ha="right",
                  rotation_mode="anchor")  # fmt: skip
    ax.set_xlim(-0.6, len(periods) - 0.4)
    ax.grid(visible=False, axis="x")


def side_legend(ax: Axes, most: int = 22) -> None:
    """A legend right of the axes, in the order in which the bars are stacked, top first."""
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1.0, 1.03),
              ncols=1 + len(labels) // most, borderaxespad=0.3, labelspacing=0.25)  # fmt: skip


def horizontal(ax: Axes, labels: Sequence[str]) -> None:
    """Rows 0, 1, ... from the top, with labels."""
    ax.set_yticks(range(len(labels)), list(labels))
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")


def money_unit(most_usd: float) -> tuple[float, str]:
    """USD in a unit of amounts up to `most_usd`, and the unit's name: no axis reads 0.05."""
    for size, name in ((1e9, "billion USD"), (1e6, "million USD"), (1e3, "thousand USD")):
        if abs(most_usd) >= size:
            return size, name
    return 1.0, "USD"


def power_unit(most_mw: float) -> tuple[float, str]:
    """MW in a unit of draws up to `most_mw`, and the unit's name."""
    return (1e3, "GW") if abs(most_mw) >= 1e3 else (1.0, "MW")


def outlined() -> list[Any]:
    """Path effects that keep black text and lines apart from any colour: a white rim."""
    return [withStroke(linewidth=2.2, foreground="white")]


def short(text: str, most: int = 34) -> str:
    """A label cut to so many characters, the cut marked."""
    return text if len(text) <= most else text[: most - 1] + "…"
