"""Views of money: idle commitments, exit exposure, burn-down, cost per token."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner.case.calendar import SECONDS_PER_HOUR
from planner.plan import Plan
from planner.views.known import Floats, known

NOISE = 1e-9
"""Idle shares below this are rounding."""


def idle_commitments(plan: Plan) -> pd.DataFrame:
    """Committed payments and the part of them that pays for idle chips, by period and cloud.

    idle = accrued contract payments of a pool x the idle share of its contracted working chips,
    mean over the slices; work goes to contracted chips first, then to those by the hour. USD, not
    discounted.
    """
    k = known(plan)
    pools = k.inst.pools
    firm = pools.usable[:, None] * k.values.contracted
    week = k.inst.time.slice_hours / k.inst.time.slice_hours.sum()
    working = np.minimum(k.used_by_slice, firm[:, :, None]) @ week
    busy = np.divide(working, firm, out=np.ones_like(firm), where=firm > 0)
    paid = k.spend_usd - k.hourly_usd
    idle = paid * np.where(busy > 1.0 - NOISE, 0.0, 1.0 - busy)
    p, t = (axis.ravel() for axis in np.indices(firm.shape))
    frame = pd.DataFrame(
        {
            "period": np.array(k.inst.time.periods)[t],
            "cloud": np.array(pools.cloud)[p],
            "committed_usd": paid[p, t],
            "idle_usd": idle[p, t],
        }
    )
    out = frame.groupby(["period", "cloud"], sort=False, as_index=False).sum()
    out = out[out.committed_usd > 0].reset_index(drop=True)
    out["idle_share"] = out.idle_usd / out.committed_usd
    return out


def exit_exposure(plan: Plan) -> pd.DataFrame:
    """What stopping today would still cost, by contract: payments that cannot be avoided and fees.

    Columns contract, cloud, status (existing, new or option), can_be_left_from, unavoidable_usd
    (payments within the horizon until it can be left, from the period of as_of on), exit_fee_usd,
    past_horizon_usd (present value), exposure_usd. A new contract is owed once it is signed.
    """
    k = known(plan)
    c, case = k.inst.contracts, plan.case
    periods = k.inst.time.periods
    today = sum(day <= case.settings.as_of for day in case.calendar.starts[:-1]) - 1
    rows = []
    for i, name in enumerate(c.names):
        lines = c.line_contract == i
        # One that ends before a notice would take effect cannot be left either.
        stuck = int(c.leave_from[i]) >= min(len(periods), int(c.leave_until[i]))
        leave = len(periods) if stuck else max(int(c.leave_from[i]), today)
        owed = float(c.payment_usd[lines, today:leave].sum())
        fee = 0.0 if stuck else float(c.exit_fee_usd[lines].sum())
        late = float(c.liability_usd[lines].sum()) if stuck else 0.0
        clouds = sorted({k.inst.pools.cloud[p] for p in c.line_pool[lines].tolist()})
        when = "" if stuck else periods[leave]
        rows.append((name, ", ".join(clouds), "existing", when, owed, fee, late))
    signed = plan.tables["contracts_signed"]
    options = {row.option for row in case.options}
    for (offer, cloud), lots in signed.groupby(["offer", "cloud"], sort=False):
        paid, late = lots.payments_in_horizon_usd.sum(), lots.liability_past_horizon_usd.sum()
        status = "option" if offer in options else "new"
        rows.append((str(offer), str(cloud), status, "", float(paid), 0.0, float(late)))
    out = pd.DataFrame(
        rows,
        columns=["contract", "cloud", "status", "can_be_left_from", "unavoidable_usd",
                 "exit_fee_usd", "past_horizon_usd"],
    )  # fmt: skip
    out["exposure_usd"] = out.unavoidable_usd + out.exit_fee_usd + out.past_horizon_usd
    return out


def burn_down(plan: Plan) -> pd.DataFrame:
    """Spend that counts towards each commitment window, period by period.

    Columns window, cloud, period, minimum_usd, carried_in_usd, counted_usd (in the period),
    cumulative_usd (carried in included), left_usd; empty without commitments.
    """
    k = known(plan)
    c_ = k.inst.rules.commitments
    clouds = np.array(k.inst.pools.cloud)
    carried = k.values.rules.get("carried", {})
    rows: list[tuple[object, ...]] = []
    for c, name in enumerate(c_.names):
        counts = {
            "all": k.spend_usd,
            "contracts": k.spend_usd - k.hourly_usd,
            "pay_as_you_go": k.hourly_usd,
        }[c_.counts[c]]
        into = 0.0
        if c_.previous[c] >= 0:
            into = float(c_.carry_share[c_.previous[c]]) * float(carried.get(c, 0.0))
        total, least = into, float(c_.minimum_usd[c])
        cloud = str(clouds[c_.member[c]][0]) if c_.member[c].any() else ""
        for t in np.flatnonzero(c_.window[c]).tolist():
            now = float(counts[c_.member[c], t].sum())
            total += now
            period = k.inst.time.periods[t]
            rows.append((name, cloud, period, least, into, now, total, max(0.0, least - total)))
    return pd.DataFrame(
        rows,
        columns=["window", "cloud", "period", "minimum_usd", "carried_in_usd", "counted_usd",
                 "cumulative_usd", "left_usd"],
    )  # fmt: skip


def _served_share(plan: Plan) -> Floats:
    """Share of demand that is carried, by workload and period [w, t]."""
    k = known(plan)
    sv, hours = k.inst.serving, k.inst.time.slot_hours
    lost = np.einsum("wts,ts->wt", k.values.unserved, hours)
    lost += k.values.shed * k.inst.time.hours
    wanted = np.einsum("wts,ts->wt", sv.peak, hours)
    out: Floats = 1.0 - np.divide(lost, wanted, out=np.zeros_like(lost), where=wanted > 0)
    return out


def cost_per_token(plan: Plan) -> pd.DataFrame:
    """What serving a model costs, by period: accrued payments over the tokens that it serves.

    A pool's accrued payments are spread over its working chips; those that serve the model are
    its own cost, and idle chips of the fleet are borne by all work in proportion to its own cost.
    Columns model, period, tokens_millions (computed: input not cached, and output), chips_usd,
    with_idle_usd, usd_per_million_tokens (with idle chips), usd_per_reference_chip_hour.
    """
    k = known(plan)
    sv, time = k.inst.serving, k.inst.time
    week = time.slice_hours / time.slice_hours.sum()
    each = np.divide(
        k.spend_usd, k.working_chips, out=np.zeros_like(k.spend_usd), where=k.working_chips > 0
    )
    w, p, t, s = k.values.serve.at
    chips = k.values.serve.chips * week[s]
    cost, work = (np.zeros((len(sv.names), len(time.periods))) for _ in range(2))
    np.add.at(cost, (w, t), chips * each[p, t])
    worth = sv.rate[w, p, t] / sv.reference_rate[w]
    np.add.at(work, (w, t), chips * worth * time.hours[t])
    used = (k.used_chips * each).sum(axis=0)
    spent = k.spend_usd.sum(axis=0)
    loaded = cost * np.divide(spent, used, out=np.ones_like(used), where=used > 0)
    per_s = sv.computed_tokens[:, None] * np.einsum("wts,s->wt", sv.mean, week)
    tokens = per_s * _served_share(plan) * time.hours * SECONDS_PER_HOUR / 1e6
    grid = np.indices(cost.shape)
    frame = pd.DataFrame(
        {
            "model": np.array(sv.model)[grid[0].ravel()],
            "period": np.array(time.periods)[grid[1].ravel()],
            "tokens_millions": tokens.ravel(),
            "chips_usd": cost.ravel(),
            "with_idle_usd": loaded.ravel(),
            "reference_chip_hours": work.ravel(),
        }
    )
    out = frame.groupby(["model", "period"], sort=False, as_index=False).sum()
    out = out[out.tokens_millions > 0].reset_index(drop=True)
    out["usd_per_million_tokens"] = out.with_idle_usd / out.tokens_millions
    hours = out.reference_chip_hours
    out["usd_per_reference_chip_hour"] = out.with_idle_usd / hours.where(hours > 0)
    return out.drop(columns="reference_chip_hours")
