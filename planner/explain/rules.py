"""What a whole rule costs: the relaxation is solved again without it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.prices.lp import Priced, Problem
from planner.solve.bound import weak_duality_bound

Ints = npt.NDArray[np.int64]
COLUMNS = ("kind", "rule", "saves_in_relaxation_usd", "saves_at_most_usd", "says")


def rules_of(problem: Problem) -> dict[tuple[str, str], Ints]:
    """(kind, rule) -> the rows that state it, for every rule of the case."""
    m, r = problem.matrix, problem.inst.rules
    named = {
        "install": ("install limit", problem.inst.regions),
        "power": ("power", r.power.names),
        "budget": ("budget", r.budget.names),
        "share_spend": ("share", r.shares.names),
        "share_chips": ("share", r.shares.names),
        "share_served": ("share", r.shares.names),
        "share_training_peak": ("share", r.shares.names),
        "placement_members_least": ("minimum placement", r.placement.names),
        "commitment": ("commitment", r.commitments.names),
        "deal_minimum": ("minimum of a deal", r.deals.names),
        "cover_demand": ("contingency", r.contingencies.names),
        "engineers_limit": ("engineers", ("qualification",)),
    }
    out: dict[tuple[str, str], list[int]] = {}
    for constraint, (kind, names) in named.items():
        if constraint not in m.rows:
            continue
        start = m.rows[constraint].start
        for i, index in enumerate(m.row_index[constraint]):
            of = index[0] if isinstance(index, tuple) else index
            name = names[0] if kind == "engineers" else names[of]
            out.setdefault((kind, name), []).append(start + i)
    return {key: np.array(rows, dtype=np.int64) for key, rows in out.items()}


def rule_costs(problem: Problem, one: Priced, most_solved: int) -> pd.DataFrame:
    """Every rule that binds the relaxation and what dropping it saves; columns as COLUMNS.

    saves_in_relaxation_usd: difference of the two relaxations. saves_at_most_usd: the plan's cost
    less the bound proven without the rule; no plan without it can save more. A rule whose rows all
    have dual 0 costs nothing in the relaxation and is not solved for.
    """
    m = one.matrix
    stake = {}
    for key, rows in rules_of(problem).items():
        y = one.y[rows]
        side = np.where(y > 0, m.row_lower[rows], m.row_upper[rows])
        stake[key] = float(np.abs(y) @ np.where(y == 0, 0.0, np.maximum(1.0, np.abs(side))))
    order = sorted((key for key in stake if stake[key] > 0), key=lambda key: -stake[key])
    every = rules_of(problem)
    found = []
    one.session.keep_costs(False)
    for key in order[:most_solved]:
        rows = every[key]
        low, high = m.row_lower.copy(), m.row_upper.copy()
        low[rows], high[rows] = -np.inf, np.inf
        one.session.set_row_bounds(rows, low[rows], high[rows])
        one.restore()
        result = one.session.solve_lp(one.patience_s)
        one.session.set_row_bounds(rows, m.row_lower[rows], m.row_upper[rows])
        if result.status != "optimal":
            says = f"without it the relaxation is {result.status}"
            if result.status == "limit":
                says = f"without it the relaxation was not solved in {one.patience_s:.0f} s"
            found.append((*key, np.nan, np.nan, says))
            continue
        value = float(m.objective @ result.x) + m.offset
        bound = weak_duality_bound(
            m.objective, m.a, (low, high), (m.lower, m.upper), result.y, m.offset
        )
        says = "without the rule, all its periods at once"
        found.append((*key, one.value_usd - value, problem.objective_usd - bound, says))
    one.session.keep_costs()
    one.restore()
    frame = pd.DataFrame(found, columns=list(COLUMNS))
    return frame.sort_values("saves_in_relaxation_usd", ascending=False, ignore_index=True)
