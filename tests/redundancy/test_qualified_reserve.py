"""A reserve counts only once its chips are qualified, by flows and by rounds of cuts alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import planner
from planner.audit.contingencies import check_contingencies
from planner.audit.folder import audit_plan, values_from_tables
from planner.case import Case, load_case
from planner.case.rules import Qualification
from planner.instance import build_instance
from planner.matrix import compile_model
from planner.model import build_model
from planner.plan import Plan
from planner.redundancy.cuts import cheapest, pool_prices
from planner.redundancy.rounds import Rounds
from planner.solve.session import Session
from tests.redundancy.test_rounds import GAP, resilient

WAITING = ("trn2", "tpu-v6e")
COST_USD = 2e7


def work(chip: str, generation: str) -> Qualification:
    return Qualification(
        chip=chip, generation=generation, purpose="serving", cost_usd=COST_USD, engineers=1
    )


@pytest.fixture(scope="module")
def case() -> Case:
    """data/small with every loss; a model of a second generation, and chips that wait for both."""
    small = resilient(load_case(Path("data/small")))
    models = tuple(
        m.model_copy(update={"generation": "2"}) if m.model == "pro" else m for m in small.models
    )
    rows = tuple(work(chip, g) for chip in WAITING for g in ("1", "2"))
    return replace(small, models=models, qualification=rows)


@pytest.fixture(scope="module")
def explicit(case: Case) -> Plan:
    return planner.solve(case, gap=GAP, redundancy="explicit")


@pytest.fixture(scope="module")
def rounds(case: Case) -> Plan:
    return planner.solve(case, gap=GAP, redundancy="rounds")


def used_without_work(plan: Plan) -> set[tuple[str, str]]:
    """(chip, generation) of contingency flows on chips that no work has qualified by then."""
    inst = build_instance(plan.case)
    periods = list(inst.time.periods)
    generation = dict(zip(inst.serving.names, inst.serving.generation, strict=True))
    begun = plan.tables["qualification"]
    done = {
        f"{r.chip} for {r.generation}, {r.purpose}": periods.index(str(r.usable_from))
        for r in begun.itertuples()
        if str(r.usable_from) in periods
    }
    out = set()
    for flow in plan.tables["contingency_flows"].itertuples():
        key = (str(flow.chip), generation[str(flow.workload)])
        ready = done.get(f"{key[0]} for {key[1]}, serving", len(periods))
        if key[0] in WAITING and periods.index(str(flow.period)) < ready:
            out.add(key)
    return out


def test_rounds_find_what_flows_find(explicit: Plan, rounds: Plan) -> None:
    for one, other in ((explicit, rounds), (rounds, explicit)):
        assert one.summary["bound_usd"] <= other.summary["objective_usd"] * (1 + 1e-9)
        audit_plan(one).require()


def test_a_reserve_is_qualified(explicit: Plan, rounds: Plan) -> None:
    for plan in (explicit, rounds):
        assert len(plan.tables["contingency_flows"])
        assert not used_without_work(plan)


def test_the_reserve_pays_for_work_that_serving_alone_does_not(case: Case, rounds: Plan) -> None:
    alone = planner.solve(case, gap=GAP, redundancy="waived")
    cost = [p.summary["cost_usd"]["qualification"] for p in (alone, rounds)]
    assert cost[1] > cost[0]


def test_work_that_is_taken_out_is_missed_in_the_losses(rounds: Plan) -> None:
    inst = build_instance(rounds.case)
    values = values_from_tables(inst, rounds.tables)
    done = values["qualify"]
    assert done.values.sum() > 0
    without = {**values, "qualify": replace(done, values=np.zeros_like(done.values))}
    assert not check_contingencies(inst, values, None).findings
    assert check_contingencies(inst, without, None).findings


def test_the_saved_price_of_a_pool_behind_a_gate_is_checked(rounds: Plan) -> None:
    cuts = rounds.tables["certificate_cuts"]
    named = (cuts.workload == "") & (cuts.price >= 0)
    assert named.any()
    wrong = cuts.assign(price=np.where(named, cuts.price + 1.0, cuts.price))
    plan = Plan(rounds.case, {**rounds.tables, "certificate_cuts": wrong}, rounds.summary)
    assert any(f.check == "bound" for f in audit_plan(plan).findings)


def test_every_cut_holds_for_every_plan_that_keeps_the_promise(case: Case) -> None:
    """Any prices make a row that the explicit relaxation cannot violate."""
    inst = build_instance(case)
    matrix = compile_model(build_model(inst))
    rounds = Rounds.of(inst, matrix)
    asked, rng = rounds.asked, np.random.default_rng(7)
    session = Session(matrix)
    points = []
    for _ in range(4):
        columns = np.flatnonzero(matrix.objective)
        session.set_costs(columns, matrix.objective[columns] * rng.uniform(0.2, 5, len(columns)))
        result = session.solve_lp()
        assert result.status == "optimal"
        points.append(result.x)
    blocks = np.argwhere(asked.owed).tolist()
    closed = 0
    for k, t, s in (blocks[i] for i in rng.choice(len(blocks), 60)):
        price = rng.uniform(0, 1, len(inst.serving.names)) * (asked.least[k, :, t, s] > 0)
        for x in points:
            left = rounds.left.chips(x)[k, :, t, s]
            given = cheapest(asked, k, t, price, np.where(asked.serves[k, :, t], left, 0.0))
            for lam in (given, np.where(rng.random(len(given)) < 0.5, 0.0, np.nan)):
                pools = pool_prices(asked, k, t, price, lam)
                closed += int((pools[len(given) :] > 0).any())
                pools = np.where(asked.serves[k, :, t], pools, 0.0)
                need = float(price @ asked.least[k, :, t, s])
                for other in points:
                    have = float(pools @ rounds.left.chips(other)[k, :, t, s])
                    assert have >= need - 1e-6 * max(1.0, need)
    assert closed
