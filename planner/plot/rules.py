"""Rules: shares against their limits, and the N-1 matrix."""

from __future__ import annotations

import numpy as np

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
    """N-1: least share of demand served in each contingency, against what its class promises."""
    table = views.contingencies(plan)
    rows = list(dict.fromkeys(table.contingency))
    columns = list(dict.fromkeys(table["class"]))
    ax = ax if ax is not None else row_axes(len(rows) + 1)
    served = table.pivot_table(index="contingency", columns="class", values="least_share_served")
    promised = table.pivot_table(index="contingency", columns="class", values="promised_share")
    got = served.reindex(index=rows, columns=columns).to_numpy()
    want = promised.reindex(index=rows, columns=columns).to_numpy()
    # Colour says how much of the promise is kept; where nothing is promised there is none.
    kept = np.divide(got, want, out=np.full_like(got, np.nan), where=want > 0)
    ax.imshow(np.minimum(kept, 1.0), aspect="auto", cmap="cividis", vmin=0.0, vmax=1.0)
    ax.grid(visible=False)
    for i, j in np.ndindex(*got.shape):
        short_of = got[i, j] < want[i, j] - 1e-6
        words = f"{got[i, j]:.0%} of {want[i, j]:.0%}"
        if short_of:
            words = f"{got[i, j]:.1%} of {want[i, j]:.0%}  !"
        elif want[i, j] == 0:
            words = "none promised"
        ink = "white" if kept[i, j] < 0.5 else "black"
        ax.text(j, i, words, ha="center", va="center", color=ink, fontsize=SMALL,
                fontweight="bold" if short_of else "normal")  # fmt: skip
    ax.set_yticks(range(len(rows)), [short(name, 40) for name in rows])
    ax.set_xticks(range(len(columns)), [short(name, 20) for name in columns])
    ax.set_xlabel("least share of peak demand served, of what is promised (!: less)")
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax
