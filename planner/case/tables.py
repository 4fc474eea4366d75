"""The tables of a case folder: which file holds which record, and what makes a row unique."""

from __future__ import annotations

from dataclasses import dataclass

from planner.case.agreements import Commitment, Deal, Tier
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

SETTINGS_FILE = "case.toml"


@dataclass(frozen=True)
class Table:
    """One CSV file of a case."""

    name: str
    """Name of the table, the file name without `.csv`."""
    record: type[Record]
    """Record of a row."""
    key: tuple[str, ...]
    """Columns that together are unique."""
    required: bool = True
    """Whether the file must exist."""
    rows: bool = True
    """Whether a file that must exist must have rows; a case may be of training alone."""

    @property
    def file(self) -> str:
        """File name in the case folder."""
        return f"{self.name}.csv"

    @property
    def columns(self) -> dict[str, str]:
        """Column in the file -> field of the record."""
        return {(info.alias or field): field for field, info in self.record.model_fields.items()}


_POOL = ("cloud", "region", "chip")

TABLES: tuple[Table, ...] = (
    Table("chips", Chip, ("chip",)),
    Table("architectures", Architecture, ("architecture",)),
    Table("geographies", Geography, ("geography",)),
    Table("regions", Region, ("cloud", "region")),
    Table("pools", Pool, _POOL),
    Table("supply", Supply, (*_POOL, "period")),
    Table("network", NetworkPath, ("geography", "cloud", "region")),
    Table("offers", Offer, ("offer", *_POOL)),
    Table("contracts", Contract, ("contract", *_POOL), required=False),
    Table("options", ContractOption, ("option", "contract", *_POOL), required=False),
    Table("models", ServedModel, ("model",)),
    Table("classes", ServiceClass, ("class",)),
    Table("serving", Serving, ("workload",), rows=False),
    Table("demand", Demand, ("workload", "period"), rows=False),
    Table("profile", ProfilePoint, ("geography", "class", "hour_of_week")),
    Table("training", TrainingRun, ("run",), required=False),
    Table(
        "throughput",
        MeasuredRate,
        ("model", "chip", "class", "input_tokens", "cached_tokens", "output_tokens"),
        required=False,
    ),
    Table("efficiency", Efficiency, ("model", "chip"), required=False),
    Table("deals", Deal, ("deal",), required=False),
    Table("commitments", Commitment, ("commitment", "period_from"), required=False),
    Table("tiers", Tier, ("cloud", "year", "tier"), required=False),
    Table("qualification", Qualification, ("chip", "generation", "purpose"), required=False),
    Table("limits", Limit, ("limit", "member", "model", "period_from"), required=False),
    Table("contingencies", Contingency, ("contingency", "member", "period_from"), required=False),
    Table("survival", Survival, ("class", "kind", "dimension"), required=False),
)

TABLE: dict[str, Table] = {table.name: table for table in TABLES}
