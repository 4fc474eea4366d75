"""One case at any price of a subject: what it costs with the subject taken, and with it refused.

At a price factor f let V(f) be the least cost with the subject taken and W(f) that with it
refused, every column of it at 0. A solve at f stops at a plan whose cost less its gap g is at most
its proven bound, and so at most V(f) and W(f). With h(c) = c - g |c|, which rises with c:

    upper V(f) < h(lower W(f))   every plan that a solve at f can stop at takes the subject,
    h(lower V(f)) > upper W(f)   every plan that a solve at f can stop at refuses it.

Uppers are costs of plans at that price, lowers are proven there by weak duality.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from planner.case import Case
from planner.decisions.problem import (
    Compiled,
    Evidence,
    Solver,
    bound_at,
    closed,
    taken,
    with_taken,
)
from planner.decisions.subject import Columns, Subject, columns_of, priced, undecided
from planner.matrix import Matrix

Floats = npt.NDArray[np.float64]
SAME = 1e-9
"""Relative difference below which two coefficients are the same."""


@dataclass(frozen=True, eq=False)
class Probe:
    """What is known at one price factor."""

    factor: float
    """Multiplies the prices of the offers of the subject; 1 as asked."""
    with_low: float
    """Proven lower bound with the subject taken, USD."""
    with_high: float
    """Cost of a plan that takes it, USD; inf = none at hand."""
    without_low: float
    """Proven lower bound with the subject refused, USD."""
    without_high: float
    """Cost of a plan that refuses it, USD."""
    margin: float
    """g of the module's formulas."""
    slope_usd: float
    """By how much that plan's payments for the subject grow when the factor grows by 1, USD."""
    evidence: Evidence | None
    """Of the solve here; None when earlier proofs were enough."""

    @property
    def takes_below(self) -> float:
        """Cost below which a plan that takes the subject beats every solve that refuses it."""
        return self.without_low - self.margin * abs(self.without_low)

    @property
    def taken(self) -> bool:
        """Whether a solve at this price takes the subject for certain."""
        return bool(self.with_high < self.takes_below)

    @property
    def refusing(self) -> float:
        """What a plan that takes the subject costs at least, less the margin."""
        if not np.isfinite(self.with_low):
            return self.with_low
        return self.with_low - self.margin * abs(self.with_low)

    def hidden(self, cost_usd: float) -> bool:
        """Whether a solve that could refuse the subject may stop at a plan of this cost."""
        least = cost_usd - self.margin * abs(cost_usd) if np.isfinite(cost_usd) else cost_usd
        return bool(least <= self.without_high)

    @property
    def refused(self) -> bool:
        """Whether a solve at this price refuses the subject for certain."""
        return bool(self.refusing > self.without_high)


@dataclass(eq=False)
class Market:
    """Problems of a case at the prices asked for, and the evidence collected."""

    solver: Solver
    """Solves all problems, within one limit of time."""
    case: Case
    """The case at the prices asked for, the decision open."""
    subject: Subject
    """What is bought or not."""
    probes: list[Probe] = field(default_factory=list)
    """Those that were solved or asked, in that order."""
    refusals: dict[float, Evidence] = field(default_factory=dict)
    """Refusals that were solved at other prices than the one asked."""

    def __post_init__(self) -> None:
        """Compile the case at the asked price and solve it both ways."""
        self.case = undecided(self.case, self.subject)
        self.base = self.solver.compiled(self.case)
        self.columns: Columns = columns_of(self.subject, self.base.inst, self.base.matrix)
        self.matrix = with_taken(self.base.matrix, *self.columns.taking())
        self._at: dict[float, tuple[Compiled, Matrix]] = {1.0: (self.base, self.matrix)}
        self._only_costs: dict[float, bool] = {1.0: True}
        self._proofs: list[Evidence] = []
        self._relaxed: dict[float, float] = {}
        self._idle: float | None = None
        self._routed: dict[float, float] = {}
        self.without = self.solver.solve(
            self.base, closed(self.matrix, self.columns.every), f"without {self.subject}"
        )

    def at(self, factor: float) -> tuple[Compiled, Matrix]:
        """The problem at a price factor, with the row that says whether the subject is taken."""
        if factor not in self._at:
            found = self.solver.compiled(priced(self.case, self.subject, factor))
            matrix = with_taken(found.matrix, *self.columns.taking())
            self._at = {1.0: self._at[1.0], factor: (found, matrix)}
        return self._at[factor]

    def only_costs_move(self, factor: float) -> bool:
        """Whether at this factor nothing but the payments for the subject differ from factor 1.

        Then V rises with the factor and W does not move, so that what is proven at one price holds
        at every price beyond it.
        """
        if factor not in self._only_costs:
            one, other = self.matrix, self.at(factor)[1]
            free = np.ones(one.shape[1], dtype=bool)
            free[self.columns.paid] = False
            self._only_costs[factor] = bool(
                (one.objective[self.columns.paid] >= 0).all()
                and _same(one.a.data, other.a.data)
                and all(
                    _same(getattr(one, name), getattr(other, name))
                    for name in ("row_lower", "row_upper", "lower", "upper")
                )
                and _same(one.objective[free], other.objective[free])
                and _same(one.cost_offset, other.cost_offset)
            )
        return self._only_costs[factor]

    def refused_range(self, factor: float, *, solve: bool = False) -> tuple[float, float]:
        """Lower bound and cost of a plan without the subject at a price factor, USD.

        Prices of offers that are not used can still be what signed contracts are worth past the
        horizon, and stand in the bounds of what is spent. Then the refusals solved before are
        read again here; with `solve` one is solved anew where that leaves more than the gap open.
        """
        w = self.without
        if not len(w.x) or self.only_costs_move(factor):
            return w.bound_usd, w.objective_usd
        if factor in self.refusals:
            found = self.refusals[factor]
            return found.bound_usd, found.objective_usd
        problem, matrix = self.at(factor)
        shut = closed(matrix, self.columns.every)
        proofs = [w, *self.refusals.values()]
        low = max(bound_at(proof, shut) for proof in proofs)
        high = self._refused_again(factor, problem, shut)
        if not solve or high - low <= self.solver.margin * abs(high) or self.solver.out_of_time():
            return low, high
        near = min(self.refusals, key=lambda f: abs(f - factor), default=1.0)
        whole = self.refusals.get(near, w).whole
        what = f"without {self.subject}, its price at {factor:.4g}"
        found = self.solver.solve(problem, shut, what, whole, proofs)
        if not len(found.x):
            return low, high
        self.refusals[factor] = found
        return found.bound_usd, found.objective_usd

    def _refused_again(self, factor: float, problem: Compiled, shut: Matrix) -> float:
        """Cost of the plan without the subject at another price, routed anew where it must be."""
        w = self.without
        inside = (w.x >= shut.lower - SAME).all() and (w.x <= shut.upper * (1 + SAME) + SAME).all()
        sides = _same(self.matrix.row_lower, shut.row_lower)
        sides = sides and _same(self.matrix.row_upper, shut.row_upper)
        if inside and sides and _same(self.matrix.a @ w.x, shut.a @ w.x):
            return float(shut.objective @ w.x) + shut.offset
        if factor not in self._routed:
            what = f"without {self.subject} again"
            self._routed[factor] = self.solver.routed(problem, shut, w.whole, what).objective_usd
        return self._routed[factor]

    def slope(self, x: Floats) -> float:
        """Payments for the subject in a plan at the asked price, present USD."""
        if not len(x):
            return 0.0
        paid = self.columns.paid
        return float(self.matrix.objective[paid] @ x[paid])

    def known(self, factor: float) -> Probe:
        """What the proofs at hand say of a price, nothing solved."""
        matrix = taken(self.at(factor)[1])
        low = max((bound_at(proof, matrix) for proof in self._proofs), default=-np.inf)
        return self._note(factor, low, np.inf, 0.0, None)

    def solved(self, factor: float, whole: Floats | None = None) -> Probe:
        """Solve a price with the subject taken; `whole` is a guess of the whole numbers."""
        problem, matrix = self.at(factor)
        what = f"with {self.subject} at {factor:.4g} of its price"
        found = self.solver.solve(problem, taken(matrix), what, whole, self._proofs)
        if found.nodes:
            self._proofs.append(found)
        slope = self.slope(found.x)
        self.refused_range(factor, solve=True)
        return self._note(factor, found.bound_usd, found.objective_usd, slope, found)

    def relaxed(self, factor: float) -> float:
        """Bound of the relaxation with the subject taken at a price, USD; kept as a proof."""
        if factor not in self._relaxed:
            matrix = taken(self.at(factor)[1])
            what = f"{self.subject} at {factor:.4g} of its price, relaxation"
            found = self.solver.relaxed(matrix, what)
            self._proofs.append(found)
            self._relaxed[factor] = found.bound_usd
        return self._relaxed[factor]

    def idle_usd(self) -> float:
        """Cost of the plan without the subject and the deal signed for nothing; inf = no deal.

        Nothing is bought, so that it costs the same at every price.
        """
        whole = self.guess()
        if not len(self.columns.sign) or whole is None:
            return np.inf
        if self._idle is not None:
            return self._idle
        shut = closed(taken(self.matrix), self.columns.paid)
        what = f"{self.subject} signed for nothing"
        self._idle = self.solver.routed(self.base, shut, whole, what).objective_usd
        return self._idle

    def guess(self) -> Floats | None:
        """Whole numbers of the plan without the subject, and the deal signed at once."""
        if not len(self.without.x):
            return None
        x = self.without.x.copy()
        if len(self.columns.sign):
            x[self.columns.sign[0]] = 1.0
        out: Floats = x[self.matrix.integer]
        return out

    def routed(self, factor: float, whole: Floats) -> Probe:
        """A plan's whole numbers at another price, routed anew."""
        problem, matrix = self.at(factor)
        what = f"a plan with {self.subject} at {factor:.4g} of its price"
        found = self.solver.routed(problem, taken(matrix), whole, what)
        return self._note(factor, -np.inf, found.objective_usd, self.slope(found.x), found)

    def _note(
        self, factor: float, low: float, high: float, slope: float, evidence: Evidence | None
    ) -> Probe:
        without_low, without_high = self.refused_range(factor)
        probe = Probe(
            factor, low, high, without_low, without_high, self.solver.margin, slope, evidence
        )  # fmt: skip
        self.probes.append(probe)
        return probe


def _same(one: Floats, other: Floats) -> bool:
    """Whether two arrays agree but for rounding."""
    if one.shape != other.shape:
        return False
    with np.errstate(invalid="ignore"):
        off = np.abs(one - other) > SAME * np.maximum(1.0, np.abs(one))
    return not bool((off & (one != other)).any())
