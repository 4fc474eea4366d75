"""Problems of one case solved one after another, each from what the others have found.

Bounds and plans outlive the problem that they were found in. Row duals prove a lower bound for any
costs, rows and bounds (`planner.solve.bound`), so a tree of branchings is read again on a problem
with other prices; and the whole numbers of a plan, routed anew, are a plan of every problem whose
rows allow them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.case import Case
from planner.errors import InfeasibleError, InterruptedSolveError, UnprovenError
from planner.instance import Instance, build_instance
from planner.matrix import Matrix, RowBatch
from planner.redundancy.cuts import Cut
from planner.redundancy.learn import first_cuts
from planner.redundancy.mode import Redundancy
from planner.redundancy.problem import compiled_problem
from planner.redundancy.rounds import ROWS, Rounds
from planner.solve.certificate import Node, node_bounds, proven_bound
from planner.solve.lp import Basis
from planner.solve.options import Event, SolveOptions, Start
from planner.solve.run import SMALL, Solution, solve_matrix
from planner.solve.session import Session
from planner.throughput.rates import Rates, rates_of
from planner.week import week_of

Floats = npt.NDArray[np.float64]
TAKEN = "taken"
"""Row that says whether the subject of a decision is taken."""
Tell = Callable[[str, Event | None], None]
"""Takes what is being solved, and the solve's own progress."""


def silent(_what: str, _event: Event | None) -> None:
    """Tell nobody."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """A case, its instance and its compiled problem."""

    case: Case
    """What it was compiled from."""
    inst: Instance
    """The numbers of the case on their axes."""
    matrix: Matrix
    """Rows and columns."""
    mode: Redundancy
    """How redundancy is held."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a solve leaves: a plan, a proof, or both."""

    objective_usd: float
    """Cost of the plan; inf = none was found."""
    bound_usd: float
    """Proven lower bound; inf = proven that there is no plan."""
    whole: Floats
    """Values of the plan's whole-number columns; empty without a plan."""
    x: Floats
    """The plan [column]; empty without one."""
    nodes: tuple[Node, ...] = ()
    """Tree of branchings with its duals."""
    cuts: RowBatch | None = None
    """Rows that joined the problem, to which the last of the duals belong."""
    root_usd: float = -np.inf
    """Bound of the relaxation before any branching."""

    @property
    def gap_usd(self) -> float:
        """Objective less bound, USD."""
        return self.objective_usd - self.bound_usd


NO_PLAN = Evidence(np.inf, np.inf, np.zeros(0), np.zeros(0))
"""Proven that there is no plan."""


@dataclass(eq=False)
class Solver:
    """Solves problems alike to a gap, within one limit of time for all of them."""

    gap: float
    """Relative gap at which each solve stops."""
    time_limit_s: float | None = None
    """For all of them together; None = no limit."""
    threads: int = 1
    """Threads of each solve."""
    redundancy: Redundancy = "auto"
    """How contingencies are to be held."""
    tell: Tell = silent
    """Told what is being solved."""
    solves: int = 0
    """Searches so far."""
    routings: int = 0
    """Plans routed anew so far."""
    interrupted: str = ""
    """What Ctrl-C ended, in words; nothing is solved after it."""
    _basis: dict[tuple[int, int], Basis] = field(default_factory=dict)
    _cuts: list[Cut] = field(default_factory=list)
    _rates: Rates | None = None

    def __post_init__(self) -> None:
        """Start the clock; SolveOptions refuses what means nothing."""
        SolveOptions(self.gap, self.time_limit_s, self.threads)
        self._started = time.perf_counter()

    @property
    def margin(self) -> float:
        """Share of a cost by which a solve to the gap can miss the least cost."""
        return max(self.gap, 1e-9)

    def left(self) -> float | None:
        """Seconds left; None without a limit."""
        used = time.perf_counter() - self._started
        return None if self.time_limit_s is None else self.time_limit_s - used

    @property
    def seconds(self) -> float:
        """Wall time since it was made."""
        return time.perf_counter() - self._started

    def out_of_time(self) -> bool:
        """Whether nothing more can be solved."""
        left = self.left()
        return left is not None and left <= 0

    def forget_cuts(self) -> None:
        """Leave aside the cuts of earlier problems: other promises are to be kept."""
        self._cuts = []

    def compiled(self, case: Case) -> Compiled:
        """The problem of a case; its rates are those of the first case compiled here."""
        if self._rates is None:
            self._rates = rates_of(case)
        inst = build_instance(case, self._rates)
        matrix, mode = compiled_problem(inst, mode=self.redundancy, strengthen=True)
        return Compiled(case, inst, matrix, mode)

    def solve(
        self,
        problem: Compiled,
        matrix: Matrix,
        what: str,
        whole: Floats | None = None,
        proofs: Iterable[Evidence] = (),
        least_usd: float = -np.inf,
    ) -> Evidence:
        """Solve a variant of a problem (its columns, and rows below its own).

        `whole` is a guess of its whole numbers, `proofs` are trees of problems with the same
        columns and rows, and `least_usd` is a bound that is known to hold here: a plan near the
        guess that is within the gap of what they prove stands. A problem proven without a plan is
        NO_PLAN; one whose solve ran out of time before a plan has none, and the bound of the
        proofs.
        """
        known, best = least_usd, NO_PLAN
        for proof in proofs:
            bound = bound_at(proof, matrix)
            if bound > known:
                known, best = bound, proof
        if whole is not None and np.isfinite(known) and not is_large(matrix):
            # On a large problem the search settles the guess itself, as soon as it has a basis.
            plan = self.routed(problem, matrix, whole, f"{what}: the plan before")
            above = plan.objective_usd - known
            if len(plan.whole) and above <= self.margin * abs(plan.objective_usd):
                return replace(plan, bound_usd=known, nodes=best.nodes, cuts=best.cuts)
        self.solves += 1
        # With nothing proven a guess ends no search, and a poor one leads the improvement astray:
        # it keeps the structure of the best plan.
        guess = whole if np.isfinite(known) or not is_large(matrix) else None
        found = self._searched(problem, matrix, what, guess, known)
        if known > found.bound_usd:
            found = replace(found, bound_usd=known, nodes=best.nodes, cuts=best.cuts)
        return found

    def _searched(
        self,
        problem: Compiled,
        matrix: Matrix,
        what: str,
        whole: Floats | None = None,
        known_usd: float = -np.inf,
        *,
        keep: bool = True,
    ) -> Evidence:
        """One run of the search; with `keep` its basis and its cuts serve the next ones."""
        self.tell(what, None)
        rounds = Rounds.of(problem.inst, matrix) if problem.mode == "rounds" else None
        known = list(self._cuts)
        options = SolveOptions(self.gap, _least(self.left()), self.threads)
        week = week_of(problem.inst)

        def progress(event: Event) -> None:
            self.tell(what, event)

        try:
            if rounds is None:
                hot = Start(whole, self._basis.get(matrix.shape), known_usd)
                found = solve_matrix(matrix, options, progress, hot=hot, week=week)
                if keep and found.root is not None:
                    self._basis[matrix.shape] = found.root
            else:
                asked = rounds
                found = solve_matrix(
                    matrix, options, progress, asked,
                    lambda stop: asked.give(known) if known
                    else first_cuts(problem.inst, matrix, asked, stop),
                    Start(whole, None, known_usd),
                    week=week,
                )  # fmt: skip
                if keep:
                    self._cuts = list(asked.cuts)
        except InfeasibleError:
            return NO_PLAN
        except InterruptedSolveError as error:
            self.interrupted = f"interrupted while solving {what}"
            raise InterruptedSolveError(self.interrupted) from error
        except UnprovenError:
            return replace(NO_PLAN, bound_usd=-np.inf)
        if found.status == "interrupted":
            self.interrupted = f"interrupted while solving {what}"
            raise InterruptedSolveError(self.interrupted)
        return evidence_of(found, matrix)

    def relaxed(self, matrix: Matrix, what: str) -> Evidence:
        """The relaxation of a problem, as a proof without a plan; further rows are left out."""
        self.tell(what, None)
        session = Session(matrix, self.threads)
        basis = self._basis.get(matrix.shape)
        if basis is not None:
            session.set_basis(basis)
        result = session.solve_lp(_least(self.left()))
        if result.status == "optimal":
            self._basis[matrix.shape] = session.basis()
        ray = result.status == "infeasible"
        bound = proven_bound(matrix, result.y, ray, (matrix.lower, matrix.upper))
        root = Node(-1, -1, -np.inf, np.inf, result.y, ray, bound)
        return replace(NO_PLAN, bound_usd=bound, nodes=(root,), root_usd=bound)

    def routed(self, problem: Compiled, matrix: Matrix, whole: Floats, what: str) -> Evidence:
        """A plan with these whole numbers at least cost, or no plan; its bound says nothing."""
        integer = np.flatnonzero(matrix.integer)
        if ((whole < matrix.lower[integer]) | (whole > matrix.upper[integer])).any():
            return replace(NO_PLAN, bound_usd=-np.inf)
        low, high = matrix.lower.copy(), matrix.upper.copy()
        low[integer] = high[integer] = whole
        fixed = replace(matrix, lower=low, upper=high)
        self.routings += 1
        found = self._searched(problem, fixed, what, keep=False)
        return replace(found, bound_usd=-np.inf, nodes=(), cuts=None)


def is_large(matrix: Matrix) -> bool:
    """Whether a search takes long enough to look around it first."""
    return matrix.shape[1] >= SMALL


def _least(seconds: float | None) -> float | None:
    """Time left as an option: past the limit a solve looks at its relaxation and ends."""
    return None if seconds is None else max(seconds, 0.0)


def evidence_of(found: Solution, matrix: Matrix) -> Evidence:
    """Evidence of a solution of a matrix, to which rows may have joined."""
    end, cuts = matrix.shape[0], None
    if found.matrix.shape[0] > end:
        last = found.matrix
        cuts = RowBatch(
            ROWS,
            tuple((i,) for i in range(last.shape[0] - end)),
            sp.csr_array(last.a.tocsr()[end:]),
            last.row_lower[end:],
            last.row_upper[end:],
        )
    return Evidence(
        found.objective_usd,
        found.bound_usd,
        found.x[matrix.integer],
        found.x,
        found.nodes,
        cuts,
        found.nodes[0].bound,
    )


def bound_at(evidence: Evidence, matrix: Matrix) -> float:
    """What a proof says of another problem with the same columns and rows, USD; -inf = nothing.

    The tree splits the whole numbers of that problem as well, and the duals of each leaf bound its
    cost by weak duality, with that problem's costs, rows and bounds.
    """
    if not evidence.nodes:
        return -np.inf
    if evidence.cuts is not None:
        matrix = matrix.with_rows(evidence.cuts)
    nodes = list(evidence.nodes)
    least = np.inf
    for at, node in enumerate(nodes):
        if node.leaf:
            bounds = node_bounds(matrix, nodes, at)
            # A branch that the problem's own bounds leave empty holds no plan.
            if (bounds[0] > bounds[1]).any():
                continue
            least = min(least, proven_bound(matrix, node.y, node.ray, bounds))
    return least


def with_taken(matrix: Matrix, columns: npt.NDArray[np.int64], weights: Floats) -> Matrix:
    """The problem with a row that adds up what is taken of the subject; at least 0."""
    row = sp.csr_array((weights, columns, np.array([0, len(columns)])), shape=(1, matrix.shape[1]))
    batch = RowBatch(TAKEN, ((0,),), row, np.zeros(1), np.array([np.inf]))
    return matrix.with_rows(batch)


def taken(matrix: Matrix) -> Matrix:
    """The same problem with the subject taken: its row is at least 1."""
    low = matrix.row_lower.copy()
    low[matrix.rows[TAKEN]] = 1.0
    return replace(matrix, row_lower=low)


def closed(matrix: Matrix, columns: npt.NDArray[np.int64]) -> Matrix:
    """The same problem with columns held at 0."""
    high = matrix.upper.copy()
    high[columns] = 0.0
    return replace(matrix, upper=high)
