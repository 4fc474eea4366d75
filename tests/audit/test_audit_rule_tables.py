"""The variables of rules from a plan's tables, and saved plans with rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import planner
from planner.audit import Labelled, check_cost, check_primal
from planner.audit.folder import audit_plan, audit_run
from planner.audit.folder_rules import defined_values, rule_values
from planner.errors import AuditError
from planner.instance import build_instance
from tests.audit.test_audit_rules import COMPONENTS, case


def _tables(solved: Any) -> dict[str, pd.DataFrame]:
    """The tables of a solution, written here from its values."""
    inst, values = solved.problem.inst, solved.values()
    r, periods = inst.rules, inst.time.periods
    names = [name.replace(" for ", ",").replace(", ", ",").split(",") for name in
             r.qualification.names]  # fmt: skip
    signed = {d: periods[t] for (d, t), x in values["sign"].items() if x > 0.5}
    over = [
        (kind, rule.names[n], "", periods[t], x)
        for kind, rule in (("share", r.shares), ("power", r.power), ("budget", r.budget))
        for (n, t), x in values[f"over_{kind}"].items()
        if x
    ]
    carried = [
        ("placement", r.placement.names[n], r.placement.member_names[n][i], periods[t], 1)
        for (n, i, t), x in values["carries"].items()
        if x > 0.5
    ]
    return {
        "qualification": pd.DataFrame(
            [(*names[e], periods[t]) for (e, t), x in values["qualify"].items() if x > 0.5],
            columns=["chip", "generation", "purpose", "begins"],
        ),
        "deals": pd.DataFrame(
            [
                (
                    name,
                    "signed_before" if r.deals.open[d] else
                    "signed" if d in signed else
                    "not_signed" if r.deals.sign_in[d].any() else "rejected",
                    signed.get(d, ""),
                    values["deal_shortfall"].get(d, 0.0),
                )
                for d, name in enumerate(r.deals.names)
            ],
            columns=["deal", "decision", "signed_in", "shortfall_usd"],
        ),
        "rules": pd.DataFrame(
            over + carried, columns=["kind", "rule", "member", "period", "value"]
        ),
        "commitments": pd.DataFrame(
            [
                (name, values["shortfall"][c], values["carried"].get(c, 0.0))
                for c, name in enumerate(r.commitments.names)
            ],
            columns=["window", "shortfall_usd", "carried_in_usd"],
        ),
        "tiers": pd.DataFrame(
            [
                (name, values["tier_spend"][g], values["in_tier"][g] > 0.5)
                for g, name in enumerate(r.tiers.names)
            ],
            columns=["tier", "spend_usd", "chosen"],
        ),
    }  # fmt: skip


def _written(table: pd.DataFrame, folder: Any) -> pd.DataFrame:
    """A table as `load_plan` reads it back."""
    table.to_csv(folder / "table.csv", index=False)
    return pd.read_csv(folder / "table.csv", keep_default_na=False, na_values=["nan"])


def test_tables_give_every_variable_of_rules(solved_rules: Any, tmp_path: Any) -> None:
    problem, values = solved_rules.problem, solved_rules.values()
    tables = {name: _written(table, tmp_path) for name, table in _tables(solved_rules).items()}
    read = rule_values(problem.inst, tables)
    assert set(read) >= set(COMPONENTS) - {"spend", "served"}
    base = {name: given for name, given in values.items() if name not in COMPONENTS}
    whole = {
        name: Labelled(
            np.array(list(values[name]), dtype=np.int64).reshape(len(values[name]), -1),
            np.array(list(values[name].values())),
        )
        for name in ("lots", "leave", "hourly", "serve")
    }
    follow = defined_values(problem.inst, whole)
    assert set(follow) == {"spend", "served"}
    for name, given in follow.items():
        expected = [values[name][tuple(i)] for i in given.index.tolist()]
        np.testing.assert_allclose(given.values, expected, rtol=1e-6, atol=1e-3)
        assert len(given.values) == len(values[name])
    report = check_primal(problem.audit, {**base, **read, **follow})
    objective = solved_rules.solution.objective_usd
    report += check_cost(
        problem.audit, {**base, **read, **follow}, solved_rules.cost_usd, objective
    )
    assert report.passed, report.findings


def test_a_contract_that_is_left_is_not_spend(solved_rules: Any) -> None:
    inst, values = solved_rules.problem.inst, solved_rules.values()
    (k, when), *_ = [i for i, x in values["leave"].items() if x < 0.5]
    none = Labelled(np.zeros((0, 4), dtype=np.int64), np.zeros(0))
    lots = Labelled(np.zeros((0, 1), dtype=np.int64), np.zeros(0))
    hours = Labelled(np.zeros((0, 3), dtype=np.int64), np.zeros(0))
    left = Labelled(np.array([[k, when]]), np.ones(1))
    found_ = defined_values(inst, {"lots": lots, "hourly": hours, "leave": left, "serve": none})
    spend = found_["spend"].values.reshape(inst.pools.limit.shape)
    c = inst.contracts
    for p in range(len(inst.pools.names)):
        for t in range(len(inst.time.periods)):
            lines = (c.line_pool == p) & ~((c.line_contract == k) & (t >= when))
            assert spend[p, t] == pytest.approx(c.payment_usd[lines, t].sum())


def test_plans_without_tables_of_rules_are_read(small: Any) -> None:
    read = rule_values(small.inst, {})
    assert set(read) >= set(COMPONENTS) - {"spend", "served"}
    assert not any(len(part.values) for part in read.values())
    assert defined_values(small.inst, read) == {}
    report = check_primal(small.audit, read)
    assert not [f for f in report.findings if f.check == "labels"]


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("qualification", "chip", "abacus", "no qualification 'abacus for"),
        ("qualification", "begins", "2031-Q1", "no period"),
        ("deals", "deal", "oak", "no deal 'oak'"),
        ("rules", "kind", "wish", "no kind wish"),
        ("rules", "rule", "none", "no share rule 'none' holds"),
        ("commitments", "window", "none", "no window"),
        ("tiers", "tier", "none", "no tier"),
    ],
)
def test_tables_that_name_what_is_not_there_are_refused(
    table: str, column: str, value: str, said: str, solved_rules: Any
) -> None:
    tables = _tables(solved_rules)
    tables[table].loc[0, column] = value
    with pytest.raises(AuditError, match=said):
        rule_values(solved_rules.problem.inst, tables)


def test_a_member_of_another_rule_is_refused(solved_rules: Any) -> None:
    tables = _tables(solved_rules)
    rows = tables["rules"]
    at = rows.index[(rows.kind == "placement") & (rows["rule"] == "clouds: basic")][0]
    rows.loc[at, "member"] = "alder/us-1"
    with pytest.raises(AuditError, match="no member 'alder/us-1'"):
        rule_values(solved_rules.problem.inst, tables)


def test_rules_of_one_name_are_told_apart_by_their_periods() -> None:
    first = {"period_to": "2027-Q1", "bound": 3.0}
    every = case()
    priced = next(x for x in every.limits if x.limit == "power-priced")
    early = priced.model_copy(update=first)
    late = priced.model_copy(update={"period_from": "2027-Q2"})
    table = pd.DataFrame(
        [("power", "power-priced: alder/us-1", "", period, usd)
         for period, usd in (("2027-Q1", 1.0), ("2027-Q2", 2.0))],
        columns=["kind", "rule", "member", "period", "value"],
    )  # fmt: skip
    inst = build_instance(replace(every, limits=(early, late)))
    over = rule_values(inst, {"rules": table})["over_power"]
    assert [inst.rules.power.active[n, t] for n, t in over.index.tolist()] == [True, True]
    assert over.index[0, 0] != over.index[1, 0]
    inst = build_instance(replace(every, limits=(priced, late)))
    with pytest.raises(AuditError, match="more than one power rule"):
        rule_values(inst, {"rules": table})


def test_a_saved_plan_with_rules_passes(tmp_path: Any) -> None:
    plan = planner.solve(case(), gap=0.0)
    assert plan.status == "proven"
    report = audit_plan(plan)
    assert report.passed, report.findings
    plan.save(tmp_path / "run")
    assert audit_run(tmp_path / "run").passed
