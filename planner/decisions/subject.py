"""What a decision is about: a deal, an offer, a pool or a chip family, and its offers.

The price of a subject is a factor on the prices of its offers: 1 as asked, 0.9 for ten per cent
less on each of them. Its columns in the compiled problem are the lots and the hours of its offers,
and the signing of a deal. Options in contracts that are already signed are rights, not offers: they
stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from planner.case import Case
from planner.case.commercial import Offer
from planner.errors import Fault, InputError
from planner.instance import Instance
from planner.instance.procurement import offers_of
from planner.matrix import Matrix

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Kind = Literal["deal", "offer", "pool", "chip"]
KINDS: tuple[Kind, ...] = ("deal", "offer", "pool", "chip")


@dataclass(frozen=True)
class Subject:
    """A deal, an offer, a pool (`cloud/region/chip`) or a chip family."""

    kind: Kind
    """What it is."""
    name: str
    """Its name in the case; a pool is `cloud/region/chip`."""

    def __str__(self) -> str:
        """`deal maia-200`."""
        return f"{self.kind} {self.name}"

    def covers(self, pool: str, chip: str, offer: Offer) -> bool:
        """Whether an offer that holds for a pool is one of the subject's."""
        named = {"deal": offer.deal, "offer": offer.offer, "pool": pool, "chip": chip}
        return named[self.kind] == self.name


def subject_of(case: Case, **named: str | None) -> Subject:
    """The one subject named: `subject_of(case, deal="maia-200")`.

    Raises InputError unless exactly one of deal, offer, pool and chip is given, and when the case
    has no such thing or no offer of it.
    """
    given = [(kind, named[kind]) for kind in KINDS if named.get(kind) is not None]
    if len(given) != 1:
        rule = "name one of --deal, --offer, --pool and --chip"
        raise InputError([Fault("value", f"{rule}, not {len(given)}")])
    kind, name = given[0]
    known = {
        "deal": [deal.deal for deal in case.deals],
        "offer": list(dict.fromkeys(offer.offer for offer in case.offers)),
        "pool": [f"{p.cloud}/{p.region}/{p.chip}" for p in case.pools],
        "chip": [chip.chip for chip in case.chips],
    }[kind]
    if name not in known:
        there = ", ".join(known) if known else "none"
        raise InputError([Fault(f"--{kind}", f"there is no {kind} '{name}'; there are: {there}")])
    subject = Subject(kind, str(name))
    if not any(True for _ in offers_in(case, subject)):
        raise InputError([Fault(f"--{kind}", f"no offer of {subject} holds for any pool")])
    return subject


def offers_in(case: Case, subject: Subject) -> Iterator[tuple[int, Offer]]:
    """(pool, offer) for each pool for which an offer of the subject holds."""
    for p, found in offers_of(case).items():
        pool = case.pools[p]
        name = f"{pool.cloud}/{pool.region}/{pool.chip}"
        for offer in found:
            if subject.covers(name, pool.chip, offer):
                yield p, offer


def undecided(case: Case, subject: Subject) -> Case:
    """The case with the decision still open: a deal counts as under negotiation."""
    if subject.kind != "deal":
        return case
    deals = tuple(
        deal.model_copy(update={"status": "negotiating"}) if deal.deal == subject.name else deal
        for deal in case.deals
    )
    return replace(case, deals=deals)


def priced(case: Case, subject: Subject, factor: float) -> Case:
    """The case with the prices of the subject's offers times a factor.

    Each offer that holds for a pool gets a row of its own there; others keep their price.
    """
    if factor == 1.0:
        return case
    changed = {}
    for p, offer in offers_in(case, subject):
        pool = case.pools[p]
        where = {"cloud": pool.cloud, "region": pool.region, "chip": pool.chip}
        price = offer.price_usd_per_chip_hour * factor
        changed[offer.offer, pool.cloud, pool.region, pool.chip] = offer.model_copy(
            update={**where, "price_usd_per_chip_hour": price}
        )
    rows = [changed.pop((o.offer, o.cloud, o.region, o.chip), o) for o in case.offers]
    return replace(case, offers=(*rows, *changed.values()))


@dataclass(frozen=True, eq=False)
class Columns:
    """The subject's columns in a compiled problem, by position."""

    lots: Ints
    """Lots [i]; those that need a least number come with their binary in `together`."""
    lots_period: Ints
    """Period in which they start [i]."""
    together: Ints
    """Binaries of lots with a least number [j]."""
    together_period: Ints
    """Period of their start [j]."""
    hours: Ints
    """Chips by the hour [k]."""
    hours_period: Ints
    """Their period [k]."""
    hours_share: Floats
    """Share of the period's hours that their slice has [k]."""
    sign: Ints
    """Signing of the deal, one a period; none for other subjects."""

    @property
    def paid(self) -> Ints:
        """Columns whose cost is the price times something."""
        return np.concatenate([self.lots, self.hours])

    @property
    def every(self) -> Ints:
        """All of them."""
        return np.concatenate([self.lots, self.together, self.hours, self.sign])

    @property
    def first(self) -> int:
        """First period in which anything can start."""
        return int(min(*self.lots_period, *self.hours_period, 10**9, 10**9))

    def before(self, period: int) -> Ints:
        """Columns of what starts before a period."""
        return np.concatenate(
            [
                self.lots[self.lots_period < period],
                self.together[self.together_period < period],
                self.hours[self.hours_period < period],
            ]
        )

    def taking(self) -> tuple[Ints, Floats]:
        """Columns and weights that add up to 1 or more when the subject is taken.

        A deal is taken when it is signed. Another subject is when at least one lot starts, or one
        chip is had by the hour for a period; less than that is dust.
        """
        if len(self.sign):
            return self.sign, np.ones(len(self.sign))
        weights = np.concatenate([np.ones(len(self.lots)), self.hours_share])
        return self.paid, weights


def columns_of(subject: Subject, inst: Instance, matrix: Matrix) -> Columns:
    """Where the subject stands in a compiled problem.

    Raises InputError when none of its offers can start within the horizon, or the deal cannot be
    signed.
    """
    pools, starts, pay = inst.pools, inst.starts, inst.pay

    def mine(pool: int, offer: str, deal: str) -> bool:
        named = {"deal": deal, "offer": offer, "pool": pools.names[pool], "chip": pools.chip[pool]}
        return named[subject.kind] == subject.name

    own = {
        j
        for j, (p, name, deal) in enumerate(
            zip(starts.pool.tolist(), starts.offer, starts.deal, strict=True)
        )
        if inst.options.of_start[j] < 0 and mine(p, name, deal)
    }
    rents = {v for v, p in enumerate(pay.pool.tolist()) if mine(p, pay.offer[v], "")}
    share = inst.time.slice_hours / inst.time.slice_hours.sum()

    def find(component: str, wanted: set[int]) -> tuple[Ints, list[tuple[int, ...]]]:
        if component not in matrix.columns:
            return np.zeros(0, dtype=np.int64), []
        start = matrix.columns[component].start
        index = [i if isinstance(i, tuple) else (i,) for i in matrix.column_index[component]]
        at = [n for n, i in enumerate(index) if i[0] in wanted]
        return start + np.array(at, dtype=np.int64), [index[n] for n in at]

    def periods(index: list[tuple[int, ...]]) -> Ints:
        return np.array([starts.period[j] for (j,) in index], dtype=np.int64)

    lots, lot_index = find("lots", own)
    together, together_index = find("any_lots", own)
    hours, hour_index = find("hourly", rents)
    deal = {inst.rules.deals.names.index(subject.name)} if subject.kind == "deal" else set()
    sign, _ = find("sign", deal)
    what = None
    if not len(lots) and not len(hours):
        what = f"no offer of {subject} can start within the horizon"
    elif subject.kind == "deal" and not len(sign):
        what = f"{subject} cannot be signed within the horizon"
    if what is not None:
        raise InputError([Fault(f"--{subject.kind}", what)])
    return Columns(
        lots=lots,
        lots_period=periods(lot_index),
        together=together,
        together_period=periods(together_index),
        hours=hours,
        hours_period=np.array([t for _, t, _ in hour_index], dtype=np.int64),
        hours_share=np.array([share[s] for _, _, s in hour_index], dtype=float),
        sign=sign,
    )
