"""The change of cost between two plans by cause, adding up exactly.

    cost_new - cost_old = sum_i (v_i - v_{i-1})  +  (cost_new - v_n)  -  (cost_old - v_0)

where v_i is the cost of the relaxation (lots and decisions may be fractions) of the case after
step i of `planner.compare.steps`, v_0 that of the old case and v_n that of the new. A step is what
its cause does to the least cost when everything is chosen anew. The rest is what a plan costs
beyond its relaxation: whole lots and placements, and what the solver left of the gap.

The relaxations hold contingencies by the cuts of both plans, priced anew for each case; what they
miss is in the rest. Every v_i lies between a bound by weak duality, in own arithmetic, and the
cost of the solver's point; a step therefore is an interval, as a rule of cents.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from planner.case import Case
from planner.compare.steps import steps
from planner.errors import InfeasibleError, InputError, PlannerError
from planner.instance import Instance, build_instance
from planner.plan import Plan
from planner.redundancy.cuts import Cut
from planner.redundancy.mode import Redundancy
from planner.redundancy.problem import compiled_problem, cuts_from
from planner.redundancy.rounds import Rounds
from planner.solve.certificate import proven_bound
from planner.solve.session import Session

COLUMNS = ["step", "usd", "low_usd", "high_usd", "is_total", "says"]
CUTS = "certificate_cuts"
REST = "whole lots and gap"


@dataclass(frozen=True)
class Value:
    """Cost of a relaxation, USD."""

    usd: float
    """Cost of the solver's point."""
    bound_usd: float
    """What its duals prove."""


def waterfall(old: Plan, new: Plan) -> pd.DataFrame:
    """Steps from the cost of one plan to that of another: step, usd, low_usd, high_usd, is_total.

    The first and the last row are the costs of the plans (`low_usd` their bounds); the usd of the
    rows between add up to the difference. `says` is a remark or ''. Raises PlannerError when a
    relaxation cannot be solved.
    """
    rows: list[tuple[str, float, float, float, bool, str]] = [
        ("before", old.objective_usd, old.bound_usd, old.objective_usd, True, "")
    ]
    held = _held(old)
    first = before = relaxation(old.case, held, (old, new))
    pending: list[str] = []
    for step in steps(old.case, new.case):
        pending += step.causes
        held = _held(new) if step.rules else held
        try:
            after = relaxation(step.case, held, (old, new))
        except (InfeasibleError, InputError):
            if step.case == new.case:
                raise PlannerError("the relaxation of the new case has no plan") from None
            # Nothing to pay for on the way: the next cause is taken together with this one.
            continue
        rows.append(_step(" + ".join(pending), before, after))
        before, pending = after, []
    if _held(new) != held:
        after = relaxation(new.case, _held(new), (old, new))
        rows.append(_step("rules", before, after))
        before = after
    over_new, over_old = new.objective_usd - before.usd, old.objective_usd - first.usd
    rows.append(
        (
            REST,
            over_new - over_old,
            over_new - (old.objective_usd - first.bound_usd),
            (new.objective_usd - before.bound_usd) - over_old,
            False,
            f"before {over_old:,.0f} USD above the relaxation, after {over_new:,.0f}",
        )
    )
    rows.append(("after", new.objective_usd, new.bound_usd, new.objective_usd, True, ""))
    return pd.DataFrame(rows, columns=COLUMNS)


def _step(name: str, before: Value, after: Value) -> tuple[str, float, float, float, bool, str]:
    low, high = after.bound_usd - before.usd, after.usd - before.bound_usd
    return name, after.usd - before.usd, low, high, False, ""


def _held(plan: Plan) -> Redundancy:
    held: Redundancy = plan.summary.get("redundancy", {}).get("mode", "explicit")
    return held


def relaxation(case: Case, held: Redundancy, plans: tuple[Plan, ...] = ()) -> Value:
    """Cost of a case's relaxation; `held` says how contingencies are, `plans` give their cuts.

    Raises InfeasibleError when it has none, InputError when the case cannot be read as numbers,
    and PlannerError when the solver gives no answer.
    """
    inst = build_instance(case)
    # A case that holds them as columns on one side may have too many of them on the other.
    matrix, mode = compiled_problem(inst, mode="auto" if held == "explicit" else held)
    if mode == "rounds":
        rounds = Rounds.of(inst, matrix)
        found = [cut for plan in plans for cut in _cuts(rounds, plan, inst)]
        if found:
            matrix = matrix.with_rows(rounds.give(found))
    session = Session(matrix)
    result = session.solve_lp()
    if result.status == "infeasible":
        raise InfeasibleError("the relaxation has no plan")
    if result.status != "optimal":
        raise PlannerError(f"a relaxation ended with '{result.status}'")
    usd = float(matrix.objective @ result.x) + matrix.offset
    bound = proven_bound(matrix, result.y, False, (matrix.lower, matrix.upper))
    return Value(usd, min(bound, usd))


def _cuts(rounds: Rounds, plan: Plan, inst: Instance) -> list[Cut]:
    """The cuts of a plan, priced anew for a case, as far as it has what they name."""
    if CUTS not in plan.tables:
        return []
    table = plan.tables[CUTS]
    known = (
        table["contingency"].isin(inst.rules.contingencies.names)
        & table["period"].isin(inst.time.periods)
        & table["slice"].isin(inst.time.slices)
        & table["workload"].isin(["", *inst.serving.names])
        & table["pool"].isin(["", *inst.pools.names])
    )
    whole = known.groupby(table["cut"]).transform("all")
    return cuts_from(rounds, inst, table[whole])
