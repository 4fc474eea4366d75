"""The best configuration of every (model, class, chip) of a case, and why a pair is impossible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from planner.case import Case, most_specific
from planner.case.workloads import MeasuredRate, Serving
from planner.throughput.factors import Factors
from planner.throughput.grid import MODES, Limit, Provenance, Shape
from planner.throughput.inputs import PRECISIONS, FloatArray
from planner.throughput.rates import grids, round_trips, shape_of

WORDS = {
    Limit.DOES_NOT_FIT: "the model and one request's cache do not fit the largest replica",
    Limit.ROUND_TRIP: "the round trip alone uses up the TTFT target",
    Limit.TTFT: "prefill alone takes longer than the TTFT target allows",
    Limit.TPOT: "a decode step takes longer than the TPOT target, even for the smallest batch",
    Limit.NO_PRECISION: "the chip has no arithmetic for any precision that the model allows",
    Limit.BINDS_TTFT: "TTFT: queueing for prefill reaches the target's percentile",
    Limit.BINDS_TPOT_MEMORY: "TPOT, by memory bandwidth",
    Limit.BINDS_TPOT_COMPUTE: "TPOT, by compute",
    Limit.BINDS_TPOT_COLLECTIVE: "TPOT, by collectives between chips",
    Limit.BINDS_TPOT_OVERHEAD: "TPOT, by fixed overhead of a step",
    Limit.BINDS_CAPACITY: "memory capacity: no room for a larger batch",
    Limit.BINDS_PREFILL: "prefill compute",
    Limit.BINDS_BATCH_GRID: "the largest batch that is tried",
}
"""What limits a rate, in words."""


def cheapest_prices(case: Case, *, firm: bool) -> dict[str, float]:
    """Cheapest offer of each chip at the start of the case, USD per chip and hour that works.

    `firm`: without offers whose chips the provider may take back, for work that cannot wait.
    """
    keys = ("cloud", "region", "chip")
    multiplier = {(r.cloud, r.region): r.price_multiplier for r in case.regions}
    names = dict.fromkeys(offer.offer for offer in case.offers)
    out: dict[str, float] = {}
    for pool in case.pools:
        target = (pool.cloud, pool.region, pool.chip)
        for name in names:
            rows = [row for row in case.offers if row.offer == name]
            offer = most_specific(rows, keys, target)
            if offer is not None and not (firm and offer.interruptible):
                price = offer.price_usd_per_chip_hour * multiplier[pool.cloud, pool.region]
                price /= offer.goodput_share
                out[pool.chip] = min(out.get(pool.chip, np.inf), price)
    return out


def _key(w: Serving | MeasuredRate) -> tuple[object, ...]:
    return (w.model, w.service_class, w.input_tokens, w.cached_tokens, w.output_tokens)


def _measured_key(row: MeasuredRate) -> tuple[object, ...]:
    return (*_key(row), row.chip)


def _examples(case: Case) -> list[int]:
    """One workload for each (model, class, token shape): the first in the table."""
    seen: dict[tuple[object, ...], int] = {}
    for i, w in enumerate(case.serving):
        seen.setdefault(_key(w), i)
    return list(seen.values())


def _nearest(case: Case) -> FloatArray:
    """Least round trip of any pool of each chip, from each workload's users [workload, chip]."""
    trip = round_trips(case)
    out = np.full((len(case.serving), len(case.chips)), np.inf)
    at = {c.chip: i for i, c in enumerate(case.chips)}
    for p, pool in enumerate(case.pools):
        out[:, at[pool.chip]] = np.minimum(out[:, at[pool.chip]], trip[:, p])
    return out


COLUMNS = (
    "model", "class", "input_tokens", "cached_tokens", "output_tokens", "chip", "rtt_ms",
    "chips_per_replica", "batch", "precision", "mode", "ttft_ms", "tpot_ms",
    "requests_per_s_per_chip", "low", "high", "output_tokens_per_s_per_chip", "provenance",
    "usd_per_million_tokens", "limited_by",
)  # fmt: skip
"""Columns of the throughput table."""


def throughput_table(
    case: Case, round_trip_ms: float | None = None, factors: Factors | None = None
) -> pd.DataFrame:
    """Best configuration per (model, class, token shape, chip), a row each.

    At the round trip given, or else the least of any pool of that chip from the users of the
    shape's first workload. Cost is that of the cheapest offer at full load, USD per million
    tokens of input and output together.
    """
    picks = _examples(case)
    nearest = _nearest(case)
    if round_trip_ms is not None:
        nearest = np.full_like(nearest, round_trip_ms)
    small = replace(case, serving=tuple(case.serving[i] for i in picks))
    trips = np.where(np.isfinite(nearest[picks]), nearest[picks], 0.0)
    prices = {wait: cheapest_prices(case, firm=not wait) for wait in (False, True)}
    waits = {c.service_class: c.deferrable for c in case.classes}
    known = {_measured_key(row): row for row in case.throughput}
    rows = []
    for found, table in grids(small, shape_of(small), trips, factors):
        for i, w in enumerate(found.tolist()):
            work = small.serving[w]
            for c, chip in enumerate(case.chips):
                at = (i, c, c)
                rate = float(table.requests_per_s_per_chip[at])
                low, high = float(table.low[at]), float(table.high[at])
                basis = Provenance(int(table.provenance[at])).name.lower()
                limited = WORDS[Limit(int(table.limit[at]))]
                measured = known.get((*_key(work), chip.chip))
                if measured is not None and trips[w, c] <= measured.max_rtt_ms:
                    rate, low, high = (
                        measured.requests_per_s_per_chip, measured.low, measured.high
                    )  # fmt: skip
                    basis, limited = "measured", "measured by the user"
                tokens = work.input_tokens + work.output_tokens
                price = prices[waits[work.service_class]].get(chip.chip)
                cost = price / (rate * tokens * 3600.0) * 1e6 if rate and price else np.nan
                rows.append(
                    {
                        "model": work.model,
                        "class": work.service_class,
                        "input_tokens": work.input_tokens,
                        "cached_tokens": work.cached_tokens,
                        "output_tokens": work.output_tokens,
                        "chip": chip.chip,
                        "rtt_ms": float(trips[w, c]),
                        "chips_per_replica": int(table.chips_per_replica[at]),
                        "batch": int(table.batch[at]),
                        "precision": PRECISIONS[int(table.precision[at])] if rate else "",
                        "mode": MODES[int(table.mode[at])] if rate else "",
                        "ttft_ms": float(table.ttft_ms[at]) if rate else np.nan,
                        "tpot_ms": float(table.tpot_ms[at]) if rate else np.nan,
                        "requests_per_s_per_chip": rate,
                        "low": low,
                        "high": high,
                        "output_tokens_per_s_per_chip": rate * work.output_tokens,
                        "provenance": basis if rate else "",
                        "usd_per_million_tokens": cost,
                        "limited_by": limited,
                    }
                )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def why(
    case: Case, model: str, chip: str, service_class: str, round_trip_ms: float | None = None
) -> list[str]:
    """What limits a model on a chip in a class, in words: a line or more a token shape.

    Beside the binding limit it says what the rate would be without each latency target. Raises
    KeyError with the name when the case has no such model, chip or class.
    """
    for kind, name, known in (
        ("model", model, {m.model for m in case.models}),
        ("chip", chip, {c.chip for c in case.chips}),
        ("class", service_class, {c.service_class for c in case.classes}),
    ):
        if name not in known:
            raise KeyError(f"there is no {kind} '{name}'")
    chosen = tuple(w for w in case.serving if w.model == model and w.service_class == service_class)
    if not chosen:
        return [f"no workload of {model} is in class {service_class}"]
    only = replace(case, serving=chosen)
    table = throughput_table(only, round_trip_ms)
    lines = []
    for row in table[table.chip == chip].to_dict("records"):
        shape = (
            f"{row['input_tokens']:g} in ({row['cached_tokens']:g} cached), "
            f"{row['output_tokens']:g} out, round trip {row['rtt_ms']:.0f} ms"
        )
        if row["requests_per_s_per_chip"] == 0:
            lines.append(f"{model} on {chip}, {service_class}, {shape}: impossible; "
                         f"{row['limited_by']}")  # fmt: skip
        else:
            lines.append(
                f"{model} on {chip}, {service_class}, {shape}: "
                f"{row['requests_per_s_per_chip']:.4g} requests/s per chip with "
                f"{row['chips_per_replica']} chips a replica, batch {row['batch']}, "
                f"{row['precision']}, {row['mode']}; limited by {row['limited_by']}"
            )
    for target in ("ttft_ms", "tpot_ms"):
        rate = _without(only, target, chip, round_trip_ms)
        if rate is not None:
            lines.append(
                f"  without the {target[:4].upper()} target: {rate:.4g} requests/s per chip"
            )
    return lines


def _without(case: Case, target: str, chip: str, round_trip_ms: float | None) -> float | None:
    """Rate of the first shape when a latency target is dropped; None when there is none."""
    name = case.serving[0].service_class
    service = next(c for c in case.classes if c.service_class == name)
    if getattr(service, target) is None:
        return None
    freed = service.model_copy(update={target: None})
    classes = tuple(freed if c.service_class == name else c for c in case.classes)
    table = throughput_table(replace(case, classes=classes), round_trip_ms)
    return float(table[table.chip == chip].requests_per_s_per_chip.iloc[0])


def shapes_of(case: Case) -> Shape:
    """Request shapes of one workload a (model, class, token shape), for checks by simulation."""
    picks = _examples(case)
    return shape_of(replace(case, serving=tuple(case.serving[i] for i in picks)))
