"""The problem of an alternative: the plan's own rows, a budget, and the distance as objective.

With the mixes mean_mw_i of earlier plans i and signs sign[i,m] in {-1, 1}:

    max apart_mw - thrift * cost(x)
    mean_mw[m] = the linear function of `planner.alternatives.mix`                  MW
    apart_mw <= 1/2 sum_m sign[i,m] * (mean_mw[m] - mean_mw_i[m])   for every i     MW
    cost(x) <= budget                                                               USD
    every row, bound and whole number of the case

A signed sum never exceeds the sum of absolute values, so that a solution is at least `apart_mw`
from every earlier plan, whatever the signs; which are best is `planner.alternatives.signs`.
The thrift is small: the budget still is spent where that leads farther, and as the cost is at most
the budget, a bound on the objective is one on the distance.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.alternatives.mix import Mix
from planner.matrix import Matrix, RowBatch

Floats = npt.NDArray[np.float64]
PER_MW = 1e6
"""Weight of a MW in the objective, so that it has the size of a cost in USD."""
MEAN, APART, BUDGET = "mean_mw", "apart_mw", "budget"
"""Columns of the mix and of the distance; rows of the mix, of the distances and of the budget."""


def budgeted(matrix: Matrix, mix: Mix, budget_usd: float) -> Matrix:
    """A problem with the columns of the mix and of the distance, and with the budget as a row.

    The objective is empty. The budget counts in hundredths of itself, so that its row is of the
    size of the others.
    """
    rows, n = matrix.shape
    members = len(mix.members)
    unit = abs(budget_usd) / 100.0 or 1.0
    below = sp.vstack([-mix.rows(matrix), sp.csr_array(matrix.objective[None, :] / unit)])
    own = sp.vstack([sp.eye_array(members, members + 1), sp.csr_array((1, members + 1))])
    none = sp.csr_array((rows, members + 1))
    wide = sp.vstack([sp.hstack([matrix.a, none]), sp.hstack([below, own])])
    # Twice what two full fleets differ by: no solution is ever held back by it.
    top = 2.0 * float(mix.most_mw.sum()) + 1.0
    at, end = rows + members, n + members
    return replace(
        matrix,
        cost_terms=(APART,),
        cost=np.zeros((1, end + 1)),
        cost_offset=np.zeros(1),
        a=sp.csc_array(wide),
        row_lower=np.concatenate([matrix.row_lower, np.zeros(members), [-np.inf]]),
        row_upper=np.concatenate(
            [matrix.row_upper, np.zeros(members), [(budget_usd - matrix.offset) / unit]]
        ),
        lower=np.concatenate([matrix.lower, np.zeros(members), [-top]]),
        upper=np.concatenate([matrix.upper, mix.most_mw, [top]]),
        integer=np.concatenate([matrix.integer, np.zeros(members + 1, dtype=bool)]),
        columns={**matrix.columns, MEAN: slice(n, end), APART: slice(end, end + 1)},
        column_index={**matrix.column_index, MEAN: tuple(range(members)), APART: (0,)},
        rows={**matrix.rows, MEAN: slice(rows, at), BUDGET: slice(at, at + 1)},
        row_index={**matrix.row_index, MEAN: tuple(range(members)), BUDGET: (0,)},
    )


def with_cost(matrix: Matrix, cost: Floats) -> Matrix:
    """The problem with an objective of one term [column]."""
    return replace(matrix, cost_terms=(APART,), cost=cost[None, :], cost_offset=np.zeros(1))


def towards(matrix: Matrix, weight: Floats) -> Matrix:
    """The problem that maximizes sum_m weight[m] * mean_mw[m] [m]."""
    cost = np.zeros(matrix.shape[1])
    cost[matrix.columns[MEAN]] = -PER_MW * weight
    return with_cost(matrix, cost)


def away(
    matrix: Matrix, earlier: Floats, signs: Floats, room: int, thrift: Floats | None = None
) -> Matrix:
    """The problem that maximizes the distance to earlier mixes [i, m], MW, with signs [i, m].

    `thrift` is a small cost of each column beside it: a problem in which most columns cost nothing
    takes several times as long.

    It has `room` rows of distances, those beyond the earlier plans without effect: so that every
    problem of a search has the same rows, and a basis of one starts the next.
    """
    n = matrix.shape[1]
    count, members = earlier.shape
    first, last = matrix.columns[MEAN].start, matrix.columns[APART].start
    at = np.arange(count)
    a = sp.csr_array(
        (
            np.concatenate([-0.5 * signs.ravel(), np.ones(count)]),
            (
                np.concatenate([np.repeat(at, members), at]),
                np.concatenate([np.tile(first + np.arange(members), count), np.full(count, last)]),
            ),
        ),
        shape=(room, n),
    )
    upper = np.full(room, np.inf)
    upper[:count] = -0.5 * (signs * earlier).sum(axis=1)
    index = tuple((i,) for i in range(room))
    batch = RowBatch(APART, index, a, np.full(room, -np.inf), upper)
    cost = np.zeros(n) if thrift is None else thrift.copy()
    cost[last] -= PER_MW
    return with_cost(matrix.with_rows(batch), cost)


def priced(matrix: Matrix, cost: Floats, usd_per_mw: float) -> Matrix:
    """The problem that weighs the distance against the cost, in place of the budget's row.

        min cost(x) - usd_per_mw * apart_mw

    `cost` is that of each column of the case, USD. Rounding makes a plan of this problem a little
    dearer, where the row would make it impossible.
    """
    upper = matrix.row_upper.copy()
    upper[matrix.rows[BUDGET]] = np.inf
    wide = np.zeros(matrix.shape[1])
    wide[: len(cost)] = cost
    wide[matrix.columns[APART]] = -usd_per_mw
    return replace(with_cost(matrix, wide), row_upper=upper)


def rows_of(matrix: Matrix, name: str) -> RowBatch | None:
    """The rows of one constraint, to join another problem over the same columns."""
    span = matrix.rows.get(name)
    if span is None:
        return None
    a = sp.csr_array(matrix.a)[span]
    side = matrix.row_lower[span], matrix.row_upper[span]
    return RowBatch(name, matrix.row_index[name], sp.csr_array(a), *side)


def without_rows(matrix: Matrix, name: str) -> Matrix:
    """The problem without the rows of one constraint, which must be the last if it is there."""
    if name not in matrix.rows:
        return matrix
    start = matrix.rows[name].start
    return replace(
        matrix,
        a=sp.csc_array(sp.csr_array(matrix.a)[:start]),
        row_lower=matrix.row_lower[:start],
        row_upper=matrix.row_upper[:start],
        rows={key: span for key, span in matrix.rows.items() if key != name},
        row_index={key: index for key, index in matrix.row_index.items() if key != name},
    )
