"""Prices for the bounds of one period: exact solves where the bounds are least sure.

Pilots are drawn from the sweep's own scenarios. The first solves are spread over the strata
(`planner.sweep.strata`). After that each round solves pilots where two halves of the prices found
so far disagree: there prices are sparse. A stratum gets the more of a round the more scenarios it
has that disagree by more than the tolerance; half of its solves are among the worst, half in
proportion to the disagreement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.sweep.block import Bools, Floats, Ints
from planner.sweep.bounds import affine, best_of
from planner.sweep.duals import Prices, coefficients, join, pool_of, prices_from_rows
from planner.sweep.exact import BlockSolver, Exact, tour, used_columns
from planner.sweep.general import scenario_terms
from planner.sweep.problem import Period
from planner.sweep.strata import Pilots

ROUND_SOLVES = 160
"""Solves between two looks at where prices are sparse."""
FIRST_SOLVES = 24
"""Of each stratum in the first round."""
SURE = 1e-4
"""Disagreement of the two halves, as a gap, up to which a pilot counts as sure."""
UNSURE_SHARE = 1e-5
"""Share of scenarios that are unsure at which training stops."""
RESEED_SOLVES = 300
"""Solves after which columns are dropped that no optimum has used."""
FLOOR = 3e-3
"""Least share of unsure scenarios that a stratum is taken to have: halves can both be wrong."""
POWER = 0.2
"""Share of a round against scenarios: what is missed falls with about the solves to the -2.3."""
_CANDIDATES = 4
"""Pilots looked at for each one that is solved, the least sure first."""
_DIGITS = 7
"""Significant digits to which bounds are compared: equal ones are one."""

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Trained:
    """Prices of one period, and the optima they come from."""

    prices: Prices
    """Prices of the optima [k]."""
    columns: sp.csr_array
    """Columns of the layout at each optimum [k, column]."""
    demand: Floats
    """Demand of the scenario of each optimum [k, j]."""
    lines: Floats
    """Bounds as coefficients of the period's features [k, feature], USD."""
    solves: int
    """Exact solves that it took."""
    iterations: int
    """Their simplex iterations."""


class _Halves:
    """Best bound of each pilot from every second price, and from the others."""

    def __init__(self, features: Singles, contract: Floats):
        self.features, self.contract = features, contract
        n = len(features)
        self.best = np.full((2, n), -np.inf, dtype=np.float32)
        self.at = np.zeros((2, n), dtype=np.int64)
        self.count = 0

    def add(self, lines: Floats) -> None:
        """Take new prices [k, feature], to the halves in turn."""
        single = lines.astype(np.float32).T
        for half in range(2):
            mine = np.arange((half + self.count) % 2, single.shape[1], 2)
            if not len(mine):
                continue
            at, value = best_of(np.ascontiguousarray(single[:, mine]), self.features)
            better = value > self.best[half]
            self.best[half, better] = value[better]
            self.at[half, better] = self.count + mine[at[better]]
        self.count += single.shape[1]

    def disagreement(self) -> tuple[Floats, Ints]:
        """What one half lacks against the other, as a gap, and the best price [n]."""
        even, odd = np.maximum(self.best, 0.0).astype(np.float64)
        best = np.maximum(even, odd)
        at = np.where(self.best[0] >= self.best[1], self.at[0], self.at[1])
        out: Floats = np.abs(even - odd) / (self.contract + best)
        return out, at


def train(period: Period, pilots: Pilots, solves: int, seed: int) -> Trained:
    """Solve at most `solves` of the pilots."""
    z = period.moves.multipliers.values(pilots.values)
    rng = np.random.default_rng([seed, period.merged.block.period])
    block = period.merged.block
    features = period.features(z)
    halves = _Halves(
        np.ascontiguousarray(features, dtype=np.float32), np.maximum(z @ period.contract_usd, 1.0)
    )
    at_work = _Solves(period, pilots, z)
    done = np.zeros(len(z), dtype=bool)
    found: list[tuple[Prices, Floats]] = []
    columns: list[sp.csr_array] = []
    demand: list[Floats] = []
    known: set[bytes] = set()
    weight = np.ones(features.shape[1])
    while (left := min(solves, len(z)) - int(done.sum())) > 0:
        score, _ = halves.disagreement() if found else (np.zeros(len(z)), None)
        size = min(left, ROUND_SOLVES if found else FIRST_SOLVES * len(pilots.strata))
        chosen = _choose(score, pilots, done, size, rng, first=not found)
        if not len(chosen):
            break
        chosen = chosen[tour(features[chosen] * weight)]
        done[chosen] = True
        exact = at_work.solve(chosen)
        prices = prices_from_rows(block, at_work.layout, np.array([e.y for e in exact]))
        lines = affine(period, coefficients(pool_of(block, prices))).coefficients
        fresh = _fresh(lines, known)
        if not len(fresh):
            continue
        found.append((prices.take(fresh), lines[fresh]))
        columns.append(sp.csr_array(np.array([exact[i].x for i in fresh.tolist()])))
        at_work.reseed(sp.csr_array(sp.vstack(columns)))
        demand.append(period.sides(z[chosen[fresh]]).demand)
        halves.add(lines[fresh])
        weight = np.abs(np.concatenate([part for _, part in found])).mean(axis=0)
    return Trained(
        prices=join([prices for prices, _ in found]),
        columns=sp.csr_array(sp.vstack(columns)),
        demand=np.concatenate(demand),
        lines=np.concatenate([lines for _, lines in found]),
        solves=int(done.sum()),
        iterations=at_work.iterations,
    )


class _Solves:
    """Exact solves of pilots, hot from one to the next."""

    def __init__(self, period: Period, pilots: Pilots, z: Floats):
        self.period, self.values, self.z = period, pilots.values, z
        self.solver = BlockSolver(period.merged.block)
        self.layout = self.solver.layout
        self.iterations = self.solves = 0
        self.reseeded = False

    def reseed(self, columns: sp.csr_array) -> None:
        """Keep the serving columns that these optima use, once there are enough of them."""
        if self.solves >= RESEED_SOLVES and not self.reseeded:
            used = used_columns(self.layout, columns)
            self.solver = BlockSolver(self.period.merged.block, columns=used)
            self.reseeded = True

    def solve(self, chosen: Ints) -> list[Exact]:
        """Solve these pilots in their order."""
        sides, out = self.period.sides(self.z[chosen]), []
        self.solves += len(chosen)
        for i in range(len(chosen)):
            if self.period.general:
                row = chosen[i : i + 1]
                rate, cost = scenario_terms(self.period, self.values[row], self.z[row])
                self.solver = self.solver.with_rate(rate[0])
                out.append(self.solver.solve(sides, i, cost[0]))
            else:
                out.append(self.solver.solve(sides, i))
            self.iterations += out[-1].iterations
        return out


def _fresh(lines: Floats, known: set[bytes]) -> Ints:
    """Rows that are not known yet; they are from now on."""
    scale = 10.0 ** (_DIGITS - np.ceil(np.log10(np.maximum(np.abs(lines).max(axis=1), 1.0))))
    keys = [row.tobytes() for row in np.round(lines * scale[:, None]) + 0.0]
    out = []
    for i, key in enumerate(keys):
        if key not in known:
            known.add(key)
            out.append(i)
    return np.array(out, dtype=np.int64)


def _choose(
    score: Floats, pilots: Pilots, done: Bools, size: int, rng: np.random.Generator, *, first: bool
) -> Ints:
    """Pilots to solve next, none when all are sure."""
    strata = range(len(pilots.strata))
    open_ = [np.flatnonzero((pilots.stratum == k) & ~done) for k in strata]
    unsure = np.array([np.mean(score[rows] > SURE) if len(rows) else 0.0 for rows in open_])
    if not first and float(pilots.share @ unsure) <= UNSURE_SHARE:
        return np.zeros(0, dtype=np.int64)
    mass = (pilots.share * (unsure + FLOOR)) ** POWER if not first else np.ones(len(open_))
    mass *= [len(rows) > 0 for rows in open_]
    quota = np.floor(size * mass / mass.sum() + rng.random()).astype(int)
    quota[mass.argmax()] += not quota.any()
    picked: list[Ints] = []
    for k in np.argsort(-mass, kind="stable").tolist():
        rows = open_[k]
        wanted = min(quota[k], len(rows), size - sum(map(len, picked)))
        if not wanted:
            continue
        order = rows[np.argsort(-score[rows], kind="stable")][: _CANDIDATES * wanted]
        some = rng.permutation(order)[: wanted // 2]
        rest = np.setdiff1d(rows, some)
        chance = np.maximum(score[rest], 1e-9)
        more = rng.choice(rest, wanted - len(some), replace=False, p=chance / chance.sum())
        picked += [some, more]
    return np.concatenate(picked).astype(np.int64)
