"""The command line. No arithmetic of its own: it reads, calls and prints."""

from planner.cli import (
    alternatives,
    audit,
    cases,
    compare,
    exchange,
    explain,
    frontier,
    plot,
    prices,
    report,
    solve,
    sweep,
    tables,
    throughput,
    value,
)
from planner.cli.app import app, main

__all__ = [
    "alternatives", "app", "audit", "cases", "compare", "exchange", "explain", "frontier", "main",
    "plot", "prices", "report", "solve", "sweep", "tables", "throughput", "value",
]  # fmt: skip
