"""What every check works with: the case, its lines, its names, and the faults found so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from planner.case.calendar import Calendar
from planner.case.case import Case
from planner.case.records import Record
from planner.case.tables import TABLE
from planner.errors import Fault


@dataclass
class Checker:
    """The case, the line of each of its rows, and the faults so far."""

    case: Case
    """The case as it was read."""
    lines: Mapping[str, Sequence[int]]
    """Table -> line of the file of each row."""
    faults: list[Fault] = field(default_factory=list)
    """What was found so far."""

    def __post_init__(self) -> None:
        self.calendar: Calendar = self.case.calendar
        self.periods = set(self.calendar.labels)
        self.names = {
            "chip": {c.chip for c in self.case.chips},
            "geography": {g.geography for g in self.case.geographies},
            "cloud": {r.cloud for r in self.case.regions},
            "region": {r.region for r in self.case.regions},
            "model": {m.model for m in self.case.models},
            "class": {c.service_class for c in self.case.classes},
            "architecture": {a.architecture for a in self.case.architectures},
            "workload": {w.workload for w in self.case.serving},
            "generation": {m.generation for m in self.case.models},
            "deal": {d.deal for d in self.case.deals},
        }
        self.pools = {(p.cloud, p.region, p.chip) for p in self.case.pools}
        vendor = {chip.chip: chip.vendor for chip in self.case.chips}
        self.members = {
            "cloud": {p.cloud for p in self.case.pools},
            "region": {f"{p.cloud}/{p.region}" for p in self.case.pools},
            "chip": {p.chip for p in self.case.pools},
            "vendor": {vendor.get(p.chip, "") for p in self.case.pools},
        }

    def add(self, table: str, row: int | None, column: str | None, rule: str) -> None:
        """Note a fault of row number `row` (position) of a table."""
        line = None if row is None else self.lines[table][row]
        self.faults.append(Fault(TABLE[table].file, rule, line, column))

    def refer(self, table: str, row: int, column: str, value: str, kind: str | None = None) -> bool:
        """Note a fault when `value` names nothing; `*` and listed names pass."""
        kind = kind or column
        if value == "*" or value in self.names[kind]:
            return True
        self.add(table, row, column, f"there is no {kind} '{value}'")
        return False

    def refer_pool(self, table: str, row: int, record: Record) -> None:
        """Note a fault when cloud, region and chip are not a pool."""
        key = tuple(getattr(record, name) for name in ("cloud", "region", "chip"))
        if key not in self.pools:
            self.add(table, row, "cloud/region/chip", f"there is no pool {' / '.join(key)}")

    def refer_period(self, table: str, row: int, column: str, value: str | None) -> None:
        """Note a fault when a period lies outside the horizon."""
        if value not in (None, "*") and value not in self.periods:
            span = f"{self.calendar.labels[0]} to {self.calendar.labels[-1]}"
            self.add(table, row, column, f"'{value}' is outside the horizon ({span})")

    def refer_span(self, table: str, row: int, first: str | None, last: str | None) -> None:
        """Note faults when period_from or period_to is outside the horizon, or out of order."""
        self.refer_period(table, row, "period_from", first)
        self.refer_period(table, row, "period_to", last)
        if {first, last} <= self.periods and (first or "") > (last or ""):
            self.add(table, row, "period_to", f"{last} is before period_from")

    def refer_member(self, table: str, row: int, dimension: str, member: str) -> None:
        """Note a fault when no pool belongs to a cloud, vendor, chip or region; `*` passes."""
        if member != "*" and member not in self.members[dimension]:
            self.add(table, row, "member", f"there is no {dimension} '{member}' with a pool")

    def ties(
        self, table: str, keys: Sequence[str], targets: Iterable[tuple[str, ...]], same: str = ""
    ) -> set[tuple[str, ...]]:
        """Note equally specific rows for a target; return the targets that some row fits.

        `same` names a column whose values are looked at apart (offers: by offer name).
        """
        groups: dict[str, list[int]] = defaultdict(list)
        rows = self.case.rows(table)
        for position, row in enumerate(rows):
            groups[getattr(row, same) if same else ""].append(position)
        covered: set[tuple[str, ...]] = set()
        told: set[tuple[int, int]] = set()
        for target in targets:
            for positions in groups.values():
                best: list[int] = []
                best_named = -1
                for position in positions:
                    values = [getattr(rows[position], key) for key in keys]
                    if not all(v in ("*", t) for v, t in zip(values, target, strict=True)):
                        continue
                    named = sum(v != "*" for v in values)
                    if named > best_named:
                        best, best_named = [position], named
                    elif named == best_named:
                        best.append(position)
                if best:
                    covered.add(target)
                if len(best) > 1 and (best[0], best[1]) not in told:
                    told.add((best[0], best[1]))
                    other = self.lines[table][best[0]]
                    rule = f"is as specific as line {other} for {' / '.join(target)}"
                    self.add(table, best[1], "/".join(keys), rule)
        return covered
