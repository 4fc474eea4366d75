"""From one case to another in steps, each of one cause.

A step takes the tables (or columns) of one cause from the new case and keeps those of later
causes as they were. A mixture that breaks a rule of reading (demand of periods that the calendar
does not have yet, say) is no case: its cause is then taken together with the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from planner.case import Case
from planner.case.check import check
from planner.case.records import Record
from planner.case.tables import TABLE, TABLES

CALENDAR = ("name", "description", "start", "as_of", "period", "periods", "slices")
MONEY = ("discount_rate_per_year", "horizon_end_haircut")
OFFER_PRICES = (
    "price_usd_per_chip_hour", "price_trend_per_year", "floating", "upfront_share",
)  # fmt: skip
CONTRACT_PRICES = ("payment_usd_per_chip_hour", "exit_fee_usd")
OPTION_PRICES = ("price_usd_per_chip_hour", "upfront_share")


@dataclass(frozen=True)
class Step:
    """A case on the way, and the causes that led to it from the one before."""

    causes: tuple[str, ...]
    """Causes taken together; more than one where they cannot be told apart."""
    case: Case
    """The case after this change and those before it."""
    rules: bool
    """Whether the rules of the new case hold already."""


def _settings(old: Case, new: Case, keys: tuple[str, ...]) -> Case:
    change = {key: getattr(new.settings, key) for key in keys}
    return replace(old, settings=old.settings.model_copy(update=change))


def _tables(old: Case, new: Case, names: tuple[str, ...]) -> Case:
    some: dict[str, Any] = {name: new.rows(name) for name in names}
    return replace(old, **some)


def _columns(old: Case, new: Case, table: str, fields: tuple[str, ...]) -> Case:
    """Columns of the new case in the rows that both have."""
    known = {_key(table, row): row for row in new.rows(table)}
    rows = []
    for row in old.rows(table):
        other = known.get(_key(table, row))
        some = {} if other is None else {name: getattr(other, name) for name in fields}
        rows.append(row.model_copy(update=some))
    some_rows: dict[str, Any] = {table: tuple(rows)}
    return replace(old, **some_rows)


def _key(table: str, row: Record) -> tuple[Any, ...]:
    fields = TABLE[table].columns
    return tuple(getattr(row, fields[column]) for column in TABLE[table].key)


def _calendar(old: Case, new: Case) -> Case:
    return _settings(old, new, CALENDAR)


def _demand(old: Case, new: Case) -> Case:
    names = ("geographies", "models", "classes", "serving", "demand", "profile", "training")
    return _tables(old, new, names)


def _rates(old: Case, new: Case) -> Case:
    names = ("chips", "architectures", "network", "throughput", "efficiency")
    return _tables(_settings(old, new, ("reference_chip", "flow_floor_chips")), new, names)


def _prices(old: Case, new: Case) -> Case:
    out = _columns(_settings(old, new, MONEY), new, "offers", OFFER_PRICES)
    out = _columns(out, new, "contracts", CONTRACT_PRICES)
    out = _columns(out, new, "options", OPTION_PRICES)
    return _columns(out, new, "regions", ("price_multiplier",))


def _capacity(old: Case, new: Case) -> Case:
    return _tables(
        old, new, ("regions", "pools", "supply", "offers", "contracts", "options")
    )  # fmt: skip


def _rules(old: Case, new: Case) -> Case:
    del old
    return new


CAUSES: tuple[tuple[str, Callable[[Case, Case], Case]], ...] = (
    ("calendar", _calendar),
    ("demand", _demand),
    ("rates", _rates),
    ("prices", _prices),
    ("offers and capacity", _capacity),
    ("rules", _rules),
)
"""Causes in the order in which they are taken; the last leaves nothing of the old case.

calendar: start, today, periods, slices. demand: served models, classes, workloads, demand and
its shape, training. rates: chips, architectures, network, throughput, efficiency. prices:
discounting, and prices of offers, contracts and options that both cases have. offers and
capacity: regions, pools, supply, offers, contracts, options. rules: deals, commitments, tiers,
limits, qualification, contingencies, and how contingencies are held.
"""


def steps(old: Case, new: Case) -> Iterator[Step]:
    """Cases from `old` to `new`; causes that change nothing are left out.

    The last step has every cause that is left, so that it ends in `new`.
    """
    now = old
    pending: list[str] = []
    for cause, take in CAUSES:
        then = take(now, new)
        if then != now:
            pending.append(cause)
            now = then
        if pending and (now == new or _valid(now)):
            yield Step(tuple(pending), now, cause == CAUSES[-1][0])
            pending = []


def _valid(case: Case) -> bool:
    lines = {table.name: range(2, 2 + len(case.rows(table.name))) for table in TABLES}
    return not check(case, lines)
