"""Tables that are made from a plan for people to read: figures, the report, a workbook.

No solver. A view is a function of a plan that returns a tidy frame with units in its column
names; `VIEWS` lists those that are exported.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from planner.plan import Plan
from planner.views.fleet import fleet, sites, supply_and_demand, use
from planner.views.limits import contingencies, falls_short, limits
from planner.views.money import burn_down, cost_per_token, exit_exposure, idle_commitments
from planner.views.work import contract_lines, flows, rates, training_places

View = Callable[[Plan], pd.DataFrame]

VIEWS: dict[str, View] = {
    "fleet": fleet,
    "supply_and_demand": supply_and_demand,
    "sites": sites,
    "use": use,
    "idle_commitments": idle_commitments,
    "exit_exposure": exit_exposure,
    "burn_down": burn_down,
    "cost_per_token": cost_per_token,
    "flows": flows,
    "training_places": training_places,
    "contract_lines": contract_lines,
    "rates": rates,
    "limits_used": limits,
}
"""Name of a view -> how it is made."""

__all__ = [
    "VIEWS", "View", "burn_down", "contingencies", "contract_lines", "cost_per_token",
    "exit_exposure", "falls_short", "fleet", "flows", "idle_commitments", "limits", "rates",
    "sites", "supply_and_demand", "training_places", "use",
]  # fmt: skip
