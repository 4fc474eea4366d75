"""What an audit says: findings, and what was checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from planner.errors import AuditError


@dataclass(frozen=True)
class Finding:
    """One thing in a plan that does not stand."""

    check: str
    """rows, bounds, whole numbers, labels, cost or bound."""
    place: str
    """Family and index in words, with the labels of its axes."""
    expected: float | str
    """What should stand there."""
    found: float | str
    """What stands there."""
    tolerance: float
    """Difference that would have been let pass; 0 where none is."""

    def __str__(self) -> str:
        """One line: check, place, expected, found."""
        numbers = (
            value if isinstance(value, str) else f"{value:.12g}"
            for value in (self.expected, self.found)
        )
        expected, found = numbers
        said = f"{self.check}: {self.place}: expected {expected}, found {found}"
        return f"{said} (tolerance {self.tolerance:.3g})" if self.tolerance else said


@dataclass(frozen=True)
class FamilyCheck:
    """How one family fared in one check."""

    check: str
    """rows, bounds, whole numbers, labels, cost or bound."""
    family: str
    """Constraint, variable, cost term, or part of the proof."""
    checked: int
    """Members checked."""
    failed: int
    """Members beyond tolerance; all are counted, the worst have a finding."""
    worst: float
    """Largest violation in the unit of the family (for the worst by share of tolerance)."""
    worst_share: float
    """That violation over its tolerance; beyond 1 it is a failure."""


@dataclass(frozen=True)
class Report:
    """Findings and what was checked; reports add up."""

    findings: tuple[Finding, ...] = ()
    """What does not hold; shown up to a number of each kind."""
    families: tuple[FamilyCheck, ...] = ()
    """What was checked, and how much of it failed."""

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def checked(self) -> int:
        """Number of members checked."""
        return sum(family.checked for family in self.families)

    def __add__(self, other: Report) -> Report:
        """Both reports in one."""
        return Report(self.findings + other.findings, self.families + other.families)

    def require(self) -> None:
        """Raise AuditError with every finding, when there is one."""
        if self.findings:
            raise AuditError("\n".join(str(finding) for finding in self.findings))


def report(findings: Iterable[Finding], families: Iterable[FamilyCheck]) -> Report:
    """A report of lists."""
    return Report(tuple(findings), tuple(families))
