"""A problem without its flows: what serving costs, as cuts on what is bought and placed.

Benders decomposition (J. F. Benders, Numerische Mathematik 4, 1962). Given contracts, placements
and what training runs, the flows of one period touch no row of another, so that they fall apart
into blocks. For any row duals y of the whole problem, and a block with the rows R and flows F,

    theta >= sum_R y_i * (the side that its sign selects) + sum_F min over bounds of (c - A'y)_j x_j
             - sum_R y_i * (A x)_i over what is bought and placed

holds for every plan whose flows cost theta in the block, by weak duality. The duals of a
relaxation make the smaller problem's relaxation as high as that one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from planner.matrix import Matrix, RowBatch
from planner.solve.bound import selected, usable_duals
from planner.solve.units import MILLION

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FLOWS = ("serve", "unserved", "shed", "served")
"""Components that a cut stands for."""
MOST_USD = 1e13
"""What flows of a block cost or save at most: no cut comes near it."""
ROWS = "flow_cost"
"""Constraint of the cuts."""
ROOM = "flow_room"
"""Constraint of what flows leave room for, whatever they cost."""
RAYS = "flow_ray"
"""Constraint of the cuts of rays."""
JOINED = "flow_joined"
"""Constraint of the rows that join the problem; their index is the row of the whole problem."""


def _activity(rows: sp.csr_array, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Least and most that each row can come to within bounds of its columns."""
    up, down = rows.maximum(0.0), rows.minimum(0.0)
    return up @ low + down @ high, up @ high + down @ low


@dataclass(frozen=True, eq=False)
class WithoutFlows:
    """A problem split into its flows and the rest."""

    matrix: Matrix
    """The whole problem."""
    kept: Ints
    """Its columns that are no flows."""
    flows: Ints
    """Its columns that are."""
    rows: Ints
    """Its rows with flows in them."""
    row_block: Ints
    """Block of each of these rows."""
    flow_block: Ints
    """Block of each flow."""
    blocks: int
    """Number of blocks."""

    @classmethod
    def of(cls, matrix: Matrix) -> WithoutFlows:
        """Split a problem."""
        flow = np.zeros(matrix.shape[1], dtype=bool)
        for name in FLOWS:
            if name in matrix.columns:
                flow[matrix.columns[name]] = True
        flow &= ~matrix.integer
        rows = np.flatnonzero(abs(matrix.a) @ flow.astype(float) > 0.0)
        between = sp.csr_array(matrix.a)[rows][:, flow]
        # Rows first, then flows; each entry joins one of both.
        row, column = sp.coo_array(between).coords
        nodes = sum(between.shape)
        graph = sp.coo_array((np.ones(len(row)), (row, len(rows) + column)), (nodes, nodes))
        blocks, of = connected_components(graph, directed=False)
        return cls(
            matrix,
            np.flatnonzero(~flow),
            np.flatnonzero(flow),
            rows,
            of[: len(rows)].astype(np.int64),
            of[len(rows) :].astype(np.int64),
            int(blocks),
        )

    def flow_cuts(self, duals: Iterable[Floats], first: int) -> RowBatch:
        """What flows cost at least by further row duals, the first of which has place `first`."""
        cuts = self._cuts(duals, ROWS, 1.0)
        return replace(cuts, index=tuple((first + k, block) for k, block in cuts.index))

    def problem(self, duals: Iterable[Floats]) -> Matrix:
        """What is bought and placed, with what the flows of each block cost (million USD) last.

        `duals` are row duals of the whole problem [row], as many as it had rows then.
        """
        m = self.matrix
        rest = self._rest()
        none = sp.csr_array((len(rest), self.blocks))
        most = np.full(self.blocks, MOST_USD / MILLION)
        small = replace(
            m,
            cost_terms=("all",),
            cost=np.append(m.objective[self.kept], np.full(self.blocks, MILLION))[None, :],
            cost_offset=np.array([m.offset]),
            a=sp.csc_array(sp.hstack([sp.csr_array(m.a)[rest][:, self.kept], none])),
            row_lower=m.row_lower[rest],
            row_upper=m.row_upper[rest],
            lower=np.append(m.lower[self.kept], -most),
            upper=np.append(m.upper[self.kept], most),
            integer=np.append(m.integer[self.kept], np.zeros(self.blocks, dtype=bool)),
            columns={},
            column_index={},
            rows={"rest": slice(0, len(rest))},
            row_index={"rest": tuple((int(i),) for i in rest)},
        )
        for batch in (self._room(), self._cuts(duals, ROWS, 1.0)):
            small = small.with_rows(batch)
        return small

    def ray_cuts(self, rays: Iterable[Floats]) -> RowBatch:
        """What rays, with either sign, ask of what is bought and placed."""
        both = [sign * ray for ray in rays for sign in (1.0, -1.0)]
        return self._cuts(both, RAYS, 0.0)

    def _rest(self) -> Ints:
        """Rows of the whole problem without flows."""
        return np.setdiff1d(np.arange(self.matrix.shape[0]), self.rows)

    def whole_duals(self, problem: Matrix, duals: Sequence[Floats], y: Floats, rows: int) -> Floats:
        """Row duals of the whole problem that prove what those of `problem` (y) prove, or more.

        The whole problem has so many `rows` by now. `problem` is that of `duals`, without rays, and
        of the rows that joined it. Its cuts have, in each block, weights that add up to 1, so that
        duals come out whose bound is the mean of theirs, or more. A ray of the problem becomes one
        of the whole, which proves something where it needs no cut.
        """
        # Duals from before rows joined: those have the price 0.
        y = np.concatenate([y, np.zeros(problem.shape[0] - len(y))])
        out = np.zeros(rows)
        for name, span in problem.rows.items():
            index = problem.row_index[name]
            used = np.flatnonzero(y[span])
            if name.split()[0] != ROWS:
                for i in used.tolist():
                    out[index[i][0]] += y[span][i]
                continue
            weights = y[span] / MILLION
            for k in dict.fromkeys(index[i][0] for i in used.tolist()):
                of_block = np.zeros(self.blocks)
                for i in used.tolist():
                    if index[i][0] == k:
                        of_block[index[i][1]] += weights[i]
                out[self.rows] += of_block[self.row_block] * self._usable(duals[k])[self.rows]
        return out

    def joined(self, batch: RowBatch) -> RowBatch:
        """Rows over what is bought and placed that join the whole problem next, in the smaller one.

        Raises ValueError when flows stand in them.
        """
        if abs(batch.a[:, self.flows]).sum():
            raise ValueError("a row with flows in it")
        none = sp.csr_array((len(batch.index), self.blocks))
        a = sp.csr_array(sp.hstack([batch.a[:, self.kept], none]))
        return replace(batch, name=JOINED, a=a)

    def _usable(self, given: Floats) -> Floats:
        """Row duals of the split's rows [row]: 0 where none are given and for what is no use."""
        y = np.zeros(self.matrix.shape[0])
        y[: len(given)] = given[: len(y)]
        return usable_duals(y, self.matrix.row_lower, self.matrix.row_upper)

    def _room(self) -> RowBatch:
        """Each row of flows without them, where it can bind: they take no less than their least."""
        m = self.matrix
        a = sp.csr_array(m.a)[self.rows]
        inside, outside = sp.csr_array(a[:, self.flows]), sp.csr_array(a[:, self.kept])
        least, most = _activity(inside, m.lower[self.flows], m.upper[self.flows])
        low, high = m.row_lower[self.rows] - most, m.row_upper[self.rows] - least
        least, most = _activity(outside, m.lower[self.kept], m.upper[self.kept])
        binds = np.flatnonzero((np.diff(outside.indptr) > 0) & ((most > high) | (least < low)))
        none = sp.csr_array((len(binds), self.blocks))
        index = tuple((int(i),) for i in self.rows[binds])
        rows = sp.csr_array(sp.hstack([outside[binds], none]))
        return RowBatch(ROOM, index, rows, low[binds], high[binds])

    def _cuts(self, duals: Iterable[Floats], name: str, cost: float) -> RowBatch:
        """The cuts of duals (`cost` 1), or of rays (0: no flows at all), each block's once.

        Their index is the place of the duals and the block.
        """
        m = self.matrix
        a = sp.csr_array(m.a)[self.rows]
        inside, outside = sp.csc_array(a[:, self.flows]), sp.csr_array(a[:, self.kept])
        low, high = m.row_lower[self.rows], m.row_upper[self.rows]
        theta = sp.eye_array(self.blocks) * cost
        each = np.arange(len(self.rows))
        rows, least = [], []
        index: list[tuple[int, ...]] = []
        seen: set[tuple[int, bytes]] = set()
        for k, given in enumerate(duals):
            y = self._usable(given)[self.rows]
            reduced = cost * m.objective[self.flows] - inside.T @ y
            proven = np.bincount(self.row_block, selected(y, low, high), self.blocks)
            worth = selected(reduced, m.lower[self.flows], m.upper[self.flows])
            proven += np.bincount(self.flow_block, worth, self.blocks)
            unit = MILLION if cost else float(np.abs(y).max()) or 1.0
            of = sp.csr_array((y / unit, (self.row_block, each)), shape=(self.blocks, len(y)))
            made = sp.csr_array(of @ outside)
            cut = sp.csr_array(sp.hstack([made, theta]))
            # A ray says something of a block only where bounds do not say it already.
            told, _ = _activity(made, m.lower[self.kept], m.upper[self.kept])
            says = np.isfinite(proven) & ((cost > 0.0) | (told < proven / unit))
            for block in np.flatnonzero(says).tolist():
                key = (block, y[self.row_block == block].tobytes())
                if key not in seen:
                    seen.add(key)
                    rows.append(cut[[block]])
                    least.append(float(proven[block]) / unit)
                    index.append((k, block))
        stacked = sp.vstack(rows) if rows else sp.csr_array((0, len(self.kept) + self.blocks))
        most = np.full(len(least), np.inf)
        return RowBatch(name, tuple(index), sp.csr_array(stacked), np.array(least), most)

    def whole(self, point: Floats) -> Floats:
        """A point of the smaller problem in the columns of the whole one, without flows."""
        out = np.zeros(self.matrix.shape[1])
        out[self.kept] = point[: len(self.kept)]
        return out
