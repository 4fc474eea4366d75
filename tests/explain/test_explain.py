"""`planner explain`: prices of limits, entry prices, dear demand, deadlines; the command."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import planner
from planner.case import Case
from planner.case.check import check
from planner.case.tables import TABLES
from planner.explain.rules import COLUMNS as RULE_COLUMNS
from planner.explain.run import Explanation
from planner.explain.words import _rules as rule_words
from planner.instance import build_instance
from planner.matrix import compile_model
from planner.model import build_model
from planner.prices.lp import problem_of, solved
from planner.solve.session import Session
from tests.cases import DATA, small_case, small_plan, tiny_case
from tests.cases_rules import tiny_rules_case
from tests.cli.test_cli import Here, here

__all__ = ["here"]


@cache
def small_explained() -> Explanation:
    return planner.explain(small_plan())


@cache
def rules_plan() -> planner.Plan:
    return planner.solve(tiny_rules_case(), gap=0.0)


@cache
def rules_explained() -> Explanation:
    return planner.explain(rules_plan())


def members(table: pd.DataFrame) -> list[Any]:
    """Rows with their columns as attributes."""
    return list(table.itertuples())


def priced(case: Case, offer: str, pool: tuple[str, ...], share: float) -> Case:
    """The case with an offer, or the option of a contract, at a share of its price in one pool."""
    options = [o for o in case.options if o.option == offer]
    if options:
        (option,) = options
        price = option.price_usd_per_chip_hour * share
        return replace(
            case, options=(option.model_copy(update={"price_usd_per_chip_hour": price}),)
        )
    rows = [o for o in case.offers if o.offer == offer]
    fits = [
        o
        for o in rows
        if all(a in ("*", b) for a, b in zip((o.cloud, o.region, o.chip), pool, strict=True))
    ]
    best = max(fits, key=lambda o: sum(part != "*" for part in (o.cloud, o.region, o.chip)))
    own = best.model_copy(
        update={
            "cloud": pool[0], "region": pool[1], "chip": pool[2],
            "price_usd_per_chip_hour": best.price_usd_per_chip_hour * share,
        }
    )  # fmt: skip
    others = tuple(
        o for o in case.offers if not (o.offer == offer and (o.cloud, o.region, o.chip) == pool)
    )
    changed = replace(case, offers=(*others, own))
    lines = {table.name: range(2, 2 + len(changed.rows(table.name))) for table in TABLES}
    assert not check(changed, lines)
    return changed


def in_relaxation(case: Case, offer: str, pool: tuple[str, ...]) -> float:
    """Lots or chips by the hour of an offer in a pool in the relaxation, solved from nothing."""
    inst = build_instance(case)
    matrix = compile_model(build_model(inst))
    x = Session(matrix).solve_lp().x
    name = "/".join(pool)
    lots = matrix.values(x, "lots")
    hours = matrix.values(x, "hourly")
    return sum(
        value
        for j, value in lots.items()
        if inst.starts.offer[j] == offer and inst.pools.names[inst.starts.pool[j]] == name
    ) + sum(
        value
        for (v, _, _), value in hours.items()
        if inst.pay.offer[v] == offer and inst.pools.names[inst.pay.pool[v]] == name
    )


@pytest.mark.parametrize("make", [small_case, tiny_rules_case], ids=["small", "rules"])
def test_offers_enter_below_their_entry_price_and_not_above(make: object) -> None:
    small = make is small_case
    case = small_case() if small else tiny_rules_case()
    table = (small_explained() if small else rules_explained()).offers
    assert len(table)
    sure = table[table.seen_to_enter & (table.discount_to_enter > 0)]
    assert len(sure) >= (4 if small else 1)
    for row in members(sure):
        pool = (row.cloud, row.region, row.chip)
        share = 1.0 - row.discount_to_enter
        assert row.entry_price_usd_per_chip_hour == pytest.approx(
            share * row.price_usd_per_chip_hour
        )
        # The search leaves the entry open by its margin of 1 %, below it only.
        assert in_relaxation(priced(case, row.offer, pool, 0.98 * share), row.offer, pool) > 1e-6
        assert in_relaxation(priced(case, row.offer, pool, 1.01 * share), row.offer, pool) < 1e-6


def test_one_percent_below_the_entry_price_it_enters() -> None:
    table = small_explained().offers
    for row in members(table[table.seen_to_enter & (table.discount_to_enter > 0)]):
        pool = (row.cloud, row.region, row.chip)
        share = 0.99 * (1.0 - row.discount_to_enter)
        assert in_relaxation(priced(small_case(), row.offer, pool, share), row.offer, pool) > 1e-6


def test_options_are_told_from_offers() -> None:
    """`again` is not exercised and has an entry price; `more` is, and has its dates."""
    offers, due = rules_explained().offers, rules_explained().deadlines
    assert dict(zip(offers.offer, offers.kind, strict=True))["again"] == "option"
    exercised = due[due.decision == "exercise option"]
    taken = rules_plan().tables["options"].query("decision == 'exercised'")
    assert len(taken)
    assert exercised.date.tolist() == taken.exercise_by.astype(str).tolist()
    assert exercised.chips.tolist() == taken.chips.tolist()


def test_every_offer_without_a_lot_or_an_hour_is_listed() -> None:
    plan, table = small_plan(), small_explained().offers
    listed = set(zip(table.offer, table.cloud, table.region, table.chip, strict=True))
    term = plan.tables["offers_not_used"]
    assert set(zip(term.offer, term.cloud, term.region, term.chip, strict=True)) <= listed
    for name in ("contracts_signed", "pay_as_you_go"):
        used = plan.tables[name]
        assert not listed & set(zip(used.offer, used.cloud, used.region, used.chip, strict=True))


def test_demand_goes_from_dear_to_cheap_and_costs_what_a_step_costs() -> None:
    plan, table = small_plan(), small_explained().demand
    assert len(table) == len([d for d in plan.case.demand if d.requests_per_s > 0]) - 8
    some = table[table.shown]
    assert some.usd_per_million_tokens.is_monotonic_decreasing
    row = members(some)[0]
    w = next(w for w in plan.case.serving if w.workload == row.workload)
    tokens = (w.input_tokens - w.cached_tokens + w.output_tokens) / 1e6
    assert row.usd_per_request == pytest.approx(row.usd_per_million_tokens * tokens)
    hours = plan.case.calendar.hours()[plan.case.calendar.index(row.period)]
    discount = build_instance(plan.case).time.discount[plan.case.calendar.index(row.period)]
    assert row.usd_per_request_per_s == pytest.approx(row.usd_per_request * 3600 * hours * discount)


def test_deadlines_are_the_start_less_the_lead() -> None:
    plan, table = small_plan(), small_explained().deadlines
    assert list(table.date) == sorted(table.date)
    lots = table[table.decision == "sign lots"]
    signed = plan.tables["contracts_signed"]
    assert sorted(lots.date) == sorted(str(day) for day in signed.sign_by)
    lead = {o.offer: o.lead_days for o in plan.case.offers}
    for row in members(lots):
        start = date.fromisoformat(row[5].removeprefix("service from "))
        assert date.fromisoformat(row.date) == start - timedelta(days=lead[row.what.split(",")[0]])
        assert row.days_left == (date.fromisoformat(row.date) - plan.case.settings.as_of).days
    notice = members(table[table.decision == "give notice"])[0]
    assert notice.what == "birch-tpu"
    assert notice.date == "2027-01-01"


def test_deals_and_qualification_have_deadlines() -> None:
    plan, table = rules_plan(), rules_explained().deadlines
    work = plan.tables["qualification"]
    assert (table.decision == "begin qualification").sum() == len(work) > 0
    deals = plan.tables["deals"]
    assert (table.decision == "sign deal").sum() == (deals.decision == "signed").sum()


def test_dropping_a_rule_saves_what_its_relaxation_says() -> None:
    table = rules_explained().rules
    assert len(table) >= 2
    problem = problem_of(rules_plan())
    base = solved(problem, "investment")
    row = members(table)[0]
    assert row.saves_in_relaxation_usd > 0
    # No plan without the rule can save more than the bound says, the relaxation least of all.
    room = 1e-6 * abs(base.value_usd)
    assert (table.saves_in_relaxation_usd >= -room).all()
    assert (table.saves_at_most_usd >= table.saves_in_relaxation_usd - room).all()


def test_dropping_a_limit_by_hand_gives_the_same() -> None:
    table = small_explained().rules.set_index("rule")
    case = small_case()
    regions = tuple(
        r.model_copy(update={"install_limit_chips": None})
        if f"{r.cloud}/{r.region}" in table.index
        else r
        for r in case.regions
    )
    assert len(table) == 1
    values = []
    for each in (case, replace(case, regions=regions)):
        matrix = compile_model(build_model(build_instance(each)))
        values.append(float(matrix.objective @ Session(matrix).solve_lp().x))
    assert values[0] - values[1] == pytest.approx(
        members(table)[0].saves_in_relaxation_usd, rel=1e-6
    )
    free = planner.solve(replace(case, regions=regions), gap=0.0)
    saved = small_plan().objective_usd - free.objective_usd
    assert 0 <= saved <= members(table)[0].saves_at_most_usd


def test_what_binds_has_a_price_or_two_sides() -> None:
    for found in (small_explained(), rules_explained()):
        assert set(found.binds.problem) == {"investment", "operating"}
        hidden = found.binds[~found.binds.shown]
        assert (np.isfinite(hidden.one_less_usd) | np.isfinite(hidden.one_more_usd)).all()
        assert any("one more" in sentence for sentence in found.words)
        assert any("Next, by" in sentence for sentence in found.words)


# -- the command -------------------------------------------------------------------------------


def test_prices_and_explain_on_a_run(here: Here) -> None:
    small_plan().save("run")
    ran = here("prices", "run")
    assert ran.code == 0
    assert "prices_operating.csv" not in ran.err
    assert {"prices_operating.csv", "prices_investment.csv"} <= {
        path.name for path in Path("run/tables").iterdir()
    }
    assert here("audit", "run").code == 0
    as_json = here("prices", "run", "--json", "--checked", "4").json()
    assert [row["checked"] for row in as_json["prices_summary"]] == [4, 4]
    assert here("audit", "run").code == 0
    explained = here("explain", "run")
    assert explained.code == 0
    for title in ("What binds when signing", "Offers not used", "Dearest demand", "To decide"):
        assert title in explained.out
    content = here("explain", "run", "--json").json()
    assert {"words", "binds", "rules", "offers", "demand", "deadlines"} == set(content)
    assert len(content["offers"]) == len(small_explained().offers)


def test_explain_on_a_rules_case(here: Here) -> None:
    rules_plan().save("run")
    ran = here("explain", "run")
    assert ran.code == 0
    assert "What a whole rule costs" in ran.out
    assert here("prices", "run").code == 0
    assert here("audit", "run").code == 0


def test_a_case_folder_goes_to_the_other_question(here: Here) -> None:
    """A case is asked whether it has a plan, a run why its plan is as it is."""
    ran = here("explain", str(DATA / "small"))
    assert ran.code == 0
    assert "small: has a plan" in ran.out
    assert "What binds" not in ran.out
    assert here.files() == []


def test_explain_of_nothing_is_2(here: Here) -> None:
    Path("empty").mkdir()
    ran = here("explain", "empty")
    assert ran.code == 2
    assert "neither a run folder" in ran.err
    assert here("prices", "empty").code == 2


def test_a_plan_without_decisions_says_so() -> None:
    case = replace(tiny_case(), offers=(), contracts=tiny_case().contracts[:1], training=())
    found = planner.explain(planner.solve(case, gap=0.0))
    assert found.deadlines.empty or not found.deadlines.decision.eq("sign lots").any()
    assert any("Nothing has to be decided" in sentence for sentence in found.words)
    assert found.offers.empty


SAME_PRICE, ANY_REGION = re.compile(r"alder/us-[0-9]+/trn2"), "alder/us-N/trn2"
"""Pools that cost the same."""


def test_the_document_says_what_the_command_says() -> None:
    text = " ".join((DATA.parent / "docs" / "explain.md").read_text(encoding="utf-8").split())
    text = SAME_PRICE.sub(ANY_REGION, text)
    for sentence in small_explained().words:
        assert SAME_PRICE.sub(ANY_REGION, sentence) in text


def test_regions_that_the_document_may_confuse_cost_the_same() -> None:
    """Which of two optima a solve ends at depends on the processor's rounding."""
    offers = [o for o in small_case().offers if o.chip == "trn2" and o.cloud in ("alder", "*")]
    assert offers
    assert {offer.region for offer in offers} == {"*"}


def test_a_rule_that_was_not_solved_is_said() -> None:
    columns = list(RULE_COLUMNS)
    solved = ("power", "east", 5e6, 7e6, "without the rule, all its periods at once")
    late = ("commitment", "ash", np.nan, np.nan, "without it the relaxation was not solved in 15 s")
    said = list(rule_words(pd.DataFrame([solved, late], columns=columns)))
    assert said[0].startswith("Without the rule power east")
    assert said[1] == f"What commitment ash costs is open: {late[-1]}."
    assert not list(rule_words(pd.DataFrame(columns=columns)))
