"""How a solve ends: proven, stopped at a limit, interrupted, infeasible; and twice the same."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import planner
from planner.audit.folder import audit_plan
from planner.case.write import save_case
from planner.equations import Equation, Model
from planner.equations.sets import rows
from planner.errors import InfeasibleError, UnprovenError
from planner.generate import generated_case
from planner.instance import Instance
from planner.solve import watch
from planner.solve.options import Event, relative_gap
from planner.solve.session import Session
from tests.cases import random_case, small_case, small_plan, tiny_case

SEED = 28
"""A random case whose tree has some thirty nodes."""


class Clock:
    """The time that the search sees: the real one, and what a test adds."""

    def __init__(self) -> None:
        self.added = 0.0

    def perf_counter(self) -> float:
        return time.perf_counter() + self.added


def relaxed(_event: Event) -> bool:
    """Any event: the first one tells of the relaxation."""
    return True


def planned(event: Event) -> bool:
    """Whether there is a plan."""
    return event.objective_usd is not None


def at_first(
    when: Callable[[Event], bool], act: Callable[[], None]
) -> tuple[Callable[[Event], None], list[Event]]:
    """A progress callback that acts once, at the first such event; and the events seen."""
    seen: list[Event] = []

    def progress(event: Event) -> None:
        if when(event) and not any(map(when, seen)):
            act()
        seen.append(event)

    return progress, seen


def test_proven_to_the_gap_asked_for() -> None:
    plan = small_plan()
    assert plan.status == "proven"
    assert plan.gap == relative_gap(plan.objective_usd, plan.bound_usd) < 1e-9
    wide = planner.solve(small_case(), gap=0.5)
    assert wide.status == "proven"
    assert wide.bound_usd <= plan.objective_usd * (1 + 1e-9)
    assert wide.objective_usd >= plan.objective_usd * (1 - 1e-9)
    assert wide.summary["size"]["nodes"] < plan.summary["size"]["nodes"]


def test_a_limit_keeps_the_best_plan_and_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)

    def run_out() -> None:
        clock.added = 1e6

    progress, seen = at_first(planned, run_out)
    plan = planner.solve(random_case(SEED), gap=0.0, time_limit_s=3600.0, progress=progress)
    assert seen[-1].objective_usd is not None
    assert plan.status == "limit"
    best = planner.solve(random_case(SEED), gap=0.0)
    assert best.status == "proven"
    assert plan.bound_usd < best.objective_usd <= plan.objective_usd
    assert plan.gap == relative_gap(plan.objective_usd, plan.bound_usd) > 1e-6
    audit_plan(plan).require()


def test_no_time_proves_nothing() -> None:
    with pytest.raises(UnprovenError, match="time limit") as caught:
        planner.solve(small_case(), time_limit_s=0.0)
    assert caught.value.exit_code == 3


def too_much(m: Model, inst: Instance) -> None:
    """sum_{p,t} contracted[p,t] >= 1e12."""
    rows(m, "too_much", m.T, rule=lambda m, t: sum(m.contracted[p, t] for p in m.P) >= 1e12)


def half_a_lot(m: Model, inst: Instance) -> None:
    """2 * sum_j lots[j] = 1: a fraction of a lot satisfies it, whole ones do not."""
    rows(m, "half_a_lot", m.LAST, rule=lambda m, _t: sum(2 * m.lots[j] for j in m.J) == 1)


def last(m: Model, inst: Instance) -> None:
    """The set of the last period alone."""
    m.LAST = type(m.LEAVABLE)(initialize=[len(inst.time.periods) - 1])


@pytest.mark.parametrize("equations", [[too_much], [last, half_a_lot]], ids=["linear", "whole"])
def test_infeasible_is_proven_and_said(equations: list[Equation]) -> None:
    with pytest.raises(InfeasibleError) as caught:
        planner.solve(tiny_case(), equations=equations)
    assert caught.value.exit_code == 4


def test_infeasible_without_a_proof_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "_dual_ray", lambda _session: np.zeros(0))
    with pytest.raises(UnprovenError, match="nothing that proves it") as caught:
        planner.solve(tiny_case(), equations=[too_much])
    assert caught.value.exit_code == 3


def test_a_gap_of_nothing_is_none() -> None:
    assert relative_gap(0.0, -1e-7) < 1e-6
    assert relative_gap(-5.0, -6.0) == pytest.approx(0.2)
    assert relative_gap(1e6, 1e6 + 1.0) == 0.0


def test_an_extra_equation_binds() -> None:
    def few(m: Model, inst: Instance) -> None:
        rows(m, "few", m.T, rule=lambda m, t: sum(m.contracted[p, t] for p in m.P) <= 1500)

    free = planner.solve(tiny_case(), gap=0.0)
    bound = planner.solve(tiny_case(), gap=0.0, equations=[few])
    held = free.tables["capacity"].groupby("period").contracted_chips.sum()
    assert (held > 1500).any()
    held = bound.tables["capacity"].groupby("period").contracted_chips.sum()
    assert (held <= 1500 + 1e-6).all()
    assert bound.objective_usd > free.objective_usd


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_keeps_the_best_plan() -> None:
    before = signal.getsignal(signal.SIGINT)
    progress, seen = at_first(planned, ctrl_c)
    plan = planner.solve(random_case(SEED), gap=0.0, progress=progress)
    assert plan.status == "interrupted"
    assert sum(map(planned, seen)) <= 2
    assert plan.objective_usd > plan.bound_usd
    audit_plan(plan).require()
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_while_highs_improves_keeps_the_best_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    run = sys.modules["planner.solve.run"]
    monkeypatch.setattr(run, "SMALL", 0)
    monkeypatch.setattr(run, "FIRST_NODES", 1)
    said: list[str] = []
    ask = Session.solve_mip

    def noted(self: Session, *args: Any, **more: Any) -> tuple[str, Any]:
        status, x = ask(self, *args, **more)
        said.append(status)
        return status, x

    monkeypatch.setattr(Session, "solve_mip", noted)
    progress, seen = at_first(lambda event: event.phase == "improve", ctrl_c)
    # HiGHS needs minutes for the optimum of this one.
    plan = planner.solve(generated_case(1_500, 3), gap=0.0, progress=progress)
    assert said == ["interrupted"]
    assert plan.status == "interrupted"
    assert seen[-1].phase == "improve"
    assert plan.objective_usd > plan.bound_usd
    audit_plan(plan).require()


def test_ctrl_c_before_any_plan_says_so() -> None:
    before = signal.getsignal(signal.SIGINT)
    progress, _ = at_first(relaxed, ctrl_c)
    with pytest.raises(UnprovenError, match="interrupted"):
        planner.solve(random_case(SEED), progress=progress)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_the_program() -> None:
    # A shell lets its background jobs ignore the signal, and so the tests, were they one.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def twice() -> None:
        ctrl_c()
        ctrl_c()

    progress, _ = at_first(planned, twice)
    try:
        with pytest.raises(KeyboardInterrupt):
            planner.solve(random_case(SEED), gap=0.0, progress=progress)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.xdist_group("interrupt")
def test_ctrl_c_on_a_terminal(tmp_path: Path) -> None:
    """The whole way: `planner solve` on a terminal, SIGINT once it shows a plan."""
    run = tmp_path / "run"
    save_case(generated_case(13_000, 1), tmp_path / "case")
    ours, theirs = pty.openpty()
    command = [
        sys.executable, "-m", "planner", "solve", str(tmp_path / "case"), "--gap", "0",
        "--out", str(run), "--no-figures", "--json",
    ]  # fmt: skip
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        command,
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    sent = False
    try:
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # The other end is closed: the program has ended.
                break
            if not part:
                break
            shown += part
            if not sent and b"best" in shown:
                process.send_signal(signal.SIGINT)
                sent = True
        out = process.communicate(timeout=60)[0]
    finally:
        process.kill()
        os.close(ours)
    assert sent
    assert process.returncode == 3, shown.decode(errors="replace")[-500:]
    assert b"Traceback" not in shown
    plan = planner.load_plan(run)
    assert plan.status == "interrupted"
    assert plan.gap > 0
    assert b'"status": "interrupted"' in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case", "run"]


def steady(summary: dict[str, object]) -> dict[str, object]:
    """A summary without what measures the machine."""
    return {k: v for k, v in summary.items() if k not in ("seconds", "peak_memory_mb")}


@pytest.mark.parametrize("name", ["small", "random"])
def test_the_same_input_gives_the_same_plan(name: str) -> None:
    case = small_case() if name == "small" else random_case(SEED)
    first, second = planner.solve(case, gap=0.0), planner.solve(case, gap=0.0)
    assert steady(dict(first.summary)) == steady(dict(second.summary))
    assert first.tables.keys() == second.tables.keys()
    for table in first.tables:
        pd.testing.assert_frame_equal(first.tables[table], second.tables[table], check_exact=True)
