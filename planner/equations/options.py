"""Options in signed contracts: renewing chips at the end, adding chips while they run.

An option's lots are columns of `procurement.lots` (starts that no offer opens), so that capacity,
cost, supply, power, budgets, shares and commitments take them like any other lot.
"""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from planner.equations.procurement import leave_periods
from planner.equations.sets import Model, members, param, rows
from planner.instance import Instance


def renewed_supply(m: Model, inst: Instance) -> None:
    """Renewed chips bring the allocation that they had, as far as supply does not cover them.

        contracted[p,t] - kept[p,t] * sum_{j renews in p} delivered[j,t] * lots[j] <= allotted[p,t]
        kept[p,t] = (max(supply, signed + renewable) - max(supply, signed)) / renewable

    for every (p,t) where all that can be renewed, renewable[p,t], is more than what is allotted
    beside contracts that still run, in chips. Nothing renewed leaves the allotted chips to new
    lots; everything renewed leaves what supply has beyond it; in between the room is linear.
    """
    pools = inst.pools
    beyond = [tuple(k) for k in np.argwhere(pools.limit > pools.allotted).tolist()]
    m.RENEWED_SUPPLY = pyo.Set(dimen=2, initialize=beyond)
    rows(
        m,
        "renewed_supply",
        m.RENEWED_SUPPLY,
        rule=lambda m, p, t: (
            m.contracted[p, t]
            - sum(m.kept[p, t] * m.delivered[j, t] * m.lots[j] for j in m.renewals_in[p, t])
            <= m.allotted[p, t]
        ),
    )


def renewal(m: Model, inst: Instance) -> None:
    """A line's renewals keep at most what was delivered at its end, nothing once it was left.

        sum_{j renews l} lot_chips[j] * lots[j] + most[l] * sum_tau leave[k(l),tau] <= most[l]
        most[l] = min(chips at the end of l, sum_{o renews l} lot_chips[o] * most_lots[o])

    for every line l with a renewal that can start, in chips.
    """
    o_, st = inst.options, inst.starts
    renews = [(int(o_.line[o_.of_start[j]]), j) for j in np.flatnonzero(o_.renews).tolist()]
    lines = sorted({line for line, _ in renews})
    m.RENEWED = pyo.Set(initialize=lines)
    members(m, "renewals_of", renews, m.RENEWED)
    param(m, "renewed_lot_chips", {j: float(st.lot_chips[j]) for _, j in renews}, m.J)
    rights = dict.fromkeys(lines, 0.0)
    for o in {int(o_.of_start[j]) for _, j in renews}:
        rights[int(o_.line[o])] += float(o_.lot_chips[o] * o_.most_lots[o])
    most = {line: min(float(o_.ending_chips[line]), chips) for line, chips in rights.items()}
    param(m, "renewed_most", most, m.RENEWED)
    of_line = inst.contracts.line_contract
    left = ((li, (int(of_line[li]), t)) for li in lines for t in leave_periods(inst, of_line[li]))
    members(m, "leaves_of", left, m.RENEWED, dimen=2)
    rows(
        m,
        "renewal",
        m.RENEWED,
        rule=lambda m, li: (
            sum(m.renewed_lot_chips[j] * m.lots[j] for j in m.renewals_of[li])
            + sum(m.renewed_most[li] * m.leave[k, t] for k, t in m.leaves_of[li])
            <= m.renewed_most[li]
        ),
    )


def expansion(m: Model, inst: Instance) -> None:
    """An expansion gives so many lots in all, and none from the period on in which it is left.

        sum_{j of o, start of j >= t} lots[j] + most_lots[o] * sum_{tau <= t} leave[k(o),tau]
            <= most_lots[o]

    for every expansion o and period t in which its lots can start; lots that started before the
    contract is left keep their own term.
    """
    o_, st = inst.options, inst.starts
    own = [(int(o), j) for j, o in enumerate(o_.of_start.tolist()) if o >= 0 and not o_.renewal[o]]
    keys = [(o, int(st.period[j])) for o, j in own]
    m.EXPANSION = pyo.Set(dimen=2, initialize=keys)
    later = (((o, t), j) for o, t in keys for other, j in own if other == o and st.period[j] >= t)
    members(m, "expanding_from", later, m.EXPANSION)
    param(m, "expansion_lots", {o: float(o_.most_lots[o]) for o, _ in own}, _options(m, keys))
    contract = inst.contracts.line_contract[o_.line]
    left = (
        ((o, t), (int(contract[o]), tau))
        for o, t in keys
        for tau in leave_periods(inst, int(contract[o]))
        if tau <= t
    )
    members(m, "left_before", left, m.EXPANSION, dimen=2)
    rows(
        m,
        "expansion",
        m.EXPANSION,
        rule=lambda m, o, t: (
            sum(m.lots[j] for j in m.expanding_from[o, t])
            + sum(m.expansion_lots[o] * m.leave[k, tau] for k, tau in m.left_before[o, t])
            <= m.expansion_lots[o]
        ),
    )


def _options(m: Model, keys: list[tuple[int, int]]) -> pyo.Set:
    """Set of the expansions that can start, added to the model."""
    m.EXPANSIONS = pyo.Set(initialize=sorted({o for o, _ in keys}))
    return m.EXPANSIONS
