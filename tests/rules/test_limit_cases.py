"""Each rule on small cases at gap 0: slack it changes nothing, tight it costs what it should."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from itertools import pairwise, product
from typing import Any, Literal

import numpy as np
import pytest

import planner
from planner.case import Case
from planner.case.agreements import Commitment, Deal, Tier
from planner.case.commercial import Offer
from planner.case.rules import Contingency, Limit, Qualification, Survival
from planner.errors import InfeasibleError, InputError
from planner.instance import build_instance
from planner.plan import Plan
from tests.cases import (
    ONE_SLICE,
    demand_rows,
    flat,
    measured,
    offer,
    random_case,
    settings,
    tiny_case,
    valid,
    workload,
)

SAME = 1e-8
"""Relative difference that two solves of one problem may have."""
SEEDS = (0, 1, 2, 5, 8)
CASES = {"tiny": tiny_case(), **{f"random {seed}": random_case(seed) for seed in SEEDS}}
FREE: dict[str, Any] = {"cost_usd": 0.0, "engineers": 0.0, "lead_months": 0}
Purpose = Literal["serving", "training"]
PURPOSES: tuple[Purpose, ...] = ("serving", "training")


def solved(case: Case) -> Plan:
    plan = planner.solve(valid(case), gap=0.0)
    assert plan.status == "proven"
    return plan


def cost(case: Case) -> float:
    """Cost of the optimum; infinite when there is no plan, be it seen at reading or by solving."""
    try:
        return solved(case).objective_usd
    except InfeasibleError:
        return np.inf
    except InputError as error:
        if "which no decision can reach" in str(error) or "that cannot be left" in str(error):
            return np.inf
        raise


def is_close(value: float) -> Any:
    return pytest.approx(value, rel=SAME)


def share(measure: Any, bound: float, dimension: Any = "cloud", **more: Any) -> Limit:
    name = f"{dimension} {measure}"
    return Limit(
        limit=name, kind="share", dimension=dimension, measure=measure, bound=bound, **more
    )


def power(bound: float, **more: Any) -> Limit:
    return Limit(limit="power", kind="power", bound=bound, **more)


def budget(bound: float, **more: Any) -> Limit:
    return Limit(limit="budget", kind="budget", bound=bound, **more)


def placement(bound: float, count: int = 2, dimension: Any = "cloud", **more: Any) -> Limit:
    return Limit(
        limit="homes", kind="placement", dimension=dimension, count=count, bound=bound, **more
    )


def qualify(chip: str, purpose: Purpose = "serving", **more: Any) -> Qualification:
    return Qualification(chip=chip, generation="1", purpose=purpose, **more)


def limited(case: Case, *limits: Limit) -> Case:
    return replace(case, limits=limits)


def under_deal(case: Case, names: Iterable[str] | None = None, **terms: Any) -> Case:
    """The case with its term offers, or those named, under one deal."""
    bound = tuple(
        row.model_copy(update={"deal": "frame"})
        if (row.offer in names if names is not None else row.term_months)
        else row
        for row in case.offers
    )
    return replace(case, offers=bound, deals=(Deal(deal="frame", **terms),))


def tiers_of(case: Case, steps: Iterable[tuple[float, float]]) -> tuple[Tier, ...]:
    """The same steps (from, discount) for every cloud and year of a case."""
    return tuple(
        Tier(cloud=cloud, tier=f"step {n}", year=year, from_usd=start, discount=discount)
        for cloud in sorted({p.cloud for p in case.pools})
        for year in sorted({day.year for day in case.calendar.starts[:-1]})
        for n, (start, discount) in enumerate(steps)
    )


def losses(case: Case, promised: float) -> Case:
    """Every cloud, region and chip lost, every vendor stopped, one at a time."""
    outages = [
        Contingency(contingency=f"{what} lost", kind="outage", dimension=what)
        for what in ("cloud", "region", "chip")
    ]
    stop = Contingency(contingency="stop", kind="supply_stop", dimension="vendor", months=6)
    rows = (*outages, stop)
    kept = tuple(
        Survival(**{"class": "chat"}, kind=row.kind, dimension=row.dimension, share=promised)  # type: ignore[arg-type]
        for row in rows
    )
    return replace(case, contingencies=rows, survival=kept)


# -- slack: the smaller model ----------------------------------------------------------------

DIMENSIONS = ("cloud", "vendor", "chip", "region")
MEASURES = ("spend", "chips", "training_peak", "served")
SLACK: dict[str, Callable[[Case], Case]] = {
    "shares of 1": lambda c: limited(c, *(share(m, 1.0, d) for d in DIMENSIONS for m in MEASURES)),
    "priced shares of 1": lambda c: limited(
        c, *(share(m, 1.0, penalty_usd_per_unit=1.0) for m in MEASURES)
    ),
    "power without end": lambda c: limited(c, power(1e6)),
    "budget without end": lambda c: limited(c, budget(1e12)),
    "placement of nothing": lambda c: limited(c, placement(0.0)),
    "one tier without discount": lambda c: replace(c, tiers=tiers_of(c, [(0.0, 0.0)])),
    "tiers without discount": lambda c: replace(c, tiers=tiers_of(c, [(0.0, 0.0), (1e6, 0.0)])),
    "tiers out of reach": lambda c: replace(c, tiers=tiers_of(c, [(0.0, 0.0), (1e12, 0.5)])),
    "qualification free at once": lambda c: replace(
        c, qualification=tuple(qualify(x, p, **FREE) for x in ("h200", "trn2") for p in PURPOSES)
    ),
    "qualification done": lambda c: replace(
        c, qualification=tuple(qualify(x, p, done=True) for x in ("h200", "trn2") for p in PURPOSES)
    ),
    "engineers without work": lambda c: replace(
        c, settings=c.settings.model_copy(update={"qualification_engineers": 0.0})
    ),
    "deal signed": lambda c: under_deal(c, status="signed"),
    "deal free to sign": lambda c: under_deal(c, status="negotiating"),
    "deal of nobody": lambda c: replace(c, deals=(Deal(deal="idle", status="rejected"),)),
    "losses that promise nothing": lambda c: losses(c, 0.0),
    "no promises": lambda c: replace(losses(c, 0.0), survival=()),
}


@pytest.mark.parametrize("name", CASES)
def test_slack_rules_change_nothing(name: str) -> None:
    case = CASES[name]
    plain = cost(case)
    for rule, add in SLACK.items():
        assert cost(add(case)) == is_close(plain), rule


@pytest.mark.parametrize("name", CASES)
def test_all_slack_rules_together_change_nothing(name: str) -> None:
    case = CASES[name]
    both = case
    for rule, add in SLACK.items():
        if rule not in ("qualification done", "deal of nobody", "no promises", "deal signed"):
            more = add(both)
            both = replace(more, limits=tuple(dict.fromkeys((*both.limits, *more.limits))))
        if rule == "priced shares of 1":
            both = replace(both, limits=both.limits[: len(DIMENSIONS) * len(MEASURES)])
    names = ("limits", "tiers", "qualification", "deals", "contingencies")
    assert all(both.rows(table) for table in names)
    assert cost(both) == is_close(cost(case))


# -- tighter never costs less ----------------------------------------------------------------


def bounds(make: Callable[[float], Limit]) -> Callable[[Case, float], Case]:
    return lambda case, bound: limited(case, make(bound))


LADDERS: dict[str, tuple[tuple[float, ...], Callable[[Case, float], Case]]] = {
    **{
        f"share of {m} by {d}": (
            (1.0, 0.8, 0.65, 0.5, 0.2),
            bounds(lambda b, m=m, d=d: share(m, b, d)),  # type: ignore[misc]
        )
        for m in MEASURES
        for d in ("cloud", "region")
    },
    **{
        f"priced share of {m}": (
            (0.0, 1e-3, 1.0, 1e3, 1e7),
            bounds(lambda b, m=m: share(m, 0.4, penalty_usd_per_unit=b or None)  # type: ignore[misc]
                   if b else share(m, 1.0)),
        )
        for m in MEASURES
    },
    "power": ((1e3, 2.0, 1.5, 1.0, 0.5, 0.0), bounds(power)),
    "price of power": (
        (1.0, 1e3, 1e5, 1e7),
        bounds(lambda b: power(0.3, penalty_usd_per_unit=b)),
    ),
    "budget": ((1e9, 1.5e7, 1e7, 8e6, 7e6, 1e6), bounds(budget)),
    "price of cash": (
        (1e-4, 0.1, 1.0, 10.0),
        bounds(lambda b: budget(6e6, penalty_usd_per_unit=b)),
    ),
    "placement": ((0.0, 0.1, 0.3, 0.5), bounds(placement)),
    "homes": (
        (1.0, 2.0, 3.0),
        lambda c, n: limited(c, placement(0.2, min(int(n), len(c.pools)), "region")),
    ),
    "losses": ((0.0, 0.2, 0.5, 0.8, 1.0), losses),
    "cost of qualification": (
        (0.0, 1e5, 1e6, 1e9),
        lambda c, x: replace(c, qualification=(qualify("trn2", cost_usd=x),)),
    ),
    "lead of qualification": (
        (0.0, 3.0, 6.0),
        lambda c, x: replace(c, qualification=(qualify("trn2", lead_months=int(x)),)),
    ),
    "engineers": (
        (0.0, 5.0, 15.0, 21.0),
        lambda c, x: replace(
            c,
            settings=c.settings.model_copy(update={"qualification_engineers": 20.0}),
            qualification=(qualify("h200", engineers=x), qualify("trn2", engineers=x)),
        ),
    ),
    "cost of a deal": (
        (0.0, 1e5, 1e6, 1e8),
        lambda c, x: under_deal(c, status="negotiating", signing_cost_usd=x),
    ),
    "minimum of a deal": (
        (0.0, 1e6, 1e7, 1e8),
        lambda c, x: under_deal(c, status="signed", minimum_spend_usd=x),
    ),
    "prepayment": (
        (0.0, 1e6, 5e7),
        lambda c, x: under_deal(
            c, status="negotiating", prepayment_usd=x, minimum_spend_usd=5e7,
            prepayment_credited_months=24 if x else 0,
        ),
    ),
    "service of a deal": (
        (0.0, 1.0, 2.0),
        lambda c, x: under_deal(c, status="signed", ready_for_service=c.calendar.starts[int(x)]),
    ),
    "minimum of a commitment": (
        (1.0, 1e6, 5e6, 1e8),
        lambda c, x: replace(c, commitments=(commit(x, "2026-Q4", "2027-Q1", "elm"),)),
    ),
    "steps of a tier": (
        (1e5, 2e6, 5e6, 1e12),
        lambda c, x: replace(c, tiers=tiers_of(c, [(0.0, 0.0), (x, 0.1)])),
    ),
}  # fmt: skip


def commit(
    minimum: float, first: str, last: str, cloud: str = "ash", name: str = "spend", **more: Any
) -> Commitment:
    return Commitment(
        commitment=name, cloud=cloud, period_from=first, period_to=last, minimum_usd=minimum, **more
    )


@pytest.mark.parametrize("ladder", LADDERS)
@pytest.mark.parametrize("name", ["tiny", "random 8"])
def test_a_tighter_rule_never_costs_less(ladder: str, name: str) -> None:
    values, tighten = LADDERS[ladder]
    costs = [cost(tighten(CASES[name], value)) for value in values]
    for loose, tight in pairwise(costs):
        assert tight >= loose * (1 - SAME), costs
    if name == "tiny":
        assert costs[-1] > costs[0] * (1 + 1e-6), f"{ladder} never binds: {costs}"


@pytest.mark.parametrize("name", CASES)
def test_a_discount_never_costs_more(name: str) -> None:
    case = CASES[name]
    costs = [
        cost(replace(case, tiers=tiers_of(case, [(0.0, 0.0), (1e6, d)]))) for d in (0, 0.05, 0.2)
    ]
    assert costs[0] == is_close(cost(case))
    assert costs == sorted(costs, reverse=True)


# -- deals -----------------------------------------------------------------------------------

LATER = date(2030, 1, 1)
SHUT: dict[str, dict[str, Any]] = {
    "rejected": {"status": "rejected"},
    "rejected with a minimum": {"status": "rejected", "minimum_spend_usd": 1e9},
    "ready after the horizon": {"status": "negotiating", "ready_for_service": LATER},
    "signed, ready after the horizon": {"status": "signed", "ready_for_service": LATER},
    "signed after the horizon": {"status": "negotiating", "earliest_signing": LATER},
    "too dear": {"status": "negotiating", "signing_cost_usd": 1e12},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("terms", SHUT)
def test_a_deal_that_stays_shut_is_as_if_its_offers_were_not_there(terms: str, name: str) -> None:
    """Without contracts past the horizon: what they keep of their value follows the offers."""
    case = replace(CASES[name], contracts=CASES[name].contracts[:1])
    case = replace(case, contracts=tuple(_ended(line) for line in case.contracts))
    names = [row.offer for row in case.offers if row.term_months][-1:]
    assert names
    gone = tuple(row for row in case.offers if row.offer not in names)
    without = replace(case, offers=gone)
    assert cost(under_deal(case, names, **SHUT[terms])) == is_close(cost(without))


def _ended(line: Any) -> Any:
    return line.model_copy(update={"end": date(2027, 4, 1)})


# -- by hand: one workload, chips by the hour, no discounting ---------------------------------

HOURS = (2208.0, 2160.0, 2184.0)
"""Hours of 2026-Q4, 2027-Q1 and 2027-Q2."""
CHIPS = 1.2 * 1000 / 4.0
"""H200 that carry 1000 requests/s with headroom at 4 requests/s a chip."""
HOUR = CHIPS * 6.0
"""Cost of an hour on H200 at 6 USD; on trn2 at 3 USD it is a third dearer: 800 x 3."""
BOTH = HOUR * (HOURS[0] + HOURS[1])
REQUEST_USD = 1000 * 30 / 1e6
"""Price of a request that is not served."""
BY_THE_HOUR = (
    offer("hours", "on_demand", 6.0, chip="h200"),
    offer("hours", "on_demand", 3.0, chip="trn2"),
)


def plain(
    *rates: float, rate: float = 0.0, offers: tuple[Offer, ...] = BY_THE_HOUR, **tables: Any
) -> Case:
    """1000 requests/s all week on ash (H200; 10 % dearer in w2) or elm (trn2)."""
    rates = rates or (1000.0, 1000.0)
    set_to = settings(
        len(rates), ONE_SLICE, discount_rate_per_year=rate, horizon_end_haircut=0.0,
        qualification_engineers=tables.pop("most_engineers", None),
    )  # fmt: skip
    return replace(
        tiny_case(),
        settings=set_to,
        profile=flat(),
        pools=tuple(p.model_copy(update={"usable_share": 1.0}) for p in tiny_case().pools),
        offers=offers,
        contracts=(),
        training=(),
        efficiency=(),
        serving=(workload("chat-west", "chat"),),
        demand=demand_rows("chat-west", *rates),
        throughput=measured("chat"),
        **tables,
    )


def test_the_plain_case_is_as_computed_by_hand() -> None:
    assert cost(plain()) == is_close(BOTH)
    assert cost(plain(offers=BY_THE_HOUR[1:])) == is_close(BOTH * 4 / 3)


@pytest.mark.parametrize("bound", [0.9, 0.5, 0.3])
def test_a_share_of_spend_by_hand(bound: float) -> None:
    """1 USD serves 4/6 requests/s on H200 and 1.5/3 on trn2; spend is split at the bound."""
    hour = 1200.0 / (bound * 4 / 6 + (1 - bound) * 1.5 / 3)
    rule = share("spend", bound, member="ash")
    assert cost(plain(limits=(rule,))) == is_close(hour * (HOURS[0] + HOURS[1]))


@pytest.mark.parametrize("measure", ["served", "chips"])
@pytest.mark.parametrize("bound", [0.9, 0.5, 0.3])
def test_a_share_of_work_by_hand(bound: float, measure: str) -> None:
    """Shares of requests; or of chips, a trn2 counting as the throughput model has it."""
    rule = share(measure, bound, member="ash", period_from="2027-Q1")
    case = plain(limits=(rule,))
    on_ash = bound
    if measure == "chips":
        trn2 = build_instance(case).pools.reference_chips[2] / 1.5
        on_ash = bound * trn2 / ((1 - bound) / 4 + bound * trn2)
    hour = 1200.0 * (on_ash * 6 / 4 + (1 - on_ash) * 3 / 1.5)
    assert cost(case) == is_close(HOUR * HOURS[0] + hour * HOURS[1])


def test_a_priced_share_is_paid_when_that_is_cheaper() -> None:
    """Half of 300 H200 too many, at 1000 USD a reference chip for each of two periods."""
    rule = share("chips", 0.5, member="ash", penalty_usd_per_unit=1000.0)
    plan = solved(plain(limits=(rule,)))
    assert plan.summary["cost_usd"]["exceeded_rules"] == is_close(0.5 * CHIPS * 1000 * 2)
    assert plan.objective_usd == is_close(BOTH + 0.5 * CHIPS * 1000 * 2)


def test_power_moves_chips_to_the_next_region() -> None:
    """Power for 150 of 300 chips in w1; the others stand in w2, a tenth dearer."""
    half = power(CHIPS / 2 * 1.4 / 1e3, member="ash/w1")
    assert cost(plain(limits=(half,))) == is_close(1.05 * BOTH)


def test_priced_power_is_paid_when_that_is_cheaper() -> None:
    bound = CHIPS / 2 * 1.4 / 1e3
    rule = power(bound, member="ash/w1", penalty_usd_per_unit=1e5)
    assert cost(plain(limits=(rule,))) == is_close(BOTH + bound * 1e5 * 2)


def test_a_budget_leaves_unserved_what_it_cannot_pay() -> None:
    bound = 3e6
    rule = budget(bound, period_to="2026-Q4")
    unserved = 1200.0 - 4 * bound / (6 * HOURS[0])
    missed = REQUEST_USD * 3600 * HOURS[0] * unserved
    assert cost(plain(limits=(rule,))) == is_close(bound + missed + HOUR * HOURS[1])


EARLY_OR_LATE = (
    offer("early", "reserved", 1.0, cloud="ash", region="w1", chip="h200", term_months=6,
          lot_chips=100, upfront_share=1.0, window_to=date(2026, 12, 1)),
    offer("late", "reserved", 3.0, cloud="ash", region="w1", chip="h200", term_months=3,
          lot_chips=100, window_from=date(2027, 1, 1)),
    *BY_THE_HOUR,
)  # fmt: skip


@pytest.mark.parametrize(
    ("bound", "early", "extra"),
    [(2e6, 3, 0.0), (1e6, 2, 0.0), (0.5e6, 1, 0.0), (0.1e6, 0, 0.0), (1e6, 3, 0.1)],
)
def test_a_budget_moves_an_upfront_payment(bound: float, early: int, extra: float) -> None:
    """Demand in 2027-Q1: a lot paid upfront the quarter before, or a dearer one paid as it runs."""
    rule = budget(bound, period_to="2026-Q4", penalty_usd_per_unit=extra or None)
    plan = solved(plain(0.0, 1000.0, offers=EARLY_OR_LATE, limits=(rule,)))
    upfront = early * 100 * 1.0 * (HOURS[0] + HOURS[1])
    late = (3 - early) * 100 * 3.0 * HOURS[1]
    assert plan.objective_usd == is_close(upfront + late + extra * max(upfront - bound, 0.0))
    signed = plan.tables["contracts_signed"]
    assert signed[signed.offer == "early"].lots.sum() == early


@pytest.mark.parametrize("bound", [0.1, 0.3, 0.5])
def test_a_minimum_placement_holds_in_the_plan(bound: float) -> None:
    plan = solved(plain(limits=(placement(bound, model="base"),)))
    hour = 1200.0 * ((1 - bound) * 6 / 4 + bound * 3 / 1.5)
    assert plan.objective_usd == is_close(hour * (HOURS[0] + HOURS[1]))
    by_cloud = plan.tables["serving"].groupby(["period", "cloud"]).requests_per_s.sum()
    for period in ("2026-Q4", "2027-Q1"):
        assert by_cloud[period, "elm"] == is_close(bound * 1200.0)


def test_a_placement_in_regions_holds_in_the_plan() -> None:
    plan = solved(plain(limits=(placement(0.25, 3, "region", period_from="2027-Q1"),)))
    hour = 300.0 * (2 * 6 + 6.6) / 4 + 300.0 * 3 / 1.5
    assert plan.objective_usd == is_close(HOUR * HOURS[0] + hour * HOURS[1])
    table = plan.tables["serving"]
    assert set(table[table.period == "2027-Q1"].region) == {"w1", "w2", "e1"}


# -- qualification by hand -------------------------------------------------------------------


def test_a_lead_delays_the_first_use() -> None:
    """trn2 serves until H200 are qualified, if that is worth its cost."""
    dear, saved = HOUR * 4 / 3, HOUR / 3 * HOURS[1]
    for price in (0.0, 0.9 * saved, 1.1 * saved):
        rows = (qualify("h200", cost_usd=price, lead_months=1),)
        wanted = dear * (HOURS[0] + HOURS[1]) - max(saved - price, 0.0)
        assert cost(plain(qualification=rows)) == is_close(wanted)


@pytest.mark.parametrize(
    ("most", "begins"),
    [(None, {"2026-Q4"}), (12.0, {"2026-Q4"}), (10.0, {"2026-Q4", "2027-Q1"}), (5.0, set())],
)
def test_engineers_delay_the_second_qualification(most: float | None, begins: set[str]) -> None:
    """Demand that takes both chips; each needs six engineers for a quarter."""
    both = (
        offer("hours", "on_demand", 6.0, chip="h200", max_chips=100),
        offer("hours", "on_demand", 3.0, chip="trn2", max_chips=400),
    )
    rows = tuple(qualify(chip, engineers=6.0, lead_months=3) for chip in ("h200", "trn2"))
    case = plain(0.0, 1000.0, 1000.0, offers=both, qualification=rows, most_engineers=most)
    plan = solved(case)
    work = plan.tables["qualification"]
    assert set(work.begins) == begins
    assert len(work) == (2 if begins else 0)
    assert cost(replace(case, qualification=())) <= plan.objective_usd


def test_work_of_training_does_not_hold_up_serving() -> None:
    rows = (qualify("h200", "training", cost_usd=1e9), qualify("trn2", "training", cost_usd=1e9))
    assert cost(plain(qualification=rows)) == is_close(BOTH)


# -- deals by hand ---------------------------------------------------------------------------

TERM = offer(
    "term", "reserved", 2.0, cloud="ash", region="w1", chip="h200", term_months=3, lot_chips=100
)
"""A third of the price by the hour; three lots carry the demand."""
LOTS = BOTH / 3


def dealt(rate: float = 0.0, **terms: Any) -> Case:
    return under_deal(plain(rate=rate, offers=(TERM, *BY_THE_HOUR)), **terms)


@pytest.mark.parametrize("price", [0.0, 1e6, 5e6, 6e6])
def test_a_deal_is_signed_when_it_is_worth_it(price: float) -> None:
    plan = solved(dealt(status="negotiating", signing_cost_usd=price))
    assert plan.objective_usd == is_close(min(LOTS + price, BOTH))
    wanted = "signed" if LOTS + price < BOTH else "not_signed"
    assert plan.tables["deals"].decision.tolist() == [wanted]


def test_a_minimum_spend_is_paid_in_full() -> None:
    for status in ("signed", "negotiating"):
        assert cost(dealt(status=status, minimum_spend_usd=4e6)) == is_close(4e6)
        assert cost(dealt(status=status, minimum_spend_usd=1e6)) == is_close(LOTS)
    assert cost(dealt(status="negotiating", minimum_spend_usd=9e6)) == is_close(BOTH)


def test_a_prepayment_costs_its_time_value() -> None:
    """1 million USD given for a year at 8 %."""
    prepaid = dealt(0.08, status="negotiating", prepayment_usd=1e6, minimum_spend_usd=1e6,
                    prepayment_credited_months=12)  # fmt: skip
    free = dealt(0.08, status="negotiating")
    assert cost(prepaid) - cost(free) == pytest.approx(1e6 * (1 - 1 / 1.08), rel=1e-6)
    assert cost(dealt(status="negotiating", prepayment_usd=1e6, minimum_spend_usd=1e6,
                      prepayment_credited_months=12)) == is_close(LOTS)  # fmt: skip


@pytest.mark.parametrize("column", ["earliest_signing", "ready_for_service"])
def test_a_deal_opens_its_offers_late(column: str) -> None:
    when: dict[str, Any] = {column: date(2027, 1, 1)}
    late = dealt(status="negotiating", **when)
    assert cost(late) == is_close(HOUR * HOURS[0] + HOUR / 3 * HOURS[1])


# -- commitments by hand ---------------------------------------------------------------------

SPENT = (HOUR * HOURS[0], HOUR * HOURS[1])
"""Spend by quarter."""


def windows(
    least: tuple[float, float], carry: float = 0.0, counts: Any = "all"
) -> tuple[Commitment, ...]:
    return (
        commit(least[0], "2026-Q4", "2026-Q4", carry_over_share=carry, counts=counts),
        commit(least[1], "2027-Q1", "2027-Q1", counts=counts),
    )


def shortfall(case: Case) -> float:
    """Shortfall that the plan pays, once its cost is seen to be that and the spend."""
    plan = solved(case)
    paid = float(plan.tables["commitments"].shortfall_usd.sum())
    assert plan.summary["cost_usd"]["commitment_shortfall"] == pytest.approx(paid, rel=1e-9)
    return plan.objective_usd - BOTH


@pytest.mark.parametrize("counts", ["all", "pay_as_you_go"])
def test_no_shortfall_when_the_spend_is_above(counts: str) -> None:
    least = (0.9 * SPENT[0], SPENT[1])
    plan = solved(plain(commitments=windows(least, counts=counts)))
    assert plan.objective_usd == is_close(BOTH)
    assert plan.tables["commitments"].shortfall_usd.max() == pytest.approx(0.0, abs=1e-3)


def test_a_shortfall_when_nothing_counts() -> None:
    """Paid at the window's end: 92 days discounted at 8 %."""
    row = commit(2e6, "2026-Q4", "2026-Q4", counts="contracts")
    extra = cost(plain(rate=0.08, commitments=(row,))) - cost(plain(rate=0.08))
    assert extra == pytest.approx(2e6 * 1.08 ** (-92 / 365.25), rel=1e-6)


def test_work_moves_to_where_spend_is_committed() -> None:
    """A third more is spent on trn2 than saved on H200, less than the shortfall would be."""
    row = commit(2e6, "2026-Q4", "2026-Q4", "elm")
    assert cost(plain(commitments=(row,))) == is_close(BOTH + 2e6 / 4)


def test_hours_do_not_count_for_contracts_and_lots_do() -> None:
    case = plain(offers=(TERM, *BY_THE_HOUR))
    assert cost(case) == is_close(LOTS)
    # By the hour: as much as pays, the rest in lots.
    mixed = []
    for lots in product(range(4), repeat=2):
        hours = sum(600.0 * (3 - n) * h for n, h in zip(lots, HOURS, strict=False))
        mixed.append((BOTH - hours) / 3 + max(hours, 4e6))
    for counts, wanted in (("all", 4e6), ("contracts", 4e6), ("pay_as_you_go", min(mixed))):
        rows = (commit(4e6, "2026-Q4", "2027-Q1", counts=counts),)
        assert cost(replace(case, commitments=rows)) == is_close(wanted), counts


@pytest.mark.parametrize("carry", [0.0, 0.5, 1.0])
def test_carry_over_reduces_the_next_shortfall(carry: float) -> None:
    least = (3e6, 5e6)
    over = SPENT[0] - least[0]
    wanted = max(least[1] - SPENT[1] - carry * over, 0.0)
    rows = windows(least, carry)
    assert shortfall(plain(commitments=rows)) == pytest.approx(wanted, abs=1e-2)


@pytest.mark.parametrize(("last", "extra"), [(4.05e6, 0.0), (5e6, 0.9064e6)])
def test_carry_over_goes_on_from_window_to_window(last: float, extra: float) -> None:
    """What a window carries in and does not need counts in the one after it."""
    rows = tuple(
        commit(least, label, label, carry_over_share=1.0)
        for label, least in (("2026-Q4", 3e6), ("2027-Q1", 4.7e6), ("2027-Q2", last))
    )
    spent = [HOUR * hours for hours in HOURS]
    assert extra == pytest.approx(max(3e6 + 4.7e6 + last - sum(spent), 0.0))
    case = plain(1000.0, 1000.0, 1000.0)
    assert cost(replace(case, commitments=rows)) == is_close(sum(spent) + extra)


def test_a_shortfall_is_not_carried_over() -> None:
    """Nothing is above the first minimum: the second window owes its whole rest."""
    rows = windows((5e6, 5e6), 1.0)
    assert shortfall(plain(commitments=rows)) == pytest.approx(10e6 - sum(SPENT), abs=1e-2)


# -- tiers by hand ---------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1e6, SPENT[0] * (1 - 1e-9), 4.2e6, 5e6])
@pytest.mark.parametrize("rate", [0.0, 0.08])
def test_a_discount_is_paid_when_the_spend_reaches_the_step(step: float, rate: float) -> None:
    """10 % of the year's whole spend at its end; a plan may spend up to a step that pays.

    The horizon has 92 days of 2026, and that part of its threshold; w2 is a tenth dearer.
    """
    rows = (
        Tier(cloud="ash", tier="list", year=2026, from_usd=0, discount=0),
        Tier(cloud="ash", tier="gold", year=2026, from_usd=step * 365 / 92, discount=0.1),
    )
    plan = solved(plain(rate=rate, tiers=rows))
    end = (1 + rate) ** (-92 / 365.25)
    middle = (1 + rate) ** (-46 / 365.25)
    reached = max(step, SPENT[0])
    without = cost(plain(rate=rate))
    gain = 0.1 * reached * end - (reached - SPENT[0]) * middle
    assert plan.objective_usd == is_close(without - max(gain, 0.0))
    paid = plan.summary["cost_usd"]["tier_discounts"]
    assert paid == pytest.approx(-0.1 * reached * end if gain > 0 else 0.0, rel=1e-8, abs=1e-3)


def test_a_year_has_its_own_tiers() -> None:
    """A step in 2027 sees nothing of what 2026 spends, nor of another cloud."""
    for cloud, year, wanted in (("ash", 2027, 0.1 * SPENT[1]), ("elm", 2027, 0.0)):
        rows = (
            Tier(cloud=cloud, tier="list", year=year, from_usd=0, discount=0),
            Tier(cloud=cloud, tier="gold", year=year, from_usd=3.5e6, discount=0.1),
        )
        assert cost(plain(tiers=rows)) == is_close(BOTH - wanted)


# -- redundancy by hand ----------------------------------------------------------------------


def test_a_promise_without_any_guarantee_needs_lots() -> None:
    """Hours count in a loss only when they are promised: then both clouds stand ready.

    The promise is half of 1000 requests/s; what is carried every day is 1200, with headroom.
    """
    lost = Contingency(contingency="cloud", kind="outage", dimension="cloud")
    promise = Survival(**{"class": "chat"}, kind="outage", dimension="cloud", share=0.5)  # type: ignore[arg-type]
    rules: dict[str, Any] = {"contingencies": (lost,), "survival": (promise,)}
    assert cost(plain(**rules)) == np.inf
    sure = tuple(row.model_copy(update={"guaranteed": True}) for row in BY_THE_HOUR)
    case = plain(offers=sure, **rules)
    h200, _, trn2 = build_instance(case).serving.rate_failover[0, :, 0]
    assert h200 < 4.0
    kept = 500.0 / trn2
    chips = max(500.0 / h200, (1200.0 - 1.5 * kept) / 4.0)
    assert cost(case) == is_close((6 * chips + 3 * kept) * (HOURS[0] + HOURS[1]))
