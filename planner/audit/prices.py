"""Prices that a run folder holds, checked without a solver.

The duals that the prices are made of are saved with them. By weak duality they prove a bound on
the cost of any plan with the plan's whole numbers (operating) or with fractions (investment):
within a tolerance of the stated value no other duals prove more, so that they price the problem.
The prices are then summed up again over the audit's own rows, and held against the one-sided
prices beside them. That the steps themselves were solved is what only `planner prices` can redo.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from planner.audit.draft import Floats
from planner.audit.limits import Key, Unit, priced_in, units_of
from planner.audit.model import AuditModel
from planner.audit.report import FamilyCheck, Finding, Report
from planner.audit.values import Labelled, columns_of
from planner.errors import AuditError
from planner.instance import Instance
from planner.plan import Plan

BOUND_RELATIVE = 1e-6
"""Of the cost: what the duals may prove less than the stated value."""
PRICE_RELATIVE = 1e-5
"""Of a price: sums in another order, and coefficients stated a second time."""
BETWEEN = 2e-2
"""Of a price: how far it may lie from the one-sided prices, and they from each other."""
NOISE_USD = 1e-5
MOST_FINDINGS = 20
PROBLEMS = ("operating", "investment")


def check_prices(
    inst: Instance, model: AuditModel, plan: Plan, values: Mapping[str, Labelled]
) -> Report:
    """The prices of a run, when it has any; otherwise nothing is checked.

    Raises AuditError when one of their tables is missing or cannot be understood.
    """
    names = ("prices_operating", "prices_investment", "prices_summary", "prices_duals")
    there = [name for name in names if name in plan.tables]
    if not there:
        return Report()
    if len(there) < len(names):
        raise AuditError(f"tables are missing: {', '.join(sorted(set(names) - set(there)))}")
    try:
        return _check(inst, model, plan, values)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise AuditError(f"a table of prices cannot be understood: {error!r}") from error


def _check(inst: Instance, model: AuditModel, plan: Plan, values: Mapping[str, Labelled]) -> Report:
    summary = plan.tables["prices_summary"]
    stated = dict(zip(summary["problem"], summary["value_usd"].astype(float), strict=True))
    duals = plan.tables["prices_duals"]
    units = units_of(plan.case, inst, model)
    point, _ = columns_of(model, values)
    out = Report()
    for problem in PROBLEMS:
        low, high = model.lower.copy(), model.upper.copy()
        if problem == "operating":
            low = np.where(model.integer, np.round(point), low)
            high = np.where(model.integer, np.round(point), high)
        y = _duals(model, duals[duals["problem"] == problem])
        reduced = model.cost.sum(axis=0) - model.a.T @ y
        value = stated[problem]
        out += _check_value(problem, model, (low, high), y, reduced, value, plan)
        some = {key: unit for key, unit in units.items() if priced_in(problem, key[0])}
        out += _check_table(problem, plan.tables[f"prices_{problem}"], some, y, reduced)
    return out


def _duals(model: AuditModel, table: pd.DataFrame) -> Floats:
    """Row duals on the audit's rows; those that select an infinite side count as 0."""
    y = np.zeros(len(model.row_lower))
    for name, some in table.groupby("constraint"):
        block = model.rows.get(str(name))
        if block is None:
            raise AuditError(f"prices_duals: there is no constraint {name}")
        width = len(block.axes)
        index = [[int(i) for i in text.split(";")] if text else [] for text in some["index"]]
        at = block.find(np.array(index, dtype=np.int64).reshape(len(some), width))
        if (at < 0).any():
            raise AuditError(f"prices_duals: {name} has no such row")
        y[at] = some["dual"].to_numpy(np.float64)
    bad = ((y > 0) & np.isinf(model.row_lower)) | ((y < 0) & np.isinf(model.row_upper))
    return np.where(bad, 0.0, y)


def _selected(multiplier: Floats, low: Floats, high: Floats) -> float:
    side = np.where(multiplier > 0, low, high)
    return float(np.sum(multiplier * np.where(multiplier == 0, 0.0, side)))


def _check_value(
    problem: str,
    model: AuditModel,
    bounds: tuple[Floats, Floats],
    y: Floats,
    reduced: Floats,
    value: float,
    plan: Plan,
) -> Report:
    """The duals prove the stated value, and the operating value is the plan's cost."""
    proven = float(model.cost_offset.sum()) + _selected(y, model.row_lower, model.row_upper)
    proven += _selected(reduced, *bounds)
    room = BOUND_RELATIVE * max(1.0, abs(plan.objective_usd))
    wrong = []
    if not abs(proven - value) <= room:
        wrong.append(Finding("prices", f"{problem}: duals prove", value, proven, room))
    if problem == "operating" and not abs(value - plan.objective_usd) <= room:
        wrong.append(Finding("prices", "operating: value", plan.objective_usd, value, room))
    if problem == "investment" and not value <= plan.objective_usd + room:
        wrong.append(Finding("prices", "investment: value", plan.objective_usd, value, room))
    return Report(tuple(wrong), (FamilyCheck("prices", f"{problem} duals", 2, len(wrong), 0, 0),))


def _check_table(
    problem: str,
    table: pd.DataFrame,
    units: Mapping[Key, Unit],
    y: Floats,
    reduced: Floats,
) -> Report:
    """Every price is the sum of its duals; every one shown lies between one less and one more."""
    wrong: list[Finding] = []
    place: str = ""

    def expect(what: str, want: float, have: float, share: float) -> None:
        room = share * abs(want) + NOISE_USD
        if not abs(want - have) <= room:
            wrong.append(Finding("prices", f"{problem}: {place}: {what}", want, have, room))

    for row in table.to_dict("records"):
        key = (str(row["kind"]), str(row["member"]), str(row["period"]), str(row["slice"]))
        place = ", ".join(filter(None, key))
        unit = units.get(key)
        if unit is None:
            wrong.append(Finding("prices", f"{problem}: {place}", "a limit", "no such one", 0.0))
            continue
        at_bound = np.minimum(reduced[unit.columns], 0.0)
        slope = float(unit.row_weights @ y[unit.rows] + unit.column_weights @ at_bound)
        price = slope if unit.costs else -slope
        expect("dual_usd", price, float(row["dual_usd"]), PRICE_RELATIVE)
        if row["shown"]:
            said = float(row["price_usd"])
            expect("price_usd", price, said, PRICE_RELATIVE)
            expect("one_less_usd", said, float(row["one_less_usd"]), BETWEEN)
            expect("one_more_usd", said, float(row["one_more_usd"]), BETWEEN)
            if unit.rate:
                expect("rate_usd", said * unit.rate, float(row["rate_usd"]), PRICE_RELATIVE)
    family = FamilyCheck("prices", f"{problem} table", len(table), len(wrong), 0.0, 0.0)
    return Report(tuple(wrong[:MOST_FINDINGS]), (family,))
