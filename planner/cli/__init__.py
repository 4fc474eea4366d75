"""The command line. No arithmetic of its own: it reads, calls and prints."""

from planner.cli import audit, cases, explain, solve, throughput
from planner.cli.app import app, main

__all__ = ["app", "audit", "cases", "explain", "main", "solve", "throughput"]
