"""Cases that lack a part (workloads, training, hours to buy) go through every command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import planner
from planner.audit.folder import audit_plan
from planner.case import Case
from planner.case.write import save_case
from planner.prices.table import prices
from tests.cases import tiny_case
from tests.cli.test_cli import Here, here

__all__ = ["here"]


def training_alone() -> Case:
    """Runs and standing research, nothing served."""
    return tiny_case(serving=(), demand=(), throughput=())


BARE: dict[str, Callable[[], Case]] = {
    "no workload": training_alone,
    "no training": lambda: tiny_case(training=()),
    "no hours": lambda: tiny_case(
        offers=tuple(o for o in tiny_case().offers if o.kind == "reserved")
    ),
    "no contract": lambda: tiny_case(contracts=()),
}


@pytest.mark.parametrize("name", BARE)
def test_every_command_ends_on_a_case_that_lacks_a_part(name: str, here: Here) -> None:
    save_case(BARE[name](), here.folder / "case")
    Path("sweep.toml").write_text(
        'design = "grid"\n[[factor]]\nname = "c"\nkind = "capacity"\nvalues = [0.5, 1.0]\n'
    )
    for command in (
        ("check", "case"),
        ("solve", "case", "--gap", "0", "--out", "run", "--no-figures"),
        ("show", "run"),
        ("audit", "run"),
        ("prices", "run"),
        ("explain", "run"),
        ("tables", "run", "--format", "csv", "--out", "tables"),
        ("sweep", "run", "sweep.toml", "--out", "sweep.parquet"),
        ("throughput", "case"),
    ):
        ran = here(*command)
        assert ran.code == 0, (command, ran.err)


def test_a_report_with_its_figures_of_training_alone(here: Here) -> None:
    planner.solve(training_alone(), gap=0.0).save("run")
    ran = here("report", "run", "--out", "report.html")
    assert ran.code == 0, ran.err
    page = Path("report.html").read_text()
    assert "Cost of a million tokens by chip" not in page
    assert "billion USD to pay" not in page


def test_training_alone_costs_what_its_chips_cost() -> None:
    plan = planner.solve(training_alone(), gap=0.0)
    audit_plan(plan).require()
    whole = planner.solve(tiny_case(), gap=0.0)
    # The same contracts and runs, and nothing served: no more than with workloads beside them.
    assert plan.objective_usd < whole.objective_usd
    runs = plan.tables["training_runs"].set_index("run").missed_share
    assert (runs == 0.0).all()
    assert plan.tables["serving"].empty
    assert plan.summary["unserved"] == {}


def test_a_case_without_any_work_is_a_fault(here: Here) -> None:
    save_case(tiny_case(), here.folder / "case")
    table = here.folder / "case" / "training.csv"
    table.unlink()
    for name in ("serving", "demand"):
        path = here.folder / "case" / f"{name}.csv"
        path.write_text(path.read_text().splitlines()[0] + "\n")
    ran = here("check", "case")
    assert ran.code == 2
    assert "serving.csv" in ran.err
    assert "nothing to plan" in ran.err


def test_prices_without_any_are_a_table_all_the_same() -> None:
    found = prices(planner.solve(tiny_case(training=()), gap=0.0))
    empty: Any = found.investment
    assert len(empty) == 0
    assert empty.shown.dtype == np.bool_
    assert empty[~empty.shown].one_less_usd.dtype == np.float64
