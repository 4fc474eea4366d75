"""The finance half of the report: what to sign, what is owed, what is idle, what a token costs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pandas as pd

from planner import views
from planner.case.calendar import add_months
from planner.explain.deadlines import deadlines
from planner.plan import Plan
from planner.readable import BILLION_USD, MILLION_USD, Unit, money_unit
from planner.report.tables import Column, Table, chips_column, table, used

KINDS = {
    "existing_committed_usd": "committed", "existing_cancellable_usd": "cancellable",
    "new_contracts_usd": "optional: to sign", "pay_as_you_go_usd": "optional: by the hour",
    "exit_fees_usd": "exit fees", "qualification_usd": "qualification", "deals_usd": "deals",
    "shortfalls_usd": "shortfalls", "rebates_usd": "rebates", "total_usd": "total cash",
}  # fmt: skip
"""Columns of the plan's obligations -> heading."""


def _unit(frame: pd.DataFrame, names: Sequence[str], most: Unit = MILLION_USD) -> Unit:
    """Unit of money of some columns."""
    return money_unit(float(frame[list(names)].astype(float).abs().max().max()), most)


PAID = ("sign lots", "sign deal", "begin qualification", "exercise option")
"""Decisions that lead to payments; others save them."""


def decisions(plan: Plan) -> tuple[Table, Table]:
    """What is to be decided within a quarter of as_of, and what later, by date.

    Lots, deals, notices, qualification, and options to exercise or let go.
    """
    frame, soon = _decisions(plan)
    unit = _unit(frame, ["usd"])
    columns = (
        Column("date", "by"), Column("days_left", "days left", ",.0f"),
        Column("decision", "decision"), Column("what", "what"), Column("for", "for"),
        chips_column("chips", frame), Column("usd", unit.name, ",.1f", unit.size),
    )  # fmt: skip
    return (
        table("Decisions due within three months", frame[soon], columns),
        table("Decisions after that", frame[~soon], columns),
    )


def due(plan: Plan) -> tuple[int, float]:
    """Decisions within a quarter of as_of, and what they lead to pay (USD, in the horizon)."""
    frame, soon = _decisions(plan)
    paid = frame[soon & frame.decision.isin(PAID)]
    return int(soon.sum()), float(paid.usd.sum())


def _decisions(plan: Plan) -> tuple[pd.DataFrame, pd.Series]:
    """Every decision by date, and which are due within a quarter of as_of."""
    frame = deadlines(plan)
    options = plan.tables.get("options")
    if options is not None and "exercise option" not in set(frame.decision):
        frame = pd.concat([frame, _options(plan, options)], ignore_index=True)
    frame = frame.sort_values(["date", "decision", "what"], kind="stable", ignore_index=True)
    # What a notice saves counts against what is paid.
    frame["usd"] = frame.usd.where(frame.decision.isin(PAID), -frame.usd)
    today = plan.case.settings.as_of
    # The same day of the month, three months on: `add_months` gives the first.
    end = add_months(today, 3) + timedelta(days=today.day - 1)
    return frame, frame.date <= end.isoformat()


def _options(plan: Plan, options: pd.DataFrame) -> pd.DataFrame:
    """Options that can still be exercised, as rows of `deadlines`."""
    open_ = options[options.exercise_by.astype(str) != ""]
    days = pd.to_datetime(open_.exercise_by)
    taken = open_.decision == "exercised"
    place = open_.cloud + "/" + open_.region + "/" + open_.chip
    return pd.DataFrame(
        {
            "date": open_.exercise_by.astype(str),
            "days_left": (days - pd.Timestamp(plan.case.settings.as_of)).dt.days,
            "decision": taken.map({True: "exercise option", False: "option: let go"}),
            "what": open_.option + " of " + open_.contract + ", " + place,
            "for": open_.kind,
            "chips": open_.chips,
            "usd": open_.payments_in_horizon_usd,
        }
    )


def obligations(plan: Plan) -> Table:
    """Cash by period and kind, not discounted."""
    frame = plan.tables["obligations"]
    kinds = [c for c in frame.columns if c != "period"]
    unit = _unit(frame, kinds, BILLION_USD)
    columns = [Column("period", "period")]
    columns += [Column(c, KINDS.get(c, c.removesuffix("_usd")), ",.3f", unit.size) for c in kinds]
    return table(f"Cash by period, not discounted, {unit.name}", frame, used(frame, columns),
                 summed=kinds)  # fmt: skip


def burn_down(plan: Plan) -> Table:
    """Spend that counts towards each commitment window."""
    frame = views.burn_down(plan)
    unit = _unit(frame, ["minimum_usd", "cumulative_usd"])
    columns = (
        Column("window", "window"), Column("cloud", "cloud"), Column("period", "period"),
        Column("minimum_usd", "minimum", ",.0f", unit.size),
        Column("counted_usd", "counts in the period", ",.0f", unit.size),
        Column("cumulative_usd", "so far", ",.0f", unit.size),
        Column("left_usd", "left to spend", ",.0f", unit.size),
    )  # fmt: skip
    return table(f"Commitments: spend that counts, and what is left, {unit.name}", frame, columns)


def shortfalls(plan: Plan) -> Table:
    """What each commitment window leaves unspent and is owed all the same."""
    frame = plan.tables.get("commitments", pd.DataFrame({"window": [], "minimum_usd": [],
                                                         "shortfall_usd": []}))  # fmt: skip
    unit = _unit(frame, ["minimum_usd"])
    columns = (
        Column("window", "window"),
        Column("minimum_usd", "minimum", ",.0f", unit.size),
        Column("shortfall_usd", "shortfall", ",.1f", unit.size),
    )
    words = f"Commitments: shortfall, {unit.name}"
    return table(words, frame, columns, summed=("shortfall_usd",))


def idle(plan: Plan) -> Table:
    """Committed payments for chips that stand idle."""
    frame = views.idle_commitments(plan)
    unit = _unit(frame, ["committed_usd"])
    columns = (
        Column("period", "period"), Column("cloud", "cloud"),
        Column("committed_usd", "committed", ",.1f", unit.size),
        Column("idle_usd", "of that for idle chips", ",.1f", unit.size),
        Column("idle_share", "idle share", ".1%"),
    )  # fmt: skip
    words = f"Idle committed dollars, {unit.name}"
    return table(words, frame, columns, summed=("committed_usd", "idle_usd"))


def exits(plan: Plan) -> Table:
    """What stopping would still cost."""
    frame = views.exit_exposure(plan)
    unit = _unit(frame, ["exposure_usd"])
    columns = (
        Column("contract", "contract"), Column("cloud", "cloud"), Column("status", "status"),
        Column("can_be_left_from", "can be left from"),
        Column("unavoidable_usd", "unavoidable payments", ",.0f", unit.size),
        Column("exit_fee_usd", "exit fee", ",.0f", unit.size),
        Column("past_horizon_usd", "past the horizon, present value", ",.0f", unit.size),
        Column("exposure_usd", "exposure", ",.0f", unit.size),
    )  # fmt: skip
    words = f"Exit exposure as of {plan.case.settings.as_of}, {unit.name}"
    return table(words, frame, columns, summed=("exposure_usd",))


def token_cost(plan: Plan) -> Table:
    """Cost of serving by model and period."""
    frame = views.cost_per_token(plan)
    unit = _unit(frame, ["with_idle_usd"])
    columns = (
        Column("model", "model"), Column("period", "period"),
        Column("tokens_millions", "trillion computed tokens", ",.1f", 1e6),
        Column("with_idle_usd", unit.name, ",.1f", unit.size),
        Column("usd_per_million_tokens", "USD per million tokens", ",.4f"),
        Column("usd_per_reference_chip_hour",
               f"USD per {plan.case.settings.reference_chip}-equivalent hour", ",.2f"),
    )  # fmt: skip
    return table("Cost of serving by model, idle chips included", frame, columns)


def costs(plan: Plan) -> Table:
    """Present value by term."""
    terms = plan.summary["cost_usd"]
    frame = pd.DataFrame(
        {"term": [name.replace("_", " ") for name in terms], "usd": list(terms.values())}
    )
    unit = _unit(frame, ["usd"], BILLION_USD)
    columns = (Column("term", "term"), Column("usd", unit.name, ",.3f", unit.size))
    return table("Cost by term, present value", frame, columns, summed=("usd",))
