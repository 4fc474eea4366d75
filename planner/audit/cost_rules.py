"""Cost terms of rules: present values in USD at the start of the case.

A term that no decision of the case adds to is not among the terms.
"""

from __future__ import annotations

from planner.audit.draft import Draft
from planner.instance import Instance


def qualification(d: Draft, inst: Instance) -> None:
    """sum_{e,t} discount_start[t] * cost[e] * qualify[e,t]: work is paid when it begins."""
    work = d.columns["qualify"]
    e, t = work.index.T
    cost = inst.rules.qualification.cost_usd[e] * inst.time.discount_start[t]
    if len(work):
        d.add_cost("qualification", work.positions, cost)


def deals(d: Draft, inst: Instance) -> None:
    """Signing a deal, and what its minimum leaves unpaid, in the middle of the last period.

    sum_{d,t} present[d,t] * sign[d,t] + sum_d discount[last] * deal_shortfall[d]
    """
    sign, short = d.columns["sign"], d.columns["deal_shortfall"]
    deal, t = sign.index.T
    if len(sign):
        d.add_cost("deals", sign.positions, inst.rules.deals.present_usd[deal, t])
    if len(short):
        d.add_cost("deals", short.positions, inst.time.discount[-1])


def commitment_shortfall(d: Draft, inst: Instance) -> None:
    """sum_c discount[c] * shortfall[c]: take-or-pay, paid when the window ends."""
    short = d.columns["shortfall"]
    if len(short):
        discount = inst.rules.commitments.discount[short["window"]]
        d.add_cost("commitment_shortfall", short.positions, discount)


def tier_discounts(d: Draft, inst: Instance) -> None:
    """- sum_g present[group of g] * discount[g] * tier_spend[g]: paid back at the year's end."""
    g_, part = inst.rules.tiers, d.columns["tier_spend"]
    g = part["tier"]
    if len(part):
        d.add_cost("tier_discounts", part.positions, -g_.discount[g] * g_.present[g_.group[g]])


def exceeded_rules(d: Draft, inst: Instance) -> None:
    """sum_{n,t} discount[t] * penalty[n] * over[n,t], for shares, power and budgets alike."""
    rules, beta = inst.rules, inst.time.discount
    for name, penalty in (
        ("over_share", rules.shares.penalty_usd),
        ("over_power", rules.power.penalty_usd),
        ("over_budget", rules.budget.penalty_usd),
    ):
        over = d.columns[name]
        n, t = over.index.T
        if len(over):
            d.add_cost("exceeded_rules", over.positions, penalty[n] * beta[t])
