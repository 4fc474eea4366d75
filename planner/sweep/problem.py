"""A sweep's problem: the block of every period, and scenarios as right-hand sides."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planner.case import Case
from planner.errors import Fault, InputError
from planner.instance import Instance, build_instance
from planner.plan import Plan
from planner.sweep.block import Floats, Ints, Sides, jobs_of, pays_of
from planner.sweep.held import Held, held_of
from planner.sweep.labels import unknown_labels
from planner.sweep.merge import Merged, merge
from planner.sweep.moves import Moves, moves_of
from planner.sweep.spec import Spec


@dataclass(frozen=True)
class Period:
    """One period's block, and the linear map from multipliers to its right-hand sides.

    The features of a scenario are (z, 1, losses): the right-hand sides (demand, free, room, most)
    are `lift` times the first two, and the losses of placed runs come on top.
    """

    merged: Merged
    """The block of the period."""
    moves: Moves
    """What scenarios change in it."""
    working_base: Floats
    """Usable share [p] x chips kept [p]."""
    usable: Floats
    """Usable share [p]."""
    room_base: Floats
    """Pay-as-you-go chips beside the contracts [p]."""
    offered_base: Floats
    """Chips on offer [raw o]."""
    lift: Floats
    """Right-hand sides by multiplier and constant [m, u + 1]."""
    losses: Ints
    """Merged offers that are losses of placed runs [l]."""
    contract_usd: Floats
    """Contract cost by multiplier [u]."""
    band_low: tuple[Floats, ...] = ()
    """Low end of the rates over mid, by band factor [raw j, p]."""
    band_high: tuple[Floats, ...] = ()
    """High end over mid."""

    @property
    def general(self) -> bool:
        """Whether rates or prices of pay as you go move."""
        m = self.moves
        return bool(m.rate.any() or m.price.any() or m.bands)

    def sides(self, z: Floats) -> Sides:
        """Right-hand sides of scenarios with multipliers z [n, u]."""
        m, moves = self.merged, self.moves
        working = self.working(z)
        room = self.room_base * z[:, moves.pay]
        offered = self.offered_base * z[:, moves.pay[m.pays.pool]]
        return m.sides(m.jobs.demand * z[:, moves.job], working, room, offered)

    def working(self, z: Floats) -> Floats:
        """Working chips under contract [n, p]."""
        return np.stack([self.working_at(z, p) for p in range(len(self.usable))], axis=1)

    def working_at(self, z: Floats, p: int) -> Floats:
        """Working chips under contract in pool p [n]."""
        moves = self.moves
        out: Floats = self.working_base[p] * z[:, moves.kept[p]]
        for c in np.flatnonzero(moves.new_pool == p).tolist():
            out = out + self.usable[p] * moves.new_chips[c] * z[:, moves.new[c]]
        return out

    def features(self, z: Floats) -> Floats:
        """(z, 1, losses) of each scenario [n, u + 1 + l], a column in one piece of memory."""
        size = z.shape[1]
        out = np.ones((size + 1 + len(self.losses), len(z)))
        out[:size] = z.T
        pays, of_raw = self.merged.pays, self.merged.offer
        # Each loss is an offer of its own: merged and raw go one to one.
        row = {int(o): size + 1 + i for i, o in enumerate(self.losses.tolist())}
        for p in np.unique(pays.pool[pays.run >= 0]).tolist():
            for o, lost in pays.lost(p, self.working_at(z, p)):
                if int(of_raw[o]) in row:
                    out[row[int(of_raw[o])]] = lost
        return out.T


@dataclass(frozen=True)
class Problem:
    """Everything that a sweep needs of a plan and a specification."""

    case: Case
    """Case of the plan."""
    inst: Instance
    """Its numbers on their axes."""
    held: Held
    """What the plan holds: contracts, placements, training."""
    spec: Spec
    """What is asked."""
    periods: tuple[Period, ...]
    """Blocks of the periods."""

    @property
    def slices(self) -> int:
        """Slices of the week."""
        return len(self.inst.time.slices)


def problem_of(plan: Plan, spec: Spec, inst: Instance | None = None) -> Problem:
    """The problem of a plan and a specification.

    Raises InputError for labels that the case does not have and factors that touch nothing, and
    RunFolderError when the plan's tables do not fit its case.
    """
    inst = build_instance(plan.case) if inst is None else inst
    held = held_of(plan, inst)
    periods = tuple(_period(plan.case, inst, held, spec, t) for t in range(len(inst.time.periods)))
    touched = frozenset().union(*(p.moves.touched for p in periods))
    faults = unknown_labels(plan.case, spec)
    told = {fault.column for fault in faults}
    faults += [
        Fault("spec", "touches nothing in this plan", None, place)
        for i, f in enumerate(spec.factor)
        if i not in touched and spec.untouched == "fault"
        if (place := f"factor '{f.name}'") not in told
    ]
    if faults:
        raise InputError(faults)
    return Problem(plan.case, inst, held, spec, periods)


def _period(case: Case, inst: Instance, held: Held, spec: Spec, t: int) -> Period:
    jobs, pays = jobs_of(inst, held, t), pays_of(inst, held, t)
    moves = moves_of(case, inst, held, spec, t, jobs, pays)
    new = held.new_chips(inst)[:, t]
    contracted = held.kept_chips[:, t] + new
    room = np.maximum(0.0, _allotted(inst, held, t) - contracted)
    is_offer = pays.offer >= 0
    offered = np.where(is_offer, inst.pay.max_chips[pays.offer, t], 0.0)
    usable = contracted > 0
    usable[pays.pool[is_offer & (np.minimum(offered, room[pays.pool]) > 0)]] = True
    merged = merge(t, jobs, pays, inst.time.slice_hours / 168.0, usable, moves)
    size = len(moves.multipliers.products)
    cost = np.zeros(size)
    np.add.at(cost, moves.payment, moves.payment_usd)
    cost[0] += held.contract_usd[t]
    out = Period(
        merged=merged,
        moves=moves,
        working_base=inst.pools.usable * held.kept_chips[:, t],
        usable=inst.pools.usable,
        room_base=room,
        offered_base=offered,
        lift=np.zeros((0, 0)),
        losses=np.unique(merged.offer[(pays.run >= 0) & (merged.offer >= 0)]),
        contract_usd=cost,
    )
    low, high = _bands(inst, merged, t)
    bands = len(moves.bands)
    return replace(out, lift=_lift(out, size), band_low=(low,) * bands, band_high=(high,) * bands)


def _allotted(inst: Instance, held: Held, t: int) -> Floats:
    """Most chips in a pool, with the renewals that the plan takes [p]."""
    pools, st = inst.pools, inst.starts
    renewed = np.zeros(len(pools.names))
    chips = held.lots * st.lot_chips * st.active[:, t] * inst.options.renews
    np.add.at(renewed, st.pool, chips)
    beyond, most = pools.limit[:, t] - pools.allotted[:, t], pools.renewable[:, t]
    kept = np.divide(beyond, most, out=np.zeros_like(most), where=most > 0)
    out: Floats = pools.allotted[:, t] + kept * renewed
    return out


def _bands(inst: Instance, merged: Merged, t: int) -> tuple[Floats, Floats]:
    """Ends of the rates' band over mid [raw j, p]; 1 for training and where there is no rate."""
    w = merged.jobs.workload
    out = []
    for ends in (inst.serving.rate_low, inst.serving.rate_high):
        mid = inst.serving.rate[w, :, t]
        ratio = np.divide(ends[w, :, t], mid, out=np.ones_like(mid), where=mid > 0)
        out.append(np.where((w >= 0)[:, None], ratio, 1.0))
    return out[0], out[1]


def _lift(period: Period, size: int) -> Floats:
    """Right-hand sides of unit vectors; losses are left out, they are features of their own."""
    z = np.concatenate([np.eye(size), np.zeros((1, size))])
    s = period.sides(z)
    most = s.most.copy()
    most[:, period.losses] = 0.0
    every = np.concatenate([s.demand, s.free, s.room, most], axis=1)
    constant = every[-1:]
    out: Floats = np.concatenate([every[:-1] - constant, constant]).T
    return out
