"""Hard limits that contracts already signed make impossible, found before anything is solved."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from planner.case import Case
from planner.case.tables import TABLE
from planner.errors import Fault
from planner.instance.axes import Bools, Contracts, Floats, Pools, Starts
from planner.instance.procurement import contracts_of, offers_of, startable
from planner.instance.rules import BudgetRules, PowerRules, Rules, ShareRules

FILE = TABLE["limits"].file


def impossible(case: Case, pools: Pools, starts: Starts, rules: Rules) -> list[Fault]:
    """A fault for each hard limit that cannot hold, in the first such period."""
    if not case.limits:
        return []
    c = contracts_of(case, {})
    return [
        *_shares(case, pools, starts, rules.shares, c),
        *_power(case, pools, rules.power, c),
        *_budgets(case, rules, c),
    ]


def _shares(
    case: Case, pools: Pools, starts: Starts, rules: ShareRules, c: Contracts
) -> Iterator[Fault]:
    """Hard shares that what is signed already breaks while no decision can change it.

    A fault names the first such period of a rule and member. Rules on what is served are left
    out: demand may stay unserved.
    """
    hard = np.isfinite(rules.penalty_usd)
    hard = ~hard & np.array([measure != "served" for measure in rules.measure], dtype=bool)
    if not (hard & (rules.bound < 1)).any():
        return
    periods = np.arange(len(case.calendar))
    lots, hours = np.zeros_like(pools.supply, dtype=bool), np.zeros_like(pools.supply, dtype=bool)
    np.logical_or.at(lots, starts.pool, starts.active > 0)
    can_leave = (c.leave_from < c.leave_until)[:, None] & (periods >= c.leave_from[:, None])
    np.logical_or.at(lots, c.line_pool, can_leave[c.line_contract])
    for p, rows in offers_of(case).items():
        for offer in rows:
            if not offer.term_months and offer.max_chips != 0 and offer.max_supply_share != 0:
                open_in = startable(case, offer)
                hours[p, open_in] |= pools.supply[p, open_in] > 0
    spend = np.zeros_like(pools.supply)
    np.add.at(spend, c.line_pool, c.payment_usd)
    ones = np.ones_like(pools.usable)
    measures = {
        "spend": (spend, ones, lots | hours),
        "chips": (pools.existing, pools.reference_chips, lots | hours),
        "training_peak": (pools.existing, pools.training_eflop_per_s, lots),
    }
    for n in np.flatnonzero(hard).tolist():
        amount, weight, reach = measures[rules.measure[n]]
        amount = amount * weight[:, None]
        whole, part = amount.sum(axis=0), amount[rules.member[n]].sum(axis=0)
        fixed = rules.active[n] & ~reach[weight > 0].any(axis=0)
        broken = fixed & (part > rules.bound[n] * whole * (1 + 1e-9))
        for t in np.flatnonzero(broken)[:1].tolist():
            rule = (
                f"rule '{rules.names[n]}' cannot hold in {case.calendar.labels[t]}, which no "
                f"decision can reach: signed contracts make its share of {rules.measure[n]} "
                f"{part[t] / whole[t]:.4g}, the bound is {rules.bound[n]:g}"
            )
            yield Fault(FILE, rule, None, "bound")


def _leavable(c: Contracts, horizon: int) -> Bools:
    """Whether each line can have been left by the period, leaving in it included [l, t]."""
    t = np.arange(horizon)[None, :]
    can: Bools = (c.leave_from < c.leave_until)[:, None] & (t >= c.leave_from[:, None])
    return np.asarray(can[c.line_contract], dtype=bool)


def _power(case: Case, pools: Pools, rules: PowerRules, c: Contracts) -> Iterator[Fault]:
    """Hard power below what contracts draw that cannot be left by then."""
    firm = np.zeros(pools.supply.shape)
    np.add.at(firm, c.line_pool, c.chips * ~_leavable(c, len(case.calendar)))
    draw = rules.member @ (firm * pools.kw[:, None] / 1e3)
    for n, t in _first(rules, draw, rules.bound_mw):
        what = f"draw {draw[n, t]:.6g} MW then, the bound is {rules.bound_mw[n]:g}"
        yield _fault(case, rules, n, t, what)


def _budgets(case: Case, rules: Rules, c: Contracts) -> Iterator[Fault]:
    """Hard budgets below what contracts are paid that cannot be left by then.

    In the period in which a contract can first be left it costs its payment or its exit fee.
    Periods in which a rebate or a prepayment may come back are left out.
    """
    budget, horizon = rules.budget, len(case.calendar)
    paid = np.where(_leavable(c, horizon), 0.0, c.payment_usd).sum(axis=0)
    for k in np.flatnonzero(c.leave_from < c.leave_until).tolist():
        t, mine = int(c.leave_from[k]), c.line_contract == k
        paid[t] += min(float(c.payment_usd[mine, t].sum()), float(c.exit_fee_usd[mine].sum()))
    least = np.repeat(paid[None, :], len(budget.names), axis=0)
    for window in rules.tiers.window:
        least[:, np.flatnonzero(window).max()] = 0.0
    back = rules.deals.credited_in[rules.deals.sign_in]
    least[:, back[back < horizon]] = 0.0
    for n, t in _first(budget, least, budget.bound_usd):
        what = f"are paid {least[n, t]:.6g} USD then, the bound is {budget.bound_usd[n]:g}"
        yield _fault(case, budget, n, t, what)


def _first(
    rules: PowerRules | BudgetRules, least: Floats, bound: Floats
) -> Iterator[tuple[int, int]]:
    """Each hard rule with the first period in which the least there can be is above its bound."""
    hard = ~np.isfinite(rules.penalty_usd)[:, None] & rules.active
    broken = hard & (least > bound[:, None] * (1 + 1e-9))
    for n in np.flatnonzero(broken.any(axis=1)).tolist():
        yield n, int(np.argmax(broken[n]))


def _fault(case: Case, rules: PowerRules | BudgetRules, n: int, t: int, what: str) -> Fault:
    """The fault, naming the row by its rule, member and first period."""
    labels = case.calendar.labels
    begins = int(np.argmax(rules.active[n]))
    row = f"rule '{rules.names[n]}'" + (f" from {labels[begins]}" if begins else "")
    text = f"{row} cannot hold in {labels[t]}: contracts that cannot be left {what}"
    return Fault(FILE, text, None, "bound")
