"""What a contingency leaves, as a linear function of the columns of the problem.

Chips of pools, and then of gates: what a pool can hold, once its qualification is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.instance import Instance
from planner.matrix import Matrix
from planner.redundancy.promise import Gates

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class _Entries:
    """Coordinates of a sparse matrix as they are collected."""

    def __init__(self) -> None:
        self.rows: list[Ints] = []
        self.columns: list[Ints] = []
        self.values: list[Floats] = []

    def add(self, rows: Ints, columns: Ints, values: Floats) -> None:
        rows, columns, values = np.broadcast_arrays(rows, columns, values)
        self.rows.append(rows.ravel())
        self.columns.append(columns.ravel())
        self.values.append(values.ravel())

    def matrix(self, shape: tuple[int, int]) -> sp.csr_array:
        if not self.rows:
            return sp.csr_array(shape)
        at = (np.concatenate(self.rows), np.concatenate(self.columns))
        return sp.csr_array(sp.coo_array((np.concatenate(self.values), at), shape=shape))


@dataclass(frozen=True, eq=False)
class Left:
    """Working chips left for serving: shared part less what a supply stop takes.

    left[k,p,t,s] = usable[p] * contracted[p,t] + sum_v goodput[v] * hourly[v,t,s] (guaranteed)
        - sum_q use[q,p,t] * place[q] - sum_r flex[r,p,t,s] (not preemptible)
        - usable[p] * (lots of p that contingency k stops), in chips
    left[k,g,t,s] = room[g,t] * sum_{tau <= t - lead} qualify[e,tau], of the gate g of row e
    """

    shared: sp.csr_array
    """What every contingency leaves in a pool that stands, or a gate [(p + g, t, s), column]."""
    stopped: sp.csr_array
    """What a supply stop takes [(k, p + g, t), column]."""
    shape: tuple[int, int, int, int]
    """Numbers of contingencies, pools and gates, periods and slices."""

    def chips(self, x: Floats) -> Floats:
        """Chips left [k, p + g, t, s]; of pools that do not stand they mean nothing."""
        k, p, t, s = self.shape
        shared = (self.shared @ x).reshape(1, p, t, s)
        out: Floats = shared - (self.stopped @ x).reshape(k, p, t, 1)
        return out

    def rows(self, at: Sequence[tuple[int, int, int]], prices: Floats) -> sp.csr_array:
        """sum_p prices[n, p] * left[k,p,t,s] of blocks (k, t, s) [n] as rows over the columns."""
        _, pools, periods, slices = self.shape
        n, p = np.nonzero(prices)
        k, t, s = np.array(at, dtype=np.int64).reshape(-1, 3)[n].T

        def weight(places: Ints, width: int) -> sp.csr_array:
            return sp.csr_array((prices[n, p], (n, places)), shape=(len(at), width))

        shared = weight((p * periods + t) * slices + s, self.shared.shape[0]) @ self.shared
        stops = weight((k * pools + p) * periods + t, self.stopped.shape[0]) @ self.stopped
        return sp.csr_array(shared - stops)


def left_of(inst: Instance, matrix: Matrix, gates: Gates) -> Left:
    """The linear functions of `Left` over the columns of a compiled problem."""
    tr, st, pay, con = inst.training, inst.starts, inst.pay, inst.rules.contingencies
    usable = inst.pools.usable
    k, (pools, t) = len(con.names), inst.pools.limit.shape
    p = pools + len(gates.row)
    s = len(inst.time.slices)
    each = np.arange(s)

    def block(component: str, parts: int) -> tuple[Ints, list[Ints]]:
        index = np.array(matrix.column_index[component], dtype=np.int64).reshape(-1, parts)
        start = matrix.columns[component].start
        return np.arange(start, start + len(index)), list(index.T)

    shared, stopped = _Entries(), _Entries()
    column, (pool, period) = block("contracted", 2)
    at = ((pool * t + period) * s)[:, None] + each
    shared.add(at, column[:, None], usable[pool][:, None])
    column, (hour, period, slot) = block("hourly", 3)
    sure = pay.guaranteed[hour]
    at = (pay.pool[hour] * t + period) * s + slot
    shared.add(at[sure], column[sure], pay.goodput[hour][sure])
    column, (q,) = block("place", 1)
    place = dict(zip(q.tolist(), column.tolist(), strict=True))
    stays = np.array([not tr.preemptible[r] for r in tr.column_run], dtype=bool)
    q, pool, period = np.nonzero(tr.column_use * stays[:, None, None] if len(stays) else [[[]]])
    at = ((pool * t + period) * s)[:, None] + each
    columns = np.array([place[i] for i in q.tolist()], dtype=np.int64)
    shared.add(at, columns[:, None], -tr.column_use[q, pool, period][:, None])
    column, (run, pool, period, slot) = block("flex", 4)
    holds = ~tr.preemptible[run] if len(run) else np.zeros(0, dtype=bool)
    at = (pool * t + period) * s + slot
    shared.add(at[holds], column[holds], np.full(int(holds.sum()), -1.0))
    column, (row, begun) = block("qualify", 2)
    ready = begun + inst.rules.qualification.lead_periods[row]
    for g, e in enumerate(gates.row.tolist()):
        i, period = np.nonzero((row == e)[:, None] & (ready[:, None] <= np.arange(t)))
        at = (((pools + g) * t + period) * s)[:, None] + each
        shared.add(at, column[i][:, None], gates.room[g, period][:, None])
    column, (start,) = block("lots", 1)
    for case in np.flatnonzero(~con.outage).tolist():
        age = np.arange(t)[None, :] - st.period[start][:, None]
        recent = (age >= 0) & (age < con.stop_periods[case]) & (st.active[start] > 0)
        recent &= con.lost[case][st.pool[start]][:, None]
        recent &= ~inst.options.renews[start][:, None]
        i, period = np.nonzero(recent)
        j = start[i]
        at = (case * p + st.pool[j]) * t + period
        stopped.add(at, column[i], usable[st.pool[j]] * st.lot_chips[j] * st.active[j, period])
    n = matrix.shape[1]
    return Left(shared.matrix((p * t * s, n)), stopped.matrix((k * p * t, n)), (k, p, t, s))
