"""Plans side by side, their inputs, and the change of cost by cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

import planner
from planner.case import Case
from planner.compare.inputs import ABSENT, changed_files, changed_rows
from planner.compare.run import Comparison
from planner.compare.side import common_periods, differing
from planner.compare.steps import CAUSES, steps
from planner.compare.waterfall import REST, relaxation
from planner.errors import InputError
from tests.cases import small_case, small_plan, tiny_case, valid
from tests.cases_rules import tiny_rules_case
from tests.cli.test_cli import Here, here

__all__ = ["here"]


def dearer(case: Case, by: float) -> Case:
    offers = tuple(
        o.model_copy(update={"price_usd_per_chip_hour": by * o.price_usd_per_chip_hour})
        for o in case.offers
    )
    return valid(replace(case, offers=offers))


def busier(case: Case, by: float) -> Case:
    demand = tuple(
        d.model_copy(update={"requests_per_s": by * d.requests_per_s}) for d in case.demand
    )
    return valid(replace(case, demand=demand))


def later(case: Case) -> Case:
    """The same case a period on: the first period is gone."""
    first = case.calendar.labels[0]
    start = case.calendar.starts[1]
    settings = case.settings.model_copy(
        update={"start": start, "as_of": start, "periods": case.settings.periods - 1}
    )
    return valid(
        replace(
            case,
            settings=settings,
            demand=tuple(d for d in case.demand if d.period != first),
            supply=tuple(s for s in case.supply if s.period != first),
            models=tuple(
                m.model_copy(update={"served_from": None}) if m.served_from == first else m
                for m in case.models
            ),
            training=tuple(
                r.model_copy(update={"earliest": max(r.earliest, case.calendar.labels[1])})
                for r in case.training
            ),
        )
    )


@cache
def solved(name: str) -> planner.Plan:
    made: dict[str, Callable[[], Case]] = {
        "tiny": tiny_case,
        "dearer": lambda: dearer(tiny_case(), 1.2),
        "busier": lambda: busier(tiny_case(), 1.3),
        "both": lambda: busier(dearer(tiny_case(), 1.2), 1.3),
        "rules": tiny_rules_case,
        "later": lambda: later(small_case()),
    }
    return planner.solve(made[name](), gap=0.0)


@cache
def both() -> Comparison:
    return planner.compare([solved("tiny"), solved("both")], ["old", "new"])


def changes(found: Comparison, plan: str = "new") -> pd.DataFrame:
    some = found.waterfall
    return some[(some.plan == plan) & ~some.is_total.astype(bool)]


@pytest.mark.parametrize(
    ("old", "new"),
    [("tiny", "dearer"), ("tiny", "busier"), ("both", "tiny"), ("tiny", "rules"),
     ("rules", "busier")],
)  # fmt: skip
def test_the_steps_add_up_to_the_change_of_cost(old: str, new: str) -> None:
    found = planner.compare([solved(old), solved(new)], ["old", "new"])
    change = solved(new).objective_usd - solved(old).objective_usd
    scale = solved(old).objective_usd
    assert changes(found).usd.sum() == pytest.approx(change, abs=1e-9 * scale)
    totals = found.waterfall[found.waterfall.is_total]
    assert totals.usd.tolist() == [solved(old).objective_usd, solved(new).objective_usd]
    assert (found.waterfall.low_usd <= found.waterfall.usd + 1e-9 * scale).all()
    assert (found.waterfall.high_usd >= found.waterfall.usd - 1e-9 * scale).all()


def test_each_cause_is_the_change_of_the_relaxation() -> None:
    table = changes(both()).set_index("step").usd
    assert table.index.tolist() == ["demand", "prices", REST]
    values = [
        relaxation(case, "explicit").usd
        for case in (
            tiny_case(), busier(tiny_case(), 1.3), busier(dearer(tiny_case(), 1.2), 1.3),
        )
    ]  # fmt: skip
    assert table["demand"] == pytest.approx(values[1] - values[0], rel=1e-9)
    assert table["prices"] == pytest.approx(values[2] - values[1], rel=1e-9)
    assert min(table["demand"], table["prices"]) > 0


def test_the_change_of_the_least_cost_is_an_interval_of_bounds_and_plans() -> None:
    old, new = solved("tiny"), solved("both")
    low, high = both().least_cost_change("new")
    assert low == pytest.approx(new.bound_usd - old.objective_usd, rel=1e-12)
    assert high == pytest.approx(new.objective_usd - old.bound_usd, rel=1e-12)
    assert low <= high


def test_the_same_plan_twice_differs_in_nothing() -> None:
    found = planner.compare([small_plan(), small_plan()])
    assert changes(found, "B").usd.abs().max() == 0.0
    assert changes(found, "B").step.tolist() == [REST]
    assert found.files.same.all()
    assert found.inputs.empty
    for name in ("cost", "capacity", "contracts", "serving", "unserved"):
        table = getattr(found, name)
        assert len(table)
        assert (table["A"] == table["B"]).all(), name
        assert differing(table, found.names).empty


def test_side_by_side_numbers_are_those_of_the_plans() -> None:
    found, plans = both(), {"old": solved("tiny"), "new": solved("both")}
    for name, plan in plans.items():
        by_term = found.cost.groupby("term")[name].sum()
        for term, usd in plan.summary["cost_usd"].items():
            assert by_term.get(term, 0.0) == pytest.approx(usd, abs=1e-3)
        capacity = found.capacity[found.capacity.by == "cloud"][name].sum()
        hours = plan.case.calendar.hours()
        held = plan.tables["capacity"].groupby("period", sort=False).power_mw.sum()
        expected = sum(
            held.get(p, 0.0) * h for p, h in zip(plan.case.calendar.labels, hours, strict=True)
        )
        assert capacity == pytest.approx(expected / hours.sum(), rel=1e-9)
        lots = found.contracts[~found.contracts.offer.str.startswith("leave ")]
        assert lots[name].sum() == plan.tables["contracts_signed"].lots.sum()
        for by in ("cloud", "chip", "geography"):
            assert found.serving[found.serving.by == by][name].sum() == pytest.approx(1.0)


def test_every_cell_that_differs_is_told_and_no_other() -> None:
    old = tiny_case()
    new = replace(
        old,
        settings=old.settings.model_copy(update={"discount_rate_per_year": 0.03}),
        offers=(
            old.offers[0].model_copy(update={"lead_days": 200, "source": "a letter"}),
            *old.offers[1:],
        ),
        demand=old.demand[1:],
        limits=tiny_rules_case().limits,
    )
    table = changed_rows(old, new)
    cells = {(row.file, row.column) for row in table.itertuples()}
    assert ("case.toml", "discount_rate_per_year") in cells
    assert {("offers.csv", "lead_days"), ("offers.csv", "source")} <= cells
    gone = table[table.file == "demand.csv"]
    assert gone.before.tolist() == ["removed"]
    assert gone.after.tolist() == [ABSENT]
    assert len(table[table.file == "limits.csv"]) == len(new.limits)
    assert len(table) == 4 + len(new.limits)
    files = changed_files(old, new)
    assert set(files[~files.same].file) == set(table.file)
    assert files[files.file == "limits.csv"].sha256_before.tolist() == [""]


def test_the_steps_end_in_the_new_case_whatever_differs() -> None:
    pairs = [(tiny_case(), tiny_rules_case()), (tiny_rules_case(), tiny_case()),
             (small_case(), later(small_case()))]  # fmt: skip
    for old, new in pairs:
        found = list(steps(old, new))
        assert found[-1].case == new
        causes = [cause for step in found for cause in step.causes]
        assert causes == [name for name, _ in CAUSES if name in causes]
    assert list(steps(tiny_case(), tiny_case())) == []


def test_last_month_against_this_one_compares_the_common_periods() -> None:
    old, new = small_plan(), solved("later")
    found = planner.compare([old, new], ["last", "this"])
    assert found.periods == small_case().calendar.labels[1:]
    assert common_periods([old, new]) == list(found.periods)
    outside = found.cost[found.cost["where"] == "outside the common periods"]
    assert outside["last"].abs().sum() > 0
    assert outside["this"].abs().sum() == 0
    change = new.objective_usd - old.objective_usd
    assert changes(found, "this").usd.sum() == pytest.approx(change, abs=1e-9 * old.objective_usd)
    assert "calendar" in changes(found, "this").step.iloc[0]


def test_prices_are_compared_where_both_plans_have_them(tmp_path: Path) -> None:
    from planner.prices.save import save_prices
    from planner.prices.table import prices

    plan = solved("tiny")
    plan.save(tmp_path / "a")
    save_prices(tmp_path / "a", prices(plan, 10))
    priced = planner.load_plan(tmp_path / "a")
    assert planner.compare([priced, plan], causes=False).prices.empty
    table = planner.compare([priced, priced], causes=False).prices
    assert len(table)
    assert (table["A"] == table["B"]).all()


def test_contingencies_by_rounds_add_up_too() -> None:
    old = planner.solve(tiny_rules_case(), gap=0.0, redundancy="rounds")
    new = planner.solve(busier(tiny_rules_case(), 0.9), gap=0.0, redundancy="rounds")
    found = planner.compare([old, new], ["old", "new"])
    change = new.objective_usd - old.objective_usd
    assert changes(found).usd.sum() == pytest.approx(change, abs=1e-9 * old.objective_usd)
    waived = planner.solve(tiny_rules_case(), gap=0.0, redundancy="waived")
    found = planner.compare([waived, old], ["old", "new"])
    assert changes(found).step.tolist()[0] == "rules"


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="two plans"):
        planner.compare([small_plan()])
    with pytest.raises(InputError, match="name of its own"):
        planner.compare([small_plan(), small_plan()], ["a", "a"])
    case = small_case()
    other = replace(
        small_plan(),
        case=replace(case, settings=case.settings.model_copy(update={"start": date(2035, 1, 1)})),
    )
    with pytest.raises(InputError, match="no period in common"):
        planner.compare([small_plan(), other])


def test_the_command_prints_writes_and_draws(here: Here) -> None:
    solved("tiny").save(here.folder / "october")
    solved("both").save(here.folder / "november")
    ran = here("compare", "october", "november", "--out", "out")
    assert ran.code == 0, ran.err
    assert "Cost from october to november, by cause" in ran.out
    assert "offers.csv" in ran.out
    files = {path.name for path in (here.folder / "out").iterdir()}
    assert {"waterfall.csv", "waterfall-november.png", "contracts.csv", "inputs.csv"} <= files
    table = pd.read_csv(here.folder / "out" / "waterfall.csv")
    pd.testing.assert_frame_equal(table[["step", "usd"]], both().waterfall[["step", "usd"]])
    again = here("compare", "october", "november", "--out", "out")
    assert again.code == 2
    assert "exists" in again.err
    content = here("compare", "october", "november", "october", "--json").json()
    assert content["waterfall"][0]["plan"] == "november"
    assert content["headline"][0]["october-3"] == "tiny"
    assert here("compare", "october").code == 2
    assert here("compare", "october", "nowhere").code == 2


def test_waiving_promises_makes_another_problem(here: Here) -> None:
    """The same tables, and two least costs: nothing lies between them."""
    kept = planner.solve(tiny_rules_case(), gap=0.0)
    waived = planner.solve(tiny_rules_case(), gap=0.0, redundancy="waived")
    assert kept.objective_usd > 1.01 * waived.objective_usd
    kept.save(here.folder / "kept")
    waived.save(here.folder / "waived")
    said = here("compare", "kept", "waived").out
    assert "the case is the same" not in said
    assert "the least possible cost changed by -" in said
    same = here("compare", "kept", "kept").out
    assert "the case is the same" in same


def test_a_comparison_leaves_no_old_figures_and_no_run_alone(here: Here) -> None:
    solved("tiny").save(here.folder / "october")
    solved("both").save(here.folder / "november")
    both = ("compare", "october", "november")
    (here.folder / "out").mkdir()
    (here.folder / "out" / "waterfall-mine.png").write_bytes(b"mine")
    assert here(*both, "--out", "out").code == 0
    assert (here.folder / "out" / "waterfall-mine.png").read_bytes() == b"mine"
    assert here(*both, "--out", "out", "--no-causes", "--force").code == 0
    assert not list((here.folder / "out").glob("waterfall-*"))
    before = sorted((here.folder / "october").iterdir())
    ran = here(*both, "--out", "october", "--force")
    assert ran.code == 2
    assert "is a run folder" in ran.err
    assert sorted((here.folder / "october").iterdir()) == before
    assert here(*both, "--format", "svg").code == 2
