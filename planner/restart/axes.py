"""What each part of an index counts, so that a row or column is found again by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.audit.draft import axis_labels
from planner.instance import Instance
from planner.matrix import Matrix
from planner.prices.lp import Labels

Ints = npt.NDArray[np.int64]
AXES: Mapping[str, tuple[str, ...]] = {
    "agreed": ("deal", "period"),
    "agreed_by": ("deal", "period"),
    "any_lots": ("start",),
    "begun": ("qualification", "period"),
    "begun_by": ("qualification", "period"),
    "budget": ("budget", "period"),
    "capacity": ("pool", "period", "slice"),
    "carried": ("window",),
    "carries": ("placement rule", "member", "period"),
    "carry_over": ("window",),
    "cluster": ("run", "period", "slice"),
    "commitment": ("window",),
    "contracted": ("pool", "period"),
    "contracted_chips": ("pool", "period"),
    "cover": ("contingency", "workload", "pool", "period", "slice"),
    "cover_capacity": ("contingency", "pool", "period", "slice"),
    "cover_demand": ("contingency", "workload", "period", "slice"),
    "cover_qualified": ("qualification", "contingency", "pool", "period", "slice"),
    "deal_minimum": ("deal",),
    "deal_opens": ("start",),
    "deal_shortfall": ("deal",),
    "demand_peak": ("workload", "period", "slice"),
    "demand_volume": ("workload", "period"),
    "engineers_limit": ("period",),
    "expansion": ("option", "period"),
    "firm_capacity": ("pool", "period", "slice"),
    "flex": ("run", "pool", "period", "slice"),
    "hourly": ("hourly offer", "period", "slice"),
    "hours_used": ("pool", "period", "slice"),
    "in_tier": ("tier",),
    "install": ("region", "period"),
    "leave": ("contract", "period"),
    "leave_once": ("contract",),
    "lots": ("start",),
    "lots_least": ("start",),
    "lots_most": ("start",),
    "missed": ("run",),
    "over_budget": ("budget", "period"),
    "over_power": ("power rule", "period"),
    "over_share": ("share rule", "period"),
    "paused_work": ("run",),
    "place": ("placement",),
    "placement": ("run",),
    "placement_members_least": ("placement rule", "period"),
    "placement_share": ("placement rule", "member", "period"),
    "power": ("power rule", "period", "slice"),
    "qualified_serving": ("qualification", "pool", "period", "slice"),
    "qualified_training": ("qualification", "pool", "period", "slice"),
    "qualify": ("qualification", "period"),
    "qualify_once": ("qualification",),
    "redundancy_cut": ("cut",),
    "renewal": ("line",),
    "renewed_supply": ("pool", "period"),
    "serve": ("workload", "pool", "period", "slice"),
    "served": ("pool", "period"),
    "served_work": ("pool", "period"),
    "share_chips": ("share rule", "period"),
    "share_served": ("share rule", "period"),
    "share_spend": ("share rule", "period"),
    "share_training_peak": ("share rule", "period"),
    "shed": ("workload", "period"),
    "shortfall": ("window",),
    "sign": ("deal", "period"),
    "sign_once": ("deal",),
    "spend": ("pool", "period"),
    "spend_accrued": ("pool", "period"),
    "standing_slice": ("run", "period", "slice"),
    "standing_week": ("run", "period"),
    "supply": ("pool", "period", "slice"),
    "tier_least": ("tier",),
    "tier_most": ("tier",),
    "tier_one": ("tier group",),
    "tier_spend": ("tier",),
    "tier_total": ("tier group",),
    "unserved": ("workload", "period", "slice"),
    "whole_lots": ("start", "period"),
}
"""Component -> what each part of its index counts; a component that is not named starts anew."""


def names_of_axes(inst: Instance) -> dict[str, tuple[str, ...]]:
    """Names along every axis of AXES but that of the cuts."""
    return {**axis_labels(inst), "contingency": inst.rules.contingencies.names}


class Translation:
    """Rows and columns that a plan kept, as positions in the problem at hand."""

    def __init__(self, table: pd.DataFrame, inst: Instance, matrix: Matrix) -> None:
        """Match the names along every axis of the table with those of the instance."""
        self._labels = Labels(matrix)
        self._axis: dict[str, Ints] = {}
        kept = table[table.part == "axis"]
        for axis, names in names_of_axes(inst).items():
            now = {name: i for i, name in enumerate(names)}
            some = kept[kept.name == axis].sort_values("i0")
            found = [now.get(label, -1) for label in some.label]
            self._axis[axis] = np.array(found, dtype=np.int64)

    def add_axis(self, name: str, positions: Ints) -> None:
        """An axis that the table does not name: where each of its positions stands now."""
        self._axis[name] = positions

    def find(self, of_rows: bool, name: str, index: Ints) -> Ints:
        """Positions of rows or columns by kept index tuples [n, part]; -1 where none is."""
        axes = AXES.get(name)
        if axes is None or index.shape[1] < len(axes):
            return np.full(len(index), -1, dtype=np.int64)
        moved = np.full((len(index), len(axes)), -1, dtype=np.int64)
        for i, axis in enumerate(axes):
            now = self._axis.get(axis, np.zeros(0, dtype=np.int64))
            inside = (index[:, i] >= 0) & (index[:, i] < len(now))
            moved[inside, i] = now[index[inside, i]]
        out = np.full(len(index), -1, dtype=np.int64)
        there = (moved >= 0).all(axis=1)
        find = self._labels.find_rows if of_rows else self._labels.find_columns
        out[there] = find(name, moved[there])
        return out
