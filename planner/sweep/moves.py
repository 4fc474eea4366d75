"""What factors move in one period: multipliers of demand, chips, offers, prices and rates.

A multiplier is a product of terms, a term one factor's value turned into a number. Things that
move alike share a multiplier, so that a scenario is a short vector z of distinct multipliers,
and the right-hand sides of its block are linear in z but for what placed runs lose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from planner.case import Case
from planner.instance import Instance
from planner.sweep.block import Floats, Ints, Jobs, Pays
from planner.sweep.held import Held
from planner.sweep.spec import Factor, Spec

Term = tuple[str, int, float, float]
"""Transform, factor, and up to two parameters of the transform."""
Maker = Callable[[int, Factor], tuple[Term, ...]]
"""Terms of a factor, from its position and itself; none where it has nothing to move."""


def term_values(term: Term, values: Floats) -> Floats:
    """A term's number in each scenario [n]. values [n, factor]."""
    kind, f, a, b = term
    v = values[:, f]
    out: Floats
    if kind == "power":
        out = np.maximum(1.0 + v, 0.0) ** a
    elif kind == "slip":
        # Share of the period after the day on which the chips are ready, v days late.
        out = np.clip((b - np.maximum(a + v, 0.0)) / b, 0.0, 1.0)
    elif kind == "not":
        out = (v != a).astype(float)
    else:
        out = v.astype(float)
    return out


@dataclass
class Multipliers:
    """Distinct products of terms; number 0 is the empty product."""

    products: list[tuple[Term, ...]] = field(default_factory=lambda: [()])
    """Terms of each product."""

    def number(self, terms: Iterable[Term]) -> int:
        """Number of a product, added when it is new."""
        key = tuple(sorted(terms))
        if key not in self.products:
            self.products.append(key)
        return self.products.index(key)

    def values(self, values: Floats) -> Floats:
        """Every product in each scenario [n, u]."""
        known: dict[Term, Floats] = {}
        # Column by column in memory: millions of rows, and everything here works on columns.
        out = np.ones((len(self.products), len(values)))
        for u, product in enumerate(self.products):
            for term in product:
                if term not in known:
                    known[term] = term_values(term, values)
                out[u] *= known[term]
        return out.T


@dataclass(frozen=True)
class Spare:
    """Lots of deals in a pool that also sells chips by the hour, where these deals may go."""

    pool: int
    """Pool."""
    deals: tuple[str, ...]
    """Some of the deals whose lots stand there."""
    number: int
    """Multiplier of the pool's room while all of these are signed."""


@dataclass(frozen=True)
class Moves:
    """One period: which multiplier moves what."""

    multipliers: Multipliers
    """Products of factors that the numbers below refer to."""
    job: Ints
    """Multiplier of each raw job's demand [j]."""
    kept: Ints
    """Of chips kept [p]."""
    new_pool: Ints
    """Pool of each part of the new lots [c]."""
    new_chips: Floats
    """Chips of each part [c]."""
    new: Ints
    """Multiplier of each part [c]."""
    pay: Ints
    """Of pay-as-you-go chips and their room [p]."""
    spare: tuple[Spare, ...]
    """Room that deals take, and give back where they are not signed."""
    price: Ints
    """Of the price of each raw entry of `Pays` [o]."""
    payment_usd: Floats
    """Payments of each part of the new lots, and what else a deal costs, discounted [c]."""
    payment: Ints
    """Multiplier of each payment [c]."""
    rate: Ints
    """Multiplier of each raw job's rate by pool [j, p]."""
    bands: tuple[tuple[int, Floats], ...]
    """Factors that move rates within their band, and where they do (1 or 0) [j, p]."""
    touched: frozenset[int]
    """Factors that move something in this period."""


class _Period:
    """Terms of the factors in one period."""

    def __init__(self, case: Case, inst: Instance, spec: Spec, t: int):
        self.inst, self.spec, self.t = inst, spec, t
        calendar = case.calendar
        begin, end = calendar.starts[t], calendar.starts[t + 1]
        middle = 0.5 * ((begin - calendar.as_of).days + (end - calendar.as_of).days)
        self.years = max(0.0, middle / 365.25)
        self.length = float((end - begin).days)
        self.label = inst.time.periods[t]
        self.moves = spec.periods == "all" or end > calendar.as_of
        self.ready = {c.chip: c.ready_for_service for c in case.chips}
        self.deal_ready = {d.deal: d.ready_for_service for d in case.deals}
        self.begin = begin
        self.touched: set[int] = set()

    def terms(self, kinds: Mapping[str, Maker], labels: Mapping[str, str]) -> list[Term]:
        """Terms of the factors of these kinds that fit the labels."""
        out: list[Term] = []
        if not self.moves:
            return out
        named = {**labels, "period": self.label}
        for i, factor in enumerate(self.spec.factor):
            make = kinds.get(factor.kind)
            if make is None or not fits(factor, named):
                continue
            found = make(i, factor)
            if found:
                self.touched.add(i)
                out.extend(found)
        return out

    def pool_labels(self, p: int) -> dict[str, str]:
        pools = self.inst.pools
        region = pools.region[p].split("/", 1)[1]
        return {"cloud": pools.cloud[p], "region": region, "chip": pools.chip[p],
                "vendor": pools.vendor[p]}  # fmt: skip

    def slip(self, chip: str, deal: str) -> Maker:
        """Late by v days after the ready-for-service date of chip and deal, if it has one."""
        days = [d for d in (self.ready.get(chip), self.deal_ready.get(deal)) if d is not None]

        def make(i: int, _factor: Factor) -> tuple[Term, ...]:
            if not days:
                return ()
            late = float((max(days) - self.begin).days)
            return (("slip", i, late, self.length),)

        return make

    def lost(self, labels: Mapping[str, str]) -> Maker:
        """0 where the factor's value names the pool's cloud, region, chip or vendor."""

        def make(i: int, factor: Factor) -> tuple[Term, ...]:
            names = [*labels.values(), f"{labels['cloud']}/{labels['region']}"]
            # A pool may be named by several values: its cloud, its chip.
            found = [k for k, name in enumerate(factor.values) if name and name in names]
            return tuple(("not", i, float(k), 0.0) for k in found)

        return make


def fits(factor: Factor, labels: Mapping[str, str]) -> bool:
    """Whether every label that the factor names is one of its values.

    A region goes by its own name or as cloud/region.
    """
    for key, wanted in factor.where.items():
        allowed = (wanted,) if isinstance(wanted, str) else wanted
        label = labels.get(key)
        known = {label, f"{labels.get('cloud')}/{label}"} if key == "region" else {label}
        if label is None or known.isdisjoint(allowed):
            return False
    return True


def _if(there: str, kind: str, make: Maker) -> dict[str, Maker]:
    """The kind where there is something it can move."""
    return {kind: make} if there else {}


def _plain(kind: str) -> Maker:
    return lambda i, _factor: ((kind, i, 0.0, 0.0),)


def moves_of(
    case: Case, inst: Instance, held: Held, spec: Spec, t: int, jobs: Jobs, pays: Pays
) -> Moves:
    """Multipliers of one period."""
    at = _Period(case, inst, spec, t)
    found = Multipliers()
    plain = _plain("value")

    def power(i: int, _factor: Factor) -> tuple[Term, ...]:
        return (("power", i, at.years, 0.0),) if at.years > 0 else ()

    sv, st, pools = inst.serving, inst.starts, range(len(inst.pools.names))
    job, efficiency = [], {"efficiency": power}
    for w in jobs.workload.tolist():
        labels = {} if w < 0 else {
            "workload": sv.names[w], "model": sv.model[w], "geography": sv.geography[w],
            "class": sv.service_class[w], "channel": sv.channel[w],
        }  # fmt: skip
        kinds = {"demand": plain, "demand_growth": power} if w >= 0 else {}
        job.append(found.number(at.terms(kinds, labels)))
    kept, pay, late_terms = [], [], {}
    for p in pools:
        labels = at.pool_labels(p)
        whole = {"capacity": plain, "lost": at.lost(labels)}
        has_kept = held.kept_chips[p, t] > 0
        kept.append(found.number(at.terms(whole, labels)) if has_kept else 0)
        offered = bool((pays.pool[pays.offer >= 0] == p).any())
        late = {**whole, "slip_days": at.slip(labels["chip"], "")}
        if offered:
            late_terms[p] = at.terms(late, labels)
        pay.append(found.number(late_terms.get(p, ())))
    parts: dict[tuple[int, str, bool], float] = {}
    for j in np.flatnonzero(held.lots).tolist():
        p, deal = int(st.pool[j]), st.deal[j]
        chips = float(held.lots[j] * st.lot_chips[j] * st.active[j, t])
        if chips:
            # Renewed chips stand there already: they are not late.
            part = (p, deal, bool(inst.options.renews[j]))
            parts[part] = parts.get(part, 0.0) + chips
    new = []
    for p, deal, renewed in parts:
        labels = at.pool_labels(p)
        kinds = {"capacity": plain, "lost": at.lost(labels), **_if(deal, "deal", plain)}
        if not renewed:
            kinds["slip_days"] = at.slip(labels["chip"], deal)
        new.append(found.number(at.terms(kinds, {**labels, "deal": deal})))
    spare = [
        part
        for p, terms in late_terms.items()
        for part in _spare(at, found, p, terms, {deal for q, deal, _ in parts if q == p and deal})
    ]
    payment_usd, payment = _payments(at, found, inst, held)
    price = [
        found.number(
            at.terms({"price": plain}, {**at.pool_labels(p), "offer": inst.pay.offer[o]})
        ) if o >= 0 else 0
        for o, p in zip(pays.offer.tolist(), pays.pool.tolist(), strict=True)
    ]  # fmt: skip
    rate = np.zeros((len(job), len(pools)), dtype=np.int64)
    bands: dict[int, Floats] = {}
    if any(f.kind in ("efficiency", "rate_band") for f in spec.factor):
        for j, w in enumerate(jobs.workload.tolist()):
            for p in pools:
                if w < 0 or jobs.rate[j, p] <= 0:
                    continue
                labels = {**at.pool_labels(p), "model": sv.model[w]}
                rate[j, p] = found.number(at.terms(efficiency, labels))
                for _, i, _, _ in at.terms({"rate_band": plain}, labels):
                    bands.setdefault(i, np.zeros(rate.shape))[j, p] = 1.0
    return Moves(
        multipliers=found,
        job=np.array(job, dtype=np.int64),
        kept=np.array(kept, dtype=np.int64),
        new_pool=np.array([p for p, _, _ in parts], dtype=np.int64),
        new_chips=np.array(list(parts.values())),
        new=np.array(new, dtype=np.int64),
        pay=np.array(pay, dtype=np.int64),
        spare=tuple(spare),
        price=np.array(price, dtype=np.int64),
        payment_usd=payment_usd,
        payment=payment,
        rate=rate,
        bands=tuple(bands.items()),
        touched=frozenset(at.touched),
    )


def _spare(
    at: _Period, found: Multipliers, p: int, terms: list[Term], deals: set[str]
) -> Iterator[Spare]:
    """What deals with lots in a pool may give back of its room, which moves by `terms`."""
    labels = at.pool_labels(p)
    of = {d: at.terms({"deal": _plain("value")}, {**labels, "deal": d}) for d in sorted(deals)}
    moving = [deal for deal, moved in of.items() if moved]
    for size in range(1, len(moving) + 1):
        for some in combinations(moving, size):
            signed = [term for deal in some for term in of[deal]]
            yield Spare(p, some, found.number([*terms, *signed]))


def _payments(at: _Period, found: Multipliers, inst: Instance, held: Held) -> tuple[Floats, Ints]:
    """Payments of new lots and what else their deals cost, USD, and their multipliers [c]."""
    st, plain = inst.starts, _plain("value")
    paid: dict[tuple[int, str, str], float] = {}
    # What an option costs is agreed on in its contract: no price factor moves it.
    agreed = inst.options.of_start >= 0
    for j in np.flatnonzero(held.lots).tolist():
        key = (int(st.pool[j]), st.deal[j], "" if agreed[j] else st.offer[j])
        paid[key] = paid.get(key, 0.0) + float(held.lots[j] * st.present_usd[j, at.t])
    out: list[tuple[float, int]] = []
    for (p, deal, offer), usd in paid.items():
        if usd:
            kinds = {**_if(offer, "price", plain), **_if(deal, "deal", plain)}
            labels = {**at.pool_labels(p), "deal": deal, "offer": offer}
            out.append((usd, found.number(at.terms(kinds, labels))))
    for deal, usd in zip(inst.rules.deals.names, held.deal_usd[:, at.t].tolist(), strict=True):
        if usd:
            out.append((usd, found.number(at.terms({"deal": plain}, {"deal": deal}))))
    return np.array([usd for usd, _ in out]), np.array([u for _, u in out], dtype=np.int64)
