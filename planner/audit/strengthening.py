"""What follows from the other families: rooms in whole lots, and what has begun by a period."""

from __future__ import annotations

import numpy as np

from planner.audit.draft import Draft, Floats, Ints
from planner.instance import Instance

NAMES = ("begun", "agreed", "whole_lots", "begun_by", "agreed_by")
"""Columns and rows of these families, which the size of a problem leaves out."""
EVEN = 1e-9
"""Part of a lot that is none."""


def begun(d: Draft, _inst: Instance) -> None:
    """begun[e,t]: 1 when the work of row e has begun by period t, after the first one."""
    _running(d, "begun", "qualify", "qualification")


def agreed(d: Draft, _inst: Instance) -> None:
    """agreed[d,t]: 1 when deal d has been signed by period t, after the first one."""
    _running(d, "agreed", "sign", "deal")


def _running(d: Draft, name: str, of: str, axis: str) -> None:
    """A variable that is the running sum of another, but for its first period."""
    block = d.columns[of]
    who, when = block[axis], block["period"]
    earlier = (who[:, None] == who[None, :]) & (when[None, :] < when[:, None])
    later = earlier.any(axis=1)
    d.add_columns(name, (axis, "period"), (who[later], when[later]), 1.0, integer=True)


def begun_by(d: Draft, _inst: Instance) -> None:
    """begun[e,t] - sum_{tau <= t} qualify[e,tau] = 0."""
    _sums(d, "begun", "qualify", "qualification")


def agreed_by(d: Draft, _inst: Instance) -> None:
    """agreed[d,t] - sum_{tau <= t} sign[d,tau] = 0."""
    _sums(d, "agreed", "sign", "deal")


def _sums(d: Draft, name: str, of: str, axis: str) -> None:
    running, single = d.columns[name], d.columns[of]
    index = (running[axis], running["period"])
    rows = d.add_rows(f"{name}_by", (axis, "period"), index, 0.0, 0.0)
    d.put(rows.positions, running.positions, 1.0)
    same = running[axis][:, None] == single[axis][None, :]
    at, which = np.nonzero(same & (single["period"][None, :] <= running["period"][:, None]))
    d.put(rows.positions[at], single.positions[which], -1.0)


def whole_lots(d: Draft, inst: Instance) -> None:
    """Lots of a pool fit into its room as whole numbers of any of their sizes.

        sum_{i in p} floor(chips[i,t] / chips[j,t]) * lots[i]
            - sum_{l in p, tau <= t} ceil(line_chips[l,t] / chips[j,t]) * leave[k(l),tau]
                <= floor((limit[p,t] - existing[p,t]) / chips[j,t])

    chips[j,t] = lot_chips[j] * active[j,t]; j is the first start of its size in the pool and
    period. Rows that round nothing, or that the most lots satisfy, are left out. It holds because
    the rows of `contracted_chips` and the bound of contracted do, and lots are whole numbers.
    """
    starts, pools = inst.starts, inst.pools
    chips = starts.lot_chips[:, None] * starts.active
    j, t = np.nonzero((chips > 0) & (pools.limit[starts.pool] > 0))
    same = np.unique(np.stack([starts.pool[j], t, chips[j, t]]), axis=1, return_index=True)[1]
    j, t = j[np.sort(same)], t[np.sort(same)]
    part = chips[:, t] / chips[j, t] * (starts.pool[:, None] == starts.pool[j])
    whole = np.floor(part + EVEN)
    back, leaves = _returns(d, inst, starts.pool[j], t)
    given = np.ceil(back / chips[j, t] - EVEN)
    room = (pools.limit - pools.existing)[starts.pool[j], t] / chips[j, t]
    least = np.floor(room + EVEN)
    rounded = np.maximum((part - whole).max(axis=0, initial=0.0), room - least)
    rounded = np.maximum(rounded, (given - back / chips[j, t]).max(axis=0, initial=0.0))
    some = (rounded > 2.0 * EVEN) & (starts.max_lots @ whole > least)
    j, t, whole, given, back = j[some], t[some], whole[:, some], given[:, some], back[:, some]
    rows = d.add_rows("whole_lots", ("start", "period"), (j, t), upper=least[some])
    i, at = np.nonzero(whole)
    d.put(rows.positions[at], d.columns["lots"].at(i), whole[i, at])
    line, at = np.nonzero(given)
    for k, left in zip(*leaves, strict=True):
        gone = t[at] >= d.columns["leave"]["period"][left]
        mine = gone & (inst.contracts.line_contract[line] == k)
        columns = np.full(int(mine.sum()), d.columns["leave"].positions[left])
        d.put(rows.positions[at[mine]], columns, -given[line[mine], at[mine]])


def _returns(d: Draft, inst: Instance, pool: Ints, t: Ints) -> tuple[Floats, tuple[Ints, Ints]]:
    """Chips that lines of a pool give back if they can be left [line, row]; contracts, columns."""
    lines, leave = inst.contracts, d.columns["leave"]
    can = np.isin(lines.line_contract, leave["contract"])
    mine = (lines.line_pool[:, None] == pool) & can[:, None]
    return lines.chips[:, t] * mine, (leave["contract"], np.arange(len(leave)))
