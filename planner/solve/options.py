"""What a user can ask of a solve, and what a solve tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from planner.errors import Fault, InputError
from planner.matrix import RowBatch
from planner.solve.lp import Basis


@dataclass(frozen=True)
class SolveOptions:
    """Limits of a solve."""

    gap: float = 1e-3
    """Stop when (objective - bound) / |objective| is at most this; 0 = to the optimum."""
    time_limit_s: float | None = None
    """Stop after this many seconds of wall time; None = no limit."""
    threads: int = 1
    """Threads of HiGHS."""

    def __post_init__(self) -> None:
        """Refuse what means nothing; InputError names every such option."""
        limit = 0.0 if self.time_limit_s is None else self.time_limit_s
        faults = [
            Fault(name, f"{getattr(self, name)} is {rule}")
            for name, fine, rule in (
                ("gap", 0.0 <= self.gap <= 1.0, "not between 0 and 1"),
                ("time_limit_s", 0.0 <= limit < float("inf"), "not a number of seconds"),
                ("threads", self.threads >= 1, "below 1"),
            )
            if not fine
        ]
        if faults:
            raise InputError(faults)


@dataclass(frozen=True)
class Event:
    """One line of progress."""

    seconds: float
    """Wall time since the solve began."""
    phase: str
    """What is going on: relaxation, dive, branch, improve."""
    objective_usd: float | None
    """Best plan so far; None when there is none."""
    bound_usd: float | None
    """Proven lower bound so far; None when there is none."""

    @property
    def gap(self) -> float | None:
        """(objective - bound) / |objective|; None while one of them is missing."""
        if self.objective_usd is None or self.bound_usd is None:
            return None
        return relative_gap(self.objective_usd, self.bound_usd)


@dataclass(frozen=True, eq=False)
class Start:
    """What a solve may begin with. It only saves time: a wrong guess proves nothing."""

    whole: npt.NDArray[np.float64] | None = None
    """Values of the whole-number columns, in their order, as a plan of a like problem has them;
    left aside where the rows do not allow them."""
    basis: Basis | None = None
    """Basis of the relaxation of a problem with as many rows and columns."""
    bound_usd: float = -np.inf
    """Lower bound that is proven elsewhere, USD: the search ends with a plan within the gap of it,
    whatever its own tree proves by then."""


Progress = Callable[[Event], None]


def relative_gap(objective: float, bound: float) -> float:
    """(objective - bound) / |objective|, at least 0; costs below 1 USD count as 1."""
    return max(0.0, objective - bound) / max(abs(objective), 1.0)


class LazyRows(Protocol):
    """Rows of the problem that are only given where a point violates them."""

    def __call__(self, x: npt.NDArray[np.float64], *, exact: bool = True) -> RowBatch | None:
        """Rows that x violates, or None; without `exact` only those that are cheap to find."""
