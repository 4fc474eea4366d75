"""Figures of plain frames: what comparisons, frontiers and sweeps return.

Each takes a frame with the columns that it names, so that any of them can be drawn from a saved
table as well. They raise KeyError when a column is missing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.plot.style import (
    INK,
    LESS,
    MORE,
    SMALL,
    Axes,
    MaxNLocator,
    few_numbers,
    folded,
    footnote,
    hatch,
    horizontal,
    in_style,
    new_axes,
    period_axis,
    row_axes,
    short,
    top_legend,
)
from planner.readable import money_unit

STATUS_MARKS = {
    "limit": ("o", "plan, gap not proven"),
    "infeasible": ("x", "no plan: proven"),
    "unproven": ("$?$", "no plan found in time"),
}
"""Status of a point that is not simply proven -> its marker and its words."""


LARGE = 1e6
"""Limits from here on are counted in millions or billions."""


@in_style
def frontier(frame: pd.DataFrame, ax: Axes | None = None, words: str = "limit") -> Axes:
    """Cost against a limit: columns limit, cost_usd, bound_usd; the bound is shaded below.

    `words` names the limit and its unit on the axis. With a column status, plans whose gap is not
    proven (`limit`) are hollow, and values that are `infeasible` or `unproven` are marked at the
    foot.
    """
    ax = ax if ax is not None else new_axes()
    some = frame.sort_values("limit")
    most = float(some["limit"].abs().max())
    if most >= LARGE:
        scale, named = money_unit(most)
        some, words = some.assign(limit=some["limit"] / scale), f"{words}, {named.split()[0]}s"
    known = some[["cost_usd", "bound_usd"]].astype(float)
    finite = known.to_numpy()[np.isfinite(known.to_numpy())]
    size, unit = money_unit(float(np.abs(finite).max()) if len(finite) else 1e9)
    cost, bound = known["cost_usd"] / size, known["bound_usd"] / size
    if len(finite):
        ax.fill_between(some["limit"], bound, cost, color=LESS, alpha=0.5, lw=0)
        ax.plot(some["limit"], cost, "o-", color=INK, ms=4, label="plan")
        ax.plot(some["limit"], bound, "_:", color=INK, ms=7, label="at least, proven")
        ax.margins(y=0.12)
    else:
        ax.set_yticks([])
    told = some["status"] if "status" in some else pd.Series("", index=some.index)
    foot = ax.get_xaxis_transform()
    for status, (mark, words_of) in STATUS_MARKS.items():
        here = told == status
        if not here.any():
            continue
        if status == "limit":
            ax.plot(some["limit"][here], cost[here], marker=mark, ls="none", ms=6, mfc="white",
                    mec=INK, label=words_of)  # fmt: skip
        else:
            ax.plot(some["limit"][here], [0.03] * int(here.sum()), marker=mark, ls="none", ms=8,
                    color=INK, transform=foot, label=words_of)  # fmt: skip
    ax.set_xlabel(words)
    few_numbers(ax)
    ax.yaxis.set_major_formatter("{x:,g}")
    ax.set_ylabel(f"cost, {unit}")
    top_legend(ax, *ax.get_legend_handles_labels())
    return ax


@in_style
def tornado(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """What each factor does to the cost: columns factor, low_usd, high_usd (changes).

    Sorted by the wider of both sides.
    """
    reach = frame[["low_usd", "high_usd"]].abs().max(axis=1)
    some = frame.loc[reach.sort_values(ascending=False, kind="stable").index]
    ax = ax if ax is not None else row_axes(len(some))
    size, unit = money_unit(float(reach.max()))
    sides = (("low_usd", LESS, "low end"), ("high_usd", MORE, "high end"))
    for i, (column, grey, label) in enumerate(sides):
        ax.barh(range(len(some)), some[column] / size, height=0.7, color=grey, label=label,
                edgecolor="white", linewidth=0.0, hatch=hatch(i))  # fmt: skip
    ax.axvline(0.0, color=INK, lw=0.8)
    horizontal(ax, [short(str(name), 26) for name in some["factor"]])
    few_numbers(ax)
    ax.set_xlabel(f"change of cost, {unit}")
    top_legend(ax, *ax.get_legend_handles_labels())
    return ax


def _cells(values: npt.NDArray[np.float64], room_pt: float) -> list[str] | None:
    """Numbers of cells, to the place that tells a tenth of their range; None without room.

    Up to two places more where a number would else be told as 0, and there is room.
    """
    known = values[np.isfinite(values)]
    span = float(np.ptp(known)) if len(known) else 0.0
    step = (span if span > 0 else abs(float(known[0])) if len(known) else 0.0) / 10
    least = min(9, max(0, -int(np.floor(np.log10(step))) if step > 0 else 0))
    size = np.abs(known[known != 0.0])
    wanted = int(np.ceil(-np.log10(2.0 * size.min()))) if len(size) else 0
    for places in range(max(least, min(wanted, least + 2)), least - 1, -1):
        # Adding 0 makes 0 of -0.
        said = [round(float(v), places) + 0.0 for v in values.ravel()]
        words = [f"{value:,.{places}f}" if np.isfinite(value) else "" for value in said]
        if max(map(len, words)) * 0.62 * SMALL <= room_pt:
            return words
    return None


def _in_unit(frame: pd.DataFrame, words: str | None) -> tuple[pd.Series[float], str]:
    """The column `value`, or `usd` in a fitting unit, and what it is called."""
    if words is not None:
        return frame["value"], words
    size, unit = money_unit(float(frame["usd"].abs().max()))
    return frame["usd"] / size, unit


@in_style
def heat_map(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    words: str | None = None,
    rows: str = "",
    columns: str = "",
    name: str = "",
) -> Axes:
    """A value over two labels: columns row, column, value; numbers stand in cells with room.

    `words` names the value and its unit; without it the values are those of a column `usd`, shown
    in a fitting unit, and `name` says what they are. `rows` and `columns` name the two axes. Where
    values are of both signs, 0 is white and the two signs have a hue each.
    """
    down, across = list(dict.fromkeys(frame["row"])), list(dict.fromkeys(frame["column"]))
    shown, unit = _in_unit(frame, words)
    words = f"{name}, {unit}" if words is None and name else unit
    grid = frame.assign(shown=shown).pivot_table(index="row", columns="column", values="shown")
    values = grid.reindex(index=down, columns=across).to_numpy(dtype=float)
    ax = ax if ax is not None else row_axes(len(down) + 5)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    signs = low < 0.0 < high
    most = max(-low, high)
    map_of = {"cmap": "PuOr_r", "vmin": -most, "vmax": most} if signs else {"cmap": "Greys"}
    image = ax.imshow(values, aspect="auto", **map_of)
    ax.grid(visible=False)
    figure = ax.get_figure(root=True)
    assert figure is not None
    names = [short(str(row), 20) for row in down]
    # Labels of rows take the rest of the width.
    room = 72 * float(figure.get_size_inches()[0]) - 50 - 0.6 * SMALL * max(map(len, names))
    each = room / len(across)
    for at, said in enumerate(_cells(values, each) or ()):
        i, j = divmod(at, len(across))
        dark = abs(values[i, j]) > 0.6 * most if signs else values[i, j] > (low + high) / 2
        ink = "white" if dark else "black"
        ax.text(j, i, said, ha="center", va="center", color=ink, fontsize=SMALL)
    step = int(np.ceil(1.6 * SMALL / each))
    ax.set_xticks(range(0, len(across), step), [short(str(c), 16) for c in across[::step]],
                  rotation=45, ha="right", rotation_mode="anchor")  # fmt: skip
    ax.set_yticks(range(len(down)), names)
    footnote(ax, columns)
    ax.set_ylabel(short(rows, 28))
    bar = figure.colorbar(image, ax=ax, location="top", format="{x:,.6g}", aspect=30,
                          ticks=MaxNLocator(4))  # fmt: skip
    bar.set_label(folded(words, 54), loc="right")
    return ax


@in_style
def fan(
    frame: pd.DataFrame, ax: Axes | None = None, words: str | None = None, name: str = ""
) -> Axes:
    """Quantiles by period: columns period, quantile (0 to 1), value; pairs around the middle.

    `words` names the value and its unit; without it the values are those of a column `usd`, shown
    in a fitting unit, and `name` says what is paid.
    """
    ax = ax if ax is not None else new_axes()
    shown, unit = _in_unit(frame, words)
    words = f"{name}, {unit}" if words is None and name else unit
    table = frame.assign(shown=shown).pivot_table(
        index="period", columns="quantile", values="shown", sort=True
    )
    at, marks = range(len(table)), sorted(float(str(q)) for q in table.columns)
    pairs = [(q, 1 - q) for q in marks if q < 0.5]
    for low, high in pairs:
        top = min(marks, key=lambda q: abs(q - high))
        words_of = f"{low:.0%} to {top:.0%}"
        shade = 0.88 - 0.55 * (pairs.index((low, high)) + 1) / (len(pairs) + 1)
        ax.fill_between(at, table[low], table[top], color=(shade,) * 3, lw=0, label=words_of)
    middle = min(marks, key=lambda q: abs(q - 0.5))
    ax.plot(at, table[middle], color=INK, lw=1.8, label=f"{middle:.0%}")
    period_axis(ax, [str(p) for p in table.index])
    ax.yaxis.set_major_formatter("{x:,g}")
    ax.set_ylabel(folded(words))
    top_legend(ax, *ax.get_legend_handles_labels())
    return ax


@in_style
def waterfall(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """From one plan's cost to another's: columns step, usd, is_total; other rows are changes.

    Where the changes are small against the totals, the axis begins above 0, and says so.
    """
    ax = ax if ax is not None else row_axes(len(frame))
    size, unit = money_unit(float(frame["usd"].abs().max()))
    level, spans = 0.0, []
    for row in frame.to_dict("records"):
        usd, before = float(row["usd"]) / size, level
        level = usd if row["is_total"] else level + usd
        spans.append((0.0 if row["is_total"] else before, level))
    ends = [end for _, end in spans]
    foot = min(ends) - 1.5 * (max(ends) - min(ends))
    changed = max(ends) > min(ends)
    cut = max(foot, 0.0) if changed and 0.0 < 0.5 * min(ends) < foot else 0.0
    reach = max(*ends, 0.0) - min(*ends, cut) or 1.0
    for i, (row, (low, high)) in enumerate(zip(frame.to_dict("records"), spans, strict=True)):
        usd = float(row["usd"]) / size
        colour = INK if row["is_total"] else MORE if usd > 0 else LESS
        base = max(low, cut) if row["is_total"] else low
        ax.barh(i, high - base, left=base, color=colour, height=0.7)
        said = f"{usd:,.5g}" if row["is_total"] else f"{usd:+,.3g}"
        ax.annotate(said, (max(base, high), i), xytext=(3, 0), textcoords="offset points",
                    va="center", fontsize=SMALL)  # fmt: skip
        if i + 1 < len(spans):
            ax.plot([high, high], [i + 0.35, i + 0.65], color=INK, lw=0.6)
    # Numbers stand right of the bars.
    ax.set_xlim(min(*ends, cut) if min(ends) >= cut else min(ends) - 0.1 * reach,
                max(*ends, 0.0) + 0.3 * reach)  # fmt: skip
    horizontal(ax, [short(str(name), 26) for name in frame["step"]])
    few_numbers(ax)
    ax.grid(visible=False, axis="x")
    footnote(ax, f"cost, {unit}" + (" (axis does not begin at 0)" if cut else ""))
    return ax


def steps(
    before: Mapping[str, float],
    after: Mapping[str, float],
    names: tuple[str, str] = ("before", "after"),
    least_share: float = 1e-5,
) -> pd.DataFrame:
    """What `waterfall` draws, of two costs by term (USD): columns step, usd, is_total.

    Totals are the sums of the terms; a change below `least_share` of the larger total goes into
    the step `other`.
    """
    totals = sum(before.values()), sum(after.values())
    terms = dict.fromkeys([*before, *after])
    changes = {term: after.get(term, 0.0) - before.get(term, 0.0) for term in terms}
    least = least_share * max(map(abs, totals))
    shown = {term: usd for term, usd in changes.items() if abs(usd) >= least}
    other = sum(changes.values()) - sum(shown.values())
    rows = [(names[0], totals[0], True)]
    rows += [(term.replace("_", " "), usd, False) for term, usd in shown.items()]
    rows += [("other", other, False)] if abs(other) >= least else []
    return pd.DataFrame([*rows, (names[1], totals[1], True)],
                        columns=["step", "usd", "is_total"])  # fmt: skip
