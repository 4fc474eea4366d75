"""The elastic problem: the same rows, with a column for every knob that relaxes them.

It is built from the case with more supply and without most lots, so that the bounds which the
model derives from them (rooms, big-M, which lots can exist) leave space; rows put the true limits
back, with the knob in them. With all knobs at 0 it has a point exactly when the case has a plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.case import Case
from planner.equations import Equation
from planner.equations.diversification import chip_weights, spend_limit
from planner.explain.conflict_words import ROWS
from planner.explain.knobs import Key, Knob, knobs_of, limit_of, offer_of_start
from planner.instance import Instance, build_instance
from planner.instance.procurement import delivered_share
from planner.instance.rule_arrays import groups
from planner.matrix import Matrix
from planner.redundancy.problem import compiled_problem
from planner.throughput.rates import Rates, rates_of

Floats = npt.NDArray[np.float64]
WHOLE = 1e9
"""What moving a knob by its scale costs in the elastic problem, so that the solver's absolute
tolerances fit (it sees USD in millions)."""
NOTHING = 0.01
"""Price of moving no knob, so that a relative gap means something where nothing is relaxed."""


def loosened(case: Case, inst: Instance) -> Case:
    """The case with every supply row raised by the largest pool, and no most lots of offers."""
    extra = float(inst.pools.limit.max(initial=1.0))
    held = float(inst.pools.existing.max(initial=0.0))
    supply = tuple(
        row.model_copy(update={"chips": max(row.chips, held) + extra}) for row in case.supply
    )
    offers = tuple(offer.model_copy(update={"max_lots": None}) for offer in case.offers)
    return replace(case, supply=supply, offers=offers)


@dataclass
class Elastic:
    """Rows with all knobs at 0, and where each knob enters."""

    case: Case
    """The case as it was asked about."""
    inst: Instance
    """The instance of the case itself."""
    raised: Instance
    """The instance that the rows are built from: its starts are those of the columns."""
    rates: Rates
    """Rates of the case, at hand for the next instance."""
    base: Matrix
    """The rows, without cost, knobs left out."""
    knobs: list[Knob]
    """Everything that can be relaxed."""
    rows: npt.NDArray[np.int64]
    """Row of each entry of a knob."""
    columns: npt.NDArray[np.int64]
    """Knob of each entry."""
    values: Floats
    """Coefficient of each entry: units of the row by one unit of the knob."""
    shares: dict[int, tuple[str, int, int]]
    """Row of a hard share rule -> measure, rule and period."""

    def matrix(self, free: Collection[int] | None = None) -> Matrix:
        """The elastic problem: least price of moving the knobs, USD for the solver's sake.

        Only the knobs in `free` move when it is given.
        """
        m, n, k = *self.base.shape, len(self.knobs)
        entries = sp.csc_array((self.values, (self.rows, self.columns)), shape=(m, k))
        most = np.array([knob.most for knob in self.knobs])
        if free is not None:
            most = np.where(np.isin(np.arange(k), list(free)), most, 0.0)
        price = np.array([knob.price * WHOLE for knob in self.knobs])
        return replace(
            self.base,
            cost=np.concatenate([np.zeros(n), price])[None, :],
            cost_offset=np.array([NOTHING * WHOLE]),
            a=sp.csc_array(sp.hstack([self.base.a, entries])),
            lower=np.concatenate([self.base.lower, np.zeros(k)]),
            upper=np.concatenate([self.base.upper, most]),
            integer=np.concatenate(
                [self.base.integer, [knob.unit in ("lots", "members") for knob in self.knobs]]
            ),
            columns={**self.base.columns, "loosen": slice(n, n + k)},
            column_index={**self.base.column_index, "loosen": tuple(range(k))},
        )

    def label(self, row: int) -> tuple[str, Any]:
        """Constraint of a row and its index there."""
        for name, block in self.base.rows.items():
            if block.start <= row < block.stop:
                return name, self.base.row_index[name][row - block.start]
        raise IndexError(row)

    def knobs_in(self, row: int) -> list[int]:
        """Knobs that enter a row."""
        return [int(i) for i in self.columns[self.rows == row]]

    def rows_of(self, knob: int) -> list[int]:
        """Rows that a knob enters."""
        return [int(i) for i in self.rows[self.columns == knob]]

    def totals(self, x: Floats) -> dict[int, tuple[float, float]]:
        """Row of a share rule -> the member's part and the whole of the measure at a point."""
        measured = {name: self._measured(x, name) for name, _, _ in self.shares.values()}
        members = self.raised.rules.shares.member
        return {
            row: (float(measured[name][members[n], t].sum()), float(measured[name][:, t].sum()))
            for row, (name, n, t) in self.shares.items()
        }

    def _measured(self, x: Floats, measure: str) -> Floats:
        """A measure of shares at a point [p, t], as `planner.equations.diversification` has it."""
        raised, base = self.raised, self.base
        out = np.zeros(raised.pools.supply.shape)
        if measure in ("spend", "served"):
            for (p, t), value in base.values(x, measure).items():
                out[p, t] = value
            return out
        weight = chip_weights(raised, measure)
        for (p, t), value in base.values(x, "contracted").items():
            out[p, t] = value
        if measure == "chips":
            for (v, t, s), value in base.values(x, "hourly").items():
                out[raised.pay.pool[v], t] += value * raised.time.slice_hours[s] / 168.0
        return weight[:, None] * out

    def scaled(self, totals: dict[int, tuple[float, float]]) -> Elastic:
        """The same with the coefficients of share rules taken at the totals of a point."""
        values = self.values.copy()
        for i, row in enumerate(self.rows.tolist()):
            if row in totals and totals[row][1] > 0:
                values[i] = -totals[row][1]
        return replace(self, values=values)


def build_elastic(case: Case, equations: Iterable[Equation] = ()) -> Elastic:
    """The elastic problem of a case; `equations` are added to the registered ones."""
    rates = rates_of(case)
    inst = build_instance(case, rates)
    raised = build_instance(loosened(case, inst), rates)
    compiled = compiled_problem(raised, equations)[0]
    base, placed = _true_limits(case, inst, raised, compiled)
    by_key = knobs_of(case, inst, raised)
    build = _Entries(case, inst, raised, base, list(by_key), list(by_key.values()))
    build.rules()
    build.granted(placed)
    build.own_equations()
    return Elastic(
        case, inst, raised, rates, base, build.knobs,
        np.array(build.row, dtype=np.int64), np.array(build.knob, dtype=np.int64),
        np.array(build.value, dtype=float), build.shares,
    )  # fmt: skip


Added = tuple[str, Any, int, float, float, Key, bool]
"""A row to add: name, index, column, coefficient, upper side, its knob, whether that relaxes it."""


def _true_limits(
    case: Case, inst: Instance, raised: Instance, m: Matrix
) -> tuple[Matrix, list[tuple[Key, bool]]]:
    """The compiled rows with the case's own supply and most lots put back.

    Returns, for each row that was added, the knob that relaxes it and whether it does.
    """
    upper, row_upper = m.upper.copy(), m.row_upper.copy()
    hourly = m.columns["hourly"].start
    for i, (v, t, _) in enumerate(m.column_index["hourly"]):
        upper[hourly + i] = inst.pay.max_chips[v, t]
    added = [*_supply_rows(case, inst, raised, m), *_most_lots(case, raised, m)]
    start, n, k = *m.shape, len(added)
    names, index = dict(m.rows), dict(m.row_index)
    for name in dict.fromkeys(row[0] for row in added):
        mine = [i for i, row in enumerate(added) if row[0] == name]
        names[name] = slice(start + mine[0], start + mine[-1] + 1)
        index[name] = tuple(added[i][1] for i in mine)
    columns = np.array([row[2] for row in added], dtype=np.int64)
    coefficients = np.array([row[3] for row in added], dtype=float)
    extra = sp.csc_array((coefficients, (np.arange(k), columns)), shape=(k, n))
    allotted = inst.pools.allotted
    by_pool = [
        (names[name].start + i, int(key[0]), int(key[1]))
        for name in ("supply", "supply_contracts")
        for i, key in enumerate(index.get(name, ()))
    ]
    for row, p, t in by_pool:
        if row < start:
            row_upper[row] = allotted[p, t]
    base = replace(
        m,
        cost_terms=("price",),
        cost=np.zeros((1, n)),
        cost_offset=np.zeros(1),
        a=sp.csc_array(sp.vstack([m.a, extra]) + _kept(inst, raised, m, by_pool, start + k)),
        row_lower=np.concatenate([m.row_lower, np.full(k, -np.inf)]),
        row_upper=np.concatenate([row_upper, np.array([row[4] for row in added], dtype=float)]),
        upper=upper,
        rows=names,
        row_index=index,
    )
    return base, [(row[5], row[6]) for row in added]


def _kept(
    inst: Instance, raised: Instance, m: Matrix, by_pool: list[tuple[int, int, int]], rows: int
) -> sp.csc_array:
    """What renewals bring beyond supply, in the supply rows: -kept[p,t] * delivered[j,t].

    As `planner.equations.options.renewed_supply` has it; with more supply there is none.
    """
    pools, starts, lots = inst.pools, raised.starts, m.columns["lots"].start
    entries: list[tuple[int, int, float]] = []
    for row, p, t in by_pool:
        if (beyond := pools.limit[p, t] - pools.allotted[p, t]) > 0:
            kept = beyond / pools.renewable[p, t]
            renewing = raised.options.renews & (starts.pool == p) & (starts.active[:, t] > 0)
            for j in np.flatnonzero(renewing).tolist():
                chips = float(starts.lot_chips[j] * starts.active[j, t])
                entries.append((row, lots + j, -float(kept) * chips))
    at, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
    where = (np.array(at, dtype=np.int64), np.array(columns, dtype=np.int64))
    return sp.csc_array((np.array(values, dtype=float), where), shape=(rows, m.shape[1]))


def _supply_rows(case: Case, inst: Instance, raised: Instance, m: Matrix) -> Iterable[Added]:
    """Supply where the bound of a column said it: contracts without hours, ramps past the end."""
    allotted, room = inst.pools.allotted, raised.pools.allotted
    supplied = {(p, t) for p, t, _ in m.row_index.get("supply", ())}
    first = m.columns["contracted"].start
    for i, (p, t) in enumerate(m.column_index["contracted"]):
        if room[p, t] > allotted[p, t] and (p, t) not in supplied:
            most = float(allotted[p, t])
            yield "supply_contracts", (p, t), first + i, 1.0, most, ("supply", p), True
    starts, first = raised.starts, m.columns["lots"].start
    last = np.where(raised.options.of_start < 0, starts.active[:, -1], 0.0)
    for j in np.flatnonzero((last > 0) & (last < 1)).tolist():
        # Room in the horizon has rows; past it the last period's room holds (`most_lots`).
        begun, term = int(starts.period[j]), int(starts.term_periods[j])
        ramp = case.offers[offer_of_start(case, raised, j)].ramp
        late = delivered_share(ramp, begun, term, begun + term)[starts.active.shape[1] :]
        p, size = int(starts.pool[j]), float(starts.lot_chips[j] * late.max(initial=0.0))
        if size > 0:
            yield "supply_lots", j, first + j, size, float(allotted[p, -1]), ("supply", p), True


def _most_lots(case: Case, raised: Instance, m: Matrix) -> Iterable[Added]:
    """Most lots of the offers that have such a limit; options have rows of their own."""
    first = m.columns["lots"].start
    for j in np.flatnonzero(raised.options.of_start < 0).tolist():
        row = offer_of_start(case, raised, j)
        most = case.offers[row].max_lots
        if most is not None:
            yield "offer_most_lots", j, first + j, 1.0, float(most), ("max_lots", row), True


class _Entries:
    """Collects where the knobs enter the rows."""

    def __init__(
        self, case: Case, inst: Instance, raised: Instance, base: Matrix,
        keys: list[Key], knobs: list[Knob],
    ) -> None:  # fmt: skip
        self.case, self.inst, self.raised, self.base = case, inst, raised, base
        self.at, self.knobs = {key: i for i, key in enumerate(keys)}, knobs
        self.row: list[int] = []
        self.knob: list[int] = []
        self.value: list[float] = []
        self.shares: dict[int, tuple[str, int, int]] = {}

    def put(self, row: int, key: Key, value: float) -> None:
        """A knob in a row; nothing when the case has no such knob."""
        if key in self.at and value:
            self.row.append(row)
            self.knob.append(self.at[key])
            self.value.append(value)

    def each(self, name: str) -> Iterable[tuple[int, Any]]:
        """Rows of a constraint with their indices; none when the model has no such rows."""
        if name in self.base.rows:
            yield from enumerate(self.base.row_index[name], self.base.rows[name].start)

    def rules(self) -> None:
        """Our own rules: limits, promises, engineers."""
        case, raised = self.case, self.raised
        of = {
            kind: limit_of(case, raised, kind) for kind in ("share", "power", "budget", "placement")
        }
        for row, (n, _t, _s) in self.each("power"):
            self.put(row, ("limit", of["power"][n]), -1.0)
        for row, (n, _t) in self.each("budget"):
            self.put(row, ("limit", of["budget"][n]), -1.0)
        for measure in ("spend", "served", "chips", "training_peak"):
            whole = self._whole(measure) if f"share_{measure}" in self.base.rows else None
            for row, (n, t) in self.each(f"share_{measure}"):
                self.put(
                    row, ("limit", of["share"][n]), -float(whole[t]) if whole is not None else 0
                )
                if ("limit", of["share"][n]) in self.at:
                    self.shares[row] = (measure, n, t)
        hours, peak = raised.time.slice_hours, raised.serving.peak
        plain = peak / raised.serving.headroom[:, None, None]
        for row, (n, _i, t) in self.each("placement_share"):
            mine = raised.rules.placement.workloads[n]
            wanted = float(np.einsum("ws,s->", peak[mine, t], hours))
            self.put(row, ("limit", of["placement"][n]), wanted)
        for row, (n, _t) in self.each("placement_members_least"):
            self.put(row, ("count", of["placement"][n]), 1.0)
        for row, _t in self.each("engineers_limit"):
            self.put(row, ("engineers",), -1.0)
        promise = {(s.service_class, s.kind, s.dimension): i for i, s in enumerate(case.survival)}
        losses = [
            rule
            for rule in case.contingencies
            for _ in groups(raised.pools, rule.dimension, rule.member)
        ]
        for row, (k, w, t, s) in self.each("cover_demand"):
            name = (raised.serving.service_class[w], losses[k].kind, losses[k].dimension)
            self.put(row, ("survival", promise[name]), float(plain[w, t, s]))

    def _whole(self, measure: str) -> Floats:
        """A first guess at the whole of a measure [t]: what is signed, or part of what can be."""
        pools, inst = self.inst.pools, self.inst
        if measure == "spend":
            signed = inst.contracts.payment_usd.sum(axis=0)
            out: Floats = np.maximum(signed, 1e-3 * spend_limit(inst).sum(axis=0))
        elif measure == "served":
            worth = inst.serving.reference_chips_per_rate
            out = np.einsum("wts,w->t", inst.serving.mean, worth) / inst.serving.mean.shape[2]
        else:
            weight = chip_weights(inst, measure)
            out = np.maximum(weight @ pools.existing, 0.25 * (weight @ pools.limit))
        return np.maximum(out, 1e-9)

    def granted(self, placed: list[tuple[Key, bool]]) -> None:
        """What others grant: supply, install limits, lots."""
        more = self.raised.pools.allotted > self.inst.pools.allotted
        for row, (p, t, _s) in self.each("supply"):
            self.put(row, ("supply", p), -1.0 if more[p, t] else 0.0)
        start = self.base.shape[0] - len(placed)
        for i, (key, moves) in enumerate(placed):
            self.put(start + i, key, -1.0 if moves else 0.0)
        for row, (g, _t) in self.each("install"):
            self.put(row, ("install", g), -1.0)
        for row, j in self.each("lots_least"):
            self.put(row, ("min_lots", offer_of_start(self.case, self.raised, j)), 1.0)

    def own_equations(self) -> None:
        """Two knobs for every constraint that is not the planner's own: all its rows give way."""
        absolute, span = abs(self.base.a), np.minimum(np.abs(self.base.upper), 1e12)
        for name, block in self.base.rows.items():
            if name in ROWS:
                continue
            reach = float((absolute[block] @ span).max(initial=0.0))
            for words, sides, sign in (
                ("at least", self.base.row_lower, 1.0),
                ("at most", self.base.row_upper, -1.0),
            ):
                held = np.flatnonzero(np.isfinite(sides[block])) + block.start
                if not len(held):
                    continue
                size = float(np.abs(sides[held]).max())
                key: Key = ("equation", name, words)
                self.at[key] = len(self.knobs)
                self.knobs.append(
                    Knob("", (), "", f"own equation '{name}' ({words})", "", -int(sign),
                         float(sides[held[0]]), max(size, 1.0), size + reach)
                )  # fmt: skip
                for row in held.tolist():
                    self.put(row, key, sign)
