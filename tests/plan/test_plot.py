"""Every figure is a picture with something in it: named axes, texts that can be read."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

import matplotlib.image
import matplotlib.text
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import planner
from planner import plot, views
from planner.errors import InputError
from planner.plan import Plan
from planner.plot.style import SMALL, styled
from tests.audit.rules_case import rules_case
from tests.cases import DATA, claude_plan, small_case, small_plan, valid
from tests.cases_rules import tiny_rules_case

LEAST_POOLS = 60


@cache
def rules_plan() -> Plan:
    """data/small with rules of every kind but contingencies."""
    return planner.solve(rules_case(small_case()), gap=0.02, time_limit_s=60)


@cache
def survival_plan() -> Plan:
    """A tiny plan with contingencies and options."""
    return planner.solve(tiny_rules_case(), gap=0.0)


@cache
def large_plan() -> Plan:
    """The reference case's chips and clouds in 60 pools and more, with a sixth of its workloads.

    Without its rules, and hardly solved: what is drawn is much, how good it is does not matter.
    """
    case = planner.load_case(DATA / "claude")
    twin = case.regions[0].model_copy(update={"region": "twin"})
    mine = (twin.cloud, case.regions[0].region)

    def moved(rows: Any) -> tuple[Any, ...]:
        place = [row for row in rows if (row.cloud, row.region) == mine]
        return (*rows, *(row.model_copy(update={"region": "twin"}) for row in place))

    def other_chips(rows: Any) -> tuple[Any, ...]:
        """Rows of the twin as rows of chips that the cloud does not have there."""
        here = {row.chip for row in rows if (row.cloud, row.region) == mine}
        first = [row for row in rows if (row.cloud, row.region) == mine]
        first = [row for row in first if row.chip == first[0].chip]
        spare = [chip.chip for chip in case.chips if chip.chip not in here][:4]
        more = [
            row.model_copy(update={"region": "twin", "chip": c}) for c in spare for row in first
        ]
        return (*moved(rows), *more)

    serving = case.serving[::6]
    names = {w.workload for w in serving}
    large = replace(
        case, regions=(*case.regions, twin), pools=other_chips(case.pools),
        supply=other_chips(case.supply), network=moved(case.network), serving=serving,
        demand=tuple(row for row in case.demand if row.workload in names), limits=(),
        commitments=(), tiers=(), deals=(), qualification=(), contingencies=(), survival=(),
        offers=tuple(o.model_copy(update={"deal": ""}) for o in case.offers),
    )  # fmt: skip
    assert len(large.pools) >= LEAST_POOLS
    return planner.solve(valid(large), gap=0.5, time_limit_s=60)


PLANS = {"small": small_plan, "rules": rules_plan, "survival": survival_plan, "large": large_plan}


def figure_of(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def texts(axes: Axes) -> list[matplotlib.text.Text]:
    """What is written and seen, legend and axis labels included."""
    return [
        text
        for text in figure_of(axes).findobj(matplotlib.text.Text)
        if isinstance(text, matplotlib.text.Text) and text.get_visible() and text.get_text().strip()
    ]


def drawn(plan: Plan, name: str) -> Axes:
    with styled("light"):
        axes = plot.FIGURES[name].draw(plan)
        figure_of(axes).canvas.draw()
    return axes


def hidden_texts(axes: Axes) -> set[int]:
    """Texts of an axis that is switched off, and labels of ticks outside the limits."""
    out: set[int] = set()
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not axes.axison or not low <= tick.get_loc() <= high:
                out |= {id(tick.label1), id(tick.label2)}
        if not axes.axison:
            out.add(id(axis.label))
    return out


def shown_texts(axes: Axes) -> list[tuple[str, matplotlib.text.Text]]:
    """Texts that stand on the page."""
    hidden = set().union(*(hidden_texts(one) for one in figure_of(axes).axes))
    return [(text.get_text(), text) for text in texts(axes) if id(text) not in hidden]


@pytest.mark.parametrize("which", PLANS)
@pytest.mark.parametrize("name", plot.FIGURES)
def test_texts_can_be_read(name: str, which: str) -> None:
    plan = PLANS[which]()
    if name not in plot.available(plan):
        pytest.skip("this plan has nothing to show in it")
    check_texts(drawn(plan, name))


def check_texts(axes: Axes) -> None:
    """Texts are large enough, stand on the page, and apart from one another."""
    found = shown_texts(axes)
    assert len(found) >= 4
    width, height = (float(x) for x in figure_of(axes).canvas.get_width_height())
    boxes = []
    for words, text in found:
        assert float(text.get_fontsize()) >= SMALL, words
        box = text.get_window_extent()
        assert box.x0 >= -2, words
        assert box.x1 <= width + 2, words
        assert box.y0 >= -2, words
        assert box.y1 <= height + 2, words
        boxes.append((words, text, box))
    for (a, one, left), (b, two, right) in combinations(boxes, 2):
        if one.get_rotation() and two.get_rotation():
            continue  # slanted labels share their boxes, not their place
        across = min(left.x1, right.x1) - max(left.x0, right.x0)
        along = min(left.y1, right.y1) - max(left.y0, right.y0)
        assert across <= 1 or along <= 0.25 * min(left.height, right.height), (a, b)


@pytest.mark.parametrize("name", plot.FIGURES)
def test_axes_are_named_and_drawn_in(name: str) -> None:
    plan = survival_plan()
    axes = drawn(plan, name)
    if axes.axison:
        assert axes.get_xlabel() or axes.get_ylabel()
        named = [label.get_text() for label in axes.get_xticklabels() + axes.get_yticklabels()]
        assert any(named)
    marks = len(axes.patches) + len(axes.lines) + len(axes.collections) + len(axes.images)
    assert marks >= 1


def height_of(patch: Any) -> float:
    return float(patch.get_height())


def width_of(patch: Any) -> float:
    return float(patch.get_width())


def heights(line: Any) -> list[float]:
    return [float(y) for y in line.get_ydata()]


def total(axes: Axes) -> float:
    return sum(height_of(patch) for patch in axes.patches)


def test_heights_are_those_of_the_tables() -> None:
    plan = rules_plan()
    power = plan.tables["capacity"].power_mw.sum()
    assert total(plot.FIGURES["power"].draw(plan)) == pytest.approx(power)
    chips = views.fleet(plan).reference_chips.sum() / 1e3
    for name in ("capacity", "capacity_by_cloud"):
        assert total(plot.FIGURES[name].draw(plan)) == pytest.approx(chips)
    cash = plan.tables["obligations"]
    assert cash.rebates_usd.sum() < 0, "the case is meant to have something that comes back"
    assert total(plot.FIGURES["obligations"].draw(plan)) == pytest.approx(
        cash.total_usd.sum() / 1e6
    )


def test_contracts_show_every_line_and_exit() -> None:
    plan = small_plan()
    axes = plot.FIGURES["contracts"].draw(plan)
    lines = views.contract_lines(plan)
    assert len(axes.get_yticklabels()) == len(lines)
    exits = [line for line in axes.lines if line.get_marker() == "x"]
    assert len(exits) == (lines.left_from != "").sum() > 0


def test_training_shows_each_run_in_its_periods() -> None:
    plan = small_plan()
    axes = plot.FIGURES["training"].draw(plan)
    table = views.training_places(plan)
    cells = table.groupby(["run", "period"]).ngroups
    assert len(axes.texts) == cells
    widths = sum(width_of(patch) for patch in axes.patches)
    assert widths == pytest.approx(cells)


def test_contingencies_say_served_and_promised() -> None:
    plan = survival_plan()
    axes = plot.FIGURES["contingencies"].draw(plan)
    table = plan.tables["contingencies"]
    assert len(axes.texts) == len(table)
    said = [text.get_text() for text in axes.texts]
    assert (table.bound_to_lost_share > 0).any()
    for cell, row in zip(said, table.to_dict("records"), strict=True):
        served, promised = row["least_share_served"], row["promised_share"]
        words = cell.removesuffix(" *")
        assert (words != cell) == (row["bound_to_lost_share"] > 0)
        if promised == 0:
            assert words == "none promised"
        elif served < promised - 1e-6:
            assert words == f"{served:.1%} of {promised:.0%}  !"
        else:
            assert words == f"{served:.0%} of {promised:.0%}"


def test_a_figure_without_content_is_refused_by_name() -> None:
    plan = small_plan()
    assert "contingencies" not in plot.available(plan)
    with pytest.raises(InputError) as caught:
        plot.render(plan, "gif", ["contingencies", "nonsense"])
    assert len(caught.value.faults) == 3
    assert "nonsense" in str(caught.value)


def test_given_axes_are_drawn_on() -> None:
    for name in plot.available(small_plan()):
        axes = plot.new_axes(6.0, 4.0)
        assert getattr(small_plan().plot, name)(ax=axes) is axes
        assert tuple(figure_of(axes).get_size_inches()) == (6.0, 4.0)
    with pytest.raises(AttributeError, match="nonsense"):
        small_plan().plot.nonsense  # noqa: B018
    assert "capacity" in dir(small_plan().plot)


def test_pictures_are_not_blank_and_the_same_each_time() -> None:
    plan = small_plan()
    first, second = plot.render(plan), plot.render(plan)
    assert set(first) == set(plot.available(plan))
    for name, data in first.items():
        assert data.startswith(b"\x89PNG"), name
        assert data == second[name], name
        pixels = matplotlib.image.imread(io.BytesIO(data))
        assert pixels.shape[0] > 300
        assert pixels.shape[1] > 900
        assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 10


@pytest.mark.parametrize(("format_", "magic"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
@pytest.mark.parametrize("style", ["light", "print"])
def test_formats_and_styles(format_: str, magic: bytes, style: Any) -> None:
    plan, names = small_plan(), ["capacity", "flows"]
    first = plot.render(plan, format_, names, style)
    assert list(first) == names
    assert first == plot.render(plan, format_, names, style)
    assert all(data.startswith(magic) for data in first.values())


@pytest.mark.parametrize("name", ["capacity", "training"])
def test_print_tells_series_apart_without_colour(name: str) -> None:
    light = plot.render(small_plan(), "svg", [name], "light")[name]
    paper = plot.render(small_plan(), "svg", [name], "print")[name]
    assert b"<pattern" in paper
    assert b"<pattern" not in light


def test_a_chip_has_one_hatch_in_print() -> None:
    with styled("print"):
        bars = plot.FIGURES["capacity"].draw(small_plan()).containers
        runs = plot.FIGURES["training"].draw(small_plan()).get_legend()
    held = {str(bar.get_label()): bar.patches[0].get_hatch() for bar in bars}  # type: ignore[attr-defined]
    assert runs is not None
    shown = {
        text.get_text(): patch.get_hatch()
        for text, patch in zip(runs.get_texts(), runs.get_patches(), strict=True)
    }
    assert len(shown) > 2
    assert shown == {chip: held[chip] for chip in shown}


def test_vendors_keep_their_colour_and_strangers_get_one() -> None:
    colours = plot.vendor_colours(["nvidia", "acme", "aws", "zork", "acme"])
    assert colours["nvidia"] == plot.VENDOR_COLOURS["nvidia"]
    assert colours["acme"] != colours["zork"]
    assert len(set(plot.VENDOR_COLOURS.values())) == len(plot.VENDOR_COLOURS)


def test_a_chip_has_one_colour_in_every_figure() -> None:
    chips = plot.chip_colours({"a": "nvidia", "b": "nvidia", "c": "google"})
    assert chips["c"] == pytest.approx(to_rgb(plot.VENDOR_COLOURS["google"]))
    assert chips["a"] != chips["b"]
    plan = small_plan()
    known = plot.chip_colours({c.chip: c.vendor for c in plan.case.chips})
    for name in ("capacity", "power"):
        axes = plot.FIGURES[name].draw(plan)
        for bars in axes.containers:
            label = bars.get_label()
            assert bars.patches[0].get_facecolor()[:3] == pytest.approx(known[str(label)])  # type: ignore[attr-defined]


# -- figures of plain frames ---------------------------------------------------------------------


def test_frames_are_drawn() -> None:
    points = pd.DataFrame({"limit": [3.0, 1.0], "cost_usd": [2e9, 4e9], "bound_usd": [1e9, 4e9]})
    axes = plot.frontier(points, words="share")
    assert heights(axes.lines[0]) == [4.0, 2.0]
    assert heights(axes.lines[1]) == [4.0, 1.0]
    factors = pd.DataFrame({"factor": ["a", "b"], "low_usd": [-1e9, -3e9], "high_usd": [1e9, 2e9]})
    axes = plot.tornado(factors)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]
    cells = pd.DataFrame({"row": ["x", "x"], "column": ["u", "v"], "value": [1.0, 2.0]})
    assert [text.get_text() for text in plot.heat_map(cells).texts] == ["1", "2"]
    quantiles = pd.DataFrame(
        [(p, q, 10 * i + q) for i, p in enumerate("ab") for q in (0.05, 0.5, 0.95)],
        columns=["period", "quantile", "value"],
    )
    axes = plot.fan(quantiles)
    assert heights(axes.lines[0]) == [0.5, 10.5]
    steps = pd.DataFrame(
        {"step": ["old", "price", "new"], "usd": [3e9, -1e9, 2e9], "is_total": [True, False, True]}
    )
    axes = plot.waterfall(steps)
    tops = [p.get_y() + p.get_height() for p in axes.patches]  # type: ignore[attr-defined]
    assert tops == pytest.approx([3.0, 2.0, 2.0])
    for frame, draw in ((points, plot.frontier), (factors, plot.tornado), (cells, plot.heat_map)):
        with pytest.raises(KeyError):
            draw(frame.iloc[:, 1:])


NONE = float("nan")
STATES: dict[str, tuple[float, float]] = {
    "proven": (4e9, 3.9e9), "limit": (5e9, 3e9), "infeasible": (NONE, NONE),
    "unproven": (NONE, 4e9),
}  # fmt: skip
"""Status of a point -> cost and bound as `planner.frontier` returns them."""


@pytest.mark.parametrize(
    "found", [("proven", "limit", "infeasible", "unproven"), *((status,) * 2 for status in STATES)]
)
def test_frontiers_mark_every_status(found: tuple[str, ...]) -> None:
    frame = pd.DataFrame(
        [(1.0 - 0.1 * i, status, *STATES[status]) for i, status in enumerate(found)],
        columns=["limit", "status", "cost_usd", "bound_usd"],
    )
    with styled("light"):
        axes = plot.frontier(frame, words="limits.cloud-share (share)")
        figure_of(axes).canvas.draw()
    check_texts(axes)
    legend = axes.get_legend()
    assert legend is not None
    words = [text.get_text() for text in legend.get_texts()]
    for status, said in (("limit", "plan, gap not proven"), ("infeasible", "no plan: proven"),
                         ("unproven", "no plan found in time")):  # fmt: skip
        assert (said in words) == (status in found)
        marks = [line for line in axes.lines if line.get_label() == said]
        assert sum(len(heights(line)) for line in marks) == found.count(status)


@pytest.mark.xdist_group("claude")
def test_the_reference_case_can_be_read() -> None:
    plan = claude_plan()
    for name in plot.available(plan):
        axes = drawn(plan, name)
        assert all(float(text.get_fontsize()) >= SMALL for _, text in shown_texts(axes)), name


MANY = ["before", "calendar + demand", "rates", "prices", "offers and capacity", "rules",
        "whole lots and gap", "after"]  # fmt: skip


@pytest.mark.parametrize(
    "usd",
    [
        [98.1e9, 5e9, -7e9, 2e9, -0.5e9, 0.1e9, 0.3e9, 98e9],
        [10e9, 30e9, -45e9, 2e9, 10e9, 0.1e9, 0.3e9, 7.4e9],
        [212e6, 1e3, 0.0, 0.0, -2e3, 0.0, 1e3, 212e6],
        [5.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 6.0],
    ],
)
def test_waterfalls_of_many_causes_can_be_read(usd: list[float]) -> None:
    total = [name in ("before", "after") for name in MANY]
    frame = pd.DataFrame({"step": MANY, "usd": usd, "is_total": total})
    with styled("light"):
        axes = plot.waterfall(frame)
        figure_of(axes).canvas.draw()
    check_texts(axes)
    low, high = axes.get_ylim()
    level = np.cumsum(
        [0.0 if t and i else u for i, (t, u) in enumerate(zip(total, usd, strict=True))]
    )
    unit = 1e9 if max(usd) >= 1e9 else 1e6 if max(usd) >= 1e6 else 1.0
    assert low * unit <= level.min() + 1e-6
    assert high * unit >= level.max()


def test_an_allotment_far_above_leaves_the_figure_and_is_told() -> None:
    axes = drawn(large_plan(), "power")
    most = views.supply_and_demand(large_plan()).allotted_mw.max() / 1e3
    told = [words for words, _ in shown_texts(axes) if words.startswith("allotted grows to")]
    assert (most > axes.get_ylim()[1]) == bool(told)
    held = views.fleet(large_plan()).groupby("period").power_mw.sum().max() / 1e3
    assert axes.get_ylim()[1] > held
