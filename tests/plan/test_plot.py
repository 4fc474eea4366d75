"""Every figure is a picture with something in it: named axes, texts that can be read."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

import planner
from planner import plot, views
from planner.errors import InputError
from planner.plan import Plan
from planner.plot.style import SPARE_COLOURS, Style, styled
from tests.audit.rules_case import rules_case
from tests.cases import DATA, claude_plan, small_case, small_plan, valid
from tests.cases_rules import tiny_rules_case
from tests.plan.legible import check_texts, figure_of, height_of, shown_texts, width_of

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


def drawn(plan: Plan, name: str, style: Style = "light") -> Axes:
    with styled(style):
        axes = plot.FIGURES[name].draw(plan)
        figure_of(axes).canvas.draw()
    return axes


@pytest.mark.parametrize("which", PLANS)
@pytest.mark.parametrize("name", plot.FIGURES)
def test_texts_can_be_read(name: str, which: str) -> None:
    plan = PLANS[which]()
    if name not in plot.available(plan):
        pytest.skip("this plan has nothing to show in it")
    check_texts(drawn(plan, name))


@pytest.mark.parametrize("name", plot.FIGURES)
def test_texts_can_be_read_on_paper(name: str) -> None:
    plan = survival_plan() if name == "contingencies" else large_plan()
    check_texts(drawn(plan, name, "print"))


def test_a_large_matrix_of_contingencies_can_be_read() -> None:
    plan = survival_plan()
    kinds = {"cloud-lost": (0.85, 0.75, 0.0), "region-lost": (0.95, 0.9, 0.5)}
    rows = [
        (f"{kind}: {member}", name, promised, served, 0.04 if name == "agentic" else 0.0)
        for kind, shares in kinds.items()
        for i, member in enumerate(f"fluidstack/northeast-{i}" for i in range(20))
        for name, promised in zip(("interactive", "agentic", "batch"), shares, strict=True)
        for served in (promised * (1.0 - 0.05 * (i % 4)),)
    ]
    table = pd.DataFrame(rows, columns=list(views.contingencies(plan)))
    large = replace(plan, tables={**plan.tables, "contingencies": table})
    axes = drawn(large, "contingencies")
    check_texts(axes)
    said = [text.get_text() for text in axes.texts]
    assert said.count("–") == 20
    assert sum(" !" in words for words in said) == 5 * 15
    assert [said.count(f"of {share}%") for share in (85, 75, 95, 90, 50)] == [1] * 5
    assert "most of a class: agentic 4%" in " ".join(axes.get_xlabel().split())


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
    most = table.groupby(["run", "period"]).chips.sum().groupby("run").max()
    assert len(axes.texts) == len(most) > 1
    told = sorted(float(text.get_text().replace(",", "")) for text in axes.texts)
    assert told == pytest.approx(sorted(most / 1e3), rel=0.05)
    cells = table.groupby(["run", "period"]).ngroups
    widths = sum(width_of(patch) for patch in axes.patches)
    assert widths == pytest.approx(cells)


def test_contingencies_say_served_and_promised() -> None:
    plan = survival_plan()
    axes = plot.FIGURES["contingencies"].draw(plan)
    table = plan.tables["contingencies"]
    said = [text.get_text() for text in axes.texts]
    classes = table["class"].nunique()
    labels = [label.get_text() for label in axes.get_yticklabels()]
    rows = [tuple(said[i : i + classes]) for i in range(0, len(said), classes)]
    assert len(rows) == len(labels)
    assert (table.bound_to_lost_share > 0).any()
    promised: dict[str, tuple[str, ...]] = {}
    kind = ""
    seen = 0
    for label, row in zip(labels, rows, strict=True):
        if all(words == "none" or words.startswith("of ") for words in row):
            kind, promised[label] = label, row
            continue
        some = table[table.contingency == f"{kind}: {label}"]
        assert len(some) == classes
        for words, above, cell in zip(row, promised[kind], some.to_dict("records"), strict=True):
            served, share = cell["least_share_served"], cell["promised_share"]
            bare = words.removesuffix(" *")
            assert (bare != words) == (cell["bound_to_lost_share"] > 0)
            assert above == ("none" if share == 0 else f"of {share:.0%}")
            if share == 0:
                assert bare == "–"
            elif served < share - 1e-6:
                assert bare == f"{served:.1%} !"
            else:
                assert bare == f"{served:.0%}"
            seen += 1
    assert seen == len(table)


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
        levels = np.round(pixels[..., :3] * 255).astype(np.int64)
        assert len(np.unique(levels @ (1, 256, 256**2))) > 10


def test_a_notebook_shows_a_figure() -> None:
    formatter: Any = DisplayFormatter()
    shown, _ = formatter.format(figure_of(small_plan().plot.cost()))
    assert shown["image/png"].startswith(b"\x89PNG")


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
    assert plot.vendor_colours(["NVIDIA"])["NVIDIA"] == colours["nvidia"]
    many = plot.vendor_colours([f"stranger {i}" for i in range(20)])
    assert len(set(many.values())) == len(many) == 20 + len(plot.VENDOR_COLOURS)


# Machado, Oliveira and Fernandes (2009): linear RGB as readers see it who lack one kind of cone.
SIGHT = {
    "all cones": np.eye(3),
    "no red": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                        [-0.003882, -0.048116, 1.051998]]),
    "no green": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                          [-0.011820, 0.042940, 0.968881]]),
    "no blue": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                         [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                   [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip


def seen(colour: str, sight: str) -> Any:
    """A colour in CIE L*a*b* as someone sees it."""
    part = np.array(to_rgb(colour))
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(SIGHT[sight] @ linear, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT)
def test_vendors_can_be_told_apart_by_everyone(sight: str) -> None:
    colours = [*plot.VENDOR_COLOURS.values(), *SPARE_COLOURS]
    assert len(colours) > 10
    for one, other in combinations(colours, 2):
        assert np.linalg.norm(seen(one, sight) - seen(other, sight)) > 15, (one, other)


def saturation(colour: Any) -> float:
    return float(np.ptp(to_rgb(colour)))


@pytest.mark.parametrize("name", ["obligations", "cost", "shares", "capacity_by_cloud"])
def test_what_is_no_vendors_is_grey(name: str) -> None:
    axes = drawn(rules_plan(), name)
    colours: list[Any] = [patch.get_facecolor()[:3] for patch in axes.patches]
    colours += [line.get_color() for line in axes.lines]
    assert len(colours) > 5
    assert max(map(saturation, colours)) < 0.01
    assert min(saturation(colour) for colour in plot.VENDOR_COLOURS.values()) > 0.3


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


@pytest.mark.xdist_group("claude")
def test_the_reference_case_can_be_read() -> None:
    plan = claude_plan()
    for name in plot.available(plan):
        check_texts(drawn(plan, name))


def test_an_allotment_far_above_leaves_the_figure_and_is_told() -> None:
    axes = drawn(large_plan(), "power")
    most = views.supply_and_demand(large_plan()).allotted_mw.max() / 1e3
    told = [words for words, _ in shown_texts(axes) if words.startswith("allotted grows to")]
    assert (most > axes.get_ylim()[1]) == bool(told)
    held = views.fleet(large_plan()).groupby("period").power_mw.sum().max() / 1e3
    assert axes.get_ylim()[1] > held
