"""A plan's values, brought from labels to the audit's columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.audit.draft import Floats, Ints
from planner.audit.model import AuditModel
from planner.audit.report import FamilyCheck, Finding, Report, report

MOST_FINDINGS = 20
"""Findings shown for one family in one check; all are counted in its FamilyCheck."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Values of one variable with the index tuple of each."""

    index: Ints
    """Index tuples [value, axis]; positions along the axes of the instance."""
    values: Floats
    """Values [value]."""


Values = Mapping[str, Labelled | Mapping[Any, float]]
"""Component -> its values: arrays, or a mapping index -> value as `Matrix.values` gives it.
A column that is not named is 0."""


def labelled(given: Labelled | Mapping[Any, float]) -> Labelled:
    """The arrays of either form; an index may be a tuple, a number, or None for a scalar."""
    if isinstance(given, Labelled):
        return given
    keys = list(given)
    if not keys or keys[0] is None:
        index = np.zeros((len(keys), 0), dtype=np.int64)
    else:
        index = np.array(keys, dtype=np.int64).reshape(len(keys), -1)
    return Labelled(index, np.fromiter(given.values(), dtype=np.float64, count=len(keys)))


def columns_of(model: AuditModel, values: Values) -> tuple[Floats, Report]:
    """The plan as a vector over the audit's columns, and what was wrong with its labels.

    A label that the model does not have, one that stands twice, and a value that is not finite
    are findings; such values are left out (0).
    """
    x = np.zeros(len(model.lower))
    findings: list[Finding] = []
    families: list[FamilyCheck] = []
    for name, given in values.items():
        block, some = model.columns.get(name), labelled(given)
        if block is None:
            findings.append(Finding("labels", name, "a variable of the model", "no such one", 0.0))
            families.append(_labels(name, len(some.values), len(some.values)))
            continue
        position = block.find(some.index)
        first = np.zeros(len(position), dtype=bool)
        first[np.unique(position, return_index=True)[1]] = True
        finite = np.isfinite(some.values)
        good = (position >= 0) & first & finite
        x[position[good]] = some.values[good]
        for i in np.flatnonzero(~good)[:MOST_FINDINGS].tolist():
            if position[i] < 0:
                place = f"{name}: index {tuple(some.index[i].tolist())}"
                findings.append(Finding("labels", place, "an index of it", "no such one", 0.0))
            elif not first[i]:
                place = block.words(int(position[i]))
                findings.append(Finding("labels", place, "one value", "more than one", 0.0))
            else:
                place, value = block.words(int(position[i])), float(some.values[i])
                findings.append(Finding("labels", place, "a finite number", value, 0.0))
        families.append(_labels(name, len(good), int(np.count_nonzero(~good))))
    return x, report(findings, families)


def _labels(name: str, checked: int, failed: int) -> FamilyCheck:
    return FamilyCheck("labels", name, checked, failed, float(failed), np.inf if failed else 0.0)
