"""Rules: shares against their limits, and the N-1 matrix."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from planner import views
from planner.plan import Plan
from planner.plot.style import (
    INK,
    LESS,
    NODE,
    SMALL,
    Axes,
    footnote,
    horizontal,
    row_axes,
    short,
)

SHORT, BOUND = " !", " *"
"""Marks of cells: less than promised; the class has demand that is bound to what is lost."""
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
        over = high > limit + 1e-6
        ax.plot([low, high], [i, i], color=NODE if over else LESS, lw=4, solid_capstyle="round")
        ax.plot(last, i, "o", color=INK, ms=5)
        if over:
            ax.plot(high, i, "X", color=INK, mfc="white", ms=8)
        if np.isfinite(limit):
            ax.plot([limit, limit], [i - 0.38, i + 0.38], color=INK, lw=2)
    horizontal(ax, [short(_share(str(rule), str(m)), 30) for rule, m in grouped.index])
    ax.set_xlim(0, 1.02)
    ax.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0])
    ax.xaxis.set_major_formatter(lambda value, _position: f"{value:.0%}")
    footnote(ax, "share (line: over the periods; dot: last; bar: limit; ×: exceeded)")
    return ax


def _share(rule: str, measure: str) -> str:
    """Name of a share: its rule, and what is measured where the rule's name does not say so."""
    words = measure.replace("_", " ")
    return rule if words in rule else f"{rule} ({words})"


def contingencies(plan: Plan, ax: Axes | None = None) -> Axes:
    """N-1: least share of demand served in each contingency, against what its class promises.

    Of the demand that what is left can serve; cells whose class has more are marked, and the axis
    says how much is bound to what is lost. Contingencies of a kind stand below a line with what
    they promise.
    """
    table = views.contingencies(plan)
    table = table.assign(short=views.falls_short(table))
    rows = _rows(table)
    columns = list(dict.fromkeys(table["class"]))
    ax = ax if ax is not None else row_axes(len(rows) + 2)
    # Grey says how much of the promise is missing; where nothing is promised there is none.
    missing = np.full((len(rows), len(columns)), np.nan)
    for i, row in enumerate(rows):
        for cell in row.cells:
            j = columns.index(str(cell["class"]))
            served, promised = float(cell["least_share_served"]), float(cell["promised_share"])
            words = "–"
            if row.head:
                words = f"of {promised:.0%}" if promised > 0 else "none"
            elif promised > 0:
                words = f"{served:.1%}{SHORT}" if cell["short"] else f"{served:.0%}"
                missing[i, j] = 1.0 - served / promised if cell["short"] else 0.0
            if not row.head and cell["bound_to_lost_share"] > 0:
                words += BOUND
            bold = row.head or (promised > 0 and bool(cell["short"]))
            ax.text(j, i, words, ha="center", va="center", fontsize=SMALL,
                    color="white" if missing[i, j] > DARK else INK,
                    fontweight="bold" if bold else "normal")  # fmt: skip
    # The least shortfall is seen as well: it begins at a quarter of the scale.
    shown = np.where(missing > 0, 0.25 + 0.75 * missing, 0.05 + 0.0 * missing)
    ax.imshow(shown, aspect="auto", cmap="Greys", vmin=0.0, vmax=1.0)
    ax.grid(visible=False)
    ax.set_yticks(range(len(rows)), [short(row.label, 24) for row in rows])
    for label, row in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row.head else "normal")
    ax.set_xticks(range(len(columns)), [short(name, 14) for name in columns])
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    footnote(ax, _footnote(table))
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


DARK = 0.45
"""Part of a promise that is missing from which on a cell is written white."""


@dataclass(frozen=True)
class _Row:
    """A row of the N-1 matrix: a contingency, or the line above those of a kind."""

    label: str
    cells: tuple[dict[Hashable, Any], ...]
    """Rows of the table, one a class."""
    head: bool


def _rows(table: pd.DataFrame) -> list[_Row]:
    """The contingencies; above those of one kind and one promise a line that states both."""
    out: list[_Row] = []
    before: object = None
    for name, some in table.groupby("contingency", sort=False):
        kind, _, member = str(name).rpartition(": ")
        cells = tuple(some.to_dict("records"))
        same = (kind, *zip(some["class"], some.promised_share, strict=True))
        if same != before:
            out.append(_Row(kind or "contingency", cells, head=True))
        out.append(_Row(member, cells, head=False))
        before = same
    return out


def _footnote(table: pd.DataFrame) -> str:
    """What the cells of the N-1 matrix mean, with the most that each class has bound to a loss."""
    words = "least share of peak demand served (!: less than promised)"
    most = table.groupby("class", sort=False).bound_to_lost_share.max()
    most = most[most > 0]
    if not len(most):
        return words
    shares = ", ".join(f"{name} {share:.0%}" for name, share in most.items())
    note = (
        f"{BOUND.strip()} without demand that nothing left can serve, such as that of a lost "
        f"cloud's own channel; at most of a class: {shares}"
    )
    return f"{words}\n{note}"
