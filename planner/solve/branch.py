"""Branch and dive: best-first branching with hot relaxations, a dive for plans, own bounds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from planner.errors import InfeasibleError, UnprovenError
from planner.matrix import Matrix, RowBatch
from planner.solve.certificate import give_proof, node_bounds
from planner.solve.dive import Dive
from planner.solve.lp import Basis, LpResult
from planner.solve.master import Master
from planner.solve.merged_session import MergedSession
from planner.solve.merged_week import Week
from planner.solve.options import Event, LazyRows, Progress, SolveOptions, relative_gap
from planner.solve.root import relaxed_root, rounds_without_flows
from planner.solve.rounding import fractional
from planner.solve.session import Session
from planner.solve.sift import sifted
from planner.solve.tree import Tree

Floats = npt.NDArray[np.float64]
EXACT = 1e-9
"""Relative gap that counts as none: what double precision can tell."""
ROUND_GAIN = 2e-3
"""Part of the gap that a round of lazy rows has to close, or a bound does without more."""
NO_RISE = 1e-6
"""Relative cost by which rounding what a plan leaves open may be dearer than its relaxation."""
MOST_DUALS = 100
"""Relaxations whose duals are kept."""
DIVE_EVERY = 25
"""A dive from every so many nodes, besides the root."""


@dataclass
class Search:
    """State of a search; the result is in `best_x`, `best` and the `tree`."""

    session: Session
    options: SolveOptions
    progress: Progress
    order: npt.NDArray[np.int64]
    """Rank of each column: the lowest is branched and rounded first."""
    lazy: LazyRows | None = None
    """Rows that join where a point violates them."""
    probed: AbstractSet[int] = frozenset()
    """Ranks whose columns a dive rounds one at a time, trying the choices that exclude it."""
    sift: bool = False
    """Whether the search and its dives begin without the columns that are far from being used."""
    parts: bool = False
    """Whether it may go on without flows (`planner.solve.parts`): duals are kept for that."""
    week: Week | None = None
    """Slices that may be merged for the root of a problem that goes on without flows."""
    started: float = field(default_factory=time.perf_counter)
    known: float = -np.inf
    """Lower bound that is proven elsewhere, USD; it counts for the gap alone."""
    tree: Tree = field(default_factory=Tree)
    best_x: Floats = field(default_factory=lambda: np.zeros(0))
    best: float = np.inf
    phases: dict[str, float] = field(default_factory=dict)
    iterations: int = 0
    duals: deque[Floats] = field(default_factory=lambda: deque(maxlen=MOST_DUALS))
    """Row duals of the last relaxations [row at that time], where it may go on without flows."""
    root_basis: Basis | None = None
    """Basis of the root's relaxation, where it was solved, or of one like it before that."""
    merged: bool = False
    """Whether the root's relaxation is that of merged slices (`planner.solve.root`)."""
    root_duals: Floats = field(default_factory=lambda: np.zeros(0))
    """Row duals of the root's relaxation, where it was solved."""
    best_basis: Basis | None = None
    """Basis of the relaxation that settled the best plan."""

    def __post_init__(self) -> None:
        self.integer = np.flatnonzero(self.matrix.integer)
        self._batches: list[RowBatch] = []
        self._held = 0
        # A plan from another problem is no reason not to look for one here.
        self._dived = False
        self.lessons: MergedSession | None = None
        """The problem with slices of the week merged, where they were."""
        self._taught = 0
        self._near_lessons = False
        self.master: Master | None = None
        """The problem without its flows, where it was made."""

    @property
    def matrix(self) -> Matrix:
        """The problem with the rows that have joined it."""
        return self.session.matrix

    # -- what is known so far -------------------------------------------------------------

    @property
    def bound(self) -> float:
        """Least bound over the leaves, USD."""
        return self.tree.bound

    @property
    def gap(self) -> float:
        """Relative gap so far, to what is proven here or elsewhere."""
        bound = max(self.bound, self.known)
        return relative_gap(self.best, bound) if np.isfinite(self.best) else np.inf

    @property
    def tolerance(self) -> float:
        """Relative gap at which to stop."""
        return max(self.options.gap, EXACT)

    def keep_going(self) -> bool:
        """Whether neither the limit nor an interruption says stop."""
        return not self.session.stop.is_set()

    def tell(self, phase: str, objective: float | None = None) -> None:
        """Report progress; `objective` is that of the best plan unless given."""
        best = self.best if objective is None else objective
        self.progress(
            Event(
                seconds=time.perf_counter() - self.started,
                phase=phase,
                objective_usd=best if np.isfinite(best) else None,
                bound_usd=self.bound if np.isfinite(self.bound) else None,
            )
        )

    def timed(self, phase: str, since: float) -> None:
        """Add the seconds since then to a phase."""
        self.phases[phase] = self.phases.get(phase, 0.0) + time.perf_counter() - since

    # -- nodes ------------------------------------------------------------------------------

    def _solve_node(self, at: int) -> LpResult:
        """Relaxation of a node; notes its duals and its bound."""
        low, high = node_bounds(self.matrix, self.tree.nodes, at)
        self.session.set_bounds(self.integer, low[self.integer], high[self.integer])
        result = relaxed_root(self) if at == 0 else self.session.solve_lp()
        if at == 0 and rounds_without_flows(self):
            # Rows that it still breaks are found without flows, where that costs little.
            self.note(result)
        else:
            result = self.tighten(self.session, result, exact=at == 0, enough=ROUND_GAIN)
        give_proof(self.matrix, self.tree.nodes, at, result.y, result.status == "infeasible")
        return result

    def tighten(
        self, session: Session, result: LpResult, *, exact: bool, enough: float = 0.0
    ) -> LpResult:
        """Add the lazy rows that a relaxation violates and solve again until there are none.

        With `enough`, until two rounds in a row lift the cost by less than that part of the gap
        asked for: what a bound needs, but not a plan.
        """
        self.note(result)
        slow = 0
        while self.lazy is not None and result.status == "optimal" and self.keep_going():
            batch = self.lazy(result.x, exact=exact)
            if batch is None:
                break
            before = float(self.matrix.objective @ result.x)
            self.join(session, batch)
            result = session.solve_lp()
            self.note(result)
            self.tell("rounds")
            if enough and result.status == "optimal":
                now = float(self.matrix.objective @ result.x)
                slow = slow + 1 if now - before < enough * self.tolerance * abs(now) else 0
                if slow == 2:
                    break
        return result

    def note(self, result: LpResult) -> None:
        """Count a relaxation's iterations, and keep its duals for `planner.solve.flows`."""
        self.iterations += result.iterations
        if self.parts and result.status == "optimal":
            self.duals.append(result.y)

    def _catch_up(self) -> None:
        """Give the search's own session the rows that joined another one."""
        for batch in self._batches[self._held :]:
            self.session.add_rows(batch)
        self._held = len(self._batches)

    def offer(self, x: Floats, session: Session) -> None:
        """Take x, at which a session ended, if it is the cheapest and violates no lazy row.

        Whoever tightened it may have been stopped in the middle. Rows that it violates join.
        """
        cost = float(self.matrix.objective @ x) + self.matrix.offset
        if cost >= self.best:
            return
        basis = session.basis()
        broken = None if self.lazy is None else self.lazy(x, exact=True)
        if broken is None:
            self.best, self.best_x, self.best_basis = cost, x, basis
        else:
            self.join(session, broken)

    def join(self, session: Session, batch: RowBatch) -> None:
        """Let lazy rows join a session, and the search's own later if it is another."""
        session.add_rows(batch)
        self._batches.append(batch)
        self._held += session is self.session

    def _dive(self, result: LpResult, at: int) -> None:
        since = time.perf_counter()
        self._dived = True
        low, high = node_bounds(self.matrix, self.tree.nodes, at)
        inner = self.session
        if self.sift:
            inner = sifted(self.session, result)
            inner.keep_costs()

        def tighten(result: LpResult, *, exact: bool) -> LpResult:
            return self.tighten(inner, result, exact=exact)

        found = Dive(inner, self.order, self.keep_going, tighten, self.probed).run(
            result, low[self.integer], high[self.integer]
        )
        if found is not None:
            self.offer(found.x, inner)
        self._catch_up()
        self.timed("dive", since)
        self.tell("dive")

    def settle(self, whole: Floats, session: Session | None = None) -> LpResult:
        """Offer the cheapest plan with these whole numbers, if there is one; say what came of it.

        `whole` are in the order of the whole-number columns; the session, that of the search
        unless given, is left fixed to them.
        """
        session = session or self.session
        session.set_bounds(self.integer, whole, whole)
        settled = self.tighten(session, session.solve_lp(heed_stop=False), exact=True)
        if settled.status == "optimal":
            x = settled.x.copy()
            x[self.integer] = whole
            self.offer(x, session)
        self._catch_up()
        return settled

    def relaxed(self, low: Floats, high: Floats, *, whole: bool = True) -> LpResult:
        """The whole problem's relaxation within bounds of the whole numbers, as rows are now.

        Without `whole` that with slices merged, where they were at the root: about what flows cost.
        """
        self._near_lessons = not whole and self.lessons is not None
        if whole or self.lessons is None:
            self.session.set_bounds(self.integer, low, high)
            result = self.session.solve_lp()
        else:
            for batch in self._batches[self._taught :]:
                self.lessons.add_rows(batch)
            self._taught = len(self._batches)
            self.lessons.set_whole(low, high)
            result = self.lessons.solve_lp()
        self.note(result)
        return result

    def learn_from(self, session: MergedSession) -> None:
        """Ask a session with slices merged, which has the rows of now, what flows cost."""
        self.lessons, self._taught = session, len(self._batches)

    def finish(self, low: Floats, high: Floats) -> LpResult:
        """Offer a plan within bounds of the whole numbers that leave little open; what came of it.

        What is open is rounded, and dived for where that makes no plan or a dearer one. The result
        is that of the relaxation. Bounds are in the order of the whole-number columns; the
        session's are not what they were afterwards.
        """
        session = self.session
        session.set_bounds(self.integer, low, high)
        if self.lessons is not None and self._near_lessons:
            # Whoever asks for a plan has just asked what flows cost there.
            session.set_basis(self.lessons.basis(), mend=True)
        result = self.tighten(session, session.solve_lp(), exact=True)
        if result.status == "optimal" and not self._rounds_to_a_plan(result, low, high):
            session.set_bounds(self.integer, low, high)
            found = Dive(session, self.order, self.keep_going, self._tightened, self.probed).run(
                result, low, high
            )
            if found is not None:
                self.offer(found.x, session)
        self._catch_up()
        return result

    def _rounds_to_a_plan(self, result: LpResult, low: Floats, high: Floats) -> bool:
        """Offer a relaxation's whole numbers, rounded; whether that costs no more than it does."""
        whole = np.clip(np.round(result.x[self.integer]), low, high)
        settled = self.settle(whole)
        if settled.status != "optimal":
            return False
        cost = self.matrix.objective
        rise = float(cost @ settled.x) - float(cost @ result.x)
        return rise <= NO_RISE * abs(float(cost @ result.x))

    def _tightened(self, result: LpResult, *, exact: bool) -> LpResult:
        return self.tighten(self.session, result, exact=exact)

    # -- the search -------------------------------------------------------------------------

    def root(self, *, dive: bool | None = True) -> LpResult:
        """Solve the relaxation, and dive from it (else from the first node with whole structure).

        With None it does not dive at all, nor where slices are merged.

        Raises InfeasibleError when the relaxation is proven infeasible, and UnprovenError when
        that is the solver's word alone.
        """
        since = time.perf_counter()
        result = self._solve_node(0)
        if result.status == "optimal":
            self.root_duals = result.y
            if not self.merged:
                self.root_basis = self.session.basis()
        self.timed("relaxation", since)
        if result.status == "infeasible":
            self._refuse()
        self.tell("relaxation")
        if self.merged:
            # Its bound holds, and its point is none: the leaf is open, and not solved.
            self.tree.open(0)
        elif result.status == "optimal":
            whole = not len(fractional(result.x, self.integer))
            if not whole:
                self._keep(0, result.x)
            rows = self.matrix.shape[0]
            dives = dive or (dive is not None and self._whole_structure(result.x))
            if dives and rounds_without_flows(self):
                # Rows of the last rounds have joined since: a dive begins from what keeps them.
                result = self.tighten(self.session, self.session.solve_lp(), exact=False)
            if dives and result.status == "optimal":
                self._dive(result, 0)
            if whole and (not dives or self.matrix.shape[0] > rows):
                self.tree.open(0)
        return result

    def _refuse(self) -> NoReturn:
        """Say that a problem has no plan, if the ray of its root proves it."""
        if self.tree.nodes[0].bound == np.inf:
            raise InfeasibleError("no plan satisfies every rule, not even with fractions of lots")
        raise UnprovenError(
            "the solver says that no plan satisfies every rule, and gave nothing that proves it"
        )

    def branch(self, nodes: int) -> None:
        """Branch until the gap is reached, the limits say stop, or `nodes` nodes are solved.

        Columns of the lowest rank are branched first, and of those the most fractional.
        """
        since = time.perf_counter()
        count = 0
        tree = self.tree
        while self.gap > self.tolerance and self.keep_going() and count < nodes:
            at = tree.first
            if at is None:
                break
            if not tree.is_solved(at):
                self.reopen_first()
                continue
            tree.pop()
            x, basis = tree.ended(at)
            self.session.set_basis(basis)
            sought = self._dived and np.isfinite(self.best)
            if not sought and self._whole_structure(x):
                self._dive(LpResult("optimal", x, tree.nodes[at].y, 0), at)
            column = self._choose(x)
            bounds = node_bounds(self.matrix, tree.nodes, at)
            children = tree.children(at, column, float(x[column]), bounds)
            for child in children:
                self.session.set_basis(basis)
                result = self._solve_node(child)
                count += 1
                if result.status == "optimal":
                    self._explore(child, result, count)
            if not tree.split(at, children):
                # A child without a proof (stopped in the middle): the parent stays a leaf.
                self.session.set_basis(basis)
                tree.open(at, x, basis)
                break
            self.tell("branch")
        self.timed("branch", since)

    def reopen_first(self) -> None:
        """Solve the first leaf, which was taken over; it stays open unless it is done with."""
        at = self.tree.pop()
        node = self.tree.nodes[at]
        y, ray, bound = node.y, node.ray, node.bound
        result = self._solve_node(at)
        if node.bound < bound:
            # Stopped in the middle, or a ray that proved more than the duals do.
            node.y, node.ray, node.bound = y, ray, bound
        if result.status == "optimal":
            self._explore(at, result, 1)

    def dive_from(self, at: int) -> None:
        """Dive from an open leaf that is solved."""
        x, basis = self.tree.ended(at)
        self.session.set_basis(basis)
        self._dive(LpResult("optimal", x, self.tree.nodes[at].y, 0), at)

    def _explore(self, at: int, result: LpResult, count: int) -> None:
        """Take a solved node's plan if it is whole, else keep it open unless it is too dear."""
        rows = self.matrix.shape[0]
        if not len(fractional(result.x, self.integer)):
            self._dive(result, at)
            if self.matrix.shape[0] > rows:
                # The point broke lazy rows: what is left of the node is not known yet.
                self.tree.open(at)
            return
        node = self.tree.nodes[at]
        if node.bound < self.best - self.tolerance * abs(self.best) or not np.isfinite(self.best):
            self._keep(at, result.x)
            if count % DIVE_EVERY == 0:
                self._dive(result, at)

    def _keep(self, at: int, x: Floats) -> None:
        """Leave a solved node open, with its point and the basis that the session has now."""
        self.tree.open(at, x, self.session.basis())

    def _whole_structure(self, x: Floats) -> bool:
        """Whether every column of the first rank is whole."""
        return bool((self.order[fractional(x, self.integer)] > 0).all())

    def _choose(self, x: Floats) -> int:
        """Column to branch on: lowest rank, then most fractional, then first."""
        columns = fractional(x, self.integer)
        away = np.abs(x[columns] - np.floor(x[columns]) - 0.5)
        order = sorted(range(len(columns)), key=lambda i: (self.order[columns[i]], away[i], i))
        return int(columns[order[0]])
