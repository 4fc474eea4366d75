"""The block: what is left of one period once contracts are fixed, as a linear program.

For one period, with jobs j (serving workloads and flexible training), groups g of pools that
are alike, pay-as-you-go offers o of a group g(o) and slices s:

    min  sum_{o,s} cost[o,s] hourly[o,s] + sum_{j,s} penalty[j,s] unserved[j,s]
         + sum_j penalty_week[j] shed[j]

    demand    sum_g rate[j,g] serve[j,g,s] + unserved[j,s] >= demand[j] * shape[j,s]   by slice
              sum_{g,s} share[s] rate[j,g] serve[j,g,s] + shed[j] >= demand[j]         by the week
    capacity  sum_j serve[j,g,s] <= free[g] + sum_{o of g} goodput[o] hourly[o,s]
    firm      sum_{firm j} serve[j,g,s] <= free[g] + sum_{firm o of g} goodput[o] hourly[o,s]
              where g has an interruptible offer
    room      sum_{o of l} hourly[o,s] <= room[l]          where several offers share a site l
    offer     hourly[o,s] <= most[o]
    cluster   sum_g serve[j,g,s] <= largest[j]             where a run has a largest cluster

everything >= 0. serve is in working chips, demand in requests/s or units of training work.
Everything can be unserved, so it always has a solution. Only demand, free, room and most (the
right-hand sides), cost and rate differ between scenarios.

Runs that cannot pause keep their chips: free is what they leave and may be negative. What a pool
then lacks is bought by the hour or lost: a loss is an offer of that pool at the run's worth, for
no more chips than are lacking, outside of `room`. Shares, tiers, commitments and
redundancy are waived: they are judged afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.case.calendar import SECONDS_PER_HOUR
from planner.instance import Instance
from planner.sweep.held import Held

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Block:
    """Coefficients of one period's program; right-hand sides are `Sides`."""

    period: int
    """Position of the period."""
    names: tuple[str, ...]
    """Job, the first of those that were merged [j]."""
    weekly: Bools
    """Wants its volume over the week, at whatever hour [j]."""
    firm: Bools
    """May not lean on interruptible chips [j]."""
    rate: Floats
    """Work of one working chip [j, g]; 0 = cannot."""
    shape: Floats
    """Share of `demand` that a slice wants [j, s]; 0 for weekly jobs."""
    penalty_usd: Floats
    """Price of one unit of demand unserved in a slice, whole period; weekly: in slice 0 [j, s]."""
    largest_chips: Floats
    """Largest cluster in a slice [j]; inf = no limit."""
    share: Floats
    """Share of the week's hours [s]."""
    group: Ints
    """Group of each offer [o]."""
    goodput: Floats
    """Working share of billed chips [o]."""
    interruptible: Bools
    """Whether the provider may take the chips back [o]."""
    cost_usd: Floats
    """One chip in a slice for the whole period [o, s]."""
    site: Ints
    """Room row of each offer; -1 where no other offer shares its room [o]."""
    rooms: int
    """Number of room rows."""
    lacking: Bools
    """Groups whose `free` can be negative: those with placed runs [g]."""

    @property
    def shape_jgos(self) -> tuple[int, int, int, int]:
        """Numbers of jobs, groups, offers and slices."""
        return (*self.rate.shape, len(self.group), len(self.share))

    @property
    def spot(self) -> Bools:
        """Groups with an interruptible offer: they have a firm row [g]."""
        out = np.zeros(self.rate.shape[1], dtype=bool)
        out[self.group[self.interruptible]] = True
        return out

    @property
    def wants(self) -> Floats:
        """Coefficient of a job's dual in each slice: 1, or the share of the week [j, s]."""
        one = np.ones(len(self.share))
        out: Floats = np.where(self.weekly[:, None], self.share, one)
        return out


@dataclass(frozen=True)
class Sides:
    """Right-hand sides of a block for scenarios [n]."""

    demand: Floats
    """Units of demand [n, j]."""
    free: Floats
    """Working chips under contract that placed runs leave; negative where some lack [n, g]."""
    room: Floats
    """Pay-as-you-go chips that fit beside the contracts at shared sites [n, l]."""
    most: Floats
    """Most pay-as-you-go chips [n, o]."""

    def __len__(self) -> int:
        return len(self.demand)

    def take(self, rows: npt.NDArray[np.int64] | slice) -> Sides:
        """Some of the scenarios."""
        return Sides(self.demand[rows], self.free[rows], self.room[rows], self.most[rows])


@dataclass(frozen=True)
class Jobs:
    """Jobs of one period before pools are merged."""

    names: tuple[str, ...]
    """Workload or run [j]."""
    workload: Ints
    """Workload, or -1 for training [j]."""
    run: Ints
    """Training run, or -1 for serving [j]."""
    service_class: tuple[str, ...]
    """Class of a workload, '' for training: what is unserved is told by class [j]."""
    weekly: Bools
    """Whether only the week counts [j]."""
    firm: Bools
    """Whether it may not be interrupted [j]."""
    rate: Floats
    """[j, p]"""
    demand: Floats
    """Requests/s by the week, or work of a run, in the case [j]."""
    shape: Floats
    """Demand of each slice by `demand`; 0 where only the week counts [j, s]."""
    penalty_usd: Floats
    """Present cost of leaving a unit of demand undone, USD [j, s]."""
    largest_chips: Floats
    """Most chips at once; inf = no limit [j]."""


def jobs_of(inst: Instance, held: Held, t: int) -> Jobs:
    """Serving workloads with demand in period t, and flexible runs that the plan works on.

    Chips that the plan has not qualified have rate 0. A serving job's demand is its weekly mean
    times headroom; shape carries the peak of the slice.
    """
    sv, tr, time = inst.serving, inst.training, inst.time
    slices = len(time.slices)
    mean = (sv.mean[:, t] @ time.slice_hours) / 168.0 * sv.headroom
    w = np.flatnonzero(mean > 0)
    seconds = SECONDS_PER_HOUR * time.slot_hours[t] * time.discount[t]
    peaked = ~sv.deferrable[w]
    week = np.zeros(slices)
    week[0] = 1.0
    serve_penalty = sv.penalty_usd[w, None] * np.where(
        peaked[:, None], seconds, seconds.sum() * week
    )
    # A deferrable class has no peak: peak[w,t,s] is its weekly mean with headroom.
    demand = np.where(peaked, mean[w], sv.peak[w, t, 0])
    serve_shape = np.where(peaked[:, None], sv.peak[w, t] / demand[:, None], 0.0)
    r = np.flatnonzero(held.work[:, t] > 0)
    steady = tr.standing[r] & ~tr.can_pause[r]
    run_penalty = held.work_value_usd[r, t][:, None] * np.where(
        steady[:, None], time.slice_hours / 168.0, week
    )
    run_rate = np.where(tr.standing[r, None], tr.peak_eflop_per_s[r], tr.eflop_per_chip_hour[r])
    run_rate = np.where(held.barred_training[r, :, t], 0.0, run_rate)
    serve_rate = np.where(held.barred_serving[w, :, t], 0.0, sv.rate[w, :, t])
    none_w, none_r = np.full(len(w), -1, np.int64), np.full(len(r), -1, np.int64)
    return Jobs(
        names=(*(sv.names[i] for i in w), *(tr.names[i] for i in r)),
        workload=np.concatenate([w, none_r]),
        run=np.concatenate([none_w, r]),
        service_class=(*(sv.service_class[i] for i in w), *("" for _ in r)),
        weekly=np.concatenate([~peaked, ~steady]),
        firm=np.concatenate([peaked, ~tr.preemptible[r]]),
        rate=np.concatenate([serve_rate, run_rate]),
        demand=np.concatenate([demand, held.work[r, t]]),
        shape=np.concatenate([serve_shape, np.repeat(steady[:, None] * 1.0, slices, axis=1)]),
        penalty_usd=np.concatenate([serve_penalty, run_penalty]),
        largest_chips=np.concatenate(
            [np.full(len(w), np.inf), np.where(tr.standing[r], np.inf, tr.max_chips[r])]
        ),
    )


@dataclass(frozen=True)
class Pays:
    """What adds chips in one period, before pools are merged: offers, then losses of runs."""

    offer: Ints
    """Offer of the instance, -1 for a loss [o]."""
    run: Ints
    """Training run that can lose chips, -1 for an offer [o]; in a pool by rising worth."""
    pool: Ints
    """Its pool [o]."""
    goodput: Floats
    """Part of a chip that works [o]."""
    interruptible: Bools
    """Whether it can be taken away [o]."""
    cost_usd: Floats
    """[o, s]"""
    placed_chips: Floats
    """Chips that the run has placed in the pool, 0 for an offer [o]."""

    def most(self, offered_chips: Floats, working_chips: Floats) -> Floats:
        """Limit of each entry, from chips on offer [n, o] and working chips [n, p]: [n, o].

        A pool that lacks chips for its placed runs loses those of the least worth first.
        """
        out = offered_chips.copy()
        for p in np.unique(self.pool[self.run >= 0]).tolist():
            for o, lost in self.lost(p, working_chips[:, p]):
                out[:, o] = lost
        return out

    def lost(self, pool: int, working_chips: Floats) -> Iterator[tuple[int, Floats]]:
        """Losses of a pool and their limits [n], from its working chips [n]."""
        mine = np.flatnonzero((self.run >= 0) & (self.pool == pool))
        load = self.placed_chips[mine]
        lacking = np.maximum(0.0, load.sum() - working_chips)
        before = np.cumsum(load) - load
        for o, first, most in zip(mine.tolist(), before.tolist(), load.tolist(), strict=True):
            yield o, np.clip(lacking - first, 0.0, most)


def pays_of(inst: Instance, held: Held, t: int) -> Pays:
    """Offers with chips in period t, discounted and billed for the mean of a slice; losses."""
    pay, time = inst.pay, inst.time
    o = np.flatnonzero(pay.max_chips[:, t] > 0)
    hours = time.slot_hours[t] * pay.billed_share[t] * time.discount[t]
    r, p = np.nonzero(held.placed_chips[:, :, t])
    order = np.argsort(held.placed_value_usd[r, t], kind="stable")
    r, p = r[order], p[order]
    worth = held.placed_value_usd[r, t][:, None] * time.slice_hours / 168.0
    none = np.full(len(r), -1, dtype=np.int64)
    return Pays(
        offer=np.concatenate([o, none]),
        run=np.concatenate([np.full(len(o), -1, dtype=np.int64), r]),
        pool=np.concatenate([pay.pool[o], p]),
        goodput=np.concatenate([pay.goodput[o], np.ones(len(r))]),
        interruptible=np.concatenate([pay.interruptible[o], np.zeros(len(r), dtype=bool)]),
        cost_usd=np.concatenate([pay.price_usd_per_chip_hour[o, t][:, None] * hours, worth]),
        placed_chips=np.concatenate([np.zeros(len(o)), held.placed_chips[r, p, t]]),
    )
