"""Tables of what a plan decides about rules; a case without a rule has no table for it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.instance import Instance
from planner.instance.reach import plain_peak, promisable, survivors
from planner.values import Values


def rule_tables(inst: Instance, values: Values) -> dict[str, pd.DataFrame]:
    """qualification, deals, rules, commitments and tiers, those that the case has rules for."""
    rules = inst.rules
    out = {}
    if rules.qualification.names:
        out["qualification"] = _qualification(inst, values)
    if rules.deals.names:
        out["deals"] = _deals(inst, values)
    if any(r.names for r in (rules.shares, rules.power, rules.budget, rules.placement)):
        out["rules"] = _rules(inst, values)
    if rules.commitments.names:
        out["commitments"] = _commitments(inst, values)
    if rules.tiers.names:
        out["tiers"] = _tiers(inst, values)
    if rules.contingencies.names:
        out["contingency_flows"] = _contingency_flows(inst, values)
        out["contingencies"] = _contingencies(inst, values)
    return out


def rule_cash(inst: Instance, values: Values) -> dict[str, npt.NDArray[np.float64]]:
    """Cash of rules by period, USD, not discounted [t]; what comes back is below 0.

    qualification when the work begins; deals: signing and prepayment less its credit, and the
    minimum left unpaid in the last period; shortfalls of commitments in the last period of their
    window; rebates of tiers in the last period of their year. A kind without rules is left out.
    """
    rules, horizon = inst.rules, len(inst.time.periods)
    q, d_, c_, g_ = rules.qualification, rules.deals, rules.commitments, rules.tiers
    out: dict[str, npt.NDArray[np.float64]] = {}

    def pay(kind: str, t: int, usd: float) -> None:
        if t < horizon:
            out[kind][t] += usd

    if q.names:
        out["qualification_usd"] = np.zeros(horizon)
        for (e, t), x in values.rules["qualify"].items():
            pay("qualification_usd", t, float(q.cost_usd[e]) * x)
    if d_.names:
        out["deals_usd"] = np.zeros(horizon)
        for (d, t), x in values.rules["sign"].items():
            ahead = float(d_.prepayment_usd[d])
            pay("deals_usd", t, (float(d_.signing_usd[d, t]) + ahead) * x)
            pay("deals_usd", int(d_.credited_in[d, t]), -ahead * x)
        for x in values.rules["deal_shortfall"].values():
            pay("deals_usd", horizon - 1, x)
    if c_.names:
        out["shortfalls_usd"] = np.zeros(horizon)
        for c, x in values.rules["shortfall"].items():
            pay("shortfalls_usd", int(np.flatnonzero(c_.window[c]).max()), x)
    if g_.names:
        out["rebates_usd"] = np.zeros(horizon)
        for g, x in values.rules["tier_spend"].items():
            last = int(np.flatnonzero(g_.window[int(g_.group[g])]).max())
            pay("rebates_usd", last, -float(g_.discount[g]) * x)
    return out


def _qualification(inst: Instance, values: Values) -> pd.DataFrame:
    """Work that begins: chip, generation, purpose, when, for how much, with whom, usable when."""
    q, periods = inst.rules.qualification, inst.time.periods
    rows = []
    for (e, t), x in values.rules["qualify"].items():
        if x < 0.5:
            continue
        chip, rest = q.names[e].split(" for ", 1)
        generation, purpose = rest.rsplit(", ", 1)
        ready = t + int(q.lead_periods[e])
        usable = periods[ready] if ready < len(periods) else ""
        rows.append((chip, generation, purpose, periods[t], usable, q.cost_usd[e], q.engineers[e]))
    columns = ["chip", "generation", "purpose", "begins", "usable_from", "cost_usd", "engineers"]
    return pd.DataFrame(rows, columns=columns)


def _deals(inst: Instance, values: Values) -> pd.DataFrame:
    """Each deal: the decision, when, and the minimum spend that it leaves unpaid."""
    d_, periods = inst.rules.deals, inst.time.periods
    signed = {d: t for (d, t), x in values.rules["sign"].items() if x > 0.5}
    short = values.rules["deal_shortfall"]
    rows = []
    for d, name in enumerate(d_.names):
        if d_.open[d]:
            decision = "signed_before"
        elif not d_.sign_in[d].any():
            decision = "rejected"
        else:
            decision = "signed" if d in signed else "not_signed"
        when = periods[signed[d]] if d in signed else ""
        rows.append((name, decision, when, d_.minimum_usd[d], short.get(d, 0.0)))
    columns = ["deal", "decision", "signed_in", "minimum_spend_usd", "shortfall_usd"]
    return pd.DataFrame(rows, columns=columns)


def _rules(inst: Instance, values: Values) -> pd.DataFrame:
    """Rules that are exceeded and by how much, and the members that carry a placement rule."""
    rules, periods = inst.rules, inst.time.periods
    rows = [
        (kind, rule.names[n], "", periods[t], x)
        for kind, rule, name in (
            ("share", rules.shares, "over_share"),
            ("power", rules.power, "over_power"),
            ("budget", rules.budget, "over_budget"),
        )
        for (n, t), x in values.rules.get(name, {}).items()
    ]
    place = rules.placement
    rows += [
        ("placement", place.names[n], place.member_names[n][i], periods[t], 1.0)
        for (n, i, t), x in values.rules["carries"].items()
        if x > 0.5
    ]
    return pd.DataFrame(rows, columns=["kind", "rule", "member", "period", "value"])


def _commitments(inst: Instance, values: Values) -> pd.DataFrame:
    """Each window: its minimum, what it leaves unspent, and the excess of the one before.

    Of that excess, `carried_in_usd`, the window before's `carry_over_share` counts.
    """
    c_ = inst.rules.commitments
    short, carried = values.rules["shortfall"], values.rules["carried"]
    rows = [
        (name, c_.minimum_usd[c], short.get(c, 0.0), carried.get(c, 0.0))
        for c, name in enumerate(c_.names)
    ]
    columns = ["window", "minimum_usd", "shortfall_usd", "carried_in_usd"]
    return pd.DataFrame(rows, columns=columns)


def _tiers(inst: Instance, values: Values) -> pd.DataFrame:
    """Each tier: the spend that falls into it, whether it is the year's, and its discount."""
    g_ = inst.rules.tiers
    spend, chosen = values.rules["tier_spend"], values.rules["in_tier"]
    rows = [
        (name, spend.get(g, 0.0), chosen.get(g, 0.0) > 0.5, g_.discount[g])
        for g, name in enumerate(g_.names)
    ]
    return pd.DataFrame(rows, columns=["tier", "spend_usd", "chosen", "discount"])


def _contingency_flows(inst: Instance, values: Values) -> pd.DataFrame:
    """Who is served where in each contingency, with how many working chips."""
    names, pools, time = inst.rules.contingencies.names, inst.pools.names, inst.time
    rows = []
    for (k, w, p, t, s), chips in values.rules["cover"].items():
        cloud, region, chip = pools[p].split("/", 2)
        rate = inst.serving.rate_failover[w, p, t]
        rows.append(
            (names[k], inst.serving.names[w], cloud, region, chip, time.periods[t],
             time.slices[s], chips, chips * rate)
        )  # fmt: skip
    columns = [
        "contingency", "workload", "cloud", "region", "chip", "period", "slice", "chips",
        "requests_per_s",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _contingencies(inst: Instance, values: Values) -> pd.DataFrame:
    """Each contingency by class: the promise, how it is kept, and what no promise reaches.

    least_share_served is the least share, in any slice that must survive, of the demand that the
    promise is of: the peak without headroom of workloads that what is left can serve.
    bound_to_lost_share is the largest share of the class's peak in a slice that nothing left can
    serve, such as that of a lost cloud's own channel. Where nothing left can serve any of the
    class, promised_share is 0: no promise can be made.
    """
    con, sv = inst.rules.contingencies, inst.serving
    reached, every = promisable(inst, survivors(inst)), plain_peak(inst)
    served = np.zeros_like(reached)
    for (k, w, p, t, s), chips in values.rules["cover"].items():
        served[k, w, t, s] += chips * sv.rate_failover[w, p, t]
    # Chips beyond what a workload asks for serve nobody else.
    served = np.minimum(served, reached)
    classes = np.array(sv.service_class)
    rows = []
    for k, name in enumerate(con.names):
        for kind in dict.fromkeys(sv.service_class):
            mine = np.ix_(classes == kind, con.active[k])
            asked, whole = reached[k][mine].sum(axis=0), every[mine].sum(axis=0)
            got = served[k][mine].sum(axis=0)
            share = np.divide(got, asked, out=np.ones_like(got), where=asked > 0)
            bound = np.divide(whole - asked, whole, out=np.zeros_like(got), where=whole > 0)
            promise = con.share[k, classes == kind].max(initial=0.0) if asked.any() else 0.0
            rows.append(
                (name, kind, float(promise), float(share.min(initial=1.0)),
                 float(bound.max(initial=0.0)))
            )  # fmt: skip
    columns = [
        "contingency", "class", "promised_share", "least_share_served", "bound_to_lost_share",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
