"""Every figure is a picture with something in it, named axes and a legend."""

from __future__ import annotations

import io

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from planner import plot
from planner.plan import Plan
from tests.cases import small_plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    return small_plan()


@pytest.mark.parametrize("name", plot.FIGURES)
def test_axes_are_named_and_hold_the_table(name: str, plan: Plan) -> None:
    axes = plot.FIGURES[name](plan)
    assert axes.get_ylabel()
    assert "," in axes.get_ylabel(), "the unit stands after a comma"
    assert [label.get_text() for label in axes.get_xticklabels()] == list(plan.case.calendar.labels)
    legend = axes.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) >= 1
    assert len(axes.patches) >= len(plan.case.calendar)


def test_heights_are_those_of_the_tables(plan: Plan) -> None:
    axes = plot.capacity(plan)
    drawn = sum(patch.get_height() for patch in axes.patches)  # type: ignore[attr-defined]
    assert drawn == pytest.approx(plan.tables["capacity"].power_mw.sum() / 1e3)
    axes = plot.obligations(plan)
    drawn = sum(patch.get_height() for patch in axes.patches)  # type: ignore[attr-defined]
    assert drawn == pytest.approx(plan.tables["obligations"].total_usd.sum() / 1e9)


def test_given_axes_are_drawn_on(plan: Plan) -> None:
    axes = plot.new_axes(3.0, 2.0)
    assert plot.capacity(plan, axes) is axes
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Figure)
    assert tuple(figure.get_size_inches()) == (3.0, 2.0)


def test_pictures_are_not_blank_and_the_same_each_time(plan: Plan) -> None:
    first, second = plot.render(plan), plot.render(plan)
    assert set(first) == set(plot.FIGURES)
    for name, data in first.items():
        assert data.startswith(b"\x89PNG"), name
        assert data == second[name], name
        pixels = matplotlib.image.imread(io.BytesIO(data))
        assert pixels.shape[0] > 300
        assert pixels.shape[1] > 500
        assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 10


def test_vendors_keep_their_colour_and_strangers_get_one() -> None:
    colours = plot.vendor_colours(["nvidia", "acme", "aws", "zork", "acme"])
    assert colours["nvidia"] == plot.VENDOR_COLOURS["nvidia"]
    assert colours["acme"] != colours["zork"]
    assert len(set(plot.VENDOR_COLOURS.values())) == len(plot.VENDOR_COLOURS)
