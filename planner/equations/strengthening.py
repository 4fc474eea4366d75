"""What every plan satisfies anyway, stated so that relaxations know it too.

No plan is lost and no cost moves: these rows and columns only make the search short. They are left
out where prices are asked for, so that a limit's price stays with the limit's own row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pyomo.environ as pyo

from planner.equations.bulk import flat_set
from planner.equations.sets import Model, members, param, rows
from planner.instance import Instance

Key = tuple[int, int]
EVEN = 1e-9
"""Part of a lot that counts as none: delivered shares are decimal fractions."""


def whole_lots(m: Model, inst: Instance) -> None:
    """Room for lots in a pool is a whole number of them (V. Chvátal, Discrete Mathematics 4, 1973).

        sum_{i in p} floor(delivered[i,t] / size) * lots[i]
            - sum_{l in p, tau <= t} ceil(chips[l,t] / size) * leave[k(l),tau]
                <= floor((limit[p,t] - signed[p,t]) / size),      size = delivered[j,t]

    for one start j of each size in a pool p and period t, where this says more than the bound of
    contracted[p,t]. The index is (j, t).
    """
    starts, pools = inst.starts, inst.pools
    delivered = starts.lot_chips[:, None] * starts.active
    lines = inst.contracts
    keys: list[tuple[int, int]] = []
    fits: dict[tuple[int, int, int], float] = {}
    gives: dict[tuple[int, int, int], float] = {}
    most: dict[tuple[int, int], float] = {}
    leaves = {k for k, _ in m.LEAVE}
    for p, t in np.argwhere(pools.limit > 0).tolist():
        mine = np.flatnonzero((starts.pool == p) & (delivered[:, t] > 0))
        size, first = np.unique(delivered[mine, t], return_index=True)
        line = np.flatnonzero((lines.line_pool == p) & (lines.chips[:, t] > 0))
        line = line[[int(k) in leaves for k in lines.line_contract[line]]]
        room = float(pools.limit[p, t] - pools.existing[p, t])
        for one, j in zip(size.tolist(), mine[first].tolist(), strict=True):
            part, back = delivered[mine, t] / one, lines.chips[line, t] / one
            whole, given = np.floor(part + EVEN), np.ceil(back - EVEN)
            least = float(np.floor(room / one + EVEN))
            lost = np.concatenate([part - whole, given - back, [room / one - least]])
            if lost.max() > 2.0 * EVEN and whole @ starts.max_lots[mine] > least:
                keys.append((j, t))
                most[j, t] = least
                fits |= {(i, j, t): n for i, n in zip(mine.tolist(), whole.tolist(), strict=True)}
                gives |= {(i, j, t): n for i, n in zip(line.tolist(), given.tolist(), strict=True)}
    m.WHOLE_LOTS = pyo.Set(dimen=2, initialize=sorted(keys))
    flat_set(m, "IN_LOTS", list(fits), 3)
    flat_set(m, "LINES_IN_LOTS", list(gives), 3)
    members(m, "fitting", (((j, t), i) for (i, j, t), n in fits.items() if n), m.WHOLE_LOTS)
    left = (
        ((j, t), (i, int(lines.line_contract[i]), tau))
        for i, j, t in gives
        for k, tau in m.LEAVE
        if k == lines.line_contract[i] and tau <= t
    )
    members(m, "giving_way", left, m.WHOLE_LOTS, dimen=3)
    param(m, "lots_most_whole", most, m.WHOLE_LOTS)
    param(m, "lots_in_lot", fits, m.IN_LOTS)
    param(m, "lots_in_line", gives, m.LINES_IN_LOTS)
    rows(
        m,
        "whole_lots",
        m.WHOLE_LOTS,
        rule=lambda m, j, t: (
            sum(m.lots_in_lot[i, j, t] * m.lots[i] for i in m.fitting[j, t])
            - sum(m.lots_in_line[i, j, t] * m.leave[k, tau] for i, k, tau in m.giving_way[j, t])
            <= m.lots_most_whole[j, t]
        ),
    )


def begun(m: Model, inst: Instance) -> None:
    """begun[e,t] = sum_{tau <= t} qualify[e,tau]: whether the work of row e has begun by t.

    For every row e and period t after the first one in which work can begin, whole numbers.
    Whether at all, and by when, splits the horizon in two; a single period (`qualify`) does not,
    and a relaxation walks on to the next one.
    """
    del inst
    m.BEGUN = pyo.Set(dimen=2, initialize=later(list(m.QUALIFY)))
    m.begun = pyo.Var(m.BEGUN, domain=pyo.Binary)
    members(m, "begun_in", earlier(m.BEGUN, m.QUALIFY), m.BEGUN)
    rows(
        m,
        "begun_by",
        m.BEGUN,
        rule=lambda m, e, t: (
            m.begun[e, t] - sum(m.qualify[e, tau] for tau in m.begun_in[e, t]) == 0
        ),
    )


def agreed(m: Model, inst: Instance) -> None:
    """agreed[d,t] = sum_{tau <= t} sign[d,tau]: whether deal d has been signed by t.

    For every deal d and period t after the first one in which it can be, whole numbers; why, says
    `begun`.
    """
    del inst
    m.AGREED = pyo.Set(dimen=2, initialize=later(list(m.SIGN)))
    m.agreed = pyo.Var(m.AGREED, domain=pyo.Binary)
    members(m, "agreed_in", earlier(m.AGREED, m.SIGN), m.AGREED)
    rows(
        m,
        "agreed_by",
        m.AGREED,
        rule=lambda m, d, t: m.agreed[d, t] - sum(m.sign[d, tau] for tau in m.agreed_in[d, t]) == 0,
    )


def later(keys: Collection[Key]) -> list[Key]:
    """Keys (row, period) but the first of each row."""
    first = {i: min(t for other, t in keys if other == i) for i, _ in keys}
    return [(i, t) for i, t in keys if t > first[i]]


def earlier(some: Collection[Key], keys: Collection[Key]) -> Iterable[tuple[Key, int]]:
    """Each of some keys with the periods up to its own that its row has among all keys."""
    return (((i, t), tau) for i, t in some for other, tau in keys if other == i and tau <= t)
