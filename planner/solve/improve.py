"""Plans from lots and placements that HiGHS finds near a relaxation or the best plan.

It looks in the problem without its flows (`planner.solve.master`), where a relaxation takes little:
near a leaf's relaxation whose structure is whole, without the columns that are far from being used.
Lazy rows that the relaxation breaks join first. An answer that breaks some gives these to the
problem, and the next is looked for near it; one that breaks none is settled in the whole problem.
HiGHS's own bound is not used. Where that found nothing, it looks among the columns that the search
holds, the plan's structure kept (`improve`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from planner.matrix import Matrix, RowBatch
from planner.solve.bound import reduced_costs
from planner.solve.branch import Search
from planner.solve.prove import Leaf, Prover
from planner.solve.rounding import INTEGRAL
from planner.solve.session import Session

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
SHARE = 0.5
"""Share of the remaining time."""
MOST_LESSONS = 12
"""Rough answers near one leaf, and rounds of lazy rows at its relaxation, at most."""
MOST_ROUNDS = 30
"""Times that HiGHS is asked for lots, at most."""
NEAR = 1.0
"""Lots by which an answer may differ from the relaxation, or from the answer before it, which
broke a promise."""
FAR = 1e-3
"""Relative reduced cost of a column that is not used, from which on it is left out."""
STEPS = ((500, 0.5), (300, 0.1))
"""Whole numbers that may differ from where they are, of those nearest to it by reduced cost, and
part of the gap asked for at which HiGHS ends (the bound of its relaxation is not yet ours): at
first, and near the answer before where that costs too much."""
ROUGH = 5e-3
"""Gap at which HiGHS ends at first."""
ROUGH_STEPS = ((350, ROUGH), (500, ROUGH))
"""Open whole numbers, and the gap itself, of rough answers."""
FIRST = 1e-2
"""Relative cost above the least known at which lots are no longer looked for where there is no plan
yet; the gap asked for, where there is one."""
FAIR = 0.7
"""Part of the gap asked for above what lots cost at least with a structure at which a plan there is
good enough: hardly one is cheaper."""
MENDED = 0.05
"""Part of the gap asked for that lots may cost more than those before, where those did not keep
their word."""
SURE = 0.2
"""Part of the gap asked for by which flows may cost more than an answer says."""
NODES = 1
"""Nodes of HiGHS's after which it ends: its heuristics at the root find what there is."""


def improve(search: Search, placements: int) -> None:
    """Improve the best plan, keeping its columns of ranks below `placements`; offer what is found.

    The session's bounds are not what they were afterwards.
    """
    since = time.perf_counter()
    m, integer = search.matrix, search.integer
    low, high = m.lower[integer].copy(), m.upper[integer].copy()
    if len(search.best_x):
        kept = search.order[integer] < placements
        low[kept] = high[kept] = np.round(search.best_x[integer][kept])
    search.session.set_bounds(integer, low, high)
    left_s = search.session.stop.left_s
    _, x = search.session.solve_mip(
        gap=search.tolerance,
        time_limit_s=None if left_s is None else SHARE * left_s,
        start=search.best_x if len(search.best_x) else None,
        on_progress=lambda primal, _dual: search.tell("improve", min(search.best, primal)),
    )
    if len(x):
        search.settle(np.round(x[integer]))
    search.timed("improve", since)
    search.tell("improve")


def teach(prover: Prover, leaf: Leaf) -> bool:
    """Learn what flows cost at whole lots near a leaf's relaxation whose structure is whole.

    From rough answers of HiGHS's, which take a fraction of a second each. Without a plan yet, or
    where it is cheap enough to end the search, the last of them becomes one. The session's bounds
    are not what they were afterwards. False where there is more to learn: every answer broke a
    promise, or cost more than it said.
    """
    search, since = prover.search, time.perf_counter()
    first = not np.isfinite(search.best)
    near = Near(prover, leaf)
    rise = max(search.tolerance, FIRST) if first else search.tolerance
    most_usd = prover.least + rise * abs(prover.least)
    point = _rough(search, near, exact=first, most_usd=most_usd)
    if point is not None and (first or near.cost_usd(point) <= prover.target_usd):
        near.finish(point)
    search.timed("improve", since)
    search.tell("improve")
    return point is not None or near.lessons < MOST_LESSONS


def _rough(search: Search, near: Near, *, exact: bool, most_usd: float = np.inf) -> Floats | None:
    """Learn from rough answers until one keeps its word, which is returned.

    It ends where lots are known to cost more than `most_usd`.
    """
    for _ in range(MOST_LESSONS):
        point = near.ask(ROUGH_STEPS, most_usd=most_usd) if search.keep_going() else None
        if point is None:
            break
        near.lessons += 1
        if near.learn(point, exact=exact) < SURE * search.tolerance:
            return point
        search.tell("improve")
    return None


def plan_near(prover: Prover, leaf: Leaf) -> None:
    """Offer a plan near a leaf's relaxation, with its structure, which has to be whole.

    The session's bounds are not what they were afterwards.
    """
    search, since = prover.search, time.perf_counter()
    near = Near(prover, leaf)
    # Promises that break at the relaxation and at rough answers are found in a tenth of the time.
    near.tighten()
    _rough(search, near, exact=True)
    near.stays = True
    steps = tuple((most, part * search.tolerance) for most, part in STEPS)
    for _ in range(MOST_ROUNDS):
        if not search.keep_going():
            break
        # Near an answer that did not keep its word few need to differ.
        point = near.ask(steps[1:] if near.mends else steps, near.enough_usd)
        if point is None:
            if not near.widen():
                break
        elif near.learn(point, exact=True) < SURE * search.tolerance:
            near.finish(point)
            break
        search.tell("improve")
    search.timed("improve", since)
    search.tell("improve")


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
        relaxed = master.solve(self._low, self._high, self._leaf.relaxed.mark)
        if not len(relaxed.x) or relaxed.cost_usd > most_usd:
            return None
        m = master.problem
        order = np.argsort(np.abs(reduced_costs(m, relaxed.y)[at]), kind="stable")
        for i, batch in enumerate(self._taught):
            m = m.with_rows(replace(batch, name=f"{batch.name} {i}"))
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

    @property
    def mends(self) -> bool:
        """Whether the next answer is looked for near one that did not keep its word."""
        return self._answer is not None

    def tighten(self) -> None:
        """Take in lazy rows that the relaxation breaks, for some rounds at most."""
        search, master = self.search, self.master
        for _ in range(MOST_LESSONS):
            relaxed = master.solve(self._low, self._high, self._leaf.relaxed.mark)
            if search.lazy is None or not len(relaxed.x) or not search.keep_going():
                break
            broken = search.lazy(master.split.whole(relaxed.x), exact=True)
            if broken is None:
                break
            search.join(search.session, broken)
            self.prover.catch_up()

    @property
    def enough_usd(self) -> float:
        """Cost at which an answer is good enough: it ends the search, or hardly any is cheaper.

        After one that did not keep its word, hardly more than that cost.
        """
        least = self.master.solve(self._low, self._high, self._leaf.relaxed.mark).cost_usd
        tolerance = self.search.tolerance
        out = self.prover.target_usd
        if np.isfinite(least):
            out = max(out, least + FAIR * tolerance * abs(least))
        if self._answer is not None:
            before = self.cost_usd(self._answer)
            out = max(out, before + MENDED * tolerance * abs(before))
        return out

    def cost_usd(self, x: Floats) -> float:
        """What an answer costs as far as flows' costs are known."""
        m = self.master.problem
        return float(m.objective @ x) + m.offset

    def widen(self) -> bool:
        """Look near the relaxation again; False when that was so."""
        was, self._answer = self._answer, None
        return was is not None

    def learn(self, x: Floats, *, exact: bool) -> float:
        """How far an answer is from keeping its word: relative cost, inf where it breaks rows.

        What it breaks joins the problem; where it breaks nothing, what flows cost there. `exact`
        holds it against all lazy rows.
        """
        search, master = self.search, self.master
        broken = None
        if search.lazy is not None:
            broken = search.lazy(master.split.whole(x), exact=exact)
        if self.stays:
            self._answer = x
        if broken is not None:
            search.join(search.session, broken)
            self.prover.catch_up()
            return np.inf
        # An answer that may become the plan is held against every slice.
        result = search.relaxed(*self._fixed(x), whole=self.stays)
        if result.status == "infeasible":
            self._taught.append(master.split.ray_cuts([result.y]))
        said = self.cost_usd(x)
        self.prover.catch_up()
        if result.status != "optimal":
            return np.inf
        cost = float(search.matrix.objective @ result.x) + search.matrix.offset
        return max(0.0, cost - said) / max(1.0, abs(cost))

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
