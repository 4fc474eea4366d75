"""Infeasible cases: data/small with one rule that cannot be kept, and which rule that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from planner.case import Case
from planner.case.agreements import Deal
from planner.case.rules import Contingency, Limit, Qualification, Survival
from tests.cases import small_case, valid


@dataclass(frozen=True)
class Planted:
    """An infeasible case."""

    make: Callable[[], Case]
    rules: tuple[str, ...]
    """Names of rules that were planted, as the explanation has them."""
    whole: bool = False
    """Infeasible only in whole numbers."""


def limited(case: Case, *limits: Limit) -> Case:
    return replace(case, limits=(*case.limits, *limits))


def with_rows(case: Case, table: str, change: Callable[[Any], dict[str, Any] | None]) -> Case:
    """The case with the rows changed for which `change` gives new values."""
    rows = [
        row if (new := change(row)) is None else row.model_copy(update=new)
        for row in case.rows(table)
    ]
    changed: dict[str, Any] = {table: tuple(rows)}
    return replace(case, **changed)


def survives(case: Case, share: float, dimension: Any, member: str, **more: Any) -> Case:
    """Interactive demand keeps a share in the loss of a member, from `first` on."""
    kind, first = more.pop("kind", "outage"), more.pop("first", "2027-Q2")
    return replace(
        case,
        contingencies=(
            Contingency(contingency="loss", kind=kind, dimension=dimension, member=member,
                        period_from=first, **more),
        ),
        survival=(
            Survival.model_validate(
                {"class": "interactive", "kind": kind, "dimension": dimension, "share": share}
            ),
        ),
    )  # fmt: skip


def spread(case: Case, bound: float = 0.1, count: int = 3, model: str = "pro") -> Case:
    """A model is served from so many clouds from 2027-Q2."""
    return limited(
        case,
        Limit(limit="spread", kind="placement", dimension="cloud", count=count, bound=bound,
              model=model, period_from="2027-Q2"),
    )  # fmt: skip


def spread_both(case: Case) -> Case:
    """Both models are served from all three clouds from 2027-Q2."""
    return limited(
        spread(case),
        Limit(limit="also", kind="placement", dimension="cloud", count=3, bound=0.1,
              model="basic", period_from="2027-Q2"),
    )  # fmt: skip


def needs_cedar(case: Case, bound: float = 0.1) -> Case:
    """All three clouds carry a share of both models, and cedar sells nothing by the hour."""
    case = with_rows(
        case, "offers",
        lambda o: {"max_chips": 0.0} if o.chip == "gb200" and o.kind == "on_demand" else None,
    )  # fmt: skip
    return spread(case, bound)


def cedar_offer(case: Case, **values: Any) -> Case:
    return with_rows(case, "offers", lambda o: values if o.offer == "reserved-2y" else None)


def cedar_supply(case: Case, chips: float) -> Case:
    return with_rows(case, "supply", lambda s: {"chips": chips} if s.cloud == "cedar" else None)


def power(member: str, bound: float, **more: Any) -> Limit:
    return Limit(limit="grid", kind="power", dimension="region", member=member, bound=bound, **more)


def cash(bound: float, **more: Any) -> Limit:
    return Limit(limit="cash", kind="budget", bound=bound, **more)


def share(name: str, dimension: Any, member: str, bound: float, measure: Any = "chips") -> Limit:
    return Limit(limit=name, kind="share", dimension=dimension, member=member, measure=measure,
                 bound=bound, period_from="2027-Q3")  # fmt: skip


def engineers() -> Case:
    """Two chips must be qualified at once; there are engineers for one and a half."""
    case = spread(small_case(), 0.1)
    generation = next(m.generation for m in case.models if m.model == "pro")
    rows = [
        Qualification(chip=chip, generation=generation, purpose="serving", engineers=5,
                      lead_months=3, cost_usd=1e5)
        for chip in ("tpu-v6e", "gb200")
    ]  # fmt: skip
    return replace(
        case,
        settings=case.settings.model_copy(update={"qualification_engineers": 9.0}),
        qualification=tuple(rows),
    )


def deal() -> Case:
    """Cedar needs a deal whose prepayment is above what the budget leaves."""
    case = cedar_offer(needs_cedar(small_case()), deal="frame")
    return limited(
        replace(
            case,
            deals=(
                Deal(deal="frame", status="negotiating", prepayment_usd=5e7,
                     prepayment_credited_months=12, minimum_spend_usd=5e7),
            ),
        ),
        cash(9e7, period_to="2027-Q1"),
    )  # fmt: skip


SPREAD = "placement rule 'spread', model pro"

PLANTED: dict[str, Planted] = {
    "power-against-two-placements": Planted(
        lambda: limited(spread_both(small_case()), power("birch/eu-2", 1.8, period_from="2027-Q2")),
        (SPREAD, "placement rule 'also', model basic", "power rule 'grid' for birch/eu-2"),
    ),
    "power-against-a-loss": Planted(
        lambda: limited(
            survives(small_case(), 0.3, "cloud", "alder"),
            power("birch/eu-2", 2.0, period_from="2027-Q2"),
        ),
        ("share of interactive kept in an outage of a cloud", "power rule 'grid' for birch/eu-2"),
    ),
    "budget-below-what-a-placement-takes": Planted(
        lambda: limited(
            spread(small_case()), cash(6.31e7, period_from="2027-Q2", period_to="2027-Q2")
        ),
        ("budget rule 'cash'",),
    ),
    "budget-below-what-a-loss-takes": Planted(
        lambda: limited(
            survives(small_case(), 0.3, "cloud", "alder"), cash(3.2e7, period_from="2027-Q3")
        ),
        ("budget rule 'cash'", "share of interactive kept in an outage of a cloud"),
        whole=True,
    ),
    "share-above-what-others-can-supply": Planted(
        lambda: limited(small_case(), share("most", "cloud", "alder", 0.3)),
        ("share rule 'most' for alder of chips",),
    ),
    "shares-that-conflict": Planted(
        lambda: limited(
            small_case(),
            share("trainium", "vendor", "aws", 0.5),
            share("tpu", "vendor", "google", 0.2),
            share("gpu", "vendor", "nvidia", 0.2),
        ),
        tuple(
            f"share rule '{name}' for {vendor} of chips"
            for name, vendor in (("trainium", "aws"), ("tpu", "google"), ("gpu", "nvidia"))
        ),
    ),
    "share-of-spend": Planted(
        lambda: limited(small_case(), share("bill", "cloud", "alder", 0.2, "spend")),
        ("share rule 'bill' for alder of spend",),
    ),
    "share-of-training-peak": Planted(
        lambda: limited(small_case(), share("peak", "chip", "trn2", 0.2, "training_peak")),
        ("share rule 'peak' for trn2 of training_peak",),
    ),
    "loss-of-a-cloud": Planted(
        lambda: survives(small_case(), 0.9, "cloud", "alder"),
        ("share of interactive kept in an outage of a cloud",),
    ),
    "supply-stop": Planted(
        lambda: survives(
            small_case(), 0.95, "vendor", "nvidia", kind="supply_stop", months=9, first="2027-Q3"
        ),
        ("share of interactive kept in a supply stop of a vendor",),
    ),
    "clouds-without-supply": Planted(
        lambda: spread(cedar_supply(small_case(), 0.0)), (f"members of {SPREAD}",)
    ),
    "share-of-a-placement": Planted(
        lambda: spread(cedar_supply(small_case(), 80.0), 0.3, model="basic"),
        ("placement rule 'spread', model basic", "members of placement rule 'spread', model basic"),
    ),
    "engineers": Planted(engineers, ("qualification engineers",), whole=True),
    "prepayment-above-budget": Planted(deal, ("budget rule 'cash'",), whole=True),
    "whole-lots-against-supply": Planted(
        lambda: cedar_supply(cedar_offer(needs_cedar(small_case()), min_lots=4), 950.0),
        ("supply of cedar/us-2/gb200",),
        whole=True,
    ),
    "whole-lots-against-power": Planted(
        lambda: limited(needs_cedar(small_case()), power("cedar/us-2", 1.45)),
        ("power rule 'grid' for cedar/us-2",),
        whole=True,
    ),
    "whole-lots-against-space": Planted(
        lambda: with_rows(
            needs_cedar(small_case()), "regions",
            lambda r: {"install_limit_chips": 740.0} if r.cloud == "cedar" else None,
        ),
        ("install limit of cedar/us-2",),
        whole=True,
    ),
}  # fmt: skip
"""Name -> case."""


def planted(name: str) -> Case:
    """One of PLANTED, checked against the rules of reading."""
    return valid(PLANTED[name].make())
