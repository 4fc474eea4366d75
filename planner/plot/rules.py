"""Rules: shares against their limits, and the N-1 matrix."""

from __future__ import annotations

from textwrap import wrap

import numpy as np
import pandas as pd

from planner import views
from planner.plan import Plan
from planner.plot.style import (
    INK,
    SMALL,
    Axes,
    horizontal,
    row_axes,
    short,
)

FOOTNOTE = 72
"""Characters of a line below the axes."""
BOUND = " *"
"""Mark of cells whose class has demand that is bound to what is lost."""
MOST_RULES = 32
"""Rules drawn: those nearest to their limit."""


def shares(plan: Plan, ax: Axes | None = None) -> Axes:
    """Each share over the periods (line: least to most, dot: latest) against its limit."""
    table = views.limits(plan)
    table = table[table.unit == "share"]
    grouped = table.groupby(["rule", "measure"], sort=False).agg(
        low=("value", "min"), high=("value", "max"), last=("value", "last"), limit=("limit", "min")
    )
    grouped = grouped[grouped.high > 1e-6]
    near = (grouped.high / grouped.limit).fillna(grouped.high)
    grouped = grouped.loc[near.sort_values(ascending=False, kind="stable").index[:MOST_RULES]]
    ax = ax if ax is not None else row_axes(len(grouped))
    for i, (low, high, last, limit) in enumerate(grouped.to_numpy(dtype=float).tolist()):
        colour = "#D55E00" if high > limit + 1e-6 else "#0072B2"
        ax.plot([low, high], [i, i], color=colour, lw=4, solid_capstyle="round", alpha=0.5)
        ax.plot(last, i, "o", color=colour, ms=5)
        if np.isfinite(limit):
            ax.plot([limit, limit], [i - 0.38, i + 0.38], color=INK, lw=2)
    horizontal(ax, [short(f"{rule} ({m.replace('_', ' ')})", 44) for rule, m in grouped.index])
    ax.set_xlim(0, 1.02)
    ax.xaxis.set_major_formatter(lambda value, _position: f"{value:.0%}")
    ax.set_xlabel("share\n(line: over the periods; dot: last; bar: limit; orange: exceeded)")
    return ax


def contingencies(plan: Plan, ax: Axes | None = None) -> Axes:
    """N-1: least share of demand served in each contingency, against what its class promises.

    Of the demand that what is left can serve; cells whose class has more are marked, and the axis
    says how much is bound to what is lost.
    """
    table = views.contingencies(plan)
    rows = list(dict.fromkeys(table.contingency))
    columns = list(dict.fromkeys(table["class"]))
    ax = ax if ax is not None else row_axes(len(rows) + 2)
    # Colour says how much of the promise is kept; where nothing is promised there is none.
    kept = np.full((len(rows), len(columns)), np.nan)
    table = table.assign(
        row=table.contingency.map(rows.index), column=table["class"].map(columns.index),
        short=views.falls_short(table),
    )  # fmt: skip
    for cell in table.to_dict("records"):
        at = (cell["row"], cell["column"])
        served, promised = cell["least_share_served"], cell["promised_share"]
        words = f"{served:.0%} of {promised:.0%}"
        if cell["short"]:
            words = f"{served:.1%} of {promised:.0%}  !"
        elif promised == 0:
            words = "none promised"
        if promised > 0:
            kept[at] = min(served / promised, 1.0)
        if cell["bound_to_lost_share"] > 0:
            words += BOUND
        ink = "white" if kept[at] < 0.5 else "black"
        ax.text(at[1], at[0], words, ha="center", va="center", color=ink, fontsize=SMALL,
                fontweight="bold" if cell["short"] else "normal")  # fmt: skip
    ax.imshow(kept, aspect="auto", cmap="cividis", vmin=0.0, vmax=1.0)
    ax.grid(visible=False)
    ax.set_yticks(range(len(rows)), [short(name, 40) for name in rows])
    ax.set_xticks(range(len(columns)), [short(name, 20) for name in columns])
    ax.set_xlabel(_footnote(table))
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def _footnote(table: pd.DataFrame) -> str:
    """What the cells of the N-1 matrix mean, with the most that each class has bound to a loss."""
    words = "least share of peak demand served, of what is promised (!: less)"
    most = table.groupby("class", sort=False).bound_to_lost_share.max()
    most = most[most > 0]
    if not len(most):
        return words
    shares = ", ".join(f"{name} {share:.0%}" for name, share in most.items())
    note = (
        f"{BOUND.strip()} without demand that nothing left can serve, such as that of a lost "
        f"cloud's own channel; at most of a class: {shares}"
    )
    return "\n".join([words, *wrap(note, FOOTNOTE)])
