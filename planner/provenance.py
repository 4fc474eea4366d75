"""Where the numbers of a case and the weight of a plan come from."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from planner.case import Case
from planner.case.tables import TABLES
from planner.case.workloads import ServedModel


def provenance(case: Case) -> pd.DataFrame:
    """Rows of each table by basis and source: columns table, basis, source, rows."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for table in TABLES:
        for row in case.rows(table.name):
            source = row.source
            if isinstance(row, ServedModel) and row.proxy:
                source = f"{row.architecture} assumed to be of like size; {source}"
            counts[table.name, row.basis, source] += 1
    frame = pd.DataFrame(
        [(*key, count) for key, count in counts.items()],
        columns=["table", "basis", "source", "rows"],
    )
    return frame.sort_values(["table", "basis", "source"], ignore_index=True)


def shares(weights: dict[str, float]) -> dict[str, float]:
    """Weights as shares of their sum, largest first; empty when the sum is 0."""
    total = sum(weights.values())
    if total <= 0:
        return {}
    ranked = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return {name: weight / total for name, weight in ranked}
