"""An earlier plan as a start: the same plan and proof as from nothing, whatever has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import planner
from planner.audit.folder import audit_plan, audit_run
from planner.audit.model import audit_model
from planner.case import Case
from planner.case.rules import Contingency, Survival
from planner.errors import RunFolderError
from planner.instance import build_instance
from planner.plan import RESTART, Plan
from planner.redundancy.problem import compiled_problem
from planner.redundancy.rounds import Rounds
from planner.restart.axes import AXES
from planner.restart.read import given_by, kept_cuts
from planner.solve.certificate import Node, node_bounds, proven_bound
from planner.solve.resume import with_bounds
from tests.cases import random_case, small_case, small_plan, tiny_case
from tests.cases_rules import tiny_rules_case

SEED = 28
"""A random case whose tree has some thirty nodes."""


def dearer(case: Case, factor: float) -> Case:
    """Every price of the first offer times a factor."""
    first = case.offers[0]
    price = first.price_usd_per_chip_hour * factor
    changed = first.model_copy(update={"price_usd_per_chip_hour": price})
    return replace(case, offers=(changed, *case.offers[1:]))


def busier(case: Case, factor: float) -> Case:
    """All demand times a factor."""
    return replace(
        case,
        demand=tuple(
            row.model_copy(update={"requests_per_s": row.requests_per_s * factor})
            for row in case.demand
        ),
    )


def later(case: Case) -> Case:
    """The first offer opens in the second quarter: starts of lots, placements go or come."""
    changed = case.offers[0].model_copy(update={"window_from": date(2027, 1, 1)})
    return replace(case, offers=(changed, *case.offers[1:]))


def fewer_pools(case: Case) -> Case:
    """Without the second pool: every position behind it is another one."""
    gone = case.pools[1]
    key = (gone.cloud, gone.region, gone.chip)

    def stays(row: object) -> bool:
        return tuple(getattr(row, name) for name in ("cloud", "region", "chip")) != key

    return replace(
        case,
        pools=tuple(filter(stays, case.pools)),
        supply=tuple(filter(stays, case.supply)),
        contracts=tuple(filter(stays, case.contracts)),
    )


def a_cheap_pool_less_busy(case: Case) -> Case:
    return busier(fewer_pools(dearer(case, 0.8)), 0.7)


CHANGES: dict[str, Callable[[Case], Case]] = {
    "nothing": lambda case: case,
    "dearer": lambda case: dearer(case, 1.1),
    "cheaper": lambda case: dearer(case, 0.85),
    "busier": lambda case: busier(case, 1.04),
    "quieter": lambda case: busier(case, 0.9),
    "later": later,
    "fewer pools": a_cheap_pool_less_busy,
}


@cache
def earlier() -> Plan:
    return planner.solve(tiny_case(), gap=0.0)


@pytest.mark.parametrize("change", CHANGES)
def test_the_optimum_is_that_from_nothing(change: str) -> None:
    case = CHANGES[change](tiny_case())
    warm = planner.solve(case, gap=0.0, warm=earlier())
    cold = planner.solve(case, gap=0.0)
    assert warm.status == cold.status == "proven"
    assert warm.objective_usd == pytest.approx(cold.objective_usd, rel=1e-9)
    audit_plan(warm).require()
    given = warm.summary["earlier_plan"]
    assert given["leaves"] > 1
    assert given["bound_usd"] <= cold.objective_usd * (1 + 1e-9)
    if given["plan_usd"] is not None:
        assert given["plan_usd"] >= cold.objective_usd * (1 - 1e-9)


@pytest.mark.parametrize("seed", [3, 5, SEED])
def test_random_cases_from_random_cases(seed: int) -> None:
    """Whatever the earlier case was: the proof and the optimum are those of the case at hand."""
    before = planner.solve(random_case(seed), gap=0.0)
    for other in (seed, seed + 1, seed + 7):
        case = random_case(other)
        cold = planner.solve(case, gap=0.0)
        warm = planner.solve(case, gap=0.0, warm=before)
        assert warm.objective_usd == pytest.approx(cold.objective_usd, rel=1e-9)
        audit_plan(warm).require()


def test_an_unchanged_case_is_proven_without_a_relaxation() -> None:
    plan = planner.solve(small_case(), gap=0.0, warm=small_plan())
    given = plan.summary["earlier_plan"]
    assert given["bound_usd"] == pytest.approx(small_plan().bound_usd, rel=1e-12)
    assert given["plan_usd"] == pytest.approx(small_plan().objective_usd, rel=1e-9)
    assert plan.status == "proven"
    assert plan.summary["size"]["nodes"] == small_plan().summary["size"]["nodes"]
    assert "relaxation" not in plan.summary["seconds"]["within_solve"]


def test_saved_and_loaded_gives_the_same_and_twice_the_same(tmp_path: Path) -> None:
    saved = small_plan().save(tmp_path / "run")
    case = dearer(small_case(), 1.05)
    loaded = planner.load_plan(tmp_path / "run")
    assert loaded.restart is None
    assert saved.restart is not None
    first, second, third = (
        planner.solve(case, gap=0.0, warm=plan) for plan in (small_plan(), loaded, loaded)
    )
    first.save(tmp_path / "a")
    second.save(tmp_path / "b")
    for other in (second, third):
        for table in first.tables:
            pd.testing.assert_frame_equal(first.tables[table], other.tables[table])
    restarts = [(tmp_path / name / RESTART).read_bytes() for name in "ab"]
    assert restarts[0] == restarts[1]
    assert audit_run(tmp_path / "b").passed


def test_every_component_of_a_model_has_axes() -> None:
    """A family that is new needs a line in AXES; those of the audit are stated on their own."""
    inst = build_instance(tiny_rules_case())
    matrix, _ = compiled_problem(inst, mode="explicit")
    model = audit_model(inst)
    names = {*matrix.columns, *matrix.rows}
    assert names <= set(AXES)
    for blocks in (model.columns, model.rows):
        for name, block in blocks.items():
            assert block.axes == AXES[name], name
    for index in (matrix.column_index, matrix.row_index):
        for name, labels in index.items():
            for label in labels[:1]:
                assert len(label if isinstance(label, tuple) else (label,)) == len(AXES[name])


def test_a_wider_range_is_covered_by_the_outer_sides() -> None:
    """More lots may be signed than before: the tree still leaves no whole number out."""
    case = small_case()
    wide = replace(
        case,
        supply=tuple(row.model_copy(update={"chips": row.chips * 2}) for row in case.supply),
    )
    inst = build_instance(wide)
    matrix, _ = compiled_problem(inst)
    given = given_by(small_plan(), inst, matrix, None)
    nodes = with_bounds(matrix, given.warm.nodes)
    assert len(nodes) > 20
    rng = np.random.default_rng(1)
    integer = np.flatnonzero(matrix.integer)
    spans = [(int(matrix.lower[j]), int(matrix.upper[j])) for j in integer]
    points = np.array([[rng.integers(a, b + 1) for a, b in spans] for _ in range(300)])
    points[0], points[1] = [b for _, b in spans], [a for a, _ in spans]
    covered = np.zeros(len(points), dtype=int)
    for at, node in enumerate(nodes):
        if node.leaf:
            low, high = node_bounds(matrix, nodes, at)
            assert (low <= high).all()
            covered += ((points >= low[integer]) & (points <= high[integer])).all(axis=1)
    assert (covered == 1).all()
    assert min(n.bound for n in nodes if n.leaf) > -np.inf


def test_a_split_that_splits_nothing_any_more_is_left_out() -> None:
    """One lot at most, where the tree split at two and more."""
    case = replace(
        small_case(),
        offers=tuple(
            offer.model_copy(update={"max_lots": 1, "min_lots": 1}) if offer.lot_chips else offer
            for offer in small_case().offers
        ),
    )
    inst = build_instance(case)
    matrix, _ = compiled_problem(inst)
    given = given_by(small_plan(), inst, matrix, None)
    nodes = list(given.warm.nodes)
    assert 0 < len(nodes) < small_plan().summary["size"]["nodes"]
    for at, node in enumerate(nodes):
        low, high = node_bounds(matrix, nodes, at)
        assert (low <= high).all()
        assert node.leaf == all(other.parent != at for other in nodes)
    warm, cold = (planner.solve(case, gap=0.0, warm=plan) for plan in (small_plan(), None))
    assert warm.objective_usd == pytest.approx(cold.objective_usd, rel=1e-9)
    audit_plan(warm).require()


def test_a_ray_that_proves_nothing_any_more_gives_way() -> None:
    """A leaf that was empty may hold plans now; until it is solved, other duals bound it."""
    inst = build_instance(tiny_case())
    matrix, _ = compiled_problem(inst)
    y = np.zeros(matrix.shape[0])
    nodes = (
        Node(-1, -1, -np.inf, np.inf, leaf=False),
        Node(0, int(np.flatnonzero(matrix.integer)[0]), 0.0, 0.0, y=y),
        Node(0, int(np.flatnonzero(matrix.integer)[0]), 1.0, 9.0, y=y, ray=True),
    )
    fresh = with_bounds(matrix, nodes)
    assert not fresh[2].ray
    assert fresh[2].bound == proven_bound(matrix, y, False, node_bounds(matrix, fresh, 2))
    assert np.isfinite(fresh[2].bound)
    assert nodes[2].ray


# -- contingencies -----------------------------------------------------------------------------


def resilient(case: Case) -> Case:
    """A promise for the loss of any cloud and of any vendor's supply."""
    kinds = (("outage", "cloud", 0.3), ("supply_stop", "vendor", 0.5))
    return replace(
        case,
        contingencies=(
            Contingency(
                contingency="cloud", kind="outage", dimension="cloud", period_from="2027-Q3"
            ),
            Contingency(
                contingency="stop", kind="supply_stop", dimension="vendor", months=6,
                period_from="2027-Q3",
            ),
        ),
        survival=tuple(
            Survival.model_validate(
                {"class": c.service_class, "kind": kind, "dimension": of, "share": share}
            )
            for c in case.classes
            for kind, of, share in kinds
        ),
    )  # fmt: skip


@cache
def earlier_with_cuts() -> Plan:
    return planner.solve(resilient(small_case()), gap=1e-6, redundancy="rounds")


@pytest.mark.parametrize("change", ["nothing", "dearer", "cheaper", "busier", "quieter"])
def test_cuts_are_given_again_and_hold(change: str) -> None:
    case = CHANGES[change](resilient(small_case()))
    assert earlier_with_cuts().summary["redundancy"]["cuts"] > 3
    warm = planner.solve(case, gap=1e-6, redundancy="rounds", warm=earlier_with_cuts())
    explicit = planner.solve(case, gap=1e-6, redundancy="explicit")
    assert warm.objective_usd == pytest.approx(explicit.objective_usd, rel=3e-6)
    assert warm.summary["redundancy"]["blocks_short"] == 0
    assert warm.summary["earlier_plan"]["cuts"] > 3
    audit_plan(warm).require()


def test_cuts_of_what_is_gone_are_left_out() -> None:
    case = resilient(small_case())
    without = replace(case, contingencies=case.contingencies[1:])
    inst = build_instance(without)
    matrix, _ = compiled_problem(inst, mode="rounds")
    table = earlier_with_cuts().tables["certificate_cuts"]
    cuts, now = kept_cuts(Rounds.of(inst, matrix), inst, table)
    gone = table[table.contingency.str.startswith("cloud")]["cut"].unique()
    assert len(gone) > 0
    assert (now[gone] == -1).all()
    assert len(cuts) == (now >= 0).sum() < len(now)
    warm = planner.solve(without, gap=1e-6, redundancy="rounds", warm=earlier_with_cuts())
    cold = planner.solve(without, gap=1e-6, redundancy="rounds")
    assert warm.objective_usd == pytest.approx(cold.objective_usd, rel=3e-6)
    audit_plan(warm).require()


def test_rules_from_a_plan_without_them_and_back() -> None:
    with_rules, without = tiny_rules_case(), tiny_case()
    plans = [planner.solve(case, gap=0.0) for case in (with_rules, without)]
    for case, mine, other in zip((with_rules, without), plans, reversed(plans), strict=True):
        warm = planner.solve(case, gap=0.0, warm=other)
        assert warm.objective_usd == pytest.approx(mine.objective_usd, rel=1e-9)
        audit_plan(warm).require()


# -- what is not there or damaged --------------------------------------------------------------


def test_a_run_that_keeps_nothing_is_refused(tmp_path: Path) -> None:
    small_plan().save(tmp_path / "run")
    (tmp_path / "run" / RESTART).unlink()
    with pytest.raises(RunFolderError, match="keeps nothing to start from"):
        planner.solve(small_case(), warm=planner.load_plan(tmp_path / "run"))
    (tmp_path / "run" / RESTART).write_bytes(b"PAR1 and no more")
    with pytest.raises(RunFolderError, match=r"restart.parquet cannot be read"):
        planner.solve(small_case(), warm=planner.load_plan(tmp_path / "run"))
    pd.DataFrame({"part": ["axis"]}).to_parquet(tmp_path / "run" / RESTART)
    with pytest.raises(RunFolderError, match="it has no name, label, i0"):
        planner.solve(small_case(), warm=planner.load_plan(tmp_path / "run"))


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("certificate_duals", "dual", np.nan),
        ("certificate_duals", "dual", np.inf),
        ("certificate_nodes", "low", np.nan),
        ("certificate_nodes", "low", 0.5),
        ("certificate_nodes", "parent", 10**6),
        ("restart", "value", np.nan),
        ("restart", "value", -np.inf),
    ],
)
def test_numbers_that_no_proof_has_are_refused(table: str, column: str, value: float) -> None:
    plan = small_plan()
    assert plan.restart is not None
    tables = {**plan.tables, "restart": plan.restart}
    bad = tables[table].copy()
    at = bad.index[bad.part != "axis"] if table == "restart" else bad.index
    bad[column] = bad[column].astype(float)
    bad.loc[at[-1], column] = value
    tables[table] = bad
    restart = tables.pop("restart")
    with pytest.raises(RunFolderError, match="is damaged"):
        planner.solve(small_case(), warm=Plan(plan.case, tables, plan.summary, restart=restart))


def test_a_wrong_start_changes_no_answer() -> None:
    """Statuses, whole numbers and duals that are nonsense: slower, never wrong."""
    plan = small_plan()
    assert plan.restart is not None
    bad = plan.restart.copy()
    rng = np.random.default_rng(7)
    some = bad.part != "axis"
    bad.loc[some, "value"] = rng.integers(0, 3, int(some.sum())).astype(float)
    duals = plan.tables["certificate_duals"].copy()
    duals["dual"] = rng.normal(size=len(duals)) * 1e5
    tables = {**plan.tables, "certificate_duals": duals}
    warm = planner.solve(
        small_case(), gap=0.0, warm=Plan(plan.case, tables, plan.summary, restart=bad)
    )
    assert warm.objective_usd == pytest.approx(plan.objective_usd, rel=1e-9)
    assert warm.summary["earlier_plan"]["bound_usd"] < plan.bound_usd
    audit_plan(warm).require()
