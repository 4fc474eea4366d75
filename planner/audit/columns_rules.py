"""The variables of rules: qualification, deals, commitments, tiers, amounts beyond a limit.

Each function adds one variable to the draft. All variables are at least 0. A rule with a price
may be exceeded; one without (an infinite price) is hard and has no variable.
"""

from __future__ import annotations

import numpy as np

from planner.audit.draft import Draft, Floats, Ints
from planner.audit.quantities import (
    chip_worth,
    hourly_usd,
    most_served,
    most_spend,
    states_served,
    states_spend,
)
from planner.instance import Instance
from planner.instance.rules import BudgetRules, PowerRules, ShareRules


def qualify(d: Draft, inst: Instance) -> None:
    """qualify[e,t]: 1 when the work of row e begins in period t, from the first one on."""
    q = inst.rules.qualification
    can = np.zeros((len(q.names), len(inst.time.periods)), dtype=bool)
    can[:, q.first :] = True
    d.add_columns("qualify", ("qualification", "period"), np.nonzero(can), 1.0, integer=True)


def spend(d: Draft, inst: Instance) -> None:
    """spend[p,t]: accrued payments of a pool, USD; 0 to all that can be spent in it.

    It stands only where a share rule, a commitment or a tier is stated in it.
    """
    p, t = _cells(inst, states_spend(inst))
    d.add_columns("spend", ("pool", "period"), (p, t), most_spend(inst)[p, t])


def served(d: Draft, inst: Instance) -> None:
    """served[p,t]: mean work of a pool over the week, reference chips; 0 to all of the peaks.

    It stands only where a share rule is stated in it.
    """
    p, t = _cells(inst, states_served(inst))
    d.add_columns("served", ("pool", "period"), (p, t), most_served(inst)[t])


def _cells(inst: Instance, some: bool) -> tuple[Ints, Ints]:
    """Every pool and period, or none."""
    shape = inst.pools.limit.shape
    p, t = np.nonzero(np.full(shape, some))
    return p, t


def over_share(d: Draft, inst: Instance) -> None:
    """over_share[n,t]: measure of a member beyond its share; 0 to all that it can have.

    spend: all that its pools can spend; served: the whole work for each of its pools; chips and
    training_peak: the worth of all its pools' contracted and hourly chips.
    """
    rules = inst.rules.shares
    n, t = np.nonzero(_priced(rules))
    pay = inst.pay
    in_pool = np.arange(len(inst.pools.names))[:, None] == pay.pool
    chips = inst.pools.limit + in_pool @ pay.max_chips
    most: dict[str, Floats] = {
        "spend": most_spend(inst),
        "served": np.broadcast_to(most_served(inst), chips.shape),
        "chips": chip_worth(inst, "chips")[:, None] * chips,
        "training_peak": chip_worth(inst, "training_peak")[:, None] * chips,
    }
    held = [mask @ most[name] for mask, name in zip(rules.member, rules.measure, strict=True)]
    upper = np.array(held).reshape(rules.active.shape)[n, t]
    d.add_columns("over_share", ("share rule", "period"), (n, t), upper)


def over_power(d: Draft, inst: Instance) -> None:
    """over_power[n,t]: MW of a region beyond its power; 0 to the draw of all its chips."""
    rules = inst.rules.power
    n, t = np.nonzero(_priced(rules))
    draw = inst.pools.limit * inst.pools.kw[:, None] / 1000.0
    upper = (rules.member @ draw)[n, t]
    d.add_columns("over_power", ("power rule", "period"), (n, t), upper)


def over_budget(d: Draft, inst: Instance) -> None:
    """over_budget[n,t]: USD beyond a budget; 0 to the cash of everything at once.

    sum_l (payment[l,t] + exit_fee[l]) + sum_j max_lots[j] * payment[j,t]
        + sum_{v,s} hourly_usd[v,t,s] * max_chips[v,t]
        + sum_d (signing[d,t] + prepayment[d] + minimum[d]) + sum_e cost[e] + sum_c minimum[c]
    """
    rules, c, starts = inst.rules, inst.contracts, inst.starts
    n, t = np.nonzero(_priced(rules.budget))
    hours = hourly_usd(inst).sum(axis=2) * inst.pay.max_chips
    deals = rules.deals.signing_usd.sum(axis=0) + rules.deals.prepayment_usd.sum()
    deals = deals + rules.deals.minimum_usd.sum() + rules.commitments.minimum_usd.sum()
    once = c.exit_fee_usd.sum() + rules.qualification.cost_usd.sum()
    cash = c.payment_usd.sum(axis=0) + starts.max_lots @ starts.payment_usd + hours.sum(axis=0)
    d.add_columns("over_budget", ("budget", "period"), (n, t), (cash + deals + once)[t])


def _priced(
    rules: ShareRules | PowerRules | BudgetRules,
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Where a rule holds and has a price [n, t]."""
    return rules.active & np.isfinite(rules.penalty_usd)[:, None]


def carries(d: Draft, inst: Instance) -> None:
    """carries[n,i,t]: 1 when member i carries its share of the model of placement rule n.

    For every member, in the periods in which the rule holds and its model has demand.
    """
    rules = inst.rules.placement
    members = np.array([len(names) for names in rules.member_names], dtype=np.int64)
    n, t = np.nonzero(rules.active & wanted(inst))
    each = members[n]
    i = np.concatenate([np.arange(size) for size in each] or [np.zeros(0, dtype=np.int64)])
    axes = ("placement rule", "member", "period")
    index = (np.repeat(n, each), i, np.repeat(t, each))
    d.add_columns("carries", axes, index, 1.0, integer=True)


def wanted(inst: Instance) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Where the model of a placement rule has demand [n, t]."""
    out: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = inst.rules.placement.workloads @ (
        inst.serving.peak > 0
    ).any(axis=2)
    return out


def sign(d: Draft, inst: Instance) -> None:
    """sign[d,t]: 1 when deal d is signed in period t, where it can be."""
    index = np.nonzero(inst.rules.deals.sign_in)
    d.add_columns("sign", ("deal", "period"), index, 1.0, integer=True)


def deal_shortfall(d: Draft, inst: Instance) -> None:
    """deal_shortfall[d]: minimum spend that is left unpaid, USD; 0 to the minimum.

    For deals with a minimum that are signed or can be.
    """
    deals = inst.rules.deals
    some = np.flatnonzero((deals.minimum_usd > 0) & (deals.open | deals.sign_in.any(axis=1)))
    d.add_columns("deal_shortfall", ("deal",), (some,), deals.minimum_usd[some])


def shortfall(d: Draft, inst: Instance) -> None:
    """shortfall[c]: what a window of a commitment leaves unspent, USD; 0 to its minimum."""
    c_ = inst.rules.commitments
    every = np.arange(len(c_.names))
    d.add_columns("shortfall", ("window",), (every,), c_.minimum_usd)


def carried(d: Draft, inst: Instance) -> None:
    """carried[c]: what the window before c spent beyond its minimum, USD.

    For windows that follow one whose excess is carried over; 0 to all that the cloud can be
    paid in the window before.
    """
    c_ = inst.rules.commitments
    c = following(inst)
    before = c_.previous[c]
    most = most_spend(inst)
    paid = np.einsum("cp,ct,pt->c", c_.member[before], c_.window[before], most)
    d.add_columns("carried", ("window",), (c,), paid)


def following(inst: Instance) -> Ints:
    """Windows into which the window before carries its excess."""
    c_ = inst.rules.commitments
    before = np.maximum(c_.previous, 0)
    share = c_.carry_share[before] if len(before) else np.zeros(0)
    return np.flatnonzero((c_.previous >= 0) & (share > 0))


def in_tier(d: Draft, inst: Instance) -> None:
    """in_tier[g]: 1 when the spend of the year falls into tier g."""
    every = np.arange(len(inst.rules.tiers.names))
    d.add_columns("in_tier", ("tier",), (every,), 1.0, integer=True)


def tier_spend(d: Draft, inst: Instance) -> None:
    """tier_spend[g]: spend of the year when it falls into tier g, USD; 0 to the tier's end."""
    every = np.arange(len(inst.rules.tiers.names))
    d.add_columns("tier_spend", ("tier",), (every,), tier_end(inst))


def tier_end(inst: Instance) -> Floats:
    """Where a tier ends: at the next one, or at all that the cloud can be paid in the year [g]."""
    g_ = inst.rules.tiers
    paid = np.einsum("kp,kt,pt->k", g_.member, g_.window, most_spend(inst))
    out: Floats = np.minimum(g_.to_usd, paid[g_.group])
    return out
