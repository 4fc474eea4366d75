"""What HiGHS asks and tells while it runs: whether to stop, and how far a search is."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import highspy

from planner.solve.units import MILLION

_KINDS = highspy.cb.HighsCallbackType
_INTERRUPTS = {
    int(_KINDS.kCallbackSimplexInterrupt),
    int(_KINDS.kCallbackIpmInterrupt),
    int(_KINDS.kCallbackMipInterrupt),
}


class Watch:
    """Lets an event end a running solve, at the places where HiGHS looks."""

    def __init__(self, highs: Any, stop: threading.Event) -> None:
        """Listen to a HiGHS instance, which does not keep what listens."""
        self.stop = stop
        self.heed = True
        """Whether `stop` counts."""
        self.on_mip: Callable[[float, float], None] | None = None
        """Told the plan and the bound of a search, USD."""
        # Through a weak reference: HiGHS would else keep the session, and all its memory, for ever.
        mine = weakref.WeakMethod(self._callback)

        def callback(kind: int, message: str, out: Any, into: Any, data: Any) -> None:
            heard = mine()
            if heard is not None:
                heard(kind, message, out, into, data)

        highs.setCallback(callback, None)
        for kind in (*_INTERRUPTS, int(_KINDS.kCallbackMipLogging)):
            highs.startCallback(_KINDS(kind))

    def _callback(self, kind: int, _message: str, out: Any, into: Any, _data: Any) -> None:
        if int(kind) in _INTERRUPTS and self.heed and self.stop.is_set():
            into.user_interrupt = 1
        elif int(kind) == int(_KINDS.kCallbackMipLogging) and self.on_mip is not None:
            self.on_mip(out.mip_primal_bound * MILLION, out.mip_dual_bound * MILLION)
