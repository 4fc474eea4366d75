"""Limits of the whole plan: shares, placement, power, budgets, and what chips are qualified for.

Rules that hold are stated as they are written; rules with a price add what goes beyond them.
"""

from __future__ import annotations

import numpy as np

from planner.audit.draft import Block, Draft, Floats, Ints
from planner.audit.quantities import (
    HOURS_OF_WEEK,
    chip_worth,
    hourly_usd,
    room,
    states_served,
    states_spend,
)
from planner.instance import Instance


def leaving_lines(d: Draft, inst: Instance) -> tuple[Ints, Ints, Ints]:
    """Lines that are paid in t unless left before, and the leaves that end them: (l, leave, t)."""
    leave, c = d.columns["leave"], inst.contracts
    same = c.line_contract[:, None] == leave["contract"][None, :]
    later = np.arange(len(inst.time.periods))[None, :] >= leave["period"][:, None]
    line, which, t = np.nonzero(same[:, :, None] & later[None] & (c.payment_usd != 0)[:, None, :])
    return line, which, t


def spend_accrued(d: Draft, inst: Instance) -> None:
    """Spend is what contracts, lots and hours of a pool cost in a period, however it is paid.

        spend[p,t] - sum_{j in p} accrued[j,t] * lots[j]
            + sum_{l in p, tau <= t} payment[l,t] * leave[k(l),tau]
            - sum_{v in p, s} hourly_usd[v,t,s] * hourly[v,t,s] = sum_{l in p} payment[l,t]

    for every pool and period, in USD, when any rule is stated in spend.
    """
    if not states_spend(inst):
        return
    spend, hourly = d.columns["spend"], d.columns["hourly"]
    starts, c = inst.starts, inst.contracts
    p, t = spend["pool"], spend["period"]
    signed = ((np.arange(len(inst.pools.names))[:, None] == c.line_pool) @ c.payment_usd)[p, t]
    rows = d.add_rows("spend_accrued", ("pool", "period"), (p, t), signed, signed)
    d.put(rows.positions, spend.positions, 1.0)
    j, t = np.nonzero(starts.accrued_usd)
    d.put(rows.at(starts.pool[j], t), d.columns["lots"].at(j), -starts.accrued_usd[j, t])
    line, which, t = leaving_lines(d, inst)
    at = rows.at(c.line_pool[line], t)
    d.put(at, d.columns["leave"].positions[which], c.payment_usd[line, t])
    v, t, s = hourly.index.T
    d.put(rows.at(inst.pay.pool[v], t), hourly.positions, -hourly_usd(inst)[v, t, s])


def served_work(d: Draft, inst: Instance) -> None:
    """What a pool serves in the mean of the week, in reference chips.

        168 * served[p,t]
            - sum_{w,s} slice_hours[s] * rate[w,p,t] / reference_rate[w] * serve[w,p,t,s] = 0

    for every pool and period, when any rule is stated in it.
    """
    if not states_served(inst):
        return
    served, serve = d.columns["served"], d.columns["serve"]
    cells = (served["pool"], served["period"])
    rows = d.add_rows("served_work", ("pool", "period"), cells, 0.0, 0.0)
    d.put(rows.positions, served.positions, HOURS_OF_WEEK)
    w, p, t, s = serve.index.T
    chips = inst.serving.rate[w, p, t] / inst.serving.reference_rate[w]
    d.put(rows.at(p, t), serve.positions, -inst.time.slice_hours[s] * chips)


def share_spend(d: Draft, inst: Instance) -> None:
    """A member has no more than its share of spend.

        sum_{p in member} spend[p,t] - bound[n] * sum_p spend[p,t] - over_share[n,t] <= 0

    for every share rule of spend and period in which it holds, in USD.
    """
    spend = d.columns["spend"]
    rows = _share_rows(d, inst, "spend")
    _shares(d, inst, rows, spend["pool"], spend["period"], spend.positions, 1.0)


def share_served(d: Draft, inst: Instance) -> None:
    """A member has no more than its share of what is served.

        sum_{p in member} served[p,t] - bound[n] * sum_p served[p,t] - over_share[n,t] <= 0

    for every share rule of served work and period in which it holds, in reference chips.
    """
    served = d.columns["served"]
    rows = _share_rows(d, inst, "served")
    _shares(d, inst, rows, served["pool"], served["period"], served.positions, 1.0)


def share_chips(d: Draft, inst: Instance) -> None:
    """A member has no more than its share of chips, contracted and by the hour.

        sum_{p in member} chips[p,t] - bound[n] * sum_p chips[p,t] - over_share[n,t] <= 0

    with chips[p,t] = worth[p] * (contracted[p,t] + sum_{v in p, s} slice_hours[s] / 168
    * hourly[v,t,s]), for every share rule of chips and period in which it holds, in reference
    chips.
    """
    rows = _share_rows(d, inst, "chips")
    worth = chip_worth(inst, "chips")
    _contracted_shares(d, inst, rows, worth)
    hourly = d.columns["hourly"]
    v, t, s = hourly.index.T
    p = inst.pay.pool[v]
    week = inst.time.slice_hours[s] / HOURS_OF_WEEK
    _shares(d, inst, rows, p, t, hourly.positions, worth[p] * week)


def share_training_peak(d: Draft, inst: Instance) -> None:
    """A member has no more than its share of contracted training peak.

        sum_{p in member} peak[p] * contracted[p,t] - bound[n] * sum_p peak[p] * contracted[p,t]
            - over_share[n,t] <= 0

    for every share rule of training peak and period in which it holds, in EFLOP/s.
    """
    rows = _share_rows(d, inst, "training_peak")
    _contracted_shares(d, inst, rows, chip_worth(inst, "training_peak"))


def _share_rows(d: Draft, inst: Instance, measure: str) -> Block:
    """Rows of the share rules of one measure, with what goes beyond the share."""
    rules, over = inst.rules.shares, d.columns["over_share"]
    such = np.array([name == measure for name in rules.measure], dtype=bool)
    n, t = np.nonzero(rules.active & such[:, None])
    rows = d.add_rows(f"share_{measure}", ("share rule", "period"), (n, t), upper=0.0)
    d.put(rows.find(over.index), over.positions, -1.0, some=True)
    return rows


def _contracted_shares(d: Draft, inst: Instance, rows: Block, worth: Floats) -> None:
    held = d.columns["contracted"]
    p = held["pool"]
    _shares(d, inst, rows, p, held["period"], held.positions, worth[p])


def _shares(
    d: Draft, inst: Instance, rows: Block, p: Ints, t: Ints, columns: Ints, value: Floats | float
) -> None:
    """Add to each rule: columns of its member once, and all columns less its bound of them."""
    rules = inst.rules.shares
    for n in np.unique(rows["share rule"]).tolist():
        at = rows.at(np.full(len(t), n), t)
        side = np.where(rules.member[n], 1.0 - rules.bound[n], -rules.bound[n])
        d.put(at, columns, side[p] * value, some=True)


def placement_share(d: Draft, inst: Instance) -> None:
    """A member that counts carries its share of the model's demand.

        sum_{w of model, p in i, s} slice_hours[s] * rate[w,p,t] * serve[w,p,t,s]
            - share[n] * demand[n,t] * carries[n,i,t] >= 0

    with demand[n,t] = sum_{w of model, s} slice_hours[s] * peak[w,t,s]; for every placement rule,
    member, and period in which the rule holds, in requests/s x hours of a week.
    """
    rules, carries, serve = inst.rules.placement, d.columns["carries"], d.columns["serve"]
    n, i, t = carries.index.T
    axes = ("placement rule", "member", "period")
    rows = d.add_rows("placement_share", axes, (n, i, t), lower=0.0)
    hours = inst.time.slice_hours
    demand = rules.workloads @ (inst.serving.peak @ hours)
    d.put(rows.positions, carries.positions, -rules.share[n] * demand[n, t])
    w, p, t, s = serve.index.T
    work = hours[s] * inst.serving.rate[w, p, t]
    for rule, members in enumerate(rules.member):
        for member, mask in enumerate(members):
            k = np.flatnonzero(rules.workloads[rule][w] & mask[p])
            at = rows.at(np.full(len(k), rule), np.full(len(k), member), t[k])
            d.put(at, serve.positions[k], work[k], some=True)


def placement_members_least(d: Draft, inst: Instance) -> None:
    """So many members carry a share: sum_i carries[n,i,t] >= count[n].

    For every placement rule and period in which it holds and the model has demand.
    """
    carries = d.columns["carries"]
    n, t = carries["placement rule"], carries["period"]
    keys = np.unique(np.stack((n, t), axis=1), axis=0)
    count = inst.rules.placement.count[keys[:, 0]]
    axes = ("placement rule", "period")
    rows = d.add_rows("placement_members_least", axes, (keys[:, 0], keys[:, 1]), lower=count)
    d.put(rows.at(n, t), carries.positions, 1.0)


def power(d: Draft, inst: Instance) -> None:
    """A region draws no more than its power.

        sum_{p in region} kw[p] / 1000 * (contracted[p,t] + sum_{v in p} hourly[v,t,s])
            - over_power[n,t] <= bound[n]

    for every power rule, period in which it holds and slice, in MW.
    """
    rules, pools = inst.rules.power, inst.pools
    held, hourly, over = d.columns["contracted"], d.columns["hourly"], d.columns["over_power"]
    n, t, s = d.each_slice(*np.nonzero(rules.active))
    axes = ("power rule", "period", "slice")
    rows = d.add_rows("power", axes, (n, t, s), upper=rules.bound_mw[n])
    row, p = np.nonzero(rules.member[n])
    d.put(rows.positions[row], held.at(p, t[row]), pools.kw[p] / 1000.0)
    v, when, slice_ = hourly.index.T
    at = inst.pay.pool[v]
    for rule, mask in enumerate(rules.member):
        k = np.flatnonzero(mask[at])
        where = rows.at(np.full(len(k), rule), when[k], slice_[k])
        d.put(where, hourly.positions[k], pools.kw[at[k]] / 1000.0, some=True)
    _beyond(d, rows, over)


def _beyond(d: Draft, rows: Block, over: Block) -> None:
    """Less what goes beyond the rule, in every row of a rule with a price."""
    at = over.find(rows.index[:, :2])
    some = at >= 0
    d.put(rows.positions[some], at[some], -1.0)


def budget(d: Draft, inst: Instance) -> None:
    """Cash out of a period stays within its budget.

        sum_j payment[j,t] * lots[j] + sum_{v,s} hourly_usd[v,t,s] * hourly[v,t,s]
            - sum_{l, tau <= t} payment[l,t] * leave[k(l),tau] + sum_l exit_fee[l] * leave[k(l),t]
            + sum_d (signing[d,t] + prepayment[d]) * sign[d,t] + sum_e cost[e] * qualify[e,t]
            - sum_{d, tau} prepayment[d] * sign[d,tau] (credited in t) + sum_c shortfall[c]
            (c ends in t) + sum_d deal_shortfall[d] (t the last) - sum_g discount[g]
            * tier_spend[g] (the year ends in t) - over_budget[n,t]
            <= bound[n] - sum_l payment[l,t]

    for every budget and period in which it holds, in USD of the period, not discounted.
    """
    rules, c, starts = inst.rules, inst.contracts, inst.starts
    n, t = np.nonzero(rules.budget.active)
    left = rules.budget.bound_usd[n] - c.payment_usd.sum(axis=0)[t]
    rows = d.add_rows("budget", ("budget", "period"), (n, t), upper=left)
    j, when = np.nonzero(starts.payment_usd)
    _cash(d, rows, when, d.columns["lots"].at(j), starts.payment_usd[j, when])
    v, when, s = d.columns["hourly"].index.T
    _cash(d, rows, when, d.columns["hourly"].positions, hourly_usd(inst)[v, when, s])
    line, which, when = leaving_lines(d, inst)
    leave = d.columns["leave"]
    _cash(d, rows, when, leave.positions[which], -c.payment_usd[line, when])
    of = leave["contract"][:, None] == c.line_contract[None, :]
    _cash(d, rows, leave["period"], leave.positions, of @ c.exit_fee_usd)
    deal, when = d.columns["sign"].index.T
    signing = rules.deals.signing_usd[deal, when] + rules.deals.prepayment_usd[deal]
    _cash(d, rows, when, d.columns["sign"].positions, signing)
    back = rules.deals.credited_in[deal, when]
    inside = back < len(inst.time.periods)
    credit = -rules.deals.prepayment_usd[deal[inside]]
    _cash(d, rows, back[inside], d.columns["sign"].positions[inside], credit)
    t = np.arange(len(inst.time.periods))
    short = d.columns["shortfall"]
    ends = (rules.commitments.window * t).max(axis=1, initial=0)[short["window"]]
    _cash(d, rows, ends, short.positions, np.ones(len(short)))
    short = d.columns["deal_shortfall"]
    _cash(d, rows, np.full(len(short), t[-1]), short.positions, np.ones(len(short)))
    part, tiers = d.columns["tier_spend"], rules.tiers
    ends = (tiers.window * t).max(axis=1, initial=0)[tiers.group[part["tier"]]]
    _cash(d, rows, ends, part.positions, -tiers.discount[part["tier"]])
    e, when = d.columns["qualify"].index.T
    cost = rules.qualification.cost_usd[e]
    _cash(d, rows, when, d.columns["qualify"].positions, cost)
    _beyond(d, rows, d.columns["over_budget"])


def _cash(d: Draft, rows: Block, when: Ints, columns: Ints, usd: Floats) -> None:
    """Payments of periods in every budget that holds then."""
    for n in np.unique(rows["budget"]).tolist():
        d.put(rows.at(np.full(len(when), n), when), columns, usd, some=True)


def qualify_once(d: Draft, _inst: Instance) -> None:
    """Work is done at most once: sum_t qualify[e,t] <= 1, for every row that can begin."""
    work = d.columns["qualify"]
    e = np.unique(work["qualification"])
    rows = d.add_rows("qualify_once", ("qualification",), (e,), upper=1.0)
    d.put(rows.at(work["qualification"]), work.positions, 1.0)


def qualified_serving(d: Draft, inst: Instance) -> None:
    """A generation is served on a chip only once that is qualified.

        sum_{w of generation} serve[w,p,t,s] - room[p,t] * sum_{tau <= t - lead} qualify[e,tau]
            <= 0

    for every row for serving that is not done, pool of its chip and period from the first that
    work can begin in where its generation can be served, and slice, in chips; room is all that
    the pool can hold.
    """
    q, serve = inst.rules.qualification, d.columns["serve"]
    w, p, t, s = serve.index.T
    now = t >= q.first
    e, k = np.nonzero(q.workloads[:, w] & q.pools[:, p] & ~q.training[:, None] & now)
    rows = _qualified(d, inst, "qualified_serving", e, p[k], t[k])
    d.put(rows.at(e, p[k], t[k], s[k]), serve.positions[k], 1.0)


def qualified_training(d: Draft, inst: Instance) -> None:
    """Training of a generation holds a chip only once that is qualified for it.

        sum_{r of generation} flex[r,p,t,s] + sum_{q of such r} use[q,p,t] * place[q]
            - room[p,t] * sum_{tau <= t - lead} qualify[e,tau] <= 0

    for every row for training that is not done, pool of its chip and period where a run of its
    generation (or of none that is stated) can be, and slice, in chips.
    """
    q, flex, use = inst.rules.qualification, d.columns["flex"], inst.training.column_use
    r, p, t, s = flex.index.T
    e, k = np.nonzero(q.pools[:, p] & q.runs[:, r] & (t >= q.first))
    of, at_p, at_t = np.nonzero(use > 0)
    trained = q.runs[:, inst.training.column_run[of]]
    placed, which = np.nonzero(q.pools[:, at_p] & trained & (at_t >= q.first))
    every = (
        np.concatenate((e, placed)),
        np.concatenate((p[k], at_p[which])),
        np.concatenate((t[k], at_t[which])),
    )
    rows = _qualified(d, inst, "qualified_training", *every)
    d.put(rows.at(e, p[k], t[k], s[k]), flex.positions[k], 1.0)
    e, run, at_p, at_t, slice_ = d.each_slice(placed, of[which], at_p[which], at_t[which])
    at = rows.at(e, at_p, at_t, slice_)
    d.put(at, d.columns["place"].at(run), use[run, at_p, at_t])


def _qualified(d: Draft, inst: Instance, name: str, e: Ints, p: Ints, t: Ints) -> Block:
    """Rows for each (row, pool, period) that is named, and slice, with what qualification opens.

    Pools that can hold no working chip need none: nothing can be on them.
    """
    q, work, space = inst.rules.qualification, d.columns["qualify"], room(inst)
    open_ = space[p, t] > 0
    keys = np.unique(np.stack((e, p, t), axis=1)[open_], axis=0)
    e, p, t, s = d.each_slice(*keys.T)
    axes = ("qualification", "pool", "period", "slice")
    rows = d.add_rows(name, axes, (e, p, t, s), upper=0.0)
    begun = work["period"] + q.lead_periods[work["qualification"]]
    same = e[:, None] == work["qualification"][None, :]
    row, k = np.nonzero(same & (begun[None, :] <= t[:, None]))
    d.put(rows.positions[row], work.positions[k], -space[p[row], t[row]])
    return rows


def engineers_limit(d: Draft, inst: Instance) -> None:
    """The work of a period takes no more engineers than there are.

        sum_e engineers[e] * sum_{tau: tau <= t < tau + max(lead, 1)} qualify[e,tau]
            <= most_engineers

    for every period in which work that takes engineers can go on, when there is a limit.
    """
    q, work = inst.rules.qualification, d.columns["qualify"]
    if not np.isfinite(q.most_engineers):
        return
    e, tau = work.index.T
    lasts = np.maximum(q.lead_periods[e], 1)
    t = np.arange(len(inst.time.periods))
    going = (t[:, None] >= tau[None, :]) & (t[:, None] < (tau + lasts)[None, :])
    when, k = np.nonzero(going & (q.engineers[e] > 0)[None, :])
    rows = d.add_rows("engineers_limit", ("period",), (np.unique(when),), upper=q.most_engineers)
    d.put(rows.at(when), work.positions[k], q.engineers[e[k]])
