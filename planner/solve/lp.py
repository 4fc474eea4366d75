"""What a linear relaxation gives, and where it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LpResult:
    """What a linear relaxation gave."""

    status: str
    """optimal, infeasible, interrupted, limit, dear (`Session.limit_cost`) or error."""
    x: Floats
    """Column values (empty unless optimal)."""
    y: Floats
    """Row duals when optimal or dear, a dual ray when infeasible (may be empty)."""
    iterations: int
    """Simplex or interior-point iterations."""


@dataclass(frozen=True, eq=False)
class Basis:
    """Where a relaxation ended: statuses as HiGHS numbers them (0 lower, 1 basic, 2 upper)."""

    columns: npt.NDArray[np.int8]
    """Status [column]."""
    rows: npt.NDArray[np.int8]
    """Status [row]."""


@dataclass(eq=False)
class Mark:
    """A basis as HiGHS gives it, for the session that it comes from."""

    basis: Any
    """HiGHS's own."""
    rows: int
    """Rows that it has a status of."""
    columns: int
    """Columns that it has a status of."""
