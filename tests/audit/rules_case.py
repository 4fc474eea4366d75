"""data/small with a rule of every kind, hard and priced, and decisions about all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from planner.case import Case
from planner.case.agreements import Commitment, Deal, Tier
from planner.case.commercial import Offer
from planner.case.rules import Limit, Qualification


def rules_case(small: Case) -> Case:
    """The case with every rule; `pro` becomes a generation of its own."""
    models = [
        model.model_copy(update={"generation": "2"}) if model.model == "pro" else model
        for model in small.models
    ]
    return replace(
        small,
        settings=small.settings.model_copy(update={"qualification_engineers": 10.0}),
        models=tuple(models),
        offers=tuple(_with_deal(offer) for offer in small.offers),
        limits=LIMITS,
        qualification=QUALIFICATION,
        deals=DEALS,
        commitments=COMMITMENTS,
        tiers=TIERS,
    )


def _with_deal(offer: Offer) -> Offer:
    deal = {"h200": "alder-deal", "gb200": "cedar-deal", "tpu-v6e": "birch-deal"}.get(
        offer.chip, ""
    )
    return offer.model_copy(update={"deal": deal}) if offer.kind == "reserved" else offer


def _share(name: str, measure: str, dimension: str, bound: float, **more: Any) -> Limit:
    fields: dict[str, Any] = {"measure": measure, "dimension": dimension, **more}
    return Limit(limit=name, kind="share", bound=bound, **fields)


def _window(name: str, cloud: str, first: str, last: str, usd: float, **more: Any) -> Commitment:
    return Commitment(
        commitment=name, cloud=cloud, period_from=first, period_to=last, minimum_usd=usd, **more
    )


LIMITS = (
    _share("spend-hard", "spend", "cloud", 0.8, member="alder", period_from="2027-Q3"),
    _share("spend-priced", "spend", "cloud", 0.5, penalty_usd_per_unit=0.02),
    _share("chips-hard", "chips", "vendor", 0.8, member="nvidia", period_from="2027-Q2"),
    _share("chips-priced", "chips", "region", 0.3, penalty_usd_per_unit=150.0),
    _share("peak-hard", "training_peak", "chip", 0.6, period_from="2027-Q2"),
    _share("peak-priced", "training_peak", "vendor", 0.4, penalty_usd_per_unit=2e4),
    _share("served-hard", "served", "cloud", 0.9, period_from="2027-Q2"),
    _share("served-priced", "served", "cloud", 0.5, penalty_usd_per_unit=200.0),
    Limit(limit="power-hard", kind="power", dimension="region", member="alder/us-1", bound=11.5),
    Limit(limit="power-priced", kind="power", dimension="region", bound=3.0,
          penalty_usd_per_unit=2e4),
    Limit(limit="cash-hard", kind="budget", bound=2e8, period_from="2027-Q1"),
    Limit(limit="cash-priced", kind="budget", bound=4.5e7, penalty_usd_per_unit=0.05),
    Limit(limit="clouds", kind="placement", dimension="cloud", model="basic", count=2, bound=0.1,
          period_from="2027-Q2"),
    Limit(limit="regions", kind="placement", dimension="region", model="pro", count=2, bound=0.15,
          period_from="2027-Q3"),
)  # fmt: skip
QUALIFICATION = (
    Qualification(chip="tpu-v6e", generation="1", purpose="serving", cost_usd=4e5, engineers=6,
                  lead_months=3),
    Qualification(chip="gb200", generation="2", purpose="serving", cost_usd=3e5, engineers=6,
                  lead_months=2),
    Qualification(chip="trn2", generation="1", purpose="training", cost_usd=2e5, engineers=4),
    Qualification(chip="h200", generation="1", purpose="serving", done=True),
)  # fmt: skip
DEALS = (
    Deal(deal="cedar-deal", status="negotiating", signing_cost_usd=2e5, prepayment_usd=5e6,
         prepayment_credited_months=12, minimum_spend_usd=2.5e7),
    Deal(deal="birch-deal", status="signed", minimum_spend_usd=9e7),
    Deal(deal="dogwood-deal", status="rejected", minimum_spend_usd=1e6),
    Deal(deal="alder-deal", status="negotiating", signing_cost_usd=1e4, prepayment_usd=1e6,
         prepayment_credited_months=6, minimum_spend_usd=5e6, earliest_signing=date(2027, 3, 2)),
)  # fmt: skip
COMMITMENTS = (
    _window("alder-all", "alder", "2026-Q4", "2026-Q4", 3e7, carry_over_share=0.5),
    _window("alder-all", "alder", "2027-Q1", "2027-Q1", 4e7, carry_over_share=0.8),
    _window("alder-all", "alder", "2027-Q2", "2027-Q3", 9e7),
    _window("birch-terms", "birch", "2026-Q4", "2027-Q1", 1.8e7, carry_over_share=0.5,
            counts="contracts"),
    _window("birch-terms", "birch", "2027-Q2", "2027-Q3", 2e7, counts="contracts"),
    _window("alder-hours", "alder", "2026-Q4", "2027-Q1", 4e6, carry_over_share=1.0,
            counts="pay_as_you_go"),
    _window("alder-hours", "alder", "2027-Q2", "2027-Q3", 2e7, counts="pay_as_you_go"),
)  # fmt: skip
TIERS = (
    Tier(cloud="alder", tier="list", year=2027, from_usd=0, discount=0),
    Tier(cloud="alder", tier="gold", year=2027, from_usd=1.2e8, discount=0.04),
    Tier(cloud="birch", tier="list", year=2027, from_usd=0, discount=0.01),
    Tier(cloud="birch", tier="gold", year=2027, from_usd=5e7, discount=0.06),
)
