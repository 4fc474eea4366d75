"""Small transport problems solved hot: demands served from chips, shortage priced.

    min  sum_w short[w]
    s.t. sum_p rate[w,p] / best[w] * flow[w,p] + short[w] >= least[w] / best[w]   (chips at best)
         sum_w flow[w,p] <= chips[p]
         sum_{w waiting at g} flow[w,p] <= chips[g]   (gates: see planner.redundancy.promise)

with best[w] = max_p rate[w,p], so that a shortage counts in chips of the workload's best pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.solve.scheduler import use_threads

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_THOUSAND = 1e3
# What HiGHS does against degeneracy costs more than it saves over many small blocks in a row.
_PLAIN = (("simplex_scale_strategy", 0), ("dual_simplex_cost_perturbation_multiplier", 0.0))


@dataclass(frozen=True, eq=False)
class Routing:
    """Answer of one problem."""

    short_chips: float
    """Least shortage, chips of the best pools."""
    prices: Floats
    """Dual prices of the demands, chips per request/s, at least 0 [w]."""
    flow: Floats
    """Chips by pair, in the order of `Transport.pairs` [pair]."""


class Transport:
    """Problems that share their rates and differ in demands and chips; solved one after another."""

    def __init__(self, rate: Floats, gate: Ints, gates: int):
        """Rates in requests/s per chip, 0 where a workload cannot be served [w, p].

        `gate` is the gate of a workload on a pool, -1 without one [w, p], of `gates` in all.
        """
        self.best = np.where(rate.max(axis=1, initial=0.0) > 0, rate.max(axis=1, initial=0.0), 1.0)
        w, p = np.nonzero(rate)
        self.pairs = (w, p)
        n, (rows, pools) = len(w), rate.shape
        waits = np.flatnonzero(gate[w, p] >= 0)
        self.waits = (waits, pools + gate[w, p][waits])
        self.shape = (rows, pools + gates)
        self._highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        for name, value in (
            ("output_flag", False),
            ("presolve", "off"),
            ("threads", 1),
            ("primal_feasibility_tolerance", 1e-9),
            ("dual_feasibility_tolerance", 1e-9),
            *_PLAIN,
        ):
            self._highs.setOptionValue(name, value)
        each = np.arange(rows)
        a = sp.csc_array(
            sp.coo_array(
                (
                    np.concatenate(
                        [rate[w, p] / self.best[w], np.ones(n), np.ones(len(waits)), np.ones(rows)]
                    ),
                    (
                        np.concatenate([w, rows + p, rows + self.waits[1], each]),
                        np.concatenate([np.arange(n), np.arange(n), waits, n + each]),
                    ),
                ),
                shape=(rows + pools + gates, n + rows),
            )
        )
        pools += gates
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = n + rows, rows + pools
        lp.col_cost_ = np.concatenate([np.zeros(n), np.ones(rows)])
        lp.col_lower_, lp.col_upper_ = np.zeros(n + rows), np.full(n + rows, np.inf)
        lp.row_lower_ = np.concatenate([np.zeros(rows), np.full(pools, -np.inf)])
        lp.row_upper_ = np.concatenate([np.full(rows, np.inf), np.zeros(pools)])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_ = a.indptr, a.indices
        lp.a_matrix_.value_ = a.data
        self._highs.passModel(lp)
        self._every = np.arange(rows + pools, dtype=np.int32)

    def solve(self, least: Floats, chips: Floats) -> Routing:
        """Route `least` requests/s [w] on `chips` [p + g] (negative chips count as 0)."""
        rows, pools = self.shape
        low = np.concatenate([least / self.best / _THOUSAND, np.full(pools, -np.inf)])
        high = np.concatenate([np.full(rows, np.inf), np.maximum(chips, 0.0) / _THOUSAND])
        self._highs.changeRowsBounds(rows + pools, self._every, low, high)
        use_threads(1)
        self._highs.run()
        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            # Every such problem has an optimum: once more from nothing, or its answer is none.
            self._highs.clearSolver()
            self._highs.run()
            if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                raise RuntimeError(f"a transport problem ended {self._highs.getModelStatus()}")
        solution = self._highs.getSolution()
        prices = np.maximum(np.asarray(solution.row_dual)[:rows], 0.0) / self.best
        # The price of a demand of nothing only weakens what the prices prove.
        return Routing(
            self._highs.getInfo().objective_function_value * _THOUSAND,
            np.where(least > 0, prices, 0.0),
            np.asarray(solution.col_value)[: len(self.pairs[0])] * _THOUSAND,
        )

    def used(self, routing: Routing) -> Floats:
        """Chips that a routing takes of pools and gates [p + g]."""
        out = np.zeros(self.shape[1])
        np.add.at(out, self.pairs[1], routing.flow)
        waits, gates = self.waits
        np.add.at(out, gates, routing.flow[waits])
        return out
