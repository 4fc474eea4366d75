"""What a user can ask of a solve, and what a solve tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class SolveOptions:
    """Limits of a solve."""

    gap: float = 1e-3
    """Stop when (objective - bound) / |objective| is at most this; 0 = to the optimum."""
    time_limit_s: float | None = None
    """Stop after this many seconds of wall time; None = no limit."""
    threads: int = 1
    """Threads of HiGHS; fixed for a process by its first use."""


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


Progress = Callable[[Event], None]


def relative_gap(objective: float, bound: float) -> float:
    """(objective - bound) / |objective|, at least 0."""
    return max(0.0, objective - bound) / max(abs(objective), 1e-9)
