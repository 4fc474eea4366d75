"""Exact solves of a block with HiGHS, hot from one right-hand side to the next.

Chips and demand go in by the thousand and USD by the million; columns and rows are laid out as
in `planner.sweep.block`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp

from planner.errors import PlannerError
from planner.sweep.block import Block, Bools, Floats, Ints, Sides

_THOUSAND, _MILLION = 1e3, 1e6
_TOLERANCE = 1e-10
"""Reduced cost, relative to the duals, that counts as 0 when columns are added."""
_AT_A_TIME = 1
"""Columns added at a time for one demand row."""


@dataclass(frozen=True)
class Layout:
    """Columns and rows of a block's program."""

    serve: Ints
    """(job, group, slice) of each serving column [column, 3]."""
    hourly_at: int
    """First of the pay-as-you-go columns, by offer and slice."""
    unserved_at: int
    """First of the unserved columns, one a demand row."""
    demand: Ints
    """(job, slice) of each demand row; weekly rows have slice 0 [row, 2]."""
    firm_groups: Ints
    """Groups with a firm row."""
    capped: Ints
    """Jobs with a largest cluster."""
    a: sp.csc_array
    """Coefficients [row, column]."""
    cost: Floats
    """USD [column]."""
    rows: int
    """Number of rows."""

    def parts(self, block: Block) -> dict[str, slice]:
        """Rows of each family: demand, capacity, firm, room, cluster."""
        groups, slices = block.rate.shape[1], len(block.share)
        sizes = {
            "demand": len(self.demand),
            "capacity": groups * slices,
            "firm": len(self.firm_groups) * slices,
            "room": block.rooms * slices,
            "cluster": len(self.capped) * slices,
        }
        out, start = {}, 0
        for name, size in sizes.items():
            out[name] = slice(start, start + size)
            start += size
        return out


def layout(block: Block, can: Bools | None = None) -> Layout:
    """The program's matrix: every row reads `>=`, with capacity rows negated.

    `can` [j, g] says who has serving columns where, also at a rate of 0; else those with a rate.
    """
    can = block.rate > 0 if can is None else can
    jobs, groups, offers, slices = block.shape_jgos
    s_all = np.arange(slices)
    demand = np.array(
        [
            (j, s)
            for j in range(jobs)
            for s in ((0,) if block.weekly[j] else np.flatnonzero(block.shape[j] > 0).tolist())
        ],
        dtype=np.int64,
    ).reshape(-1, 2)
    row_of = np.full((jobs, slices), -1, dtype=np.int64)
    row_of[demand[:, 0], demand[:, 1]] = np.arange(len(demand))
    row_of[block.weekly] = row_of[block.weekly][:, :1]
    firm_groups = np.flatnonzero(block.spot)
    capped = np.flatnonzero(np.isfinite(block.largest_chips))
    j, g, s = np.nonzero(can[:, :, None] & (row_of >= 0)[:, None, :])
    n = len(j)
    capacity_at = len(demand)
    firm_at = capacity_at + groups * slices
    room_at = firm_at + len(firm_groups) * slices
    cluster_at = room_at + block.rooms * slices
    rows = cluster_at + len(capped) * slices
    firm_row = np.full(groups, -1, dtype=np.int64)
    firm_row[firm_groups] = np.arange(len(firm_groups))
    cluster_row = np.full(jobs, -1, dtype=np.int64)
    cluster_row[capped] = np.arange(len(capped))
    parts: list[tuple[Ints, Ints, Floats]] = []

    def put(row: Ints, column: Ints, value: Floats) -> None:
        parts.append((row, column, value))

    column = np.arange(n)
    put(row_of[j, s], column, block.rate[j, g] * block.wants[j, s])
    put(capacity_at + g * slices + s, column, -np.ones(n))
    firm = block.firm[j] & (firm_row[g] >= 0)
    put(firm_at + firm_row[g[firm]] * slices + s[firm], column[firm], -np.ones(firm.sum()))
    cap = cluster_row[j] >= 0
    put(cluster_at + cluster_row[j[cap]] * slices + s[cap], column[cap], -np.ones(cap.sum()))
    o = np.repeat(np.arange(offers), slices)
    so = np.tile(s_all, offers)
    column = n + np.arange(offers * slices)
    put(capacity_at + block.group[o] * slices + so, column, block.goodput[o])
    helps = ~block.interruptible[o] & (firm_row[block.group[o]] >= 0)
    put(firm_at + firm_row[block.group[o[helps]]] * slices + so[helps], column[helps],
        block.goodput[o[helps]])  # fmt: skip
    shares = block.site[o] >= 0
    put(room_at + block.site[o[shares]] * slices + so[shares], column[shares],
        -np.ones(shares.sum()))  # fmt: skip
    unserved = n + offers * slices + np.arange(len(demand))
    put(np.arange(len(demand)), unserved, np.ones(len(demand)))
    r, c, v = (np.concatenate([part[i] for part in parts]) for i in range(3))
    columns = n + offers * slices + len(demand)
    return Layout(
        serve=np.stack([j, g, s], axis=1),
        hourly_at=n,
        unserved_at=n + offers * slices,
        demand=demand,
        firm_groups=firm_groups,
        capped=capped,
        a=sp.csc_array((v, (r, c)), shape=(rows, columns)),
        cost=np.concatenate(
            [np.zeros(n), block.cost_usd.ravel(), block.penalty_usd[demand[:, 0], demand[:, 1]]]
        ),
        rows=rows,
    )


@dataclass(frozen=True)
class Exact:
    """An exact solution of one block."""

    cost_usd: float
    """Optimal recourse cost, as HiGHS states it."""
    x: Floats
    """Columns of the layout: chips and units of demand."""
    y: Floats
    """Row duals, >= 0, USD per unit of the row."""
    iterations: int
    """Simplex iterations that it took."""


class BlockSolver:
    """One block held in HiGHS. Not safe to share between threads.

    With `sift` HiGHS holds only the serving columns that an optimum has used so far; every solve
    ends when none of the others has a reduced cost below 0, so its optimum is that of the whole.
    """

    def __init__(self, block: Block, *, sift: bool = True, columns: Ints | None = None):
        """Pass the block's matrix; right-hand sides come with `solve`.

        `columns` are serving columns to begin with, such as those that optima have used.
        """
        self.block, self._can = block, block.rate > 0
        self.layout = layout(block, self._can)
        self.parts = self.layout.parts(block)
        lay = self.layout
        self._held = np.arange(lay.hourly_at, lay.a.shape[1])
        if not sift:
            columns = np.arange(lay.hourly_at)
        if columns is not None:
            self._held = np.concatenate([self._held, columns])
        self._outside = np.ones(lay.a.shape[1], dtype=bool)
        self._outside[self._held] = False
        self._serve_t = sp.csr_array(lay.a[:, : lay.hourly_at].T)
        self._size = np.asarray(abs(lay.a[:, : lay.hourly_at]).sum(axis=0)).ravel()
        # highspy ships incomplete types.
        self._highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        for name, value in (
            ("output_flag", False), ("threads", 1), ("random_seed", 0),
            ("primal_feasibility_tolerance", 1e-9), ("dual_feasibility_tolerance", 1e-9),
            # Unperturbed costs take half the iterations here: 8 to 11 ms against 12 to 14.
            ("dual_simplex_cost_perturbation_multiplier", 0.0),
        ):  # fmt: skip
            self._highs.setOptionValue(name, value)
        self._load()

    def with_rate(self, rate: Floats) -> BlockSolver:
        """The same block with other rates [j, g], none where it had none, hot from this one."""
        if np.array_equal(rate, self.block.rate):
            return self
        out = object.__new__(BlockSolver)
        out.block, out._can = replace(self.block, rate=rate), self._can
        out.layout, out.parts = layout(out.block, self._can), self.parts
        out._held, out._outside = self._held.copy(), self._outside.copy()
        out._serve_t = sp.csr_array(out.layout.a[:, : out.layout.hourly_at].T)
        out._size = self._size
        out._highs = self._highs
        basis = self._highs.getBasis()
        out._load()
        if basis.valid:
            out._highs.setBasis(basis)
        return out

    def _load(self) -> None:
        lay = self.layout
        a = sp.csc_array(lay.a[:, self._held])
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = a.shape[1], a.shape[0]
        lp.col_cost_ = lay.cost[self._held] * _THOUSAND / _MILLION
        lp.col_lower_ = np.zeros(a.shape[1])
        lp.col_upper_ = np.full(a.shape[1], np.inf)
        lp.row_lower_ = np.zeros(lay.rows)
        lp.row_upper_ = np.full(lay.rows, np.inf)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = a.indptr, a.indices, a.data
        self._highs.passModel(lp)

    def right_hand_side(self, sides: Sides, i: int) -> Floats:
        """Lower bound of every row for scenario i, in chips and units of demand."""
        b, lay, slices = self.block, self.layout, len(self.block.share)
        j, s = lay.demand.T
        want = sides.demand[i, j] * np.where(b.weekly[j], 1.0, b.shape[j, s])
        return np.concatenate(
            [
                want,
                -np.repeat(sides.free[i], slices),
                -np.repeat(sides.free[i, lay.firm_groups], slices),
                -np.repeat(sides.room[i], slices),
                -np.repeat(b.largest_chips[lay.capped], slices),
            ]
        )

    def solve(self, sides: Sides, i: int, cost_usd: Floats | None = None) -> Exact:
        """Solve scenario i of `sides`, hot from the last solve.

        `cost_usd` [o, s] replaces the block's price of offers. Raises PlannerError when HiGHS
        does not end at an optimum: the program always has one.
        """
        lay, h = self.layout, self._highs
        n = np.arange(lay.rows, dtype=np.int32)
        rhs = self.right_hand_side(sides, i) / _THOUSAND
        h.changeRowsBounds(lay.rows, n, rhs, np.full(lay.rows, np.inf))
        # Pay as you go stands first among the columns held.
        columns = np.arange(lay.unserved_at - lay.hourly_at, dtype=np.int32)
        most = np.repeat(sides.most[i], len(self.block.share)) / _THOUSAND
        h.changeColsBounds(len(columns), columns, np.zeros(len(columns)), most)
        if cost_usd is not None:
            h.changeColsCost(len(columns), columns, cost_usd.ravel() * _THOUSAND / _MILLION)
        iterations = 0
        while True:
            h.run()
            if h.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                raise PlannerError(f"HiGHS ended a block at {h.getModelStatus()}")
            info = h.getInfo()
            iterations += info.simplex_iteration_count
            y = np.asarray(h.getSolution().row_dual)
            if not self._grow(y):
                break
        x = np.zeros(lay.a.shape[1])
        x[self._held] = np.asarray(h.getSolution().col_value) * _THOUSAND
        return Exact(
            cost_usd=info.objective_function_value * _MILLION,
            x=x,
            y=y * _MILLION / _THOUSAND,
            iterations=iterations,
        )

    def _grow(self, y: Floats) -> bool:
        """Add the serving columns outside whose reduced cost is below 0; whether there were any.

        At most the most wanted of each demand row comes in at a time.
        """
        lay = self.layout
        gain = self._serve_t @ y
        wanted = gain > _TOLERANCE * np.maximum(1.0, self._size * np.abs(y).max(initial=0.0))
        out = np.flatnonzero(self._outside[: lay.hourly_at] & wanted)
        if not len(out):
            return False
        j, _, s = lay.serve[out].T
        order = np.lexsort((-gain[out], s, j))
        key = (j * len(self.block.share) + s)[order]
        first = np.r_[True, key[1:] != key[:-1]]
        rank = np.arange(len(key)) - np.maximum.accumulate(np.where(first, np.arange(len(key)), 0))
        new = out[order[rank < _AT_A_TIME]]
        a = sp.csc_array(lay.a[:, new])
        self._highs.addCols(
            len(new), np.zeros(len(new)), np.zeros(len(new)), np.full(len(new), np.inf),
            a.nnz, a.indptr[:-1].astype(np.int32), a.indices.astype(np.int32), a.data,
        )  # fmt: skip
        self._held = np.concatenate([self._held, new])
        self._outside[new] = False
        return True


def used_columns(layout: Layout, columns: sp.csr_array) -> Ints:
    """Serving columns above 0 in any of the optima [k, column]."""
    total = np.asarray(columns[:, : layout.hourly_at].sum(axis=0)).ravel()
    return np.flatnonzero(total > 0)


def tour(points: Floats, piece: int = 1000) -> Ints:
    """An order in which neighbours follow one another, for hot starts [n].

    Nearest neighbour by the sum of differences, within pieces of the order that they come in.
    """
    out = np.empty(len(points), dtype=np.int64)
    for start in range(0, len(points), piece):
        some = np.ascontiguousarray(points[start : start + piece])
        waiting = np.ones(len(some), dtype=bool)
        at = 0
        for i in range(len(some)):
            out[start + i] = start + at
            waiting[at] = False
            left = np.flatnonzero(waiting)
            if len(left):
                at = int(left[np.abs(some[left] - some[at]).sum(axis=1).argmin()])
    return out
