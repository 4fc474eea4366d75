"""Cases that tests share: the two examples, solved once a process, and tiny ones from records.

A tiny case takes its rates from `throughput` rows for every workload and chip, so that no change
of the throughput model moves it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.optimize import linprog

import planner
from planner.case import Case
from planner.case.check import check
from planner.case.commercial import Contract, Offer
from planner.case.records import (
    Architecture,
    Chip,
    Geography,
    NetworkPath,
    Pool,
    Region,
    Supply,
)
from planner.case.settings import Settings, TimeSlice
from planner.case.tables import TABLES
from planner.case.workloads import (
    Demand,
    Efficiency,
    MeasuredRate,
    ProfilePoint,
    ServedModel,
    ServiceClass,
    Serving,
    TrainingRun,
)
from planner.matrix import Matrix

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
ROOT = Path(__file__).parents[1]
DATA = ROOT / "data"
solve_linear: Any = linprog
"""scipy's linprog; its stubs do not take a plain array of bounds."""
CLAUDE_LIMIT_S = 100.0
"""A solve of data/claude that takes longer than this fails its tests instead of stalling them."""


@cache
def small_case() -> Case:
    """data/small."""
    return planner.load_case(DATA / "small")


@cache
def small_plan() -> planner.Plan:
    """data/small to the optimum."""
    return planner.solve(small_case(), gap=0.0)


RULES = (
    "limits", "contingencies", "survival", "qualification", "deals", "commitments", "tiers",
)  # fmt: skip
"""Tables of rules."""


@cache
def claude_without_rules() -> Case:
    """data/claude without its rules, every offer open: solved in seconds, and large all the same.

    `make plan` solves and audits the case with all rules.
    """
    case = planner.load_case(DATA / "claude")
    offers = tuple(offer.model_copy(update={"deal": ""}) for offer in case.offers)
    nothing: dict[str, Any] = dict.fromkeys(RULES, ())
    return valid(replace(case, offers=offers, **nothing))


@cache
def claude_plan() -> planner.Plan:
    """It to a gap of 0.1 %. Tests that use it carry the xdist group `claude`."""
    return planner.solve(claude_without_rules(), gap=1e-3, time_limit_s=CLAUDE_LIMIT_S)


# -- tiny cases ------------------------------------------------------------------------------

LABELS = ("2026-Q4", "2027-Q1", "2027-Q2", "2027-Q3", "2027-Q4", "2028-Q1")
TWO_SLICES = (
    TimeSlice(name="weekday", days="weekday"),
    TimeSlice(name="weekend", days="weekend"),
)
ONE_SLICE = (TimeSlice(name="week", days="all"),)
SHAPE: dict[str, Any] = {"input_tokens": 1000.0, "cached_tokens": 200.0, "output_tokens": 200.0}
RATE = {"h200": 4.0, "trn2": 1.5}


def valid(case: Case) -> Case:
    """The case itself; an AssertionError when it breaks a rule that a folder would break."""
    lines = {table.name: range(2, 2 + len(case.rows(table.name))) for table in TABLES}
    faults = check(case, lines)
    assert not faults, "\n".join(map(str, faults))
    return case


def chips() -> tuple[Chip, ...]:
    """A GPU, and a chip that trains less well."""
    return (
        Chip(
            chip="h200", vendor="nvidia", family="hopper", bf16_tflops=989, fp8_tflops=1978,
            hbm_gb=141, hbm_tb_per_s=4.8, scaleup_gb_per_s=900, scaleup_domain_chips=8,
            kw_per_chip=1.4, training_capable=True, mfu=0.4, announced=date(2023, 11, 1),
            ready_for_service=date(2024, 4, 1),
        ),
        Chip(
            chip="trn2", vendor="aws", family="trainium", bf16_tflops=667, fp8_tflops=1299,
            hbm_gb=96, hbm_tb_per_s=2.9, scaleup_gb_per_s=1280, scaleup_domain_chips=64,
            kw_per_chip=0.8, training_capable=True, mfu=0.35, mfu_includes_goodput=True,
            announced=date(2024, 12, 1), ready_for_service=date(2024, 12, 1),
        ),
    )  # fmt: skip


def architecture() -> Architecture:
    """A dense model of 8 billion weights."""
    return Architecture(
        architecture="dense-8b", total_params_b=8, active_params_b=8, layers=32, hidden_size=4096,
        attention_heads=32, kv_heads=8, head_dim=128, attention="gqa", full_attention_layers=32,
    )  # fmt: skip


def classes() -> tuple[ServiceClass, ...]:
    """One class that cannot wait and one that can."""
    chat: dict[str, Any] = {
        "class": "chat",
        "ttft_ms": 2000.0,
        "tpot_ms": 60.0,
        "deferrable": False,
    }
    batch: dict[str, Any] = {"class": "batch", "deferrable": True}
    return (
        ServiceClass(**chat, headroom=1.2, penalty_usd_per_million_tokens=30),
        ServiceClass(**batch, headroom=1.0, penalty_usd_per_million_tokens=4),
    )


def _in(service_class: str) -> dict[str, Any]:
    """The column `class`, which is no name for an argument in Python."""
    return {"class": service_class}


def workload(name: str, service_class: str, geography: str = "west", **more: Any) -> Serving:
    """A workload of the one model."""
    fields: dict[str, Any] = {"class": service_class, "geography": geography, **SHAPE, **more}
    return Serving(workload=name, model="base", channel="first-party", **fields)


def measured(service_class: str) -> tuple[MeasuredRate, ...]:
    """Rates of a class on every chip, at any round trip."""
    return tuple(
        MeasuredRate(
            **_in(service_class), model="base", chip=chip, **SHAPE, max_rtt_ms=10_000,
            requests_per_s_per_chip=rate, low=0.8 * rate, high=1.2 * rate,
        )
        for chip, rate in RATE.items()
    )  # fmt: skip


def day_and_weekend(low: float = 0.5, weekend: float = 0.7) -> tuple[ProfilePoint, ...]:
    """A week with nights and a quieter weekend."""
    return tuple(
        ProfilePoint(
            **_in("*"), geography="*", hour_of_week=hour,
            factor=(1.5 if 8 <= hour % 24 < 20 else low) * (weekend if hour >= 120 else 1.0),
        )
        for hour in range(168)
    )  # fmt: skip


def flat() -> tuple[ProfilePoint, ...]:
    """A week without any shape."""
    return tuple(
        ProfilePoint(**_in("*"), geography="*", hour_of_week=hour, factor=1.0)
        for hour in range(168)
    )


def offer(name: str, kind: str, price: float, **more: Any) -> Offer:
    """An offer; for every pool unless told otherwise."""
    place = {"cloud": "*", "region": "*", "chip": "*"}
    fields = {"kind": kind, "price_usd_per_chip_hour": price, **place, **more}
    return Offer(offer=name, **fields)


def settings(periods: int = 2, slices: tuple[TimeSlice, ...] = TWO_SLICES, **more: Any) -> Settings:
    """Settings from 2026-10-01 in quarters."""
    period: Literal["quarter"] = "quarter"
    fields = {"discount_rate_per_year": 0.08, "horizon_end_haircut": 0.9, **more}
    start = date(2026, 10, 1)
    return Settings(
        name="tiny", start=start, as_of=start, period=period, periods=periods,
        reference_chip="h200", slices=slices, **fields,
    )  # fmt: skip


def demand_rows(workload_name: str, *rates: float) -> tuple[Demand, ...]:
    """Demand of a workload from the first period on."""
    return tuple(
        Demand(workload=workload_name, period=label, requests_per_s=rate)
        for label, rate in zip(LABELS, rates, strict=False)
    )


def supply_rows(cloud: str, region: str, chip: str, chips_: float) -> Supply:
    """The same supply in every period."""
    return Supply(cloud=cloud, region=region, chip=chip, period="*", chips=chips_)


def tiny_case(**tables: Any) -> Case:
    """A small whole case with one of everything; `tables` replace tables (or settings)."""
    base = Case(
        settings=settings(),
        chips=chips(),
        architectures=(architecture(),),
        geographies=(
            Geography(geography="west", utc_offset_hours=-8),
            Geography(geography="east", utc_offset_hours=5.5),
        ),
        regions=(
            Region(cloud="ash", region="w1", geography="west", campus="plain"),
            Region(
                cloud="ash", region="w2", geography="west", campus="plain",
                install_limit_chips=900, price_multiplier=1.1,
            ),
            Region(cloud="elm", region="e1", geography="east", install_limit_chips=1000),
        ),
        pools=(
            Pool(cloud="ash", region="w1", chip="h200", usable_share=0.9, pod_chips=8),
            Pool(cloud="ash", region="w2", chip="h200", usable_share=0.95, pod_chips=8),
            Pool(cloud="elm", region="e1", chip="trn2", usable_share=0.92, pod_chips=64),
        ),
        supply=(
            supply_rows("ash", "w1", "h200", 2000),
            supply_rows("ash", "w2", "h200", 1000),
            supply_rows("elm", "e1", "trn2", 3000),
        ),
        network=(NetworkPath(geography="*", cloud="*", region="*", rtt_ms=30),),
        offers=(
            offer("term-6m", "reserved", 2.0, chip="h200", term_months=6, lot_chips=300,
                  price_trend_per_year=-0.1, ramp=(0.5, 1.0)),
            offer("term-12m", "reserved", 0.8, chip="trn2", term_months=12, lot_chips=400,
                  min_lots=2, floating=True, price_trend_per_year=-0.1, upfront_share=0.2),
            offer("on-demand", "on_demand", 6.0, max_supply_share=0.1),
            offer("spot", "spot", 0.9, chip="trn2", interruptible=True, goodput_share=0.8,
                  max_chips=500),
        ),
        contracts=(
            Contract(cloud="ash", region="w1", chip="h200", contract="old", chips=800,
                     start=date(2026, 7, 1), end=date(2027, 7, 1),
                     payment_usd_per_chip_hour=2.5, take_or_pay=True),
            Contract(cloud="elm", region="e1", chip="trn2", contract="loose", chips=600,
                     start=date(2026, 7, 1), end=date(2028, 7, 1), ramp=(0.5, 0.75, 1.0),
                     payment_usd_per_chip_hour=1.1, take_or_pay=False, notice_days=30,
                     exit_fee_usd=200_000),
            Contract(cloud="ash", region="w1", chip="h200", contract="loose", chips=100,
                     start=date(2026, 7, 1), end=date(2028, 7, 1),
                     payment_usd_per_chip_hour=2.6, take_or_pay=False, notice_days=30,
                     exit_fee_usd=50_000),
        ),
        models=(
            ServedModel(model="base", generation="1", architecture="dense-8b", proxy=False,
                        precision="bf16"),
        ),
        classes=classes(),
        serving=(
            workload("chat-west", "chat"),
            workload("chat-east", "chat", "east", allowed_geographies="east"),
            workload("batch", "batch"),
        ),
        demand=(
            *demand_rows("chat-west", 2600, 3000),
            *demand_rows("chat-east", 500, 600),
            *demand_rows("batch", 800, 1000),
        ),
        profile=day_and_weekend(),
        training=(
            TrainingRun(run="whole", kind="run", training_flop=9e23, earliest="2026-Q4",
                        deadline="2027-Q1", allowed_chips=("trn2",), can_pause=False,
                        value_usd=4e6),
            TrainingRun(run="paused", kind="run", training_flop=4e23, earliest="2026-Q4",
                        deadline="2027-Q1", max_chips=500, precision="fp8", can_pause=True,
                        pause_overhead=0.05, preemptible=True, value_usd=1e6),
            TrainingRun(run="held", kind="standing", held_eflop_per_s=0.05, earliest="2026-Q4",
                        deadline="2027-Q1", can_pause=True, value_usd=2e6),
            TrainingRun(run="steady", kind="standing", held_eflop_per_s=0.02,
                        earliest="2027-Q1", deadline="2027-Q1", can_pause=False,
                        value_usd=2e6),
        ),
        throughput=(*measured("chat"), *measured("batch")),
        efficiency=(
            Efficiency(model="*", chip="*", gain_per_year=0.2, gain_per_year_low=0.1,
                       gain_per_year_high=0.3),
        ),
    )  # fmt: skip
    return valid(replace(base, **tables))


def random_case(seed: int) -> Case:
    """A variation of the tiny case with few whole-number combinations."""
    rng = np.random.default_rng(seed)

    def pick(*options: Any) -> Any:
        return options[int(rng.integers(len(options)))]

    def about(value: float) -> float:
        return float(np.round(value * rng.uniform(0.6, 1.5), 3))

    base = tiny_case()
    two = bool(rng.random() < 0.7)
    lot = pick(400, 600)
    term = offer(
        "term", "reserved", about(1.7), cloud="ash", region="w1", chip="h200",
        term_months=pick(3, 6, 12), lot_chips=lot, max_lots=pick(1, 2), ramp=pick((1.0,), (0.5,)),
        price_trend_per_year=pick(-0.3, 0.0, 0.2), floating=bool(rng.random() < 0.3),
        upfront_share=pick(0.0, 0.3), lead_days=pick(0, 60),
    )  # fmt: skip
    bulk = offer(
        "bulk", "reserved", about(0.55), chip="trn2", term_months=pick(6, 12), lot_chips=500,
        min_lots=2, max_lots=3, window_from=pick(None, date(2027, 1, 1)),
    )  # fmt: skip
    offers = [
        term,
        *([bulk] if rng.random() < 0.8 else []),
        *([offer("on-demand", "on_demand", about(4.0), max_supply_share=0.1)] if two else []),
        *([base.offers[3]] if rng.random() < 0.7 else []),
    ]
    leavable = [
        line.model_copy(
            update={
                "payment_usd_per_chip_hour": about(0.8 if line.chip == "trn2" else 1.8),
                "exit_fee_usd": about(line.exit_fee_usd),
            }
        )
        for line in base.contracts[1:]
    ]
    contracts = (base.contracts[0], *(leavable if rng.random() < 0.8 else []))
    names = ["chat-west", *(["chat-east"] if rng.random() < 0.6 else []), "batch"]
    level = {"chat-west": 1700.0, "chat-east": 350.0, "batch": 600.0}
    demand: list[Demand] = []
    for name in names:
        first = about(level[name])
        demand += demand_rows(name, first, first * float(rng.uniform(0.7, 1.6)))
    runs = []
    if rng.random() < 0.8:
        value = pick(2e5, 3e6)
        whole = {"training_flop": about(1.0e24), "value_usd": about(value)}
        earliest = pick("2026-Q4", "2027-Q1")
        preempt = bool(rng.random() < 0.3)
        changed = {**whole, "earliest": earliest, "preemptible": preempt}
        runs.append(base.training[0].model_copy(update=changed))
    if rng.random() < 0.6:
        runs.append(base.training[1].model_copy(update={"value_usd": about(pick(2e5, 1e6))}))
    if rng.random() < 0.5:
        runs.append(base.training[int(rng.integers(2, 4))])
    penalty = about(pick(3.0, 30.0))
    cheap = base.classes[0].model_copy(update={"penalty_usd_per_million_tokens": penalty})
    pools = base.pools if rng.random() < 0.4 else (base.pools[0], base.pools[2])
    kept = {(p.cloud, p.region, p.chip) for p in pools}
    supply = tuple(s for s in base.supply if (s.cloud, s.region, s.chip) in kept)
    return valid(
        replace(
            base,
            settings=settings(2, TWO_SLICES if two else ONE_SLICE),
            pools=pools,
            supply=supply,
            offers=tuple(offers),
            contracts=contracts,
            classes=(cheap, base.classes[1]),
            serving=tuple(w for w in base.serving if w.workload in names),
            demand=tuple(demand),
            training=tuple(runs),
            efficiency=base.efficiency if rng.random() < 0.5 else (),
        )
    )


def matrix_of(
    cost: Floats,
    a: Floats,
    rows: tuple[Floats, Floats],
    columns: tuple[Floats, Floats],
    integer: Bools | None = None,
    offset: float = 0.0,
) -> Matrix:
    """A matrix of one variable x[i], one constraint r[i] and one cost term."""
    m, n = a.shape
    return Matrix(
        cost_terms=("all",),
        cost=cost[None, :],
        cost_offset=np.array([offset]),
        a=sp.csc_array(a),
        row_lower=rows[0],
        row_upper=rows[1],
        lower=columns[0],
        upper=columns[1],
        integer=np.zeros(n, dtype=bool) if integer is None else integer,
        columns={"x": slice(0, n)},
        column_index={"x": tuple(range(n))},
        rows={"r": slice(0, m)},
        row_index={"r": tuple(range(m))},
    )


def random_matrix(seed: int, whole: bool = False) -> Matrix:
    """A feasible problem with a finite optimum, every column within finite bounds."""
    rng = np.random.default_rng(seed)
    m, n = int(rng.integers(1, 5)), int(rng.integers(2, 6))
    a = rng.integers(-4, 5, (m, n)).astype(float)
    low = rng.integers(-3, 1, n).astype(float)
    high: Floats = low + rng.integers(0, 5, n).astype(float)
    inside = np.clip(np.round(rng.uniform(low, high)), low, high)
    activity = a @ inside
    row_low = np.where(rng.random(m) < 0.4, -np.inf, activity - rng.integers(0, 4, m)).astype(float)
    row_high = np.where(rng.random(m) < 0.4, np.inf, activity + rng.integers(0, 4, m)).astype(float)
    integer = (rng.random(n) < 0.7) if whole else np.zeros(n, dtype=bool)
    cost = rng.integers(-9, 10, n).astype(float)
    return matrix_of(cost, a, (row_low, row_high), (low, high), integer, float(rng.integers(-5, 6)))


def linear_optimum(matrix: Matrix) -> tuple[float, Floats]:
    """Optimum of the relaxation and its row duals, by scipy."""
    a, n = matrix.a.toarray(), matrix.shape[1]
    up, down = np.isfinite(matrix.row_upper), np.isfinite(matrix.row_lower)
    rows = np.vstack([a[up], -a[down]])
    side = np.concatenate([matrix.row_upper[up], -matrix.row_lower[down]])
    bounds = np.stack([matrix.lower, matrix.upper], axis=1)
    found = solve_linear(
        matrix.objective, rows if len(rows) else None, side if len(side) else None, None, None,
        bounds.reshape(n, 2), method="highs",
    )  # fmt: skip
    assert found.status == 0
    y = np.zeros(matrix.shape[0])
    if len(rows):
        marginal = np.asarray(found.ineqlin.marginals)
        y[up] += marginal[: up.sum()]
        y[down] -= marginal[up.sum() :]
    return float(found.fun) + matrix.offset, y
