"""A plan's tables: what is signed, kept, served, trained and paid, in the planner's words.

Every table is tidy, names things by their labels, and carries its units in the column names.
Together they hold the whole solution: the audit rebuilds every variable from them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.case import Case
from planner.case.calendar import SECONDS_PER_HOUR
from planner.instance import Instance
from planner.tables_options import option_table
from planner.tables_rules import rule_cash, rule_tables
from planner.values import Values, pool_use, working


def _pool_columns(inst: Instance, p: npt.NDArray[Any]) -> dict[str, list[str]]:
    """cloud, region, chip of pool positions."""
    parts = [inst.pools.names[i].split("/", 2) for i in p.tolist()]
    names = ("cloud", "region", "chip")
    return {name: [part[i] for part in parts] for i, name in enumerate(names)}


def _take(labels: tuple[str, ...], at: npt.NDArray[Any]) -> list[str]:
    return [labels[i] for i in at.tolist()]


def contracts_signed(case: Case, inst: Instance, values: Values) -> pd.DataFrame:
    """New lots: offer, pool, start, size, price, what they cost, and by when to sign."""
    st = inst.starts
    j = np.flatnonzero(values.lots > 0)
    calendar = case.calendar.extended(int(st.term_periods.max(initial=0)))
    start = st.period[j]
    lots = values.lots[j]
    sign_by = [
        calendar.starts[t] - timedelta(days=int(d))
        for t, d in zip(start.tolist(), st.sign_by_days[j].tolist(), strict=True)
    ]
    return pd.DataFrame(
        {
            "offer": _take(st.offer, j),
            **_pool_columns(inst, st.pool[j]),
            "start": _take(inst.time.periods, start),
            "sign_by": sign_by,
            "end": [calendar.starts[t] for t in (start + st.term_periods[j]).tolist()],
            "lots": lots,
            "chips": lots * st.lot_chips[j],
            "price_usd_per_chip_hour": st.price_usd_per_chip_hour[j],
            "price_basis": _take(st.price_basis, j),
            "payments_in_horizon_usd": lots * st.payment_usd[j].sum(axis=1),
            "liability_past_horizon_usd": lots * st.liability_usd[j],
            "salvage_credit_usd": lots * st.credit_usd[j],
        }
    )


def contracts_existing(case: Case, inst: Instance, values: Values) -> pd.DataFrame:
    """Lines of contracts already signed: kept to the end, or left and when."""
    c = inst.contracts
    horizon = len(inst.time.periods)
    left = values.leave[c.line_contract]
    kept = np.arange(horizon)[None, :] < left[:, None]
    cancellable = (c.leave_from < np.minimum(c.leave_until, horizon))[c.line_contract]
    return pd.DataFrame(
        {
            "contract": [line.contract for line in case.contracts],
            **_pool_columns(inst, c.line_pool),
            "chips": c.chips.max(axis=1, initial=0.0),
            "decision": ["leave" if t < horizon else "keep" for t in left.tolist()],
            "left_from": [inst.time.periods[t] if t < horizon else "" for t in left.tolist()],
            "can_be_left": cancellable,
            "payments_in_horizon_usd": (c.payment_usd * kept).sum(axis=1),
            "payments_saved_usd": (c.payment_usd * ~kept).sum(axis=1),
            "exit_fee_usd": np.where(left < horizon, c.exit_fee_usd, 0.0),
        }
    )


def payments(inst: Instance, values: Values) -> dict[str, npt.NDArray[Any]]:
    """Cash of each kind by period, USD, not discounted [t]."""
    c, time = inst.contracts, inst.time
    horizon = len(time.periods)
    kept = np.arange(horizon)[None, :] < values.leave[c.line_contract][:, None]
    notice = np.arange(horizon)[None, :] >= c.leave_from[c.line_contract][:, None]
    paid = c.payment_usd * kept
    fees = np.zeros(horizon)
    for k, fee in zip(c.line_contract.tolist(), c.exit_fee_usd.tolist(), strict=True):
        if values.leave[k] < horizon:
            fees[values.leave[k]] += fee
    hours = time.slot_hours * inst.pay.billed_share
    hourly = np.einsum("vt,vts,ts->t", inst.pay.price_usd_per_chip_hour, values.hourly, hours)
    return {
        "existing_committed_usd": (paid * ~notice).sum(axis=0),
        "existing_cancellable_usd": (paid * notice).sum(axis=0),
        "exit_fees_usd": fees,
        "new_contracts_usd": values.lots @ inst.starts.payment_usd,
        "pay_as_you_go_usd": hourly,
        **rule_cash(inst, values),
    }


def obligations(case: Case, inst: Instance, values: Values) -> pd.DataFrame:
    """Cash by quarter: committed, cancellable with notice, new, by the hour, and of rules."""
    del case
    cash = payments(inst, values)
    frame = pd.DataFrame({"period": inst.time.periods, **cash})
    frame["total_usd"] = frame[list(cash)].sum(axis=1)
    return frame


def capacity(case: Case, inst: Instance, values: Values) -> pd.DataFrame:
    """Every pool and period: chips signed, new, allotted, by the hour, in use, and their power."""
    del case
    pools = inst.pools
    p, t = (axis.ravel() for axis in np.indices(values.contracted.shape))
    # Chips of new lots, from the lots themselves.
    new = np.zeros_like(values.contracted)
    lots = values.lots * inst.starts.lot_chips
    np.add.at(new, inst.starts.pool, lots[:, None] * inst.starts.active)
    hourly = np.zeros((*values.contracted.shape, len(inst.time.slices)))
    np.add.at(hourly, inst.pay.pool, values.hourly)
    use = pool_use(inst, values)
    share = inst.time.slice_hours / inst.time.slice_hours.sum()
    mean_use, mean_hourly = use @ share, hourly @ share
    there = working(inst, values)
    busy = np.divide(mean_use, there @ share, out=np.zeros_like(mean_use), where=mean_use > 0)
    frame = pd.DataFrame(
        {
            **_pool_columns(inst, p),
            "vendor": _take(pools.vendor, p),
            "period": _take(inst.time.periods, t),
            "contracted_chips": values.contracted[p, t],
            "new_chips": new[p, t],
            "supply_chips": pools.supply[p, t],
            "limit_chips": pools.limit[p, t],
            "hourly_chips_mean": mean_hourly[p, t],
            "hourly_chips_peak": hourly.max(axis=2)[p, t],
            "used_chips_mean": mean_use[p, t],
            "used_chips_peak": use.max(axis=2)[p, t],
            "utilisation": busy[p, t],
            "power_mw": (pools.kw[:, None] * (values.contracted + mean_hourly))[p, t] / 1e3,
        }
    )
    return frame[(frame.limit_chips > 0) | (frame.contracted_chips > 0)].reset_index(drop=True)


def pay_as_you_go(case: Case, inst: Instance, values: Values) -> pd.DataFrame:
    """Chips by the hour in each slice, and what they cost."""
    del case
    v, t, s = np.nonzero(values.hourly > 0)
    chips = values.hourly[v, t, s]
    hours = (inst.time.slot_hours * inst.pay.billed_share)[t, s]
    price = inst.pay.price_usd_per_chip_hour[v, t]
    return pd.DataFrame(
        {
            "offer": _take(inst.pay.offer, v),
            **_pool_columns(inst, inst.pay.pool[v]),
            "period": _take(inst.time.periods, t),
            "slice": _take(inst.time.slices, s),
            "chips": chips,
            "price_usd_per_chip_hour": price,
            "price_basis": _take(inst.pay.price_basis, v),
            "cost_usd": chips * hours * price,
        }
    )


def serving(case: Case, inst: Instance, values: Values) -> pd.DataFrame:
    """Serving flows: who is served where, with how many chips, at which rate and basis."""
    del case
    w, p, t, s = values.serve.at
    sv = inst.serving
    rate = sv.rate[w, p, t]
    return pd.DataFrame(
        {
            "workload": _take(sv.names, w),
            **_pool_columns(inst, p),
            "period": _take(inst.time.periods, t),
            "slice": _take(inst.time.slices, s),
            "chips": values.serve.chips,
            "requests_per_s": values.serve.chips * rate,
            "rate_requests_per_s_per_chip": rate,
            "rate_low": sv.rate_low[w, p, t],
            "rate_high": sv.rate_high[w, p, t],
            "rate_basis": sv.basis[w, p],
        }
    )


def unserved(case: Case, inst: Instance, values: Values) -> pd.DataFrame:
    """Demand that is not carried: peak of a slice, or weekly volume (slice `week`)."""
    del case
    sv, time = inst.serving, inst.time
    w, t, s = np.nonzero(values.unserved > 0)
    dw, dt = np.nonzero(values.shed > 0)
    rate = np.concatenate([values.unserved[w, t, s], values.shed[dw, dt]])
    wanted = np.concatenate([sv.peak[w, t, s], sv.peak[dw, dt, 0]])
    hours = np.concatenate([time.slot_hours[t, s], time.hours[dt]])
    every_w, every_t = np.concatenate([w, dw]), np.concatenate([t, dt])
    return pd.DataFrame(
        {
            "workload": _take(sv.names, every_w),
            "class": _take(sv.service_class, every_w),
            "period": _take(time.periods, every_t),
            "slice": [*_take(time.slices, s), *(["week"] * len(dw))],
            "requests_per_s": rate,
            "share_of_demand": rate / wanted,
            "penalty_usd": rate * hours * SECONDS_PER_HOUR * sv.penalty_usd[every_w],
        }
    )


def training(case: Case, inst: Instance, values: Values) -> pd.DataFrame:
    """Chips of every run by pool, period and slice, and the work they do."""
    del case
    tr, time = inst.training, inst.time
    q, p, t = np.nonzero(tr.column_use[values.place] > 0)
    column = values.place[q]
    slices = len(time.slices)
    r = np.concatenate([np.repeat(tr.column_run[column], slices), values.flex.at[0]])
    pool = np.concatenate([np.repeat(p, slices), values.flex.at[1]])
    period = np.concatenate([np.repeat(t, slices), values.flex.at[2]])
    slot = np.concatenate([np.tile(np.arange(slices), len(q)), values.flex.at[3]])
    placed = np.repeat(tr.column_use[column, p, t], slices)
    chips = np.concatenate([placed, values.flex.chips])
    standing = tr.standing[r]
    work = chips * tr.eflop_per_chip_hour[r, pool] * time.slot_hours[period, slot]
    held = chips * tr.peak_eflop_per_s[r, pool]
    return pd.DataFrame(
        {
            "run": _take(tr.names, r),
            **_pool_columns(inst, pool),
            "period": _take(time.periods, period),
            "slice": _take(time.slices, slot),
            "chips": chips,
            "work_eflop": np.where(standing, 0.0, work),
            "held_eflop_per_s": np.where(standing, held, 0.0),
        }
    )


def training_runs(case: Case, inst: Instance, values: Values) -> pd.DataFrame:
    """Each run: done or missed, and its placement when it cannot pause."""
    del case
    tr = inst.training
    placed = {int(tr.column_run[q]): tr.column_names[q] for q in values.place}
    return pd.DataFrame(
        {
            "run": tr.names,
            "kind": ["standing" if s else "run" for s in tr.standing],
            "can_pause": tr.can_pause,
            "missed_share": values.missed,
            "placement": [placed.get(r, "") for r in range(len(tr.names))],
            "missed_value_usd": values.missed * tr.value_usd,
        }
    )


def offers_not_used(case: Case, inst: Instance, values: Values) -> pd.DataFrame:
    """Term offers in pools where the plan signs nothing, with their price and first start.

    Options of signed contracts are no offers; they are in the table `options`.
    """
    del case
    st = inst.starts
    own = inst.options.of_start < 0
    frame = pd.DataFrame(
        {
            "offer": st.offer,
            **_pool_columns(inst, st.pool),
            "first_start": _take(inst.time.periods, st.period),
            "price_usd_per_chip_hour": st.price_usd_per_chip_hour,
            "most_lots": st.max_lots,
            "lots": values.lots,
        }
    )
    keys = ["offer", "cloud", "region", "chip"]
    grouped = frame[own].groupby(keys, sort=False, as_index=False)
    out = grouped.agg(
        first_start=("first_start", "first"),
        price_usd_per_chip_hour=("price_usd_per_chip_hour", "first"),
        most_lots=("most_lots", "max"),
        lots=("lots", "sum"),
    )
    return out[out.lots == 0].drop(columns="lots").reset_index(drop=True)


Table = Callable[[Case, Instance, Values], pd.DataFrame]

TABLES: dict[str, Table] = {
    "contracts_signed": contracts_signed,
    "contracts_existing": contracts_existing,
    "obligations": obligations,
    "capacity": capacity,
    "pay_as_you_go": pay_as_you_go,
    "serving": serving,
    "unserved": unserved,
    "training": training,
    "training_runs": training_runs,
    "offers_not_used": offers_not_used,
}
"""Name of a plan's table -> how it is made. `cost_by_period` and `duals` are added by the solve."""


def make_tables(case: Case, inst: Instance, values: Values) -> dict[str, pd.DataFrame]:
    """Every table of the registry."""
    every = {name: table(case, inst, values) for name, table in TABLES.items()}
    return {**every, **option_table(case, inst, values), **rule_tables(inst, values)}
