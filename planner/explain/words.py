"""An explanation in a planner's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from planner.plan import Plan

MOST = 3
"""Sentences of each sort."""
KIND_WORDS = {
    "chip": "chips are short at",
    "supply": "the allotment binds at",
    "pay_as_you_go": "pay as you go binds at",
    "install": "the install limit binds at",
    "offer_lots": "the most lots bind of",
    "power": "power binds at",
    "budget": "the budget binds,",
    "share": "the share binds,",
    "engineers": "engineers are short for",
    "commitment": "the commitment binds,",
    "deal_minimum": "the minimum spend binds of",
    "contingency": "what must survive costs:",
}


def usd(value: float) -> str:
    """An amount with its scale: `1.6 million USD`."""
    for scale, word in ((1e9, " billion"), (1e6, " million")):
        if abs(value) >= scale:
            return f"{value / scale:,.2f}{word} USD"
    return f"{value:,.0f} USD" if abs(value) >= 100 else f"{value:,.2f} USD"


def words(plan: Plan, found: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """The main points of an explanation, most important first."""
    return (
        *_binds(found["binds"]),
        *_rules(found["rules"]),
        *_offers(found["offers"]),
        *_demand(found["demand"]),
        *_deadlines(plan, found["deadlines"]),
    )


def _binds(table: pd.DataFrame) -> Iterator[str]:
    shown = table[table.shown]
    for name, lead in (
        ("investment", "When signing"),
        ("operating", "Once all is signed"),
    ):
        some = shown[shown.problem == name]
        if some.empty:
            yield f"{lead}, no limit has one price: see what one more and one less are worth."
        for row in some.head(MOST).to_dict("records"):
            rate = f" ({row['rate_usd']:,.2f} {row['rate_unit']})" if row["rate_unit"] else ""
            of = f"{KIND_WORDS[row['kind']]} {row['member']}"
            when = f" in {row['period']}" if row["period"] else ""
            yield (
                f"{lead}, {of}{when}: one more {row['unit']} {row['sense']} "
                f"{usd(row['price_usd'])}{rate}."
            )


def _rules(table: pd.DataFrame) -> Iterator[str]:
    open_ = table.saves_in_relaxation_usd.isna()
    shown = [some.head(MOST).to_dict("records") for some in (table[~open_], table[open_])]
    for row in (*shown[0], *shown[1]):
        if not np.isfinite(row["saves_in_relaxation_usd"]):
            yield f"What {row['kind']} {row['rule']} costs is open: {row['says']}."
            continue
        yield (
            f"Without the rule {row['kind']} {row['rule']} the relaxation is "
            f"{usd(row['saves_in_relaxation_usd'])} cheaper; no plan can save more than "
            f"{usd(row['saves_at_most_usd'])} by that."
        )


def _offers(table: pd.DataFrame) -> Iterator[str]:
    near = table[table.seen_to_enter & (table.discount_to_enter > 0)]
    for row in near.head(MOST).to_dict("records"):
        pool = f"{row['cloud']}/{row['region']}/{row['chip']}"
        yield (
            f"{row['offer']} at {pool} would enter at "
            f"{row['entry_price_usd_per_chip_hour']:,.2f} USD per chip-hour from {row['start']} "
            f"({row['price_usd_per_chip_hour']:,.2f} asked: "
            f"{row['discount_to_enter']:.0%} less)."
        )


def _demand(table: pd.DataFrame) -> Iterator[str]:
    for row in table[table.shown].head(MOST).to_dict("records"):
        yield (
            f"Dear to serve: {row['workload']} in {row['period']}, "
            f"{row['usd_per_million_tokens']:,.2f} USD per million tokens at the margin."
        )


def _deadlines(plan: Plan, table: pd.DataFrame) -> Iterator[str]:
    due = table[~table.decision.str.startswith("option")]
    if due.empty:
        yield "Nothing has to be decided: the plan signs, leaves and qualifies nothing."
    for row in due.head(MOST).to_dict("records"):
        yield (
            f"Next, by {row['date']} ({row['days_left']} days after {plan.case.settings.as_of}): "
            f"{row['decision']}, {row['what']} ({row['for']})."
        )
