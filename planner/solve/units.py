"""Units that the solver sees: its tolerances are absolute, chips and dollars are many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from planner.matrix import Matrix

Floats = npt.NDArray[np.float64]
THOUSAND, MILLION = 1e3, 1e6
"""Chips and requests that count as one, and USD."""


def scales(matrix: Matrix) -> tuple[Floats, Floats]:
    """Columns in multiples of the first [column], rows times the second [row].

    Continuous columns that can exceed 1 (chips, requests) and the rows they stand in go by the
    thousand; whole numbers and shares stay.
    """
    large = ~matrix.integer & (matrix.upper > 1.5)
    column = np.where(large, THOUSAND, 1.0)
    in_row = (abs(matrix.a) @ large.astype(float)) > 0
    return column, np.where(in_row, 1.0 / THOUSAND, 1.0)
