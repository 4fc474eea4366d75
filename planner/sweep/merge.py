"""Merge what is alike: jobs with equal coefficients, and pools with equal rates for every job.

Merging is exact. Alike jobs are one job with the sum of their demands; alike pools are one
group with the sum of their chips. Offers of one group with equal cost and goodput are one offer
with the sum of their limits. Where a pool has several offers they also share its room R: with
most m_o each, what one pool can give is the polymatroid with ranks min(m_o, R) and
min(R, sum_o min(m_o, R)), and a sum of polymatroids has the sum of their ranks, so sites with the
same (one or two) offers add up, too.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np

from planner.sweep.block import Block, Bools, Floats, Ints, Jobs, Pays, Sides
from planner.sweep.moves import Moves


@dataclass(frozen=True)
class Merged:
    """A block and how scenarios' raw right-hand sides add up to its own."""

    block: Block
    """The block with alike pools and workloads as one."""
    job: Ints
    """Merged job of each raw job [raw j]."""
    pool: Ints
    """Group of each pool of the instance, -1 = no use in this period [p]."""
    pays: Pays
    """Raw offers."""
    offer: Ints
    """Merged offer of each raw offer [raw o]; -1 = none can use it."""
    jobs: Jobs
    """Raw jobs."""

    def sides(self, demand: Floats, working: Floats, room: Floats, offered: Floats) -> Sides:
        """Right-hand sides from raw ones.

        demand [n, raw j], working chips and room for more [n, p], chips on offer [n, raw o].
        """
        b = self.block
        n = len(demand)
        raw = self.pays
        is_offer = raw.offer >= 0
        most = raw.most(offered, working)
        most = np.where(is_offer, np.minimum(most, room[:, raw.pool]), most)
        placed = np.zeros(len(self.pool))
        np.add.at(placed, raw.pool, raw.placed_chips)
        free = working - placed
        out_room = np.zeros((n, b.rooms))
        if b.rooms:
            # Each raw site once: the rank of all its offers together.
            for p in np.unique(raw.pool[is_offer]).tolist():
                mine = np.flatnonzero((raw.pool == p) & (self.offer >= 0) & is_offer)
                if len(mine) > 1:
                    site = int(b.site[self.offer[mine[0]]])
                    out_room[:, site] += np.minimum(room[:, p], most[:, mine].sum(axis=1))
        return Sides(
            demand=_gather(demand, self.job, b.rate.shape[0]),
            free=_gather(free, self.pool, b.rate.shape[1]),
            room=out_room,
            most=_gather(most, self.offer, len(b.group)),
        )


def _gather(values: Floats, into: Ints, size: int) -> Floats:
    """Columns added up by their target; target -1 is dropped."""
    out = np.zeros((len(values), size))
    order = np.argsort(into, kind="stable")
    order = order[into[order] >= 0]
    if len(order):
        targets, starts = np.unique(into[order], return_index=True)
        out[:, targets] = np.add.reduceat(values[:, order], starts, axis=1)
    return out


def _number(keys: Iterable[Hashable]) -> tuple[Ints, list[int]]:
    """Number of each key by first appearance, and where each number appears first."""
    seen: dict[Hashable, int] = {}
    out, first = [], []
    for i, key in enumerate(keys):
        if key not in seen:
            seen[key] = len(seen)
            first.append(i)
        out.append(seen[key])
    return np.array(out, dtype=np.int64), first


def merge(
    t: int, jobs: Jobs, pays: Pays, share: Floats, usable: Bools, moves: Moves | None = None
) -> Merged:
    """The block of period t. `usable` tells which pools can have chips in some scenario [p].

    Jobs, pools and offers whose rates or prices move apart in `moves` are kept apart.
    """
    rate_move, price_move = _movers(jobs, pays, moves)
    rate = np.where(usable, jobs.rate, 0.0)
    busy: Bools = np.asarray((rate > 0).any(axis=0))
    busy[pays.pool[pays.run >= 0]] = True
    placed = set(pays.pool[pays.run >= 0].tolist())
    # A pool with placed runs stays by itself: what it lacks, no other pool can give.
    keys = (
        (rate[:, p].tobytes(), rate_move[:, p].tobytes(), p if p in placed else -1)
        for p in np.flatnonzero(busy).tolist()
    )
    group_of, first = _number(keys)
    pool = np.full(len(usable), -1, dtype=np.int64)
    pool[busy] = group_of
    by_group = rate[:, np.flatnonzero(busy)[first]]
    job_of, job_first = _number(
        (
            by_group[j].tobytes(), rate_move[j].tobytes(), jobs.shape[j].tobytes(),
            jobs.penalty_usd[j].tobytes(),
            bool(jobs.weekly[j]), bool(jobs.firm[j]), jobs.service_class[j],
            j if jobs.run[j] >= 0 else -1,
        )
        for j in range(len(jobs.names))
    )  # fmt: skip
    offer, offer_first, site, rooms = _offers(pays, pool, price_move)
    block = Block(
        period=t,
        names=tuple(jobs.names[j] for j in job_first),
        weekly=jobs.weekly[job_first],
        firm=jobs.firm[job_first],
        rate=by_group[job_first],
        shape=jobs.shape[job_first],
        penalty_usd=jobs.penalty_usd[job_first],
        largest_chips=jobs.largest_chips[job_first],
        share=share,
        group=pool[pays.pool[offer_first]],
        goodput=pays.goodput[offer_first],
        interruptible=pays.interruptible[offer_first],
        cost_usd=pays.cost_usd[offer_first],
        site=site,
        rooms=rooms,
        lacking=np.isin(np.arange(by_group.shape[1]), pool[pays.pool[pays.run >= 0]]),
    )
    return Merged(block, job_of, pool, pays, offer, jobs)


def _movers(jobs: Jobs, pays: Pays, moves: Moves | None) -> tuple[Floats, Ints]:
    """What tells rates [raw j, p] and prices [raw o] apart that move differently."""
    rate = np.zeros((*jobs.rate.shape, 1))
    if moves is None:
        return rate, np.zeros(len(pays.pool), dtype=np.int64)
    # Low and high ends differ where the mid is equal, so jobs in a band stay by themselves.
    own = np.arange(jobs.rate.size).reshape(jobs.rate.shape)
    parts = [moves.rate, *(np.where(where > 0, own, -1) for _, where in moves.bands)]
    return np.stack([part.astype(float) for part in parts], axis=2), moves.price


def _offers(pays: Pays, pool: Ints, price_move: Ints) -> tuple[Ints, Ints, Ints, int]:
    """Merged offer of each raw one, first raw one of each, room row of each, number of rooms.

    Offers merge when their pools are alike and sell the same set of offers; a pool with more than
    two offers stays by itself.
    """

    def terms(o: int) -> tuple[Hashable, ...]:
        cost = pays.cost_usd[o].tobytes()
        return (float(pays.goodput[o]), bool(pays.interruptible[o]), cost, int(price_move[o]))

    at_pool: dict[int, list[int]] = {}
    for o, p in enumerate(pays.pool.tolist()):
        if pool[p] >= 0 and pays.run[o] < 0:
            at_pool.setdefault(p, []).append(o)
    offer = np.full(len(pays.pool), -1, dtype=np.int64)
    sites: dict[Hashable, list[int]] = {}
    first: list[int] = []
    site: list[int] = []
    rooms = 0
    for p, mine in at_pool.items():
        mine = sorted(mine, key=terms)
        key: Hashable = (int(pool[p]), tuple(map(terms, mine)), p if len(mine) > 2 else -1)
        if key not in sites:
            sites[key] = list(range(len(first), len(first) + len(mine)))
            first.extend(mine)
            site.extend([rooms if len(mine) > 1 else -1] * len(mine))
            rooms += len(mine) > 1
        offer[mine] = sites[key]
    for o in np.flatnonzero((pays.run >= 0) & (pool[pays.pool] >= 0)).tolist():
        offer[o] = len(first)
        first.append(o)
        site.append(-1)
    as_ints = (np.array(x, dtype=np.int64) for x in (first, site))
    found, room_of = as_ints
    return offer, found, room_of, rooms
