"""The command line. No arithmetic of its own: it reads, calls and prints."""

from planner.cli import (
    audit,
    cases,
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
    "app", "audit", "cases", "exchange", "explain", "frontier", "main", "plot", "prices", "report",
    "solve", "sweep", "tables", "throughput", "value",
]  # fmt: skip
