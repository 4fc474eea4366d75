"""What one more unit of a limit moves, stated a second time: row by row instead of limit by limit.

Every row (and column bound) of the audit's problem is asked which units move it and by how much;
what the same unit moves is then put together. Kinds, members and rates are those of the tables of
prices; the weights are written from the formulas of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planner.audit.draft import Floats, Ints
from planner.audit.model import AuditModel
from planner.case import Case, most_specific
from planner.instance import Instance

WHOLE_ONLY = ("chip", "chip_slice", "demand", "pay_as_you_go")
"""Kinds that have a price only once every whole number is decided."""
FRACTIONS_ONLY = ("install", "offer_lots", "engineers")
"""Kinds that have a price only while lots can be fractions."""
COSTLY = ("demand", "commitment", "deal_minimum", "contingency")
"""Requirements: one more unit costs, while one more unit of a limit saves."""
HOURS_OF_WEEK = 168.0

Key = tuple[str, str, str, str]
"""Kind, member, period and slice, as a table of prices has them."""


@dataclass(frozen=True, eq=False)
class Unit:
    """One more unit of a limit or a requirement."""

    costs: bool
    """Whether one more unit costs; otherwise it saves."""
    rate: float
    """Factor from present USD to USD of the period and unit of work; 0 = none is told."""
    rows: Ints
    """Rows whose sides move."""
    row_weights: Floats
    """By how much."""
    columns: Ints
    """Columns whose upper bound moves."""
    column_weights: Floats
    """By how much."""


class _Moves:
    """Who moves what: (kind, member, period, slice) as numbers, position, weight."""

    def __init__(self) -> None:
        """Nothing moves yet."""
        self._found: dict[tuple[str, int, int, int], list[tuple[int, float]]] = {}

    def put(
        self,
        kind: str,
        member: Ints | int,
        period: Ints | int,
        positions: Ints,
        weight: Floats | float = 1.0,
        *,
        part: Ints | int = -1,
    ) -> None:
        """One more unit of each member moves these positions by these weights; 0 moves nothing.

        Period -1: the unit spans several; part -1: all slices together.
        """
        n = len(positions)
        given = (member, period, part, positions, weight)
        columns = [np.broadcast_to(np.asarray(x), (n,)).tolist() for x in given]
        for i, t, s, at, w in zip(*columns, strict=True):
            if w != 0:
                self._found.setdefault((kind, i, t, s), []).append((at, w))

    def of(self, key: tuple[str, int, int, int]) -> tuple[Ints, Floats]:
        """Positions and weights of one unit."""
        found = self._found.get(key, [])
        positions = np.array([at for at, _ in found], dtype=np.int64)
        return positions, np.array([weight for _, weight in found], dtype=np.float64)

    def keys(self) -> list[tuple[str, int, int, int]]:
        """Every unit that moves something."""
        return list(self._found)


def units_of(case: Case, inst: Instance, model: AuditModel) -> dict[Key, Unit]:
    """Every unit that a price may be asked of, by what a table of prices calls it."""
    rows, columns = _Moves(), _Moves()
    _work(inst, model, rows, columns)
    _supply(case, inst, model, rows, columns)
    _rules(inst, model, rows, columns)
    names = _names(inst)
    periods, slices = inst.time.periods, inst.time.slices
    out = {}
    for key in dict.fromkeys((*rows.keys(), *columns.keys())):
        kind, i, t, s = key
        label = (
            kind, names[kind][i], periods[t] if t >= 0 else "", slices[s] if s >= 0 else ""
        )  # fmt: skip
        out[label] = Unit(kind in COSTLY, _rate(inst, *key), *rows.of(key), *columns.of(key))
    return out


def priced_in(problem: str, kind: str) -> bool:
    """Whether a kind has a price in the operating or the investment problem."""
    return kind not in (FRACTIONS_ONLY if problem == "operating" else WHOLE_ONLY)


def _names(inst: Instance) -> Mapping[str, tuple[str, ...]]:
    """Members of each kind; an offer's lots are called by its pool, their start by the period."""
    rules = inst.rules
    return {
        "chip": inst.pools.names,
        "chip_slice": inst.pools.names,
        "demand": inst.serving.names,
        "pay_as_you_go": inst.pay.names,
        "supply": inst.pools.names,
        "install": inst.regions,
        "offer_lots": tuple(name.rsplit(" @ ", 1)[0] for name in inst.starts.names),
        "power": rules.power.names,
        "budget": rules.budget.names,
        "share": rules.shares.names,
        "engineers": ("qualification",),
        "commitment": rules.commitments.names,
        "deal_minimum": rules.deals.names,
        "contingency": rules.contingencies.names,
    }


def _rate(inst: Instance, kind: str, i: int, t: int, s: int) -> float:
    """Per chip-hour of the period or slice, per million computed tokens, or none."""
    if kind not in ("chip", "chip_slice", "demand", "pay_as_you_go", "supply"):
        return 0.0
    hours = float(inst.time.hours[t] * inst.time.discount[t])
    if kind == "chip_slice":
        hours *= float(inst.time.slice_hours[s]) / HOURS_OF_WEEK
    if kind == "demand":
        return 1e6 / (hours * 3600.0 * float(inst.serving.computed_tokens[i]))
    return 1.0 / hours


def _work(inst: Instance, model: AuditModel, rows: _Moves, columns: _Moves) -> None:
    """Contracted chips, demand with the shape of its week, and what must survive a loss."""
    usable, sv = inst.pools.usable, inst.serving
    for name in ("capacity", "firm_capacity", "cover_capacity"):
        if name in model.rows:
            block = model.rows[name]
            p, t, s = (block[axis] for axis in ("pool", "period", "slice"))
            rows.put("chip", p, t, block.positions, usable[p])
            if len(inst.time.slices) > 1:
                rows.put("chip_slice", p, t, block.positions, usable[p], part=s)
    weekly = np.einsum("wts,s->wt", sv.mean, inst.time.slice_hours) / inst.time.slice_hours.sum()
    shape = sv.peak / np.where(weekly > 0, weekly, np.inf)[:, :, None]
    if "demand_peak" in model.rows:
        block = model.rows["demand_peak"]
        w, t, s = (block[axis] for axis in ("workload", "period", "slice"))
        rows.put("demand", w, t, block.positions, shape[w, t, s])
    if "demand_volume" in model.rows:
        block = model.rows["demand_volume"]
        w, t = block["workload"], block["period"]
        rows.put("demand", w, t, block.positions, HOURS_OF_WEEK * shape[w, t, 0])
    if "cover_demand" in model.rows:
        block = model.rows["cover_demand"]
        k, w, t, s = (block[axis] for axis in ("contingency", "workload", "period", "slice"))
        share = inst.rules.contingencies.share[k, w]
        rows.put("demand", w, t, block.positions, share * shape[w, t, s] / sv.headroom[w])
        plain = sv.peak[w, t, s] / sv.headroom[w]
        rows.put("contingency", k, t, block.positions, plain / 100.0)
    if "hourly" in model.columns:
        hourly = model.columns["hourly"]
        columns.put("pay_as_you_go", hourly["hourly offer"], hourly["period"], hourly.positions)


def _supply(case: Case, inst: Instance, model: AuditModel, rows: _Moves, columns: _Moves) -> None:
    """Chips allotted, chips started in a region, lots of an offer.

    Supply that contracts exceed moves nothing; where renewals reach it, it is in coefficients.
    """
    pools, starts = inst.pools, inst.starts
    reached = np.where(pools.renewable > 0, pools.existing + pools.renewable, pools.existing)
    free = (pools.supply > reached).astype(np.float64)
    if "supply" in model.rows:
        block = model.rows["supply"]
        p, t = block["pool"], block["period"]
        rows.put("supply", p, t, block.positions, free[p, t])
    block = model.columns["contracted"]
    p, t = block["pool"], block["period"]
    columns.put("supply", p, t, block.positions, free[p, t])
    if "hourly" in model.columns:
        block = model.columns["hourly"]
        v, t = block["hourly offer"], block["period"]
        p, share = inst.pay.pool[v], _shares_of_supply(case, inst)
        columns.put("supply", p, t, block.positions, free[p, t] * share[v, t])
    if "install" in model.rows:
        block = model.rows["install"]
        rows.put("install", block["region"], block["period"], block.positions)
    block = model.columns["lots"]
    own = np.append(inst.options.of_start, -1)[: len(starts.names)] < 0
    offered = (own & (starts.min_lots <= 1))[block["start"]]
    j = block["start"]
    columns.put("offer_lots", j, starts.period[j], block.positions, offered.astype(np.float64))


def _shares_of_supply(case: Case, inst: Instance) -> Floats:
    """By how much the most chips by the hour follow what is allotted [v, t]; 0 at their own most.

    max_chips = min(max_supply_share * supply, the offer's max_chips)
    """
    keys = ("cloud", "region", "chip")
    out = np.zeros_like(inst.pay.max_chips)
    for v, p in enumerate(inst.pay.pool.tolist()):
        rows = [offer for offer in case.offers if offer.offer == inst.pay.offer[v]]
        row = most_specific(rows, keys, inst.pools.names[p].split("/", 2))
        if row is None:
            continue
        share = 1.0 if row.max_supply_share is None else row.max_supply_share
        follows = inst.pay.max_chips[v] > 0
        if row.max_chips is not None:
            follows &= share * inst.pools.supply[p] < row.max_chips
        out[v, follows] = share
    return out


def _rules(inst: Instance, model: AuditModel, rows: _Moves, columns: _Moves) -> None:
    """Rules of ours and agreements: every row is moved by a unit of its own rule."""
    for name, kind, axis in (
        ("power", "power", "power rule"),
        ("budget", "budget", "budget"),
        ("share_spend", "share", "share rule"),
        ("share_chips", "share", "share rule"),
        ("share_served", "share", "share rule"),
        ("share_training_peak", "share", "share rule"),
    ):
        if name in model.rows:
            block = model.rows[name]
            rows.put(kind, block[axis], block["period"], block.positions)
    if "engineers_limit" in model.rows:
        block = model.rows["engineers_limit"]
        rows.put("engineers", 0, block["period"], block.positions)
    if "commitment" in model.rows:
        block = model.rows["commitment"]
        rows.put("commitment", block["window"], -1, block.positions)
    if "carry_over" in model.rows:
        # What is carried over is spend above the minimum of the window before.
        block = model.rows["carry_over"]
        before = inst.rules.commitments.previous[block["window"]]
        rows.put("commitment", before, -1, block.positions, -1.0)
    # The minimum of a deal that may be signed stands in coefficients of its signing.
    signed = inst.rules.deals.open.astype(np.float64)
    if "deal_minimum" in model.rows:
        block = model.rows["deal_minimum"]
        d = block["deal"]
        rows.put("deal_minimum", d, -1, block.positions, signed[d])
    if "shortfall" in model.columns:
        block = model.columns["shortfall"]
        columns.put("commitment", block["window"], -1, block.positions)
    if "deal_shortfall" in model.columns:
        block = model.columns["deal_shortfall"]
        d = block["deal"]
        columns.put("deal_minimum", d, -1, block.positions, signed[d])
