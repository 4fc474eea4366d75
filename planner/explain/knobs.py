"""The cells of a case that can be relaxed, each with its price.

A knob is one number of a case's tables that a person could change: a limit's bound, the share
that a class promises, the qualification engineers, a pool's supply, a region's install limit, the
fewest or most lots of an offer. What is signed already, what a chip can do and how chips turn into
work are facts and have no knob; neither have the options that signed contracts give.

The price of moving a knob by one unit is weight / scale: moving it by the whole of its value costs
its weight. Rules of our own have the weight 1; what somebody else must grant (supply, space, lots)
has OTHERS. So the cheapest relaxation is the one with the smallest relative change, and it does not
depend on units.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planner.case import Case
from planner.case.case import most_specific
from planner.case.tables import SETTINGS_FILE, TABLE
from planner.equations.limits import cash_limit
from planner.instance import Instance
from planner.instance.procurement import contracts_of
from planner.instance.rule_arrays import groups

OTHERS = 3.0
"""Weight of what others must grant, against 1 for rules of our own."""
_POOL = ("cloud", "region", "chip")


@dataclass(frozen=True)
class Knob:
    """One cell (or the supply rows of one pool) that can be relaxed."""

    table: str
    """Table, or `case` for `case.toml`; '' for an equation that is not in a table."""
    rows: tuple[int, ...]
    """Rows of the table, by position; none for `case`."""
    column: str
    """Column, or key of `case.toml`."""
    name: str
    """In the planner's words."""
    unit: str
    """Unit of the value."""
    sign: int
    """1 when raising relaxes, -1 when lowering does."""
    value: float
    """Present value, in `unit`."""
    scale: float
    """A change of this much costs `weight`; above 0, in `unit`."""
    most: float
    """Largest change that means anything, in `unit`."""
    weight: float = 1.0
    """Price of a change by `scale`."""

    @property
    def file(self) -> str:
        """File that holds the cell."""
        if not self.table:
            return "an equation of yours"
        return SETTINGS_FILE if self.table == "case" else TABLE[self.table].file

    @property
    def price(self) -> float:
        """Price of a change by one unit."""
        return self.weight / self.scale

    def moved(self, change: float) -> float:
        """The value after a change of `change` >= 0 units, rounded to the relaxing side.

        Chips, lots and members are whole; other values keep five significant digits of the
        change.
        """
        if self.unit in ("chips", "lots", "members"):
            change = float(np.ceil(change - 1e-6))
        elif change > 0:
            digit = 10.0 ** (np.floor(np.log10(change)) - 4)
            change = float(np.ceil(change / digit - 1e-6) * digit)
        change = min(change, self.most)
        return float(f"{self.value + self.sign * change:.12g}")


Key = tuple[Hashable, ...]


def knobs_of(case: Case, inst: Instance, raised: Instance) -> dict[Key, Knob]:
    """Every knob of a case by what it is: (`limit`, row), (`survival`, row), (`engineers`,), ...

    `raised` is the instance of the case with more supply (`planner.explain.loosened`): it says
    how far a knob can go.
    """
    out: dict[Key, Knob] = {}
    _limits(case, raised, out)
    for i, row in enumerate(case.survival):
        if row.share > 0:
            loss = "an outage" if row.kind == "outage" else "a supply stop"
            name = f"share of {row.service_class} kept in {loss} of a {row.dimension}"
            out["survival", i] = Knob(
                "survival", (i,), "share", name, "share", -1, row.share, row.share, row.share
            )
    engineers = case.settings.qualification_engineers
    if engineers is not None and len(inst.rules.qualification.names):
        most = float(inst.rules.qualification.engineers.sum())
        name = "qualification engineers"
        column = "qualification_engineers"
        out["engineers",] = Knob(
            "case", (), column, name, "engineers", 1, engineers, max(engineers, 1.0), most
        )
    _granted(case, inst, raised, out)
    return out


def _limits(case: Case, raised: Instance, out: dict[Key, Knob]) -> None:
    """Hard rules of `limits.csv`; one with a price is relaxed by the plan itself."""
    draw = raised.pools.kw @ raised.pools.limit / 1e3
    for i, rule in enumerate(case.limits):
        if rule.penalty_usd_per_unit is not None:
            continue
        name = f"{rule.kind} rule '{rule.limit}'"
        if rule.member != "*":
            name += f" for {rule.member}"
        knob = Knob("limits", (i,), "bound", name, "share", 1, rule.bound, 1.0, 0.0)
        if rule.kind == "share":
            name += f" of {rule.measure}"
            out["limit", i] = replace(
                knob, name=name, scale=max(rule.bound, 0.01), most=1.0 - rule.bound
            )
        elif rule.kind == "power":
            most = float(draw.max())
            scale = rule.bound or most
            out["limit", i] = replace(knob, unit="MW", scale=scale, most=most)
        elif rule.kind == "budget":
            most = float(cash_limit(raised).max())
            out["limit", i] = replace(knob, unit="USD", scale=rule.bound or most, most=most)
        else:
            name += f", model {rule.model}" if rule.model != "*" else ""
            if rule.bound > 0:
                out["limit", i] = replace(
                    knob, name=name, sign=-1, scale=rule.bound, most=rule.bound
                )
            count = rule.count or 1
            if count > 1:
                out["count", i] = replace(
                    knob, column="count", name=f"members of {name}", unit="members", sign=-1,
                    value=count, scale=count, most=count - 1,
                )  # fmt: skip


def _granted(case: Case, inst: Instance, raised: Instance, out: dict[Key, Knob]) -> None:
    """What others grant: supply, install limits, lots."""
    allotted = inst.pools.allotted
    typical = float(allotted[allotted > 0].mean()) if allotted.any() else 1
    more = (raised.pools.allotted - allotted).max(axis=1)
    for p, pool in enumerate(case.pools):
        at = tuple(
            i
            for i, row in enumerate(case.supply)
            if (row.cloud, row.region, row.chip) == (pool.cloud, pool.region, pool.chip)
        )
        if more[p] > 0:
            value = float(allotted[p].max())
            out["supply", p] = Knob(
                "supply", at, "chips", f"supply of {inst.pools.names[p]}", "chips", 1, value,
                value or typical, float(more[p]), OTHERS,
            )  # fmt: skip
    held = raised.pools.limit.max(axis=1)
    for g, region in enumerate(case.regions):
        if region.install_limit_chips is not None:
            inside = [p for p, name in enumerate(inst.pools.region) if name == inst.regions[g]]
            value = region.install_limit_chips
            out["install", g] = Knob(
                "regions", (g,), "install_limit_chips",
                f"install limit of {inst.regions[g]}", "chips", 1, value, value,
                float(held[inside].sum()), OTHERS,
            )  # fmt: skip
    for i, offer in enumerate(case.offers):
        if not offer.term_months:
            continue
        where = f"{offer.cloud}/{offer.region}/{offer.chip}"
        if offer.max_lots is not None:
            value = float(offer.max_lots)
            most = float(np.ceil(held.max() / offer.lot_chips))
            name = f"most lots of {offer.offer} ({where})"
            out["max_lots", i] = Knob(
                "offers", (i,), "max_lots", name, "lots", 1, value, value, most, OTHERS
            )
        if offer.min_lots > 1:
            value = float(offer.min_lots)
            name = f"fewest lots of {offer.offer} ({where})"
            out["min_lots", i] = Knob(
                "offers", (i,), "min_lots", name, "lots", -1, value, value, value - 1, OTHERS
            )


def offer_of_start(case: Case, inst: Instance, j: int) -> int:
    """Row of `offers.csv` behind a start that is no option's."""
    pool = case.pools[int(inst.starts.pool[j])]
    rows = [offer for offer in case.offers if offer.offer == inst.starts.offer[j]]
    found = most_specific(rows, _POOL, (pool.cloud, pool.region, pool.chip))
    return next(i for i, offer in enumerate(case.offers) if offer is found)


def limit_of(case: Case, inst: Instance, kind: str) -> list[int]:
    """Row of `limits.csv` behind each rule of one kind, in the order of the instance."""
    out: list[int] = []
    for i, rule in enumerate(case.limits):
        if rule.kind != kind:
            continue
        times = 1
        if kind == "share":
            times = len(list(groups(inst.pools, rule.dimension or "cloud", rule.member)))
        elif kind == "power":
            times = len(list(groups(inst.pools, "region", rule.member)))
        elif kind == "placement" and rule.model == "*":
            times = len(dict.fromkeys(inst.serving.model))
        out.extend([i] * times)
    return out


def edited(case: Case, knobs: list[tuple[Knob, float]]) -> Case:
    """The case with each knob moved to a new value; knobs of own equations are left out.

    The supply rows of a pool rise together, each from what it allots or what is signed in its
    periods.
    """
    tables: dict[str, Any] = {}
    for knob, value in knobs:
        if knob.table == "case":
            before = tables.get("settings", case.settings)
            tables["settings"] = before.model_copy(update={knob.column: value})
        elif knob.table:
            rows = list(tables.get(knob.table, case.rows(knob.table)))
            for i in knob.rows:
                old = getattr(rows[i], knob.column)
                new: float = value
                if knob.table == "supply":
                    new = max(old, _signed(case, rows[i])) + value - knob.value
                elif isinstance(old, int):
                    new = round(value)
                rows[i] = rows[i].model_copy(update={knob.column: new})
            tables[knob.table] = tuple(rows)
    return replace(case, **tables)


def _signed(case: Case, supply: Any) -> float:
    """Most chips under contract in the periods of a supply row, when it is above the supply."""
    lines = contracts_of(case, {p: [] for p in range(len(case.pools))})
    at = next(
        p
        for p, pool in enumerate(case.pools)
        if (pool.cloud, pool.region, pool.chip) == (supply.cloud, supply.region, supply.chip)
    )
    held = lines.chips[lines.line_pool == at].sum(axis=0)
    if supply.period != "*":
        return float(held[case.calendar.index(supply.period)])
    return float(held.max(initial=0.0))


def override(case: Case, knob: Knob, value: float) -> tuple[str, ...]:
    """`--set` texts that move a knob, none when an override would change other cells as well.

    An override reaches every row that has the same value in the table's first key column.
    """
    new = edited(case, [(knob, value)])
    if knob.table == "case":
        return (f"case.{knob.column}={_text(getattr(new.settings, knob.column))}",)
    if not knob.table:
        return ()
    table = TABLE[knob.table]
    field = table.columns[table.key[0]]
    rows = case.rows(knob.table)
    name = getattr(rows[knob.rows[0]], field)
    same = {i for i, row in enumerate(rows) if getattr(row, field) == name}
    values = {getattr(new.rows(knob.table)[i], knob.column) for i in same}
    if same != set(knob.rows) or len(values) > 1:
        return ()
    return (f"{knob.table}.{name}.{knob.column}={_text(values.pop())}",)


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.12g}"
