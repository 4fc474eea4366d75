"""A sweep's problem: the block of every period, and scenarios as right-hand sides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations

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
    """Pay-as-you-go chips beside the contracts, those of deals that may go left out [p]."""
    spare_chips: Floats
    """What the signing of deals adds to the room: as a rule less than 0 [spare]."""
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
        for part, chips in zip(moves.spare, self.spare_chips.tolist(), strict=True):
            room[:, part.pool] += chips * z[:, part.number]
        np.maximum(room, 0.0, out=room)
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
    beside = _allotted(inst, held, t) - contracted
    room, spare_chips = _room(inst, held, t, moves, beside)
    is_offer = pays.offer >= 0
    offered = np.zeros(len(is_offer))
    offered[is_offer] = inst.pay.max_chips[pays.offer[is_offer], t]
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
        spare_chips=spare_chips,
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


def _room(
    inst: Instance, held: Held, t: int, moves: Moves, beside: Floats
) -> tuple[Floats, Floats]:
    """Room without the lots of deals that may go [p], and what each `Spare` adds to it.

    With the deals U of a pool signed it is R(U) = max(0, beside + chips of the others), a
    multilinear function of whether each is signed, whose term for the deals T is
    sum_{U in T} (-1)^(|T| - |U|) R(U).
    """
    st = inst.starts
    chips: dict[tuple[int, str], float] = {}
    for j in np.flatnonzero(held.lots).tolist():
        if st.deal[j] and not inst.options.renews[j]:
            key = int(st.pool[j]), st.deal[j]
            lot = float(held.lots[j] * st.lot_chips[j] * st.active[j, t])
            chips[key] = chips.get(key, 0.0) + lot
    going: dict[int, set[str]] = {}
    for part in moves.spare:
        going.setdefault(part.pool, set()).update(part.deals)

    def room(p: int, signed: Iterable[str]) -> float:
        gone = going.get(p, set()) - set(signed)
        return max(0.0, float(beside[p]) + sum(chips.get((p, deal), 0.0) for deal in gone))

    adds = [
        sum(
            (-1.0) ** (len(part.deals) - size) * room(part.pool, signed)
            for size in range(len(part.deals) + 1)
            for signed in combinations(part.deals, size)
        )
        for part in moves.spare
    ]
    return np.array([room(p, ()) for p in range(len(beside))]), np.array(adds)


def _bands(inst: Instance, merged: Merged, t: int) -> tuple[Floats, Floats]:
    """Ends of the rates' band over mid [raw j, p]; 1 for training and where there is no rate."""
    serves = np.flatnonzero(merged.jobs.workload >= 0)
    w = merged.jobs.workload[serves]
    mid = inst.serving.rate[w, :, t]
    out = []
    for ends in (inst.serving.rate_low, inst.serving.rate_high):
        ratio = np.ones((len(merged.jobs.workload), mid.shape[1]))
        ratio[serves] = np.divide(ends[w, :, t], mid, out=np.ones_like(mid), where=mid > 0)
        out.append(ratio)
    return out[0], out[1]


def _lift(period: Period, size: int) -> Floats:
    """Right-hand sides of unit vectors; losses are left out, they are features of their own.

    What deals give back is no unit vector's: what is sold of a pool's room is the least of two,
    and moves with the deals as the room does (`_room`).
    """
    z = np.concatenate([np.eye(size), np.zeros((1, size))])
    whole = replace(period, spare_chips=np.zeros_like(period.spare_chips))
    every = _stacked(whole.sides(z), period.losses)
    out = np.concatenate([every[:-1] - every[-1:], every[-1:]])
    m, spare = period.merged, period.moves.spare
    for part in spare:
        signed = [some for n in range(len(part.deals) + 1) for some in combinations(part.deals, n)]
        room = np.zeros((len(signed), len(period.room_base)))
        for i, some in enumerate(signed):
            room[i, part.pool] = period.room_base[part.pool] + sum(
                chips
                for other, chips in zip(spare, period.spare_chips.tolist(), strict=True)
                if other.pool == part.pool and set(other.deals) <= set(some)
            )
        nothing = np.zeros_like(room)
        offered = np.where(m.pays.pool == part.pool, period.offered_base, 0.0)
        demand = np.zeros((len(signed), len(m.job)))
        sides = m.sides(demand, nothing, room, np.tile(offered, (len(signed), 1)))
        sign = [(-1.0) ** (len(part.deals) - len(some)) for some in signed]
        out[part.number] += np.array(sign) @ _stacked(sides, period.losses)
    turned: Floats = out.T
    return turned


def _stacked(sides: Sides, losses: Ints) -> Floats:
    """Right-hand sides side by side, without the losses."""
    most = sides.most.copy()
    most[:, losses] = 0.0
    return np.concatenate([sides.demand, sides.free, sides.room, most], axis=1)
