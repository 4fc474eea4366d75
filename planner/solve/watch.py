"""What HiGHS asks and tells while it runs: whether to stop, and how far a search is."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import highspy
import numpy as np

from planner.solve.units import MILLION

_KINDS = highspy.cb.HighsCallbackType
_IN_SEARCH = int(_KINDS.kCallbackMipInterrupt)
_IN_RELAXATION = (int(_KINDS.kCallbackSimplexInterrupt), int(_KINDS.kCallbackIpmInterrupt))
EVERY_S = 1.0
"""Seconds between two words on a search that finds nothing better."""


class Stop(threading.Event):
    """Says when a solve has to end: once it is set (Ctrl-C), or its time is up."""

    def __init__(self, limit_s: float | None = None) -> None:
        """`limit_s` seconds of wall time from now; None without a limit."""
        super().__init__()
        self._ends = np.inf if limit_s is None else time.perf_counter() + limit_s

    def is_set(self) -> bool:
        """Whether to end, for either reason."""
        return self.asked or time.perf_counter() >= self._ends

    @property
    def asked(self) -> bool:
        """Whether somebody asked for it, whatever the time."""
        return super().is_set()

    @property
    def left_s(self) -> float | None:
        """Seconds left; None without a limit."""
        return None if np.isinf(self._ends) else self._ends - time.perf_counter()

    def least(self, limit_s: float | None) -> float | None:
        """The lesser of another limit and the seconds left."""
        given = [limit for limit in (limit_s, self.left_s) if limit is not None]
        return min(given, default=None)


class Watch:
    """Lets a `Stop` end a running solve, at the places where HiGHS looks."""

    def __init__(self, highs: Any, stop: Stop, *, relaxations: bool = True) -> None:
        """Listen to a HiGHS instance, which does not keep what listens.

        Without `relaxations` in searches alone: a relaxation asks at every iteration.
        """
        self.stop = stop
        self.heed = True
        """Whether `stop` counts."""
        self.on_mip: Callable[[float, float], None] | None = None
        """Told the plan and the bound of a search, USD: each better plan, and every second."""
        self._best, self._told = np.nan, -np.inf
        # Through a weak reference: HiGHS would else keep the session, and all its memory, for ever.
        mine = weakref.WeakMethod(self._callback)

        def callback(kind: int, message: str, out: Any, into: Any, data: Any) -> None:
            heard = mine()
            if heard is not None:
                heard(kind, message, out, into, data)

        highs.setCallback(callback, None)
        for kind in (*(_IN_RELAXATION if relaxations else ()), _IN_SEARCH):
            highs.startCallback(_KINDS(kind))

    def _callback(self, kind: int, _message: str, out: Any, into: Any, _data: Any) -> None:
        if self.heed and self.stop.is_set():
            into.user_interrupt = 1
        elif int(kind) == _IN_SEARCH and self.on_mip is not None and self._news(out):
            self._best, self._told = out.mip_primal_bound, time.perf_counter()
            self.on_mip(out.mip_primal_bound * MILLION, out.mip_dual_bound * MILLION)

    def _news(self, out: Any) -> bool:
        """Whether to tell: HiGHS does with its log alone, which is off; it asks far more often."""
        better = out.mip_primal_bound != self._best
        return bool(better or time.perf_counter() > self._told + EVERY_S)
