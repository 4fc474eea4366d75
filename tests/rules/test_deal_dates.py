"""A deal that costs nothing delays nothing: it is signed on the day on which offers could be."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

import planner
from planner.audit.folder import audit_plan
from planner.case import Case
from planner.instance import build_instance
from tests.cases import offer, valid
from tests.rules.test_limit_cases import plain, under_deal

TERM = offer("term", "reserved", 1.0, chip="h200", term_months=3, lot_chips=100.0, lead_days=30)


def under_way(as_of: date, **deal: Any) -> Case:
    """Three quarters, the case's day within the first or second."""
    case = plain(1000.0, 1000.0, 1000.0, offers=(TERM,))
    now = replace(case, settings=case.settings.model_copy(update={"as_of": as_of}))
    return valid(under_deal(now, **deal) if deal else now)


def cost(case: Case) -> float:
    plan = planner.solve(case, gap=0.0)
    audit_plan(plan).require()
    return plan.objective_usd


@pytest.mark.parametrize("as_of", [date(2026, 10, 1), date(2026, 11, 15), date(2026, 12, 2),
                                   date(2026, 12, 3), date(2027, 2, 1)])  # fmt: skip
def test_a_deal_that_is_free_to_sign_is_as_good_as_signed(as_of: date) -> None:
    free = cost(under_way(as_of, status="negotiating"))
    assert free == pytest.approx(cost(under_way(as_of, status="signed")), rel=1e-9)
    assert free == pytest.approx(cost(under_way(as_of)), rel=1e-9)


def test_its_earliest_day_counts_from_that_day() -> None:
    """Signed on 2 December, thirty days before the second quarter; a day later is too late."""
    for day, first in ((date(2026, 12, 2), 1), (date(2026, 12, 3), 2)):
        case = under_way(date(2026, 10, 1), status="negotiating", earliest_signing=day)
        inst = build_instance(case)
        deals = inst.rules.deals
        assert np.flatnonzero(deals.sign_in[0]).tolist() == [0, 1, 2]
        opened = deals.signed_by[inst.starts.period >= first]
        assert int(inst.starts.period.min()) == first
        assert (opened >= 0).all()


def test_what_is_signed_under_way_is_paid_then() -> None:
    """Discounted from its own day, credited from it."""
    case = under_way(
        date(2026, 11, 15), status="negotiating", signing_cost_usd=1e6, prepayment_usd=1e5,
        prepayment_credited_months=2, minimum_spend_usd=1e5,
    )  # fmt: skip
    rated = replace(case, settings=case.settings.model_copy(update={"discount_rate_per_year": 0.1}))
    deals = build_instance(rated).rules.deals
    years = 45 / 365.25
    lent = 1e5 * (1.1**-years - 1.1 ** -(years + 2 / 12))
    assert deals.present_usd[0, 0] == pytest.approx(1e6 * 1.1**-years + lent)
    assert deals.credited_in[0].tolist() == [1, 1, 2]
