"""The figures by name, which of them a plan has, and their image files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from planner.errors import Fault, InputError
from planner.plan import Plan
from planner.plot import capacity, money, rules, work
from planner.plot.style import Axes, Style, styled


def _always(_plan: Plan) -> bool:
    return True


def _serves(plan: Plan) -> bool:
    return bool(plan.case.serving)


@dataclass(frozen=True)
class Figure:
    """One figure of a plan."""

    draw: Callable[..., Axes]
    """(plan, ax=None) -> axes."""
    title: str
    """What it shows, for a caption."""
    has: Callable[[Plan], bool] = _always
    """Whether a plan has what it shows."""


FIGURES: dict[str, Figure] = {
    "power": Figure(capacity.power, "Power by chip family, and what providers allot"),
    "capacity": Figure(capacity.capacity, "Capacity by chip family against supply and need"),
    "capacity_by_cloud": Figure(
        capacity.capacity_by_cloud, "Capacity by cloud against supply and need"
    ),
    "contracts": Figure(money.contracts, "Contracts: terms, commitments and exits"),
    "obligations": Figure(money.obligations, "Cash: committed, cancellable and optional"),
    "flows": Figure(
        work.flows,
        "Served work from user geography to cloud to chip",
        lambda plan: len(plan.tables["serving"]) > 0,
    ),
    "training": Figure(
        work.training,
        "Training by run, period and chip family",
        lambda plan: len(plan.tables["training"]) > 0,
    ),
    "cost": Figure(money.cost, "Cost by term, present value"),
    "shares": Figure(rules.shares, "Shares against their limits"),
    "contingencies": Figure(
        rules.contingencies,
        "N-1: least share of demand served in each contingency",
        lambda plan: len(plan.tables.get("contingencies", ())) > 0,
    ),
    "throughput": Figure(
        work.throughput, "Throughput of a chip within the latency targets", _serves
    ),
    "token_cost": Figure(work.token_cost, "Cost of a million tokens by chip", _serves),
}
"""Name of a figure -> the figure."""

FORMATS: dict[str, dict[str, Any]] = {
    "png": {"metadata": {"Software": None}},
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}
"""File format -> what makes its files the same each time."""


def available(plan: Plan) -> list[str]:
    """Names of the figures that a plan has."""
    return [name for name, figure in FIGURES.items() if figure.has(plan)]


def render(
    plan: Plan,
    format_: str = "png",
    names: Iterable[str] | None = None,
    style: Style = "light",
) -> dict[str, bytes]:
    """Figures as the bytes of image files: name -> bytes; all that the plan has when not named.

    Equal plans give equal bytes. Raises InputError for names and formats that there are not, and
    for figures that this plan does not have.
    """
    have = available(plan)
    chosen = have if names is None else list(names)
    faults = [
        Fault("figure", f"'{name}' is not one of {', '.join(FIGURES)}")
        for name in chosen
        if name not in FIGURES
    ]
    faults += [
        Fault("figure", f"'{name}': this plan has nothing to show in it")
        for name in chosen
        if name in FIGURES and name not in have
    ]
    if format_ not in FORMATS:
        faults.append(Fault("format", f"'{format_}' is not one of {', '.join(FORMATS)}"))
    if faults:
        raise InputError(faults)
    return {name: image(partial(FIGURES[name].draw, plan), format_, style) for name in chosen}


def image(draw: Callable[[], Axes], format_: str = "png", style: Style = "light") -> bytes:
    """What a function draws, as the bytes of an image file; equal axes give equal bytes."""
    with styled(style):
        figure = draw().get_figure(root=True)
        assert figure is not None
        data = io.BytesIO()
        figure.savefig(data, format=format_, **FORMATS[format_])
    return data.getvalue()
