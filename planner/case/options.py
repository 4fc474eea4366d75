"""Typed rows of a case, part six: options in contracts that are already signed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from planner.case.records import Count, Day, Key, Name, NonNegative, Positive, Record, Share

OptionKind = Literal["renewal", "expansion"]
"""A renewal keeps chips past the contract's end; an expansion adds chips while it runs."""


class ContractOption(Record):
    """A right that a signed contract gives: `options.csv`.

    A row may name the contract's lines by `*`. For each option and line the most specific row
    wins; two rows that are equally specific for a line are an error. An option belongs to one
    contract and is decided line by line, in lots.
    """

    option: Name
    """Name of the option; no offer has the same."""
    contract: Name
    """Contract that gives it."""
    cloud: Key
    """Provider of the line, or `*`."""
    region: Key
    """Region of the line, or `*`."""
    chip: Key
    """Chip family of the line, or `*`."""
    kind: OptionKind
    """renewal: starts at the contract's end, for at most the chips delivered then, unless the
    contract was left; expansion: starts while the contract stands."""
    lot_chips: Positive
    """Chips in one lot."""
    max_lots: Count | None = None
    """Most lots of a line in all; an expansion needs it, a renewal is bound by what was
    delivered too."""
    price_usd_per_chip_hour: NonNegative
    """Price while it runs, as agreed in the contract: no trend and no multiplier of the region,
    USD per chip and hour."""
    term_months: Annotated[int, Field(ge=1, le=240)]
    """Length from the start of the lots, months; leaving the contract later does not end them."""
    exercise_by_days: Annotated[int, Field(ge=0, le=3650)] = 0
    """Renewal: days before the contract's end by which it must be exercised."""
    window_from: Day | None = None
    """Expansion: first day on which lots can start; empty = the contract's start."""
    window_to: Day | None = None
    """Expansion: last day on which lots can start; empty = the contract's end."""
    lead_days: Annotated[int, Field(ge=0, le=3650)] = 0
    """Expansion: days from exercising to the start of the lots."""
    upfront_share: Share = 0.0
    """Share of the whole value that is paid at the start; the rest runs evenly."""
