"""Bad input of every kind: one error with every fault, its place and its rule; nothing written."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from planner.case import load_case
from planner.case.read import MAX_BYTES, MAX_FAULTS_PER_FILE
from planner.errors import Fault, InputError

SMALL = Path(__file__).parents[2] / "data" / "small"

Spoil = Callable[[Path], None]


@dataclass(frozen=True)
class Bad:
    """A way to spoil a case, and the fault that must be reported for it."""

    name: str
    spoil: Spoil
    file: str
    line: int | None
    column: str | None
    words: str
    alone: bool = True
    """Whether this is the only fault; some mistakes break several rules."""


def cell(file: str, line: int, column: str, value: str) -> Spoil:
    """Put `value` into a cell of a table; add the column when the file has none."""

    def spoil(folder: Path) -> None:
        rows = list(csv.reader(io.StringIO((folder / file).read_text(), newline="")))
        if column not in rows[0]:
            for i, row in enumerate(rows):
                row.append("" if i else column)
        rows[line - 1][rows[0].index(column)] = value
        with (folder / file).open("w", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows(rows)

    return spoil


def sub(file: str, old: str, new: str) -> Spoil:
    """Replace the first `old` in the text of a file."""

    def spoil(folder: Path) -> None:
        text = (folder / file).read_text()
        assert old in text, f"{old!r} is not in {file}"
        (folder / file).write_text(text.replace(old, new, 1))

    return spoil


def drop(file: str, line: int) -> Spoil:
    """Take a line out of a file."""

    def spoil(folder: Path) -> None:
        lines = (folder / file).read_text().splitlines(keepends=True)
        del lines[line - 1]
        (folder / file).write_text("".join(lines))

    return spoil


def add(file: str, text: str) -> Spoil:
    """Add text at the end of a file."""

    def spoil(folder: Path) -> None:
        with (folder / file).open("a") as out:
            out.write(text)

    return spoil


def raw(file: str, content: bytes) -> Spoil:
    """Replace a file."""

    def spoil(folder: Path) -> None:
        (folder / file).write_bytes(content)

    return spoil


def both(*spoils: Spoil) -> Spoil:
    """One after the other."""

    def spoil(folder: Path) -> None:
        for one in spoils:
            one(folder)

    return spoil


def without(file: str) -> Spoil:
    """Remove a file."""
    return lambda folder: (folder / file).unlink()


def instead(file: str, make: Callable[[Path], None]) -> Spoil:
    """Something that is not a file of the folder in place of one."""

    def spoil(folder: Path) -> None:
        (folder / file).unlink()
        make(folder / file)

    return spoil


def toml(key: str, value: str) -> Spoil:
    """Set a key of case.toml; the value is TOML."""

    def spoil(folder: Path) -> None:
        head, dot, slices = (folder / "case.toml").read_text().partition("\n[[")
        lines = [line for line in head.splitlines() if not line.startswith(f"{key} =")]
        (folder / "case.toml").write_text("\n".join([*lines, f"{key} = {value}", dot + slices]))

    return spoil


NOT_OURS = "is not a regular file inside the case folder"
POOL = "cloud/region/chip"
ONE_DAY = "basic/north-america/interactive/first-party"
POOL_ROW = "cedar,us-2,h200,1,8,x,assumption\n"

FILES = [
    Bad("missing table", without("pools.csv"), "pools.csv", None, None, "the file is missing"),
    Bad("missing settings", without("case.toml"), "case.toml", None, None, "the file is missing"),
    Bad("unknown table", raw("extra.csv", b"a\n"), "extra.csv", None, None, "is not a table"),
    Bad("unknown toml", raw("more.toml", b""), "more.toml", None, None, "is not a table"),
    Bad("empty file", raw("pools.csv", b""), "pools.csv", None, None, "must be the header"),
    Bad("blank line 1", sub("pools.csv", "cl", "\ncl"), "pools.csv", None, None, "it is empty"),
    Bad(
        "header only",
        raw("geographies.csv", b"geography,utc_offset_hours\n"),
        "geographies.csv",
        None,
        None,
        "the table has no rows",
    ),
    Bad("not UTF-8", raw("pools.csv", b"cloud,\xff"), "pools.csv", None, None, "UTF-8 (byte 6)"),
    Bad("NUL byte", add("pools.csv", "a\0,"), "pools.csv", 8, None, r"control character '\x00'"),
    Bad(
        "escape sequence",
        sub("pools.csv", "invented", "\x1b[2Jinvented"),
        "pools.csv",
        2,
        None,
        r"control character '\x1b'",
    ),
    Bad(
        "symlink that leaves the folder",
        instead("chips.csv", lambda path: path.symlink_to(SMALL / "chips.csv")),
        "chips.csv",
        None,
        None,
        NOT_OURS,
    ),
    Bad(
        "symlink to nothing",
        instead("throughput.csv", lambda path: path.symlink_to("nothing")),
        "throughput.csv",
        None,
        None,
        NOT_OURS,
    ),
    Bad(
        "symlink loop",
        instead("chips.csv", lambda path: path.symlink_to(path.name)),
        "chips.csv",
        None,
        None,
        NOT_OURS,
    ),
    Bad("a directory", instead("chips.csv", Path.mkdir), "chips.csv", None, None, NOT_OURS),
    Bad("a pipe", instead("chips.csv", os.mkfifo), "chips.csv", None, None, NOT_OURS),
    Bad(
        "unclosed quote",
        sub("contracts.csv", "invented,assumption", '"invented,assumption'),
        "contracts.csv",
        2,
        None,
        "is not CSV: unexpected end of data",
    ),
    Bad(
        "a cell without end",
        sub("contracts.csv", "invented,", f"{'x' * 200_000},"),
        "contracts.csv",
        2,
        None,
        "field larger than field limit",
    ),
]

HEADERS = [
    Bad(
        "wrong header",
        sub("pools.csv", "usable_share", "useable"),
        "pools.csv",
        1,
        "useable",
        "is not a column of this table",
        alone=False,
    ),
    Bad(
        "unknown column",
        sub("pools.csv", "basis\n", "basis,\n"),
        "pools.csv",
        1,
        "''",
        "is not a column of this table",
    ),
    Bad(
        "missing column",
        sub("classes.csv", "deferrable", "source"),
        "classes.csv",
        1,
        "deferrable",
        "the column is missing",
        alone=False,
    ),
    Bad(
        "column twice",
        sub("pools.csv", "source", "basis"),
        "pools.csv",
        1,
        "basis",
        "the column stands twice",
    ),
    Bad(
        "header with an escape sequence",
        sub("pools.csv", "source", "\u202esource"),
        "pools.csv",
        1,
        r"\u202esource",
        "is not a column of this table",
    ),
    Bad(
        "too many cells",
        add("pools.csv", "a,b,c,1,1,x,assumption,more\n"),
        "pools.csv",
        8,
        None,
        "has 8 cells, the header has 7",
    ),
    Bad(
        "too few cells", add("pools.csv", "a,b\n"), "pools.csv", 8, None, "has 2 cells, the header"
    ),
]

PRICE = "price_usd_per_chip_hour"
CELLS = [
    Bad("text", cell("offers.csv", 3, PRICE, "two"), "offers.csv", 3, PRICE, "'two' is not a nu"),
    Bad("formula", cell("offers.csv", 3, PRICE, "=1+1"), "offers.csv", 3, PRICE, "'=1+1' is not"),
    Bad("comma", cell("offers.csv", 3, PRICE, "2,70"), "offers.csv", 3, PRICE, "'2,70' is not a n"),
    Bad("NaN", cell("offers.csv", 3, PRICE, "nan"), "offers.csv", 3, PRICE, "nan is not a finite"),
    Bad(
        "infinity",
        cell("demand.csv", 5, "requests_per_s", "inf"),
        "demand.csv",
        5,
        "requests_per_s",
        "inf is not a finite number",
    ),
    Bad(
        "overflow",
        cell("demand.csv", 5, "requests_per_s", "1e400"),
        "demand.csv",
        5,
        "requests_per_s",
        "1e400 is not a finite number",
    ),
    Bad(
        "no source",
        cell("chips.csv", 2, "source", ""),
        "chips.csv",
        2,
        "basis",
        "'published' needs a source",
    ),
    Bad(
        "out of this world",
        cell("demand.csv", 5, "requests_per_s", "1e300"),
        "demand.csv",
        5,
        "requests_per_s",
        "1e300 is above 1e+15",
    ),
    Bad(
        "negative price", cell("offers.csv", 3, PRICE, "-3.2"), "offers.csv", 3, PRICE, "-3.2 is b"
    ),
    Bad(
        "share above 1",
        cell("pools.csv", 4, "usable_share", "1.2"),
        "pools.csv",
        4,
        "usable_share",
        "1.2 is above 1",
    ),
    Bad(
        "share in a list above 1",
        cell("contracts.csv", 4, "ramp", "0.8;1.5"),
        "contracts.csv",
        4,
        "ramp.1",
        "1.5 is above 1",
    ),
    Bad(
        "zero where above 0",
        cell("chips.csv", 2, "hbm_gb", "0"),
        "chips.csv",
        2,
        "hbm_gb",
        "0 is not above 0",
    ),
    Bad(
        "percentile of 1",
        cell("classes.csv", 2, "ttft_percentile", "1"),
        "classes.csv",
        2,
        "ttft_percentile",
        "1 is not below 1",
    ),
    Bad(
        "fraction for a whole number",
        cell("pools.csv", 2, "pod_chips", "8.5"),
        "pools.csv",
        2,
        "pod_chips",
        "'8.5' is not a whole number",
    ),
    Bad(
        "neither true nor false",
        cell("chips.csv", 2, "training_capable", "maybe"),
        "chips.csv",
        2,
        "training_capable",
        "'maybe' is neither true nor false",
    ),
    Bad(
        "not one of the kinds",
        cell("offers.csv", 2, "kind", "leased"),
        "offers.csv",
        2,
        "kind",
        "'leased' is not one of",
    ),
    Bad(
        "basis of no kind",
        cell("pools.csv", 2, "basis", "guess"),
        "pools.csv",
        2,
        "basis",
        "'guess' is not one of",
    ),
    Bad(
        "empty", cell("chips.csv", 3, "hbm_gb", ""), "chips.csv", 3, "hbm_gb", "a value is missing"
    ),
    Bad(
        "no such day",
        cell("contracts.csv", 2, "end", "2027-02-30"),
        "contracts.csv",
        2,
        "end",
        "'2027-02-30'",
    ),
    Bad(
        "a number for a day",
        cell("chips.csv", 2, "announced", "0"),
        "chips.csv",
        2,
        "announced",
        "'0' is not a day such as 2026-07-01",
    ),
    Bad(
        "the spreadsheet's day",
        cell("chips.csv", 2, "announced", "7/1/2026"),
        "chips.csv",
        2,
        "announced",
        "'7/1/2026' is not a day",
    ),
    Bad(
        "a day far off",
        cell("contracts.csv", 4, "end", "9999-12-31"),
        "contracts.csv",
        4,
        "end",
        "'9999-12-31' is not between 1990 and 2199",
    ),
    Bad(
        "label that climbs",
        cell("pools.csv", 2, "cloud", "../x"),
        "pools.csv",
        2,
        "cloud",
        "'../x' is not a valid label",
    ),
    Bad(
        "label like a formula",
        cell("training.csv", 4, "run", "=HYPERLINK(1)"),
        "training.csv",
        4,
        "run",
        "'=HYPERLINK(1)' is not a valid label",
    ),
    Bad(
        "campus that climbs",
        cell("regions.csv", 2, "campus", "../x"),
        "regions.csv",
        2,
        "campus",
        "'../x' is not a valid label",
    ),
    Bad(
        "label with a line end",
        cell("training.csv", 4, "run", "re\nsearch"),
        "training.csv",
        4,
        "run",
        r"'re\nsearch' is not a valid label",
    ),
    Bad(
        "period of no form",
        cell("training.csv", 2, "earliest", "2027-Q5"),
        "training.csv",
        2,
        "earliest",
        "'2027-Q5' is not a valid label",
    ),
    Bad(
        "duplicate row",
        add("pools.csv", "alder,us-1,h200,0.5,8,again,assumption\n"),
        "pools.csv",
        8,
        POOL,
        "repeats line 2 (alder, us-1, h200)",
    ),
    Bad(
        "offset from another planet",
        cell("geographies.csv", 2, "utc_offset_hours", "25"),
        "geographies.csv",
        2,
        "utc_offset_hours",
        "25 is above 14",
    ),
]

SETTINGS = [
    Bad("unknown key", toml("bonus", "1"), "case.toml", None, "bonus", "is not a known key"),
    Bad("broken TOML", add("case.toml", "name = \n"), "case.toml", None, None, "is not TOML"),
    Bad("endless TOML", raw("case.toml", b"a=" + b"[" * 9999), "case.toml", None, None, "not TOML"),
    Bad(
        "endless number",
        toml("periods", "4" * 5000),
        "case.toml",
        None,
        None,
        "is not TOML: Exceeds",
    ),
    Bad("wrong type", toml("name", "5"), "case.toml", None, "name", "valid string"),
    Bad(
        "text for a whole number",
        toml("periods", '"four"'),
        "case.toml",
        None,
        "periods",
        "'four' is not a whole",
    ),
    Bad("no period", toml("periods", "0"), "case.toml", None, "periods", "0 is below 1"),
    Bad(
        "not a number of a rate",
        toml("discount_rate_per_year", "nan"),
        "case.toml",
        None,
        "discount_rate_per_year",
        "nan is not a finite number",
    ),
    Bad(
        "haircut above 1",
        toml("horizon_end_haircut", "1.5"),
        "case.toml",
        None,
        "horizon_end_haircut",
        "1.5 is above 1",
    ),
    Bad(
        "missing key",
        sub("case.toml", 'period = "quarter"\n', ""),
        "case.toml",
        None,
        "period",
        "a value is missing",
    ),
    Bad(
        "name with an escape sequence",
        toml("name", r'"\u001b[2J"'),
        "case.toml",
        None,
        "name",
        r"'\x1b[2J' is not a valid label",
    ),
    Bad(
        "description with an escape sequence",
        toml("description", r'"\u001b[2J"'),
        "case.toml",
        None,
        "description",
        r"'\x1b[2J' is not a valid",
    ),
    Bad(
        "start within a quarter",
        toml("start", "2026-11-01"),
        "case.toml",
        None,
        "start",
        "2026-11-01 is not the first day of a quarter",
        alone=False,
    ),
    Bad(
        "start within a month",
        toml("start", "2026-10-02"),
        "case.toml",
        None,
        "start",
        "2026-10-02 is not the first day of a quarter",
    ),
    Bad(
        "start at the end of days",
        toml("start", "9990-01-01"),
        "case.toml",
        None,
        "start",
        "is not between 1990 and 2199",
    ),
    Bad(
        "as_of after the horizon",
        toml("as_of", "2027-10-01"),
        "case.toml",
        None,
        "as_of",
        "2027-10-01 is outside the horizon",
    ),
    Bad(
        "as_of before the horizon",
        toml("as_of", "2026-09-30"),
        "case.toml",
        None,
        "as_of",
        "2026-09-30 is outside the horizon",
    ),
    Bad(
        "slices with a gap",
        sub("case.toml", "from_hour_utc = 0", "from_hour_utc = 3"),
        "case.toml",
        None,
        "slices",
        "6 hours of the week are in no slice, 0 in more than one",
    ),
    Bad(
        "slices that overlap",
        sub("case.toml", 'days = "weekday"', 'days = "all"'),
        "case.toml",
        None,
        "slices",
        "0 hours of the week are in no slice, 48 in more than one",
    ),
    Bad(
        "slice that ends before it starts",
        sub(
            "case.toml", "from_hour_utc = 0\nto_hour_utc = 24", "from_hour_utc = 9\nto_hour_utc = 8"
        ),
        "case.toml",
        None,
        "slices",
        "slice 'weekend' ends before it starts",
        alone=False,
    ),
    Bad(
        "slices of one name",
        sub("case.toml", 'name = "weekend"', 'name = "weekday"'),
        "case.toml",
        None,
        "slices",
        "two slices have one name",
    ),
    Bad(
        "slice of no kind of day",
        sub("case.toml", 'days = "weekend"', 'days = "sunday"'),
        "case.toml",
        None,
        "slices.1.days",
        "'sunday' is not one of",
    ),
    Bad(
        "reference chip of no name",
        toml("reference_chip", '"h300"'),
        "case.toml",
        None,
        "reference_chip",
        "there is no chip 'h300'",
    ),
]


def dangling(file: str, line: int, column: str, value: str, kind: str = "", **more: bool) -> Bad:
    """A reference to nothing."""
    rule = f"there is no {kind or column} '{value.rsplit(';', 1)[-1]}'"
    spoil = cell(file, line, column, value)
    return Bad(f"{file} {column} {value}", spoil, file, line, column, rule, **more)


REFERENCES = [
    dangling("regions.csv", 2, "geography", "asia"),
    dangling("pools.csv", 2, "chip", "h300", alone=False),
    dangling("network.csv", 2, "geography", "asia", alone=False),
    dangling("network.csv", 3, "region", "us-9"),
    dangling("network.csv", 4, "cloud", "maple"),
    dangling("offers.csv", 3, "region", "eu-9"),
    dangling("offers.csv", 3, "cloud", "maple"),
    dangling("offers.csv", 2, "chip", "h300"),
    dangling("models.csv", 2, "architecture", "gpt-9"),
    dangling("serving.csv", 2, "model", "huge", alone=False),
    dangling("serving.csv", 9, "geography", "asia", alone=False),
    dangling("serving.csv", 9, "class", "agentic", alone=False),
    dangling("serving.csv", 2, "allowed_clouds", "alder;maple", "cloud"),
    dangling("serving.csv", 2, "allowed_geographies", "europe;asia", "geography"),
    dangling("demand.csv", 2, "workload", "nobody", alone=False),
    dangling("profile.csv", 2, "geography", "asia", alone=False),
    dangling("profile.csv", 2, "class", "agentic", alone=False),
    dangling("training.csv", 2, "allowed_chips", "trn2;h300", "chip"),
    dangling("throughput.csv", 2, "model", "huge"),
    dangling("throughput.csv", 2, "chip", "h300"),
    dangling("throughput.csv", 2, "class", "agentic"),
    dangling("efficiency.csv", 3, "chip", "h300"),
    dangling("efficiency.csv", 3, "model", "huge"),
    Bad(
        "pool in no region",
        cell("pools.csv", 2, "region", "us-9"),
        "pools.csv",
        2,
        "cloud/region",
        "there is no region alder / us-9",
        alone=False,
    ),
    Bad(
        "supply for an unknown pool",
        add("supply.csv", "cedar,us-2,h200,*,100,x,assumption\n"),
        "supply.csv",
        11,
        POOL,
        "there is no pool cedar / us-2 / h200",
    ),
    Bad(
        "contract in an unknown pool",
        cell("contracts.csv", 2, "chip", "trn2x"),
        "contracts.csv",
        2,
        POOL,
        "there is no pool alder / us-1 / trn2x",
    ),
    Bad(
        "pool without supply",
        add("pools.csv", POOL_ROW),
        "pools.csv",
        8,
        None,
        "has no row in supply.csv",
    ),
    Bad(
        "a quarter without supply",
        cell("supply.csv", 6, "period", "2027-Q1"),
        "pools.csv",
        5,
        None,
        "supply.csv has no row for 2027-Q2 and 1 more; where there is none, state 0",
    ),
    Bad(
        "offer that fits no pool",
        cell("offers.csv", 3, "chip", "gb200"),
        "offers.csv",
        3,
        POOL,
        "fits no pool",
    ),
    Bad(
        "network row that fits no region",
        cell("network.csv", 3, "cloud", "alder"),
        "network.csv",
        3,
        "cloud/region",
        "fits no region",
    ),
    Bad(
        "network without a row",
        drop("network.csv", 6),
        "network.csv",
        None,
        None,
        "no row fits europe / alder / us-1",
        alone=False,
    ),
    Bad(
        "tie between wildcard rows",
        both(
            cell("offers.csv", 3, "cloud", "*"),
            add("offers.csv", "reserved-1y,alder,*,h200,reserved,,,2,,,12" + "," * 12 + "\n"),
        ),
        "offers.csv",
        13,
        POOL,
        "is as specific as line 3 for alder / eu-1 / h200",
    ),
    Bad(
        "tie between round trips",
        add("network.csv", "*,cedar,us-2,1,x,assumption\neurope,cedar,*,1,x,assumption\n"),
        "network.csv",
        10,
        "geography/cloud/region",
        "is as specific as line 9 for europe / cedar / us-2",
        alone=False,
    ),
    Bad(
        "tie between gains",
        add("efficiency.csv", "basic,*,0.2,0.1,0.3,x,assumption\n"),
        "efficiency.csv",
        4,
        "model/chip",
        "is as specific as line 3 for basic / trn2",
    ),
]

OFFERS = [
    Bad(
        "term that is no multiple of the period",
        cell("offers.csv", 2, "term_months", "13"),
        "offers.csv",
        2,
        "term_months",
        "13 is not a positive multiple of 3 months",
    ),
    Bad(
        "reserved without a term",
        cell("offers.csv", 2, "term_months", ""),
        "offers.csv",
        2,
        "term_months",
        "0 is not a positive multiple of 3 months",
    ),
    Bad(
        "pay as you go with a term",
        cell("offers.csv", 8, "term_months", "12"),
        "offers.csv",
        8,
        "term_months",
        "has no meaning for kind on_demand",
    ),
    Bad(
        "pay as you go by the lot",
        cell("offers.csv", 12, "lot_chips", "8"),
        "offers.csv",
        12,
        "lot_chips",
        "has no meaning for kind spot",
    ),
    Bad(
        "reserved that may be taken back",
        cell("offers.csv", 2, "interruptible", "true"),
        "offers.csv",
        2,
        "interruptible",
        "has no meaning for kind reserved",
    ),
    Bad(
        "window reversed",
        cell("offers.csv", 7, "window_to", "2026-12-31"),
        "offers.csv",
        7,
        "window_to",
        "2026-12-31 is before window_from",
    ),
    Bad(
        "ramp falling",
        cell("offers.csv", 6, "ramp", "1;0.5"),
        "offers.csv",
        6,
        "ramp",
        "shares fall over time",
    ),
    Bad("ramp of nothing", cell("offers.csv", 6, "ramp", ";"), "offers.csv", 6, "ramp", "is empty"),
    Bad(
        "fewest lots above most",
        cell("offers.csv", 7, "min_lots", "3"),
        "offers.csv",
        7,
        "max_lots",
        "2 is below min_lots",
    ),
    Bad(
        "offer of two kinds",
        cell("offers.csv", 3, "kind", "capacity_block"),
        "offers.csv",
        3,
        "kind",
        "offer 'reserved-1y' has another kind elsewhere",
    ),
]

CONTRACTS = [
    Bad(
        "contract end before start",
        cell("contracts.csv", 6, "end", "2026-04-01"),
        "contracts.csv",
        6,
        "end",
        "2026-04-01 is not after start",
    ),
    Bad(
        "contract that starts inside a period",
        cell("contracts.csv", 6, "start", "2027-02-01"),
        "contracts.csv",
        6,
        "start",
        "2027-02-01 is not the first day of a period",
    ),
    Bad(
        "contract that ends inside a period",
        cell("contracts.csv", 6, "end", "2027-05-15"),
        "contracts.csv",
        6,
        "end",
        "2027-05-15 is not the first day of a period",
    ),
    Bad(
        "leavable contract without notice",
        cell("contracts.csv", 6, "notice_days", ""),
        "contracts.csv",
        6,
        "notice_days",
        "a contract that can be left needs it",
    ),
    Bad(
        "take or pay with notice",
        cell("contracts.csv", 5, "notice_days", "30"),
        "contracts.csv",
        5,
        "take_or_pay",
        "cannot be left",
        alone=False,
    ),
    Bad(
        "contract ramp falling",
        cell("contracts.csv", 4, "ramp", "1;0.8"),
        "contracts.csv",
        4,
        "ramp",
        "needs shares that do not fall over time",
    ),
    Bad(
        "lines of a contract differ",
        both(
            cell("contracts.csv", 3, "take_or_pay", "false"),
            cell("contracts.csv", 3, "notice_days", "30"),
        ),
        "contracts.csv",
        3,
        "take_or_pay",
        "lines of contract 'alder-h200' differ",
    ),
    Bad(
        "lines of a contract end apart",
        cell("contracts.csv", 3, "end", "2027-04-01"),
        "contracts.csv",
        3,
        "take_or_pay",
        "lines of contract 'alder-h200' differ in dates",
    ),
]

HARDWARE = [
    Bad(
        "goodput without MFU",
        both(cell("chips.csv", 2, "mfu", ""), cell("chips.csv", 2, "mfu_includes_goodput", "true")),
        "chips.csv",
        2,
        "mfu_includes_goodput",
        "has no meaning without mfu",
    ),
    Bad(
        "chip announced after as_of",
        cell("chips.csv", 2, "announced", "2027-01-01"),
        "chips.csv",
        2,
        "announced",
        "2027-01-01 is after as_of",
        alone=False,
    ),
    Bad(
        "ready before announced",
        cell("chips.csv", 2, "ready_for_service", "2023-01-01"),
        "chips.csv",
        2,
        "ready_for_service",
        "2023-01-01 is before the announcement",
    ),
    Bad(
        "more active than total weights",
        cell("architectures.csv", 2, "active_params_b", "117"),
        "architectures.csv",
        2,
        "active_params_b",
        "is above total_params_b",
    ),
    Bad(
        "more full-attention layers than layers",
        cell("architectures.csv", 2, "full_attention_layers", "37"),
        "architectures.csv",
        2,
        "full_attention_layers",
        "is above layers",
    ),
    Bad(
        "more experts per token than experts",
        cell("architectures.csv", 2, "experts_per_token", "129"),
        "architectures.csv",
        2,
        "experts_per_token",
        "is above experts",
    ),
    Bad(
        "experts without weights",
        cell("architectures.csv", 2, "routed_params_b", "0"),
        "architectures.csv",
        2,
        "routed_params_b",
        "is above 0 just when there are experts",
    ),
    Bad(
        "all weights routed",
        cell("architectures.csv", 2, "routed_params_b", "116.8"),
        "architectures.csv",
        2,
        "routed_params_b",
        "is not below total_params_b",
    ),
    Bad(
        "a rounded total",
        cell("architectures.csv", 2, "total_params_b", "120"),
        "architectures.csv",
        2,
        "active_params_b",
        "a token passes 8.884 by the other columns (5.3 outside the experts), not 5.1: "
        "is total_params_b rounded?",
    ),
    Bad(
        "latent attention without a latent",
        cell("architectures.csv", 3, "kv_latent_dim", "0"),
        "architectures.csv",
        3,
        "kv_latent_dim",
        "just for latent attention",
    ),
]

DEMAND = [
    Bad(
        "demand outside the horizon",
        add("demand.csv", f"{ONE_DAY},2027-Q4,1,x,assumption\n"),
        "demand.csv",
        34,
        "period",
        "'2027-Q4' is outside the horizon (2026-Q4 to 2027-Q3)",
    ),
    Bad(
        "demand by the month",
        cell("demand.csv", 2, "period", "2026-10"),
        "demand.csv",
        2,
        "period",
        "'2026-10' is outside the horizon",
        alone=False,
    ),
    Bad(
        "demand missing for a period",
        drop("demand.csv", 3),
        "demand.csv",
        None,
        None,
        f"workload '{ONE_DAY}' has no row for 2027-Q1",
    ),
    Bad(
        "demand for a model that is not served then",
        cell("models.csv", 2, "served_to", "2027-Q2"),
        "demand.csv",
        5,
        "period",
        "model 'basic' is not served in 2027-Q3",
        alone=False,
    ),
    Bad(
        "model served to before from",
        both(
            cell("models.csv", 3, "served_from", "2027-Q2"),
            cell("models.csv", 3, "served_to", "2027-Q1"),
        ),
        "models.csv",
        3,
        "served_to",
        "2027-Q1 is before served_from",
        alone=False,
    ),
    Bad(
        "model served from outside the horizon",
        cell("models.csv", 3, "served_from", "2026-Q3"),
        "models.csv",
        3,
        "served_from",
        "'2026-Q3' is outside the horizon",
    ),
    Bad(
        "supply outside the horizon",
        cell("supply.csv", 8, "period", "2026-Q3"),
        "supply.csv",
        8,
        "period",
        "'2026-Q3' is outside the horizon",
    ),
    Bad(
        "all of the input cached",
        cell("serving.csv", 3, "cached_tokens", "2000"),
        "serving.csv",
        3,
        "cached_tokens",
        "2000 is not below input_tokens",
    ),
    Bad(
        "allowed nowhere",
        cell("serving.csv", 3, "allowed_clouds", ";"),
        "serving.csv",
        3,
        "allowed_clouds",
        "the list is empty",
    ),
    Bad(
        "profile with a missing hour",
        drop("profile.csv", 169),
        "profile.csv",
        None,
        None,
        "* / interactive has 167 of 168 hours",
    ),
    Bad(
        "profile with hour 168",
        cell("profile.csv", 169, "hour_of_week", "168"),
        "profile.csv",
        169,
        "hour_of_week",
        "168 is above 167",
    ),
    Bad(
        "profile for nobody",
        raw("profile.csv", b"geography,class,hour_of_week,factor\n*,batch,0,1\n"),
        "profile.csv",
        None,
        None,
        "no rows fit europe / interactive",
        alone=False,
    ),
    Bad(
        "two profiles as good",
        add("profile.csv", "".join(f"europe,*,{h},1,x,assumption\n" for h in range(168))),
        "profile.csv",
        None,
        None,
        "two shapes are equally specific for europe / interactive",
        alone=False,
    ),
    Bad(
        "profile of nothing",
        raw(
            "profile.csv",
            "\n".join(
                ["geography,class,hour_of_week,factor", *(f"*,*,{h},0" for h in range(168))]
            ).encode(),
        ),
        "profile.csv",
        None,
        None,
        "* / * is zero all week",
    ),
]

TRAINING = [
    Bad(
        "training run without FLOP",
        cell("training.csv", 2, "training_flop", ""),
        "training.csv",
        2,
        "training_flop",
        "kind run needs it",
    ),
    Bad(
        "training run that holds",
        cell("training.csv", 2, "held_eflop_per_s", "1"),
        "training.csv",
        2,
        "held_eflop_per_s",
        "has no meaning for kind run",
    ),
    Bad(
        "standing load with a cluster",
        cell("training.csv", 4, "max_chips", "8"),
        "training.csv",
        4,
        "max_chips",
        "has no meaning for a standing load",
    ),
    Bad(
        "overhead of a run that cannot pause",
        cell("training.csv", 2, "pause_overhead", "0.1"),
        "training.csv",
        2,
        "pause_overhead",
        "the run cannot pause",
    ),
    Bad(
        "training chip that cannot train",
        both(
            cell("chips.csv", 4, "training_capable", "false"),
            cell("training.csv", 3, "allowed_chips", "h200"),
        ),
        "training.csv",
        2,
        "allowed_chips",
        "chip 'trn2' is not training capable",
    ),
    Bad(
        "training on nothing",
        cell("training.csv", 2, "allowed_chips", ";"),
        "training.csv",
        2,
        "allowed_chips",
        "the list is empty",
    ),
    Bad(
        "deadline before earliest",
        cell("training.csv", 2, "deadline", "2026-Q4"),
        "training.csv",
        2,
        "deadline",
        "2026-Q4 is before earliest",
    ),
    Bad(
        "training outside the horizon",
        cell("training.csv", 2, "deadline", "2028-Q1"),
        "training.csv",
        2,
        "deadline",
        "'2028-Q1' is outside the horizon",
    ),
    Bad(
        "measured rate with low above high",
        cell("throughput.csv", 2, "low", "9.9"),
        "throughput.csv",
        2,
        "low",
        "are not in order",
    ),
    Bad(
        "measured rate that no workload uses",
        cell("throughput.csv", 2, "output_tokens", "301"),
        "throughput.csv",
        2,
        "input_tokens",
        "no workload has this model, class and tokens",
    ),
    Bad(
        "efficiency band out of order",
        cell("efficiency.csv", 2, "gain_per_year_low", "0.25"),
        "efficiency.csv",
        2,
        "gain_per_year_low",
        "are not in order",
    ),
]

BAD = [
    *FILES,
    *HEADERS,
    *CELLS,
    *SETTINGS,
    *REFERENCES,
    *OFFERS,
    *CONTRACTS,
    *HARDWARE,
    *DEMAND,
    *TRAINING,
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of data/small that may be spoilt."""
    return Path(shutil.copytree(SMALL, tmp_path / "case"))


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Name, size and time of change of everything in a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        stat = path.lstat()
        found[str(path.relative_to(folder))] = (stat.st_size, stat.st_mtime_ns)
    return found


def refused(folder: Path) -> InputError:
    """The error of a case that must be refused, with nothing written beside or into it."""
    before = contents(folder.parent)
    with pytest.raises(InputError) as caught:
        load_case(folder)
    assert contents(folder.parent) == before
    assert caught.value.exit_code == 2
    assert str(caught.value) == "\n".join(str(fault) for fault in caught.value.faults)
    return caught.value


def test_the_unspoilt_copy_is_good(folder: Path) -> None:
    before = contents(folder)
    assert load_case(folder).settings.name == "small"
    assert contents(folder) == before


def test_there_are_many_kinds() -> None:
    assert len({bad.name for bad in BAD}) == len(BAD)
    # The rule without its value: kinds of fault, not of file.
    assert len({bad.words for bad in BAD}) >= 100


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_bad_input_is_refused(bad: Bad, folder: Path) -> None:
    bad.spoil(folder)
    error = refused(folder)
    place = (bad.file, bad.line, bad.column)
    found = [f for f in error.faults if (f.file, f.line, f.column) == place and bad.words in f.rule]
    assert len(found) == 1, str(error)
    if bad.alone:
        assert error.faults == tuple(found), str(error)
    where = bad.file if bad.line is None else f"{bad.file}:{bad.line}"
    column = f" {bad.column}:" if bad.column else ""
    assert f"{where}:{column} {found[0].rule}" in str(error).split("\n")
    assert str(error).isprintable() or "\n" in str(error)
    assert "\x1b" not in str(error)


def test_a_missing_folder(tmp_path: Path) -> None:
    error = refused(tmp_path / "nowhere")
    assert error.faults == (Fault(str(tmp_path / "nowhere"), "is not a folder"),)


def test_a_file_in_place_of_the_folder(folder: Path) -> None:
    error = refused(folder / "chips.csv")
    assert error.faults == (Fault(str(folder / "chips.csv"), "is not a folder"),)


def test_an_empty_folder_lacks_every_required_file(tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    faults = refused(tmp_path / "case").faults
    assert {f.rule for f in faults} == {"the file is missing"}
    files = {f.file for f in faults}
    assert {"case.toml", "offers.csv", "demand.csv"} <= files
    assert not {"contracts.csv", "training.csv", "throughput.csv", "efficiency.csv"} & files


def test_a_file_of_1_gb_is_refused_without_being_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.truncate(folder / "demand.csv", 2**30)
    read: list[str] = []
    read_bytes = Path.read_bytes

    def noted(path: Path) -> bytes:
        read.append(path.name)
        assert path.stat().st_size < MAX_BYTES
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", noted)
    faults = refused(folder).faults
    assert faults == (Fault("demand.csv", "is larger than 64 MiB"),)
    assert "chips.csv" in read
    assert "demand.csv" not in read


def test_a_file_that_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_bytes = Path.read_bytes

    def denied(path: Path) -> bytes:
        if path.name == "demand.csv":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert refused(folder).faults == (Fault("demand.csv", "cannot be read: Permission denied"),)


def test_faults_in_several_files_come_at_once(folder: Path) -> None:
    """Of reading, of a row and between tables, in one error."""
    bad = [
        Bad("", cell("chips.csv", 2, "hbm_gb", "many"), "chips.csv", 2, "hbm_gb", "not a number"),
        Bad("", cell("chips.csv", 4, "hbm_gb", "-1"), "chips.csv", 4, "hbm_gb", "not above 0"),
        Bad("", cell("chips.csv", 4, "vendor", ""), "chips.csv", 4, "vendor", "value is missing"),
        Bad("", without("classes.csv"), "classes.csv", None, None, "the file is missing"),
        Bad("", add("pools.csv", "a,b\n"), "pools.csv", 8, None, "has 2 cells"),
        Bad("", raw("extra.csv", b""), "extra.csv", None, None, "is not a table"),
        Bad("", drop("demand.csv", 3), "demand.csv", None, None, "has no row for 2027-Q1"),
    ]
    for one in bad:
        one.spoil(folder)
    faults = refused(folder).faults
    for one in bad:
        assert any(
            (f.file, f.line, f.column) == (one.file, one.line, one.column) and one.words in f.rule
            for f in faults
        ), one
    # No more than these: a chip whose row is broken is not said to be missing elsewhere.
    assert len(faults) == len(bad)


def test_faults_between_tables_come_at_once(folder: Path) -> None:
    bad = [
        dangling("models.csv", 2, "architecture", "gpt-9"),
        dangling("training.csv", 2, "allowed_chips", "trn2;h300", "chip"),
        *(OFFERS[0], OFFERS[5], CONTRACTS[0], CONTRACTS[3], HARDWARE[0], DEMAND[2], TRAINING[10]),
    ]
    for one in bad:
        one.spoil(folder)
    faults = refused(folder).faults
    assert {(f.file, f.line, f.column) for f in faults} == {(b.file, b.line, b.column) for b in bad}
    assert len(faults) == len(bad)


def test_a_flood_of_faults_is_counted(folder: Path) -> None:
    text = (folder / "profile.csv").read_text()
    (folder / "profile.csv").write_text(text.replace("assumption", "guess"))
    faults = refused(folder).faults
    assert len(faults) == MAX_FAULTS_PER_FILE + 1
    assert faults[-1] == Fault(
        "profile.csv", f"{336 - MAX_FAULTS_PER_FILE} more faults are not listed"
    )


def test_a_flood_of_faults_between_tables_is_counted(folder: Path) -> None:
    toml("periods", "64")(folder)
    faults = refused(folder).faults
    assert {f.file for f in faults} == {"demand.csv"}
    # The model `basic` is served to 2027-Q3 only; the other five workloads lack 60 periods each.
    assert faults[-1].rule == f"{5 * 60 - MAX_FAULTS_PER_FILE} more faults are not listed"
    assert len(faults) == MAX_FAULTS_PER_FILE + 1


def test_a_fault_after_a_cell_with_line_ends_has_the_right_line(folder: Path) -> None:
    cell("pools.csv", 2, "source", "one\ntwo\nthree")(folder)
    add("pools.csv", "a,b\n")(folder)
    (fault,) = refused(folder).faults
    assert fault.line == 10


def test_a_long_value_is_cut(folder: Path) -> None:
    cell("pools.csv", 2, "pod_chips", "9" * 5000 + "x")(folder)
    (fault,) = refused(folder).faults
    assert len(str(fault)) < 200
