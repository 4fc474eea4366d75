"""Lower bounds of many scenarios of one period: search in single precision, proof in double.

A product in single precision finds, for each scenario, the price with the best bound; where the
bound says that much is lost, slices are recombined (`planner.sweep.recombine`). The bound that
counts is then evaluated in double precision for the prices found, less what rounding can do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.sweep.block import Floats, Ints
from planner.sweep.duals import EPS, Prices, coefficients, pool_of
from planner.sweep.problem import Period
from planner.sweep.recombine import keys_of, slice_coefficients, slice_prices

Singles = npt.NDArray[np.float32]
TILE = 4096
"""Scenarios in one product: the result stays in cache."""
COSTLY = 0.01
"""Share of the contract cost above which slices are recombined: below, one price does."""


@dataclass(frozen=True)
class Affine:
    """Bounds that are linear in the features of a period."""

    coefficients: Floats
    """[k, feature], USD."""
    size: Singles
    """Upper bound on the sum of the sizes of what was added up, by feature [k, feature]."""
    single: Singles
    """Coefficients in single precision [feature, k]."""

    def rows(self, at: Ints, features: Floats) -> tuple[Floats, Floats]:
        """Value and size of bound at[n] in each scenario [n]."""
        value = np.einsum("nf,nf->n", features, self.coefficients[at])
        return value, np.einsum("nf,nf->n", np.abs(features), self.size[at])


def affine(period: Period, signed: Floats) -> Affine:
    """Bounds on features from coefficients of (demand, free, room, most, 1) [k, m].

    The right-hand sides are `lift` x (z, 1), and each loss is one of `most`.
    """
    offers = len(period.merged.block.group)
    first = signed.shape[1] - 1 - offers
    loss = signed[:, first + period.losses]
    linear = signed[:, :-1] @ period.lift
    linear[:, -1] += signed[:, -1]
    size = np.abs(signed[:, :-1]) @ np.abs(period.lift)
    size[:, -1] += np.abs(signed[:, -1])
    both = np.concatenate([linear, loss], axis=1)
    sizes = np.concatenate([size, np.abs(loss)], axis=1)
    # Rounded up: single precision is off by less than one part in a million.
    size32 = (sizes * 1.000001).astype(np.float32)
    return Affine(both, size32, np.ascontiguousarray(both.T.astype(np.float32)))


@dataclass(frozen=True)
class Bounder:
    """All that bounds one period."""

    period: Period
    prices: Prices
    whole: Affine
    """Bounds of whole optima."""
    key: Ints
    """Key of each price, -1 = too rare to be recombined [k]."""
    slices: tuple[tuple[Affine, ...], ...]
    """Bounds by key and slice."""
    terms: int
    """Most numbers added up in one bound."""
    rent: Floats
    """What a free chip of each group is worth over the period [k, g]."""


def bounder(period: Period, prices: Prices, most_keys: int = 32) -> Bounder:
    """Prepare the bounds of one period from its prices; the commonest keys are recombined."""
    b = period.merged.block
    pool = pool_of(b, prices)
    whole = affine(period, coefficients(pool))
    keys = keys_of(b, prices)
    count = np.bincount(keys.of_price)
    common = np.argsort(-count, kind="stable")[:most_keys]
    number = np.full(len(count), -1, dtype=np.int64)
    number[common] = np.arange(len(common))
    parts = [slice_prices(b, prices, s) for s in range(len(b.share))]
    slices = tuple(
        tuple(
            affine(period, slice_coefficients(b, part, prices, int(keys.leader[k]), s))
            for s, part in enumerate(parts)
        )
        for k in common.tolist()
    )
    # Sums behind one coefficient, then the sum over features and slices.
    terms = period.lift.shape[0] + period.lift.shape[1] + 2 * b.rate.shape[0] + len(b.share) + 16
    return Bounder(period, prices, whole, number[keys.of_price], slices, terms, pool.free)


def best_of(single: Singles, features: Singles) -> tuple[Ints, Singles]:
    """Best bound of each scenario and its value in single precision [n]."""
    at = np.empty(len(features), dtype=np.int64)
    value = np.empty(len(features), dtype=np.float32)
    for start in range(0, len(features), TILE):
        rows = slice(start, start + TILE)
        product = features[rows] @ single
        at[rows] = product.argmax(axis=1)
        value[rows] = np.take_along_axis(product, at[rows, None], axis=1)[:, 0]
    return at, value


def lower_bounds(bounder: Bounder, features: Floats, contract_usd: Floats) -> tuple[Floats, Ints]:
    """Proven lower bound on each scenario's recourse cost, USD [n], and its price [n].

    Unserved and pay as you go cost at least 0, so that no bound is below 0.
    """
    single = features.astype(np.float32)
    at, rough = best_of(bounder.whole.single, single)
    value, size = bounder.whole.rows(at, features)
    out = value - bounder.terms * EPS * size
    costly = np.flatnonzero(rough > COSTLY * contract_usd)
    keys = bounder.key[at[costly]]
    for key in np.unique(keys[keys >= 0]).tolist():
        rows = costly[keys == key]
        total, sizes = np.zeros(len(rows)), np.zeros(len(rows))
        for part in bounder.slices[key]:
            best, _ = best_of(part.single, single[rows])
            some, its_size = part.rows(best, features[rows])
            total += some
            sizes += its_size
        out[rows] = np.maximum(out[rows], total - bounder.terms * EPS * sizes)
    return np.maximum(out, 0.0), at
