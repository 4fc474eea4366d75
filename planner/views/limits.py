"""Views of rules: each limit against what the plan takes of it, and the N-1 matrix."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner.plan import Plan
from planner.views.known import Floats, Known, known

ROUTED = 1e-5
"""Of what is promised: the tolerance with which the audit holds flows against promises."""
COLUMNS = ("rule", "measure", "period", "value", "limit", "unit")


def measures(k: Known) -> dict[str, Floats]:
    """What shares are taken of, by pool and period [p, t]; units as `planner.case.rules` has them.

    spend USD accrued; chips reference chips, contracted and by the hour; training_peak EFLOP/s
    contracted; served reference chips, mean of the week.
    """
    inst, values = k.inst, k.values
    pools, sv = inst.pools, inst.serving
    week = inst.time.slice_hours / inst.time.slice_hours.sum()
    w, p, t, s = values.serve.at
    served = np.zeros_like(k.spend_usd)
    worth = sv.rate[w, p, t] / sv.reference_rate[w]
    np.add.at(served, (p, t), values.serve.chips * worth * week[s])
    return {
        "spend": k.spend_usd,
        "chips": pools.reference_chips[:, None] * (values.contracted + k.hourly_chips),
        "training_peak": pools.training_eflop_per_s[:, None] * values.contracted,
        "served": served,
    }


def limits(plan: Plan) -> pd.DataFrame:
    """Every share, power and budget rule by period: its value and its limit.

    Power is that of the slice that draws most, in each of which the rule holds.

    Columns rule, measure, period, value, limit, unit (share, MW, USD). Without a share rule in
    the case, the shares of each cloud and vendor in spend and chips stand with a limit of NaN.
    """
    k = known(plan)
    inst, rows = k.inst, list[tuple[object, ...]]()
    of, rules, periods = measures(k), k.inst.rules, k.inst.time.periods

    def share(mask: Floats, amount: Floats, t: int) -> float:
        total = float(amount[:, t].sum())
        return float(amount[mask.astype(bool), t].sum()) / total if total > 0 else 0.0

    for n, name in enumerate(rules.shares.names):
        amount = of[rules.shares.measure[n]]
        for t in np.flatnonzero(rules.shares.active[n]).tolist():
            value = share(rules.shares.member[n], amount, t)
            rows.append((name, rules.shares.measure[n], periods[t], value,
                         float(rules.shares.bound[n]), "share"))  # fmt: skip
    if not rules.shares.names:
        for measure in ("spend", "chips"):
            for dimension in ("cloud", "vendor"):
                labels = np.array(getattr(inst.pools, dimension))
                for member in dict.fromkeys(labels.tolist()):
                    for t, period in enumerate(periods):
                        value = share(labels == member, of[measure], t)
                        rows.append((f"{dimension}: {member}", measure, period, value, np.nan,
                                     "share"))  # fmt: skip
    hourly = np.zeros((*k.values.contracted.shape, len(inst.time.slices)))
    np.add.at(hourly, inst.pay.pool, k.values.hourly)
    power = inst.pools.kw[:, None, None] * (k.values.contracted[:, :, None] + hourly) / 1e3
    for n, name in enumerate(rules.power.names):
        for t in np.flatnonzero(rules.power.active[n]).tolist():
            value = float(power[rules.power.member[n], t].sum(axis=0).max())
            rows.append((name, "power", periods[t], value, float(rules.power.bound_mw[n]), "MW"))
    cash = plan.tables["obligations"].set_index("period").total_usd
    for n, name in enumerate(rules.budget.names):
        for t in np.flatnonzero(rules.budget.active[n]).tolist():
            value = float(cash[periods[t]])
            rows.append((name, "budget", periods[t], value, float(rules.budget.bound_usd[n]),
                         "USD"))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def contingencies(plan: Plan) -> pd.DataFrame:
    """The N-1 table of the plan; empty for a case without contingencies.

    Columns contingency, class, promised_share, least_share_served, bound_to_lost_share; shares
    served are of the demand that the promise is of, without what is bound to the loss.
    """
    names = [
        "contingency", "class", "promised_share", "least_share_served", "bound_to_lost_share",
    ]  # fmt: skip
    table = plan.tables.get("contingencies")
    return pd.DataFrame({name: [] for name in names}) if table is None else table[names]


def falls_short(table: pd.DataFrame) -> pd.Series:
    """Rows of `contingencies` that serve less than is promised.

    Up to the tolerance that the audit holds flows with (`ROUTED`).
    """
    return table.least_share_served < table.promised_share * (1.0 - ROUTED)
