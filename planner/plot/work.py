"""Work: who is served where, what trains where, rates and cost of chips."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner import views
from planner.plan import Plan
from planner.plot.capacity import chips_in_use
from planner.plot.style import (
    FAINT,
    INK,
    NODE,
    SMALL,
    Axes,
    chip_colours,
    few_numbers,
    footnote,
    hatch,
    horizontal,
    new_axes,
    outlined,
    row_axes,
    short,
    top_legend,
)

LEAST_SHARE = 0.006
"""Chips and clouds that carry less of the served work are drawn together as `other`."""
OTHER = "other"
GAP = 0.012


def _gathered(table: pd.DataFrame) -> pd.DataFrame:
    """Flows with clouds and chips below LEAST_SHARE put together."""
    out = table.copy()
    for column in ("cloud", "chip", "geography"):
        small = out.groupby(column).share.transform("sum") < LEAST_SHARE
        if len(set(out.loc[small, column])) > 1:
            out.loc[small, column] = OTHER
    return out


def _places(weights: pd.Series[float], least: float) -> dict[str, tuple[float, float, float]]:
    """Node -> (bottom of its band, height of the band, middle of its label) in 0..1.

    Bands are as high as their weight; labels stand at least `least` apart.
    """
    names = [str(name) for name in weights.index]
    slots = np.maximum(weights.to_numpy(), least)
    scale = (1.0 - GAP * (len(names) - 1)) / slots.sum()
    out, top = {}, 1.0
    for name, weight, slot in zip(names, weights.to_numpy().tolist(), slots.tolist(), strict=True):
        height, middle = weight * scale, top - slot * scale / 2
        out[name] = (middle - height / 2, height, middle)
        top -= slot * scale + GAP
    return out


def _ribbon(
    ax: Axes, x: tuple[float, float], low: tuple[float, float], height: tuple[float, float],
    colour: object,
) -> None:  # fmt: skip
    """A band that goes smoothly from one node to another; its heights are those at both ends."""
    at = np.linspace(0.0, 1.0, 40)
    ease = at * at * (3 - 2 * at)
    bottom = low[0] + (low[1] - low[0]) * ease
    thick = height[0] + (height[1] - height[0]) * ease
    ax.fill_between(x[0] + (x[1] - x[0]) * at, bottom, bottom + thick, color=colour, alpha=0.55,
                    lw=0)  # fmt: skip


def flows(plan: Plan, ax: Axes | None = None) -> Axes:
    """Served work over the horizon from user geography to cloud to chip."""
    ax = ax if ax is not None else new_axes(height=4.6)
    table = _gathered(views.flows(plan))
    figure = ax.get_figure(root=True)
    assert figure is not None
    # A label takes a little more than its points of the height that the axes have.
    least = 1.2 * SMALL / 72 / (0.85 * figure.get_size_inches()[1])
    nodes = {
        column: _places(
            table.groupby(column).share.sum().sort_values(ascending=False)
            if column != "chip"
            else table.groupby(["vendor", "chip"]).share.sum().groupby("chip").sum().reindex(
                list(dict.fromkeys(table.sort_values("vendor").chip))),
            least,
        )
        for column in ("geography", "cloud", "chip")
    }  # fmt: skip
    colours: dict[str, object] = dict(chip_colours({c.chip: c.vendor for c in plan.case.chips}))
    position = {"geography": 0.0, "cloud": 0.6, "chip": 1.0}
    width = 0.025
    for source, sink in (("geography", "cloud"), ("cloud", "chip")):
        pairs = {
            (str(a), str(b)): float(some.share.sum())
            for (a, b), some in table.groupby([source, sink])
        }
        used: dict[tuple[str, str], float] = {}
        order = sorted(
            pairs, key=lambda pair: (-nodes[source][pair[0]][0], -nodes[sink][pair[1]][0])
        )
        for a, b in order:
            ends, tall = [], []
            for column, name in ((source, a), (sink, b)):
                bottom, height, _ = nodes[column][name]
                whole = float(table[table[column] == name].share.sum())
                mine = height * pairs[a, b] / whole
                key = (f"{column}>{source}", name)
                used[key] = used.get(key, 0.0) + mine
                ends.append(bottom + height - used[key])
                tall.append(mine)
            colour = colours.get(b, FAINT) if sink == "chip" else FAINT
            across = (position[source] + width, position[sink] - width)
            _ribbon(ax, across, (ends[0], ends[1]), (tall[0], tall[1]), colour)
    for column, places in nodes.items():
        for name, (bottom, height, middle) in places.items():
            colour = colours.get(name, NODE) if column == "chip" else NODE
            ax.fill_between([position[column] - width, position[column] + width], bottom,
                            bottom + height, color=colour, lw=0)  # fmt: skip
            share = float(table[table[column] == name].share.sum())
            ax.text(position[column] + 1.3 * width, middle, f"{short(name, 18)} {share:.1%}",
                    ha="left", va="center", fontsize=SMALL, path_effects=outlined())  # fmt: skip
    ax.set_xlim(-1.5 * width, 1.36)
    ax.set_ylim(-0.01, 1.01)
    ax.set_axis_off()
    for column in nodes:
        ax.text(position[column] - width, 1.02, column, ha="left", va="bottom", fontweight="bold")
    return ax


def training(plan: Plan, ax: Axes | None = None) -> Axes:
    """Runs by period: on which chips, and with each run the most that it has at once."""
    table = views.training_places(plan)
    runs = [run.run for run in plan.case.training]
    ax = ax if ax is not None else row_axes(len(runs) + 1)
    calendar = plan.case.calendar
    colours = chip_colours({chip.chip: chip.vendor for chip in plan.case.chips})
    present = [c for c in colours if c in set(table.chip)]
    place = {chip: i for i, chip in enumerate(chips_in_use(plan))}
    for i, run in enumerate(runs):
        mine = table[table.run == run]
        for period, some in mine.groupby("period", sort=False):
            t, left = calendar.index(str(period)), 0.0
            by_chip = some.groupby("chip").chips.sum().sort_values(ascending=False)
            total = float(by_chip.sum())
            for chip, chips in by_chip.items():
                share = float(chips) / total
                ax.barh(i, share, left=t + left, height=0.72, color=colours[str(chip)], lw=0,
                        edgecolor="white", hatch=hatch(place[str(chip)]))  # fmt: skip
                left += share
        if len(mine):
            _beside(ax, i, [calendar.index(str(p)) for p in mine.period],
                    float(mine.groupby("period").chips.sum().max()), len(calendar))  # fmt: skip
    missed = plan.tables["training_runs"].set_index("run").missed_share
    words = [
        short(run, 25) + (f" (−{missed[run]:.0%})" if missed.get(run, 0.0) > 0 else "")
        for run in runs
    ]
    horizontal(ax, words)
    ax.set_xticks(np.arange(len(calendar)) + 0.5, calendar.labels, rotation=45, ha="right",
                  rotation_mode="anchor")  # fmt: skip
    ax.set_xlim(0, len(calendar))
    footnote(ax, "number: most working chips, thousand; colour: chip families by share; "
             "(−): not trained")  # fmt: skip
    handles = [
        ax.barh(-5, 0, color=colours[chip], label=chip, edgecolor="white", hatch=hatch(place[chip]))
        for chip in present
    ]
    top_legend(ax, handles, present)
    ax.set_ylim(len(runs) - 0.4, -0.6)
    return ax


def _beside(ax: Axes, row: int, periods: list[int], chips: float, length: int) -> None:
    """A number right of a run's bars, left of them or upon them: wherever there is room."""
    room, first, past = 0.25 * length, min(periods), max(periods) + 1
    at, side, align = (first + past) / 2, 0, "center"
    if past + room <= length:
        at, side, align = past, 1, "left"
    elif first >= room:
        at, side, align = first, -1, "right"
    ax.annotate(_thousands(chips), (at, row), xytext=(3 * side, 0), textcoords="offset points",
                ha=align, va="center", fontsize=SMALL, path_effects=outlined())  # fmt: skip


def _thousands(chips: float) -> str:
    return f"{chips / 1e3:,.0f}" if chips >= 9_950 else f"{chips / 1e3:,.1f}"


NARROW = 5.0
"""Largest over least rate or price up to which an axis is linear."""
MARKS = ("o", "s", "D", "^", "v", "P", "X", "*")


def _dots(
    plan: Plan,
    ax: Axes | None,
    columns: tuple[str, str, str],
    words: str,
    service_class: str | None,
) -> Axes:
    """Dots with bands: columns are the middle, the low and the high end."""
    table = views.rates(plan)
    named = [c.service_class for c in plan.case.classes]
    # Interactive targets are what tells chips apart; a class that can wait comes last.
    wait = {c.service_class: c.deferrable for c in plan.case.classes}
    chosen = service_class or min(named, key=lambda name: (wait[name], named.index(name)))
    table = table[table["class"] == chosen].dropna(subset=[columns[0]])
    best = (
        table.groupby("chip")[columns[0]].max().sort_values(ascending=columns[0].startswith("usd"))
    )
    chips = [str(chip) for chip in best.index]
    models = list(dict.fromkeys(table.model))
    ax = ax if ax is not None else row_axes(len(chips) + 1)
    colours = chip_colours({chip.chip: chip.vendor for chip in plan.case.chips})
    for m, model in enumerate(models):
        some = table[table.model == model]
        shift = 0.0 if len(models) == 1 else 0.5 * (m / (len(models) - 1) - 0.5)
        for row in some.to_dict("records"):
            y = chips.index(str(row["chip"])) + shift
            low, high = float(row[columns[1]]), float(row[columns[2]])
            colour = colours[str(row["chip"])]
            ax.plot([low, high], [y, y], color=colour, lw=1.4)
            solid = row["provenance"] in ("measured", "calibrated")
            ax.plot(float(row[columns[0]]), y, marker=MARKS[m % len(MARKS)], ms=5, ls="none",
                    mfc=colour if solid else "white", mec=INK, mew=0.6)  # fmt: skip
    handles = [
        ax.plot([], [], marker=MARKS[m % len(MARKS)], ls="none", mfc="#AAAAAA", mec=INK, ms=5)[0]
        for m in range(len(models))
    ]
    top_legend(ax, handles, [str(model) for model in models])
    ends = table[list(columns[1:])].to_numpy(dtype=float)
    if ends.size and ends.max() < NARROW * ends.min():
        # Within less than a decade a logarithmic axis has too many numbers, or none.
        few_numbers(ax)
    else:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:,g}")
    ax.grid(visible=False, axis="y")
    horizontal(ax, chips)
    footnote(ax, f"{words}\n({chosen}; line: band; hollow: chip without measurements)")
    return ax


def throughput(plan: Plan, ax: Axes | None = None, service_class: str | None = None) -> Axes:
    """Output tokens per second and chip within the targets, by chip and model, with their band.

    `service_class`: which class's targets; the case's first that cannot wait when not given.
    """
    columns = (
        "output_tokens_per_s_per_chip", "output_tokens_per_s_low", "output_tokens_per_s_high",
    )  # fmt: skip
    return _dots(plan, ax, columns, "output tokens per second and chip", service_class)


def token_cost(plan: Plan, ax: Axes | None = None, service_class: str | None = None) -> Axes:
    """USD per million tokens at the cheapest offer and full load, by chip and model, with band.

    `service_class` as in `throughput`.
    """
    columns = (
        "usd_per_million_tokens", "usd_per_million_tokens_low", "usd_per_million_tokens_high",
    )  # fmt: skip
    return _dots(plan, ax, columns, "USD per million tokens", service_class)
