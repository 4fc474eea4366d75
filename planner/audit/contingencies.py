"""Contingencies beside the matrix: saved flows, the cuts of a certificate, and rays.

On a large case redundancy is held by cuts. A cut is proven by its prices alone:

    sum_p price[p] * left[k,p,t,s]
        + sum_{e,p} gate_price[e,p] * room[p,t] * sum_{tau <= t - lead} qualify[e,tau]
        >= sum_w price[w] * share[k,w] * peak[w,t,s] / headroom[w]

holds for all plans that keep the promise when price[p], with gate_price[e,p] for a workload that
waits for the qualification e there, is at least failover_rate[w,p,t] * price[w] for each workload
that the pool may serve. The same sum, short for a plan, proves that the plan does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from planner.audit.draft import Bools, Draft, Floats, Ints
from planner.audit.folder_rules import positions
from planner.audit.quantities import room
from planner.audit.redundancy import reach, waiting
from planner.audit.report import FamilyCheck, Finding, Report
from planner.audit.values import MOST_FINDINGS, Labelled
from planner.errors import AuditError
from planner.instance import Instance

RELATIVE = 1e-5
"""Of a block's demand or a pool's chips: the tolerance of the routing, seen from its rows."""
ABSOLUTE = 1e-2
"""Chips or requests/s, for rows whose terms are all near 0."""


@dataclass(frozen=True, eq=False)
class Prices:
    """Prices by cut [c]."""

    at: Ints
    """Contingency, period and slice [c, 3]."""
    workload: Floats
    """Prices of workloads [c, w]."""
    pool: Floats
    """Prices of pools, at least what those of workloads that wait for nothing make them [c, p]."""
    gate: Floats
    """What qualifications of pools make up for [c, e, p]."""
    least: Floats
    """Right-hand side [c]."""


def promised(inst: Instance) -> tuple[Floats, Bools]:
    """What each block asks, requests/s [k, w, t, s], and who may serve whom [k, w, p, t]."""
    con, sv = inst.rules.contingencies, inst.serving
    can = reach(inst)
    some: Bools = np.any(can, axis=2)
    asked = np.einsum("kw,wts->kwts", con.share, sv.peak / sv.headroom[:, None, None])
    return np.where(some[..., None], asked, 0.0), can


def prices_of(inst: Instance, table: pd.DataFrame) -> Prices:
    """Read a table of prices; AuditError when it names what the case does not have."""
    cuts = table["cut"].to_numpy(np.int64)
    n = int(cuts.max()) + 1 if len(cuts) else 0
    k = positions(inst.rules.contingencies.names, table["contingency"].tolist(), "contingency")
    t = positions(inst.time.periods, table["period"].tolist(), "period")
    s = positions(inst.time.slices, table["slice"].tolist(), "slice")
    at = np.full((n, 3), -1, dtype=np.int64)
    at[cuts] = np.stack([k, t, s], axis=1).reshape(len(cuts), 3)
    price = table["price"].to_numpy(np.float64)
    if (at < 0).any() or (at[cuts] != np.stack([k, t, s], axis=1)).any():
        raise AuditError("certificate_cuts: a cut is missing or stands in more than one block")
    if not (np.isfinite(price) & (price >= 0.0)).all():
        raise AuditError("certificate_cuts: a price is negative or no number")
    names = table["workload"].astype(str).to_numpy()
    of_workload = names != ""
    workload = np.zeros((n, len(inst.serving.names)))
    w = positions(inst.serving.names, names[of_workload].tolist(), "workload")
    workload[cuts[of_workload], w] = price[of_workload]
    pool = np.full((n, len(inst.pools.names)), -1.0)
    named = table["pool"].astype(str).to_numpy()[~of_workload].tolist()
    pool[cuts[~of_workload], positions(inst.pools.names, named, "pool")] = price[~of_workload]
    asked, can = promised(inst)
    rate = inst.serving.rate_failover
    waits = waiting(inst)
    gate = np.zeros((n, waits.shape[0], pool.shape[1]))
    for c, (k_, t_, s_) in enumerate(at.tolist()):
        workload[c] *= asked[k_, :, t_, s_] > 0
        made = np.where(can[k_, :, :, t_], rate[:, :, t_], 0.0) * workload[c][:, None]
        wait = waits & (t_ >= inst.rules.qualification.first)
        free = np.where(wait.any(axis=0), 0.0, made).max(axis=0, initial=0.0)
        every = made.max(axis=0, initial=0.0)
        pool[c] = np.where(pool[c] < 0.0, every, np.maximum(pool[c], free))
        # A row about a pool that serves nobody would ask more than the promise does.
        pool[c] *= can[k_, :, :, t_].any(axis=0)
        behind = np.where(wait, made[None], 0.0).max(axis=1, initial=0.0)
        gate[c] = np.maximum(behind - pool[c], 0.0)
    least = np.einsum("cw,cw->c", workload, asked[at[:, 0], :, at[:, 1], at[:, 2]])
    return Prices(at, workload, pool, gate, least)


def cut_family(prices: Prices) -> Any:
    """A family that adds the cuts as rows to the audit's model."""

    def redundancy_cut(d: Draft, inst: Instance) -> None:
        """sum_p price[p] * left[k,p,t,s] + sum_{e,p} gate_price * room * done >= least, a cut."""
        tr, st, pay, con = inst.training, inst.starts, inst.pay, inst.rules.contingencies
        usable, n = inst.pools.usable, len(prices.least)
        space, lead = room(inst), inst.rules.qualification.lead_periods
        d.add_axis("cut", tuple(map(str, range(n))))
        rows = d.add_rows("redundancy_cut", ("cut",), (np.arange(n),), lower=prices.least)
        hourly, flex = d.columns["hourly"], d.columns["flex"]
        sure = np.flatnonzero(pay.guaranteed[hourly["hourly offer"]])
        held = np.flatnonzero(~tr.preemptible[flex["run"]]) if len(flex) else np.zeros(0, np.int64)
        stays = (tr.column_use > 0) & ~tr.preemptible[tr.column_run][:, None, None]
        age = np.arange(len(inst.time.periods))[None, :] - st.period[:, None]
        for c, (k, t, s) in enumerate(prices.at.tolist()):
            price = prices.pool[c]
            row = rows.at(np.array([c]))[0]

            def put(columns: Ints, value: Floats, row: int = int(row)) -> None:
                some = value != 0.0
                d.put(np.full(int(some.sum()), row), columns[some], value[some])

            p = np.flatnonzero(price)
            put(d.columns["contracted"].at(p, np.full(len(p), t)), price[p] * usable[p])
            v = sure[(hourly["period"][sure] == t) & (hourly["slice"][sure] == s)]
            offer = hourly["hourly offer"][v]
            put(hourly.positions[v], price[pay.pool[offer]] * pay.goodput[offer])
            work = d.columns["qualify"]
            done = work["period"] + lead[work["qualification"]] <= t
            opened = prices.gate[c] @ space[:, t]
            put(work.positions[done], opened[work["qualification"][done]])
            q, p = np.nonzero(stays[:, :, t])
            put(d.columns["place"].at(q), -price[p] * tr.column_use[q, p, t])
            f = held[(flex["period"][held] == t) & (flex["slice"][held] == s)]
            put(flex.positions[f], -price[flex["pool"][f]])
            if not con.outage[k]:
                recent = (age[:, t] >= 0) & (age[:, t] < con.stop_periods[k])
                recent &= con.lost[k][st.pool] & (st.active[:, t] > 0) & ~inst.options.renews
                j = np.flatnonzero(recent)
                lost = usable[st.pool[j]] * st.lot_chips[j] * st.active[j, t]
                put(d.columns["lots"].at(j), -price[st.pool[j]] * lost)

    return redundancy_cut


def left(inst: Instance, values: Mapping[str, Labelled]) -> Floats:
    """Working chips that each contingency leaves in the pools that stand [k, p, t, s]."""
    tr, st, pay, con = inst.training, inst.starts, inst.pay, inst.rules.contingencies
    usable, periods = inst.pools.usable, len(inst.time.periods)
    shape = (len(usable), periods, len(inst.time.slices))
    shared = np.zeros(shape)
    p, t = values["contracted"].index.T
    np.add.at(shared, (p, t), (usable[p] * values["contracted"].values)[:, None])
    v, t, s = values["hourly"].index.T
    sure = pay.guaranteed[v]
    chips = pay.goodput[v] * values["hourly"].values
    np.add.at(shared, (pay.pool[v[sure]], t[sure], s[sure]), chips[sure])
    for q in values["place"].index[:, 0].tolist():
        if not tr.preemptible[tr.column_run[q]]:
            shared -= tr.column_use[q][:, :, None]
    r, p, t, s = values["flex"].index.T
    held = ~tr.preemptible[r]
    np.subtract.at(shared, (p[held], t[held], s[held]), values["flex"].values[held])
    out = np.repeat(shared[None], len(con.names), axis=0)
    j, lots = values["lots"].index[:, 0], values["lots"].values
    age = np.arange(periods)[None, :] - st.period[j][:, None]
    arrived = (usable[st.pool[j]] * st.lot_chips[j] * lots)[:, None] * st.active[j]
    for k in np.flatnonzero(~con.outage).tolist():
        gone = (age >= 0) & (age < con.stop_periods[k]) & con.lost[k][st.pool[j]][:, None]
        gone &= ~inst.options.renews[j][:, None]
        np.subtract.at(out[k], st.pool[j], (arrived * gone)[:, :, None])
    return out


def opened(inst: Instance, values: Mapping[str, Labelled]) -> Floats:
    """Working chips that qualifications let work on [e, p, t]; none before they are done.

    What is not of the chip, or before work could begin, is not held back: room there is not used.
    """
    q = inst.rules.qualification
    done = np.zeros((len(q.names), len(inst.time.periods)))
    for (e, tau), value in zip(
        values["qualify"].index.tolist(), values["qualify"].values.tolist(), strict=True
    ):
        done[e, tau + int(q.lead_periods[e]) :] += value
    out: Floats = done[:, None, :] * room(inst)[None]
    return out


def check_contingencies(
    inst: Instance, values: Mapping[str, Labelled], rays: pd.DataFrame | None
) -> Report:
    """Each block is served by saved flows that fit into what is left; else a ray says how short.

    A block without enough flow is a finding in any case; a ray turns `not shown` into `proven`.
    """
    asked, can = promised(inst)
    names, time = inst.rules.contingencies.names, inst.time
    k, w, p, t, s = values["cover"].index.reshape(-1, 5).T
    chips = values["cover"].values
    allowed = can[k, w, p, t] & (chips >= 0.0)
    served = np.zeros_like(asked)
    np.add.at(
        served, (k, w, t, s), np.where(allowed, chips, 0.0) * inst.serving.rate_failover[w, p, t]
    )
    stands = left(inst, values)
    used = np.zeros_like(stands)
    np.add.at(used, (k, p, t, s), chips)
    serves: Bools = np.any(can, axis=1)
    lacking = asked - served - (ABSOLUTE + RELATIVE * asked)
    beyond = np.where(serves[..., None], used - stands, used) - (
        ABSOLUTE + RELATIVE * np.abs(stands)
    )
    bad = (lacking > 0).any(axis=1) | (beyond > 0).any(axis=1)
    space = opened(inst, values)
    for e, of in enumerate(waiting(inst)):
        held = of[w, p] & (t >= inst.rules.qualification.first)
        behind = np.zeros_like(stands)
        np.add.at(behind, (k[held], p[held], t[held], s[held]), chips[held])
        most = space[e][None, :, :, None]
        bad |= (behind > most + ABSOLUTE + RELATIVE * most).any(axis=1)
    strange = ~allowed
    findings = [
        Finding("contingencies", f"flow {i}", "a flow that can be", float(chips[i]), 0.0)
        for i in np.flatnonzero(strange)[:MOST_FINDINGS].tolist()
    ]
    proven = _proven(inst, stands, space, rays)
    worst = sorted(
        np.argwhere(bad).tolist(), key=lambda at: -proven.get((at[0], at[1], at[2]), 0.0)
    )
    for k_, t_, s_ in worst[:MOST_FINDINGS]:
        short = proven.get((k_, t_, s_))
        place = f"{names[k_]}, {time.periods[t_]}, {time.slices[s_]}"
        said = (
            "no flows that serve it" if short is None else f"short by a ray of {short:,.1f} chips"
        )
        findings.append(Finding("contingencies", place, "the promised share served", said, 0.0))
    owed = (asked > 0).any(axis=1)
    failed = int(bad.sum()) + int(strange.sum())
    family = FamilyCheck("contingencies", "blocks", int(owed.sum()), failed, float(failed), 0.0)
    return Report(tuple(findings), (family,))


def _proven(
    inst: Instance, stands: Floats, space: Floats, rays: pd.DataFrame | None
) -> dict[tuple[int, int, int], float]:
    """Blocks that rays prove short, and by how many chips (priced; the dearest pool counts 1)."""
    if rays is None or not len(rays):
        return {}
    prices = prices_of(inst, rays)
    out: dict[tuple[int, int, int], float] = {}
    for c, (k, t, s) in enumerate(prices.at.tolist()):
        through = float((prices.gate[c] * space[:, :, t]).sum())
        short = float(prices.least[c] - prices.pool[c] @ stands[k, :, t, s]) - through
        if short > 0.0:
            out[k, t, s] = short
    return out
