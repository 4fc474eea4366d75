"""Demand that is bound to what is lost: in no promise, in no share served, and told apart.

By hand: flat demand of 3,000 requests/s that any cloud may serve and 600 of elm's own channel,
one class that promises 40 % when a cloud is lost. Without elm the promise is 1,200 of 3,000, and
600 of 3,600 can be served nowhere.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import planner
from planner import plot, views
from planner.audit.contingencies import promised
from planner.audit.folder import audit_plan
from planner.case import Case
from planner.instance import build_instance
from planner.instance.reach import promisable, survivors
from planner.plan import Plan
from planner.report import report_html
from tests.cases import demand_rows, flat, valid, workload
from tests.cases_rules import tiny_rules_case

OPEN, BOUND, PROMISE = 3000.0, 600.0, 0.4


def case(open_to: tuple[str, ...] = ("*",)) -> Case:
    """The tiny case with rules, its class chat as in the module's docstring."""
    return valid(
        replace(
            tiny_rules_case(),
            profile=flat(),
            serving=(
                workload("anywhere", "chat", allowed_clouds=open_to),
                workload("elm-channel", "chat", allowed_clouds=("elm",)),
                workload("batch", "batch"),
            ),
            demand=(
                *demand_rows("anywhere", OPEN, OPEN),
                *demand_rows("elm-channel", BOUND, BOUND),
                *demand_rows("batch", 100.0, 100.0),
            ),
        )
    )


@cache
def plan(redundancy: Any = "rounds") -> Plan:
    """The optimum of the case."""
    return planner.solve(case(), gap=0.0, redundancy=redundancy)


def lost_elm(table: pd.DataFrame) -> dict[Any, Any]:
    """The row of class chat when elm is lost."""
    (row,) = table[(table.contingency == "cloud: elm") & (table["class"] == "chat")].to_dict(
        "records"
    )
    return row


@pytest.mark.parametrize("redundancy", ["explicit", "rounds"])
def test_the_share_is_of_what_is_left_to_serve(redundancy: str) -> None:
    found = plan(redundancy)
    audit_plan(found).require()
    row = lost_elm(found.tables["contingencies"])
    assert row["promised_share"] == PROMISE
    assert row["bound_to_lost_share"] == pytest.approx(BOUND / (OPEN + BOUND), rel=1e-12)
    flows = found.tables["contingency_flows"]
    flows = flows[flows.contingency == "cloud: elm"]
    assert set(flows.workload) == {"anywhere"}
    least = flows.groupby(["period", "slice"]).requests_per_s.sum().clip(upper=OPEN).min() / OPEN
    assert row["least_share_served"] == pytest.approx(least, rel=1e-12)
    assert least >= PROMISE * (1 - 1e-6)
    assert not views.falls_short(found.tables["contingencies"]).any()


def test_rounds_serve_the_promise_and_no_more() -> None:
    row = lost_elm(plan().tables["contingencies"])
    assert row["least_share_served"] == pytest.approx(PROMISE, rel=1e-6)
    # Of all demand that would be a third, and the promise would look broken.
    assert row["least_share_served"] * OPEN / (OPEN + BOUND) == pytest.approx(1 / 3, rel=1e-6)


def test_a_supply_stop_binds_nobody() -> None:
    table = plan().tables["contingencies"]
    stopped = table[table.contingency.str.startswith("stop")]
    assert len(stopped)
    assert (stopped.bound_to_lost_share == 0).all()


def test_nothing_is_promised_where_nothing_left_can_serve() -> None:
    # One limit asks for a second cloud, and a supply stop for more than elm has.
    bound = case(("elm",))
    only: dict[str, Any] = {
        "limits": (),
        "contingencies": bound.contingencies[:1],
        "survival": bound.survival[:1],
    }
    found = planner.solve(valid(replace(bound, **only)), gap=0.0)
    audit_plan(found).require()
    row = lost_elm(found.tables["contingencies"])
    assert (row["promised_share"], row["bound_to_lost_share"]) == (0.0, 1.0)
    assert "cloud: elm" not in set(found.tables["contingency_flows"].contingency)


def short_of() -> Plan:
    """The plan, 900 instead of 1,200 requests/s served in every slice of the loss of elm."""
    found = plan()
    tables = dict(found.tables)
    lost = tables["contingencies"].contingency == "cloud: elm"
    served = tables["contingencies"].least_share_served
    tables["contingencies"] = tables["contingencies"].assign(
        least_share_served=served.mask(lost, 0.3)
    )
    return Plan(found.case, tables, found.summary)


def test_the_audit_computes_the_table_again() -> None:
    wrong = audit_plan(short_of())
    assert any("contingencies: least_share_served" in str(f) for f in wrong.findings)


@pytest.mark.parametrize(("kept", "words"), [(True, "40% *"), (False, "30.0% ! *")])
def test_the_figure_marks_what_is_bound(kept: bool, words: str) -> None:
    drawn = plot.FIGURES["contingencies"].draw(plan() if kept else short_of())
    assert words in [text.get_text() for text in drawn.texts]
    note = " ".join(drawn.get_xlabel().split())
    assert f"at most of a class: chat {BOUND / (OPEN + BOUND):.0%}" in note


@pytest.mark.parametrize(("kept", "verdict"), [(True, "kept"), (False, "less than promised")])
def test_the_report_says_what_is_bound(kept: bool, verdict: str) -> None:
    html = report_html(plan() if kept else short_of())
    section = html[html.index('id="redundancy"') :]
    line = section[section.index("cloud: elm") :].split("</tr>")[0]
    assert "16.7%" in line
    assert verdict in line


@pytest.mark.parametrize("open_to", ["*", "elm"])
def test_the_audit_states_the_same_promise(open_to: str) -> None:
    inst = build_instance(case((open_to,)))
    asked, _ = promised(inst)
    share = inst.rules.contingencies.share[:, :, None, None]
    reached = promisable(inst, survivors(inst))
    np.testing.assert_allclose(share * reached, asked, rtol=1e-12)
    lost, bound = inst.rules.contingencies.names.index("cloud: elm"), 1
    assert inst.serving.names[bound] == "elm-channel"
    assert not reached[lost, bound].any()
    assert reached[lost, 0].any() == (open_to == "*")
