"""Put the parts of an instance together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.case import Case
from planner.instance.axes import (
    Contracts,
    Floats,
    Options,
    PayAsYouGo,
    Pools,
    Serving,
    Starts,
    Strings,
    Time,
    Training,
)
from planner.instance.demand import billed_share, serving_of
from planner.instance.options import options_of, renewable_of
from planner.instance.procurement import (
    contracts_of,
    discount,
    offers_of,
    pay_as_you_go_of,
    supply_of,
)
from planner.instance.rule_arrays import rules_of
from planner.instance.rules import Rules
from planner.instance.starts import starts_of
from planner.instance.training import EFLOP_PER_TFLOP, training_of
from planner.throughput.rates import Rates, rates_of


@dataclass(frozen=True)
class Instance:
    """The numbers of one problem; the axes are those of `planner.instance.axes`."""

    time: Time
    """Periods, slices, discount factors."""
    pools: Pools
    """Cloud, region and chip [p]."""
    serving: Serving
    """Workloads, demand and rates [w]."""
    contracts: Contracts
    """What is signed [k]."""
    starts: Starts
    """Lots that can start [j]."""
    options: Options
    """Renewals and expansions of signed contracts [o]."""
    pay: PayAsYouGo
    """Offers by the hour [v]."""
    training: Training
    """Runs and their placements [r, q]."""
    regions: Strings
    """Regions as `cloud/region`."""
    install_limit: Floats
    """Most chips that lots may start in a region and period [region]; inf = no limit."""
    rules: Rules
    """Limits, qualification, deals, commitments and contingencies."""
    flow_floor_chips: float
    """Flows below this are left out of the serving table."""


def build_instance(case: Case, rates: Rates | None = None) -> Instance:
    """Arrays of a case; `rates` may be handed in when they are already at hand.

    Raises InputError when the throughput model refuses a row.
    """
    if rates is None:
        rates = rates_of(case)
    calendar = case.calendar
    time = Time(
        periods=calendar.labels,
        slices=tuple(s.name for s in case.settings.slices),
        hours=calendar.hours(),
        slice_hours=np.array([float(len(s.hours_of_week())) for s in case.settings.slices]),
        years=calendar.years(),
        discount=discount(calendar, case.settings.discount_rate_per_year, middle=True),
        discount_start=discount(calendar, case.settings.discount_rate_per_year, middle=False),
    )
    offers = offers_of(case)
    # What a contract is worth past the horizon goes by the term offers that there are: an offer
    # of a rejected deal is as good as removed.
    closed = {deal.deal for deal in case.deals if deal.status == "rejected"}
    market = {
        p: [o for o in found if o.term_months and o.deal not in closed]
        for p, found in offers.items()
    }
    contracts = contracts_of(case, market)
    serving = serving_of(case, rates)
    rights = options_of(case, contracts)
    pools = _pools(case, contracts, rights, serving, rates)
    starts, options = starts_of(case, pools, offers, market, contracts, rights)
    return Instance(
        time=time,
        pools=pools,
        serving=serving,
        contracts=contracts,
        starts=starts,
        options=options,
        rules=rules_of(case, pools, serving, starts),
        pay=pay_as_you_go_of(case, pools, offers, billed_share(case, serving)),
        training=training_of(case, pools),
        regions=tuple(f"{r.cloud}/{r.region}" for r in case.regions),
        install_limit=np.array([r.install_limit_chips or np.inf for r in case.regions]),
        flow_floor_chips=case.settings.flow_floor_chips,
    )


def _pools(
    case: Case, contracts: Contracts, options: Options, serving: Serving, rates: Rates
) -> Pools:
    chips = {c.chip: c for c in case.chips}
    geography = {(r.cloud, r.region): r.geography for r in case.regions}
    existing = np.zeros((len(case.pools), len(case.calendar)))
    np.add.at(existing, contracts.line_pool, contracts.chips)
    return Pools(
        names=tuple(f"{p.cloud}/{p.region}/{p.chip}" for p in case.pools),
        cloud=tuple(p.cloud for p in case.pools),
        region=tuple(f"{p.cloud}/{p.region}" for p in case.pools),
        chip=tuple(p.chip for p in case.pools),
        vendor=tuple(chips[p.chip].vendor for p in case.pools),
        geography=tuple(geography[p.cloud, p.region] for p in case.pools),
        usable=np.array([p.usable_share for p in case.pools]),
        supply=supply_of(case),
        existing=existing,
        renewable=renewable_of(options, contracts, len(case.pools)),
        kw=np.array([chips[p.chip].kw_per_chip for p in case.pools]),
        training_eflop_per_s=np.array(
            [
                chips[p.chip].bf16_tflops * EFLOP_PER_TFLOP * chips[p.chip].training_capable
                for p in case.pools
            ]
        ),
        reference_chips=_reference_chips(case, serving, rates),
    )


def _reference_chips(case: Case, serving: Serving, rates: Rates) -> Floats:
    """Serving worth of each pool's chip in reference chips [p].

    The mean over workloads of rate on the chip over rate on the reference chip, both without
    round trip, weighted by the reference chips that carry the first period's demand; a workload
    that the chip cannot serve counts as 0.
    """
    load = serving.reference_load[:, 0, :] @ np.ones(serving.mean.shape[2])
    weight = load / max(load.sum(), 1e-300)
    worth = weight @ (rates.by_chip / serving.reference_rate[:, None])
    at = {c.chip: i for i, c in enumerate(case.chips)}
    out: Floats = worth[[at[p.chip] for p in case.pools]]
    return out
