"""The tiny case with options and one rule of each kind, for the golden equations."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from planner.case import Case
from planner.case.agreements import Commitment, Deal, Tier
from planner.case.commercial import Contract
from planner.case.options import ContractOption
from planner.case.rules import Contingency, Limit, Qualification, Survival
from tests.cases import tiny_case, valid


def tiny_rules_case() -> Case:
    """`tiny_case` with options, limits, qualification, a deal, commitments and the like."""
    tiny = tiny_case()
    offers = tuple(
        o.model_copy(update={"deal": "frame"}) if o.offer == "term-12m" else o for o in tiny.offers
    )
    return valid(
        replace(
            tiny,
            settings=tiny.settings.model_copy(update={"qualification_engineers": 8.0}),
            offers=offers,
            # More chips than supply allots once it has ended: only a renewal keeps them.
            contracts=(
                *tiny.contracts,
                Contract(cloud="ash", region="w2", chip="h200", contract="short", chips=1200,
                         start=date(2026, 7, 1), end=date(2027, 1, 1),
                         payment_usd_per_chip_hour=2.4, take_or_pay=False, notice_days=0,
                         exit_fee_usd=1e5),
            ),
            options=(
                ContractOption(option="again", contract="short", cloud="*", region="*", chip="*",
                               kind="renewal", lot_chips=300, price_usd_per_chip_hour=1.9,
                               term_months=6, exercise_by_days=60),
                ContractOption(option="more", contract="loose", cloud="*", region="*",
                               chip="trn2", kind="expansion", lot_chips=100, max_lots=5,
                               price_usd_per_chip_hour=0.7, term_months=3, lead_days=0,
                               upfront_share=0.2),
            ),
            limits=(
                Limit(limit="spend", kind="share", dimension="cloud", measure="spend", bound=0.9,
                      penalty_usd_per_unit=0.5),
                Limit(limit="chips", kind="share", dimension="vendor", measure="chips", bound=0.95,
                      member="nvidia", period_from="2027-Q1"),
                Limit(limit="peak", kind="share", dimension="chip", measure="training_peak",
                      bound=0.95, penalty_usd_per_unit=1e5),
                Limit(limit="served", kind="share", dimension="cloud", measure="served",
                      bound=0.95, penalty_usd_per_unit=1e3),
                Limit(limit="power", kind="power", dimension="region", member="ash/w1", bound=2.0,
                      penalty_usd_per_unit=1e5),
                Limit(limit="cash", kind="budget", bound=2e7, penalty_usd_per_unit=2.0),
                Limit(limit="both", kind="placement", dimension="cloud", count=2, bound=0.05,
                      period_from="2027-Q1"),
            ),
            qualification=(
                Qualification(chip="h200", generation="1", purpose="serving", done=True),
                Qualification(chip="trn2", generation="1", purpose="serving", cost_usd=1e5,
                              engineers=5, lead_months=0),
                Qualification(chip="trn2", generation="1", purpose="training", cost_usd=5e4,
                              engineers=5, lead_months=0),
            ),
            deals=(
                Deal(deal="frame", status="negotiating", signing_cost_usd=1e5,
                     prepayment_usd=4e5, prepayment_credited_months=6, minimum_spend_usd=1e6),
            ),
            commitments=(
                Commitment(commitment="ash", cloud="ash", period_from="2026-Q4",
                           period_to="2026-Q4", minimum_usd=3e6, carry_over_share=0.5),
                Commitment(commitment="ash", cloud="ash", period_from="2027-Q1",
                           period_to="2027-Q1", minimum_usd=4e6, counts="contracts"),
            ),
            tiers=(
                Tier(cloud="ash", year=2027, tier="list", from_usd=0, discount=0),
                Tier(cloud="ash", year=2027, tier="gold", from_usd=5e6, discount=0.03),
            ),
            contingencies=(
                Contingency(contingency="cloud", kind="outage", dimension="cloud", member="elm",
                            period_from="2027-Q1"),
                Contingency(contingency="stop", kind="supply_stop", dimension="vendor",
                            member="aws", months=6),
            ),
            survival=(
                Survival.model_validate({"class": "chat", "kind": "outage", "dimension": "cloud",
                                         "share": 0.4}),
                Survival.model_validate({"class": "chat", "kind": "supply_stop",
                                         "dimension": "vendor", "share": 0.5}),
            ),
        )
    )  # fmt: skip
