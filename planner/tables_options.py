"""Table of options in signed contracts: which are exercised, in how many lots, by when."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from planner.case import Case
from planner.instance import Instance
from planner.values import Values

COLUMNS = (
    "option", "contract", "cloud", "region", "chip", "kind", "decision", "start", "exercise_by",
    "lots", "chips", "price_usd_per_chip_hour", "price_basis", "payments_in_horizon_usd",
)  # fmt: skip


def option_table(case: Case, inst: Instance, values: Values) -> dict[str, pd.DataFrame]:
    """options: one row for each start that is exercised, or one for an option that is not.

    `exercise_by` is the last day on which to exercise it: that start's, or the last there is.
    decision: exercised, not_exercised, or out_of_reach when no lot can start in the horizon.
    """
    o_, st = inst.options, inst.starts
    if not o_.names:
        return {}
    day = case.calendar.starts
    rows = []
    for o in range(len(o_.names)):
        mine = np.flatnonzero(o_.of_start == o)
        taken = mine[values.lots[mine] > 0]
        decision = "exercised" if len(taken) else "not_exercised" if len(mine) else "out_of_reach"
        line = case.contracts[int(o_.line[o])]
        kind = "renewal" if o_.renewal[o] else "expansion"
        said = (o_.option[o], line.contract, line.cloud, line.region, line.chip, kind, decision)
        for j in taken.tolist() or mine[-1:].tolist() or [-1]:
            lots = int(values.lots[j]) if len(taken) else 0
            start = inst.time.periods[st.period[j]] if len(taken) else ""
            by = ""
            if j >= 0:
                by = str(day[int(st.period[j])] - timedelta(days=int(o_.notice_days[o])))
            rows.append((
                *said, start, by, lots, lots * float(o_.lot_chips[o]),
                float(o_.price_usd_per_chip_hour[o]), o_.price_basis[o],
                lots * float(st.payment_usd[j].sum()) if lots else 0.0,
            ))  # fmt: skip
    return {"options": pd.DataFrame(rows, columns=list(COLUMNS))}
