"""Polish an answer: few lots at a time may differ from it, those of one neighbourhood.

Large neighbourhood search (P. Shaw, CP 1998) in the problem without flows: each neighbourhood is a
search of HiGHS's that takes a tenth of a second, where one over hundreds of lots takes seconds and
ends no nearer. What it finds is taken if it keeps every lazy row; else these rows join, and the
answer that keeps them stays.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix
from planner.solve.master import Relaxed
from planner.solve.near import Near
from planner.solve.session import Session

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
OPEN = 60
"""Whole numbers of one neighbourhood: half of them near one, half from anywhere."""
CANDIDATES = 500
"""Whole numbers that may differ, those nearest to being used more or less."""
MOST = 2.0
"""Lots by which one may differ at a time."""
MOST_TRIES = 24
"""Neighbourhoods of one answer, at most."""
PATIENCE = 10
"""Neighbourhoods in a row that may give nothing."""
GAP = 0.01
"""Part of the gap asked for at which HiGHS ends in one."""
GAIN = 1e-3
"""Part of the gap asked for below which a gain is none."""
STEPS = 3
"""Steps from whole number to whole number, by rows that both stand in, that count as near."""
DENSE = 200
"""Entries from which on a row says nothing of who is near whom."""
SPREAD = 1e-3
"""Weight of whole numbers that are as in the relaxation, in lots that others differ by."""


class Neighbourhoods:
    """Sets of whole numbers that may differ from an answer together, drawn one after another."""

    def __init__(self, m: Matrix, at: Ints, candidates: Ints) -> None:
        """Of the whole numbers `candidates`, which are places among the columns `at`."""
        a = sp.csr_array(m.a)
        size = np.diff(a.indptr)
        a = sp.csr_array(abs(a[(size > 1) & (size <= DENSE)]).sign())
        self._forth = sp.csr_array(sp.diags_array(1.0 / np.maximum(a.sum(axis=0), 1.0)) @ a.T).T
        self._back = sp.csr_array(sp.diags_array(1.0 / np.maximum(a.sum(axis=1), 1.0)) @ a).T
        self._at, self._of = at, np.zeros(len(at), dtype=bool)
        self._of[candidates] = True
        self._candidates = candidates
        self._random = np.random.default_rng(0)

    def near(self, one: int) -> Floats:
        """How near others are to a whole number: how often a random walk from it is there [n]."""
        now, out = np.zeros(self._forth.shape[1]), np.zeros(len(self._at))
        now[self._at[one]] = 1.0
        for _ in range(STEPS):
            now = self._back @ (self._forth @ now)
            out += now[self._at]
        return out

    def draw(self, away: Floats) -> Ints:
        """The next one, around a whole number that is `away` [n] from where it might be."""
        weight = np.where(self._of, np.abs(away) + SPREAD, 0.0)
        one = int(self._random.choice(len(weight), p=weight / weight.sum()))
        near = self.near(one) * self._random.uniform(0.5, 1.5, len(weight))
        near[one] = np.inf
        first = np.argsort(np.where(self._of, -near, 1.0), kind="stable")[: OPEN // 2]
        some = min(OPEN // 2, len(self._candidates))
        return np.union1d(first, self._random.choice(self._candidates, some, replace=False))


def polished(near: Near, x: Floats) -> Floats | None:
    """The best answer found from one that keeps every lazy row, as good as that at least.

    Its flows are those of now; None where none are feasible with its whole numbers.
    """
    search, at = near.search, near.master.at
    relaxed, enough = near.relaxed(), near.fair_usd
    if not len(relaxed.x):
        return None
    session = _session(near, relaxed, x)
    session.set_bounds(at, np.round(x[at]), np.round(x[at]))
    settled = session.solve_lp()
    if settled.status != "optimal":
        return None
    best, least = settled.x, near.cost_usd(settled.x)
    neighbourhoods = Neighbourhoods(session.matrix, at, near.order(relaxed)[:CANDIDATES])
    idle = 0
    for _ in range(MOST_TRIES):
        if least <= enough or idle == PATIENCE or not search.keep_going():
            break
        found = _found(near, session, neighbourhoods.draw(best[at] - relaxed.x[at]), best)
        idle += 1
        if found is None or near.cost_usd(found) > least - GAIN * search.tolerance * abs(least):
            continue
        if near.keeps(found, exact=True):
            best, least, idle = found, near.cost_usd(found), 0
        else:
            session = _session(near, relaxed, best)
        search.tell("improve")
    return best


def _session(near: Near, relaxed: Relaxed, x: Floats) -> Session:
    """The problem as it is now, with the columns that the relaxation or an answer uses."""
    m, search = near.problem(), near.search
    held = near.master.used() | (relaxed.x != 0.0) | (x != 0.0) | m.integer | (m.lower != 0.0)
    session = Session(m, search.options.threads, search.session.stop, held)
    session.search_nearby()
    return session


def _found(near: Near, session: Session, few: Ints, best: Floats) -> Floats | None:
    """The best answer where only a few whole numbers may differ from another."""
    search, at = near.search, near.master.at
    low, high = (np.round(best[at]) for _ in range(2))
    for side, limit, by in ((low, near.bounds[0], -MOST), (high, near.bounds[1], MOST)):
        moved = side[few] + by
        side[few] = np.maximum(limit[few], moved) if by < 0.0 else np.minimum(limit[few], moved)
    session.set_bounds(at, low, high)
    _, x = session.solve_mip(
        gap=GAP * search.tolerance,
        nodes=1,
        start=best,
        on_progress=lambda _primal, _dual: search.tell("improve"),
    )
    return x if len(x) else None
