"""A case: the whole planning problem as it was read, frozen."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

from planner.case.agreements import Commitment, Deal, Tier
from planner.case.calendar import Calendar
from planner.case.commercial import Contract, Offer
from planner.case.options import ContractOption
from planner.case.records import (
    Architecture,
    Chip,
    Geography,
    NetworkPath,
    Pool,
    Record,
    Region,
    Supply,
)
from planner.case.rules import Contingency, Limit, Qualification, Survival
from planner.case.settings import Settings
from planner.case.workloads import (
    Demand,
    Efficiency,
    MeasuredRate,
    ProfilePoint,
    ServedModel,
    ServiceClass,
    Serving,
    TrainingRun,
)

RecordT = TypeVar("RecordT", bound=Record)


@dataclass(frozen=True)
class Case:
    """A planning problem: its settings and one tuple of records for each table.

    Made by `planner.load_case`, which checks it. Row order is the order of the files.
    """

    settings: Settings
    """Time, discounting and penalties: `case.toml`."""
    chips: tuple[Chip, ...]
    """Chip families."""
    architectures: tuple[Architecture, ...]
    """Numbers of the served models for the throughput model."""
    geographies: tuple[Geography, ...]
    """Where users are."""
    regions: tuple[Region, ...]
    """Where clouds are."""
    pools: tuple[Pool, ...]
    """Chips of a kind in a region."""
    supply: tuple[Supply, ...]
    """What providers allot by period."""
    network: tuple[NetworkPath, ...]
    """Round trips between users and regions."""
    offers: tuple[Offer, ...]
    """What can be had, and at what price."""
    contracts: tuple[Contract, ...]
    """What is signed."""
    models: tuple[ServedModel, ...]
    """Served models."""
    classes: tuple[ServiceClass, ...]
    """Latency targets and what is promised."""
    serving: tuple[Serving, ...]
    """Workloads."""
    demand: tuple[Demand, ...]
    """Their demand by period."""
    profile: tuple[ProfilePoint, ...]
    """Shape of the week."""
    training: tuple[TrainingRun, ...]
    """Runs and standing loads."""
    throughput: tuple[MeasuredRate, ...]
    """Measured rates."""
    efficiency: tuple[Efficiency, ...]
    """Software gains by year."""
    options: tuple[ContractOption, ...] = ()
    """Rights to renew or expand what is signed."""
    deals: tuple[Deal, ...] = ()
    """Framework agreements."""
    commitments: tuple[Commitment, ...] = ()
    """Minimum spend."""
    tiers: tuple[Tier, ...] = ()
    """Discounts by yearly spend."""
    qualification: tuple[Qualification, ...] = ()
    """Work to enable chips."""
    limits: tuple[Limit, ...] = ()
    """Shares, power, budgets, placements."""
    contingencies: tuple[Contingency, ...] = ()
    """Losses that the plan must survive."""
    survival: tuple[Survival, ...] = ()
    """Share of demand that a class promises in them."""

    @property
    def calendar(self) -> Calendar:
        """Periods of the case with their dates and hours."""
        return Calendar.of(self.settings)

    def rows(self, table: str) -> tuple[Record, ...]:
        """Records of a table by its name."""
        rows: tuple[Record, ...] = getattr(self, table)
        return rows

    def sha256(self) -> str:
        """Hash of the content (not of the files' layout): equal cases have equal hashes."""
        digest = hashlib.sha256(self.settings.model_dump_json().encode())
        for field in fields(self)[1:]:
            for row in self.rows(field.name):
                digest.update(f"{field.name}{row.model_dump_json()}\n".encode())
        return digest.hexdigest()


def most_specific(
    rows: Sequence[RecordT], keys: Sequence[str], target: Sequence[str]
) -> RecordT | None:
    """The row that fits `target` with the fewest `*` in `keys`; None when no row fits.

    Rows are checked beforehand (`ties`) not to be equally specific for one target.
    """
    best: RecordT | None = None
    best_named = -1
    for row in rows:
        values = [getattr(row, key) for key in keys]
        if all(value in ("*", wanted) for value, wanted in zip(values, target, strict=True)):
            named = sum(value != "*" for value in values)
            if named > best_named:
                best, best_named = row, named
    return best
