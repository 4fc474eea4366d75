"""Figures of plain frames: what comparisons, frontiers and sweeps return.

Each takes a frame with the columns that it names, so that any of them can be drawn from a saved
table as well. They raise KeyError when a column is missing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.plot.style import (
    INK,
    SMALL,
    Axes,
    horizontal,
    money_unit,
    new_axes,
    row_axes,
    short,
    to_rgb,
)

MORE, LESS = "#D55E00", "#0072B2"


def frontier(frame: pd.DataFrame, ax: Axes | None = None, words: str = "limit") -> Axes:
    """Cost against a limit: columns limit, cost_usd, bound_usd; the bound is shaded below.

    `words` names the limit and its unit on the axis. With a column status, values that are
    `infeasible` or `unproven` are marked at the foot.
    """
    ax = ax if ax is not None else new_axes()
    some = frame.sort_values("limit")
    finite = some["cost_usd"][np.isfinite(some["cost_usd"].astype(float))]
    size, unit = money_unit(float(finite.abs().max()) if len(finite) else 1e9)
    cost, bound = some["cost_usd"] / size, some["bound_usd"] / size
    ax.fill_between(some["limit"], bound, cost, color=LESS, alpha=0.25, lw=0, label="proven range")
    ax.plot(some["limit"], cost, "o-", color=LESS, ms=4, label="plan")
    told = some["status"] if "status" in some else pd.Series("", index=some.index)
    for status, mark, words_of in (
        ("infeasible", "x", "no plan, proven"),
        ("unproven", "$?$", "no plan found in time"),
    ):
        none = some["limit"][told == status]
        if len(none):
            foot = ax.get_xaxis_transform()
            ax.plot(none, [0.03] * len(none), mark, color=MORE, transform=foot, label=words_of)
    ax.set_xlabel(words)
    ax.yaxis.set_major_formatter("{x:,g}")
    ax.set_ylabel(f"cost, {unit}")
    ax.legend(loc="best")
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


def _short_number(value: float, digits: int = 3) -> str:
    """So many digits, or all before the point: never an exponent in a cell for a thousand."""
    if 10 ** (digits - 1) <= abs(value) < 1e6:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if digits == 3 else f"{value:#.{digits}g}"


def _digits(values: npt.NDArray[np.float64]) -> int:
    """Digits that tell most cells apart: three, up to five where cells differ by little."""
    finite = np.unique(values[np.isfinite(values)])
    told = [len({_short_number(v, digits) for v in finite.tolist()}) for digits in (3, 4, 5)]
    return 3 + told.index(max(told))


def _in_unit(frame: pd.DataFrame, words: str | None, name: str) -> tuple[pd.Series[float], str]:
    """The column `value`, or `usd` in a fitting unit, and what it is called."""
    if words is not None:
        return frame["value"], words
    size, unit = money_unit(float(frame["usd"].abs().max()))
    return frame["usd"] / size, f"{name}, {unit}" if name else unit


def heat_map(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    words: str | None = None,
    rows: str = "",
    columns: str = "",
    name: str = "",
) -> Axes:
    """A value over two labels: columns row, column, value; numbers stand in the cells.

    `words` names the value and its unit; without it the values are those of a column `usd`, shown
    in a fitting unit, and `name` says what they are. `rows` and `columns` name the two axes.
    """
    down, across = list(dict.fromkeys(frame["row"])), list(dict.fromkeys(frame["column"]))
    shown, words = _in_unit(frame, words, name)
    grid = frame.assign(shown=shown).pivot_table(index="row", columns="column", values="shown")
    values = grid.reindex(index=down, columns=across).to_numpy(dtype=float)
    ax = ax if ax is not None else row_axes(len(down) + 4)
    image = ax.imshow(values, aspect="auto", cmap="cividis")
    ax.grid(visible=False)
    middle, digits = (np.nanmin(values) + np.nanmax(values)) / 2, _digits(values)
    for i, j in np.argwhere(np.isfinite(values)).tolist():
        ink, said = "black" if values[i, j] > middle else "white", values[i, j]
        ax.text(j, i, _short_number(said, digits), ha="center", va="center", color=ink,
                fontsize=SMALL)  # fmt: skip
    ax.set_xticks(range(len(across)), [short(str(c), 16) for c in across], rotation=45,
                  ha="right", rotation_mode="anchor")  # fmt: skip
    ax.set_yticks(range(len(down)), [short(str(r), 30) for r in down])
    ax.set_xlabel(short(columns, 60))
    ax.set_ylabel(short(rows, 24))
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.colorbar(image, ax=ax, label=words)
    return ax


def fan(
    frame: pd.DataFrame, ax: Axes | None = None, words: str | None = None, name: str = ""
) -> Axes:
    """Quantiles by period: columns period, quantile (0 to 1), value; pairs around the middle.

    `words` names the value and its unit; without it the values are those of a column `usd`, shown
    in a fitting unit, and `name` says what is paid.
    """
    ax = ax if ax is not None else new_axes()
    shown, words = _in_unit(frame, words, name)
    table = frame.assign(shown=shown).pivot_table(
        index="period", columns="quantile", values="shown", sort=True
    )
    at, marks = range(len(table)), sorted(float(str(q)) for q in table.columns)
    pairs = [(q, 1 - q) for q in marks if q < 0.5]
    for i, (low, high) in enumerate(pairs, 1):
        top = min(marks, key=lambda q: abs(q - high))
        # A tint, not a transparent fill: the legend shows what is drawn.
        tint = [1 - 0.75 * i / len(pairs) * (1 - part) for part in to_rgb(LESS)]
        words_of = f"{low:.0%} to {top:.0%}"
        ax.fill_between(at, table[low], table[top], color=tint, lw=0, label=words_of)
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
