"""Price columns that a session does not hold: those that lower the cost, or mend what cannot be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from planner.matrix import Matrix
from planner.solve.bound import proving_ray, usable_duals

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
PRICE = 1e-8
"""Reduced cost, in the solver's units, that counts as none: its dual tolerance."""
ROUNDING = 1e-9
"""Part of the size of its terms below which a column's share in a ray counts as none."""


def cheaper(m: Matrix, y: Floats, away: Bools, scale: Floats, most: int) -> Ints:
    """Those of the columns `away` with a negative reduced cost at row duals, at most so many.

    `scale` turns USD per unit of a column into the solver's units [column].
    """
    y = usable_duals(y, m.row_lower, m.row_upper)
    reduced = (m.objective - m.a.T @ y) * scale
    wanted = np.flatnonzero(away & (reduced < -PRICE))
    best = np.argsort(reduced[wanted], kind="stable")[: max(1, most)]
    out: Ints = np.sort(wanted[best])
    return out


def mending(m: Matrix, ray: Floats, bounds: tuple[Floats, Floats], away: Bools) -> Ints:
    """Those of the columns `away` that make a ray prove less; `bounds` are 0 for these."""
    ray = proving_ray(m.a, (m.row_lower, m.row_upper), bounds, ray)
    helps = m.a.T @ ray
    out: Ints = np.flatnonzero(away & (helps > ROUNDING * (abs(m.a).T @ np.abs(ray))))
    return out
