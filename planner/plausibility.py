"""Figures to hold a plan against the world: spend, power, load, fleet and tokens by period."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.instance import Instance
from planner.provenance import shares
from planner.tables import payments
from planner.values import Values

HOURS_PER_YEAR = 8766.0
HOURS_PER_MONTH = HOURS_PER_YEAR / 12


def plausibility(inst: Instance, values: Values) -> list[dict[str, Any]]:
    """One record a period.

    spend is cash, not discounted; power is all-in, of contracted and hourly chips; load and
    fleet are in reference chips (`reference_chip` of the case): mean and peak demand over what
    one reference chip serves, and the fleet's serving worth.
    """
    time, pools, sv = inst.time, inst.pools, inst.serving
    cash = np.sum(list(payments(inst, values).values()), axis=0)
    share = time.slice_hours / time.slice_hours.sum()
    hourly = np.zeros((len(pools.names), len(time.periods)))
    np.add.at(hourly, inst.pay.pool, values.hourly @ share)
    chips = values.contracted + hourly
    gw = pools.kw @ chips / 1e6
    spend = cash / time.hours * HOURS_PER_YEAR
    load = sv.reference_load
    mean = np.einsum("wts,s->t", load, share)
    worst = np.einsum("wts,w->ts", sv.peak, sv.reference_chips_per_rate).max(axis=1)
    fleet = pools.reference_chips @ chips
    tokens = np.einsum("w,wts,s->t", sv.total_tokens, sv.mean, share) * 3600 * HOURS_PER_MONTH
    return [
        {
            "period": period,
            "spend_busd_per_year": float(spend[t] / 1e9),
            "power_gw": float(gw[t]),
            "busd_per_gw_year": float(spend[t] / 1e9 / gw[t]) if gw[t] else None,
            "mean_load_reference_chips": float(mean[t]),
            "peak_load_reference_chips": float(worst[t]),
            "fleet_reference_chips": float(fleet[t]),
            "tokens_demanded_per_month": float(tokens[t]),
        }
        for t, period in enumerate(time.periods)
    ]


def rests_on(inst: Instance, values: Values) -> dict[str, Any]:
    """What the plan's numbers rest on.

    served_demand: share of served work (reference chips x hours) by the basis of its rate;
    spend: share of new spend by the basis of its price; leans_most_on: the chip family whose
    rates are not measured or calibrated and that serves the largest share, with that share.
    """
    sv, time = inst.serving, inst.time
    w, p, t, s = values.serve.at
    rate = sv.rate[w, p, t]
    work = values.serve.chips * rate / sv.reference_rate[w] * time.slot_hours[t, s]
    by_basis: dict[str, float] = {}
    by_chip: dict[str, float] = {}
    basis = sv.basis[w, p]
    for name in np.unique(basis):
        by_basis[str(name)] = float(work[basis == name].sum())
    unmeasured = ~np.isin(basis, ["measured", "calibrated"])
    chip = np.array(inst.pools.chip)[p]
    for name in np.unique(chip[unmeasured]):
        by_chip[str(name)] = float(work[unmeasured & (chip == name)].sum())
    spend: dict[str, float] = {}
    paid = values.lots * inst.starts.payment_usd.sum(axis=1)
    for name, usd in zip(inst.starts.price_basis, paid.tolist(), strict=True):
        spend[name] = spend.get(name, 0.0) + usd
    hours = time.slot_hours * inst.pay.billed_share
    hourly = np.einsum("vt,vts,ts->v", inst.pay.price_usd_per_chip_hour, values.hourly, hours)
    for name, usd in zip(inst.pay.price_basis, hourly.tolist(), strict=True):
        spend[name] = spend.get(name, 0.0) + usd
    tr = inst.training
    trained = {inst.pools.chip[i] for i in np.unique(values.flex.at[1])}
    taken = tr.column_use[values.place].sum(axis=(0, 2))
    trained |= {inst.pools.chip[i] for i in np.flatnonzero(taken)}
    leans = max(by_chip, key=lambda name: by_chip[name], default=None)
    total = float(work.sum())
    return {
        "served_demand": shares(by_basis),
        "spend": shares({name: usd for name, usd in spend.items() if usd > 0}),
        "training_mfu": {
            name: {
                "mfu": tr.mfu[name].mid,
                "provenance": tr.mfu[name].provenance,
                "includes_goodput": tr.mfu[name].includes_goodput,
            }
            for name in sorted(trained)
        },
        "leans_most_on": None
        if leans is None
        else {"chip": leans, "share_of_served_demand": by_chip[leans] / total},
    }


def unserved_by_class(inst: Instance, values: Values) -> dict[str, dict[str, float]]:
    """Class -> share of its demand not carried (peak-weighted) and requests a horizon."""
    sv, time = inst.serving, inst.time
    out = {}
    names = np.array(sv.service_class)
    for name in dict.fromkeys(sv.service_class):
        rows = names == name
        lost = np.einsum("wts,ts->", values.unserved[rows], time.slot_hours)
        lost += np.einsum("wt,t->", values.shed[rows], time.hours)
        wanted = np.einsum("wts,ts->", sv.peak[rows], time.slot_hours)
        out[name] = {
            "share": float(lost / wanted) if wanted else 0.0,
            "requests": float(lost * 3600.0),
        }
    return out
