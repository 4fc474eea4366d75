"""Prices lie between the one-sided differences of problems that are built and solved afresh."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import planner
from planner.audit import audit_model
from planner.audit.folder import audit_run
from planner.audit.limits import priced_in, units_of
from planner.case import Case
from planner.errors import AuditError, PlannerError, RunFolderError
from planner.instance import Instance, build_instance
from planner.limits import INVESTMENT, OPERATING, limits_of, lots_by_supply
from planner.matrix import Matrix, compile_model
from planner.model import build_model
from planner.prices.lp import Labels, Problem, problem_of, solved
from planner.prices.save import save_prices
from planner.prices.table import COLUMNS, Prices, price_table, prices, prices_of
from planner.run_folder import MANIFEST
from planner.solve.session import Session
from tests.audit.rules_case import rules_case
from tests.cases import small_case, small_plan, valid
from tests.cases_rules import tiny_rules_case
from tests.explain.planted import survives

Change = Callable[[Instance, float], Instance]


@cache
def small_problem() -> Problem:
    return problem_of(small_plan())


@cache
def small_prices() -> Prices:
    return prices(small_plan(), 10**6)


@cache
def rules_plan() -> planner.Plan:
    return planner.solve(rules_case(small_case()), gap=0.02, time_limit_s=60)


@cache
def rules_problem() -> Problem:
    return problem_of(rules_plan())


@cache
def rules_prices() -> Prices:
    problem = rules_problem()
    return prices_of(problem, [solved(problem, n) for n in ("operating", "investment")], 10**6)


def fresh(problem: Problem, name: str, inst: Instance, move: tuple[Any, ...] = ()) -> float:
    """Cost of the problem of an instance, built and solved from nothing."""
    most = np.where(lots_by_supply(problem.inst), 10**6, inst.starts.max_lots)
    inst = replace(inst, starts=replace(inst.starts, max_lots=most))
    matrix = compile_model(build_model(inst))
    if move:
        matrix = moved(matrix, *move)
    session = Session(matrix)
    if name == "operating":
        whole = np.flatnonzero(matrix.integer)
        session.set_bounds(whole, problem.whole, problem.whole)
    result = session.solve_lp()
    return float(matrix.objective @ result.x) if result.status == "optimal" else np.inf


def moved(matrix: Matrix, rows: dict[str, tuple[int, ...]], by: dict[str, float]) -> Matrix:
    """The matrix with every row of a constraint moved whose index begins with the given one."""
    low, high = matrix.row_lower.copy(), matrix.row_upper.copy()
    count = 0
    for name, begin in rows.items():
        for i, key in enumerate(matrix.row_index.get(name, ())):
            if (key if isinstance(key, tuple) else (key,))[: len(begin)] == begin:
                row = matrix.rows[name].start + i
                low[row] += by[name]
                high[row] += by[name]
                count += 1
    assert count
    return replace(matrix, row_lower=low, row_upper=high)


def positions(inst: Instance, row: Any) -> tuple[int, int]:
    names = {
        "demand": inst.serving.names, "pay_as_you_go": inst.pay.names, "install": inst.regions,
        "power": inst.rules.power.names, "budget": inst.rules.budget.names,
        "share": inst.rules.shares.names, "commitment": inst.rules.commitments.names,
        "deal_minimum": inst.rules.deals.names, "engineers": ("qualification",),
    }.get(row.kind, inst.pools.names)  # fmt: skip
    period = inst.time.periods.index(row.period) if row.period else 0
    found = [i for i, name in enumerate(names) if name == row.member]
    active: dict[str, Any] = {
        "power": inst.rules.power,
        "budget": inst.rules.budget,
        "share": inst.rules.shares,
    }
    if row.kind in active:
        found = [i for i in found if active[row.kind].active[i, period]]
    assert len(found) == 1
    return found[0], period


def stepped(problem: Problem, row: Any, name: str, h: float) -> float:
    """Fresh cost with h more units of a row of a price table, stated by hand for each kind."""
    inst = problem.inst
    i, t = positions(inst, row)
    by: dict[str, tuple[dict[str, tuple[int, ...]], dict[str, float]]] = {}
    if row.kind == "demand":
        sv = inst.serving
        weekly = float(sv.mean[i, t] @ inst.time.slice_hours) / 168.0
        mean, peak = sv.mean.copy(), sv.peak.copy()
        mean[i, t] *= 1 + h / weekly
        peak[i, t] *= 1 + h / weekly
        return fresh(problem, name, replace(inst, serving=replace(sv, mean=mean, peak=peak)))
    if row.kind == "pay_as_you_go":
        most = inst.pay.max_chips.copy()
        most[i, t] += h
        return fresh(problem, name, replace(inst, pay=replace(inst.pay, max_chips=most)))
    if row.kind == "supply":
        supply, most = inst.pools.supply.copy(), inst.pay.max_chips.copy()
        supply[i, t] += h
        for v in np.flatnonzero((inst.pay.pool == i) & (most[:, t] > 0)).tolist():
            share = {"on-demand": 0.05, "spot": 0.1}[inst.pay.offer[v]]
            most[v, t] += h * (0.0 if "gb200" in inst.pay.names[v] else share)
        pools = replace(inst.pools, supply=supply)
        pay = replace(inst.pay, max_chips=most)
        return fresh(problem, name, replace(inst, pools=pools, pay=pay))
    usable = float(inst.pools.usable[i]) if row.kind in ("chip", "chip_slice") else 1.0
    own = (i, t)
    if row.kind == "chip_slice":
        own = (i, t, inst.time.slices.index(row.slice))  # type: ignore[assignment]
    measure = inst.rules.shares.measure[i] if row.kind == "share" else ""
    by = {
        "chip": ({"capacity": own, "firm_capacity": own},
                 {"capacity": h * usable, "firm_capacity": h * usable}),
        "chip_slice": ({"capacity": own, "firm_capacity": own},
                       {"capacity": h * usable, "firm_capacity": h * usable}),
        "install": ({"install": own}, {"install": h}),
        "power": ({"power": own}, {"power": h}),
        "budget": ({"budget": own}, {"budget": h}),
        "share": ({f"share_{measure}": own}, {f"share_{measure}": h}),
        "engineers": ({"engineers_limit": (t,)}, {"engineers_limit": h}),
        "deal_minimum": ({"deal_minimum": (i,)}, {"deal_minimum": h}),
    }  # fmt: skip
    if row.kind == "commitment":
        c_ = inst.rules.commitments
        least = c_.minimum_usd.copy()
        least[i] += h
        rules = replace(inst.rules, commitments=replace(c_, minimum_usd=least))
        return fresh(problem, name, replace(inst, rules=rules))
    return fresh(problem, name, inst, by[row.kind])


def between(problem: Problem, name: str, row: Any) -> None:
    """A shown price lies between the differences to one side and to the other."""
    base = fresh(problem, name, problem.inst)
    h = row.step
    more = (stepped(problem, row, name, h) - base) / h
    less = (base - stepped(problem, row, name, -h)) / h
    if row.sense == "saves":
        more, less = -more, -less
    low, high = min(less, more), max(less, more)
    room = 1e-3 * max(abs(row.price_usd), 1e-3)
    assert low - room <= row.price_usd <= high + room, (row.kind, row.member, low, high)
    assert row.price_usd > 0


def shown(table: pd.DataFrame, kind: str, most: int = 3) -> list[Any]:
    """Some shown rows of a kind, those with most and with least at stake among them."""
    some: list[Any] = list(table[table.shown & (table.kind == kind)].itertuples())
    return some if len(some) <= most else [*some[: most - 1], some[-1]]


SMALL_OPERATING = ("chip", "chip_slice", "demand", "pay_as_you_go", "supply")
SMALL_INVESTMENT = ("supply", "install")


def test_a_kink_at_nothing_is_no_price() -> None:
    """A step within the solver's tolerance calls the dual right on both sides of a kink.

    930.90 and 633.23 are what steps from 1e-5 to 100 chips give in a problem of other code.
    """
    rows = small_prices().operating
    at = ["chip_slice", "birch/eu-2/tpu-v6e", "2027-Q2", "weekend"]
    (row,) = rows[(rows[["kind", "member", "period", "slice"]] == at).all(axis=1)].itertuples()
    assert row.amount == 0.0
    assert not row.shown
    assert row.one_less_usd == pytest.approx(930.90, abs=0.01)
    assert row.one_more_usd == pytest.approx(633.23, abs=0.01)


@pytest.mark.parametrize("kind", SMALL_OPERATING)
def test_operating_prices_lie_between_fresh_differences(kind: str) -> None:
    rows = shown(small_prices().operating, kind)
    assert rows
    for row in rows:
        between(small_problem(), "operating", row)


@pytest.mark.parametrize("kind", SMALL_INVESTMENT)
def test_investment_prices_lie_between_fresh_differences(kind: str) -> None:
    rows = shown(small_prices().investment, kind)
    assert rows
    for row in rows:
        between(small_problem(), "investment", row)


@pytest.mark.parametrize("name", ["operating", "investment"])
def test_prices_of_rules_lie_between_fresh_differences(name: str) -> None:
    table = getattr(rules_prices(), name)
    kinds = [k for k in ("power", "budget", "share", "commitment", "deal_minimum", "engineers")
             if shown(table, k)]  # fmt: skip
    assert len(kinds) >= 2, table.groupby(["kind", "shown"]).size()
    for kind in kinds:
        for row in shown(table, kind, 2):
            between(rules_problem(), name, row)


def test_prices_of_contingencies_lie_between_fresh_differences() -> None:
    problem = problem_of(planner.solve(tiny_rules_case(), gap=0.0))
    inst, matrix = problem.inst, problem.matrix
    every = limits_of(problem.case, inst, problem.labels)
    one = solved(problem, "investment")
    rows = shown(
        price_table(one, [x for x in every if x.kind == "contingency"], 100), "contingency"
    )
    assert rows
    for row in rows:
        k, t = inst.rules.contingencies.names.index(row.member), inst.time.periods.index(row.period)
        costs = []
        for h in (-row.step, 0.0, row.step):
            low = matrix.row_lower.copy()
            for i, (kk, w, tt, s) in enumerate(matrix.row_index["cover_demand"]):
                if (kk, tt) == (k, t):
                    plain = inst.serving.peak[w, t, s] / inst.serving.headroom[w]
                    low[matrix.rows["cover_demand"].start + i] += 0.01 * h * plain
            changed = replace(matrix, row_lower=low)
            costs.append(float(matrix.objective @ Session(changed).solve_lp().x))
        less, more = (costs[1] - costs[0]) / row.step, (costs[2] - costs[1]) / row.step
        room = 1e-3 * row.price_usd
        assert 0 < less - room <= row.price_usd <= more + room


def test_prices_of_demand_that_must_survive_lie_between_fresh_differences() -> None:
    """One more request/s asks for more after a loss too, without the headroom of every day."""
    problem = problem_of(planner.solve(promising_case(), gap=0.0))
    one = solved(problem, "operating")
    every = limits_of(problem.case, problem.inst, problem.labels)
    promised = {problem.labels.find_rows("cover_demand", np.array([i]))[0]
                for i in problem.matrix.row_index["cover_demand"]}  # fmt: skip
    some = [x for x in every if x.kind == "demand" and promised & set(x.rows.tolist())]
    binding = [x for x in some if one.y[sorted(promised & set(x.rows.tolist()))].any()]
    rows = shown(price_table(one, binding, 100), "demand")
    assert rows
    for row in rows:
        between(problem, "operating", row)


def promising_case() -> Case:
    """data/small, where hours may be counted on in the loss of alder, which then set the price."""
    small = small_case()
    offers = tuple(
        o if o.term_months else o.model_copy(update={"guaranteed": True}) for o in small.offers
    )
    return survives(replace(small, offers=offers), 0.25, "cloud", "alder")


@pytest.mark.parametrize(
    "make", [small_case, tiny_rules_case, promising_case, lambda: valid(rules_case(small_case()))]
)
def test_the_audit_states_the_same_units(make: Callable[[], Case]) -> None:
    """Entry by entry, by label: the audit goes from rows to limits, the planner the other way."""
    case = make()
    inst = build_instance(case)
    matrix, audit = compile_model(build_model(inst)), audit_model(inst)
    units = units_of(case, inst, audit)
    row_names = [(n, i) for n in matrix.rows for i in matrix.row_index[n]]
    column_names = [(n, i) for n in matrix.columns for i in matrix.column_index[n]]

    def named(names: list[Any], at: Any, weights: Any) -> dict[Any, float]:
        return {names[i]: float(w) for i, w in zip(at, weights, strict=True)}

    def labels(blocks: Any) -> list[Any]:
        return [
            (n, tuple(i) if len(i) > 1 else i[0] if i else None)
            for n, block in blocks.items()
            for i in block.index.tolist()
        ]

    audit_rows, audit_columns = labels(audit.rows), labels(audit.columns)
    seen = set()
    for limit in limits_of(case, inst, Labels(matrix)):
        key = (limit.kind, limit.member, limit.period, limit.slice)
        unit = units[key]
        seen.add(key)
        assert named(audit_rows, unit.rows, unit.row_weights) == pytest.approx(
            named(row_names, limit.rows, limit.row_weights), rel=1e-12
        ), key
        assert named(audit_columns, unit.columns, unit.column_weights) == pytest.approx(
            named(column_names, limit.columns, limit.column_weights), rel=1e-12
        ), key
        assert unit.costs == limit.costs
        assert unit.rate == pytest.approx(limit.rate, rel=1e-12)
        assert priced_in("operating", limit.kind) == (limit.kind in OPERATING)
        assert priced_in("investment", limit.kind) == (limit.kind in INVESTMENT)
    assert len(seen) > 20
    # Lots that the pool's room limits have a bound, and no price of their own.
    assert {key[0] for key in set(units) - seen} <= {"offer_lots"}


def test_all_of_a_small_case_is_checked_and_kinks_are_not_shown() -> None:
    found = small_prices()
    for table in (found.operating, found.investment):
        assert tuple(table.columns) == COLUMNS
        assert (table.step > 0).all()
        assert (table.shown == (table.why_not_shown == "")).all()
        assert (table.shown == table.price_usd.notna()).all()
    hidden = found.operating[~found.operating.shown]
    kinks = hidden[hidden.why_not_shown.str.startswith("a kink")]
    assert len(kinks)
    # One more saves clearly less than one less costs: the dual in between is not the price.
    assert (kinks.one_more_usd < 0.99 * kinks.one_less_usd).all()
    room = 1e-6 * kinks.one_less_usd
    assert (kinks.dual_usd >= kinks.one_more_usd - room).all()
    assert (kinks.dual_usd <= kinks.one_less_usd + room).all()
    full = hidden[hidden.why_not_shown.str.contains("one less: only")]
    assert np.isinf(full.one_less_usd).all()


def test_what_is_not_checked_is_not_shown() -> None:
    problem = small_problem()
    limits = limits_of(problem.case, problem.inst, problem.labels)
    some = [x for x in limits if x.kind in OPERATING]
    table = price_table(solved(problem, "operating"), some, 5)
    assert (table.step > 0).sum() == 5
    assert set(table[table.step > 0].kind) == set(SMALL_OPERATING)
    rest = table[table.step == 0]
    assert len(rest) > 5
    assert not rest.shown.any()
    assert rest.why_not_shown.str.startswith("not checked").all()


def test_integers_make_investment_prices_0_in_the_operating_problem() -> None:
    problem = small_problem()
    some = [x for x in limits_of(problem.case, problem.inst, problem.labels)
            if x.kind in set(INVESTMENT) - set(OPERATING)]  # fmt: skip
    assert some
    assert price_table(solved(problem, "operating"), some, 100).empty
    assert len(price_table(solved(problem, "investment"), some, 100))


def test_a_plan_of_other_equations_is_refused() -> None:
    plan = small_plan()
    size = {**plan.summary["size"], "rows": plan.summary["size"]["rows"] + 1}
    other = replace(plan, summary={**plan.summary, "size": size})
    with pytest.raises(PlannerError, match="other equations"):
        problem_of(other)


def test_a_plan_that_costs_something_else_is_refused() -> None:
    plan = small_plan()
    other = replace(plan, summary={**plan.summary, "objective_usd": plan.objective_usd * 1.01})
    with pytest.raises(PlannerError, match="its whole numbers"):
        solved(problem_of(other), "operating")


# -- in a run folder ---------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> Path:
    small_plan().save(tmp_path / "run")
    save_prices(tmp_path / "run", small_prices())
    return tmp_path / "run"


def test_a_run_with_prices_passes_its_audit_and_loads(run: Path) -> None:
    report = audit_run(run)
    report.require()
    assert sum(f.checked for f in report.families if f.check == "prices") > 80
    loaded = planner.load_plan(run).tables
    pd.testing.assert_frame_equal(loaded["prices_operating"], small_prices().operating)
    # Prices once more replace those that are there.
    save_prices(run, small_prices())
    audit_run(run).require()


def test_a_run_with_prices_of_rules_passes_its_audit(tmp_path: Path) -> None:
    rules_plan().save(tmp_path / "run")
    save_prices(tmp_path / "run", rules_prices())
    audit_run(tmp_path / "run").require()


@pytest.mark.parametrize(
    ("table", "column", "row", "factor", "place"),
    [
        ("prices_operating", "price_usd", 0, 1.5, "price_usd"),
        ("prices_operating", "one_more_usd", 1, 0.5, "one_more_usd"),
        ("prices_operating", "rate_usd", 0, 2.0, "rate_usd"),
        ("prices_investment", "dual_usd", 0, 1.1, "dual_usd"),
        ("prices_summary", "value_usd", 0, 1.01, "operating"),
        ("prices_summary", "value_usd", 1, 0.99, "investment"),
        ("prices_duals", "dual", 5, 3.0, "duals prove"),
    ],
)
def test_a_changed_price_is_found(
    run: Path, table: str, column: str, row: int, factor: float, place: str
) -> None:
    path = run / "tables" / f"{table}.csv"
    frame = pd.read_csv(path, keep_default_na=False, na_values=["nan"])
    values = frame[column].to_numpy(np.float64).copy()
    values[row] *= factor
    frame[column] = values
    frame.to_csv(path, index=False, na_rep="nan")
    found = [f.place for f in audit_run(run).findings if f.check == "prices"]
    assert any(place in where for where in found), found


def test_prices_that_cannot_be_understood_are_an_audit_error(run: Path) -> None:
    (run / "tables" / "prices_summary.csv").write_text("problem,value_usd\noperating,1\n")
    with pytest.raises(AuditError, match="prices cannot be understood"):
        audit_run(run)


def test_a_run_that_was_changed_gets_no_prices(run: Path) -> None:
    before = (run / MANIFEST).read_bytes()
    (run / "tables" / "serving.csv").write_text("changed\n")
    with pytest.raises(RunFolderError, match=r"tables/serving\.csv"):
        save_prices(run, small_prices())
    assert (run / MANIFEST).read_bytes() == before
    shutil.rmtree(run)
    with pytest.raises(RunFolderError):
        save_prices(run, small_prices())
