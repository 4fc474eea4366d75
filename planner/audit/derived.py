"""What follows from a plan's decisions: its remaining table columns and figures, made again.

The decisions are read from the tables, and every table and figure of the summary that follows
from them is made again by the plan's own table code, which needs neither Pyomo nor a solver.
The independent arithmetic is in the other checks; this one finds what was changed by hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from planner.audit.report import FamilyCheck, Finding, Report
from planner.audit.values import Labelled
from planner.costs import cost_table
from planner.instance import Instance
from planner.plan import Plan
from planner.plausibility import plausibility, rests_on, unserved_by_class
from planner.tables import make_tables
from planner.values import RULES, Flows, Values

RELATIVE = 1e-7
"""Of the number: decisions are saved in full, so that only the order of sums differs, and what
was dropped below the noise floor."""
ABSOLUTE = 1e-3
"""In the unit of the column, where a number is 0 but for rounding."""
MOST_FINDINGS = 20
"""Findings shown for one table; all are counted."""


def plan_values(inst: Instance, found: Mapping[str, Labelled]) -> Values:
    """The decisions of a plan on the instance's axes, from labelled columns."""
    t, s = len(inst.time.periods), len(inst.time.slices)

    def dense(name: str, *shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        out = np.zeros(shape)
        given = found[name]
        if len(given.values):
            out[tuple(given.index.T)] = given.values
        return out

    def flows(name: str) -> Flows:
        given = found[name]
        return Flows(tuple(given.index.reshape(-1, 4).T), given.values)

    leave = np.full(len(inst.contracts.names), t)
    for k, period in found["leave"].index.tolist():
        leave[k] = period
    rules = {
        name: {
            tuple(i) if len(i) > 1 else i[0]: x
            for i, x in zip(part.index.tolist(), part.values.tolist(), strict=True)
        }
        for name, part in found.items()
        if name in RULES
    }
    return Values(
        lots=np.round(dense("lots", len(inst.starts.names))).astype(np.int64),
        leave=leave,
        contracted=dense("contracted", len(inst.pools.names), t),
        hourly=dense("hourly", len(inst.pay.names), t, s),
        serve=flows("serve"),
        unserved=dense("unserved", len(inst.serving.names), t, s),
        shed=dense("shed", len(inst.serving.names), t),
        place=np.sort(found["place"].index[:, 0]),
        missed=dense("missed", len(inst.training.names)),
        flex=flows("flex"),
        rules={name: rules.get(name, {}) for name in RULES},
    )


def check_derived(inst: Instance, plan: Plan, found: Mapping[str, Labelled]) -> Report:
    """Every table and derived figure of the plan against those made again."""
    values = plan_values(inst, found)
    again = {**make_tables(plan.case, inst, values), "cost_by_period": cost_table(inst, values)}
    out = Report()
    for name, table in again.items():
        out += _compare_table(name, table, plan.tables.get(name))
    s = plan.summary
    figures: dict[str, Any] = {
        "unserved": unserved_by_class(inst, values),
        "plausibility": plausibility(inst, values),
        "provenance": rests_on(inst, values),
    }
    differ = [d for name, value in figures.items() for d in _differences(name, value, s.get(name))]
    reached = float(s["gap"]) <= max(float(s["gap_asked"]), 1e-9)
    if (plan.status == "proven") != reached:
        said = f"{'within' if reached else 'beyond'} the gap asked for"
        differ.append(("status", said, plan.status))
    findings = tuple(
        Finding("summary", place, want, have, RELATIVE) for place, want, have in differ
    )
    family = FamilyCheck("summary", "derived figures", len(figures) + 1, len(differ), 0.0, 0.0)
    return out + Report(findings[:MOST_FINDINGS], (family,))


def _aligned(want: pd.DataFrame, have: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two tables alike, text as text; sorted by it unless it already stands in one order."""
    texts = [c for c in want.columns if not pd.api.types.is_numeric_dtype(want[c])]
    both = [table.astype(dict.fromkeys(texts, str)) for table in (want, have)]
    if all((both[0][c].to_numpy() == both[1][c].to_numpy()).all() for c in texts):
        return both[0], both[1]
    one, other = (table.sort_values(texts, kind="stable", ignore_index=True) for table in both)
    return one, other


def _compare_table(name: str, want: pd.DataFrame, have: pd.DataFrame | None) -> Report:
    findings: list[Finding] = []
    if have is None or list(have.columns) != list(want.columns) or len(have) != len(want):
        shape = "none" if have is None else f"{len(have)} rows, columns {', '.join(have.columns)}"
        expected = f"{len(want)} rows, columns {', '.join(want.columns)}"
        findings.append(Finding("tables", name, expected, shape, 0.0))
        return Report(tuple(findings), (FamilyCheck("tables", name, 1, 1, 1.0, np.inf),))
    want, have = _aligned(want, have.astype(want.dtypes.to_dict()))
    failed = 0
    for column in want.columns:
        a, b = want[column].to_numpy(), have[column].to_numpy()
        if pd.api.types.is_numeric_dtype(want[column]):
            x, y = a.astype(float), b.astype(float)
            wrong = ~(np.abs(x - y) <= ABSOLUTE + RELATIVE * np.abs(x))
        else:
            wrong = a != b
        failed += int(wrong.sum())
        shown = np.flatnonzero(wrong)[: MOST_FINDINGS - len(findings)].tolist()
        findings.extend(
            Finding("tables", f"{name}: {column}", str(a[i]), str(b[i]), RELATIVE) for i in shown
        )
    cells = len(want) * len(want.columns)
    return Report(tuple(findings), (FamilyCheck("tables", name, cells, failed, 0.0, 0.0),))


def _differences(place: str, want: Any, have: Any) -> Iterator[tuple[str, str, str]]:
    """(place, expected, found) of each number or word that differs; more keys are let pass."""
    if isinstance(want, dict):
        for key, value in want.items():
            inside = have.get(key) if isinstance(have, dict) else None
            yield from _differences(f"{place}: {key}", value, inside)
    elif isinstance(want, list):
        if not isinstance(have, list) or len(have) != len(want):
            yield place, f"{len(want)} entries", str(have)[:80]
            return
        for i, value in enumerate(want):
            yield from _differences(f"{place}[{i}]", value, have[i])
    elif isinstance(want, float) and isinstance(have, int | float):
        if not math.isclose(want, have, rel_tol=RELATIVE, abs_tol=1e-9):
            yield place, str(want), str(have)
    elif want != have:
        yield place, str(want), str(have)
