"""Figures as methods of a plan: `plan.plot.capacity(ax=...)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from planner.plan import Plan
from planner.plot.figures import FIGURES
from planner.plot.style import Axes, Style, styled


class Plots:
    """The figures of one plan; every name of `planner.plot.FIGURES` is a method (ax=None)."""

    def __init__(self, plan: Plan) -> None:
        """Keep the plan."""
        self._plan = plan

    def __dir__(self) -> list[str]:
        """Names of the figures."""
        return sorted(FIGURES)

    def __getattr__(self, name: str) -> Callable[..., Axes]:
        """The figure of that name. Raises AttributeError when there is none."""
        if name not in FIGURES:
            raise AttributeError(f"there is no figure '{name}'; there are {', '.join(FIGURES)}")

        def draw(ax: Axes | None = None, *, style: Style = "light", **more: Any) -> Axes:
            with styled(style):
                return FIGURES[name].draw(self._plan, ax, **more)

        return draw
