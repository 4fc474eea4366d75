"""Whether the texts of a figure can be read: large enough, on the page, apart from one another."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import matplotlib.text
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SLANTED = 45.0
"""Degrees of labels that would not stand side by side."""
HALF_PAGE_IN, LEAST_POINTS = 3.3, 7.0
"""Where a figure is as wide as half a page, its smallest text is to have so many points."""


def figure_of(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def texts(axes: Axes) -> list[matplotlib.text.Text]:
    """What is written and seen, legend and axis labels included."""
    return [
        text
        for text in figure_of(axes).findobj(matplotlib.text.Text)
        if isinstance(text, matplotlib.text.Text) and text.get_visible() and text.get_text().strip()
    ]


def hidden_texts(axes: Axes) -> set[int]:
    """Texts of an axis that is switched off, and labels of ticks outside the limits."""
    out: set[int] = set()
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not axes.axison or not low <= tick.get_loc() <= high:
                out |= {id(tick.label1), id(tick.label2)}
        if not axes.axison:
            out.add(id(axis.label))
    return out


def shown_texts(axes: Axes) -> list[tuple[str, matplotlib.text.Text]]:
    """Texts that stand on the page."""
    hidden = set().union(*(hidden_texts(one) for one in figure_of(axes).axes))
    return [(text.get_text(), text) for text in texts(axes) if id(text) not in hidden]


def check_texts(axes: Axes) -> None:
    """Texts are large enough, stand on the page, and apart from one another."""
    found = shown_texts(axes)
    assert len(found) >= 4
    width, height = (float(x) for x in figure_of(axes).canvas.get_width_height())
    shrunk = HALF_PAGE_IN / float(figure_of(axes).get_size_inches()[0])
    dpi = float(figure_of(axes).dpi)
    boxes = []
    for words, text in found:
        assert float(text.get_fontsize()) * shrunk >= LEAST_POINTS, words
        box = text.get_window_extent()
        assert box.x0 >= -2, words
        assert box.x1 <= width + 2, words
        assert box.y0 >= -2, words
        assert box.y1 <= height + 2, words
        boxes.append((words, text, box))
    for (a, one, left), (b, two, right) in combinations(boxes, 2):
        if one.get_rotation() == two.get_rotation() == SLANTED:
            # Slanted labels share their boxes: what counts is how far their lines are apart.
            apart = np.hypot(left.x1 - right.x1, left.y1 - right.y1) * np.sin(np.pi / 4)
            assert apart >= 0.8 * float(one.get_fontsize()) * dpi / 72, (a, b)
            continue
        if one.get_rotation() and two.get_rotation():
            continue
        across = min(left.x1, right.x1) - max(left.x0, right.x0)
        along = min(left.y1, right.y1) - max(left.y0, right.y0)
        assert across <= 1 or along <= 0.25 * min(left.height, right.height), (a, b)


def height_of(patch: Any) -> float:
    return float(patch.get_height())


def width_of(patch: Any) -> float:
    return float(patch.get_width())


def heights(line: Any) -> list[float]:
    return [float(y) for y in line.get_ydata()]
