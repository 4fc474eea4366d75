"""Plans from a solver's own branch and bound, with lazy rows added until a plan breaks none.

A solver gives a plan, never a proof: the bound stays that of our own tree, and HiGHS's or another
solver's own bound is not taken.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from planner.solve.branch import Search

Floats = npt.NDArray[np.float64]
MOST_ROUNDS = 50
"""Times that a solver is asked again because its plan broke a lazy row."""
SHARE = 0.5
"""Share of the remaining time for the solver; the rest is for the proof."""


class Ask(Protocol):
    """Asks a solver for whole numbers of the problem that a search holds now."""

    def __call__(self, search: Search, limit_s: float | None) -> tuple[str, Floats]:
        """The solver's word on how it ended, and columns in the order of the matrix (or none)."""


@dataclass(frozen=True)
class Found:
    """What a solver gave a search."""

    said: str
    """Its own word on how it ended, the last time it was asked."""
    asked: int
    """Times that it was asked."""
    plan_usd: float
    """Cost of the best plan after it; inf when there is none."""


def by_highs(search: Search, limit_s: float | None) -> tuple[str, Floats]:
    """Ask HiGHS, through the session of the search."""

    def on_progress(primal: float, _dual: float) -> None:
        search.tell("highs", min(search.best, primal))

    return search.session.solve_mip(
        gap=search.tolerance,
        time_limit_s=limit_s,
        start=search.best_x if len(search.best_x) else None,
        on_progress=on_progress,
    )


def found_by(search: Search, ask: Ask) -> Found:
    """Let a solver find plans and offer them to the search.

    Each answer is held against the lazy rows; those that it breaks join the problem and the
    solver is asked again, until an answer breaks none. With its whole numbers fixed, the rest of
    a plan comes from our own relaxation, so that nothing is off by the solver's tolerances.
    """
    since = time.perf_counter()
    session, integer = search.session, search.integer
    said, asked = "", 0
    while asked < MOST_ROUNDS and search.keep_going():
        left = search.session.stop.left_s
        m, rows = search.matrix, search.matrix.shape[0]
        session.set_bounds(integer, m.lower[integer], m.upper[integer])
        said, x = ask(search, None if left is None else SHARE * left)
        asked += 1
        if not len(x):
            break
        broken = None if search.lazy is None else search.lazy(x, exact=True)
        if broken is not None:
            session.add_rows(broken)
        whole = np.clip(np.round(x[integer]), m.lower[integer], m.upper[integer])
        search.settle(whole)
        search.tell("solver")
        if search.matrix.shape[0] == rows:
            break
    m = search.matrix
    session.set_bounds(integer, m.lower[integer], m.upper[integer])
    search.phases["solver"] = time.perf_counter() - since
    return Found(said, asked, search.best)
