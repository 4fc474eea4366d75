"""Figures of a plan. No arithmetic beyond sums over its tables.

A vendor has one colour everywhere (Okabe and Ito's palette, safe for colour-blind readers); the
chips of a vendor are shades of it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from planner.held_back import held_back
from planner.plan import Plan

with held_back("matplotlib.pyplot"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure

VENDOR_COLOURS = {
    "aws": "#E69F00",
    "google": "#0072B2",
    "nvidia": "#009E73",
    "microsoft": "#CC79A7",
    "amd": "#D55E00",
}
SPARE_COLOURS = ("#56B4E9", "#F0E442", "#999999", "#000000")
STYLE: dict[Any, Any] = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def vendor_colours(vendors: Sequence[str]) -> dict[str, str]:
    """Colour of each vendor; those without one of their own take the spare ones in turn."""
    unknown = [v for v in dict.fromkeys(vendors) if v not in VENDOR_COLOURS]
    spare = {v: SPARE_COLOURS[i % len(SPARE_COLOURS)] for i, v in enumerate(unknown)}
    return {**VENDOR_COLOURS, **spare}


def _shade(colour: str, step: int, steps: int) -> tuple[float, float, float]:
    """One of `steps` shades of a colour, from the colour itself towards white."""
    mix = 0.7 * step / max(1, steps)
    red, green, blue = (1 - (1 - part) * (1 - mix) for part in to_rgb(colour))
    return red, green, blue


def capacity(plan: Plan, ax: Axes | None = None) -> Axes:
    """Power of the chips under contract by period and chip family, GW, stacked by vendor."""
    ax = ax if ax is not None else new_axes()
    table = plan.tables["capacity"]
    power = table.pivot_table(
        index="period", columns=["vendor", "chip"], values="power_mw", aggfunc="sum"
    ).fillna(0.0)
    power = power.loc[:, power.max() > 0] / 1e3
    vendors = list(dict.fromkeys(power.columns.get_level_values("vendor").tolist()))
    colours = vendor_colours(vendors)
    base = pd.Series(0.0, index=power.index)
    for vendor in vendors:
        chips = list(power[vendor].columns)
        for i, chip in enumerate(chips):
            height = power[vendor, chip]
            ax.bar(
                power.index, height, bottom=base, width=0.8, label=f"{chip}",
                color=_shade(colours[vendor], i, len(chips)), edgecolor="white", linewidth=0.4,
            )  # fmt: skip
            base = base + height
    ax.set_ylabel("power under contract, GW")
    ax.tick_params(axis="x", rotation=45)
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        handles[::-1], labels[::-1], fontsize=7, frameon=False, ncols=1,
        loc="upper left", bbox_to_anchor=(1.0, 1.02),
    )  # fmt: skip
    return ax


OBLIGATIONS = {
    "existing_committed_usd": ("signed, committed", "#0072B2"),
    "existing_cancellable_usd": ("signed, can be left", "#56B4E9"),
    "new_contracts_usd": ("new contracts", "#E69F00"),
    "pay_as_you_go_usd": ("pay as you go", "#D55E00"),
    "exit_fees_usd": ("exit fees", "#000000"),
}


def obligations(plan: Plan, ax: Axes | None = None) -> Axes:
    """Cash by period: committed, cancellable, new, pay as you go; billion USD."""
    ax = ax if ax is not None else new_axes()
    table = plan.tables["obligations"].set_index("period")
    base = pd.Series(0.0, index=table.index)
    for column, (label, colour) in OBLIGATIONS.items():
        height = table[column] / 1e9
        if height.max() <= 0:
            continue
        ax.bar(table.index, height, bottom=base, width=0.8, label=label, color=colour,
               edgecolor="white", linewidth=0.4)  # fmt: skip
        base = base + height
    ax.set_ylabel("cash, billion USD a period")
    ax.set_ylim(0, 1.25 * max(float(base.max()), 1e-12))
    ax.tick_params(axis="x", rotation=45)
    ax.legend(fontsize=7, frameon=False, ncols=2, loc="upper left")
    return ax


FIGURES: dict[str, Callable[..., Axes]] = {"capacity": capacity, "obligations": obligations}
"""Name of a figure -> how it is drawn."""


def new_axes(width: float = 7.0, height: float = 4.0) -> Axes:
    """Axes of a new figure that is not kept by pyplot."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def render(plan: Plan, format_: str = "png") -> dict[str, bytes]:
    """Every figure as the bytes of an image file: name -> bytes."""
    out = {}
    for name, draw in FIGURES.items():
        with mpl.rc_context(STYLE):
            axes = draw(plan, new_axes())
            data = io.BytesIO()
            figure = axes.get_figure(root=True)
            assert figure is not None
            figure.savefig(data, format=format_, dpi=150, metadata={"Software": None})
        out[name] = data.getvalue()
    return out
