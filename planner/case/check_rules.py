"""Rules between tables for deals, commitments, tiers, qualification, limits and contingencies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise

from planner.case.checker import Checker
from planner.case.records import Record
from planner.case.rules import Limit

NEEDS = {
    "share": ("dimension", "measure"),
    "power": (),
    "budget": (),
    "placement": ("dimension", "count"),
}
"""Kind of a limit -> columns that it cannot do without."""
ALSO = {
    "share": ("member", "penalty_usd_per_unit"),
    "power": ("dimension", "member", "penalty_usd_per_unit"),
    "budget": ("penalty_usd_per_unit",),
    "placement": ("member", "model"),
}
"""Kind of a limit -> columns that it may have; the others have no meaning for it."""
LIMIT_COLUMNS = ("dimension", "member", "measure", "model", "count", "penalty_usd_per_unit")
"""Columns of a limit that depend on its kind."""
DIMENSIONS = {
    "share": ("cloud", "vendor", "chip", "region"),
    "power": ("region",),
    "placement": ("cloud", "region"),
    "outage": ("cloud", "region", "chip"),
    "supply_stop": ("vendor",),
}
"""Kind of a limit or contingency -> what its members can be."""


def _check_deals(c: Checker) -> None:
    """A rejected deal keeps its terms, so that a what-if can change the status alone."""
    for i, offer in enumerate(c.case.offers):
        if offer.deal:
            c.refer("offers", i, "deal", offer.deal)
    for i, deal in enumerate(c.case.deals):
        terms = ("signing_cost_usd", "prepayment_usd", "prepayment_credited_months")
        if deal.status == "signed":
            for name in (*terms, "earliest_signing"):
                if getattr(deal, name):
                    c.add("deals", i, name, "has no meaning for status signed")
        if deal.prepayment_credited_months and not deal.prepayment_usd:
            c.add("deals", i, "prepayment_credited_months", "has no meaning without prepayment_usd")
        if deal.prepayment_usd and not deal.prepayment_credited_months:
            c.add("deals", i, "prepayment_credited_months", "a prepayment needs it")
        if deal.minimum_spend_usd < deal.prepayment_usd:
            rule = f"{deal.minimum_spend_usd:g} is below prepayment_usd"
            c.add("deals", i, "minimum_spend_usd", rule)
        ready, earliest = deal.ready_for_service, deal.earliest_signing
        if ready and earliest and ready < earliest:
            c.add("deals", i, "ready_for_service", f"{ready} is before earliest_signing")


def _check_commitments(c: Checker) -> None:
    clouds: dict[str, str] = {}
    for i, row in enumerate(c.case.commitments):
        c.refer("commitments", i, "cloud", row.cloud)
        c.refer_span("commitments", i, row.period_from, row.period_to)
        if clouds.setdefault(row.commitment, row.cloud) != row.cloud:
            rule = f"commitment '{row.commitment}' has another cloud elsewhere"
            c.add("commitments", i, "cloud", rule)
    _overlaps(c, "commitments", ("commitment",))


def _check_tiers(c: Checker) -> None:
    years = {day.year for day in c.calendar.starts[:-1]}
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for i, row in enumerate(c.case.tiers):
        c.refer("tiers", i, "cloud", row.cloud)
        if row.year not in years:
            rule = f"{row.year} is outside the horizon ({min(years)} to {max(years)})"
            c.add("tiers", i, "year", rule)
        groups[row.cloud, row.year].append(i)
    for (cloud, year), at in groups.items():
        steps = sorted(at, key=lambda i: c.case.tiers[i].from_usd)
        if c.case.tiers[steps[0]].from_usd > 0:
            c.add("tiers", steps[0], "from_usd", f"the first step of {cloud} in {year} is not at 0")
        for before, i in pairwise(steps):
            low, high = c.case.tiers[before], c.case.tiers[i]
            if low.from_usd == high.from_usd:
                rule = f"{high.from_usd:g} is where step '{low.tier}' begins"
                c.add("tiers", i, "from_usd", rule)
            elif high.discount < low.discount:
                rule = f"{high.discount:g} is below that of step '{low.tier}'"
                c.add("tiers", i, "discount", rule)


def _check_qualification(c: Checker) -> None:
    """A generation is served or trained; one that is only trained may be no served model's yet."""
    able = {chip.chip: chip.training_capable for chip in c.case.chips}
    trained = {run.generation for run in c.case.training}
    worked_on = c.names["generation"] | {row.generation for row in c.case.qualification}
    for i, run in enumerate(c.case.training):
        if run.generation and run.generation not in worked_on:
            rule = f"there is no generation '{run.generation}' in models or qualification"
            c.add("training", i, "generation", rule)
    for i, row in enumerate(c.case.qualification):
        if row.purpose == "serving" or row.generation not in trained:
            c.refer("qualification", i, "generation", row.generation)
        known = c.refer("qualification", i, "chip", row.chip)
        if known and row.purpose == "training" and not able[row.chip]:
            rule = f"chip '{row.chip}' is not training capable"
            c.add("qualification", i, "purpose", rule)
        for name in ("cost_usd", "engineers", "lead_months"):
            if row.done and getattr(row, name):
                c.add("qualification", i, name, "has no meaning when done")


def _check_limits(c: Checker) -> None:
    for i, rule in enumerate(c.case.limits):
        c.refer_span("limits", i, rule.period_from, rule.period_to)
        for name in LIMIT_COLUMNS:
            given = getattr(rule, name) not in (None, "*")
            if not given and name in NEEDS[rule.kind]:
                c.add("limits", i, name, f"kind {rule.kind} needs it")
            if given and name not in (*NEEDS[rule.kind], *ALSO[rule.kind]):
                c.add("limits", i, name, f"has no meaning for kind {rule.kind}")
        if rule.kind in ("share", "placement") and rule.bound > 1:
            c.add("limits", i, "bound", f"{rule.bound:g} is above 1")
        if rule.kind != "budget":
            _check_members(c, i, rule)
        if rule.kind == "placement":
            c.refer("limits", i, "model", rule.model)
    _same(c, "limits", "limit", ("kind", "dimension", "measure"))
    _overlaps(c, "limits", ("limit",), ("member", "model"))


def _check_members(c: Checker, i: int, rule: Limit) -> None:
    """Rules on what a limit's members are, and on how many of them there can be."""
    dimension = rule.dimension or ("region" if rule.kind == "power" else None)
    if dimension is None:
        return
    if dimension not in DIMENSIONS[rule.kind]:
        c.add("limits", i, "dimension", f"'{dimension}' has no meaning for kind {rule.kind}")
        return
    c.refer_member("limits", i, dimension, rule.member)
    if rule.kind == "placement" and rule.count:
        there = len(c.members[dimension]) if rule.member == "*" else 1
        if rule.count > there:
            c.add("limits", i, "count", f"{rule.count} is above the number of members, {there}")
        elif rule.count * rule.bound > 1 + 1e-9:
            what = f"{rule.count} members cannot each carry {rule.bound:g} of the demand"
            c.add("limits", i, "bound", what)


def _check_contingencies(c: Checker) -> None:
    for i, row in enumerate(c.case.contingencies):
        c.refer_span("contingencies", i, row.period_from, row.period_to)
        if row.dimension in DIMENSIONS[row.kind]:
            c.refer_member("contingencies", i, row.dimension, row.member)
        else:
            what = f"'{row.dimension}' has no meaning for kind {row.kind}"
            c.add("contingencies", i, "dimension", what)
        if row.kind == "outage" and row.months != type(row).model_fields["months"].default:
            c.add("contingencies", i, "months", "has no meaning for kind outage")
    _same(c, "contingencies", "contingency", ("kind", "dimension"))
    _overlaps(c, "contingencies", ("contingency",), ("member",))


def _check_survival(c: Checker) -> None:
    """A class without a row promises nothing; a row that nothing asks for is a mistake."""
    used = {(row.kind, row.dimension) for row in c.case.contingencies}
    for i, row in enumerate(c.case.survival):
        c.refer("survival", i, "class", row.service_class)
        if (row.kind, row.dimension) not in used:
            what = f"no contingency is of kind {row.kind} and dimension {row.dimension}"
            c.add("survival", i, "kind/dimension", what)


def _same(c: Checker, table: str, name: str, columns: Sequence[str]) -> None:
    """Note rows of one rule that differ in what the rule is."""
    first: dict[str, Record] = {}
    for i, row in enumerate(c.case.rows(table)):
        rule = getattr(row, name)
        known = first.setdefault(rule, row)
        for column in columns:
            if getattr(row, column) != getattr(known, column):
                c.add(table, i, column, f"{name} '{rule}' has another {column} elsewhere")


def _overlaps(c: Checker, table: str, equal: Sequence[str], wild: Sequence[str] = ()) -> None:
    """Note rows that say something twice about one period.

    Two rows meet when their columns `equal` are equal, those in `wild` are equal or `*`, and
    their spans of periods meet.
    """
    rows = c.case.rows(table)
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        groups[tuple(getattr(row, name) for name in equal)].append(i)
    for at in groups.values():
        for n, i in enumerate(at):
            for other in at[:n]:
                if _meet(c, rows[other], rows[i], wild):
                    what = f"overlaps line {c.lines[table][other]}"
                    c.add(table, i, "period_from/period_to", what)
                    break


def _meet(c: Checker, one: Record, two: Record, wild: Sequence[str]) -> bool:
    for name in wild:
        values = {getattr(one, name), getattr(two, name)} - {"*"}
        if len(values) > 1:
            return False
    ends = (c.calendar.labels[0], c.calendar.labels[-1])
    low, high = (
        [getattr(row, name) or end for row in (one, two)]
        for name, end in zip(("period_from", "period_to"), ends, strict=True)
    )
    return bool(max(low) <= min(high))


RULES: tuple[tuple[Callable[[Checker], None], str], ...] = (
    (_check_deals, "deals offers"),
    (_check_commitments, "regions commitments"),
    (_check_tiers, "regions tiers"),
    (_check_qualification, "chips models training qualification"),
    (_check_limits, "chips pools models limits"),
    (_check_contingencies, "chips pools contingencies"),
    (_check_survival, "classes contingencies survival"),
)
"""Each check with the tables that it looks at; left out when one of them cannot be read."""
