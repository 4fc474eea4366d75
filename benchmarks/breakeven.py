"""What Maia 200 is worth on `data/claude`, and solves on both sides of its break-even price.

The deal is kept, the case's other rules are left out (with them gaps stay near 0.7 %, which hides
the upper end). `planner.value` finds both ends of the break-even price, and the case is solved
once more from nothing 1 % below the low end and 1 % above the high end. Keys: value_low_usd,
value_high_usd, low, high (factors on the prices asked), low_end_signed (1: the deal is signed
1 % below the low end), high_end_signed (0: it is not 1 % above the high end), seconds.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

from planner import Case, load_case, solve, value
from planner.decisions.problem import Tell
from planner.decisions.subject import priced
from planner.example_cases import example_folder
from planner.solve.options import Event

GAP = 0.004
DEAL = "maia-200"
OFF = 0.01


def with_the_deal_alone(case: Case) -> Case:
    """The case without its rules, but for its deals."""
    return replace(
        case, limits=(), qualification=(), commitments=(), tiers=(), contingencies=(), survival=()
    )


def told() -> Tell:
    """A line for every search."""
    last = [""]

    def tell(what: str, _event: Event | None) -> None:
        if what != last[0]:
            print(what, flush=True)
            last[0] = what

    return tell


def run(limit: float | None = None) -> dict[str, float | None]:
    """Value, both ends, and a solve on each side."""
    case = with_the_deal_alone(load_case(example_folder("claude")))
    before = time.process_time()
    found = value(case, deal=DEAL, gap=GAP, time_limit_s=limit, dates=False, tell=told())
    seconds = time.process_time() - before
    price = found.break_even
    assert price is not None
    print("\n".join(price.says))
    out = {
        "value_low_usd": found.value_low_usd, "value_high_usd": found.value_high_usd,
        "low": price.low, "high": price.high, "seconds": seconds,
    }  # fmt: skip
    ends = {"low": (price.low, 1 - OFF), "high": (price.high, 1 + OFF)}
    for name, (end, factor) in ends.items():
        if end is None:
            continue
        plan = solve(priced(case, found.subject, end * factor), gap=GAP, time_limit_s=limit)
        deals = plan.tables["deals"].set_index("deal")
        signed = float(deals.decision[DEAL] == "signed")
        print(json.dumps({"at": end * factor, "gap": plan.gap, "signed": signed}), flush=True)
        out[f"{name}_end_signed"] = signed
    return out
