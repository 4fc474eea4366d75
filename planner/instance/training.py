"""Training runs as arrays: work rates, and the placement columns of runs that cannot pause."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planner.case import Case
from planner.case.calendar import SECONDS_PER_HOUR
from planner.case.records import Chip
from planner.case.workloads import TrainingRun
from planner.instance.axes import Floats, Pools, Training
from planner.instance.procurement import discount
from planner.throughput.training import mfu

EFLOP_PER_TFLOP = 1e-6


def training_of(case: Case, pools: Pools) -> Training:
    """Runs, their rates on each pool, and placement columns [q]."""
    calendar = case.calendar
    horizon, runs = len(calendar), case.training
    chips = {c.chip: c for c in case.chips}
    efficiency = {c.chip: mfu(c) for c in case.chips}
    work_rate = np.zeros((len(runs), len(pools.names)))
    peak = np.zeros_like(work_rate)
    window = np.zeros((len(runs), horizon), dtype=bool)
    beta = discount(calendar, case.settings.discount_rate_per_year, middle=True)
    value = np.zeros(len(runs))
    for r, run in enumerate(runs):
        first, last = calendar.index(run.earliest), calendar.index(run.deadline)
        window[r, first : last + 1] = True
        value[r] = run.value_usd * beta[last]
        for p, name in enumerate(pools.chip):
            chip = chips[name]
            if not chip.training_capable or not {"*", name} & set(run.allowed_chips):
                continue
            peak[r, p] = _peak_tflops(chip, run) * EFLOP_PER_TFLOP
            reached = efficiency[name]
            assert reached is not None
            # An MFU that includes goodput was measured on contracted chips, failures and all;
            # the run is charged usable chips, so the usable share is taken out again.
            share = pools.usable[p] if reached.includes_goodput else 1.0
            work_rate[r, p] = peak[r, p] * reached.mid / share * SECONDS_PER_HOUR
    columns = [
        column
        for r, run in enumerate(runs)
        if run.kind == "run" and not run.can_pause
        for column in _placements(case, pools, r, work_rate[r])
    ]
    return Training(
        names=tuple(run.run for run in runs),
        standing=np.array([run.kind == "standing" for run in runs], dtype=bool),
        can_pause=np.array([run.can_pause for run in runs], dtype=bool),
        preemptible=np.array([run.preemptible for run in runs], dtype=bool),
        value_usd=value,
        work_eflop=np.array(
            [(run.training_flop or 0.0) / 1e18 * (1.0 + run.pause_overhead) for run in runs]
        ),
        held_eflop_per_s=np.array([run.held_eflop_per_s or 0.0 for run in runs]),
        max_chips=np.array([run.max_chips or np.inf for run in runs]),
        window=window,
        eflop_per_chip_hour=work_rate,
        peak_eflop_per_s=peak,
        mfu={name: found for name, found in efficiency.items() if found is not None},
        column_names=tuple(c.name for c in columns),
        column_run=np.array([c.run for c in columns], dtype=np.int64),
        column_start=np.array([c.start for c in columns], dtype=np.int64),
        column_periods=np.array([c.periods for c in columns], dtype=np.int64),
        column_chips=np.array([c.chips for c in columns], dtype=float),
        column_use=np.array([c.use for c in columns]).reshape(
            len(columns), len(pools.names), horizon
        ),
    )


def _peak_tflops(chip: Chip, run: TrainingRun) -> float:
    """Dense peak in the run's precision; a chip without FP8 runs it at its BF16 peak."""
    if run.precision == "fp8" and chip.fp8_tflops is not None:
        return chip.fp8_tflops
    return chip.bf16_tflops


@dataclass(frozen=True)
class _Column:
    name: str
    run: int
    start: int
    periods: int
    chips: float
    use: Floats


def _sites(case: Case) -> dict[tuple[str, str], list[int]]:
    """Pools that can host one run together: one chip family on one campus of one cloud."""
    campus = {(r.cloud, r.region): r.campus or r.region for r in case.regions}
    sites: dict[tuple[str, str], list[int]] = {}
    for p, pool in enumerate(case.pools):
        key = (f"{pool.cloud}/{campus[pool.cloud, pool.region]}", pool.chip)
        sites.setdefault(key, []).append(p)
    return sites


def _placements(case: Case, pools: Pools, r: int, rate: Floats) -> list[_Column]:
    """Every (site, start, duration) that can do the run within its window.

    Each pool of a site gives whole pods of its own, about in proportion to what it can hold: the
    fewest that do the work in the hours of the periods touched. Whole pods finish early, so the
    last period is used in part.
    """
    run, calendar = case.training[r], case.calendar
    hours = calendar.hours()
    first, last = calendar.index(run.earliest), calendar.index(run.deadline)
    work = (run.training_flop or 0.0) / 1e18
    found = []
    for (site, chip), members in _sites(case).items():
        rates = rate[members]
        if not rates.all():
            continue
        pods = np.array([float(case.pools[p].pod_chips) for p in members])
        for start in range(first, last + 1):
            for periods in range(1, last - start + 2):
                span = slice(start, start + periods)
                room = (pools.usable[:, None] * pools.limit)[members, span].min(axis=1)
                chips = whole_pods(work / float(hours[span].sum()), rates, room, pods)
                if chips is None or chips.sum() > (run.max_chips or math.inf) + 1e-6:
                    continue
                needed = work / float(chips @ rates)
                share = np.zeros(len(calendar))
                for t in range(start, start + periods):
                    share[t] = min(1.0, needed / hours[t])
                    needed -= share[t] * hours[t]
                if periods > 1 and share[start + periods - 1] <= 1e-9:
                    continue
                use = np.zeros((len(pools.names), len(calendar)))
                use[members] = chips[:, None] * share[None, :]
                name = f"{run.run}: {site}/{chip} from {calendar.labels[start]} for {periods}"
                found.append(_Column(name, r, start, periods, float(chips.sum()), use))
    return found


def whole_pods(work_per_hour: float, rates: Floats, room: Floats, pods: Floats) -> Floats | None:
    """Chips of each pool of a site, whole pods, that do so much work in an hour [pool].

    rates is the work of a chip in an hour, room the chips that a pool can hold, pods the chips
    of its pod. What is needed is split by room and rounded down to pods; then the pool furthest
    below its part gives one more until the work is done. A run takes at least one pod. None when
    the pools cannot do it.
    """
    most = np.floor((room + 1e-6) / pods)
    if most.sum() <= 0 or room.sum() <= 0:
        return None
    split = room / room.sum()
    part = work_per_hour / float(split @ rates) * split / pods
    taken = np.minimum(np.floor(part + 1e-9), most)
    while taken.sum() < 1 or float(taken * pods @ rates) < work_per_hour * (1 - 1e-12):
        behind = np.where(taken < most, (part - taken) * pods, -np.inf)
        if not np.isfinite(behind).any():
            return None
        taken[int(np.argmax(behind))] += 1
    out: Floats = taken * pods
    return out
