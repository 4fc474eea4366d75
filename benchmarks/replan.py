"""A plan again after one changed price: from the earlier plan against from nothing.

`data/claude` is solved to 1 %, its promises left out (`--redundancy rounds` holds them by rounds
of cuts: some eight minutes in all). Then, three times, one offer's price moves by 2 % (the three
chips and clouds with most lots in the plan: dearer, cheaper, dearer), and the changed case is
solved from the saved run and from nothing, each from the case in memory to the plan, reading the
run included. Keys: warm_seconds and cold_seconds (medians of CPU seconds), speedup (median of
the ratios), worst_gap (the largest proven gap of the six plans), changes.
"""

from __future__ import annotations

import itertools
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

from planner import Case, Plan, load_case, load_plan, solve
from planner.example_cases import example_folder
from planner.redundancy.mode import Redundancy

GAP = 0.01
STEP = 0.02
CHANGES = 3


def moved(case: Case, chip: str, cloud: str, factor: float) -> Case:
    """The case with the price of the offer that serves a chip in a cloud times a factor."""
    offers = list(case.offers)
    for i, offer in enumerate(offers):
        if offer.lot_chips and offer.chip == chip and offer.cloud in (cloud, "*"):
            price = offer.price_usd_per_chip_hour * factor
            offers[i] = offer.model_copy(update={"price_usd_per_chip_hour": price})
            return replace(case, offers=tuple(offers))
    raise SystemExit(f"no offer of {chip} in {cloud}")


def largest(plan: Plan) -> list[tuple[str, str]]:
    """(chip, cloud) with most lots, the most first."""
    lots = pd.DataFrame(plan.tables["contracts_signed"]).groupby(["chip", "cloud"])["lots"].sum()
    found = lots.sort_values(ascending=False, kind="stable").head(CHANGES).index.tolist()
    return [(str(chip), str(cloud)) for chip, cloud in found]


def run(redundancy: Redundancy = "waived", limit: float | None = None) -> dict[str, float]:
    """Warm against cold after one changed price: CPU seconds, medians and speedup."""
    case = load_case(example_folder("claude"))
    before = time.process_time()
    first = solve(case, gap=GAP, time_limit_s=limit, redundancy=redundancy)
    print(json.dumps({"first_cpu_s": time.process_time() - before, "gap": first.gap}), flush=True)
    seconds: dict[str, list[float]] = {"warm": [], "cold": []}
    gaps = []
    with tempfile.TemporaryDirectory() as folder:
        run_folder = Path(folder) / "run"
        first.save(run_folder)
        signs = itertools.cycle((1.0 + STEP, 1.0 - STEP))
        for (chip, cloud), factor in zip(largest(first), signs, strict=False):
            changed = moved(case, chip, cloud, factor)
            for way, measured in seconds.items():
                before = time.process_time()
                warm = load_plan(run_folder) if way == "warm" else None
                plan = solve(changed, gap=GAP, time_limit_s=limit, redundancy=redundancy, warm=warm)
                measured.append(time.process_time() - before)
                gaps.append(plan.gap)
                found = {"way": way, "cpu_s": measured[-1], "gap": plan.gap}
                print(json.dumps({"chip": chip, "cloud": cloud, "by": factor, **found}), flush=True)
    ratios = [c / w for c, w in zip(seconds["cold"], seconds["warm"], strict=True)]
    return {
        "warm_seconds": statistics.median(seconds["warm"]),
        "cold_seconds": statistics.median(seconds["cold"]),
        "speedup": statistics.median(ratios),
        "worst_gap": max(gaps),
        "changes": float(len(ratios)),
    }
