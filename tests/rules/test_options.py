"""Options in signed contracts: what may be renewed or added, when, and what it costs."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from rich.console import Console

import planner
from planner.audit import audit_model
from planner.audit.folder import audit_plan
from planner.case import Case
from planner.case.commercial import Contract
from planner.case.options import ContractOption
from planner.case.records import Region
from planner.case.rules import Contingency, Survival
from planner.cli.show import print_plan
from planner.errors import InfeasibleError
from planner.instance import build_instance
from planner.matrix import compile_model
from planner.model import build_model
from planner.plan import Plan
from tests.audit.conftest import Problem
from tests.audit.test_audit_matrix import assert_equal
from tests.cases import (
    ONE_SLICE,
    demand_rows,
    offer,
    random_case,
    settings,
    supply_rows,
    tiny_case,
    valid,
    workload,
)
from tests.cases_rules import tiny_rules_case
from tests.solve.test_brute_force import brute_force

HOURS = (2208, 2160, 2184)
"""Hours of the three quarters from 2026-10-01."""


def option(kind: Any = "renewal", **more: Any) -> ContractOption:
    fields: dict[str, Any] = {
        "option": "right", "contract": "lease", "cloud": "*", "region": "*", "chip": "*",
        "lot_chips": 300.0, "price_usd_per_chip_hour": 1.0, "term_months": 6, **more,
    }  # fmt: skip
    return ContractOption(kind=kind, **fields)


def lease(*options: ContractOption, supply: float = 0.0, **more: Any) -> Case:
    """A lease of 1,000 chips that ends after the first of three quarters, and what follows.

    The pool's own offer is dear; `loose` makes the lease one that can be left, `ends` its end.
    """
    tiny = tiny_case()
    ends = more.pop("ends", date(2027, 1, 1))
    loose = {"take_or_pay": False, "notice_days": 0} if more.pop("loose", False) else {}
    terms: dict[str, Any] = {"take_or_pay": True, "payment_usd_per_chip_hour": 2.0, **loose}
    terms |= more.pop("terms", {})
    fields: dict[str, Any] = {
        "settings": settings(3, ONE_SLICE),
        "regions": (Region(cloud="ash", region="w1", geography="west"),),
        "pools": tiny.pools[:1],
        "supply": (supply_rows("ash", "w1", "h200", supply),),
        "offers": (offer("dear", "reserved", 4.0, term_months=3, lot_chips=100),),
        "contracts": (
            Contract(cloud="ash", region="w1", chip="h200", contract="lease", chips=1000,
                     start=date(2026, 7, 1), end=ends, **terms),
        ),
        "options": options,
        "serving": (workload("chat-west", "chat"),),
        "demand": demand_rows("chat-west", 1500, 1500, 1500),
        "throughput": tuple(row for row in tiny.throughput if row.service_class == "chat"),
        "profile": tiny.profile,
        "training": (),
        **more,
    }  # fmt: skip
    return valid(replace(tiny, **fields))


def solved(case: Case, **more: Any) -> Plan:
    plan = planner.solve(case, gap=0.0, **more)
    assert plan.status == "proven"
    if not more:
        audit_plan(plan).require()
    return plan


def taken(plan: Plan) -> dict[str, float]:
    """Chips of the option by the period of their start."""
    table = plan.tables["contracts_signed"]
    some = table[table.offer == "right"]
    return dict(zip(some.start, some.chips, strict=True))


def held(plan: Plan) -> list[float]:
    table = plan.tables["capacity"].set_index("period")
    return [
        round(float(table.contracted_chips.get(t, 0.0)), 6)
        for t in ("2026-Q4", "2027-Q1", "2027-Q2")
    ]


def is_close(value: float) -> Any:
    return pytest.approx(value, rel=1e-8)


# -- a renewal -------------------------------------------------------------------------------


def test_a_free_renewal_that_is_needed_is_taken() -> None:
    """It keeps whole lots of what was delivered, for its term, with no supply of its own."""
    plan = solved(lease(option(price_usd_per_chip_hour=0.0)))
    assert taken(plan) == {"2027-Q1": 900.0}
    assert held(plan) == [1000.0, 900.0, 900.0]
    short = solved(lease(option(price_usd_per_chip_hour=0.0, term_months=3)))
    assert held(short) == [1000.0, 900.0, 0.0]
    few = solved(lease(option(price_usd_per_chip_hour=0.0, max_lots=2)))
    assert held(few) == [1000.0, 600.0, 600.0]


@pytest.mark.parametrize("supply", [0.0, 700.0, 5000.0])
def test_a_renewal_that_is_too_dear_is_never_taken(supply: float) -> None:
    """The optimum is that of the case without options, which is the smaller model."""
    plan = solved(lease(option(price_usd_per_chip_hour=1e4), supply=supply))
    none = solved(lease(supply=supply))
    assert taken(plan) == {}
    assert plan.objective_usd == is_close(none.objective_usd)
    assert held(plan) == held(none)
    assert "options" not in none.tables
    assert plan.tables["options"].decision.tolist() == ["not_exercised"]


@pytest.mark.parametrize("seed", [None, 0, 1, 2, 5, 8])
def test_options_that_nobody_wants_change_nothing(seed: int | None) -> None:
    case = tiny_case() if seed is None else random_case(seed)
    dear: dict[str, Any] = {"price_usd_per_chip_hour": 1e4, "lot_chips": 50.0}
    rights = tuple(
        option(kind, option=f"{kind} {name}", contract=name, **dear, **more)
        for name in sorted({line.contract for line in case.contracts})
        for kind, more in (("renewal", {}), ("expansion", {"max_lots": 3}))
    )
    plan = solved(valid(replace(case, options=rights)))
    assert plan.objective_usd == is_close(solved(case).objective_usd)
    assert (plan.tables["options"].lots == 0).all()


def test_what_a_renewal_costs() -> None:
    """Its price for its hours, a part at the start; past the horizon owed and worth its price."""
    rights = option(price_usd_per_chip_hour=1.5, term_months=12, upfront_share=0.25)
    inst = build_instance(lease(rights, offers=(offer("dear", "reserved", 1.2, term_months=3),)))
    (j,) = np.flatnonzero(inst.options.of_start == 0)
    starts = inst.starts
    later = (2208, 2208)
    whole = 300 * 1.5 * (HOURS[1] + HOURS[2] + sum(later))
    assert starts.payment_usd[j].tolist() == pytest.approx(
        [0, 0.25 * whole + 0.75 * 300 * 1.5 * HOURS[1], 0.75 * 300 * 1.5 * HOURS[2]]
    )
    assert starts.accrued_usd[j].tolist() == pytest.approx([0, 450 * HOURS[1], 450 * HOURS[2]])
    years = (np.array([273, 365]) + np.array([46, 46])) / 365.25
    beta = 1.08**-years
    assert starts.liability_usd[j] == pytest.approx(0.75 * 450 * (beta @ np.array(later)), 1e-3)
    # The market then: the cheapest term offer, here below the option's price.
    assert starts.credit_usd[j] == pytest.approx(0.9 * 360 * (beta @ np.array(later)), 1e-3)


def test_two_renewals_share_what_was_delivered() -> None:
    cheap = {"price_usd_per_chip_hour": 0.0, "lot_chips": 400.0}
    plan = solved(lease(option(term_months=3, **cheap), option(option="long", **cheap)))
    assert held(plan) == [1000.0, 800.0, 800.0]


def test_a_renewal_brings_the_allocation_that_supply_lacks() -> None:
    """Nobody but the renewal may use it; what supply has beyond the renewed chips stays free."""
    right = option(price_usd_per_chip_hour=3.9, lot_chips=500.0)
    cheap = (offer("cheap", "reserved", 0.1, term_months=3, lot_chips=100),)
    for supply, new in ((0.0, 0.0), (400.0, 400.0), (1500.0, 1500.0)):
        demand = demand_rows("chat-west", 1500, 15000, 15000)
        dear = right.model_copy(update={"price_usd_per_chip_hour": 1e4})
        plan = solved(lease(dear, supply=supply, offers=cheap, demand=demand))
        assert held(plan)[1:] == [new, new]
        both = solved(lease(right, supply=supply, offers=cheap, demand=demand))
        assert max(held(both)) <= max(supply, 1000.0)
        if supply == 400.0:
            assert taken(both) == {"2027-Q1": 1000.0}


def test_a_renewal_installs_nothing() -> None:
    """A region that can take no new chips keeps those that stand."""
    regions = (Region(cloud="ash", region="w1", geography="west", install_limit_chips=10),)
    right = option(price_usd_per_chip_hour=0.0)
    assert taken(solved(lease(right, regions=regions))) == {"2027-Q1": 900.0}
    grown = option("expansion", price_usd_per_chip_hour=0.0, max_lots=3)
    assert taken(solved(lease(grown, supply=5000.0, regions=regions))) == {}


@pytest.mark.parametrize(("days", "starts"), [(92, ["2027-Q1"]), (93, [])])
def test_a_renewal_needs_its_notice(days: int, starts: list[str]) -> None:
    """as_of is 2026-10-01, 92 days before the end."""
    plan = solved(lease(option(price_usd_per_chip_hour=0.0, exercise_by_days=days)))
    assert list(taken(plan)) == starts
    row = plan.tables["options"].iloc[0]
    expected = ("exercised", "2026-10-01") if starts else ("out_of_reach", "")
    assert (row.decision, row.exercise_by) == expected


def test_a_contract_that_outlives_the_horizon_is_not_renewed() -> None:
    plan = solved(lease(option(), ends=date(2027, 7, 1)))
    assert plan.tables["options"].decision.tolist() == ["out_of_reach"]
    assert held(plan) == [1000.0] * 3


def leave_first(m: Any, _inst: Any) -> None:
    """sum_t leave[0,t] = 1: the lease is left."""
    m.left = pyo.Constraint(expr=sum(m.leave[key] for key in m.LEAVE) == 1)


def some_renewed(m: Any, inst: Any) -> None:
    """sum_j lots[j] >= 1 over the starts of options."""
    own = np.flatnonzero(inst.options.of_start >= 0).tolist()
    m.some = pyo.Constraint(expr=sum(m.lots[j] for j in own) >= 1)


def test_leaving_kills_the_renewal() -> None:
    case = lease(option(price_usd_per_chip_hour=0.0), loose=True)
    assert taken(solved(case)) == {"2027-Q1": 900.0}
    assert taken(solved(case, equations=[leave_first])) == {}
    with pytest.raises(InfeasibleError):
        planner.solve(case, gap=0.0, equations=[leave_first, some_renewed])


def test_a_lease_is_kept_for_its_renewal() -> None:
    """Dear to keep, and left without the option; the renewal is worth more than that."""
    terms = {"payment_usd_per_chip_hour": 40.0}
    nothing_now = demand_rows("chat-west", 0, 1500, 1500)
    alone = solved(lease(loose=True, terms=terms, demand=nothing_now))
    assert alone.tables["contracts_existing"].decision.tolist() == ["leave"]
    right = option(price_usd_per_chip_hour=0.0)
    kept = solved(lease(right, loose=True, terms=terms, demand=nothing_now))
    assert kept.tables["contracts_existing"].decision.tolist() == ["keep"]
    assert kept.objective_usd < alone.objective_usd


# -- an expansion ----------------------------------------------------------------------------


def expansion(**more: Any) -> ContractOption:
    given: dict[str, Any] = {"price_usd_per_chip_hour": 0.01, "max_lots": 3, "term_months": 3}
    return option("expansion", **{**given, **more})


def test_an_expansion_gives_so_many_lots_over_its_window() -> None:
    many = demand_rows("chat-west", 15000, 15000, 15000)
    long: dict[str, Any] = {"supply": 5000.0, "ends": date(2027, 7, 1), "demand": many, "offers": (
        offer("dear", "reserved", 400.0, term_months=3),
    )}  # fmt: skip
    assert sum(taken(solved(lease(expansion(term_months=9), **long))).values()) == 900.0
    windowed = expansion(window_from=date(2027, 1, 1), window_to=date(2027, 2, 1))
    assert taken(solved(lease(windowed, **long))) == {"2027-Q1": 900.0}
    late = expansion(lead_days=93)
    assert taken(solved(lease(late, **long))) == {"2027-Q2": 900.0}
    ended = {**long, "ends": date(2027, 1, 1)}
    assert taken(solved(lease(expansion(), **ended))) == {"2026-Q4": 900.0}


def test_an_expansion_needs_supply() -> None:
    """The right is to chips that the provider can deliver: its lots count against supply."""
    many = demand_rows("chat-west", 15000, 15000, 15000)
    plan = solved(lease(expansion(), supply=1650.0, demand=many, ends=date(2027, 7, 1)))
    assert max(held(plan)) <= 1650.0
    assert sum(taken(plan).values()) > 0


def test_an_expansion_ends_with_the_contract_that_is_left() -> None:
    many = demand_rows("chat-west", 15000, 15000, 15000)
    case = lease(
        expansion(), supply=5000.0, loose=True, demand=many, ends=date(2027, 7, 1),
        offers=(offer("dear", "reserved", 400.0, term_months=3),),
    )  # fmt: skip

    def left_in_the_second(m: Any, _inst: Any) -> None:
        """leave[0,1] = 1."""
        m.left = pyo.Constraint(expr=m.leave[0, 1] == 1)

    assert taken(solved(case, equations=[left_in_the_second])) == {"2026-Q4": 900.0}
    assert taken(solved(case, equations=[leave_first, left_in_the_second]))  # the first is free


# -- proof -----------------------------------------------------------------------------------


def test_the_optimum_is_that_of_trying_everything() -> None:
    case = lease(
        option(lot_chips=500.0, price_usd_per_chip_hour=1.1),
        option("expansion", option="more", lot_chips=200.0, max_lots=2, term_months=3,
               price_usd_per_chip_hour=1.3),
        supply=1300.0, loose=True, demand=demand_rows("chat-west", 3000, 3500, 2500),
        offers=(offer("dear", "reserved", 2.0, term_months=3, lot_chips=600, max_lots=1),),
    )  # fmt: skip
    best, tried = brute_force(audit_model(build_instance(case)))
    assert tried > 20
    plan = solved(case)
    assert plan.objective_usd == pytest.approx(best, rel=1e-7)
    assert (plan.tables["options"].lots > 0).any()


def test_the_audit_states_the_same_problem() -> None:
    cases = (
        tiny_rules_case(),
        lease(option(), option(option="long", lot_chips=70.0, max_lots=5), supply=600.0,
              loose=True),
        lease(expansion(), option(option="again"), supply=600.0, loose=True,
              ends=date(2027, 4, 1)),
    )  # fmt: skip
    for case in cases:
        inst = build_instance(case)
        assert inst.options.of_start.max() >= 0
        assert_equal(
            Problem(inst, compile_model(build_model(inst, strengthen=True)), audit_model(inst))
        )


def test_an_exercised_option_survives_the_run_folder(tmp_path: Any) -> None:
    plan = solved(lease(option(option="2026", price_usd_per_chip_hour=0.0)))
    plan.save(tmp_path / "run")
    table = planner.load_plan(tmp_path / "run").tables["options"]
    assert table.option.tolist() == ["2026"]
    assert table.start.tolist() == ["2027-Q1"]
    assert table.exercise_by.tolist() == ["2027-01-01"]


def test_the_terminal_says_what_is_exercised() -> None:
    taken_up = option(price_usd_per_chip_hour=0.0)
    left_alone = option(option="costly", price_usd_per_chip_hour=1e4, exercise_by_days=31)
    gone = option(option="gone", exercise_by_days=400)
    console = Console(record=True, width=200, file=io.StringIO())
    print_plan(solved(lease(taken_up, left_alone, gone)), console)
    said = console.export_text()
    lines = (
        "renewal right of contract lease: 900 chips from 2027-Q1, exercise by 2027-01-01",
        "renewal costly of contract lease: not exercised, open until 2026-12-01",
        "renewal gone of contract lease: not exercised, out of reach",
    )
    for line in lines:
        assert line in said


def test_a_supply_stop_takes_no_renewed_chips() -> None:
    """They stand already; lots of an offer that start meanwhile are missing."""
    case = lease(
        option(), supply=5000.0,
        contingencies=(Contingency(contingency="stop", kind="supply_stop", dimension="vendor",
                                   member="nvidia", months=6),),
        survival=(Survival.model_validate({"class": "chat", "kind": "supply_stop",
                                           "dimension": "vendor", "share": 0.5}),),
    )  # fmt: skip
    inst = build_instance(case)
    matrix = compile_model(build_model(inst))
    block = matrix.a.tocsr()[matrix.rows["cover_capacity"]][:, matrix.columns["lots"]]
    stopped = np.flatnonzero(np.asarray(abs(block).sum(axis=0)).ravel()).tolist()
    assert stopped == np.flatnonzero(inst.options.of_start < 0).tolist()
    assert_equal(Problem(inst, matrix, audit_model(inst)))


def test_an_option_never_costs_more_than_none_and_a_dearer_one_no_less() -> None:
    costs = [
        solved(lease(option(price_usd_per_chip_hour=price), supply=700.0)).objective_usd
        for price in (0.0, 1.0, 3.0, 3.9, 8.0)
    ]
    none = solved(lease(supply=700.0)).objective_usd
    assert costs == sorted(costs)
    assert costs[0] < costs[1] < none
    assert costs[-1] <= none * (1 + 1e-9)
