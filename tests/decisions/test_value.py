"""Values, break-even prices and delays against solves of the case itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo
import pytest

import planner
from planner.case import Case, save_case
from planner.case.agreements import Deal
from planner.case.rules import Limit
from planner.decisions import breakeven
from planner.decisions.breakeven import TOLERANCE
from planner.decisions.market import Market
from planner.decisions.problem import Solver, bound_at, taken
from planner.decisions.subject import Subject, priced, subject_of
from planner.decisions.value import Value
from planner.errors import InfeasibleError, InputError, InterruptedSolveError, UnprovenError
from planner.instance import build_instance
from tests.cases import offer, random_case, small_case, valid
from tests.cases_rules import tiny_rules_case
from tests.rules.test_limit_cases import plain, under_deal

CLOSE = 1e-7
"""Relative difference that two solves of one problem may have."""


def forced(case: Case, subject: Subject, least: float, most: float) -> float:
    """Cost of the optimum with what is taken of the subject between two numbers, its own way."""

    def rule(m: Any, inst: Any) -> None:
        names, chips = inst.pools.names, inst.pools.chip

        def fits(pool: int, name: str, deal: str) -> bool:
            mine = {"offer": name, "deal": deal, "pool": names[pool], "chip": chips[pool]}
            return bool(mine[subject.kind] == subject.name)

        st, pay = inst.starts, inst.pay
        lots = [
            m.lots[j] for j in m.J
            if inst.options.of_start[j] < 0 and fits(st.pool[j], st.offer[j], st.deal[j])
        ]  # fmt: skip
        share = inst.time.slice_hours / 168
        hours = [
            share[s] * m.hourly[v, t, s]
            for v, t in m.HOURLY for s in m.S if fits(pay.pool[v], pay.offer[v], "")
        ]  # fmt: skip
        total = sum(lots) + sum(hours)
        if subject.kind == "deal":
            d = inst.rules.deals.names.index(subject.name)
            total = sum(m.sign[k] for k in m.SIGN if k[0] == d)
        m.forced = pyo.Constraint(expr=(least, total, most))

    try:
        return planner.solve(case, gap=0.0, equations=[rule]).objective_usd
    except InfeasibleError:
        return np.inf


def with_and_without(case: Case, subject: Subject) -> tuple[float, float]:
    return forced(case, subject, 1.0, 1e9), forced(case, subject, 0.0, 0.0)


def deal_case() -> Case:
    """Chips by the hour, or a cheaper term under a deal that costs something to sign."""
    term = offer("term", "reserved", 3.0, chip="h200", term_months=3, lot_chips=100, deal="frame")
    dear = offer("hours", "on_demand", 6.0, chip="h200")
    terms: dict[str, Any] = {"signing_cost_usd": 1e5, "minimum_spend_usd": 1e6}
    deals = (Deal(deal="frame", status="negotiating", **terms),)
    return valid(plain(1000.0, 1000.0, 1000.0, offers=(term, dear), deals=deals))


def small_with_deal() -> Case:
    """data/small with its offer on gb200 under a deal."""
    return valid(
        under_deal(
            small_case(), ["reserved-2y"], status="negotiating", signing_cost_usd=2e5,
            prepayment_usd=1e6, prepayment_credited_months=6, minimum_spend_usd=5e6,
        )
    )  # fmt: skip


SUBJECTS: dict[str, tuple[Case, Subject]] = {
    "deal": (deal_case(), Subject("deal", "frame")),
    "deal among rules": (tiny_rules_case(), Subject("deal", "frame")),
    "offer among rules": (tiny_rules_case(), Subject("offer", "term-6m")),
    "deal of small": (small_with_deal(), Subject("deal", "frame")),
    "offer of small": (small_case(), Subject("offer", "reserved-1y")),
    "chip of small": (small_case(), Subject("chip", "gb200")),
    "pool of small": (small_case(), Subject("pool", "alder/us-1/h200")),
    "hours of small": (small_case(), Subject("offer", "on-demand")),
    **{f"random {i}": (random_case(i), Subject("offer", "term")) for i in (0, 3, 4)},
}


@cache
def optima(name: str) -> tuple[float, float]:
    """`with_and_without` of one of `SUBJECTS`."""
    return with_and_without(*SUBJECTS[name])


def valued(case: Case, subject: Subject, **more: Any) -> Value:
    named: dict[str, Any] = {subject.kind: subject.name}
    return planner.value(case, **named, **{"gap": 0.0, **more})


PRICED = ("deal", "offer of small", "random 0", "random 3", "random 4")
"""Subjects whose break-even price is held against optima."""
AMONG_RULES = ("deal among rules", "offer among rules")


@cache
def with_price(name: str, gap: float = 0.0) -> Value:
    """One of `SUBJECTS` with its break-even price, without dates."""
    case, subject = SUBJECTS[name]
    return valued(case, subject, gap=gap, dates=False)


# -- the value -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_value_is_the_difference_of_two_optima(name: str) -> None:
    with_, without = optima(name)
    known = name in (*PRICED, *AMONG_RULES)
    v = with_price(name) if known else valued(*SUBJECTS[name], price=False, dates=False)
    assert v.status == "proven"
    assert v.with_ is not None
    assert v.without is not None
    assert v.with_.cost_usd == pytest.approx(with_, rel=CLOSE)
    assert v.without.cost_usd == pytest.approx(without, rel=CLOSE)
    assert sum(v.with_.terms_usd.values()) == pytest.approx(v.with_.cost_usd)
    assert v.value_low_usd is not None
    assert v.value_high_usd is not None
    slack = 2 * CLOSE * abs(without)
    assert v.value_low_usd - slack <= without - with_ <= v.value_high_usd + slack
    assert v.value_high_usd - v.value_low_usd <= slack


@pytest.mark.parametrize("gap", [0.002, 0.02])
def test_with_a_gap_the_interval_holds_the_value(gap: float) -> None:
    for name in ("deal of small", "offer of small", "offer among rules"):
        with_, without = optima(name)
        v = valued(*SUBJECTS[name], gap=gap, price=False, dates=False)
        assert v.value_low_usd is not None
        assert v.value_high_usd is not None
        slack = CLOSE * without
        assert v.value_low_usd <= without - with_ + slack
        assert v.value_high_usd >= without - with_ - slack
        assert v.value_high_usd - v.value_low_usd <= 2 * gap * without * 1.01


def test_refusing_a_deal_is_rejecting_it_whatever_its_status() -> None:
    case = deal_case()
    rejected = replace(case, deals=(case.deals[0].model_copy(update={"status": "rejected"}),))
    plan = planner.solve(rejected, gap=0.0)
    for status in ("negotiating", "rejected"):
        row = case.deals[0].model_copy(update={"status": status})
        v = valued(replace(case, deals=(row,)), Subject("deal", "frame"), dates=False)
        assert v.without is not None
        assert v.without.cost_usd == pytest.approx(plan.objective_usd, rel=CLOSE)
        assert v.break_even is not None
        assert v.break_even.low == pytest.approx(1.69, abs=0.3)
    free = {"signing_cost_usd": 0.0, "minimum_spend_usd": 0.0}
    signed, open_ = (
        replace(case, deals=(case.deals[0].model_copy(update={"status": status, **free}),))
        for status in ("signed", "negotiating")
    )
    worth = [valued(c, Subject("deal", "frame"), price=False, dates=False) for c in (signed, open_)]
    assert worth[0].value_low_usd == pytest.approx(worth[1].value_low_usd)


def test_what_cannot_be_taken_and_what_is_needed() -> None:
    term = offer("term", "reserved", 3.0, chip="h200", term_months=3, lot_chips=100)
    hours = offer("hours", "on_demand", 6.0, chip="trn2")
    dark = Limit(limit="dark", kind="power", member="ash/w1", bound=0.01)
    other = Limit(limit="dark", kind="power", member="ash/w2", bound=0.01)
    case = valid(plain(offers=(term, hours), limits=(dark, other)))
    v = valued(case, Subject("offer", "term"))
    assert v.status == "impossible"
    assert v.value_low_usd is None
    assert v.with_ is None
    assert v.says
    both = Limit(
        limit="homes", kind="placement", dimension="cloud", count=2, bound=0.2,
        period_from="2027-Q1",
    )  # fmt: skip
    case = valid(plain(offers=(term, hours), limits=(both,)))
    v = valued(case, Subject("offer", "hours"))
    assert v.status == "needed"
    assert v.value_high_usd is None
    assert v.without is None
    assert v.break_even is None
    with pytest.raises(InfeasibleError):
        valued(valid(plain(offers=(term,), limits=(both,))), Subject("offer", "term"))


# -- the break-even price ------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRICED)
def test_exact_optima_change_sides_within_the_break_even_price(name: str) -> None:
    case, subject = SUBJECTS[name]
    v = with_price(name)
    assert v.break_even is not None
    assert v.break_even.low is not None
    assert v.break_even.high is not None
    for factor, side in ((v.break_even.low, -1), (v.break_even.high, 1)):
        with_, without = with_and_without(priced(case, subject, factor), subject)
        assert np.sign(with_ - without) == side
    assert v.break_even.high <= 1.01 * v.break_even.low
    # A minimum spend counts what is paid, so that the price stands in a rule.
    # So does the worth of signed contracts past the horizon, which follows offers' prices.
    assert v.break_even.everywhere is (name == "offer of small")


def rescaled(case: Case, folder: Path, subject: Subject, factor: float) -> Case:
    """The case saved, the prices in its offers.csv multiplied, and read again."""
    save_case(case, folder)
    file = folder / "offers.csv"
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    mine = table[subject.kind] == subject.name
    assert mine.any()
    price: Any = table.price_usd_per_chip_hour.astype(float) * np.where(mine, factor, 1.0)
    table.assign(price_usd_per_chip_hour=price.map(repr)).to_csv(file, index=False)
    return planner.load_case(folder)


def takes(plan: planner.Plan, subject: Subject) -> bool:
    """Whether a plan signs a lot of the subject's offers, or rents more than dust."""
    names = {o.offer for o in plan.case.offers if getattr(o, subject.kind) == subject.name}
    signed = plan.tables["contracts_signed"].offer.isin(names).any()
    rented = plan.tables["pay_as_you_go"]
    chips = rented[rented.offer.isin(names)].chips.sum() if len(rented) else 0.0
    return bool(signed or chips > 2.0)


@pytest.mark.parametrize("gap", [0.0, 0.005])
@pytest.mark.parametrize("name", ["deal of small", "offer of small"])
def test_below_the_low_end_it_is_taken_and_above_the_high_end_refused(
    name: str, gap: float, tmp_path: Path
) -> None:
    case, subject = SUBJECTS[name]
    v = with_price(name, gap)
    assert v.break_even is not None
    low, high = v.break_even.low, v.break_even.high
    assert low is not None
    assert high is not None
    assert low < high
    for k, (factor, wanted) in enumerate(((0.99 * low, True), (1.01 * high, False))):
        at_price = rescaled(case, tmp_path / str(k), subject, factor)
        assert takes(planner.solve(at_price, gap=gap), subject) is wanted


@pytest.mark.parametrize("name", AMONG_RULES)
def test_ends_are_proven_where_the_price_stands_in_rules_too(name: str) -> None:
    case, subject = SUBJECTS[name]
    v = with_price(name)
    assert v.break_even is not None
    assert not v.break_even.everywhere
    for end, side in ((v.break_even.low, -1), (v.break_even.high, 1)):
        if end is not None:
            for factor in (end, end * (1 + 0.01 * side)):
                with_, without = with_and_without(priced(case, subject, factor), subject)
                assert np.sign(with_ - without) == side or with_ == without == 0
    assert v.break_even.low is not None or v.says


@pytest.mark.parametrize(
    ("seed", "subject", "gap"),
    [
        (2, Subject("offer", "term"), 0.01),
        (4, Subject("chip", "h200"), 0.001),
        (23, Subject("offer", "term"), 0.01),
    ],
)
def test_a_low_end_is_found_where_the_refusal_gets_cheaper_too(
    seed: int, subject: Subject, gap: float
) -> None:
    """Lines of plans end short of the price at which it is taken, each time by less."""
    case = random_case(seed)
    v = valued(case, subject, gap=gap, dates=False)
    assert v.break_even is not None
    low = v.break_even.low
    assert low is not None
    assert low > 0.0
    with_, without = with_and_without(priced(case, subject, 0.99 * low), subject)
    assert with_ < without * (1 - gap)


def test_what_was_not_tried_is_not_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakeven, "MOST_STEPS", 1)
    case, subject = SUBJECTS["offer among rules"]
    v = valued(case, subject, gap=0.3, dates=False)
    assert v.break_even is not None
    assert not any("not even 0" in sentence for sentence in v.says)


def test_an_end_that_a_gap_leaves_out_is_said() -> None:
    case, subject = SUBJECTS["hours of small"]
    v = valued(case, subject, gap=0.5, dates=False)
    assert v.break_even is not None
    assert v.break_even.low is None
    assert v.break_even.high is None
    assert [text.split(":")[0] for text in v.says] == ["no lower end", "no upper end"]
    told = v.as_dict()
    assert told["break_even_price_low"] is None
    assert told["break_even_price_high"] is None


def test_prices_are_told_by_offer_and_by_chip_hour() -> None:
    case = small_with_deal()
    v = with_price("deal of small")
    assert v.break_even is not None
    assert v.break_even.low is not None
    assert {(p.offer, p.asked_usd_per_chip_hour) for p in v.prices} == {("reserved-2y", 3.7)}
    assert v.prices[0].low_usd_per_chip_hour == pytest.approx(3.7 * v.break_even.low)
    plan = planner.solve(case, gap=0.0)
    signed = plan.tables["contracts_signed"].query("offer == 'reserved-2y'")
    assert v.paid_usd_per_chip_hour == pytest.approx(
        np.average(signed.price_usd_per_chip_hour, weights=signed.chips), rel=0.05
    )


def test_proofs_are_read_at_other_prices() -> None:
    """Never above the optimum there, and close to it nearby."""
    case, subject = SUBJECTS["offer of small"]
    market = Market(Solver(0.0), case, subject)
    found = market.solved(1.0).evidence
    assert found is not None
    for factor in (0.5, 0.99, 1.01, 2.0):
        bound = bound_at(found, taken(market.at(factor)[1]))
        exact = forced(priced(case, subject, factor), subject, 1.0, 1e9)
        assert bound <= exact * (1 + CLOSE)
    here = bound_at(found, taken(market.at(1.0)[1]))
    assert here == pytest.approx(found.objective_usd, rel=CLOSE)


# -- later starts --------------------------------------------------------------------------------


def test_later_is_never_better_and_each_start_is_that_of_the_date() -> None:
    case, subject = deal_case(), Subject("deal", "frame")
    v = valued(case, subject, price=False)
    assert len(v.starts) >= 2
    for start in v.starts:
        row = case.deals[0].model_copy(update={"ready_for_service": start.ready})
        late = valid(replace(case, deals=(row,)))
        assert start.with_high_usd == pytest.approx(forced(late, subject, 1.0, 1.0), rel=CLOSE)
    costs = [(s.with_low_usd, s.with_high_usd) for s in v.starts]
    assert costs == sorted(costs)
    assert all(s.later_low_usd >= 0 for s in v.starts)
    assert v.latest_that_pays == max(s.ready for s in v.starts if s.value_low_usd > 0)
    whole = sum(s.later_high_usd for s in v.starts)
    assert whole == pytest.approx(costs[-1][1] - costs[0][1], rel=1e-6)


@cache
def from_day_on(name: str, ready: date) -> float:
    """Cost of the optimum with the subject taken, its offers' windows not before a day."""
    case, subject = SUBJECTS[name]
    rows = [
        o.model_copy(update={"window_from": max(o.window_from or ready, ready)})
        if getattr(o, subject.kind) == subject.name else o
        for o in case.offers
    ]  # fmt: skip
    return forced(replace(case, offers=tuple(rows)), subject, 1.0, 1e9)


@pytest.mark.parametrize("name", ["offer of small", "chip of small", "hours of small"])
@pytest.mark.parametrize("gap", [0.0, 0.01])
def test_later_starts_of_offers_are_those_of_their_window(name: str, gap: float) -> None:
    case, subject = SUBJECTS[name]
    v = valued(case, subject, gap=gap, price=False)
    assert len(v.starts) >= 2
    previous = -np.inf
    for start in v.starts:
        exact = from_day_on(name, start.ready)
        assert start.with_low_usd <= exact * (1 + CLOSE)
        assert start.with_high_usd >= exact * (1 - CLOSE)
        assert exact >= previous * (1 - CLOSE)
        previous = exact


def test_a_start_after_which_nothing_pays_is_the_last() -> None:
    case, subject = deal_case(), Subject("deal", "frame")
    dear = case.deals[0].model_copy(update={"signing_cost_usd": 2.2e6})
    v = valued(replace(case, deals=(dear,)), subject, price=False)
    assert [s.pays for s in v.starts][-1] == "no"
    assert [s.pays for s in v.starts].count("no") == 1
    assert v.first_that_does_not == v.starts[-1].ready


# -- what is named -------------------------------------------------------------------------------


def test_a_subject_that_is_not_there_is_refused_with_those_that_are() -> None:
    case = deal_case()
    for kind, name, there in (
        ("deal", "nobody", "frame"), ("offer", "none", "term, hours"),
        ("chip", "x", "h200, trn2"), ("pool", "ash/w1", "ash/w1/h200"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=there):
            subject_of(case, **{kind: name})
    for named in ({}, {"deal": "frame", "offer": "term"}):
        with pytest.raises(InputError, match="name one of"):
            subject_of(case, **named)
    idle = replace(case, deals=(*case.deals, Deal(deal="idle", status="signed")))
    with pytest.raises(InputError, match="no offer of deal idle"):
        subject_of(idle, deal="idle")


def test_an_offer_out_of_reach_is_refused() -> None:
    late = offer("late", "reserved", 1.0, chip="h200", term_months=3, lot_chips=100,
                 window_from=date(2030, 1, 1))  # fmt: skip
    hours = offer("hours", "on_demand", 6.0, chip="h200")
    with pytest.raises(InputError, match="no offer of offer late can start"):
        planner.value(valid(plain(offers=(late, hours))), offer="late")
    dead = Deal(deal="frame", status="negotiating", earliest_signing=date(2030, 1, 1))
    with pytest.raises(InputError, match="no offer of deal frame can start"):
        planner.value(valid(replace(deal_case(), deals=(dead,))), deal="frame")


def test_prices_of_a_pool_leave_other_pools_alone() -> None:
    case = small_case()
    subject = Subject("pool", "alder/us-1/h200")
    one, two = build_instance(case), build_instance(priced(case, subject, 2.0))
    mine = np.array([one.pools.names[p] == subject.name for p in one.starts.pool.tolist()])
    own = np.array([one.options.of_start[j] < 0 for j in range(len(mine))])
    assert mine.any()
    assert one.starts.names == two.starts.names
    factor = two.starts.price_usd_per_chip_hour / one.starts.price_usd_per_chip_hour
    assert factor == pytest.approx(np.where(mine & own, 2.0, 1.0))


def test_two_runs_tell_the_same() -> None:
    case, subject = SUBJECTS["deal among rules"]
    told = [valued(case, subject, gap=0.01).as_dict() for _ in range(2)]
    for one in told:
        del one["seconds"]
    assert told[0] == told[1]


def test_a_time_limit_stops_all_solves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over once both sides are solved: the value stands, the rest is said to be missing."""
    whole_solve = Solver.solve

    def solve(self: Solver, *given: Any, **named: Any) -> Any:
        found = whole_solve(self, *given, **named)
        if self.solves >= 2:
            monkeypatch.setattr(Solver, "left", lambda _self: 0.0)
        return found

    monkeypatch.setattr(Solver, "solve", solve)
    case, subject = SUBJECTS["deal of small"]
    v = valued(case, subject)
    assert v.status == "limit"
    assert v.solves == 2
    assert v.value_low_usd is not None
    assert v.says
    assert len(v.starts) == 1
    assert not v.looked_at_all
    assert any("later starts were looked at" in sentence for sentence in v.says)


def test_ctrl_c_keeps_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once both sides are solved; before, there is nothing to keep."""
    whole_solve = Solver.solve
    case, subject = SUBJECTS["deal of small"]

    def after(most: int) -> Any:
        def solve(self: Solver, *given: Any, **named: Any) -> Any:
            if self.solves >= most:
                self.interrupted = "interrupted while solving it"
                raise InterruptedSolveError(self.interrupted)
            return whole_solve(self, *given, **named)

        return solve

    monkeypatch.setattr(Solver, "solve", after(2))
    v = valued(case, subject)
    assert v.status == "limit"
    assert v.value_low_usd is not None
    assert any("interrupted while solving" in sentence for sentence in v.says)
    assert not v.looked_at_all
    later = valued(case, subject, price=False)
    assert later.status == "limit"
    assert [start.quarters_late for start in later.starts] == [0.0]
    assert not later.looked_at_all
    monkeypatch.setattr(Solver, "solve", after(1))
    with pytest.raises(UnprovenError):
        valued(case, subject)


def test_no_time_at_all_is_unproven() -> None:
    case, subject = SUBJECTS["deal among rules"]
    with pytest.raises(UnprovenError):
        valued(case, subject, time_limit_s=0.0)


def test_rounds_of_cuts_value_as_explicit_flows_do() -> None:
    """However redundancy is held; the cuts of one solve serve the next."""
    case = tiny_rules_case()
    one = planner.value(case, offer="term-6m", gap=0.0, redundancy="explicit")
    other = planner.value(case, offer="term-6m", gap=0.0, redundancy="rounds")
    assert one.value_low_usd == pytest.approx(other.value_low_usd, abs=1.0)
    assert one.break_even is not None
    assert other.break_even is not None
    for end in ("low", "high"):
        found = getattr(one.break_even, end)
        assert found == pytest.approx(getattr(other.break_even, end), rel=TOLERANCE)
    assert one.break_even.low is not None
    assert one.break_even.high is not None
    # Refusals are proven at each price, so that the search ends as narrow as where costs move.
    assert one.break_even.high <= 1.01 * one.break_even.low
    costs = [[s.with_high_usd for s in v.starts] for v in (one, other)]
    assert costs[0] == pytest.approx(costs[1], rel=1e-6)
    waived = planner.value(case, offer="term-6m", gap=0.0, redundancy="waived", price=False)
    assert waived.without is not None
    assert one.without is not None
    assert waived.without.cost_usd < one.without.cost_usd
