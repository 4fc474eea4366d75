"""Capacity by period: power and reference chips, by chip and by cloud, against supply and need."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner import views
from planner.plan import Plan
from planner.plot.style import (
    INK,
    SMALL,
    Axes,
    chip_colours,
    greys,
    hatch,
    new_axes,
    outlined,
    period_axis,
    top_legend,
)
from planner.readable import power_unit


def _stack(
    ax: Axes, heights: pd.DataFrame, colours: dict[str, object], periods: tuple[str, ...]
) -> None:
    """Stacked bars, one series a column, on positions 0, 1, ... of the periods."""
    base = np.zeros(len(periods))
    for i, name in enumerate(heights.columns):
        height = heights[name].reindex(list(periods)).fillna(0.0).to_numpy()
        ax.bar(
            range(len(periods)), height, bottom=base, width=0.8, label=str(name),
            color=colours[str(name)], edgecolor="white", linewidth=0.4, hatch=hatch(i),
        )  # fmt: skip
        base = base + height
    ax.yaxis.set_major_formatter("{x:,g}")
    period_axis(ax, periods)


def chips_in_use(plan: Plan) -> dict[str, str]:
    """Chip -> vendor of the chips that are held, vendor by vendor: the order of hatches."""
    table = views.fleet(plan)
    vendor = dict(zip(table.chip, table.vendor, strict=True))
    every = {chip.chip: chip.vendor for chip in plan.case.chips if chip.chip in vendor}
    return dict(sorted(every.items(), key=lambda item: list(every.values()).index(item[1])))


def _by_chip(plan: Plan, column: str) -> tuple[pd.DataFrame, dict[str, object]]:
    table = views.fleet(plan)
    pivot = table.pivot_table(index="period", columns="chip", values=column, aggfunc="sum")
    # Shades go over all chips of the case, so that a chip keeps its colour from plan to plan.
    colours = chip_colours({chip.chip: chip.vendor for chip in plan.case.chips})
    return pivot[list(chips_in_use(plan))], dict(colours)


def power(plan: Plan, ax: Axes | None = None) -> Axes:
    """Power of contracted and hourly chips by chip family, and what the pools may draw."""
    ax = ax if ax is not None else new_axes(height=4.2)
    heights, colours = _by_chip(plan, "power_mw")
    periods = plan.case.calendar.labels
    size, unit = power_unit(float(heights.sum(axis=1).max()))
    _stack(ax, heights / size, colours, periods)
    limit = views.supply_and_demand(plan).allotted_mw / size
    ax.plot(range(len(periods)), limit, color=INK, ls="--", lw=1.2, label="allotted")
    _room(ax, limit, float(heights.sum(axis=1).max()) / size)
    ax.set_ylabel(f"power, {unit}")
    top_legend(ax)
    return ax


ABOVE = 1.6
"""Where the allotment is this much above everything else, it leaves the figure at the top."""


def _room(ax: Axes, allotted: pd.Series[float], tallest: float) -> None:
    """Keep the height for what is held and needed; an allotment far above it says where it ends."""
    if allotted.max() <= ABOVE * tallest:
        return
    ax.set_ylim(0.0, 1.45 * tallest)
    most = float(allotted.max())
    said = f"{most:,.0f}" if most >= 100 else f"{most:,.3g}"
    # Beside the line, on the side of its end that has more room.
    at = np.arange(len(allotted))
    leaves = (
        float(np.interp(1.45 * tallest, allotted, at)) if allotted.is_monotonic_increasing else 0.0
    )
    early = leaves <= 0.5 * at[-1]
    ax.annotate(
        f"allotted grows to {said}",
        (leaves, 0.99), xycoords=("data", "axes fraction"), xytext=(6 if early else -10, 0),
        textcoords="offset points", ha="left" if early else "right", va="top", fontsize=SMALL,
        path_effects=outlined(),
    )  # fmt: skip


LINES = (
    ("allotted", "allotted_reference_chips", "--"),
    ("serving, peak", "serving_peak_reference_chips", "-"),
    ("serving, mean", "serving_mean_reference_chips", ":"),
    ("training, mean", "training_reference_chips", "-."),
)


def _against(plan: Plan, ax: Axes) -> None:
    """Lines of supply and need over the bars, thousand reference chips."""
    table = views.supply_and_demand(plan)
    stacked = float(ax.dataLim.y1)
    for label, column, style in LINES:
        ax.plot(
            range(len(table)), table[column] / 1e3, color=INK, ls=style, lw=1.3, label=label,
            path_effects=outlined(),
        )  # fmt: skip
    needed = table["serving_peak_reference_chips"].max() / 1e3
    _room(ax, table["allotted_reference_chips"] / 1e3, max(stacked, float(needed)))
    ax.set_ylabel(f"thousand {plan.case.settings.reference_chip}-equivalents")
    top_legend(ax)


def capacity(plan: Plan, ax: Axes | None = None) -> Axes:
    """Contracted and hourly chips by chip family in reference chips, against supply and need.

    A chip counts by its mean serving worth: a fleet that has the right chips for its models
    carries a peak above its own height.
    """
    ax = ax if ax is not None else new_axes(height=4.2)
    heights, colours = _by_chip(plan, "reference_chips")
    _stack(ax, heights / 1e3, colours, plan.case.calendar.labels)
    _against(plan, ax)
    return ax


def capacity_by_cloud(plan: Plan, ax: Axes | None = None) -> Axes:
    """The same by cloud. Clouds are greys: colours belong to vendors."""
    ax = ax if ax is not None else new_axes(height=3.6)
    table = views.fleet(plan)
    pivot = table.pivot_table(
        index="period", columns="cloud", values="reference_chips", aggfunc="sum"
    )
    pivot = pivot[pivot.sum().sort_values(ascending=False).index]
    _stack(ax, pivot / 1e3, dict(greys([str(c) for c in pivot.columns])),
           plan.case.calendar.labels)  # fmt: skip
    _against(plan, ax)
    return ax
