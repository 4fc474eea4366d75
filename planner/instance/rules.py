"""Limits, qualification, deals, commitments and contingencies as arrays.

Axes beside those of `planner.instance.axes`: n rule, e qualification, d deal, c window of a
commitment, g tier, k contingency.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.instance.axes import Bools, Floats, Ints, Strings

Dimensioned = Limit_ = object


@dataclass(frozen=True)
class ShareRules:
    """No member has more than a share of a measure."""

    names: Strings
    """`rule: member` [n]."""
    measure: Strings
    """spend, chips, training_peak or served [n]."""
    member: Bools
    """Pools of the member [n, p]."""
    bound: Floats
    """Largest share [n]."""
    active: Bools
    """Periods in which it holds [n, t]."""
    penalty_usd: Floats
    """Price of one unit of the measure beyond the share, a period; inf = hard [n]."""


@dataclass(frozen=True)
class PowerRules:
    """No region draws more than its power."""

    names: Strings
    """`rule: region` [n]."""
    member: Bools
    """Pools of the region [n, p]."""
    bound_mw: Floats
    """Largest draw, MW [n]."""
    active: Bools
    """Periods in which it holds [n, t]."""
    penalty_usd: Floats
    """Price of a MW beyond it for a period; inf = hard [n]."""


@dataclass(frozen=True)
class BudgetRules:
    """Cash out of a period stays within a budget."""

    names: Strings
    """Rule [n]."""
    bound_usd: Floats
    """Largest cash out of a period, USD [n]."""
    active: Bools
    """Periods in which it holds [n, t]."""
    penalty_usd: Floats
    """Price of a USD beyond it; inf = hard [n]."""


@dataclass(frozen=True)
class PlacementRules:
    """At least `count` members each carry a share of a model's demand."""

    names: Strings
    """`rule: model` [n]."""
    workloads: Bools
    """Workloads of the model [n, w]."""
    count: Ints
    """Least number of members [n]."""
    share: Floats
    """Share of demand that a member carries to count [n]."""
    active: Bools
    """Periods in which it holds [n, t]."""
    member_names: tuple[Strings, ...]
    """Members of each rule [n][i]."""
    member: tuple[Bools, ...]
    """Pools of each member [n][i, p]."""


@dataclass(frozen=True)
class Qualifications:
    """Work to enable a chip family for a model generation (rows that are not done)."""

    names: Strings
    """`chip for generation, purpose` [e]."""
    pools: Bools
    """Pools of the chip [e, p]."""
    workloads: Bools
    """Workloads of the generation, none for training [e, w]."""
    runs: Bools
    """Runs of the generation, and those of no stated one; none for serving [e, r]."""
    training: Bools
    """Whether it enables training instead [e]."""
    cost_usd: Floats
    """Cost, paid when the work begins [e]."""
    engineers: Floats
    """Engineers while it lasts [e]."""
    lead_periods: Ints
    """Periods from beginning to first use [e]."""
    first: int
    """First period in which work can begin."""
    most_engineers: float
    """Engineers that there are; inf = no limit."""


@dataclass(frozen=True)
class Deals:
    """Framework agreements."""

    names: Strings
    """Deal [d]."""
    open: Bools
    """Signed already [d]."""
    sign_in: Bools
    """Periods in which it can be signed, on their first day or as soon as it can be; none when
    signed or rejected [d, t]."""
    signing_usd: Floats
    """Signing cost when signed in the period, cash [d, t]."""
    prepayment_usd: Floats
    """Prepayment, cash at signing [d]."""
    present_usd: Floats
    """Present value of signing in the period: cost, and prepayment less its credit [d, t]."""
    credited_in: Ints
    """Period in which a prepayment made in t has come back, as cash; past the horizon: its
    number of periods [d, t]."""
    minimum_usd: Floats
    """Least payments to its offers within the horizon [d]."""
    of_start: Ints
    """Deal that opens each start; -1 = none [j]."""
    signed_by: Ints
    """Last period in which its deal can be signed for the start to be possible [j]."""


@dataclass(frozen=True)
class Commitments:
    """Windows of spend commitments."""

    names: Strings
    """`commitment from period` [c]."""
    member: Bools
    """Pools of the cloud [c, p]."""
    window: Bools
    """Periods that count [c, t]."""
    minimum_usd: Floats
    """Least accrued spend [c]."""
    carry_share: Floats
    """Share of spend above the minimum that counts in the next window [c]."""
    previous: Ints
    """Window before it; -1 = none [c]."""
    counts: Strings
    """all, contracts or pay_as_you_go [c]."""
    discount: Floats
    """Discount factor at the end of the window [c]."""


@dataclass(frozen=True)
class Tiers:
    """Steps of whole-spend discounts by cloud and year."""

    names: Strings
    """`cloud year tier` [g]."""
    group: Ints
    """Group of the tier: one for each cloud and year [g]."""
    group_names: Strings
    """`cloud year` [group]."""
    member: Bools
    """Pools of the cloud [group, p]."""
    window: Bools
    """Periods of the year [group, t]."""
    from_usd: Floats
    """Spend at which the step begins [g]."""
    to_usd: Floats
    """Spend at which the next step begins; inf for the last [g]."""
    discount: Floats
    """Discount on the whole spend [g]."""
    present: Floats
    """Discount factor at the end of the year [group]."""


@dataclass(frozen=True)
class Contingencies:
    """Losses that the plan must survive."""

    names: Strings
    """`rule: member` [k]."""
    outage: Bools
    """An outage; otherwise a supply stop [k]."""
    lost: Bools
    """Pools that an outage takes away, or whose lots a supply stop stops [k, p]."""
    stop_periods: Ints
    """Supply stop: periods that it has lasted [k]."""
    active: Bools
    """Periods that must survive it [k, t]."""
    share: Floats
    """Share of peak demand still served [k, w]."""


@dataclass(frozen=True)
class Rules:
    """Everything that is decided beside chips and flows."""

    shares: ShareRules
    """Limits on shares."""
    power: PowerRules
    """Limits on power."""
    budget: BudgetRules
    """Limits on cash."""
    placement: PlacementRules
    """Members that must serve a part."""
    qualification: Qualifications
    """Work to enable chips."""
    deals: Deals
    """Framework agreements."""
    commitments: Commitments
    """Minimum spend."""
    tiers: Tiers
    """Discounts by yearly spend."""
    contingencies: Contingencies
    """Losses to survive."""
