"""Figures of plain frames: what they hold, in every state, and that it can be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from planner import plot
from planner.plot.style import styled
from tests.plan.legible import check_texts, figure_of, heights

NAMES = ["growth beyond plan, a year", "price of hardware paid in lots", "rates of new chips",
         "loss of a cloud or a region of it", "efficiency", "ready for service, days late",
         "share of agentic", "a", "exchange rate", "b"]  # fmt: skip
PERIODS = [f"{2026 + (q + 2) // 4}-Q{1 + (q + 2) % 4}" for q in range(12)]


def drawn(draw: Callable[[], Axes], style: plot.Style) -> Axes:
    """Axes as they stand on the page."""
    with styled(style):
        axes = draw()
        figure_of(axes).canvas.draw()
    return axes


def factors(most_usd: float) -> pd.DataFrame:
    """Ends of a tornado, a tenth less for each factor."""
    reach = most_usd * 0.9 ** np.arange(len(NAMES))
    return pd.DataFrame({"factor": NAMES, "low_usd": -reach, "high_usd": 0.7 * reach})


def quantiles(most: float) -> pd.DataFrame:
    """A fan over twelve quarters."""
    rows = [
        (period, q, most * (0.5 + 0.04 * i) * (0.8 + 0.4 * q))
        for i, period in enumerate(PERIODS)
        for q in (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
    ]
    return pd.DataFrame(rows, columns=["period", "quantile", "value"])


def cells(columns: int, low: float, high: float) -> pd.DataFrame:
    """A heat map of eight rows."""
    values = np.linspace(low, high, 8 * columns)
    rows = [(f"row {i} of a long name", f"{0.05 * j:.3g} a year", values[columns * i + j])
            for i in range(8) for j in range(columns)]  # fmt: skip
    return pd.DataFrame(rows, columns=["row", "column", "value"])


BEYOND = "cost beyond contracts, billion USD"
COST = "cost by growth beyond plan (down) and ready for service (across), billion USD"
CROWDED: dict[str, Callable[[], Axes]] = {
    "tornado, billions": lambda: plot.tornado(factors(2.345e11)),
    "tornado, small": lambda: plot.tornado(factors(950.0)),
    "fan": lambda: plot.fan(quantiles(1.0), words=BEYOND),
    "fan, large": lambda: plot.fan(quantiles(1.5e4), words=BEYOND),
    "heat map, 3": lambda: plot.heat_map(cells(3, 104.8, 105.4), words=COST),
    "heat map, 8": lambda: plot.heat_map(cells(8, 90.0, 140.0), words=COST),
    "heat map, 12": lambda: plot.heat_map(cells(12, -1e4, 1e4), words=COST),
    "frontier of a budget": lambda: plot.frontier(
        pd.DataFrame({"limit": np.linspace(1e9, 12.5e9, 7),
                      "cost_usd": np.linspace(1.2e11, 1e11, 7),
                      "bound_usd": np.linspace(1.19e11, 0.99e11, 7)}),
        words="limits.cash-ceiling-of-2027 (USD a period)"),
}  # fmt: skip


@pytest.mark.parametrize("style", plot.STYLES)
@pytest.mark.parametrize("name", CROWDED)
def test_crowded_figures_can_be_read(name: str, style: plot.Style) -> None:
    check_texts(drawn(CROWDED[name], style))


def test_cells_of_a_heat_map_tell_its_range_apart_or_say_nothing() -> None:
    told = [text.get_text() for text in plot.heat_map(cells(3, 104.8, 105.4), words="x").texts]
    assert len(told) == 24
    assert len(set(told)) > 10
    assert not plot.heat_map(cells(12, -1e4, 1e4), words="x").texts


def test_a_small_cell_beside_large_ones_is_not_told_as_nothing() -> None:
    frame = cells(3, 0.0, 12.0)
    frame["value"] = 12.0
    frame.loc[:2, "value"] = [-0.089, 0.0, -0.0004]
    told = [text.get_text() for text in plot.heat_map(frame, words="x").texts]
    assert told[:4] == ["-0.09", "0.00", "0.00", "12.00"]
    frame.loc[2, "value"] = 12.0
    told = [text.get_text() for text in plot.heat_map(frame, words="x").texts]
    assert told[:4] == ["-0.1", "0.0", "12.0", "12.0"]


@pytest.mark.parametrize(("size", "unit"), [(1.0, "billion USD"), (1e3, "million USD")])
def test_a_heat_map_names_its_axes_and_finds_a_unit(size: float, unit: str) -> None:
    costs = cells(3, 91.1e9 / size, 91.7e9 / size).rename(columns={"value": "usd"})
    rows = "growth of demand beyond what was planned"
    axes = drawn(lambda: plot.heat_map(costs, rows=rows, columns="days late"), "light")
    check_texts(axes)
    assert axes.get_xlabel() == "days late"
    assert axes.get_ylabel().startswith("growth of demand")
    (bar,) = [one for one in figure_of(axes).axes if one is not axes]
    assert bar.get_xlabel() == unit
    assert axes.texts[0].get_text() == "91.10"


def test_a_waterfall_of_no_change_shows_both_totals() -> None:
    same = {"contracts": 212.2e6}
    axes = drawn(lambda: plot.waterfall(plot.steps(same, same)), "light")
    widths = [patch.get_width() for patch in axes.patches if isinstance(patch, Rectangle)]
    assert widths[0] == widths[-1] == pytest.approx(212.2)
    check_texts(axes)


def test_steps_lead_from_one_cost_to_the_other() -> None:
    before = {"contracts": 60e9, "pay_as_you_go": 1e9, "deals": 0.0, "salvage": -4e9}
    after = {"contracts": 58e9, "pay_as_you_go": 1e9 + 10.0, "deals": 0.5e9, "salvage": -4e9}
    frame = plot.steps(before, after, names=("with", "without"))
    assert frame.step.tolist() == ["with", "contracts", "deals", "without"]
    assert frame.usd.tolist() == pytest.approx([57e9, -2e9, 0.5e9, 55.5e9], rel=1e-9)
    assert frame.is_total.tolist() == [True, False, False, True]
    many = {f"term_{i}": 1.0 for i in range(10)}
    every = plot.steps({}, many, least_share=0.2)
    assert every.step.tolist() == ["before", "other", "after"]
    assert every.usd.tolist() == [0.0, 10.0, 10.0]
    check_texts(drawn(lambda: plot.waterfall(frame), "print"))


@pytest.mark.parametrize("draw", CROWDED.values(), ids=CROWDED)
def test_changes_and_bands_are_grey(draw: Callable[[], Axes]) -> None:
    axes = draw()
    colours: list[Any] = [patch.get_facecolor() for patch in axes.patches]
    colours += [to_rgba(line.get_color()) for line in axes.lines]
    colours += [colour for band in axes.collections for colour in np.asarray(band.get_facecolor())]
    assert colours or axes.images
    assert all(np.ptp(colour[:3]) < 0.01 for colour in colours)


def test_ends_of_a_tornado_differ_on_paper() -> None:
    axes = drawn(CROWDED["tornado, small"], "print")
    hatches = {patch.get_hatch() for patch in axes.patches}
    assert len(hatches) == 2


def test_frames_are_drawn() -> None:
    points = pd.DataFrame({"limit": [3.0, 1.0], "cost_usd": [2e9, 4e9], "bound_usd": [1e9, 4e9]})
    axes = plot.frontier(points, words="share")
    assert heights(axes.lines[0]) == [4.0, 2.0]
    assert heights(axes.lines[1]) == [4.0, 1.0]
    factors = pd.DataFrame({"factor": ["a", "b"], "low_usd": [-1e9, -3e9], "high_usd": [1e9, 2e9]})
    axes = plot.tornado(factors)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]
    cells = pd.DataFrame({"row": ["x", "x"], "column": ["u", "v"], "value": [1.0, 2.0]})
    assert [text.get_text() for text in plot.heat_map(cells, words="share").texts] == ["1.0", "2.0"]
    quantiles = pd.DataFrame(
        [(p, q, 10 * i + q) for i, p in enumerate("ab") for q in (0.05, 0.5, 0.95)],
        columns=["period", "quantile", "value"],
    )
    axes = plot.fan(quantiles, words="chips")
    assert heights(axes.lines[0]) == [0.5, 10.5]
    assert axes.get_ylabel() == "chips"
    dear = quantiles.rename(columns={"value": "usd"}).assign(usd=1e6 * quantiles["value"])
    axes = plot.fan(dear, name="paid")
    assert heights(axes.lines[0]) == [0.5, 10.5]
    assert axes.get_ylabel() == "paid, million USD"
    steps = pd.DataFrame(
        {"step": ["old", "price", "new"], "usd": [3e9, -1e9, 2e9], "is_total": [True, False, True]}
    )
    axes = plot.waterfall(steps)
    tops = [p.get_x() + p.get_width() for p in axes.patches]  # type: ignore[attr-defined]
    assert tops == pytest.approx([3.0, 2.0, 2.0])
    for frame, draw in ((points, plot.frontier), (factors, plot.tornado), (cells, plot.heat_map)):
        with pytest.raises(KeyError):
            draw(frame.iloc[:, 1:])


NONE = float("nan")
STATES: dict[str, tuple[float, float]] = {
    "proven": (4e9, 3.9e9), "limit": (5e9, 3e9), "infeasible": (NONE, NONE),
    "unproven": (NONE, 4e9),
}  # fmt: skip
"""Status of a point -> cost and bound as `planner.frontier` returns them."""


@pytest.mark.parametrize(
    "found", [("proven", "limit", "infeasible", "unproven"), *((status,) * 2 for status in STATES)]
)
def test_frontiers_mark_every_status(found: tuple[str, ...]) -> None:
    frame = pd.DataFrame(
        [(1.0 - 0.1 * i, status, *STATES[status]) for i, status in enumerate(found)],
        columns=["limit", "status", "cost_usd", "bound_usd"],
    )
    for style in plot.STYLES:
        axes = drawn(lambda: plot.frontier(frame, words="limits.cloud-share (share)"), style)
        check_texts(axes)
    legend = axes.get_legend()
    assert legend is not None
    words = [text.get_text() for text in legend.get_texts()]
    for status, said in (("limit", "plan, gap not proven"), ("infeasible", "no plan: proven"),
                         ("unproven", "no plan found in time")):  # fmt: skip
        assert (said in words) == (status in found)
        marks = [line for line in axes.lines if line.get_label() == said]
        assert sum(len(heights(line)) for line in marks) == found.count(status)


def test_frames_are_drawn_for_screens_unless_asked_otherwise() -> None:
    steps = plot.steps({"a": 1e9}, {"a": 2e9})
    assert not plot.waterfall(steps).spines["top"].get_visible()
    assert mpl.rcParams["axes.spines.top"]
    with styled("print"):
        assert mpl.colors.same_color(plot.waterfall(steps).spines["left"].get_edgecolor(), "black")


MANY = ["before", "calendar + demand", "rates", "liability past the horizon", "offers and capacity",
        "rules", "whole lots and gap", "after"]  # fmt: skip


@pytest.mark.parametrize(
    "usd",
    [
        [98.1e9, 5e9, -7e9, 2e9, -0.5e9, 0.1e9, 0.3e9, 98e9],
        [10e9, 30e9, -45e9, 2e9, 10e9, 0.1e9, 0.3e9, 7.4e9],
        [212e6, 1e3, 0.0, 0.0, -2e3, 0.0, 1e3, 212e6],
        [5.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 6.0],
        [136.6e9, -0.5e9, 0.7e9, -0.5e9, 0.4e9, 0.1e9, -0.08e9, 136.66e9],
    ],
)
def test_waterfalls_of_many_causes_can_be_read(usd: list[float]) -> None:
    total = [name in ("before", "after") for name in MANY]
    frame = pd.DataFrame({"step": MANY, "usd": usd, "is_total": total})
    for style in plot.STYLES:
        axes = drawn(lambda: plot.waterfall(frame), style)
        check_texts(axes)
    low, high = axes.get_xlim()
    level = np.cumsum(
        [0.0 if t and i else u for i, (t, u) in enumerate(zip(total, usd, strict=True))]
    )
    unit = 1e9 if max(usd) >= 1e9 else 1e6 if max(usd) >= 1e6 else 1.0
    assert low * unit <= level.min() + 1e-6
    assert high * unit >= level.max()
