"""What a plan holds in each period: chips, placed training, work of flexible runs.

Read from the plan's tables, on the axes of the instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.errors import RunFolderError
from planner.instance import Instance
from planner.plan import Plan

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Held:
    """Contracts and training of a plan; axes as in `planner.instance.axes`."""

    kept_chips: Floats
    """Chips of contracts that were signed before and are kept [p, t]."""
    lots: Ints
    """New lots [j]."""
    placed_chips: Floats
    """Usable chips that runs which cannot pause take [r, p, t]."""
    work: Floats
    """Work per hour that flexible runs do [r, t]: EFLOP/h (runs) or EFLOP/s held (standing)."""
    work_value_usd: Floats
    """Worth of one unit of `work` for the whole period, discounted [r, t]."""
    placed_value_usd: Floats
    """Worth of one placed chip for the whole period, discounted [r, t]."""
    contract_usd: Floats
    """Payments of kept contracts, without new lots, discounted [t]."""
    barred_serving: Bools
    """Where a chip is not qualified for the workload's generation [w, p, t]."""
    barred_training: Bools
    """Where a chip is not qualified for the run [r, p, t]."""
    deal_usd: Floats
    """What a deal costs beside the payments of its lots, discounted [d, t]: signing and
    prepayment when signed; in the last period its shortfall, and liability less salvage of its
    lots."""
    fixed_usd: float
    """Costs that no scenario moves: past the horizon, fees, rules, runs not done at all."""

    def new_chips(self, inst: Instance) -> Floats:
        """Chips of new lots [p, t]."""
        out = np.zeros((len(inst.pools.names), len(inst.time.periods)))
        chips = self.lots * inst.starts.lot_chips
        np.add.at(out, inst.starts.pool, chips[:, None] * inst.starts.active)
        return out


def positions(labels: Sequence[str], names: Sequence[str], what: str) -> Ints:
    """Position of each name among the labels. Raises RunFolderError for one that is not there."""
    at = {label: i for i, label in enumerate(labels)}
    try:
        return np.array([at[str(name)] for name in names], dtype=np.int64)
    except KeyError as error:
        raise RunFolderError(f"the plan's tables name no {what} of its case: {error}") from error


def pool_names(table: pd.DataFrame) -> list[str]:
    """`cloud/region/chip` of each row."""
    parts = zip(table.cloud, table.region, table.chip, strict=True)
    return ["/".join(part) for part in parts]


def held_of(plan: Plan, inst: Instance) -> Held:
    """Read a plan. Raises RunFolderError when a table does not fit the case."""
    time, st, c, tables = inst.time, inst.starts, inst.contracts, plan.tables
    signed = tables["contracts_signed"]
    names = zip(signed.offer, pool_names(signed), signed.start, strict=True)
    lots = np.zeros(len(st.names), dtype=np.int64)
    at = positions(st.names, [f"{o}: {p} @ {t}" for o, p, t in names], "start")
    lots[at] = signed.lots.to_numpy(np.int64)
    horizon = len(time.periods)
    existing = tables["contracts_existing"]
    left = np.full(len(c.line_names), horizon, dtype=np.int64)
    leaving = (existing.decision == "leave").to_numpy()
    left[leaving] = positions(time.periods, existing.left_from[leaving].tolist(), "period")
    kept = np.arange(horizon)[None, :] < left[:, None]
    chips = np.zeros((len(inst.pools.names), horizon))
    np.add.at(chips, c.line_pool, c.chips * kept)
    placed, placed_value = _placed(plan, inst)
    work, work_value = _flexible(plan, inst)
    serving, training = _barred(plan, inst)
    moved = {"existing_contracts", "new_contracts", "pay_as_you_go", "unserved_demand",
             "missed_training"}  # fmt: skip
    cost = plan.summary["cost_usd"]
    deal_usd = _deals(plan, inst, lots)
    return Held(
        kept_chips=chips,
        lots=lots,
        placed_chips=placed,
        work=work,
        work_value_usd=work_value,
        placed_value_usd=placed_value,
        contract_usd=(c.payment_usd * kept).sum(axis=0) * time.discount,
        barred_serving=serving,
        barred_training=training,
        deal_usd=deal_usd,
        fixed_usd=sum(float(usd) for term, usd in cost.items() if term not in moved)
        + _not_done(plan, inst)
        - float(deal_usd.sum()),
    )


def _deals(plan: Plan, inst: Instance, lots: Ints) -> Floats:
    """What goes with each deal beside the payments of its lots, discounted [d, t]."""
    d_, st, time = inst.rules.deals, inst.starts, inst.time
    out = np.zeros((len(d_.names), len(time.periods)))
    if not d_.names:
        return out
    made = plan.tables["deals"]
    d = positions(d_.names, made.deal.tolist(), "deal")
    signed = (made.decision == "signed").to_numpy()
    t = positions(time.periods, made.signed_in[signed].tolist(), "period")
    out[d[signed], t] += d_.present_usd[d[signed], t]
    out[d, -1] += time.discount[-1] * made.shortfall_usd.to_numpy(np.float64)
    mine = np.flatnonzero(d_.of_start >= 0)
    past = lots[mine] * (st.liability_usd - st.credit_usd)[mine]
    np.add.at(out[:, -1], d_.of_start[mine], past)
    return out


def _barred(plan: Plan, inst: Instance) -> tuple[Bools, Bools]:
    """Use that waits for a qualification which the plan has not made, serving and training."""
    q, horizon = inst.rules.qualification, len(inst.time.periods)
    pools = len(inst.pools.names)
    serving = np.zeros((len(inst.serving.names), pools, horizon), dtype=bool)
    training = np.zeros((len(inst.training.names), pools, horizon), dtype=bool)
    if not q.names:
        return serving, training
    made = plan.tables["qualification"]
    names = zip(made.chip, made.generation, made.purpose, strict=True)
    begun = positions(q.names, [f"{c} for {g}, {p}" for c, g, p in names], "qualification")
    usable = np.full(len(q.names), horizon)
    usable[begun] = positions(inst.time.periods, made.begins.tolist(), "period")
    usable[begun] += q.lead_periods[begun]
    period = np.arange(horizon)
    for e in range(len(q.names)):
        waits = (period >= q.first) & (period < usable[e])
        for barred, who in ((serving, q.workloads[e]), (training, q.runs[e])):
            barred |= who[:, None, None] & q.pools[e][None, :, None] & waits
    return serving, training


def _missed(plan: Plan, inst: Instance) -> Floats:
    runs = plan.tables["training_runs"]
    out = np.zeros(len(inst.training.names))
    out[positions(inst.training.names, runs.run.tolist(), "run")] = runs.missed_share
    return out


def _not_done(plan: Plan, inst: Instance) -> float:
    """Worth of runs with a volume that the plan does not do; standing loads stay decisions."""
    tr = inst.training
    return float((tr.value_usd * _missed(plan, inst))[~tr.standing].sum())


def _placed(plan: Plan, inst: Instance) -> tuple[Floats, Floats]:
    """Chips of placed runs [r, p, t] and the worth of one of them for a period [r, t]."""
    tr, hours = inst.training, inst.time.hours
    chips = np.zeros((len(tr.names), len(inst.pools.names), len(hours)))
    runs = plan.tables["training_runs"]
    taken = [name for name in runs.placement.astype(str).tolist() if name]
    for q in positions(tr.column_names, taken, "placement").tolist():
        chips[tr.column_run[q]] += tr.column_use[q]
    chip_hours = np.einsum("rpt,t->r", chips, hours)
    per_hour = np.divide(
        tr.value_usd, chip_hours, out=np.zeros(len(tr.names)), where=chip_hours > 0
    )
    return chips, per_hour[:, None] * hours[None, :]


def _flexible(plan: Plan, inst: Instance) -> tuple[Floats, Floats]:
    """Work per hour of flexible runs [r, t] and the worth of one unit for the period [r, t].

    A standing load wants all that it holds, in each period of its window, at its value shared
    over the window. A run that can pause wants what the plan does in the period, scaled down to
    its volume where the plan does more, at its value over its volume.
    """
    tr, time = inst.training, inst.time
    shape = (len(tr.names), len(time.periods))
    used = plan.tables["training"]
    r = positions(tr.names, used.run.tolist(), "run")
    p = positions(inst.pools.names, pool_names(used), "pool")
    t = positions(time.periods, used.period.tolist(), "period")
    s = positions(time.slices, used["slice"].tolist(), "slice")
    done = np.zeros(shape)
    eflop = used.chips.to_numpy(np.float64) * tr.eflop_per_chip_hour[r, p] * time.slot_hours[t, s]
    np.add.at(done, (r, t), eflop)
    paused = tr.can_pause & ~tr.standing
    wanted = tr.work_eflop * (1.0 - _missed(plan, inst))
    total = done.sum(axis=1)
    scale = np.divide(wanted, total, out=np.ones(len(total)), where=total > wanted)
    runs = np.where(paused[:, None], done * scale[:, None] / time.hours, 0.0)
    worth = np.divide(tr.value_usd, tr.work_eflop, out=np.zeros(len(total)), where=paused)
    value = worth[:, None] * time.hours[None, :]
    span = np.maximum(tr.window.sum(axis=1), 1)
    held = np.where(tr.standing, tr.held_eflop_per_s, 0.0)
    each = np.divide(tr.value_usd / span, held, out=np.zeros(len(total)), where=held > 0)
    standing = tr.standing[:, None]
    work = np.where(standing, held[:, None] * tr.window, runs)
    return work, np.where(standing, np.broadcast_to(each[:, None], shape), value)
