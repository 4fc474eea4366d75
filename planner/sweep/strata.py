"""Strata: scenarios that agree in every factor that takes few values, such as the lost cloud.

Prices differ most between strata, and scenarios drawn at random hardly ever fall into a rare one.
So each stratum gets pilots of its own, and is bounded with the prices that serve it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from planner.sweep.block import Floats, Ints

FEW_VALUES = 12
"""Most values of a factor that makes strata."""
MOST_STRATA = 64
"""With more combinations there is one stratum."""
_LOOK = 4096
_SEED = 2


@dataclass(frozen=True)
class Strata:
    """Combinations of values of the factors that take few."""

    factors: Ints
    """Positions of these factors [c]."""
    rows: Floats
    """Their values in each stratum [k, c]."""

    def __len__(self) -> int:
        return len(self.rows)

    def number(self, values: Floats) -> Ints:
        """Stratum of each scenario, -1 for a combination that is not known [n]."""
        out = np.full(len(values), -1, dtype=np.int64)
        mine = values[:, self.factors]
        for k, row in enumerate(self.rows):
            out[(mine == row).all(axis=1)] = k
        return out


ONE_STRATUM = Strata(np.zeros(0, dtype=np.int64), np.zeros((1, 0)))


def strata_of(values: Floats) -> Strata:
    """Strata of these scenarios [n, factor]."""
    some = values[:_LOOK]
    few = [f for f in range(values.shape[1]) if len(np.unique(some[:, f])) <= FEW_VALUES]
    factors = np.array(few, dtype=np.int64)
    rows = np.unique(values[:, factors], axis=0)
    if not 1 < len(rows) <= MOST_STRATA:
        return ONE_STRATUM
    return Strata(factors, rows)


@dataclass(frozen=True)
class Pilots:
    """Scenarios that training may solve."""

    values: Floats
    """Factors [n, factor]."""
    strata: Strata
    """Combinations of the factors that take few values."""
    stratum: Ints
    """[n]"""
    share: Floats
    """Share of all scenarios that a stratum has [k]."""


def pilots_of(values: Floats) -> Pilots:
    """All of these scenarios [n, factor]."""
    strata = strata_of(values)
    stratum = strata.number(values)
    return Pilots(
        values, strata, stratum, np.bincount(stratum, minlength=len(strata)) / len(values)
    )


def drawn_pilots(pages: Iterable[Floats], most: int, seed: int) -> Pilots:
    """Pilots out of the factors of pages: `most` in all, as many of each stratum if there are."""
    every = np.concatenate(list(pages))
    whole = pilots_of(every)
    rng = np.random.default_rng([seed, _SEED])
    count = np.bincount(whole.stratum, minlength=len(whole.strata))
    kept = np.zeros(len(every), dtype=bool)
    left, waiting = most, len(count)
    for k in np.argsort(count, kind="stable").tolist():
        mine = np.flatnonzero(whole.stratum == k)
        mine = rng.permutation(mine)[: left // waiting]
        kept[mine] = True
        left, waiting = left - len(mine), waiting - 1
    return Pilots(every[kept], whole.strata, whole.stratum[kept], whole.share)
