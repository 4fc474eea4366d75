"""What has to be decided by when: ready-for-service date less lead, for everything planned."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd

from planner.plan import Plan

COLUMNS = ("date", "days_left", "decision", "what", "for", "chips", "usd")
Row = tuple[date, str, str, str, float, float]


def deadlines(plan: Plan) -> pd.DataFrame:
    """Decisions by date; columns as COLUMNS.

    date: last day; days_left counts from as_of of the case. chips and usd: what hangs on it (for
    lots payments within the horizon, for notices the payments saved less fees, for work and deals
    their cost); 0 where there is none.
    """
    rows = [
        *_lots(plan), *_deals(plan), *_notices(plan), *_qualification(plan),
    ]  # fmt: skip
    rows.sort(key=lambda row: (row[0], row[1], row[2]))
    as_of = plan.case.settings.as_of
    return pd.DataFrame(
        [(day.isoformat(), (day - as_of).days, *rest) for day, *rest in rows],
        columns=list(COLUMNS),
    )


def _day(value: object) -> date:
    """A date that a table holds, as text where it was read from a file."""
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _start(plan: Plan, period: str) -> date:
    calendar = plan.case.calendar
    return calendar.starts[calendar.index(period)]


def _lots(plan: Plan) -> Iterator[Row]:
    """Lots to sign and options to exercise: start less lead."""
    options = {option.option for option in plan.case.options}
    for row in plan.tables["contracts_signed"].to_dict("records"):
        what = f"{row['offer']}, {row['cloud']}/{row['region']}/{row['chip']}"
        decision = "exercise option" if row["offer"] in options else "sign lots"
        yield (
            _day(row["sign_by"]), decision, what, f"service from {_start(plan, row['start'])}",
            float(row["chips"]), float(row["payments_in_horizon_usd"]),
        )  # fmt: skip


def _deals(plan: Plan) -> Iterator[Row]:
    """Deals to sign: before the first of their lots must be signed."""
    if "deals" not in plan.tables:
        return
    of_offer = {(o.offer, o.deal) for o in plan.case.offers if o.deal}
    signed = plan.tables["contracts_signed"]
    cost = {deal.deal: deal.signing_cost_usd + deal.prepayment_usd for deal in plan.case.deals}
    for row in plan.tables["deals"].to_dict("records"):
        if row["decision"] != "signed":
            continue
        name = str(row["deal"])
        days = [_start(plan, str(row["signed_in"]))]
        chips = 0.0
        for lot in signed.to_dict("records"):
            if (lot["offer"], name) in of_offer and _needs(plan, lot, name):
                days.append(_day(lot["sign_by"]))
                chips += float(lot["chips"])
        planned = f"planned in {row['signed_in']}"
        after = plan.case.calendar.index(str(row["signed_in"])) + 1
        # Later than in its period, its cash would fall into another one.
        last = plan.case.calendar.starts[after] - timedelta(days=1)
        yield (
            min(last, max(days[0], min(days[1:], default=days[0]))),
            "sign deal",
            name,
            planned,
            chips,
            cost[name],
        )


def _needs(plan: Plan, lot: Mapping[Hashable, Any], deal: str) -> bool:
    """Whether the most specific row of a lot's offer belongs to the deal."""
    place = (lot["cloud"], lot["region"], lot["chip"])
    rows = [
        (sum(part != "*" for part in (o.cloud, o.region, o.chip)), o.deal)
        for o in plan.case.offers
        if o.offer == lot["offer"]
        and all(
            have in ("*", want)
            for have, want in zip((o.cloud, o.region, o.chip), place, strict=True)
        )
    ]
    return max(rows)[1] == deal


def _notices(plan: Plan) -> Iterator[Row]:
    """Notice of contracts that are left, and the first day that would do for those kept."""
    table = plan.tables["contracts_existing"]
    calendar, as_of = plan.case.calendar, plan.case.settings.as_of
    for name, lines in table.groupby("contract", sort=False):
        own = [line for line in plan.case.contracts if line.contract == name]
        notice = max((timedelta(days=line.notice_days or 0) for line in own), default=timedelta())
        chips = float(lines.chips.sum())
        first = lines.iloc[0]
        if first.decision == "leave":
            when = _start(plan, str(first.left_from))
            usd = float(lines.payments_saved_usd.sum() - lines.exit_fee_usd.sum())
            yield when - notice, "give notice", str(name), f"leave from {when}", chips, usd
        elif bool(lines.can_be_left.any()):
            t = calendar.first_from(as_of + notice)
            if t < len(calendar):
                when = calendar.starts[t]
                said = f"option to leave from {when}; the plan keeps it"
                yield when - notice, "option: notice", str(name), said, chips, 0.0


def _qualification(plan: Plan) -> Iterator[Row]:
    """Work to begin with the period in which the plan begins it."""
    if "qualification" not in plan.tables:
        return
    for row in plan.tables["qualification"].to_dict("records"):
        what = f"{row['chip']} for {row['generation']}, {row['purpose']}"
        ready = f"usable from {row['usable_from']}" if row["usable_from"] else "after the horizon"
        yield (
            _start(plan, str(row["begins"])), "begin qualification", what, ready, 0.0,
            float(row["cost_usd"]),
        )  # fmt: skip
