"""Rules of options in signed contracts: their lines, their dates, what has no meaning."""

from __future__ import annotations

from planner.case.checker import Checker
from planner.case.options import ContractOption

LINE = ("contract", "cloud", "region", "chip")
"""What names a line of a contract."""
IDLE = {
    "renewal": ("window_from", "window_to", "lead_days"),
    "expansion": ("exercise_by_days",),
}
"""Kind of an option -> columns without meaning for it."""


def check_options(c: Checker) -> None:
    """Note every fault of `options.csv`."""
    lines = sorted({(x.contract, x.cloud, x.region, x.chip) for x in c.case.contracts})
    contracts = {name for name, *_ in lines}
    offers = {offer.offer for offer in c.case.offers}
    whole: dict[str, tuple[str, str]] = {}
    for i, row in enumerate(c.case.options):
        known = row.contract in contracts
        if not known:
            c.add("options", i, "contract", f"there is no contract '{row.contract}'")
        fits = any(
            all(getattr(row, key) in ("*", part) for key, part in zip(LINE, line, strict=True))
            for line in lines
        )
        if known and not fits:
            rule = f"fits no line of contract '{row.contract}'"
            c.add("options", i, "cloud/region/chip", rule)
        if row.option in offers:
            c.add("options", i, "option", f"an offer is called '{row.option}' too")
        first = whole.setdefault(row.option, (row.contract, row.kind))
        for column, one, two in zip(
            ("contract", "kind"), first, (row.contract, row.kind), strict=True
        ):
            if one != two:
                rule = f"option '{row.option}' has another {column} elsewhere"
                c.add("options", i, column, rule)
        _check_terms(c, i, row)
    c.ties("options", LINE, lines, same="option")


def _check_terms(c: Checker, i: int, row: ContractOption) -> None:
    """Rules between the columns of one option."""
    for name in IDLE[row.kind]:
        if getattr(row, name) != ContractOption.model_fields[name].default:
            c.add("options", i, name, f"has no meaning for kind {row.kind}")
    if row.kind == "expansion" and row.max_lots is None:
        c.add("options", i, "max_lots", "kind expansion needs it")
    if row.term_months % c.calendar.months:
        rule = f"{row.term_months} is not a multiple of {c.calendar.months} months"
        c.add("options", i, "term_months", rule)
    if row.window_from and row.window_to and row.window_from > row.window_to:
        c.add("options", i, "window_to", f"{row.window_to} is before window_from")
