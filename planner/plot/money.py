"""Money: obligations by period, contracts over time, cost by term."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from planner import views
from planner.plan import Plan
from planner.plot.style import (
    FAINT,
    INK,
    LESS,
    NODE,
    SMALL,
    Axes,
    chip_colours,
    footnote,
    horizontal,
    new_axes,
    period_axis,
    row_axes,
    short,
    top_legend,
)
from planner.readable import money_unit

OBLIGATIONS = {
    "existing_committed_usd": ("signed, committed", "#333333", ""),
    "existing_cancellable_usd": ("signed, can be left", "#333333", "////"),
    "new_contracts_usd": ("to sign", "#A0A0A0", ""),
    "pay_as_you_go_usd": ("pay as you go", "#A0A0A0", "\\\\\\\\"),
    "exit_fees_usd": ("exit fees", "#FFFFFF", "xxxx"),
    "qualification_usd": ("qualification", "#FFFFFF", "...."),
    "deals_usd": ("deals", "#FFFFFF", "||||"),
    "shortfalls_usd": ("shortfalls", "#FFFFFF", "++++"),
    "rebates_usd": ("rebates", "#FFFFFF", "----"),
}
"""Column of the plan's obligations -> its name, its grey, its hatch: owed is dark, optional light,
of rules white."""
MOST_ROWS = 40
"""Rows of a timeline; the smallest beyond them are left to the tables, and counted."""


def obligations(plan: Plan, ax: Axes | None = None) -> Axes:
    """Cash by period: committed, cancellable, optional, of rules."""
    ax = ax if ax is not None else new_axes()
    table = plan.tables["obligations"]
    top, bottom = np.zeros(len(table)), np.zeros(len(table))
    shown = [c for c in table.columns if c not in ("period", "total_usd")]
    size, unit = money_unit(float(table[shown].abs().sum(axis=1).max()))
    for column in shown:
        height = table[column].to_numpy(dtype=float) / size
        if np.abs(height).max(initial=0.0) <= 0:
            continue
        label, grey, lines = OBLIGATIONS.get(column, (column.removesuffix("_usd"), FAINT, "oo"))
        # What is paid stacks upwards, what comes back downwards.
        base = np.where(height >= 0, top, bottom)
        ax.bar(range(len(table)), height, bottom=base, width=0.8, label=label, color=grey,
               edgecolor=INK if grey == "#FFFFFF" else "white", linewidth=0.4,
               hatch=lines)  # fmt: skip
        top, bottom = top + np.maximum(height, 0), bottom + np.minimum(height, 0)
    if bottom.min(initial=0.0) < 0:
        ax.axhline(0.0, color=INK, lw=0.8)
    ax.yaxis.set_major_formatter("{x:,g}")
    ax.set_ylabel(f"cash, {unit} a {plan.case.settings.period}")
    period_axis(ax, list(table.period))
    top_legend(ax, *ax.get_legend_handles_labels())
    return ax


def _days(values: pd.Series[str]) -> list[int]:
    return [date.fromisoformat(str(value)).toordinal() for value in values]


def contracts(plan: Plan, ax: Axes | None = None) -> Axes:
    """Contracts over time: signed, to sign, options, commitment windows, exits."""
    table = views.contract_lines(plan)
    order = {"existing": 0, "option": 1, "new": 2, "commitment": 3}
    size = table.chips.where(table.kind != "commitment", np.inf)
    kept = table[size.rank(ascending=False, method="first") <= MOST_ROWS]
    kept = kept.sort_values(["kind", "start", "cloud", "chip"], key=lambda s: s.map(order).fillna(0)
                            if s.name == "kind" else s, ignore_index=True)  # fmt: skip
    ax = ax if ax is not None else row_axes(len(kept) + 2)
    colours = chip_colours({chip.chip: chip.vendor for chip in plan.case.chips})
    calendar = plan.case.calendar
    first, last = calendar.starts[0].toordinal(), calendar.starts[-1].toordinal()
    pad = 0.02 * (last - first)
    start, end = _days(kept.start), _days(kept.end)
    for i, row in enumerate(kept.to_dict("records")):
        low, high = max(start[i], first), min(end[i], last)
        colour = colours.get(str(row["chip"]), FAINT)
        new = row["kind"] in ("new", "option")
        ax.barh(i, max(high - low, pad / 4), left=low, height=0.7, color=colour,
                edgecolor=INK if new else "none", linewidth=0.9 if new else 0.0)  # fmt: skip
        if row["left_from"]:
            whole = min(date.fromisoformat(str(row["term_end"])).toordinal(), last)
            ax.barh(i, whole - high, left=high, height=0.7, color="none", edgecolor=colour, ls=":")
            ax.plot(high, i, marker="x", color=INK, ms=6, ls="none")
        elif row["can_be_left_from"]:
            free = date.fromisoformat(str(row["can_be_left_from"])).toordinal()
            if low <= free < high:
                ax.plot(free, i, marker="|", color=INK, ms=8, ls="none")
        if end[i] > last:
            ax.plot(last + pad, i, marker=">", color=INK, ms=4, ls="none", clip_on=False)
    words = [short(_line(row), 27) for row in kept.to_dict("records")]
    horizontal(ax, words)
    step = 1 + len(calendar) // 10
    at = [day.toordinal() for day in calendar.starts[:-1]][::step]
    ax.set_xticks(at, calendar.labels[::step], rotation=45, ha="right", rotation_mode="anchor")
    ax.set_xlim(first, last + 2 * pad)
    ax.axvline(plan.case.settings.as_of.toordinal(), color=INK, lw=0.8, ls=":")
    rest = len(table) - len(kept)
    more = f"; {rest} smaller lines are in the table" if rest else ""
    footnote(ax, "outlined: to sign or exercise; ×: left; |: can be left from; "
             f"▸: past the horizon{more}")  # fmt: skip
    return ax


def _line(row: dict[Hashable, Any]) -> str:
    """Name of a line of the timeline: what is signed by its name, what is to sign by its pool."""
    if row["kind"] == "commitment":
        return f"commitment {row['name']}"
    name, chip = str(row["name"]), str(row["chip"])
    if row["kind"] == "new":
        name = str(row["cloud"])
    return f"{name if chip in name else f'{name} {chip}'} {_thousand(float(row['chips']))}"


def _thousand(chips: float) -> str:
    return f"{chips / 1e3:,.0f}k" if chips >= 9_950 else f"{chips / 1e3:,.1f}k"


def cost(plan: Plan, ax: Axes | None = None) -> Axes:
    """Present value by cost term; credits point to the left."""
    terms = {name: float(usd) for name, usd in plan.summary["cost_usd"].items() if usd != 0}
    size, unit = money_unit(max(map(abs, [*terms.values(), plan.objective_usd])))
    terms = {name: usd / size for name, usd in terms.items()}
    ax = ax if ax is not None else row_axes(len(terms) + 1)
    names = [*terms, "total"]
    amounts = [*terms.values(), plan.objective_usd / size]
    colours = [*(NODE if usd > 0 else LESS for usd in terms.values()), INK]
    ax.barh(range(len(names)), amounts, height=0.7, color=colours)
    reach = max(map(abs, amounts))
    for i, usd in enumerate(amounts):
        ax.text(max(usd, 0.0) + 0.01 * reach, i, f"{usd:,.3g}", va="center", fontsize=SMALL)
    horizontal(ax, [name.replace("_", " ") for name in names])
    ax.axvline(0.0, color=INK, lw=0.8)
    ax.set_xlim(min(0.0, *amounts) * 1.05, 1.2 * reach)
    ax.xaxis.set_major_formatter("{x:,g}")
    ax.set_xlabel(f"present value, {unit}")
    return ax
