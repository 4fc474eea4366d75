"""Threads of HiGHS: its scheduler belongs to a thread of ours, and has one size while it lives."""

from __future__ import annotations

import threading

import highspy

_here = threading.local()


def use_threads(threads: int) -> None:
    """Let HiGHS run with so many threads from here, whatever ran here before.

    Without that, `run` fails for a problem that asks for another number than the first one did.
    """
    if getattr(_here, "threads", threads) != threads:
        highspy.Highs.resetGlobalScheduler(True)
    _here.threads = threads
