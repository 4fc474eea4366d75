"""Upper bounds: a feasible routing of each scenario, made from the optimum of a like one.

The flows of the optimum behind the best price are scaled to the scenario's demand and cut to its
capacity; what is then unserved is put, dearest first, on the groups that are left, first on chips
that are there, then on firm pay as you go; at the end chips by the hour are bought for what is
used, cheapest first. Spot chips are not used. Everything is done on arrays of scenarios.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from planner.sweep.block import Block, Floats, Ints, Sides
from planner.sweep.exact import Layout

TILE = 2048
"""Scenarios at a time."""


def upper_bounds(
    block: Block, layout: Layout, columns: sp.csr_array, demand: Floats, at: Ints, sides: Sides
) -> tuple[Floats, Floats]:
    """Cost of a feasible routing, USD [n], and what it leaves unserved in units of demand [n, j].

    `columns` [k, column] and `demand` [k, j] are optima and what they were for; at[n] is the
    optimum that a scenario starts from. Unserved is the mean over the week.
    """
    cost, unserved = [], []
    for start in range(0, len(at), TILE):
        rows = slice(start, start + TILE)
        some = _Reroute(block, layout, sides.take(rows))
        some.start(columns[at[rows]].toarray(), demand[at[rows]])
        some.fill(some.slack(paid=False), np.arange(len(block.names)))
        some.fill(some.slack(paid=True), np.flatnonzero(~block.weekly))
        cost.append(some.cost())
        unserved.append(some.unserved())
    return np.concatenate(cost), np.concatenate(unserved)


def _sums(values: Floats, into: Ints, size: int) -> Floats:
    """Columns of values [n, column] added up by their target [n, size]."""
    one = np.ones(len(into))
    matrix = sp.csr_array((one, (np.arange(len(into)), into)), shape=(len(into), size))
    return np.asarray(values @ matrix)


class _Reroute:
    """Flows of a tile of scenarios while they are made feasible."""

    def __init__(self, block: Block, layout: Layout, sides: Sides):
        self.block, self.layout, self.sides = block, layout, sides
        jobs, groups, offers, slices = block.shape_jgos
        self.n, self.used = len(sides), np.zeros((len(sides), groups, slices))
        self.cluster = np.zeros((len(sides), jobs, slices))
        self.left = np.zeros((len(sides), jobs, slices))
        # One firm offer of a site may use its room.
        self.most = sides.most.copy()
        taken: set[int] = set()
        for o in range(offers):
            site = int(block.site[o])
            if block.interruptible[o] or site in taken:
                self.most[:, o] = 0.0
            elif site >= 0:
                taken.add(site)
                self.most[:, o] = np.minimum(self.most[:, o], sides.room[:, site])
        chips = np.repeat((self.most * block.goodput)[:, :, None], slices, axis=2)
        self.bought = np.stack(
            [_sums(chips[:, :, s], block.group, groups) for s in range(slices)], axis=2
        )

    def start(self, columns: Floats, demand: Floats) -> None:
        """Take the optima's flows, scaled to demand and cut to capacity."""
        b, lay = self.block, self.layout
        wanted = self.sides.demand
        scale = np.divide(wanted, demand, out=np.zeros_like(wanted), where=demand > 0)
        flows = columns[:, : lay.hourly_at]
        live = np.flatnonzero(flows.max(axis=0, initial=0.0) > 0)
        j, g, s = lay.serve[live].T
        flow = flows[:, live] * np.minimum(scale, 1e9)[:, j]
        total = self._by(flow, g, s, self.used)
        # What the optimum bought, it may buy again.
        room = np.maximum(self.sides.free[:, :, None] + self.bought, 0.0)
        cut = np.minimum(1.0, np.divide(room, total, out=np.ones_like(total), where=total > 0))
        flow *= cut[:, g, s]
        capped = np.isfinite(b.largest_chips)
        if capped.any():
            cluster = self._by(flow, j, s, self.cluster)
            most = np.where(capped, b.largest_chips, np.inf)[None, :, None]
            fits = np.minimum(1.0, np.divide(most, cluster, out=np.ones_like(cluster),
                                             where=cluster > 0))  # fmt: skip
            flow *= fits[:, j, s]
        self.cluster = self._by(flow, j, s, self.cluster)
        self.used = self._by(flow, g, s, self.used)
        served = self._by(flow * (b.rate[j, g] * b.wants[j, s]), j, s, self.left)
        want = wanted[:, :, None] * b.shape
        weekly = b.weekly
        self.left = np.maximum(want - served, 0.0)
        week = np.maximum(wanted - served.sum(axis=2), 0.0)
        self.left[:, weekly] = 0.0
        self.left[:, weekly, 0] = week[:, weekly]

    def _by(self, flow: Floats, axis: Ints, s: Ints, like: Floats) -> Floats:
        """Flows [n, column] added up by (axis, slice), in the shape of `like`."""
        slices = like.shape[2]
        return _sums(flow, axis * slices + s, like.shape[1] * slices).reshape(like.shape)

    def slack(self, *, paid: bool) -> Floats:
        """Chips that are free, with `paid` those by the hour too [n, g, s]."""
        room = self.sides.free[:, :, None] + (self.bought if paid else 0.0)
        return np.maximum(room - self.used, 0.0)

    def fill(self, slack: Floats, jobs: Ints) -> None:
        """Put what is left of these jobs on slack chips, the dearest per chip first."""
        b = self.block
        value = (b.penalty_usd.max(axis=1)[:, None] * b.rate).max(axis=1)
        for j in jobs[np.argsort(-value[jobs], kind="stable")].tolist():
            if not self.left[:, j].any():
                continue
            on = np.flatnonzero(b.rate[j])
            for g in on[np.argsort(-b.rate[j, on], kind="stable")].tolist():
                open_chips = slack[:, g]
                if np.isfinite(b.largest_chips[j]):
                    rest = np.maximum(b.largest_chips[j] - self.cluster[:, j], 0.0)
                    open_chips = np.minimum(open_chips, rest)
                if b.weekly[j]:
                    need = self.left[:, j, 0] / b.rate[j, g]
                    there = open_chips @ b.share
                    part = np.divide(need, there, out=np.zeros_like(need), where=there > 0)
                    take = np.minimum(part, 1.0)[:, None] * open_chips
                    self.left[:, j, 0] -= (take @ b.share) * b.rate[j, g]
                else:
                    take = np.minimum(open_chips, self.left[:, j] / b.rate[j, g])
                    self.left[:, j] -= take * b.rate[j, g]
                slack[:, g] -= take
                self.used[:, g] += take
                self.cluster[:, j] += take
        np.maximum(self.left, 0.0, out=self.left)

    def cost(self) -> Floats:
        """Chips by the hour for what is used, cheapest first, and the price of what is left."""
        b = self.block
        lacking = np.maximum(self.used - self.sides.free[:, :, None], 0.0)
        out = np.einsum("njs,js->n", self.left, b.penalty_usd)
        order = np.argsort(b.cost_usd.sum(axis=1) / b.goodput, kind="stable")
        for o in order.tolist():
            g = int(b.group[o])
            take = np.minimum(lacking[:, g], (self.most[:, o] * b.goodput[o])[:, None])
            out += (take / b.goodput[o]) @ b.cost_usd[o]
            lacking[:, g] -= take
        # Rounding of the subtractions, at the dearest price of any chip.
        worth = (b.penalty_usd.max(axis=1)[:, None] * b.rate).max(initial=0.0)
        out += np.maximum(lacking, 0.0).sum(axis=(1, 2)) * worth
        total: Floats = out * (1.0 + 1e-12)
        return total

    def unserved(self) -> Floats:
        """Mean over the week of what is left [n, j]."""
        b = self.block
        out: Floats = np.where(b.weekly, self.left[:, :, 0], self.left @ b.share)
        return out
