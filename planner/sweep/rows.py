"""Rows of a list of scenarios from a CSV file, one column a factor."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from planner.errors import Fault
from planner.sweep.kinds import KINDS, kind_of


def read_rows(path: Path, factors: Any) -> tuple[list[list[float]], list[Fault]]:
    """Rows of a list in the order of the factors, and what is wrong with them.

    `factors` as they stand in the specification, which is not checked yet: names, kinds and values
    are taken where they are there.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, row) for row in reader if row]
    except (OSError, ValueError, csv.Error) as error:
        return [], [Fault(path.name, f"cannot be read: {error}")]
    header = lines[0][1] if lines else []
    factors = [f for f in factors if isinstance(f, dict)] if isinstance(factors, list) else []
    names = [str(f.get("name")) for f in factors]
    faults = [Fault(path.name, "is no factor", 1, c) for c in header if c not in names]
    faults += [Fault(path.name, "the column is missing", 1, n) for n in names if n not in header]
    faults += [
        Fault(path.name, "stands twice", 1, n) for n in sorted({*header}) if header.count(n) > 1
    ]
    out = []
    for line, row in lines[1:]:
        if len(row) != len(header):
            faults.append(Fault(path.name, f"{len(row)} values for {len(header)} columns", line))
            continue
        found = dict(zip(header, row, strict=True))
        values = []
        for name, factor in zip(names, factors, strict=True):
            value, fault = _value(factor, found[name]) if name in found else (0.0, None)
            faults += [Fault(path.name, fault, line, name)] if fault else []
            values.append(value)
        out.append(values)
    return out, faults


def _words(values: Any) -> list[str]:
    return [str(v) for v in values] if isinstance(values, list) else []


def _value(factor: dict[str, Any], text: str) -> tuple[float, str | None]:
    """A cell as a number, of `lost` a position, and what is wrong with it."""
    kind, labels = str(factor.get("kind")), _words(factor.get("values"))
    try:
        value = float(labels.index(text) if kind == "lost" else text)
    except ValueError:
        return 0.0, f"'{text}' is not a value of it"
    return value, kind_of(kind, len(labels)).fault(value) if kind in KINDS else None
