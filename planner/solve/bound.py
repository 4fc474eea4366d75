"""Lower bounds by weak duality, in the project's own arithmetic.

For any row duals y, with d = c - A'y,

    bound(y) = sum_i (row_lower_i if y_i > 0 else row_upper_i) * y_i
             + sum_j (lower_j if d_j > 0 else upper_j) * d_j + offset

is at most the cost of every feasible plan, whatever the solver's tolerances were. A dual whose
bound is infinite is set to 0 first; a reduced cost on a column without a finite bound makes the
whole bound -infinity, and so do duals that are no numbers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix

Floats = npt.NDArray[np.float64]


def usable_duals(y: Floats, row_lower: Floats, row_upper: Floats) -> Floats:
    """Y with the entries set to 0 whose sign selects an infinite row bound."""
    bad = ((y > 0) & np.isinf(row_lower)) | ((y < 0) & np.isinf(row_upper))
    return np.where(bad, 0.0, y)


def selected(multiplier: Floats, low: Floats, high: Floats) -> Floats:
    """Each multiplier x (low where it is positive, high where negative, 0 where it is 0)."""
    side = np.where(multiplier > 0, low, high)
    out: Floats = multiplier * np.where(multiplier == 0, 0.0, side)
    return out


def reduced_costs(m: Matrix, y: Floats) -> Floats:
    """Reduced costs at row duals [column]; rows below those of y have the price 0."""
    y = np.concatenate([y, np.zeros(m.shape[0] - len(y))])
    out: Floats = m.objective - m.a.T @ usable_duals(y, m.row_lower, m.row_upper)
    return out


def _sum(multiplier: Floats, sides: tuple[Floats, Floats]) -> float:
    """Sum of what `selected` gives."""
    return float(np.sum(selected(multiplier, *sides)))


def weak_duality_bound(
    c: Floats,
    a: sp.csc_array,
    row_bounds: tuple[Floats, Floats],
    column_bounds: tuple[Floats, Floats],
    y: Floats,
    offset: float = 0.0,
) -> float:
    """The bound of the module's formula, USD."""
    y = usable_duals(y, *row_bounds)
    reduced = c - a.T @ y
    bound = offset + _sum(y, row_bounds) + _sum(reduced, column_bounds)
    return -np.inf if np.isnan(bound) else bound


def farkas_gap(
    a: sp.csc_array,
    row_bounds: tuple[Floats, Floats],
    column_bounds: tuple[Floats, Floats],
    ray: Floats,
) -> float:
    """How far a dual ray proves that no point satisfies the rows: proven when it is positive.

    The weak-duality bound with zero cost; a feasible problem has it at most 0 for every ray.
    """
    return weak_duality_bound(np.zeros(a.shape[1]), a, row_bounds, column_bounds, ray)


def proving_ray(
    a: sp.csc_array,
    row_bounds: tuple[Floats, Floats],
    column_bounds: tuple[Floats, Floats],
    ray: Floats,
) -> Floats:
    """The usable part of a ray that may come with either sign, with the sign that proves more.

    Its gap shrinks with a higher upper bound of a column where A'ray is positive, and with a lower
    lower bound where it is negative: these are what can mend an infeasibility.
    """
    gaps = [farkas_gap(a, row_bounds, column_bounds, r) for r in (ray, -ray)]
    return usable_duals(ray if gaps[0] >= gaps[1] else -ray, *row_bounds)
