"""The problem without flows near a relaxation of whole structure, and what HiGHS finds there.

It is held without the columns that are far from being used, with few lots open. An answer that
breaks lazy rows gives these to the problem, and the next is looked for near it; one that costs more
than it says teaches what flows cost there. HiGHS's own bound is not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from planner.matrix import Matrix, RowBatch
from planner.solve.bound import reduced_costs
from planner.solve.master import Relaxed
from planner.solve.prove import Leaf, Prover
from planner.solve.rounding import INTEGRAL
from planner.solve.session import Session

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
MOST_TIGHTENED = 12
"""Rounds of lazy rows at a relaxation, at most."""
NEAR = 1.0
"""Lots by which an answer may differ from the relaxation, or from the answer before it, which
broke a promise."""
FAR = 1e-3
"""Relative reduced cost of a column that is not used, from which on it is left out."""
FAIR = 0.7
"""Part of the gap asked for above what lots cost at least with a structure at which a plan there is
good enough: hardly one is cheaper."""
MENDED = 0.05
"""Part of the gap asked for that lots may cost more than those before, where those did not keep
their word."""
NODES = 1
"""Nodes of HiGHS's after which it ends: its heuristics at the root find what there is."""


class Near:
    """The problem without flows near a relaxation, as far as answers have taught it."""

    def __init__(self, prover: Prover, leaf: Leaf) -> None:
        self.prover, self.search, self.master = prover, prover.search, prover.master
        search, kept = self.search, prover.structure
        self._bounds = prover.bounds(leaf.at)
        self._low, self._high = prover.fixed(leaf)
        rank = search.order[search.integer]
        self._decides = kept | (rank > max(rank[kept], default=-1))
        self._leaf = leaf
        self._taught: list[RowBatch] = []
        self.lessons = 0
        """Rough answers that were held against promises and what flows cost."""
        self.stays = False
        """Whether the next answer is looked for near the last one."""
        self._answer: Floats | None = None

    def ask(
        self,
        steps: Sequence[tuple[int, float]],
        enough_usd: float = np.inf,
        most_usd: float = np.inf,
    ) -> Floats | None:
        """HiGHS's answer near the relaxation, or near the last answer [column].

        With few lots open: those that are fractional and those that are nearest to being used more
        or less. `steps` say how many, and at which gap HiGHS ends. Where an answer costs more than
        `enough_usd`, the next is looked for near it; none is where lots cost more than `most_usd`
        at least.
        """
        search, master, at = self.search, self.master, self.master.at
        relaxed = self.relaxed()
        if not len(relaxed.x) or relaxed.cost_usd > most_usd:
            return None
        order, m = self.order(relaxed), self.problem()
        # What costs nothing has many places; those that are used now are mostly enough.
        used = master.used() | (relaxed.x != 0.0)
        best = self._answer
        found: Floats | None = None
        for most, gap in steps:
            if not search.keep_going():
                break
            whole = relaxed.x[at] if best is None else np.round(best[at])
            held = used if best is None else used | (best != 0.0)
            rest = order[most:]
            rest = rest[np.abs(np.round(whole) - relaxed.x[at])[rest] < INTEGRAL]
            answer = self._near(m, held, whole, rest, gap, enough_usd, found)
            if answer is None:
                continue
            best = found = answer
            if float(m.objective @ found) + m.offset <= enough_usd:
                break
        if found is None and search.keep_going():
            whole = relaxed.x[at] if best is None else np.round(best[at])
            near = ~far(master.problem, relaxed.x, relaxed.y)
            found = self._near(m, near, whole, order[:0], steps[0][1], enough_usd, None)
        return found

    def _near(
        self,
        m: Matrix,
        held: Bools,
        whole: Floats,
        fixed: Ints,
        gap: float,
        enough_usd: float,
        start: Floats | None,
    ) -> Floats | None:
        """HiGHS's answer near values of the whole numbers, of which some are `fixed` there."""
        search, at = self.search, self.master.at
        low = np.maximum(self._low, np.floor(whole + INTEGRAL) - NEAR)
        high = np.minimum(self._high, np.ceil(whole - INTEGRAL) + NEAR)
        low[fixed] = high[fixed] = np.round(whole[fixed])
        held = held | m.integer | (m.lower != 0.0)
        session = Session(m, search.options.threads, search.session.stop, held)
        session.set_bounds(at, low, high)
        session.search_nearby()
        _, x = session.solve_mip(
            gap=gap,
            nodes=NODES,
            target=enough_usd if np.isfinite(enough_usd) else -np.inf,
            start=start,
            on_progress=lambda _primal, _dual: search.tell("improve"),
        )
        return x if len(x) else None

    def order(self, relaxed: Relaxed) -> Ints:
        """Whole numbers, those first that are nearest to being used more or less."""
        reduced = reduced_costs(self.master.problem, relaxed.y)[self.master.at]
        return np.argsort(np.abs(reduced), kind="stable")

    def problem(self) -> Matrix:
        """The problem without flows with all that answers have taught."""
        m = self.master.problem
        for i, batch in enumerate(self._taught):
            m = m.with_rows(replace(batch, name=f"{batch.name} {i}"))
        return m

    @property
    def mends(self) -> bool:
        """Whether the next answer is looked for near one that did not keep its word."""
        return self._answer is not None

    def tighten(self) -> None:
        """Take in lazy rows that the relaxation breaks, for some rounds at most."""
        search, master = self.search, self.master
        for _ in range(MOST_TIGHTENED):
            relaxed = self.relaxed()
            if search.lazy is None or not len(relaxed.x) or not search.keep_going():
                break
            broken = search.lazy(master.split.whole(relaxed.x), exact=True)
            if broken is None:
                break
            search.join(search.session, broken)
            self.prover.catch_up()

    @property
    def fair_usd(self) -> float:
        """Cost at which an answer is good enough: it ends the search, or hardly any is cheaper."""
        least, tolerance = self.relaxed().cost_usd, self.search.tolerance
        out = self.prover.target_usd
        return max(out, least + FAIR * tolerance * abs(least)) if np.isfinite(least) else out

    @property
    def enough_usd(self) -> float:
        """The same; after an answer that did not keep its word, hardly more than that cost."""
        out = self.fair_usd
        if self._answer is not None:
            before = self.cost_usd(self._answer)
            out = max(out, before + MENDED * self.search.tolerance * abs(before))
        return out

    def relaxed(self) -> Relaxed:
        """The relaxation with the leaf's structure, as rows are now."""
        return self.master.solve(self._low, self._high, self._leaf.relaxed.mark)

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """Bounds of the whole numbers with the leaf's structure; not to be written to."""
        return self._low, self._high

    def cost_usd(self, x: Floats) -> float:
        """What an answer costs as far as flows' costs are known."""
        m = self.master.problem
        return float(m.objective @ x) + m.offset

    def widen(self) -> bool:
        """Look near the relaxation again; False when that was so."""
        was, self._answer = self._answer, None
        return was is not None

    def keeps(self, x: Floats, *, exact: bool) -> bool:
        """Whether an answer keeps all lazy rows (not `exact`: all that are known).

        What it breaks joins the problem, and where it `stays` the next is looked for near it.
        """
        search, broken = self.search, None
        if search.lazy is not None:
            broken = search.lazy(self.master.split.whole(x), exact=exact)
        if broken is not None:
            if self.stays:
                self._answer = x
            search.join(search.session, broken)
            self.prover.catch_up()
        return broken is None

    def costs_more(self, x: Floats) -> float:
        """By how much of its cost flows cost more than an answer says; inf where none are feasible.

        The problem learns it.
        """
        if self.stays:
            self._answer = x
        # An answer that may become the plan is held against every slice.
        result = self.search.relaxed(*self._fixed(x), whole=self.stays)
        if result.status == "infeasible":
            self._taught.append(self.master.split.ray_cuts([result.y]))
        said = self.cost_usd(x)
        self.prover.catch_up()
        if result.status != "optimal":
            return np.inf
        cost = float(self.search.matrix.objective @ result.x) + self.search.matrix.offset
        return max(0.0, cost - said) / max(1.0, abs(cost))

    def learn(self, x: Floats, *, exact: bool) -> float:
        """How far an answer is from keeping its word: relative cost, inf where it breaks rows.

        `exact` holds it against all lazy rows.
        """
        return self.costs_more(x) if self.keeps(x, exact=exact) else np.inf

    def _fixed(self, x: Floats) -> tuple[Floats, Floats]:
        """Bounds of the whole numbers with those of an answer; who carries a share stays open."""
        answer = np.round(x[self.master.at])
        low, high = (np.where(self._decides, answer, side) for side in self._bounds)
        return low, high

    def finish(self, x: Floats) -> None:
        """Offer the plan of an answer."""
        self.search.finish(*self._fixed(x))


def far(m: Matrix, point: Floats, y: Floats) -> Bools:
    """Columns that are no whole numbers, not used at a relaxation and far from it [column]."""
    size = np.abs(m.objective) + abs(m.a).T @ np.abs(y)
    out: Bools = (point == 0.0) & (m.lower == 0.0) & ~m.integer
    out &= reduced_costs(m, y) > FAR * np.maximum(size, 1.0)
    return out
