"""Everything that the planner raises on purpose.

PlannerError
├── InputError            bad case, scenario or option; carries every fault (exit code 2)
├── RunFolderError        a run folder is missing, incomplete or in the way (exit code 2)
├── InfeasibleError       proven: no plan satisfies the case (exit code 4)
├── UnprovenError         stopped at a limit before any feasible plan was found (exit code 3)
│   └── InterruptedSolveError   by Ctrl-C, or while one of several problems was solved
└── AuditError            a plan does not stand up to its audit (exit code 1)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing wrong in an input: where it is and which rule it breaks."""

    file: str
    """File name, relative to the case folder."""
    rule: str
    """What is wrong, in words, with the offending value."""
    line: int | None = None
    """Line in the file, the header being line 1; None when the fault is of the whole file."""
    column: str | None = None
    """Column or key; None when the fault is of the whole row."""

    def __str__(self) -> str:
        """`offers.csv:17: price_usd_per_chip_hour: -3.2 is below 0`."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.column, self.rule) if part)


class PlannerError(Exception):
    """Root of the tree above."""

    exit_code = 1


class InputError(PlannerError):
    """The input has faults, all of them in `faults`."""

    exit_code = 2

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Keep the faults, in the order given."""
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class RunFolderError(PlannerError):
    """A run folder cannot be read or written as asked."""

    exit_code = 2


class InfeasibleError(PlannerError):
    """The solver proved that no plan satisfies every rule of the case."""

    exit_code = 4


class UnprovenError(PlannerError):
    """The solve stopped at a limit with no feasible plan in hand; nothing is proven."""

    exit_code = 3


class InterruptedSolveError(UnprovenError):
    """Ctrl-C came before any feasible plan, or while one of several problems was solved."""


class AuditError(PlannerError):
    """A plan disagrees with its case."""
