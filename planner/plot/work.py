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
    SMALL,
    Axes,
    chip_colours,
    hatch,
    horizontal,
    new_axes,
    outlined,
    row_axes,
    short,
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
    ax = ax if ax is not None else new_axes(height=5.0)
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
    position = {"geography": 0.0, "cloud": 0.5, "chip": 1.0}
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
            colour = colours.get(name, "#777777") if column == "chip" else "#777777"
            ax.fill_between([position[column] - width, position[column] + width], bottom,
                            bottom + height, color=colour, lw=0)  # fmt: skip
            share = float(table[table[column] == name].share.sum())
            side = {"geography": -1.5, "cloud": 1.5, "chip": 1.5}[column]
            ax.text(position[column] + side * width, middle, f"{short(name, 22)}  {share:.1%}",
                    ha="right" if side < 0 else "left", va="center", fontsize=SMALL,
                    path_effects=outlined())  # fmt: skip
    ax.set_xlim(-0.32, 1.3)
    ax.set_ylim(-0.01, 1.01)
    ax.set_axis_off()
    for column in nodes:
        ax.text(position[column], 1.02, column, ha="center", va="bottom", fontweight="bold")
    return ax


def training(plan: Plan, ax: Axes | None = None) -> Axes:
    """Runs by period: where each has most of its chips, and how many in all."""
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
            ax.text(t + 0.5, i, _thousands(total), ha="center", va="center", fontsize=SMALL,
                    color="black", path_effects=outlined())  # fmt: skip
    missed = plan.tables["training_runs"].set_index("run").missed_share
    words = [
        short(run, 30) + (f" (−{missed[run]:.0%})" if missed.get(run, 0.0) > 0 else "")
        for run in runs
    ]
    horizontal(ax, words)
    ax.set_xticks(np.arange(len(calendar)) + 0.5, calendar.labels, rotation=45, ha="right",
                  rotation_mode="anchor")  # fmt: skip
    ax.set_xlim(0, len(calendar))
    ax.set_xlabel("number: thousand working chips; colour: chip families by share; "
                  "(−): not trained", fontsize=SMALL)  # fmt: skip
    handles = [
        ax.barh(-5, 0, color=colours[chip], label=chip, edgecolor="white", hatch=hatch(place[chip]))
        for chip in present
    ]
    ax.legend(handles, present, loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.3)
    ax.set_ylim(len(runs) - 0.4, -0.6)
    return ax


def _thousands(chips: float) -> str:
    return f"{chips / 1e3:,.0f}" if chips >= 9_950 else f"{chips / 1e3:,.1f}"


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
    ax.legend(handles, models, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4,
              borderaxespad=0.2)  # fmt: skip
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:,g}")
    ax.grid(visible=False, axis="y")
    horizontal(ax, chips)
    ax.set_xlabel(f"{words}\n({chosen}; line: band; hollow: chip without measurements)")
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
