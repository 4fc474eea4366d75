"""Colours, sizes and styles that every figure shares.

Hues belong to vendors: one each, everywhere, apart for colour-blind readers too (Okabe and Ito's
palette, and more beside it); the chips of a vendor are shades of its hue. Whatever is not of a
vendor (clouds, terms of cost, changes) is grey, told apart by lightness and hatches.
"""

from __future__ import annotations

import colorsys
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from textwrap import wrap
from typing import Any, Literal, ParamSpec

import numpy as np

from planner.held_back import held_back

with held_back("matplotlib.pyplot", "matplotlib.pylab"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import to_hex, to_rgb
    from matplotlib.figure import Figure
    from matplotlib.patheffects import withStroke
    from matplotlib.ticker import MaxNLocator

VENDOR_COLOURS = {
    "aws": "#E69F00",
    "google": "#0072B2",
    "nvidia": "#009E73",
    "microsoft": "#CC79A7",
    "amd": "#D55E00",
    "intel": "#8FAFEF",
    "meta": "#391DC9",
}
SPARE_COLOURS = ("#703010", "#9FEF8F", "#591966", "#7963E9")
"""Of vendors that have no colour of their own, in the order in which a case names them."""
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "++++", "oooo")
INK, FAINT, NODE = "#222222", "#D0D0D0", "#777777"
MORE, LESS = "#7A7A7A", "#C6C6C6"
"""Two sides of a change: what costs more is dark."""
WIDTH_IN = 4.5
"""Width of a figure, inches; lines, marks and texts are made for it."""
SMALL = 9.6
"""Least size of any text, points: 7 where a figure stands in half a page, 3.3 inches wide."""

P = ParamSpec("P")
Style = Literal["light", "print"]
_BASE: dict[Any, Any] = {
    "font.size": 10, "axes.titlesize": 10, "axes.labelsize": 10, "legend.fontsize": SMALL,
    "xtick.labelsize": SMALL, "ytick.labelsize": SMALL,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "legend.frameon": False, "svg.hashsalt": "planner", "svg.fonttype": "path",
    "pdf.fonttype": 42, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK,
    "ytick.color": INK, "hatch.linewidth": 0.4, "axes.grid.axis": "y",
}  # fmt: skip
STYLES: dict[Style, dict[Any, Any]] = {
    "light": {**_BASE, "axes.grid": True, "grid.color": "#ECECEC", "axes.edgecolor": "#888888",
              "savefig.dpi": 220},
    "print": {**_BASE, "axes.grid": False, "axes.edgecolor": "black", "text.color": "black",
              "axes.labelcolor": "black", "xtick.color": "black", "ytick.color": "black",
              "patch.force_edgecolor": True, "savefig.dpi": 450},
}  # fmt: skip
"""light: for screens, faint grid. print: black ink, hatches beside colours, 600 dpi where a figure
takes half a page."""

_style: Style | None = None
"""The style that is drawn in; None: whatever matplotlib is set to."""

__all__ = [
    "FAINT", "HATCHES", "INK", "LESS", "MORE", "NODE", "SMALL", "SPARE_COLOURS", "STYLES",
    "VENDOR_COLOURS", "WIDTH_IN", "Axes", "MaxNLocator", "Style", "chip_colours", "few_numbers",
    "folded", "footnote", "greys", "hatch", "horizontal", "in_style", "new_axes",
    "outlined", "period_axis", "row_axes", "shade", "short", "styled",
    "top_legend", "vendor_colours",
]  # fmt: skip


@contextmanager
def styled(style: Style) -> Iterator[None]:
    """Draw inside in one of the styles; what was set before comes back afterwards."""
    global _style  # noqa: PLW0603  (matplotlib's own settings are global too)
    before, _style = _style, style
    try:
        with mpl.rc_context(STYLES[style]):
            yield
    finally:
        _style = before


def in_style(draw: Callable[P, Axes]) -> Callable[P, Axes]:
    """A figure drawn for screens where no style was asked for."""

    @wraps(draw)
    def drawn(*given: P.args, **named: P.kwargs) -> Axes:
        if _style is not None:
            return draw(*given, **named)
        with styled("light"):
            return draw(*given, **named)

    return drawn


def hatch(position: int) -> str:
    """Hatch of the n-th series of a colour: none on screens."""
    return HATCHES[position % len(HATCHES)] if _style == "print" else ""


def vendor_colours(vendors: Sequence[str]) -> dict[str, str]:
    """Colour of each vendor, whatever its case; those without one take the spare ones in turn.

    Where the spare ones run out they come again, darker each time: no two vendors share one.
    """
    unknown = [v for v in dict.fromkeys(vendors) if v.lower() not in VENDOR_COLOURS]
    out = dict(VENDOR_COLOURS)
    for i, vendor in enumerate(unknown):
        turn, place = divmod(i, len(SPARE_COLOURS))
        red, green, blue = (0.7**turn * part for part in to_rgb(SPARE_COLOURS[place]))
        out[vendor] = to_hex((red, green, blue)).upper()
    return out | {v: out[v.lower()] for v in vendors if v.lower() in VENDOR_COLOURS}


def greys(names: Sequence[str]) -> dict[str, str]:
    """A grey for each of what is no vendor's, from dark to light, as far apart as they can be."""
    return {
        name: to_hex((level,) * 3)
        for name, level in zip(names, np.linspace(0.2, 0.87, len(names)), strict=True)
    }


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


class Picture(Figure):
    """A figure that notebooks show without pyplot."""

    def _repr_png_(self) -> bytes:
        """What IPython shows."""
        data = io.BytesIO()
        self.savefig(data, format="png", dpi=SCREEN_DPI)
        return data.getvalue()


SCREEN_DPI = 150


def new_axes(width: float = WIDTH_IN, height: float = 3.2) -> Axes:
    """Axes of a new figure that is not kept by pyplot; inches."""
    figure = Picture(figsize=(width, height), layout="constrained")
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


def top_legend(
    ax: Axes, handles: Sequence[Any] | None = None, labels: Sequence[str] | None = None
) -> None:
    """A legend above the axes, in as many columns as the figure's width has room for.

    Without handles: all that is labelled, the last first, which is the order of stacked bars.
    """
    if handles is None or labels is None:
        found, named = ax.get_legend_handles_labels()
        handles, labels = found[::-1], named[::-1]
    if not labels:
        return
    figure = ax.get_figure(root=True)
    assert figure is not None
    room = 72.0 * float(figure.get_size_inches()[0]) * min(1.0, ax.get_position().width / 0.7)
    columns = next(n for n in range(len(labels), 0, -1) if n == 1 or _wide(labels, n) <= room)
    ax.legend(handles, labels, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=columns,
              borderaxespad=0.3, labelspacing=0.25, columnspacing=0.9, handlelength=1.5,
              handletextpad=0.5)  # fmt: skip


def _wide(labels: Sequence[str], columns: int) -> float:
    """Width of a legend in points: letters are a little more than half as wide as high."""
    rows, larger = divmod(len(labels), columns)
    ends = np.cumsum([rows + (i < larger) for i in range(columns)])
    longest = [max(map(len, part)) for part in np.split(np.array(labels, dtype=object), ends[:-1])]
    return sum(SMALL * (0.57 * letters + 2.9) for letters in longest)


def horizontal(ax: Axes, labels: Sequence[str]) -> None:
    """Rows 0, 1, ... from the top, with labels."""
    ax.set_yticks(range(len(labels)), list(labels))
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")


def few_numbers(ax: Axes) -> None:
    """Numbers along the horizontal axis, few enough to stand apart."""
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter("{x:,g}")


def outlined() -> list[Any]:
    """Path effects that keep black text and lines apart from any colour: a white rim."""
    return [withStroke(linewidth=2.2, foreground="white")]


def footnote(ax: Axes, text: str, letters: int = 56) -> None:
    """How to read a figure, below its axes; it may take the width of the figure."""
    lines = [line for part in text.split("\n") for line in wrap(part, letters)]
    ax.set_xlabel("\n".join(lines), loc="right", fontsize=SMALL)


def folded(text: str, letters: int = 28) -> str:
    """A label of an axis in lines of so many letters."""
    return "\n".join(wrap(text, letters))


def short(text: str, most: int = 34) -> str:
    """A label cut to so many characters, the cut marked."""
    return text if len(text) <= most else text[: most - 1] + "…"
