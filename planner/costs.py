"""Cost terms by period, as present values; they add up to the terms of the objective."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.case.calendar import SECONDS_PER_HOUR
from planner.instance import Instance
from planner.values import Values

Floats = npt.NDArray[np.float64]
PAST_HORIZON = "past horizon"
"""Period label of what falls due after the horizon."""


def by_period(inst: Instance, values: Values) -> dict[str, Floats]:
    """Cost term -> USD, discounted, in each period and (last entry) past the horizon [t + 1]."""
    c, st, pay, sv, tr, time = (
        inst.contracts, inst.starts, inst.pay, inst.serving, inst.training, inst.time,
    )  # fmt: skip
    horizon = len(time.periods)
    left = values.leave[c.line_contract]
    kept = np.arange(horizon)[None, :] < left[:, None]
    fees = np.zeros(horizon + 1)
    np.add.at(fees, left, c.exit_fee_usd * (left < horizon))
    fees[:horizon] *= time.discount_start
    slot = time.slot_hours * time.discount[:, None]
    hourly = np.einsum(
        "vt,vts,ts->t", pay.price_usd_per_chip_hour, values.hourly, slot * pay.billed_share
    )
    lost = np.einsum("w,wts,ts->t", sv.penalty_usd, values.unserved, slot)
    lost += np.einsum("w,wt,t->t", sv.penalty_usd, values.shed, time.hours * time.discount)
    last = np.array([np.flatnonzero(row).max() for row in tr.window], dtype=np.int64)
    missed = np.zeros(horizon)
    np.add.at(missed, last, tr.value_usd * values.missed)
    stays = left >= horizon

    def inside(amount: Floats) -> Floats:
        return np.append(amount, 0.0)

    def after(amount: float) -> Floats:
        return np.append(np.zeros(horizon), amount)

    return {
        "existing_contracts": inside((c.payment_usd * kept).sum(axis=0) * time.discount),
        "exit_fees": fees,
        "new_contracts": inside(values.lots @ st.present_usd),
        "pay_as_you_go": inside(hourly),
        "liability_past_horizon": after(
            float(values.lots @ st.liability_usd + c.liability_usd @ stays)
        ),
        "salvage_past_horizon": after(-float(values.lots @ st.credit_usd + c.credit_usd @ stays)),
        "unserved_demand": inside(lost * SECONDS_PER_HOUR),
        "missed_training": inside(missed),
        **_rule_costs(inst, values),
    }


def _rule_costs(inst: Instance, values: Values) -> dict[str, Floats]:
    """Terms of the rules; a term that the case has no rule for is left out."""
    rules, time = inst.rules, inst.time
    horizon = len(time.periods)

    def spread(parts: Iterable[tuple[int, float]]) -> Floats:
        out = np.zeros(horizon + 1)
        for t, usd in parts:
            out[t] += usd
        return out

    def some(component: str) -> Mapping[Any, float]:
        return values.rules.get(component, {})

    q, d_, c_, g_ = rules.qualification, rules.deals, rules.commitments, rules.tiers
    out = {}
    if q.names:
        begins = time.discount_start
        paid = ((t, q.cost_usd[e] * begins[t] * x) for (e, t), x in some("qualify").items())
        out["qualification"] = spread(paid)
    if (d_.sign_in.any() or (d_.open & (d_.minimum_usd > 0)).any()) and d_.names:
        signed = [(t, float(d_.present_usd[d, t]) * x) for (d, t), x in some("sign").items()]
        last = float(time.discount[-1])
        short = [(horizon - 1, last * x) for x in some("deal_shortfall").values()]
        out["deals"] = spread([*signed, *short])
    if c_.names:
        ends = [int(np.flatnonzero(window).max()) for window in c_.window]
        out["commitment_shortfall"] = spread(
            (ends[c], float(c_.discount[c]) * x) for c, x in some("shortfall").items()
        )
    if g_.names:
        years = [int(np.flatnonzero(window).max(initial=0)) for window in g_.window]
        out["tier_discounts"] = spread(
            (years[k], -float(g_.discount[g] * g_.present[k]) * x)
            for g, x in some("tier_spend").items()
            for k in (int(g_.group[g]),)
        )
    priced = [
        (some(name), rule.penalty_usd)
        for name, rule in (
            ("over_share", rules.shares),
            ("over_power", rules.power),
            ("over_budget", rules.budget),
        )
        if (np.isfinite(rule.penalty_usd)[:, None] & rule.active).any()
    ]
    if priced:
        out["exceeded_rules"] = spread(
            (t, float(price[n] * time.discount[t]) * x)
            for over, price in priced
            for (n, t), x in over.items()
        )
    return out


def cost_table(inst: Instance, values: Values) -> pd.DataFrame:
    """Cost by term and period: columns term, period, present_value_usd."""
    periods = (*inst.time.periods, PAST_HORIZON)
    rows = [
        (term, period, float(usd))
        for term, amounts in by_period(inst, values).items()
        for period, usd in zip(periods, amounts, strict=True)
    ]
    return pd.DataFrame(rows, columns=["term", "period", "present_value_usd"])
