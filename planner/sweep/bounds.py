"""Lower bounds of many scenarios of one period: search in single precision, proof in double.

A product in single precision finds, for each scenario, the price with the best bound. The bound
that counts is then evaluated in double precision for the price found, less what rounding can do.
A common stratum is searched among the prices that are best for one of its pilots, a rare one
among all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.sweep.block import Floats, Ints
from planner.sweep.duals import EPS, Prices, coefficients, pool_of
from planner.sweep.problem import Period
from planner.sweep.strata import ONE_STRATUM, Pilots, Strata

Singles = npt.NDArray[np.float32]
TILE = 2048
"""Scenarios in one product: the result stays in cache."""
MANY_PILOTS = 10_000
"""Pilots of a stratum from which on the prices that none of them takes are left out."""


@dataclass(frozen=True)
class Affine:
    """Bounds that are linear in the features of a period."""

    coefficients: Floats
    """[k, feature], USD."""
    size: Floats
    """Most that the sizes of what was added up come to, by feature, over all bounds [feature]."""
    single: Singles
    """Coefficients in single precision [feature, k]."""


def affine(period: Period, signed: Floats) -> Affine:
    """Bounds on features from coefficients of (demand, free, room, most, 1) [k, m].

    The right-hand sides are `lift` x (z, 1), and each loss is one of `most`.
    """
    offers = len(period.merged.block.group)
    first = signed.shape[1] - 1 - offers
    loss = signed[:, first + period.losses]
    linear = signed[:, :-1] @ period.lift
    linear[:, -1] += signed[:, -1]
    most = np.abs(signed).max(axis=0, initial=0.0)
    size = most[:-1] @ np.abs(period.lift)
    size[-1] += most[-1]
    both = np.concatenate([linear, loss], axis=1)
    sizes = np.concatenate([size, most[first + period.losses]])
    return Affine(both, sizes, np.ascontiguousarray(both.T.astype(np.float32)))


@dataclass(frozen=True)
class Bounder:
    """All that bounds one period."""

    period: Period
    """The block and how it moves."""
    prices: Prices
    """Prices that bounds are made of."""
    whole: Affine
    """Bounds of all of them, linear in the features of a scenario."""
    strata: Strata
    """Combinations of the factors that take few values."""
    searched: tuple[Ints, ...]
    """Prices that a scenario of each stratum is searched among [k]."""
    terms: int
    """Most numbers added up in one bound."""
    columns: Ints
    """Serving columns that exact solves begin with."""
    rent: Floats
    """What a free chip of each group is worth over the period [k, g]."""


def bounder(
    period: Period, prices: Prices, pilots: Pilots | None = None, columns: Ints | None = None
) -> Bounder:
    """Prepare the bounds of one period from its prices; `pilots` tell which serve a stratum."""
    b = period.merged.block
    pool = pool_of(b, prices)
    whole = affine(period, coefficients(pool))
    every = np.arange(len(prices))
    strata = ONE_STRATUM if pilots is None else pilots.strata
    searched = [every] * len(strata)
    if pilots is not None:
        features = period.features(period.moves.multipliers.values(pilots.values))
        for k in range(len(strata)):
            mine = pilots.stratum == k
            if np.count_nonzero(mine) >= MANY_PILOTS:
                single = features[mine].astype(np.float32)
                searched[k] = np.unique(best_of(whole.single, single)[0])
    # Sums behind one coefficient, then the sum over features.
    terms = period.lift.shape[0] + period.lift.shape[1] + 2 * b.rate.shape[0] + len(b.share) + 16
    columns = np.zeros(0, dtype=np.int64) if columns is None else columns
    return Bounder(period, prices, whole, strata, tuple(searched), terms, columns, pool.free)


def best_of(single: Singles, features: Singles) -> tuple[Ints, Singles]:
    """Best bound of each scenario and its value in single precision [n]."""
    at = np.empty(len(features), dtype=np.int64)
    value = np.empty(len(features), dtype=np.float32)
    for start in range(0, len(features), TILE):
        rows = slice(start, start + TILE)
        product = np.ascontiguousarray(features[rows]) @ single
        at[rows] = product.argmax(axis=1)
        value[rows] = np.take_along_axis(product, at[rows, None], axis=1)[:, 0]
    return at, value


def lower_bounds(
    bounder: Bounder, features: Floats, stratum: Ints | None = None
) -> tuple[Floats, Ints]:
    """Proven lower bound on each scenario's recourse cost, USD [n], and its price [n].

    `stratum` [n] narrows the search; without it, or where it is -1, every price is tried.
    Unserved and pay as you go cost at least 0, so that no bound is below 0.
    """
    every = np.arange(len(bounder.prices))
    out, price = np.empty(len(features)), np.empty(len(features), dtype=np.int64)
    stratum = np.full(len(features), -1, dtype=np.int64) if stratum is None else stratum
    for k in np.unique(stratum).tolist():
        prices = every if k < 0 else bounder.searched[k]
        single = np.ascontiguousarray(bounder.whole.single[:, prices])
        mine = np.flatnonzero(stratum == k)
        for start in range(0, len(mine), TILE):
            rows = mine[start : start + TILE]
            some = np.ascontiguousarray(features[rows])
            at = prices[(some.astype(np.float32) @ single).argmax(axis=1)]
            value = np.einsum("nf,nf->n", some, bounder.whole.coefficients[at])
            out[rows] = value - bounder.terms * EPS * (np.abs(some) @ bounder.whole.size)
            price[rows] = at
    return np.maximum(out, 0.0), price
