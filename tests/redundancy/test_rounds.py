"""Redundancy by rounds of cuts is redundancy by explicit flows, and its proofs hold."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import planner
from planner.audit.folder import audit_plan
from planner.case import Case, load_case
from planner.case.rules import Contingency, Survival
from planner.errors import RunFolderError, UnprovenError
from planner.instance import build_instance
from planner.plan import Plan, load_plan
from planner.redundancy.mode import redundancy_mode
from planner.redundancy.problem import compiled_problem
from planner.redundancy.rounds import Rounds
from planner.restart.read import kept_flows
from planner.solve.session import Session
from planner.solve.transport import Floats, Routing, Transport
from planner.values import DUST_CHIPS
from tests.cases_rules import tiny_rules_case

GAP = 1e-6
ROUNDS = sys.modules["planner.redundancy.rounds"]
CONTINGENCIES = (
    Contingency(contingency="region", kind="outage", dimension="region", period_from="2027-Q3"),
    Contingency(contingency="cloud", kind="outage", dimension="cloud", period_from="2027-Q3"),
    Contingency(
        contingency="stop", kind="supply_stop", dimension="vendor", months=6, period_from="2027-Q3"
    ),
)


def resilient(case: Case) -> Case:
    """data/small with a promise for every loss."""
    survival = tuple(
        Survival.model_validate(
            {"class": c.service_class, "kind": kind, "dimension": of, "share": share}
        )
        for c in case.classes
        for kind, of, share in (
            ("outage", "region", 0.5),
            ("outage", "cloud", 0.3),
            ("supply_stop", "vendor", 0.5),
        )
    )
    return replace(case, contingencies=CONTINGENCIES, survival=survival)


@pytest.fixture(scope="module")
def case() -> Case:
    return resilient(load_case(Path("data/small")))


@pytest.fixture(scope="module")
def explicit(case: Case) -> Plan:
    return planner.solve(case, gap=GAP, redundancy="explicit")


@pytest.fixture(scope="module")
def rounds(case: Case) -> Plan:
    return planner.solve(case, gap=GAP, redundancy="rounds")


@pytest.fixture(scope="module")
def waived(case: Case) -> Plan:
    return planner.solve(case, gap=GAP, redundancy="waived")


def test_rounds_cost_what_explicit_flows_cost(explicit: Plan, rounds: Plan, waived: Plan) -> None:
    for one, other in ((explicit, rounds), (rounds, explicit)):
        assert one.summary["bound_usd"] <= other.summary["objective_usd"] * (1 + 1e-9)
    assert rounds.summary["redundancy"]["cuts"] > 0
    assert waived.summary["objective_usd"] < rounds.summary["bound_usd"]


def test_both_pass_the_audit(explicit: Plan, rounds: Plan) -> None:
    audit_plan(explicit).require()
    audit_plan(rounds).require()


def test_a_plan_without_the_promise_fails_by_a_proof(waived: Plan, tmp_path: Path) -> None:
    assert waived.summary["redundancy"]["blocks_short"] > 0
    saved = waived.save(tmp_path / "run")
    assert saved.summary["status"] == "proven"
    report = audit_plan(load_plan(tmp_path / "run"))
    assert {f.check for f in report.findings} == {"contingencies"}
    assert all("short by a ray" in str(f.found) for f in report.findings)


def test_a_ray_without_prices_proves_nothing(waived: Plan) -> None:
    rays = waived.tables["contingency_rays"].assign(price=0.0)
    report = audit_plan(
        Plan(waived.case, {**waived.tables, "contingency_rays": rays}, waived.summary)
    )
    assert report.findings
    assert all("no flows" in str(f.found) for f in report.findings)


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_changed_prices_of_cuts_do_not_prove_the_bound(rounds: Plan, factor: float) -> None:
    cuts = rounds.tables["certificate_cuts"]
    changed = cuts.assign(price=np.where(cuts.index % 2 == 0, cuts.price * factor, cuts.price))
    plan = Plan(rounds.case, {**rounds.tables, "certificate_cuts": changed}, rounds.summary)
    assert any(f.check == "bound" for f in audit_plan(plan).findings)


def test_a_missing_flow_is_found(rounds: Plan) -> None:
    """A block may serve more than the promise, but not without all flows of a workload."""
    flows = rounds.tables["contingency_flows"]
    block = ["contingency", "workload", "period", "slice"]
    of_largest = flows.sort_values("chips")[block].iloc[-1]
    least = flows[(flows[block] != of_largest).any(axis=1)]
    plan = Plan(rounds.case, {**rounds.tables, "contingency_flows": least}, rounds.summary)
    assert any(f.check == "contingencies" for f in audit_plan(plan).findings)


def own_rounds(case: Case) -> Rounds:
    """New rounds of a case, that know nothing."""
    inst = build_instance(case)
    return Rounds.of(inst, compiled_problem(inst, mode="rounds")[0])


def test_routings_of_another_plan_are_held_against_what_is_asked(case: Case, rounds: Plan) -> None:
    own = own_rounds(case)
    flows, chips = kept_flows(build_instance(case), rounds.tables["contingency_flows"])
    assert len(flows)
    for wrong in (0.5 * chips, -chips):
        own.remember(flows, wrong)
        assert len(own._enough) < own.asked.blocks / 2
    own.remember(flows, chips)
    assert len(own._enough) == own.asked.blocks
    # What a routing takes is looked for each time: without the chips a block is solved, and short.
    k, t, s = next(iter(own._enough))
    takes = own._enough[k, t, s]
    left = np.zeros((own.asked.blocks, len(takes), s + 1))
    left[k, :, s] = takes
    block = np.array([[k, s]])
    assert own._reroute(t, block, left).all()
    assert own.kept((k, t, s), takes) is not None
    assert own.kept((k, t, s), 0.9 * takes) is None
    assert not own._reroute(t, block, np.zeros_like(left)).any()
    assert own._exact((k, t, s), np.zeros_like(takes)) is not None


def test_routings_take_what_they_take_of_pools_and_gates() -> None:
    """As a solve of the block counts it; work that waits for a qualification among them."""
    gated = tiny_rules_case()
    plan = planner.solve(gated, gap=0.0, redundancy="rounds")
    own = own_rounds(gated)
    own.remember(*kept_flows(build_instance(gated), plan.tables["contingency_flows"]))
    assert own._kept
    behind = 0.0
    for at, (w, p, chips) in own._kept.items():
        problem = own.transport(at[1])
        flow = np.zeros(len(problem.pairs[0]))
        for one, two, many in zip(w, p, chips, strict=True):
            flow[(problem.pairs[0] == one) & (problem.pairs[1] == two)] += many
        used = problem.used(Routing(0.0, np.zeros(0), flow))
        np.testing.assert_allclose(own._enough[at], used, atol=1e-9)
        behind += float(used[len(gated.pools) :].sum())
    assert behind > 0.0


def test_routings_over_what_is_lost_are_none(case: Case, rounds: Plan) -> None:
    own = own_rounds(case)
    flows, chips = kept_flows(build_instance(case), rounds.tables["contingency_flows"])
    asked = own.asked
    lost = {}
    for i, (k, w, _, t, _s) in enumerate(flows.tolist()):
        gone = np.flatnonzero((asked.rate[w, :, t] > 0) & ~asked.reach[k, w, :, t])
        if len(gone):
            lost[i] = gone[np.argmax(asked.rate[w, gone, t])]
    assert lost
    moved = flows.copy()
    moved[list(lost), 2] = list(lost.values())
    own.remember(moved, 100.0 * chips)
    blocks = {(k, t, s) for k, _, p, t, s in moved.tolist() if not asked.serves[k, p, t]}
    assert blocks
    for k, _, p, t, s in moved[list(lost)].tolist():
        assert own._enough.get((k, t, s), np.zeros(asked.serves.shape[1]))[p] == 0.0


def test_a_table_of_flows_below_0_is_damaged(rounds: Plan, case: Case, tmp_path: Path) -> None:
    flows = rounds.tables["contingency_flows"]
    broken = flows.assign(chips=np.where(flows.index == 0, -1.0, flows.chips))
    plan = Plan(
        case, {**rounds.tables, "contingency_flows": broken}, rounds.summary,
        restart=rounds.restart,
    )  # fmt: skip
    with pytest.raises(RunFolderError, match="damaged"):
        planner.solve(case, gap=GAP, redundancy="rounds", warm=plan)


def test_flows_of_what_is_not_there_are_left_out(case: Case, rounds: Plan) -> None:
    table = rounds.tables["contingency_flows"]
    flows, chips = kept_flows(build_instance(case), table.assign(workload="gone"))
    assert flows.shape == (0, 5)
    assert chips.shape == (0,)


def test_a_solvers_tolerance_is_no_flow_on_what_is_lost(
    case: Case, rounds: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column that is held at 0 comes back as some 1e-6 chips."""
    exact = Transport.solve

    def nearly(self: Transport, least: Floats, chips: Floats) -> Routing:
        found = exact(self, least, chips)
        return replace(found, flow=found.flow + 2 * DUST_CHIPS)

    monkeypatch.setattr(Transport, "solve", nearly)
    plan = planner.solve(case, gap=GAP, redundancy="rounds")
    # Pools that cannot serve a workload have no column; those that are lost have.
    assert not any(f.place.startswith("flow ") for f in audit_plan(plan).findings)


def test_losses_that_nothing_is_promised_for_change_nothing(case: Case, rounds: Plan) -> None:
    """They stand first, and are more than those with a promise."""
    more = tuple(
        Contingency.model_validate(
            {"contingency": f"{kind}-{of}-{months}", "kind": kind, "dimension": of,
             "months": months}
        )
        for kind, of, dates in (
            ("outage", "chip", (3,)), ("outage", "vendor", (3,)),
            ("supply_stop", "chip", (3, 6, 9, 12)), ("supply_stop", "cloud", (3, 6, 9, 12)),
        )
        for months in dates
    )  # fmt: skip
    among = replace(case, contingencies=more + case.contingencies)
    plan = planner.solve(among, gap=GAP, redundancy="rounds")
    assert plan.summary["redundancy"]["blocks"] == rounds.summary["redundancy"]["blocks"]
    assert plan.summary["redundancy"]["blocks_short"] == 0
    assert plan.summary["bound_usd"] <= rounds.summary["objective_usd"] * (1 + 1e-9)
    assert rounds.summary["bound_usd"] <= plan.summary["objective_usd"] * (1 + 1e-9)
    assert not audit_plan(plan).findings


@pytest.mark.parametrize("limit_s", [0.0, 0.05, 0.2])
def test_a_plan_that_breaks_a_promise_is_none_even_at_the_time_limit(
    case: Case, waived: Plan, limit_s: float
) -> None:
    try:
        plan = planner.solve(case, gap=GAP, redundancy="rounds", warm=waived, time_limit_s=limit_s)
    except UnprovenError:
        return
    assert plan.summary["redundancy"]["blocks_short"] == 0
    assert not audit_plan(plan).findings


def test_another_number_of_threads_is_another_way_to_the_same(case: Case, rounds: Plan) -> None:
    """HiGHS refuses to run with another number than before, unless it is told to begin anew."""
    for threads in (2, 1):
        plan = planner.solve(case, gap=GAP, redundancy="rounds", threads=threads)
        assert plan.summary["status"] == "proven"
        assert plan.summary["redundancy"]["blocks_short"] == 0
        assert plan.objective_usd == pytest.approx(rounds.objective_usd, rel=2 * GAP)


def test_the_size_chooses(case: Case) -> None:
    inst = build_instance(case)
    assert redundancy_mode(inst) == "explicit"
    assert redundancy_mode(inst, "rounds") == "rounds"
    assert redundancy_mode(build_instance(load_case(Path("data/small"))), "rounds") == "explicit"


def test_blocks_that_are_nearly_short_get_rows_that_hold(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a promise breaks, rows of others like it join: true ones, and no more than asked."""
    inst = build_instance(case)
    matrix, _ = compiled_problem(inst, mode="rounds", strengthen=True)
    explicit, _ = compiled_problem(inst, mode="explicit", strengthen=True)
    point, own = Session(explicit).solve_lp().x, np.zeros(matrix.shape[1])
    for name, block in matrix.columns.items():
        own[block] = point[explicit.columns[name]]
    made = []
    for nearly in (-1.0, 1.0):
        monkeypatch.setattr(ROUNDS, "NEARLY", nearly)
        rounds, session = Rounds.of(inst, matrix), Session(matrix)
        x = session.solve_lp().x
        while (batch := rounds(x)) is not None:
            broken = batch.a @ x < batch.lower
            assert broken.any()
            assert broken.all() or nearly > 0.0
            assert (batch.a @ own >= batch.lower - 1e-6 * (1.0 + np.abs(batch.lower))).all()
            blocks = [(c.k, c.t, c.s) for c in rounds.cuts[-len(batch.index) :] if c.least > 0.0]
            assert len(set(blocks)) == len(blocks)
            session.add_rows(replace(batch, name=f"round {rounds.rounds}"))
            x = session.solve_lp().x
        made.append((rounds, float(matrix.objective @ x)))
    (few, cost), (many, same) = made
    assert cost == pytest.approx(same, rel=1e-6)
    assert len(few.cuts) < len(many.cuts)
    assert few.rounds >= many.rounds
    # Where nothing breaks, nothing joins.
    assert Rounds.of(inst, matrix)(own) is None
