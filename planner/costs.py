"""Cost terms by period, as present values; they add up to the terms of the objective."""

from __future__ import annotations

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
    }


def cost_table(inst: Instance, values: Values) -> pd.DataFrame:
    """Cost by term and period: columns term, period, present_value_usd."""
    periods = (*inst.time.periods, PAST_HORIZON)
    rows = [
        (term, period, float(usd))
        for term, amounts in by_period(inst, values).items()
        for period, usd in zip(periods, amounts, strict=True)
    ]
    return pd.DataFrame(rows, columns=["term", "period", "present_value_usd"])
