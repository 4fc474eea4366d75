"""Rows of the model in the planner's words: the file they come from, what they say, where."""

from __future__ import annotations

from typing import Any

from planner.instance import Instance

ROWS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "contracted_chips": (
        "contracts.csv",
        "chips under contract: signed and new lots",
        ("pool", "period"),
    ),
    "supply": ("supply.csv", "chips that the provider allots", ("pool", "period", "slice")),
    "supply_lots": ("supply.csv", "chips that the provider allots, to lots of", ("start",)),
    "supply_contracts": ("supply.csv", "chips that the provider allots", ("pool", "period")),
    "renewed_supply": (
        "options.csv",
        "renewed chips bring the allocation that they had",
        ("pool", "period"),
    ),
    "renewal": ("options.csv", "chips that renewals of a line keep", ("line",)),
    "expansion": ("options.csv", "lots that an expansion gives", ("option", "period")),
    "install": ("regions.csv", "chips that lots may start", ("region", "period")),
    "capacity": ("pools.csv", "work fits into the working chips", ("pool", "period", "slice")),
    "firm_capacity": ("pools.csv", "firm work fits into firm chips", ("pool", "period", "slice")),
    "demand_peak": (
        "demand.csv",
        "peak demand is carried or unserved",
        ("workload", "period", "slice"),
    ),
    "demand_volume": ("demand.csv", "weekly volume is carried or shed", ("workload", "period")),
    "placement": ("training.csv", "a run takes one placement or is missed", ("run",)),
    "paused_work": ("training.csv", "work of a pausable run", ("run",)),
    "cluster": ("training.csv", "largest cluster", ("run", "period", "slice")),
    "standing_week": ("training.csv", "compute that a standing load holds", ("run", "period")),
    "standing_slice": (
        "training.csv",
        "compute that a standing load holds",
        ("run", "period", "slice"),
    ),
    "leave_once": ("contracts.csv", "a contract is left at most once", ("contract",)),
    "lots_least": ("offers.csv", "fewest lots that start together", ("start",)),
    "lots_most": ("offers.csv", "lots start only when any do", ("start",)),
    "offer_most_lots": ("offers.csv", "most lots of an offer", ("start",)),
    "qualify_once": ("qualification.csv", "a chip is qualified at most once", ("qualification",)),
    "qualified_serving": (
        "qualification.csv",
        "serving needs the qualification",
        ("qualification", "pool", "period", "slice"),
    ),
    "qualified_training": (
        "qualification.csv",
        "training needs the qualification",
        ("qualification", "pool", "period", "slice"),
    ),
    "engineers_limit": ("case.toml", "qualification engineers", ("period",)),
    "spend_accrued": ("offers.csv", "spend of a pool", ("pool", "period")),
    "served_work": ("serving.csv", "work that a pool serves", ("pool", "period")),
    "share_spend": ("limits.csv", "share of spend", ("share", "period")),
    "share_served": ("limits.csv", "share of what is served", ("share", "period")),
    "share_chips": ("limits.csv", "share of chips", ("share", "period")),
    "share_training_peak": ("limits.csv", "share of training peak", ("share", "period")),
    "placement_share": (
        "limits.csv",
        "a member that counts carries its share",
        ("placement", "member", "period"),
    ),
    "placement_members_least": (
        "limits.csv",
        "least number of members that carry a share",
        ("placement", "period"),
    ),
    "sign_once": ("deals.csv", "a deal is signed at most once", ("deal",)),
    "deal_opens": ("deals.csv", "lots need their deal", ("start",)),
    "deal_minimum": ("deals.csv", "minimum spend of a deal or its shortfall", ("deal",)),
    "commitment": ("commitments.csv", "minimum spend or its shortfall", ("commitment",)),
    "carry_over": ("commitments.csv", "spend carried over", ("commitment",)),
    "hours_used": (
        "commitments.csv",
        "hours that count are hours that work is done in",
        ("pool", "period", "slice"),
    ),
    "tier_total": ("tiers.csv", "spend of a year", ("tier group",)),
    "tier_least": ("tiers.csv", "where a step begins", ("tier",)),
    "tier_most": ("tiers.csv", "where a step ends", ("tier",)),
    "tier_one": ("tiers.csv", "a year falls into one step", ("tier group",)),
    "power": ("limits.csv", "power of a region", ("power", "period", "slice")),
    "budget": ("limits.csv", "cash of a period", ("budget", "period")),
    "cover_demand": (
        "survival.csv",
        "share of peak demand kept in a loss",
        ("contingency", "workload", "period", "slice"),
    ),
    "cover_capacity": (
        "contingencies.csv",
        "work in a loss fits into the chips that are left",
        ("contingency", "pool", "period", "slice"),
    ),
    "cover_qualified": (
        "qualification.csv",
        "work in a loss waits for the qualification of its chip",
        ("qualification", "contingency", "pool", "period", "slice"),
    ),
}
"""Constraint -> file, what it says, and the axes of its index."""


def _labels(inst: Instance) -> dict[str, tuple[str, ...]]:
    rules = inst.rules
    return {
        "pool": inst.pools.names,
        "period": inst.time.periods,
        "slice": inst.time.slices,
        "region": inst.regions,
        "workload": inst.serving.names,
        "run": inst.training.names,
        "contract": inst.contracts.names,
        "start": inst.starts.names,
        "line": inst.contracts.line_names,
        "option": inst.options.names,
        "qualification": rules.qualification.names,
        "share": rules.shares.names,
        "placement": rules.placement.names,
        "deal": rules.deals.names,
        "commitment": rules.commitments.names,
        "tier": rules.tiers.names,
        "tier group": rules.tiers.group_names,
        "power": rules.power.names,
        "budget": rules.budget.names,
        "contingency": rules.contingencies.names,
    }


def where(inst: Instance, constraint: str, index: Any) -> str:
    """The place of a row: pool, period, slice and the like, by name.

    A constraint that is not the planner's own gives its index as it is.
    """
    at = index if isinstance(index, tuple) else (index,)
    if constraint not in ROWS:
        return ", ".join(str(i) for i in at if i is not None)
    labels = _labels(inst)
    parts = []
    for axis, i in zip(ROWS[constraint][2], at, strict=True):
        if axis == "member":
            parts.append(inst.rules.placement.member_names[at[0]][i])
        else:
            parts.append(labels[axis][i])
    return ", ".join(parts)


def source(constraint: str) -> tuple[str, str]:
    """File of a constraint and what it says."""
    if constraint not in ROWS:
        return "", f"own equation '{constraint}'"
    file, says, _ = ROWS[constraint]
    return file, says


def period_of(inst: Instance, constraint: str, index: Any) -> str:
    """Period of a row, '' when it has none."""
    if constraint not in ROWS or "period" not in ROWS[constraint][2]:
        return ""
    at = index if isinstance(index, tuple) else (index,)
    return inst.time.periods[at[ROWS[constraint][2].index("period")]]
