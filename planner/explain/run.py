"""Explain a plan: what binds and what it costs, offers left out, dear demand, deadlines."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from planner.explain.deadlines import deadlines
from planner.explain.offers import entry_prices
from planner.explain.rules import rule_costs
from planner.explain.words import words
from planner.limits import INVESTMENT, OPERATING, limits_of
from planner.plan import Plan
from planner.prices.lp import LARGE_COLUMNS, problem_of, solved
from planner.prices.table import price_table

CHECKED_LARGE = 24
"""Prices of each table and rules that are confirmed by re-solving on a large problem; of offers,
whose search takes several solves each, a quarter of that."""


@dataclass(frozen=True)
class Explanation:
    """Labelled frames, and the same in words."""

    binds: pd.DataFrame
    """Limits with a price: `problem` (investment or operating) and the columns of
    `planner.prices.table`; where no one price holds, what one more and one less are worth."""
    rules: pd.DataFrame
    """Whole rules and what dropping them saves; see `planner.explain.rules`."""
    offers: pd.DataFrame
    """Offers that the plan does not use and the price at which they enter; see
    `planner.explain.offers`."""
    demand: pd.DataFrame
    """Marginal cost of demand, dearest per million tokens first: workload, period,
    usd_per_million_tokens, usd_per_request, usd_per_request_per_s, shown, why_not_shown."""
    deadlines: pd.DataFrame
    """Decisions by date; see `planner.explain.deadlines`."""
    words: tuple[str, ...]
    """The main points as sentences."""

    def tables(self) -> dict[str, pd.DataFrame]:
        """The frames by name."""
        names = ("binds", "rules", "offers", "demand", "deadlines")
        return {name: getattr(self, name) for name in names}


def explain(plan: Plan, checked: int | None = None) -> Explanation:
    """Explain a plan from its case and its tables; the problems are built and solved again.

    `checked` prices of limits (in each problem) and of demand, and rules, are confirmed by
    re-solving, and offers searched; None = all of them on a small problem, CHECKED_LARGE on a
    large one. Raises PlannerError when the plan's problem cannot be built or solved again.
    """
    problem = problem_of(plan)
    large = problem.matrix.shape[1] > LARGE_COLUMNS
    if checked is None:
        checked = CHECKED_LARGE if large else problem.matrix.shape[1]
    limits = limits_of(plan.case, problem.inst, problem.labels)
    operating, investment = solved(problem, "operating"), solved(problem, "investment")
    binding = [
        _binding(name, price_table(one, [x for x in limits if x.kind in kinds], checked))
        for name, one, kinds in (
            ("investment", investment, set(INVESTMENT)),
            ("operating", operating, set(OPERATING) - {"demand", "chip_slice"}),
        )
    ]
    wanted = [x for x in limits if x.kind == "demand"]
    dear = price_table(operating, wanted, checked, by_rate=True)
    found = {
        "binds": pd.concat(binding, ignore_index=True),
        "rules": rule_costs(problem, investment, checked),
        "offers": entry_prices(
            problem, investment, _used(plan), checked // 4 if large else checked
        ),
        "demand": _demand(plan, dear),
        "deadlines": deadlines(plan),
    }
    return Explanation(**found, words=words(plan, found))


def _used(plan: Plan) -> set[tuple[str, str]]:
    """(offer, pool) in use."""
    return {
        (str(row["offer"]), f"{row['cloud']}/{row['region']}/{row['chip']}")
        for name in ("contracts_signed", "pay_as_you_go")
        for row in plan.tables[name].to_dict("records")
    }


def _binding(name: str, table: pd.DataFrame) -> pd.DataFrame:
    out = table[table.step > 0].reset_index(drop=True)
    out.insert(0, "problem", name)
    return out


def _demand(plan: Plan, dear: pd.DataFrame) -> pd.DataFrame:
    some = dear[dear.step > 0]
    tokens = {
        w.workload: w.input_tokens - w.cached_tokens + w.output_tokens for w in plan.case.serving
    }
    each = [tokens[name] / 1e6 for name in some.member]
    out = pd.DataFrame(
        {
            "workload": some.member,
            "period": some.period,
            "usd_per_million_tokens": some.rate_usd,
            "usd_per_request": some.rate_usd * each,
            "usd_per_request_per_s": some.price_usd,
            "one_less_usd_per_request_per_s": some.one_less_usd,
            "one_more_usd_per_request_per_s": some.one_more_usd,
            "shown": some.shown,
            "why_not_shown": some.why_not_shown,
        }
    )
    return out.sort_values(
        "usd_per_million_tokens", ascending=False, kind="stable", ignore_index=True
    )
