"""Build the reference case `data/claude/` from the tables in `data/raw/`.

    python data/build_claude.py [--out data/claude]

The raw tables are public facts (`chip_specs.csv`, latency, traces, regions) and assumptions
(`assumptions_*.csv`); `SOURCES.md` says which is which. Every number of the case comes from
one of them, so a change of assumption is a change of one cell and a rerun. The result is
deterministic: the same raw tables give the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from build import demand, supply
from build.raw import copied, write

HERE = Path(__file__).resolve().parent

RULES = (
    "deals",
    "limits",
    "commitments",
    "tiers",
    "qualification",
    "contingencies",
    "survival",
)
"""Tables of rules, each taken over as it stands in `assumptions_*.csv`."""

CASE_TOML = """\
name = "claude"
description = "Reference case: a large model provider on six clouds, 2026-Q3 to 2029-Q2. Public \
facts where there are any, assumptions elsewhere; see data/SOURCES.md."
start = 2026-07-01
as_of = 2026-11-22
period = "quarter"
periods = 12
discount_rate_per_year = 0.08
horizon_end_haircut = 0.9
reference_chip = "h200"
flow_floor_chips = 1.0
qualification_engineers = 150

[[slices]]
name = "weekday-00-06"
days = "weekday"
from_hour_utc = 0
to_hour_utc = 6

[[slices]]
name = "weekday-06-12"
days = "weekday"
from_hour_utc = 6
to_hour_utc = 12

[[slices]]
name = "weekday-12-18"
days = "weekday"
from_hour_utc = 12
to_hour_utc = 18

[[slices]]
name = "weekday-18-24"
days = "weekday"
from_hour_utc = 18
to_hour_utc = 24

[[slices]]
name = "weekend"
days = "weekend"
"""


def build(out: Path) -> dict[str, int]:
    """Write the whole case to a folder; returns the number of rows by table."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "case.toml").write_text(CASE_TOML, encoding="utf-8", newline="\n")
    serving, requests = demand.workloads()
    tables = {
        "chips": supply.chips(),
        "architectures": copied("assumptions_architectures")(),
        "geographies": supply.geographies(),
        "regions": supply.regions(),
        "pools": supply.pools(),
        "supply": supply.chips_by_period(),
        "network": supply.network(),
        "offers": supply.offers(),
        "contracts": supply.contracts(),
        "models": copied("assumptions_models")(),
        "classes": copied("assumptions_classes", ("demand_scale", "profile_dataset"))(),
        "serving": serving,
        "demand": requests,
        "profile": demand.profile(),
        "training": demand.training(),
        "efficiency": demand.efficiency(),
        **{name: copied(f"assumptions_{name}")() for name in RULES},
    }
    return {name: write(out, name, rows) for name, rows in tables.items()}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Build the reference case.")
    parser.add_argument("--out", type=Path, default=HERE / "claude", help="folder to write")
    for name, count in build(parser.parse_args().out).items():
        print(f"{name}: {count} rows")


if __name__ == "__main__":
    main()
