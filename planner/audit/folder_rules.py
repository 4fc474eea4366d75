"""The variables of rules from a plan's tables, and those that follow from other variables.

A plan without rules of a kind has no table for them; an older plan has none at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from planner.audit.draft import Bools, Floats, Ints
from planner.audit.quantities import (
    HOURS_OF_WEEK,
    hourly_usd,
    states_served,
    states_spend,
)
from planner.audit.values import Labelled
from planner.errors import AuditError
from planner.instance import Instance


def rule_values(inst: Instance, tables: Mapping[str, pd.DataFrame]) -> dict[str, Labelled]:
    """Every variable of rules that a table states; values that are not named are 0.

    Raises AuditError when a table names what the case does not have.
    """
    rules, periods = inst.rules, inst.time.periods
    out: dict[str, Labelled] = {}
    work = _rows(tables, "qualification", "chip", "generation", "purpose", "begins")
    names = [f"{chip} for {of}, {purpose}" for chip, of, purpose, _ in work]
    e = positions(rules.qualification.names, names, "qualification")
    t = positions(periods, [row[3] for row in work], "period")
    out["qualify"] = labelled(np.ones(len(work)), e, t)
    deals = _rows(tables, "deals", "deal", "decision", "signed_in", "shortfall_usd")
    signed = [row for row in deals if row[1] == "signed"]
    d = positions(rules.deals.names, [row[0] for row in signed], "deal")
    t = positions(periods, [row[2] for row in signed], "period")
    out["sign"] = labelled(np.ones(len(signed)), d, t)
    d = positions(rules.deals.names, [row[0] for row in deals], "deal")
    out["deal_shortfall"] = _nonzero([row[3] for row in deals], d)
    windows = _rows(tables, "commitments", "window", "shortfall_usd", "carried_in_usd")
    c = positions(rules.commitments.names, [row[0] for row in windows], "window of a commitment")
    out["shortfall"] = _nonzero([row[1] for row in windows], c)
    out["carried"] = _nonzero([row[2] for row in windows], c)
    tiers = _rows(tables, "tiers", "tier", "spend_usd", "chosen")
    g = positions(rules.tiers.names, [row[0] for row in tiers], "tier")
    out["tier_spend"] = _nonzero([row[1] for row in tiers], g)
    out["in_tier"] = _nonzero([str(row[2]) == "True" for row in tiers], g)
    flows = _rows(
        tables, "contingency_flows", "contingency", "workload", "cloud", "region", "chip",
        "period", "slice", "chips",
    )  # fmt: skip
    k = positions(inst.rules.contingencies.names, [row[0] for row in flows], "contingency")
    w = positions(inst.serving.names, [row[1] for row in flows], "workload")
    p = positions(inst.pools.names, [f"{r[2]}/{r[3]}/{r[4]}" for r in flows], "pool")
    t = positions(periods, [row[5] for row in flows], "period")
    s = positions(inst.time.slices, [row[6] for row in flows], "slice")
    out["cover"] = labelled(np.array([float(row[7]) for row in flows]), k, w, p, t, s)
    return {**out, **_limit_values(inst, tables)}


def _limit_values(inst: Instance, tables: Mapping[str, pd.DataFrame]) -> dict[str, Labelled]:
    """What goes beyond a limit, and which members carry a placement rule."""
    rules = inst.rules
    given = _rows(tables, "rules", "kind", "rule", "member", "period", "value")
    out: dict[str, Labelled] = {}
    for kind, component, rule in (
        ("share", "over_share", rules.shares),
        ("power", "over_power", rules.power),
        ("budget", "over_budget", rules.budget),
    ):
        some = [row for row in given if row[0] == kind]
        n, t = _holding(inst, rule.names, rule.active, some)
        out[component] = labelled(np.array([row[4] for row in some], dtype=np.float64), n, t)
    some = [row for row in given if row[0] == "placement"]
    place = rules.placement
    n, t = _holding(inst, place.names, place.active, some)
    i = [
        int(positions(place.member_names[rule], [row[2]], "member")[0])
        for rule, row in zip(n.tolist(), some, strict=True)
    ]
    value = np.array([row[4] for row in some], dtype=np.float64)
    out["carries"] = labelled(value, n, np.array(i, dtype=np.int64), t)
    strange = {str(row[0]) for row in given} - {"share", "power", "budget", "placement"}
    if strange:
        raise AuditError(f"rules: there is no kind {', '.join(sorted(strange))}")
    return out


def _holding(
    inst: Instance, names: Sequence[str], active: Bools, rows: Sequence[Sequence[Any]]
) -> tuple[Ints, Ints]:
    """Rule and period of rows of the table `rules`: of rules with one name, that which holds."""
    t = positions(inst.time.periods, [row[3] for row in rows], "period")
    n = []
    for row, when in zip(rows, t.tolist(), strict=True):
        named = [i for i, name in enumerate(names) if name == str(row[1])]
        holds = [i for i in named if active[i, when]]
        if len(holds) != 1:
            many = "no" if not holds else "more than one"
            raise AuditError(f"rules: {many} {row[0]} rule '{row[1]}' holds in {row[3]}")
        n.append(holds[0])
    return np.array(n, dtype=np.int64), t


def _rows(tables: Mapping[str, pd.DataFrame], name: str, *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of a table, row by row; no rows when there is no such table."""
    if name not in tables:
        return []
    return list(zip(*(tables[name][column].tolist() for column in columns), strict=True))


def _nonzero(values: Sequence[Any], index: Ints) -> Labelled:
    """Values that are not 0: the tables also have rows for what is not a variable."""
    numbers = np.array(values, dtype=np.float64)
    some = numbers != 0.0
    return labelled(numbers[some], index[some])


def positions(labels: Sequence[str], wanted: Sequence[Any], what: str) -> Ints:
    """Positions of labels; AuditError for one that there is not."""
    at = {name: i for i, name in enumerate(labels)}
    try:
        return np.array([at[str(name)] for name in wanted], dtype=np.int64)
    except KeyError as error:
        raise AuditError(f"there is no {what} {error}") from error


def labelled(values: Floats, *index: Ints) -> Labelled:
    """Values with the parts of their index."""
    return Labelled(np.stack(index, axis=1).reshape(len(values), len(index)), values)


def defined_values(inst: Instance, values: Mapping[str, Labelled]) -> dict[str, Labelled]:
    """Variables which equations define from other variables, where they stand.

    begun[e,t] = sum_{tau <= t} qualify[e,tau], agreed[d,t] likewise of deals;
    spend[p,t] = what contracts that are kept, lots and hours of the pool cost in the period;
    served[p,t] = sum_{w,s} slice_hours[s] / 168 * rate[w,p,t] / reference_rate[w] * serve.
    """
    can_begin = np.arange(len(inst.time.periods)) >= inst.rules.qualification.first
    out = {
        name: _running(values[of], can)
        for name, of, can in (
            ("begun", "qualify", can_begin),
            ("agreed", "sign", inst.rules.deals.sign_in),
        )
        if of in values and len(values[of].values)
    }
    if states_spend(inst):
        out["spend"] = _dense(_spend(inst, values))
    if states_served(inst):
        work = np.zeros(inst.pools.limit.shape)
        w, p, t, s = values["serve"].index.T
        chips = inst.serving.rate[w, p, t] / inst.serving.reference_rate[w]
        week = inst.time.slice_hours[s] / HOURS_OF_WEEK
        np.add.at(work, (p, t), week * chips * values["serve"].values)
        out["served"] = _dense(work)
    return out


def _running(begins: Labelled, can: Bools) -> Labelled:
    """Running sums of what begins where it can [., period], but for the first period of each."""
    rows = begins.index[:, 0]
    can = np.broadcast_to(can, (int(rows.max(initial=-1)) + 1, can.shape[-1]))
    later = can & (np.cumsum(can, axis=1) > 1)
    out = np.zeros(can.shape)
    np.add.at(out, tuple(begins.index.T), begins.values)
    i, t = np.nonzero(later)
    return labelled(np.cumsum(out, axis=1)[i, t], i, t)


def _spend(inst: Instance, values: Mapping[str, Labelled]) -> Floats:
    c, starts, pay = inst.contracts, inst.starts, inst.pay
    kept = np.ones((len(c.names), len(inst.time.periods)))
    left = values["leave"]
    for (k, t), share in zip(left.index.tolist(), left.values.tolist(), strict=True):
        kept[k, t:] -= share
    out = np.zeros(inst.pools.limit.shape)
    np.add.at(out, c.line_pool, c.payment_usd * kept[c.line_contract])
    j = values["lots"].index[:, 0]
    np.add.at(out, starts.pool[j], starts.accrued_usd[j] * values["lots"].values[:, None])
    v, t, s = values["hourly"].index.T
    np.add.at(out, (pay.pool[v], t), hourly_usd(inst)[v, t, s] * values["hourly"].values)
    return out


def _dense(grid: Floats) -> Labelled:
    """A grid of numbers with the index of each."""
    p, t = np.indices(grid.shape)
    return labelled(grid.ravel(), p.ravel(), t.ravel())
