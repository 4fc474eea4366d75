"""Views of capacity: the fleet by chip and cloud, supply and demand, sites, serve/train/idle."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner.plan import Plan
from planner.views.known import known

NOISE_CHIPS = 1e-3
"""Fewer idle chips than this are rounding."""


def fleet(plan: Plan) -> pd.DataFrame:
    """Chips under contract and by the hour, by period, cloud and chip.

    Columns period, cloud, vendor, chip, chips, reference_chips, power_mw; means of the week.
    """
    k = known(plan)
    pools = k.inst.pools
    p, t = (axis.ravel() for axis in np.indices(k.values.contracted.shape))
    chips = (k.values.contracted + k.hourly_chips)[p, t]
    frame = pd.DataFrame(
        {
            "period": np.array(k.inst.time.periods)[t],
            "cloud": np.array(pools.cloud)[p],
            "vendor": np.array(pools.vendor)[p],
            "chip": np.array(pools.chip)[p],
            "chips": chips,
            "reference_chips": chips * pools.reference_chips[p],
            "power_mw": chips * pools.kw[p] / 1e3,
        }
    )
    keys = ["period", "cloud", "vendor", "chip"]
    out = frame.groupby(keys, sort=False, as_index=False).sum()
    held = out.groupby(["cloud", "chip"]).chips.transform("max") > 0
    return out[held].reset_index(drop=True)


def supply_and_demand(plan: Plan) -> pd.DataFrame:
    """By period, in reference chips and MW: what is allotted, and what serving and training need.

    allotted: chips that the pools may hold; serving: mean and peak demand over what one reference
    chip serves; training: chips that runs and standing loads take, mean of the week.
    """
    k = known(plan)
    pools, inst = k.inst.pools, k.inst
    allotted = np.maximum(pools.limit, k.values.contracted)
    flex = np.zeros_like(allotted)
    week = inst.time.slice_hours / inst.time.slice_hours.sum()
    _, p, t, s = k.values.flex.at
    np.add.at(flex, (p, t), k.values.flex.chips * week[s])
    training = flex + inst.training.column_use[k.values.place].sum(axis=0)
    rows = {str(row["period"]): row for row in plan.summary["plausibility"]}
    return pd.DataFrame(
        {
            "period": inst.time.periods,
            "allotted_reference_chips": pools.reference_chips @ allotted,
            "allotted_mw": pools.kw @ allotted / 1e3,
            "serving_mean_reference_chips": [
                rows[name]["mean_load_reference_chips"] for name in inst.time.periods
            ],
            "serving_peak_reference_chips": [
                rows[name]["peak_load_reference_chips"] for name in inst.time.periods
            ],
            "training_reference_chips": pools.reference_chips @ (training / pools.usable[:, None]),
        }
    )


def sites(plan: Plan) -> pd.DataFrame:
    """Chips and MW that arrive or leave, by cloud, region, chip and the day they do.

    Columns date, cloud, region, chip, change_chips, chips_then, change_mw, mw_then; contracts
    only, first day of the period in which the number changes.
    """
    k = known(plan)
    pools, calendar = k.inst.pools, plan.case.calendar
    held = k.values.contracted
    change = np.diff(held, axis=1, prepend=0.0)
    change[:, 0] = held[:, 0]
    t, p = np.nonzero(np.abs(change.T) > 0.5)
    kw = pools.kw[p] / 1e3
    return pd.DataFrame(
        {
            "date": [calendar.starts[i].isoformat() for i in t.tolist()],
            "cloud": np.array(pools.cloud)[p],
            "region": [pools.region[i].split("/", 1)[1] for i in p.tolist()],
            "chip": np.array(pools.chip)[p],
            "change_chips": change[p, t],
            "chips_then": held[p, t],
            "change_mw": change[p, t] * kw,
            "mw_then": held[p, t] * kw,
        }
    )


def use(plan: Plan) -> pd.DataFrame:
    """Working chips by cloud, chip and period that serve, train or are idle; means of the week.

    Columns cloud, chip, period, serve_chips, train_chips, idle_chips, idle_share.
    """
    k = known(plan)
    pools, inst = k.inst.pools, k.inst
    week = inst.time.slice_hours / inst.time.slice_hours.sum()
    serve = np.zeros_like(k.used_chips)
    _, p, t, s = k.values.serve.at
    np.add.at(serve, (p, t), k.values.serve.chips * week[s])
    spare = k.working_chips - k.used_chips
    p, t = (axis.ravel() for axis in np.indices(serve.shape))
    frame = pd.DataFrame(
        {
            "cloud": np.array(pools.cloud)[p],
            "chip": np.array(pools.chip)[p],
            "period": np.array(inst.time.periods)[t],
            "serve_chips": serve[p, t],
            "train_chips": np.maximum(0.0, k.used_chips - serve)[p, t],
            "idle_chips": np.where(spare > NOISE_CHIPS, spare, 0.0)[p, t],
        }
    )
    out = frame.groupby(["cloud", "chip", "period"], sort=False, as_index=False).sum()
    total = out.serve_chips + out.train_chips + out.idle_chips
    out["idle_share"] = out.idle_chips / total.where(total > 0)
    return out[total > 0].reset_index(drop=True)
