"""Audit of a run folder: its files, its tables as the solution they describe, its summary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planner.audit import strengthening
from planner.audit.certificate import certificate_of
from planner.audit.checks import check_bound, check_cost, check_primal
from planner.audit.contingencies import check_contingencies, cut_family, prices_of
from planner.audit.derived import check_derived
from planner.audit.draft import Floats, Ints
from planner.audit.folder_rules import defined_values, labelled, positions, rule_values
from planner.audit.model import AuditModel, audit_model
from planner.audit.prices import check_prices
from planner.audit.report import FamilyCheck, Finding, Report
from planner.audit.values import Labelled
from planner.errors import AuditError
from planner.instance import Instance, build_instance
from planner.plan import Plan, load_plan
from planner.run_folder import changed_files

SUMMARY_RELATIVE = 1e-9
"""Of the figure: what the summary repeats must agree with what it is made from."""
TABLES_USED = (
    "contracts_signed", "contracts_existing", "capacity", "pay_as_you_go", "serving",
    "unserved", "training", "training_runs", "cost_by_period", "certificate_nodes",
    "certificate_duals",
)  # fmt: skip


def audit_run(folder: str | Path) -> Report:
    """Everything that can be checked of a saved run, from its own copy of the case.

    Raises RunFolderError when it is no run folder, InputError when its case cannot be read, and
    AuditError when a table is missing or cannot be understood.
    """
    root = Path(folder)
    plan = load_plan(root)
    missing = [name for name in TABLES_USED if name not in plan.tables]
    if missing:
        raise AuditError(f"tables are missing: {', '.join(missing)}")
    return _check_files(root) + audit_plan(plan)


def audit_plan(plan: Plan) -> Report:
    """The arithmetic part: rows, bounds, whole numbers, costs, bound and summary of a plan."""
    inst = build_instance(plan.case)
    s = plan.summary
    explicit = s.get("redundancy", {}).get("mode", "explicit") == "explicit"
    try:
        cuts = plan.tables.get("certificate_cuts")
        extra = [] if cuts is None else [cut_family(prices_of(inst, cuts))]
        every = values_from_tables(inst, plan.tables)
        beside = (
            Report()
            if explicit
            else check_contingencies(inst, every, plan.tables.get("contingency_rays"))
        )
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise AuditError(f"a table cannot be understood: {error!r}") from error
    model = audit_model(inst, extra, explicit=explicit)
    values = every if explicit else {k: v for k, v in every.items() if k != "cover"}
    proof = certificate_of(plan.tables["certificate_nodes"], plan.tables["certificate_duals"])
    return (
        check_primal(model, values)
        + beside
        + check_cost(model, values, s["cost_usd"], float(s["objective_usd"]))
        + check_bound(model, proof, float(s["bound_usd"]))
        + _check_derived(inst, plan)
        + check_derived(inst, plan, every)
        + check_prices(inst, model, plan, values)
        + _check_summary(model, plan)
    )


def _check_files(root: Path) -> Report:
    """Every file of the run is as its manifest says."""
    changed = changed_files(root)
    findings = tuple(
        Finding("files", name, "as in the manifest", "changed or missing", 0.0) for name in changed
    )
    family = FamilyCheck("files", "manifest", 1, len(changed), float(len(changed)), 0.0)
    return Report(findings, (family,))


def _pools(inst: Instance, table: pd.DataFrame) -> Ints:
    names = [f"{c}/{r}/{k}" for c, r, k in zip(table.cloud, table.region, table.chip, strict=True)]
    return positions(inst.pools.names, names, "pool")


def values_from_tables(inst: Instance, tables: Any) -> dict[str, Labelled]:
    """Every variable of the model, from the plan's tables alone."""
    time = inst.time

    def periods(table: pd.DataFrame, column: str = "period") -> Ints:
        return positions(time.periods, table[column].tolist(), "period")

    def slices(table: pd.DataFrame) -> Ints:
        return positions(time.slices, table["slice"].tolist(), "slice")

    def numbers(table: pd.DataFrame, column: str) -> Floats:
        return table[column].to_numpy(np.float64)

    out: dict[str, Labelled] = {}
    signed = tables["contracts_signed"]
    starts = [
        f"{o}: {c}/{r}/{k} @ {t}"
        for o, c, r, k, t in zip(
            signed.offer, signed.cloud, signed.region, signed.chip, signed.start, strict=True
        )
    ]
    j = positions(inst.starts.names, starts, "start of an offer")
    lots = numbers(signed, "lots")
    out["lots"] = labelled(lots, j)
    together = inst.starts.min_lots[j] > 1
    out["any_lots"] = labelled((lots[together] > 0).astype(float), j[together])
    existing = tables["contracts_existing"]
    left = existing[existing.decision == "leave"].drop_duplicates("contract")
    k = positions(inst.contracts.names, left.contract.tolist(), "contract")
    out["leave"] = labelled(np.ones(len(left)), k, periods(left, "left_from"))
    held = tables["capacity"]
    out["contracted"] = labelled(numbers(held, "contracted_chips"), _pools(inst, held),
                                 periods(held))  # fmt: skip
    hourly = tables["pay_as_you_go"]
    pools = zip(hourly.offer, hourly.cloud, hourly.region, hourly.chip, strict=True)
    offers = [f"{o}: {c}/{r}/{k}" for o, c, r, k in pools]
    v = positions(inst.pay.names, offers, "pay-as-you-go offer")
    out["hourly"] = labelled(numbers(hourly, "chips"), v, periods(hourly), slices(hourly))
    served = tables["serving"]
    w = positions(inst.serving.names, served.workload.tolist(), "workload")
    out["serve"] = labelled(
        numbers(served, "chips"), w, _pools(inst, served), periods(served), slices(served)
    )
    lost = tables["unserved"]
    # By class, not by the word: a slice of the case may be called `week` too.
    weekly = inst.serving.deferrable[
        positions(inst.serving.names, lost.workload.tolist(), "workload")
    ]
    if (lost[weekly]["slice"] != "week").any():
        raise AuditError("unserved: what can wait is let go by the week, not by the slice")
    peaks, volume = lost[~weekly], lost[weekly]
    w = positions(inst.serving.names, peaks.workload.tolist(), "workload")
    out["unserved"] = labelled(numbers(peaks, "requests_per_s"), w, periods(peaks), slices(peaks))
    w = positions(inst.serving.names, volume.workload.tolist(), "workload")
    out["shed"] = labelled(numbers(volume, "requests_per_s"), w, periods(volume))
    out |= rule_values(inst, tables)
    return {**out, **defined_values(inst, out), **_training_values(inst, tables)}


def _training_values(inst: Instance, tables: Any) -> dict[str, Labelled]:
    tr = inst.training
    runs = tables["training_runs"]
    r = positions(tr.names, runs.run.tolist(), "run")
    placed = [name for name in runs.placement.astype(str).tolist() if name]
    q = positions(tr.column_names, placed, "placement")
    used = tables["training"]
    run = positions(tr.names, used.run.tolist(), "run")
    flexible = (tr.can_pause | tr.standing)[run]
    flex = used[flexible]
    t = positions(inst.time.periods, flex.period.tolist(), "period")
    s = positions(inst.time.slices, flex["slice"].tolist(), "slice")
    return {
        "missed": labelled(runs.missed_share.to_numpy(np.float64), r),
        "place": labelled(np.ones(len(q)), q),
        "flex": labelled(flex.chips.to_numpy(np.float64), run[flexible], _pools(inst, flex), t, s),
    }


def _check_derived(inst: Instance, plan: Plan) -> Report:
    """Columns of the tables that follow from others: requests, costs by period."""
    findings: list[Finding] = []
    served = plan.tables["serving"]
    w = positions(inst.serving.names, served.workload.tolist(), "workload")
    p = _pools(inst, served)
    t = positions(inst.time.periods, served.period.tolist(), "period")
    rate = inst.serving.rate[w, p, t]
    chips = served.chips.to_numpy(np.float64)
    for column, expected in (
        ("rate_requests_per_s_per_chip", rate),
        ("requests_per_s", chips * rate),
    ):
        found = served[column].to_numpy(np.float64)
        wrong = np.flatnonzero(~np.isclose(found, expected, rtol=SUMMARY_RELATIVE, atol=1e-12))
        findings.extend(
            Finding("tables", f"serving row {i + 2}: {column}", float(expected[i]),
                    float(found[i]), SUMMARY_RELATIVE)
            for i in wrong[:20].tolist()
        )  # fmt: skip
    by_term = plan.tables["cost_by_period"].groupby("term")["present_value_usd"].sum()
    scale = max(abs(float(plan.summary["objective_usd"])), 1.0)
    for term, usd in plan.summary["cost_usd"].items():
        found_usd = float(by_term.get(term, 0.0))
        if not abs(found_usd - usd) <= 1e-6 * scale:
            findings.append(Finding("tables", f"cost_by_period: {term}", usd, found_usd, 1e-6))
    checked = len(served) * 2 + len(by_term)
    family = FamilyCheck("tables", "derived", checked, len(findings), 0.0, 0.0)
    return Report(tuple(findings), (family,))


def _check_summary(model: AuditModel, plan: Plan) -> Report:
    """Gap, totals, case hash and size of the summary agree with what they are made from."""
    s = plan.summary
    objective, bound = float(s["objective_usd"]), float(s["bound_usd"])
    gap = max(0.0, objective - bound) / max(abs(objective), 1.0)
    expected: dict[str, Callable[[], float]] = {
        "gap": lambda: gap,
        "liability_past_horizon_usd": lambda: float(s["cost_usd"]["liability_past_horizon"]),
        "salvage_credit_usd": lambda: -float(s["cost_usd"]["salvage_past_horizon"]),
    }
    findings = []
    for name, value in expected.items():
        if not abs(float(s[name]) - value()) <= SUMMARY_RELATIVE * max(1.0, abs(value())):
            findings.append(Finding("summary", name, value(), float(s[name]), SUMMARY_RELATIVE))
    if s["case_sha256"] != plan.case.sha256():
        found = str(s["case_sha256"])
        findings.append(Finding("summary", "case_sha256", plan.case.sha256(), found, 0.0))
    beside = ("redundancy_cut", *strengthening.NAMES)
    sizes = {
        what: sum(len(block) for name, block in blocks.items() if name not in beside)
        for what, blocks in (("columns", model.columns), ("rows", model.rows))
    }
    for name, size in sizes.items():
        if s["size"][name] != size:
            findings.append(Finding("summary", f"size: {name}", size, s["size"][name], 0.0))
    checked = len(expected) + 1 + len(sizes)
    family = FamilyCheck("summary", "figures", checked, len(findings), 0.0, 0.0)
    return Report(tuple(findings), (family,))
