"""Matrix -> Solution: relaxation, dive, branching, and HiGHS as improver."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from planner.errors import InfeasibleError, InterruptedSolveError, UnprovenError
from planner.matrix import Matrix, RowBatch
from planner.solve.branch import Search
from planner.solve.certificate import Node
from planner.solve.improve import improve
from planner.solve.lp import Basis
from planner.solve.merged_week import Week
from planner.solve.mip import Ask, Found, by_highs, found_by
from planner.solve.options import Event, LazyRows, Progress, SolveOptions, Start
from planner.solve.parts import by_parts
from planner.solve.resume import Carried, Warm, resume
from planner.solve.root import merges
from planner.solve.session import Session
from planner.solve.sift import SIFTED
from planner.solve.strategy import Choice, Strategy, chosen
from planner.solve.watch import Stop

Floats = npt.NDArray[np.float64]
FIRST_NODES = 40
"""Nodes branched before HiGHS is asked for lots, where nothing was found by parts."""
SMALL = 5_000
"""Problems with fewer columns are branched to the end: their nodes cost milliseconds."""
STRUCTURE = (
    ("in_tier",),
    ("agreed", "sign"),
    ("begun", "qualify", "leave"),
    ("carries",),
)
"""Components that are branched first, in this order: what is dear and has few choices leads."""
PLACEMENTS = len(STRUCTURE)
"""Rank of placements: binaries that are no structure."""
DECIDED = frozenset({0, 1, 2, PLACEMENTS})
"""Ranks that are decided before lots; who carries a share costs nothing, and follows from flows."""
PROBED = frozenset({0, 1, PLACEMENTS})
"""Ranks whose columns a dive rounds one at a time, trying what excludes them."""


@dataclass(frozen=True)
class Solution:
    """The best point found, and the proof of its bound."""

    status: str
    """`proven` (gap reached), `limit` (stopped by time) or `interrupted` (Ctrl-C)."""
    x: Floats
    """Column values in the order of the matrix."""
    objective_usd: float
    """Cost of x, USD."""
    bound_usd: float
    """Lower bound on every plan's cost by weak duality, USD."""
    gap: float
    """(objective - bound) / |objective|, the bound being the better one where a start gave one."""
    nodes: tuple[Node, ...]
    """Tree of branchings; its leaves carry the duals that prove the bound."""
    seconds: dict[str, float]
    """Wall time by phase."""
    events: tuple[Event, ...]
    """Progress over time."""
    iterations: int
    """Simplex iterations of the relaxations."""
    matrix: Matrix
    """The problem with the lazy rows that joined it."""
    root: Basis | None = None
    """Where the root's relaxation ended, or was to begin; None when it was not solved."""
    root_duals: Floats = field(default_factory=lambda: np.zeros(0))
    """Row duals of that relaxation; empty when it was not solved."""
    plan: Basis | None = None
    """Where the relaxation ended that settled x."""
    carried: Carried | None = None
    """What an earlier solve gave; None when there was none."""
    choice: Choice = field(default_factory=lambda: Choice("dive", "asked for"))
    """The strategy, and why."""
    found: Found | None = None
    """What HiGHS or another solver gave; None where none was asked for the plan."""


def ranks(matrix: Matrix) -> npt.NDArray[np.int64]:
    """Order in which columns are branched: structure first, then placements, then lots [column].

    A few structural binaries carry the fixed costs that loosen the relaxation.
    """
    out = np.where(matrix.upper - matrix.lower <= 1.0, PLACEMENTS, PLACEMENTS + 1)
    for rank, components in enumerate(STRUCTURE):
        for name in components:
            if name in matrix.columns:
                out[matrix.columns[name]] = rank
    return out


@contextmanager
def interruptible(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C set `stop`; a second one ends the program as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def handler(_number: int, _frame: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _without_plan(search: Search, stop: Stop) -> NoReturn:
    """Say why a search ended in no plan."""
    if search.bound == np.inf:
        # Every leaf of the tree has a proof that it is empty.
        raise InfeasibleError("no plan satisfies every rule with whole lots and placements")
    if stop.asked:
        raise InterruptedSolveError("the solve was interrupted before it found a plan")
    why = "was stopped at its time limit" if stop.is_set() else "ended"
    raise UnprovenError(f"the solve {why} before it found a plan")


def solve_matrix(
    matrix: Matrix,
    options: SolveOptions | None = None,
    progress: Progress | None = None,
    lazy: LazyRows | None = None,
    first_rows: Callable[[Stop], RowBatch | None] | None = None,
    hot: Start | None = None,
    warm: Warm | None = None,
    strategy: Strategy = "auto",
    other: tuple[str, Ask] | None = None,
    week: Week | None = None,
) -> Solution:
    """Solve to the asked gap; `lazy` rows hold too, those of `first_rows` from the beginning.

    `hot` is what another solve of a like problem leaves to begin with; `warm` is that with its
    proof, from which the search goes on. What a `strategy` is says `planner.solve.strategy`;
    `other` is another solver and its name, which is asked for the plan instead. The bound is
    proven by our own tree in each. `week` says which slices are alike: prices of a large problem
    are then found with these merged (`planner.solve.merged_week`).

    Raises InfeasibleError when no plan satisfies the rows, and UnprovenError when a limit or
    Ctrl-C came before any plan was found.
    """
    options = options or SolveOptions()
    events: list[Event] = []

    def tell(event: Event) -> None:
        events.append(event)
        if progress is not None:
            progress(event)

    stop = Stop(options.time_limit_s)
    started = time.perf_counter()
    with interruptible(stop):
        begin = None if first_rows is None else first_rows(stop)
        learnt = time.perf_counter() - started
        if begin is not None:
            matrix = matrix.with_rows(begin)
        choice = chosen(matrix, strategy, other[0] if other else None)
        small, dives = matrix.shape[1] < SMALL, choice.strategy == "dive"
        session = Session(matrix, options.threads, stop)
        search = Search(
            session,
            options,
            tell,
            ranks(matrix),
            lazy,
            PROBED,
            matrix.shape[1] >= SIFTED,
            dives and not small,
            week,
            started,
            -np.inf if hot is None else hot.bound_usd,
        )
        if first_rows is not None:
            search.phases["first cuts"] = learnt
        carried, found = None, None
        if warm is not None and warm.nodes:
            search.root_duals = warm.root_duals
            carried = resume(search, warm)
        elif hot is not None and hot.basis is not None:
            search.root_basis = hot.basis
            if not merges(search):
                session.set_basis(hot.basis)
        if carried is not None or search.root(dive=small if dives else None).status == "optimal":
            if hot is not None and hot.whole is not None:
                _begin(search, hot.whole)
            if dives:
                _dive(search, small)
            elif search.gap > search.tolerance and search.keep_going():
                found = found_by(search, other[1] if other else by_highs)
                search.branch(10**9)
    if not np.isfinite(search.best):
        _without_plan(search, stop)
    reached = search.gap <= search.tolerance
    status = "proven" if reached else "interrupted" if stop.asked else "limit"
    return Solution(
        status=status,
        x=search.best_x,
        objective_usd=search.best,
        bound_usd=search.bound,
        gap=search.gap,
        nodes=tuple(search.tree.nodes),
        seconds={**search.phases, "solve": time.perf_counter() - started},
        events=tuple(events),
        iterations=search.iterations,
        matrix=search.matrix,
        root=search.root_basis or (warm.root if warm else None),
        root_duals=search.root_duals,
        plan=search.best_basis,
        carried=carried,
        choice=choice,
        found=found,
    )


def _dive(search: Search, small: bool) -> None:
    """Branch and dive until the gap is reached, or nothing is left to try."""
    if small:
        search.branch(10**9)
    elif search.gap > search.tolerance and search.keep_going():
        best = search.best
        by_parts(search, DECIDED)
        if search.best == best:
            search.branch(FIRST_NODES)
            if search.gap > search.tolerance and search.keep_going():
                improve(search, PLACEMENTS)
    search.branch(10**9)


def _begin(search: Search, whole: Floats) -> None:
    """Take the whole numbers of another plan as the first plan, where every row allows them."""
    since = time.perf_counter()
    integer, matrix = search.integer, search.matrix
    if ((whole >= matrix.lower[integer]) & (whole <= matrix.upper[integer])).all():
        basis = search.session.basis()
        search.settle(whole)
        search.session.set_bounds(integer, matrix.lower[integer], matrix.upper[integer])
        if search.matrix is matrix:
            search.session.set_basis(basis)
    search.phases["start"] = time.perf_counter() - since
    search.tell("start")
