"""The cash of a budget: everything that is paid, when it is paid; budgets that cannot hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

import planner
from planner.audit.folder import audit_plan
from planner.case import Case
from planner.case.agreements import Commitment, Tier
from planner.case.commercial import Contract
from planner.case.rules import Limit
from planner.errors import InputError
from planner.instance import build_instance
from planner.plan import Plan
from tests.cases import offer, valid
from tests.rules.test_limit_cases import BOTH, BY_THE_HOUR, HOUR, HOURS, plain, under_deal

PRICE = 1e-3
"""Price of a USD beyond the budget: too low to change what is done."""


def solved(case: Case) -> Plan:
    plan = planner.solve(valid(case), gap=0.0)
    assert plan.status == "proven"
    audit_plan(plan).require()
    return plan


def cash(plan: Plan) -> list[float]:
    return [float(x) for x in plan.tables["obligations"].total_usd]


def beyond(case: Case, bound: float) -> tuple[Plan, float]:
    """The plan under a priced budget in every period, and what goes beyond it."""
    rule = Limit(limit="cash", kind="budget", bound=bound, penalty_usd_per_unit=PRICE)
    plan = solved(replace(case, limits=(rule,)))
    return plan, plan.summary["cost_usd"]["exceeded_rules"] / PRICE


def is_close(value: float) -> Any:
    return pytest.approx(value, rel=1e-6)


def window(usd: float, **more: Any) -> Commitment:
    fields: dict[str, Any] = {"period_from": "2026-Q4", "period_to": "2027-Q1", **more}
    return Commitment(commitment="ash", cloud="ash", minimum_usd=usd, **fields)


def test_a_shortfall_is_cash_of_the_last_period_of_its_window() -> None:
    plan, over = beyond(plain(commitments=(window(BOTH + 1e6),)), HOUR * HOURS[0])
    assert cash(plan) == [is_close(HOUR * HOURS[0]), is_close(HOUR * HOURS[1] + 1e6)]
    assert over == is_close(HOUR * (HOURS[1] - HOURS[0]) + 1e6)


def test_a_rebate_comes_in_the_last_period_of_its_year() -> None:
    steps = (
        Tier(cloud="ash", tier="list", year=2026, from_usd=0, discount=0.1),
        Tier(cloud="ash", tier="list", year=2027, from_usd=0, discount=0.0),
    )
    plan, over = beyond(plain(tiers=steps), HOUR * HOURS[1])
    assert cash(plan) == [is_close(0.9 * HOUR * HOURS[0]), is_close(HOUR * HOURS[1])]
    assert over == pytest.approx(0.0, abs=1e-3)


def lent(**terms: Any) -> Case:
    """Two quarters and one more under a deal that has to be signed and prepaid."""
    term = offer("term", "reserved", 3.0, chip="h200", term_months=9, lot_chips=300.0)
    case = plain(1000.0, 1000.0, 1000.0, offers=(*BY_THE_HOUR, term))
    fields: dict[str, Any] = {"status": "negotiating", "signing_cost_usd": 1e4, **terms}
    return under_deal(case, **fields)


def test_a_prepayment_comes_back_in_the_period_of_its_credit() -> None:
    case = lent(prepayment_usd=1e6, prepayment_credited_months=4, minimum_spend_usd=1e6)
    plan, over = beyond(case, 300 * 3.0 * HOURS[0])
    half = [300 * 3.0 * hours for hours in HOURS]
    assert cash(plan) == [is_close(half[0] + 1.01e6), is_close(half[1] - 1e6), is_close(half[2])]
    assert over == is_close(1.01e6)


def test_what_a_deal_leaves_unpaid_is_cash_of_the_last_period() -> None:
    spent = 300 * 3.0 * sum(HOURS)
    plan, over = beyond(lent(minimum_spend_usd=spent + 5e5), 300 * 3.0 * HOURS[0] + 1e4)
    assert cash(plan)[2] == is_close(300 * 3.0 * HOURS[2] + 5e5)
    assert over == is_close(300 * 3.0 * (HOURS[2] - HOURS[0]) - 1e4 + 5e5)


def test_an_exit_fee_is_cash_of_the_period_of_leaving() -> None:
    idle = Contract(
        cloud="elm", region="e1", chip="trn2", contract="idle", chips=10.0,
        start=date(2026, 7, 1), end=date(2027, 7, 1), payment_usd_per_chip_hour=50.0,
        take_or_pay=False, notice_days=30, exit_fee_usd=2e5,
    )  # fmt: skip
    paid = 500 * HOURS[0]
    case = replace(plain(), contracts=(idle,))
    plan, over = beyond(case, HOUR * HOURS[1])
    carried = plan.tables["obligations"].set_index("period").exit_fees_usd
    assert carried.tolist() == [0.0, 2e5]
    assert cash(plan)[0] > paid
    assert over == is_close(cash(plan)[0] + cash(plan)[1] - 2 * HOUR * HOURS[1])


# -- idle hours ------------------------------------------------------------------------------


def test_idle_hours_fill_no_commitment() -> None:
    """Cash is short in the second quarter, so whoever may idle buys hours in the first instead.

    Real work can move to w2, a tenth dearer; the rest stays a shortfall of the second quarter.
    """
    rule = Limit(
        limit="cash", kind="budget", bound=HOUR * HOURS[1], period_from="2027-Q1",
        penalty_usd_per_unit=PRICE,
    )  # fmt: skip
    plan = solved(plain(commitments=(window(BOTH + 1e6),), limits=(rule,)))
    over = 1e6 - 0.1 * HOUR * HOURS[0]
    assert plan.summary["cost_usd"]["exceeded_rules"] == is_close(PRICE * over)
    assert cash(plan)[0] == is_close(1.1 * HOUR * HOURS[0])


def test_idle_hours_reach_no_tier() -> None:
    """A fifth off from just above the spend that is needed: worth it for anyone who may idle."""

    def steps(start: float) -> tuple[Tier, ...]:
        return (
            Tier(cloud="ash", tier="list", year=2027, from_usd=0, discount=0),
            Tier(cloud="ash", tier="gold", year=2027, from_usd=start, discount=0.2),
        )

    year = HOUR * HOURS[1] / (90 / 365)
    assert solved(plain(tiers=steps(year * 0.99))).objective_usd == is_close(
        BOTH - 0.2 * HOUR * HOURS[1]
    )
    # w2 is a tenth dearer: moving work there is real work, beyond that there is none.
    plan = solved(plain(tiers=steps(year * 1.11)))
    assert plan.objective_usd == is_close(BOTH)


# -- budgets and power that nothing can hold --------------------------------------------------


def signed(take_or_pay: bool = True, **more: Any) -> Case:
    """600 trn2 that are already signed, for 1 USD an hour and 0.8 kW each."""
    notice: dict[str, Any] = {} if take_or_pay else {"notice_days": 30, "exit_fee_usd": 1e6}
    line = Contract(
        cloud="elm", region="e1", chip="trn2", contract="firm", chips=600.0,
        start=date(2026, 7, 1), end=date(2028, 7, 1), payment_usd_per_chip_hour=1.0,
        take_or_pay=take_or_pay, **notice,
    )  # fmt: skip
    return replace(plain(), contracts=(line,), **more)


def budget(usd: float, **more: Any) -> Limit:
    return Limit(limit="cash", kind="budget", bound=usd, **more)


def power(mw: float, **more: Any) -> Limit:
    return Limit(limit="site", kind="power", member="elm/e1", bound=mw, **more)


PAID = (
    "rule 'cash' cannot hold in 2026-Q4: contracts that cannot be left are paid 1.3248e+06 USD "
    "then, the bound is 1.2e+06"
)
DRAWN = (
    "rule 'site: elm/e1' cannot hold in 2026-Q4: contracts that cannot be left draw 0.48 MW "
    "then, the bound is 0.4"
)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (budget(1.2e6), PAID),
        (budget(1.2e6, period_from="2027-Q1"), "rule 'cash' from 2027-Q1 cannot hold in 2027-Q1"),
        (power(0.4), DRAWN),
    ],
)  # fmt: skip
def test_a_hard_limit_below_what_is_signed_is_refused(rule: Limit, words: str) -> None:
    with pytest.raises(InputError) as caught:
        build_instance(valid(signed(limits=(rule,))))
    (fault,) = caught.value.faults
    assert fault.rule.startswith(words)
    assert (fault.file, fault.column) == ("limits.csv", "bound")


@pytest.mark.parametrize(
    "rule",
    [
        budget(1.4e6), budget(1.2e6, penalty_usd_per_unit=1.0), power(0.49),
        power(0.4, penalty_usd_per_unit=1.0),
    ],
)  # fmt: skip
def test_a_limit_that_can_hold_is_not(rule: Limit) -> None:
    assert build_instance(valid(signed(limits=(rule,))))


def test_notice_reaches_a_limit() -> None:
    """Once the contract can be left, its power and, a period later, its cash are ours to save."""
    for rule in (power(0.4, period_from="2027-Q1"), budget(1.27e6, period_from="2027-Q1")):
        with pytest.raises(InputError):
            build_instance(valid(signed(limits=(rule,))))
    assert build_instance(valid(signed(False, limits=(power(0.4, period_from="2027-Q1"),))))
    # Leaving costs a fee of a million in the period of leaving.
    leaving = budget(0.9e6, period_from="2027-Q1")
    with pytest.raises(InputError, match="1e\\+06 USD"):
        build_instance(valid(signed(False, limits=(leaving,))))
    assert build_instance(valid(signed(False, limits=(budget(1.1e6, period_from="2027-Q1"),))))


def test_all_of_them_at_once() -> None:
    with pytest.raises(InputError) as caught:
        build_instance(valid(signed(limits=(budget(1.0), power(0.1)))))
    assert len(caught.value.faults) == 2
