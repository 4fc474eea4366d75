"""Training rates and placement columns: work conserved, pods, windows, clusters, campuses."""

from __future__ import annotations

import dataclasses
import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from planner.case import Case, load_case
from planner.case.workloads import TrainingRun
from planner.instance import Instance, build_instance
from planner.instance.training import whole_pods
from planner.throughput.rates import rates_of

CASE = load_case(Path(__file__).parents[2] / "data" / "small")
RATES = rates_of(CASE)
HOURS = np.array([2208.0, 2160.0, 2184.0, 2208.0])


def run(**values: Any) -> TrainingRun:
    """A run on GB200 in any period: a pod of 72 chips in one pool, 2500 TFLOP/s at MFU 0.38."""
    base: dict[str, Any] = {"run": "base", "kind": "run", "training_flop": 1e24}
    base |= {"earliest": "2026-Q4", "deadline": "2027-Q3", "allowed_chips": ("gb200",)}
    return TrainingRun(**(base | {"can_pause": False, "value_usd": 1e9} | values))


def with_chip(case: Case, name: str, **values: Any) -> Case:
    chips = tuple(c.model_copy(update=values) if c.chip == name else c for c in case.chips)
    return dataclasses.replace(case, chips=chips)


def with_supply(case: Case, chips: float) -> Case:
    rows = tuple(s.model_copy(update={"chips": chips}) for s in case.supply)
    return dataclasses.replace(case, supply=rows)


BARE = dataclasses.replace(with_supply(CASE, 1e6), contracts=())
GB200 = 2500e12 * 0.38
"""FLOP a second of one chip."""


def build(*runs: TrainingRun, case: Case = BARE) -> Instance:
    return build_instance(dataclasses.replace(case, training=runs), RATES)


def done(inst: Instance) -> np.ndarray[Any, np.dtype[np.float64]]:
    """EFLOP that each column does: sum over pools and periods of use x hours x rate [q]."""
    rate = inst.training.eflop_per_chip_hour[inst.training.column_run]
    return np.asarray(np.einsum("qpt,t,qp->q", inst.training.column_use, inst.time.hours, rate))


def pool(inst: Instance, name: str) -> int:
    return inst.pools.names.index(name)


# Rates


def test_rate_of_a_chip_by_hand() -> None:
    inst = build(run())
    p = pool(inst, "cedar/us-2/gb200")
    assert inst.training.eflop_per_chip_hour[0, p] == pytest.approx(GB200 * 3600 / 1e18)
    assert inst.training.peak_eflop_per_s[0, p] == pytest.approx(2500e12 / 1e18)
    others = np.delete(inst.training.eflop_per_chip_hour[0], p)
    assert others.tolist() == [0.0] * 5


def test_fp8_runs_at_the_fp8_peak_where_there_is_one() -> None:
    case = with_chip(BARE, "trn2", fp8_tflops=None)
    every = run(allowed_chips=("*",))
    slow, fast = (
        build(every, case=case),
        build(run(allowed_chips=("*",), precision="fp8"), case=case),
    )
    ratio = fast.training.eflop_per_chip_hour[0] / slow.training.eflop_per_chip_hour[0]
    twice = {"h200": 2.0, "gb200": 2.0, "trn2": 1.0, "tpu-v6e": 2.0}
    assert ratio == pytest.approx([twice[chip] for chip in slow.pools.chip])


def test_a_chip_that_cannot_train_has_no_rate() -> None:
    case = with_chip(BARE, "gb200", training_capable=False)
    inst = build(run(allowed_chips=("*",)), case=case)
    for p, chip in enumerate(inst.pools.chip):
        assert (inst.training.eflop_per_chip_hour[0, p] > 0) == (chip != "gb200")
    assert not any("gb200" in name for name in inst.training.column_names)


def test_an_mfu_with_goodput_is_of_contracted_chips() -> None:
    """Failures count once: usable chips then do more each."""
    plain, counted = (
        build(run()),
        build(run(), case=with_chip(BARE, "gb200", mfu_includes_goodput=True)),
    )
    p = pool(plain, "cedar/us-2/gb200")
    ratio = counted.training.eflop_per_chip_hour[0, p] / plain.training.eflop_per_chip_hour[0, p]
    assert ratio == pytest.approx(1 / plain.pools.usable[p])


def test_work_and_overhead() -> None:
    whole = build(run()).training
    assert whole.work_eflop.tolist() == pytest.approx([1e6])
    paused = build(run(can_pause=True, pause_overhead=0.03)).training
    assert paused.work_eflop.tolist() == pytest.approx([1.03e6])
    assert paused.column_names == ()
    assert paused.column_use.shape == (0, 6, 4)


def test_a_standing_load_has_no_columns() -> None:
    held = run(kind="standing", training_flop=None, held_eflop_per_s=0.8)
    got = build(held).training
    assert got.standing.tolist() == [True]
    assert got.held_eflop_per_s.tolist() == [0.8]
    assert got.work_eflop.tolist() == [0.0]
    assert got.column_names == ()


def test_the_value_is_discounted_to_the_deadline() -> None:
    got = build(run(), run(run="early", deadline="2026-Q4")).training
    middle = (np.array([273, 0]) + np.array([92, 92]) / 2) / 365.25
    assert got.value_usd == pytest.approx(1e9 * 1.08**-middle)


def test_windows() -> None:
    got = build(run(earliest="2027-Q1", deadline="2027-Q2"), run(run="all")).training
    assert got.window.tolist() == [[False, True, True, False], [True] * 4]


# Placement columns


def test_a_column_by_hand() -> None:
    """One quarter at 950 TFLOP/s a chip: 1e24 FLOP need 132.43 chips, two pods of 72."""
    inst = build(run(deadline="2026-Q4"))
    (name,) = inst.training.column_names
    assert name == "base: cedar/us-2/gb200 from 2026-Q4 for 1"
    needed = 1e24 / (GB200 * 3600 * 2208)
    assert needed == pytest.approx(132.43, abs=0.01)
    assert inst.training.column_chips.tolist() == [144]
    # Whole pods finish early: in the mean over the quarter only the needed chips are taken.
    use = inst.training.column_use[0]
    assert use[pool(inst, "cedar/us-2/gb200")] == pytest.approx([needed, 0, 0, 0])
    assert use.sum() == pytest.approx(needed)


def test_the_last_period_is_used_in_part() -> None:
    inst = build(run(training_flop=1e25, earliest="2027-Q1", deadline="2027-Q2"))
    at = inst.training.column_names.index("base: cedar/us-2/gb200 from 2027-Q1 for 2")
    needed = 1e25 / (GB200 * 3600)  # chip hours
    chips = 72 * math.ceil(needed / (2160 + 2184) / 72)
    assert inst.training.column_chips[at] == chips
    rest = needed - chips * 2160
    assert 0 < rest < chips * 2184
    assert inst.training.column_use[at].sum(axis=0) == pytest.approx([0, chips, rest / 2184, 0])


def test_every_start_and_duration_in_the_window_once() -> None:
    got = build(run(training_flop=1e26)).training
    pairs = list(zip(got.column_start.tolist(), got.column_periods.tolist(), strict=True))
    assert sorted(pairs) == [(s, n) for s in range(4) for n in range(1, 5 - s)]
    assert len(set(got.column_names)) == len(got.column_names)


def test_columns_stay_in_the_window() -> None:
    got = build(run(training_flop=1e26, earliest="2027-Q1", deadline="2027-Q2")).training
    assert sorted(zip(got.column_start, got.column_periods, strict=True)) == [
        (1, 1),
        (1, 2),
        (2, 1),
    ]
    assert (got.column_use[:, :, [0, 3]] == 0).all()
    assert got.column_use.sum() > 0


def test_a_run_below_a_pod_takes_one_and_stops_early() -> None:
    """Longer durations would be the same column again: they are left out."""
    inst = build(run(training_flop=1e20))
    assert (inst.training.column_chips == 72).all()
    assert (inst.training.column_periods == 1).all()
    assert done(inst) == pytest.approx([1e2] * 4, rel=1e-9)


def test_a_run_of_next_to_nothing_still_takes_a_pod() -> None:
    inst = build(run(training_flop=1.0))
    assert (inst.training.column_chips == 72).all()
    assert done(inst) == pytest.approx([1e-18] * 4, rel=1e-9, abs=0)


@pytest.mark.parametrize("cluster", [143.9, 144, 200, 1000])
def test_the_largest_cluster_holds(cluster: float) -> None:
    got = build(run(deadline="2026-Q4", max_chips=float(cluster))).training
    assert got.column_chips.tolist() == ([144] if cluster >= 144 else [])
    assert got.max_chips.tolist() == [cluster]


def test_no_cluster_limit_is_infinite() -> None:
    assert build(run()).training.max_chips.tolist() == [np.inf]


@pytest.mark.parametrize(("supply", "fits"), [(160.0, True), (159.9, False)])
def test_a_column_fits_the_usable_chips_of_its_site(supply: float, fits: bool) -> None:
    """144 chips need 160 contracted ones at a usable share of 0.9."""
    inst = build(run(deadline="2026-Q4"), case=with_supply(BARE, supply))
    assert inst.pools.usable[pool(inst, "cedar/us-2/gb200")] == 0.9
    assert len(inst.training.column_names) == int(fits)


def test_a_column_fits_the_least_supply_of_its_span() -> None:
    """Small ramps up from 250 to 1000 chips: the first quarter bounds what starts there."""
    case = dataclasses.replace(CASE, contracts=())
    inst = build(run(training_flop=1.2e25), case=case)
    got = inst.training
    room = (inst.pools.usable[:, None] * inst.pools.limit)[pool(inst, "cedar/us-2/gb200")]
    assert room.tolist() == [225, 450, 900, 900]
    assert len(got.column_names) > 0
    for q in range(len(got.column_names)):
        span = slice(got.column_start[q], got.column_start[q] + got.column_periods[q])
        assert got.column_chips[q] <= room[span].min()
    # 1588 chip-quarters: nothing that starts in the first quarter is large enough.
    assert (got.column_start > 0).all()


def test_no_column_before_ready_for_service() -> None:
    case = with_chip(BARE, "gb200", ready_for_service=date(2027, 4, 1))
    got = build(run(training_flop=1e26), case=case).training
    assert sorted(zip(got.column_start, got.column_periods, strict=True)) == [
        (2, 1),
        (2, 2),
        (3, 1),
    ]


def test_a_campus_hosts_one_run_together() -> None:
    """us-1 and us-3 are one campus: 6000 and 3000 to 4000 Trainium2 chips, split by room."""
    case = dataclasses.replace(CASE, contracts=())
    big = run(training_flop=1.2e25, allowed_chips=("trn2",), earliest="2027-Q1")
    inst = build(big, case=case)
    one, three = pool(inst, "alder/us-1/trn2"), pool(inst, "alder/us-3/trn2")
    got = inst.training
    assert all(name.startswith("base: alder/prairie/trn2 from") for name in got.column_names)
    assert (got.column_chips > 0.92 * 6000).any()  # more than any one region holds
    busy = got.column_use.sum(axis=2) > 0
    assert busy[:, [one, three]].all()
    assert busy.sum(axis=1).tolist() == [2] * len(got.column_names)
    ratio = got.column_use[:, three].sum(axis=1) / got.column_use[:, one].sum(axis=1)
    # As far as whole pods of 64 let it.
    chips = got.column_chips / (1 + ratio)
    assert (np.abs(chips * ratio - chips * 4000 / 6000) <= 2 * 64).all()
    assert (np.abs(ratio - 4000 / 6000) > 1e-3).any()
    assert done(inst) == pytest.approx(np.full(len(ratio), 1.2e7), rel=1e-9)


def test_without_the_campus_each_region_is_alone() -> None:
    regions = tuple(r.model_copy(update={"campus": ""}) for r in CASE.regions)
    case = dataclasses.replace(CASE, contracts=(), regions=regions)
    small = run(training_flop=2e24, allowed_chips=("trn2",))
    sites = {name.split()[1] for name in build(small, case=case).training.column_names}
    assert sites == {"alder/us-1/trn2", "alder/us-3/trn2"}
    whole = run(training_flop=1.2e25, allowed_chips=("trn2",), deadline="2026-Q4")
    assert build(whole, case=case).training.column_names == ()


def test_the_campus_of_another_cloud_is_another_site() -> None:
    regions = tuple(r.model_copy(update={"campus": "prairie"}) for r in CASE.regions)
    case = dataclasses.replace(BARE, regions=regions)
    inst = build(run(allowed_chips=("*",)), case=case)
    for use in inst.training.column_use:
        pools = np.flatnonzero(use.sum(axis=1))
        assert len({(inst.pools.cloud[p], inst.pools.chip[p]) for p in pools}) == 1


def test_each_pool_of_a_campus_gives_pods_of_its_own() -> None:
    rows = tuple(
        p.model_copy(update={"pod_chips": 100}) if p.region == "us-3" else p for p in CASE.pools
    )
    case = dataclasses.replace(BARE, pools=rows)
    inst = build(run(training_flop=1e25, allowed_chips=("trn2",)), case=case)
    got = inst.training
    one, three = pool(inst, "alder/us-1/trn2"), pool(inst, "alder/us-3/trn2")
    part = got.column_use.sum(axis=2) / got.column_use.sum(axis=(1, 2))[:, None]
    chips = part * got.column_chips[:, None]
    assert (near_whole(chips[:, three] / 100)).all()
    assert (near_whole(chips[:, one] / case.pools[one].pod_chips)).all()
    assert len(got.column_chips) > 0


def near_whole(values: Any) -> Any:
    return np.abs(values - np.round(values)) < 1e-6


@pytest.mark.parametrize(
    ("work", "room", "pods", "chips"),
    [
        (100.0, (60.0, 90.0), (8.0, 8.0), (40.0, 64.0)),
        (100.0, (60.0, 90.0), (60.0, 16.0), (60.0, 48.0)),
        (100.0, (30.0, 90.0), (40.0, 10.0), None),
        (90.0, (30.0, 90.0), (40.0, 10.0), (0.0, 90.0)),
        (1e-9, (60.0, 90.0), (8.0, 8.0), (0.0, 8.0)),
        (148.0, (60.0, 90.0), (8.0, 8.0), None),
        (1.0, (0.0, 0.0), (1.0, 1.0), None),
    ],
)
def test_pods_of_two_pools_by_hand(
    work: float, room: tuple[float, ...], pods: tuple[float, ...], chips: Any
) -> None:
    found = whole_pods(work, np.ones(2), np.array(room), np.array(pods))
    assert (None if found is None else tuple(found.tolist())) == chips


@settings(max_examples=40, deadline=None)
@given(
    st.floats(1e19, 1e27),
    st.sampled_from([("*",), ("trn2", "gb200"), ("tpu-v6e",)]),
    st.sampled_from(["bf16", "fp8"]),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([None, 500.0, 6000.0]),
)
def test_every_column_does_the_whole_run(
    flop: float,
    chips: tuple[str, ...],
    precision: str,
    first: int,
    last: int,
    cluster: float | None,
) -> None:
    """sum over periods of use x hours x rate == work; whole pods; room; window; cluster."""
    assume(first <= last)
    labels = CASE.calendar.labels
    values: dict[str, Any] = {"allowed_chips": chips, "precision": precision, "max_chips": cluster}
    one = run(training_flop=flop, earliest=labels[first], deadline=labels[last], **values)
    inst = build(one, case=CASE)
    got = inst.training
    assert done(inst) == pytest.approx(np.full(len(got.column_names), flop / 1e18), rel=1e-9)
    room = inst.pools.usable[:, None] * inst.pools.limit
    for q, use in enumerate(got.column_use):
        begin, end = got.column_start[q], got.column_start[q] + got.column_periods[q]
        busy = np.flatnonzero(use.sum(axis=1))
        part = use[busy].sum(axis=1) / use.sum() * got.column_chips[q]
        assert near_whole(part / np.array([CASE.pools[p].pod_chips for p in busy])).all()
        assert got.column_chips[q] <= (cluster or math.inf)
        assert first <= begin < end <= last + 1
        assert (use <= room + 1e-6).all()
        assert (use.sum(axis=0)[begin:end] > 0).all()
        assert use.sum() == pytest.approx(use[busy, begin:end].sum())
        # Full to the last period, which may be used in part.
        assert use.sum(axis=0)[begin : end - 1] == pytest.approx(got.column_chips[q])
