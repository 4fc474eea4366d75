"""The compiled equations of the tiny case as text, one file a family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from planner.instance import Instance, build_instance
from planner.matrix import Matrix, compile_model
from planner.model import build_model
from tests.cases import tiny_case
from tests.cases_rules import tiny_rules_case

ROW_AXES: Mapping[str, tuple[str, ...]] = {
    "lots_least": ("start",),
    "lots_most": ("start",),
    "leave_once": ("contract",),
    "contracted_chips": ("pool", "period"),
    "supply": ("pool", "period", "slice"),
    "renewed_supply": ("pool", "period"),
    "renewal": ("line",),
    "expansion": ("option", "period"),
    "install": ("region", "period"),
    "demand_peak": ("workload", "period", "slice"),
    "demand_volume": ("workload", "period"),
    "placement": ("run",),
    "paused_work": ("run",),
    "cluster": ("run", "period", "slice"),
    "standing_week": ("run", "period"),
    "standing_slice": ("run", "period", "slice"),
    "capacity": ("pool", "period", "slice"),
    "firm_capacity": ("pool", "period", "slice"),
    "qualify_once": ("qualification",),
    "qualified_serving": ("qualification", "pool", "period", "slice"),
    "qualified_training": ("qualification", "pool", "period", "slice"),
    "engineers_limit": ("period",),
    "spend_accrued": ("pool", "period"),
    "served_work": ("pool", "period"),
    "share_spend": ("share", "period"),
    "share_served": ("share", "period"),
    "share_chips": ("share", "period"),
    "share_training_peak": ("share", "period"),
    "placement_share": ("placing", "member", "period"),
    "placement_members_least": ("placing", "period"),
    "sign_once": ("deal",),
    "deal_opens": ("start",),
    "deal_minimum": ("deal",),
    "commitment": ("window",),
    "carry_over": ("window",),
    "tier_total": ("year",),
    "tier_least": ("tier",),
    "tier_most": ("tier",),
    "tier_one": ("year",),
    "hours_used": ("pool", "period", "slice"),
    "power": ("power", "period", "slice"),
    "budget": ("budget", "period"),
    "cover_demand": ("contingency", "workload", "period", "slice"),
    "cover_capacity": ("contingency", "pool", "period", "slice"),
    "cover_qualified": ("qualification", "contingency", "pool", "period", "slice"),
    "whole_lots": ("start", "period"),
    "begun_by": ("qualification", "period"),
    "agreed_by": ("deal", "period"),
}
"""Constraint family -> what its index means."""

COLUMN_AXES: Mapping[str, tuple[str, ...]] = {
    "lots": ("start",),
    "any_lots": ("start",),
    "hourly": ("hourly", "period", "slice"),
    "leave": ("contract", "period"),
    "contracted": ("pool", "period"),
    "serve": ("workload", "pool", "period", "slice"),
    "unserved": ("workload", "period", "slice"),
    "shed": ("workload", "period"),
    "place": ("placement",),
    "missed": ("run",),
    "flex": ("run", "pool", "period", "slice"),
    "qualify": ("qualification", "period"),
    "spend": ("pool", "period"),
    "served": ("pool", "period"),
    "over_share": ("share", "period"),
    "carries": ("placing", "member", "period"),
    "sign": ("deal", "period"),
    "deal_shortfall": ("deal",),
    "shortfall": ("window",),
    "carried": ("window",),
    "in_tier": ("tier",),
    "tier_spend": ("tier",),
    "over_power": ("power", "period"),
    "over_budget": ("budget", "period"),
    "cover": ("contingency", "workload", "pool", "period", "slice"),
    "begun": ("qualification", "period"),
    "agreed": ("deal", "period"),
}
"""Variable -> what its index means."""


def tiny_instance() -> Instance:
    """The instance whose equations are written down."""
    return build_instance(tiny_case())


def _labels(inst: Instance) -> dict[str, tuple[str, ...]]:
    return {
        "period": inst.time.periods,
        "slice": inst.time.slices,
        "pool": inst.pools.names,
        "workload": inst.serving.names,
        "contract": inst.contracts.names,
        "start": inst.starts.names,
        "line": inst.contracts.line_names,
        "option": inst.options.names,
        "hourly": inst.pay.names,
        "run": inst.training.names,
        "placement": inst.training.column_names,
        "region": inst.regions,
        "qualification": inst.rules.qualification.names,
        "share": inst.rules.shares.names,
        "placing": inst.rules.placement.names,
        "member": next(iter(inst.rules.placement.member_names), ()),
        "deal": inst.rules.deals.names,
        "window": inst.rules.commitments.names,
        "tier": inst.rules.tiers.names,
        "year": inst.rules.tiers.group_names,
        "power": inst.rules.power.names,
        "budget": inst.rules.budget.names,
        "contingency": inst.rules.contingencies.names,
    }


def _named(name: str, axes: tuple[str, ...], index: Any, labels: dict[str, Any]) -> str:
    parts = index if isinstance(index, tuple) else (index,)
    said = ", ".join(labels[axis][i] for axis, i in zip(axes, parts, strict=True))
    return f"{name}[{said}]"


def _number(value: float) -> str:
    return f"{value:.10g}"


def render(inst: Instance, matrix: Matrix) -> dict[str, str]:
    """File name -> text: `rows_*` for constraints, `columns_*` for variables, `cost_*`."""
    labels = _labels(inst)
    columns = [
        _named(name, COLUMN_AXES[name], index, labels)
        for name, block in matrix.column_index.items()
        for index in block
    ]
    out: dict[str, str] = {}
    for name, where in matrix.columns.items():
        lines = [
            f"{_number(matrix.lower[j])} <= {columns[j]} <= {_number(matrix.upper[j])}"
            + (" whole" if matrix.integer[j] else "")
            for j in range(where.start, where.stop)
        ]
        out[f"columns_{name}.txt"] = _text(lines)
    by_row = matrix.a.tocsr()
    for name, where in matrix.rows.items():
        lines = []
        for i, index in zip(range(where.start, where.stop), matrix.row_index[name], strict=True):
            span = slice(by_row.indptr[i], by_row.indptr[i + 1])
            entries = zip(by_row.indices[span], by_row.data[span], strict=True)
            terms = sorted(f"{columns[j]} * {_number(value)}" for j, value in entries)
            low, high = _number(matrix.row_lower[i]), _number(matrix.row_upper[i])
            lines.append(f"{_named(name, ROW_AXES[name], index, labels)} in {low} to {high}:")
            lines.extend(f"    {term}" for term in terms)
        out[f"rows_{name}.txt"] = _text(lines, keep_order=True)
    for term, cost, offset in zip(matrix.cost_terms, matrix.cost, matrix.cost_offset, strict=True):
        used = np.flatnonzero(cost).tolist()
        lines = sorted(f"{columns[j]} * {_number(cost[j])}" for j in used)
        out[f"cost_{term}.txt"] = _text([f"constant {_number(offset)} USD", *lines], True)
    return out


def _text(lines: list[str], keep_order: bool = False) -> str:
    return "\n".join(lines if keep_order else sorted(lines)) + "\n"


def rendered_equations() -> dict[str, str]:
    """The text of every family: of the tiny case, else of the tiny case with rules."""
    out: dict[str, str] = {}
    for case in (tiny_case(), tiny_rules_case()):
        inst = build_instance(case)
        for name, text in render(inst, compile_model(build_model(inst, strengthen=True))).items():
            if not out.get(name, "").strip():
                out[name] = text
    return out
