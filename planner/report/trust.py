"""Why to believe the report: what binds, sources, assumptions, plausibility."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from planner import views
from planner.plan import Plan
from planner.provenance import provenance
from planner.readable import chips_unit, money_unit, power_unit
from planner.report.tables import Column, Table, chips_column, table

NEAR = 0.98
"""A rule binds from this part of its limit on, in the plan's own figures."""
OVER = 1.0 + 1e-5
"""And it is exceeded, where a price allows that, from this part on."""


def prices(plan: Plan) -> Table:
    """Prices of limits that were checked by finite steps, where `planner prices` was run."""
    names = ["kind", "member", "period", "slice", "unit", "sense", "price_usd", "problem", "shown"]
    frames = [
        plan.tables[f"prices_{name}"].assign(problem=name)
        for name in ("investment", "operating")
        if f"prices_{name}" in plan.tables
    ]
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({n: [] for n in names})
    frame = frame[frame.shown.astype(bool)]
    frame = frame.assign(kind=frame.kind.astype(str).str.replace("_", " "))
    columns = (
        Column("problem", "problem"), Column("kind", "what"), Column("member", "of"),
        Column("period", "period"), Column("slice", "slice"), Column("unit", "one more"),
        Column("sense", ""), Column("price_usd", "USD", ",.2f"),
    )  # fmt: skip
    return table("What one more unit of a limit is worth", frame, columns, 60)


def limits(plan: Plan) -> Table:
    """Rules by period, nearest to their limit first."""
    frame = views.limits(plan)
    frame = frame[frame.limit.notna()]
    part = (frame.value / frame.limit.where(frame.limit > 0)).fillna(1.0)
    money = money_unit(float(frame.limit[frame.unit == "USD"].max()))
    scale = frame.unit.map({"USD": money.size}).astype(float).fillna(1.0)
    words = frame.unit.map({"USD": money.name, "share": "share", "MW": "MW"})
    frame = frame.assign(
        part=part, value=frame.value / scale, limit=frame.limit / scale, unit=words,
        binds=np.select([part > OVER, part >= NEAR], ["exceeded", "binds"], ""),
    ).sort_values("part", ascending=False, kind="stable")  # fmt: skip
    columns = (
        Column("rule", "rule"), Column("measure", "measure"), Column("period", "period"),
        Column("value", "value", ",.3g"), Column("limit", "limit", ",.3g"), Column("unit", "unit"),
        Column("part", "part of the limit", ".1%"), Column("binds", ""),
    )  # fmt: skip
    return table("Shares, power and budget against their limits", frame, columns, 120)


def supply(plan: Plan) -> Table:
    """Pools that are full: everything that the provider allots is under contract."""
    frame = plan.tables["capacity"]
    full = (frame.limit_chips > 0) & (frame.contracted_chips >= NEAR * frame.limit_chips)
    grouped = frame[full].groupby(["cloud", "region", "chip"], sort=False, as_index=False).agg(
        periods=("period", ", ".join), most=("limit_chips", "max")
    )  # fmt: skip
    columns = (
        Column("cloud", "cloud"), Column("region", "region"), Column("chip", "chip"),
        chips_column("most", grouped, "allotted, "), Column("periods", "full in"),
    )  # fmt: skip
    return table("Pools where all that is allotted is under contract", grouped, columns)


def sources(plan: Plan) -> Table:
    """Rows of the case by table, basis and source, assumptions last."""
    frame = provenance(plan.case)
    known = frame[frame.basis != "assumption"]
    columns = (
        Column("table", "table"), Column("basis", "basis"), Column("rows", "rows", ",.0f"),
        Column("source", "source"),
    )  # fmt: skip
    return table("Sources", known, columns)


def assumptions(plan: Plan) -> Table:
    """What rests on no source."""
    frame = provenance(plan.case)
    columns = (
        Column("table", "table"), Column("rows", "rows", ",.0f"), Column("source", "what is said"),
    )  # fmt: skip
    return table("Assumptions", frame[frame.basis == "assumption"], columns)


def plausibility(plan: Plan) -> Table:
    """Figures to hold against the world."""
    frame = pd.DataFrame(plan.summary["plausibility"])
    money = money_unit(float(frame.spend_busd_per_year.max()) * 1e9)
    power = power_unit(float(frame.power_gw.max()) * 1e3)
    chips = chips_unit(float(frame.fleet_reference_chips.max()))
    words = f"{chips.name.removesuffix('chips')}{plan.case.settings.reference_chip}"
    columns = (
        Column("period", "period"),
        Column("spend_busd_per_year", f"{money.name} a year", ",.1f", money.size / 1e9),
        Column("power_gw", power.name, ",.2f", power.size / 1e3),
        Column("busd_per_gw_year", "billion USD per GW-year", ",.1f"),
        Column("mean_load_reference_chips", f"mean load, {words}", ",.0f", chips.size),
        Column("peak_load_reference_chips", f"peak load, {words}", ",.0f", chips.size),
        Column("fleet_reference_chips", f"fleet, {words}", ",.0f", chips.size),
        Column("tokens_demanded_per_month", "trillion tokens a month", ",.1f", 1e12),
    )  # fmt: skip
    return table("Plausibility", frame.fillna({"busd_per_gw_year": float("nan")}), columns)


def rests_on(plan: Plan) -> list[tuple[str, list[tuple[str, float]]]]:
    """(what, [(basis, share)]): rates behind served demand, prices behind new spend."""
    known: dict[str, Any] = plan.summary["provenance"]
    every = [
        ("Rates behind served demand", list(known["served_demand"].items())),
        ("Prices behind new spend", list(known["spend"].items())),
    ]
    return [(what, shares) for what, shares in every if shares]
