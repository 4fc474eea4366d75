"""Periods side by side: what contingencies ask in one is no matter to another."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def cores() -> int:
    """Cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def side_by_side(work: Callable[[int], T], periods: Sequence[int]) -> list[T]:
    """The work of each period, in their order: the same with any number of cores.

    HiGHS lets go of Python's lock while it solves. `work` may change what belongs to its own
    period only.
    """
    workers = min(cores(), len(periods))
    if workers < 2:
        return [work(t) for t in periods]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, periods))
