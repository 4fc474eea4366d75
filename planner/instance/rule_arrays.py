"""Limits, qualification, deals, commitments and contingencies of a case, made into arrays."""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import numpy as np

from planner.case import Calendar, Case
from planner.case.agreements import Commitment, Deal
from planner.case.calendar import DAYS_PER_YEAR, add_months
from planner.case.rules import Limit
from planner.errors import InputError
from planner.instance.axes import Bools, Pools, Serving, Starts
from planner.instance.impossible import impossible
from planner.instance.rules import (
    BudgetRules,
    Commitments,
    Contingencies,
    Deals,
    PlacementRules,
    PowerRules,
    Qualifications,
    Rules,
    ShareRules,
    Tiers,
)


def rules_of(case: Case, pools: Pools, serving: Serving, starts: Starts) -> Rules:
    """Every rule of a case as arrays.

    Raises InputError when contracts that are signed make a hard limit impossible.
    """
    rules = Rules(
        shares=_share_rules(case, pools),
        power=_power_rules(case, pools),
        budget=_budget_rules(case),
        placement=_placement_rules(case, pools, serving),
        qualification=_qualifications(case, pools, serving),
        deals=_deals(case, starts),
        commitments=_commitments(case, pools),
        tiers=_tiers(case, pools),
        contingencies=_contingencies(case, pools, serving),
    )
    faults = impossible(case, pools, starts, rules)
    if faults:
        raise InputError(faults)
    return rules


def groups(pools: Pools, dimension: str, member: str) -> Iterator[tuple[str, Bools]]:
    """Members of a dimension (all of them for `*`) with their pools [p]."""
    labels = np.array(getattr(pools, dimension))
    names = list(dict.fromkeys(labels.tolist())) if member == "*" else [member]
    for name in names:
        yield name, labels == name


def span(calendar: Calendar, first: str | None, last: str | None) -> Bools:
    """Periods from one label to another, both included; None = the ends of the horizon [t]."""
    low = calendar.index(first) if first else 0
    high = calendar.index(last) if last else len(calendar) - 1
    at = np.arange(len(calendar))
    out: Bools = (at >= low) & (at <= high)
    return out


def _grid(rows: list[Bools], width: int) -> Bools:
    return np.array(rows, dtype=bool).reshape(len(rows), width)


def _spans(rows: Sequence[Limit | Commitment], calendar: Calendar) -> Bools:
    """Periods of each row [row, t]."""
    return _grid([span(calendar, row.period_from, row.period_to) for row in rows], len(calendar))


def _penalty(value: float | None) -> float:
    return np.inf if value is None else value


def _share_rules(case: Case, pools: Pools) -> ShareRules:
    calendar = case.calendar
    found = [
        (f"{rule.limit}: {name}", rule, mask)
        for rule in case.limits
        if rule.kind == "share"
        for name, mask in groups(pools, rule.dimension or "cloud", rule.member)
    ]
    return ShareRules(
        names=tuple(name for name, _, _ in found),
        measure=tuple(rule.measure or "" for _, rule, _ in found),
        member=_grid([mask for _, _, mask in found], len(pools.names)),
        bound=np.array([rule.bound for _, rule, _ in found]),
        active=_spans([r for _, r, _ in found], calendar),
        penalty_usd=np.array([_penalty(r.penalty_usd_per_unit) for _, r, _ in found]),
    )


def _power_rules(case: Case, pools: Pools) -> PowerRules:
    calendar = case.calendar
    found = [
        (f"{rule.limit}: {name}", rule, mask)
        for rule in case.limits
        if rule.kind == "power"
        for name, mask in groups(pools, "region", rule.member)
    ]
    return PowerRules(
        names=tuple(name for name, _, _ in found),
        member=_grid([mask for _, _, mask in found], len(pools.names)),
        bound_mw=np.array([rule.bound for _, rule, _ in found]),
        active=_spans([r for _, r, _ in found], calendar),
        penalty_usd=np.array([_penalty(r.penalty_usd_per_unit) for _, r, _ in found]),
    )


def _budget_rules(case: Case) -> BudgetRules:
    calendar = case.calendar
    found = [rule for rule in case.limits if rule.kind == "budget"]
    return BudgetRules(
        names=tuple(rule.limit for rule in found),
        bound_usd=np.array([rule.bound for rule in found]),
        active=_spans(found, calendar),
        penalty_usd=np.array([_penalty(rule.penalty_usd_per_unit) for rule in found]),
    )


def _placement_rules(case: Case, pools: Pools, serving: Serving) -> PlacementRules:
    calendar = case.calendar
    model = np.array(serving.model)
    found = [
        (rule, name)
        for rule in case.limits
        if rule.kind == "placement"
        for name in (dict.fromkeys(serving.model) if rule.model == "*" else [rule.model])
    ]
    members = [list(groups(pools, rule.dimension or "cloud", rule.member)) for rule, _ in found]
    return PlacementRules(
        names=tuple(f"{rule.limit}: {name}" for rule, name in found),
        workloads=_grid([model == name for _, name in found], len(model)),
        count=np.array([rule.count or 1 for rule, _ in found], dtype=np.int64),
        share=np.array([rule.bound for rule, _ in found]),
        active=_spans([r for r, _ in found], calendar),
        member_names=tuple(tuple(name for name, _ in rows) for rows in members),
        member=tuple(_grid([mask for _, mask in rows], len(pools.names)) for rows in members),
    )


def _qualifications(case: Case, pools: Pools, serving: Serving) -> Qualifications:
    calendar = case.calendar
    rows = [row for row in case.qualification if not row.done]
    chip, generation = np.array(pools.chip), np.array(serving.generation)
    serves = [row.purpose == "serving" for row in rows]
    return Qualifications(
        names=tuple(f"{row.chip} for {row.generation}, {row.purpose}" for row in rows),
        pools=_grid([chip == row.chip for row in rows], len(chip)),
        workloads=_grid(
            [(generation == row.generation) & use for row, use in zip(rows, serves, strict=True)],
            len(generation),
        ),
        runs=_grid(
            [
                np.array([run.generation in ("", row.generation) for run in case.training], bool)
                & (not use)
                for row, use in zip(rows, serves, strict=True)
            ],
            len(case.training),
        ),
        training=np.array([not use for use in serves], dtype=bool),
        cost_usd=np.array([row.cost_usd for row in rows]),
        engineers=np.array([row.engineers for row in rows]),
        lead_periods=np.array(
            [-(-row.lead_months // calendar.months) for row in rows], dtype=np.int64
        ),
        first=calendar.first_from(case.settings.as_of),
        most_engineers=_penalty(case.settings.qualification_engineers),
    )


def _deals(case: Case, starts: Starts) -> Deals:
    """Deals; one under negotiation can be signed from the period under way on.

    It is signed on the period's first day, or on as_of or its earliest day where that falls into
    the period, so that an offer of it starts no later than one that needs no deal would.
    """
    calendar = case.calendar
    rate = case.settings.discount_rate_per_year
    names = [deal.deal for deal in case.deals]
    horizon = len(calendar)
    sign_in = np.zeros((len(names), horizon), dtype=bool)
    signing, present = np.zeros((len(names), horizon)), np.zeros((len(names), horizon))
    credited = np.full((len(names), horizon), horizon, dtype=np.int64)
    days: list[list[date]] = []
    for d, deal in enumerate(case.deals):
        soonest = max(case.settings.as_of, deal.earliest_signing or date.min)
        days.append([max(day, soonest) for day in calendar.starts[:-1]])
        if deal.status == "negotiating":
            sign_in[d] = [soonest < end for end in calendar.starts[1:]]
        signing[d] = deal.signing_cost_usd
        since = np.array([(day - calendar.starts[0]).days for day in days[d]])
        years = since / DAYS_PER_YEAR
        back = years + deal.prepayment_credited_months / 12
        held = deal.prepayment_usd * ((1 + rate) ** -years - (1 + rate) ** -back)
        present[d] = deal.signing_cost_usd * (1 + rate) ** -years + held
        credited[d] = [_credited_in(calendar, day, deal) for day in days[d]]
    of_start = np.array([names.index(x) if x else -1 for x in starts.deal], dtype=np.int64)
    signed_by = [
        sum(
            day + timedelta(days=int(lead)) <= calendar.starts[t]
            for day in (days[d] if d >= 0 else calendar.starts[:-1])
        )
        - 1
        for d, t, lead in zip(
            of_start.tolist(), starts.period.tolist(), starts.sign_by_days.tolist(), strict=True
        )
    ]
    return Deals(
        names=tuple(names),
        open=np.array([deal.status == "signed" for deal in case.deals], dtype=bool),
        sign_in=sign_in,
        signing_usd=signing,
        prepayment_usd=np.array([deal.prepayment_usd for deal in case.deals]),
        present_usd=present,
        credited_in=credited,
        minimum_usd=np.array([deal.minimum_spend_usd for deal in case.deals]),
        of_start=of_start,
        signed_by=np.array(signed_by, dtype=np.int64),
    )


def _credited_in(calendar: Calendar, signed: date, deal: Deal) -> int:
    """Period in which a prepayment has come back; the number of periods when after them."""
    first = add_months(signed, deal.prepayment_credited_months)
    day = first + timedelta(days=signed.day - 1)
    return sum(end <= day for end in calendar.starts[1:])


def _commitments(case: Case, pools: Pools) -> Commitments:
    calendar = case.calendar
    rows = sorted(case.commitments, key=lambda row: (row.commitment, row.period_from))
    cloud = np.array(pools.cloud)
    ends = [calendar.index(row.period_to) for row in rows]
    years = calendar.years() + calendar.hours() / (24 * 365.25)
    previous = [
        i - 1 if i and rows[i - 1].commitment == row.commitment else -1
        for i, row in enumerate(rows)
    ]
    return Commitments(
        names=tuple(f"{row.commitment} from {row.period_from}" for row in rows),
        member=_grid([cloud == row.cloud for row in rows], len(cloud)),
        window=_spans(rows, calendar),
        minimum_usd=np.array([row.minimum_usd for row in rows]),
        carry_share=np.array([row.carry_over_share for row in rows]),
        previous=np.array(previous, dtype=np.int64),
        counts=tuple(row.counts for row in rows),
        discount=np.array(
            [(1 + case.settings.discount_rate_per_year) ** -years[end] for end in ends]
        ),
    )


def _tiers(case: Case, pools: Pools) -> Tiers:
    """Tiers by cloud and year; a year that the horizon cuts has its part of each threshold.

    What was spent before the horizon, or will be after it, is not known: thresholds are taken
    for the share of the year's days within the horizon, as if the rest ran at the same pace.
    """
    calendar = case.calendar
    rows = sorted(case.tiers, key=lambda row: (row.cloud, row.year, row.from_usd))
    keys = list(dict.fromkeys((row.cloud, row.year) for row in rows))
    cloud = np.array(pools.cloud)
    year = np.array([day.year for day in calendar.starts[:-1]])
    part = {y: float((calendar.hours() / 24)[year == y].sum()) / (365 + isleap(y)) for _, y in keys}
    group = [keys.index((row.cloud, row.year)) for row in rows]
    upper = [
        rows[i + 1].from_usd * part[rows[i].year]
        if i + 1 < len(rows) and group[i + 1] == group[i]
        else np.inf
        for i in range(len(rows))
    ]
    end = calendar.years() + calendar.hours() / (24 * 365.25)
    last = [float(end[year == y].max(initial=0.0)) for _, y in keys]
    rate = case.settings.discount_rate_per_year
    return Tiers(
        names=tuple(f"{row.cloud} {row.year} {row.tier}" for row in rows),
        group=np.array(group, dtype=np.int64),
        group_names=tuple(f"{name} {y}" for name, y in keys),
        member=_grid([cloud == name for name, _ in keys], len(cloud)),
        window=_grid([year == y for _, y in keys], len(calendar)),
        from_usd=np.array([row.from_usd * part[row.year] for row in rows]),
        to_usd=np.array(upper),
        discount=np.array([row.discount for row in rows]),
        present=np.array([(1 + rate) ** -y for y in last]),
    )


def _contingencies(case: Case, pools: Pools, serving: Serving) -> Contingencies:
    """Each rule's members one at a time; by default from the first period that starts can reach."""
    calendar = case.calendar
    promise = {(s.service_class, s.kind, s.dimension): s.share for s in case.survival}
    reach = calendar.first_from(case.settings.as_of)
    found = [
        (rule, name, mask)
        for rule in case.contingencies
        for name, mask in groups(pools, rule.dimension, rule.member)
    ]
    active = []
    for rule, _, _ in found:
        mask = span(calendar, rule.period_from, rule.period_to)
        if rule.period_from is None:
            mask[:reach] = False
        active.append(mask)
    return Contingencies(
        names=tuple(f"{rule.contingency}: {name}" for rule, name, _ in found),
        outage=np.array([rule.kind == "outage" for rule, _, _ in found], dtype=bool),
        lost=_grid([mask for _, _, mask in found], len(pools.names)),
        stop_periods=np.array(
            [-(-rule.months // calendar.months) for rule, _, _ in found], dtype=np.int64
        ),
        active=_grid(active, len(calendar)),
        share=np.array(
            [
                [promise.get((c, rule.kind, rule.dimension), 0.0) for c in serving.service_class]
                for rule, _, _ in found
            ]
        ).reshape(len(found), len(serving.names)),
    )
