"""Figures of plain frames: what comparisons, frontiers and sweeps return.

Each takes a frame with the columns that it names, so that any of them can be drawn from a saved
table as well. They raise KeyError when a column is missing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner.plot.style import INK, SMALL, Axes, horizontal, money_unit, new_axes, row_axes, short

MORE, LESS = "#D55E00", "#0072B2"


STATUS_MARKS = {
    "limit": ("o", "plan, gap not proven"),
    "infeasible": ("x", "no plan: proven"),
    "unproven": ("$?$", "no plan found in time"),
}
"""Status of a point that is not simply proven -> its marker and its words."""


def frontier(frame: pd.DataFrame, ax: Axes | None = None, words: str = "limit") -> Axes:
    """Cost against a limit: columns limit, cost_usd, bound_usd; the bound is shaded below.

    `words` names the limit and its unit on the axis. With a column status, plans whose gap is not
    proven (`limit`) are hollow, and values that are `infeasible` or `unproven` are marked at the
    foot.
    """
    ax = ax if ax is not None else new_axes()
    some = frame.sort_values("limit")
    known = some[["cost_usd", "bound_usd"]].astype(float)
    finite = known.to_numpy()[np.isfinite(known.to_numpy())]
    size, unit = money_unit(float(np.abs(finite).max()) if len(finite) else 1e9)
    cost, bound = known["cost_usd"] / size, known["bound_usd"] / size
    if len(finite):
        ax.fill_between(some["limit"], bound, cost, color=LESS, alpha=0.25, lw=0)
        ax.plot(some["limit"], cost, "o-", color=LESS, ms=4, label="plan")
        ax.plot(some["limit"], bound, "_:", color=LESS, ms=7, label="at least, proven")
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
                    mec=LESS, label=words_of)  # fmt: skip
        else:
            ax.plot(some["limit"][here], [0.03] * int(here.sum()), marker=mark, ls="none", ms=8,
                    color=MORE, transform=foot, label=words_of)  # fmt: skip
    ax.set_xlabel(words)
    ax.yaxis.set_major_formatter("{x:,g}")
    ax.set_ylabel(f"cost, {unit}")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.2)
    return ax


def tornado(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """What each factor does to the cost: columns factor, low_usd, high_usd (changes).

    Sorted by the wider of both sides.
    """
    reach = frame[["low_usd", "high_usd"]].abs().max(axis=1)
    some = frame.loc[reach.sort_values(ascending=False, kind="stable").index]
    ax = ax if ax is not None else row_axes(len(some))
    size, unit = money_unit(float(reach.max()))
    for column, colour, label in (("low_usd", LESS, "low end"), ("high_usd", MORE, "high end")):
        ax.barh(range(len(some)), some[column] / size, height=0.7, color=colour, label=label)
    ax.axvline(0.0, color=INK, lw=0.8)
    horizontal(ax, [short(str(name), 40) for name in some["factor"]])
    ax.xaxis.set_major_formatter("{x:,g}")
    ax.set_xlabel(f"change of cost, {unit}")
    ax.legend(loc="lower right")
    return ax


def _short_number(value: float) -> str:
    """Three digits, or all before the point: never an exponent in a cell for a thousand."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def heat_map(frame: pd.DataFrame, ax: Axes | None = None, words: str = "value") -> Axes:
    """A value over two labels: columns row, column, value; numbers stand in the cells.

    `words` names the value and its unit.
    """
    rows, columns = list(dict.fromkeys(frame["row"])), list(dict.fromkeys(frame["column"]))
    grid = frame.pivot_table(index="row", columns="column", values="value")
    values = grid.reindex(index=rows, columns=columns).to_numpy(dtype=float)
    ax = ax if ax is not None else row_axes(len(rows) + 2)
    image = ax.imshow(values, aspect="auto", cmap="cividis")
    ax.grid(visible=False)
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for i, j in np.argwhere(np.isfinite(values)).tolist():
        ink = "black" if values[i, j] > middle else "white"
        ax.text(
            j, i, _short_number(values[i, j]), ha="center", va="center", color=ink, fontsize=SMALL
        )
    ax.set_xticks(range(len(columns)), [short(str(c), 16) for c in columns], rotation=45,
                  ha="right", rotation_mode="anchor")  # fmt: skip
    ax.set_yticks(range(len(rows)), [short(str(r), 30) for r in rows])
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.colorbar(image, ax=ax, label=words)
    return ax


def fan(frame: pd.DataFrame, ax: Axes | None = None, words: str = "value") -> Axes:
    """Quantiles by period: columns period, quantile (0 to 1), value; pairs around the middle."""
    ax = ax if ax is not None else new_axes()
    table = frame.pivot_table(index="period", columns="quantile", values="value", sort=True)
    at, marks = range(len(table)), sorted(float(str(q)) for q in table.columns)
    pairs = [(q, 1 - q) for q in marks if q < 0.5]
    for low, high in pairs:
        top = min(marks, key=lambda q: abs(q - high))
        words_of = f"{low:.0%} to {top:.0%}"
        ax.fill_between(
            at, table[low], table[top], color=LESS, lw=0, label=words_of, alpha=0.2 + 0.5 * low
        )
    middle = min(marks, key=lambda q: abs(q - 0.5))
    ax.plot(at, table[middle], color=LESS, lw=1.8, label=f"{middle:.0%}")
    ax.set_xticks(at, [str(p) for p in table.index], rotation=45, ha="right",
                  rotation_mode="anchor")  # fmt: skip
    ax.set_ylabel(words)
    ax.legend(loc="best")
    return ax


def waterfall(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """From one plan's cost to another's: columns step, usd, is_total; other rows are changes.

    Where the changes are small against the totals, the axis begins above 0, and says so.
    """
    ax = ax if ax is not None else new_axes()
    size, unit = money_unit(float(frame["usd"].abs().max()))
    level, spans = 0.0, []
    for row in frame.to_dict("records"):
        usd, before = float(row["usd"]) / size, level
        level = usd if row["is_total"] else level + usd
        spans.append((0.0 if row["is_total"] else before, level))
    ends = [end for _, end in spans]
    foot = min(ends) - 1.5 * (max(ends) - min(ends))
    cut = max(foot, 0.0) if 0.0 < 0.5 * min(ends) < foot else 0.0
    reach = max(*ends, 0.0) - min(*ends, cut)
    for i, (row, (low, high)) in enumerate(zip(frame.to_dict("records"), spans, strict=True)):
        usd = float(row["usd"]) / size
        colour = INK if row["is_total"] else MORE if usd > 0 else LESS
        base = max(low, cut) if row["is_total"] else low
        ax.bar(i, high - base, bottom=base, color=colour, width=0.7)
        said = f"{usd:,.5g}" if row["is_total"] else f"{usd:+,.3g}"
        ax.annotate(
            said, (i, max(base, high)), xytext=(0, 2), textcoords="offset points", ha="center",
            fontsize=SMALL,
        )  # fmt: skip
        if i + 1 < len(spans):
            ax.plot([i + 0.35, i + 0.65], [high, high], color=INK, lw=0.6)
    ax.set_ylim(min(*ends, cut) if min(ends) >= cut else min(ends) - 0.1 * reach,
                max(*ends, 0.0) + 0.12 * reach)  # fmt: skip
    ax.set_xticks(range(len(frame)), [short(str(s), 26) for s in frame["step"]], rotation=45,
                  ha="right", rotation_mode="anchor")  # fmt: skip
    ax.yaxis.set_major_formatter("{x:,g}")
    ax.set_ylabel(f"cost, {unit}" + ("\n(axis does not begin at 0)" if cut else ""))
    return ax
