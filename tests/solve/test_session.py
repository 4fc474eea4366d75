"""What HiGHS holds is the matrix, in the units that the solver sees."""

from __future__ import annotations

import gc
import time
import weakref

import highspy
import numpy as np
import pytest
import scipy.sparse as sp

from planner.generate import generated_case
from planner.instance import build_instance
from planner.matrix import compile_model
from planner.model import build_model
from planner.solve.options import SolveOptions, Start
from planner.solve.run import solve_matrix
from planner.solve.session import Session
from planner.solve.units import scales
from planner.solve.watch import Stop
from tests.cases import small_case


@pytest.mark.parametrize("every", [True, False])
def test_the_arrays_arrive_scaled(every: bool) -> None:
    matrix = compile_model(build_model(build_instance(small_case())))
    count = matrix.shape[1]
    active = np.ones(count, dtype=bool)
    if not every:
        active = matrix.integer | (np.arange(count) % 3 > 0)
    at = np.flatnonzero(active)
    column, row = scales(matrix)
    assert set(column.tolist()) == {1.0, 1e3}
    assert set(row.tolist()) == {1.0, 1e-3}
    lp = Session(matrix, active=active)._highs.getLp()
    assert (lp.num_col_, lp.num_row_) == (len(at), matrix.shape[0])
    assert lp.sense_ == highspy.ObjSense.kMinimize
    assert lp.offset_ == pytest.approx(matrix.offset / 1e6, rel=1e-15)
    a = sp.csc_array(
        (lp.a_matrix_.value_, lp.a_matrix_.index_, lp.a_matrix_.start_),
        shape=(matrix.shape[0], len(at)),
    )
    wanted = sp.csc_array(sp.diags_array(row) @ matrix.a[:, at] @ sp.diags_array(column[at]))
    assert a.nnz == wanted.nnz > count
    assert abs(a - wanted).max() == 0.0
    for held, ours in (
        (lp.col_cost_, matrix.objective[at] * column[at] / 1e6),
        (lp.col_lower_, matrix.lower[at] / column[at]),
        (lp.col_upper_, matrix.upper[at] / column[at]),
        (lp.row_lower_, matrix.row_lower * row),
        (lp.row_upper_, matrix.row_upper * row),
    ):
        assert np.array_equal(np.asarray(held), ours)
    assert set(lp.integrality_) <= {highspy.HighsVarType.kContinuous}


def test_a_session_that_nobody_holds_is_freed() -> None:
    """Its callback must not keep it: decisions make dozens of sessions of hundreds of MB."""
    session = Session(compile_model(build_model(build_instance(small_case()))))
    session.solve_lp()
    held = weakref.ref(session)
    del session
    gc.collect()
    assert held() is None


def test_a_bound_from_elsewhere_ends_a_search() -> None:
    matrix = compile_model(build_model(build_instance(small_case())))
    options = SolveOptions(gap=0.0)
    whole = solve_matrix(matrix, options)
    told = solve_matrix(matrix, options, hot=Start(bound_usd=2.0 * abs(whole.objective_usd)))
    assert len(told.nodes) < len(whole.nodes)
    # It counts for the gap, and is no bound of this tree.
    assert told.bound_usd <= whole.objective_usd


def test_a_relaxation_ends_when_the_time_is_up_and_a_plan_in_hand_is_settled() -> None:
    stop = Stop(0.0)
    assert stop.is_set()
    assert not stop.asked
    session = Session(
        compile_model(build_model(build_instance(generated_case(5_000, 3)))), stop=stop
    )
    assert session.solve_lp().status in ("interrupted", "limit")
    assert session.solve_lp(heed_stop=False).status == "optimal"


def test_a_stop_without_a_limit_waits_to_be_asked() -> None:
    stop = Stop()
    assert not stop.is_set()
    assert stop.left_s is None
    assert stop.least(3.0) == 3.0
    stop.set()
    assert stop.is_set()
    assert stop.asked
    timed = Stop(60.0)
    assert timed.least(None) == pytest.approx(60.0, abs=5.0)
    assert timed.least(1.0) == 1.0


def test_a_search_of_highs_tells_how_far_it_is_and_can_be_stopped() -> None:
    session = Session(compile_model(build_model(build_instance(generated_case(1_500, 3)))))
    told: list[tuple[float, float]] = []

    def on_progress(plan_usd: float, bound_usd: float) -> None:
        told.append((plan_usd, bound_usd))
        if np.isfinite(plan_usd):
            session.stop.set()

    # Not proven to the optimum within minutes.
    status, x = session.solve_mip(gap=0.0, time_limit_s=60.0, on_progress=on_progress)
    assert status == "interrupted"
    assert len(x)
    plan_usd, bound_usd = told[-1]
    assert bound_usd <= plan_usd
    cost = float(session.matrix.objective @ x) + session.matrix.offset
    assert cost <= plan_usd * (1 + 1e-6)


def test_every_search_has_the_seconds_that_it_is_given() -> None:
    """HiGHS counts a relaxation's limit from its first run on, and a search's from its own."""
    session = Session(compile_model(build_model(build_instance(generated_case(1_500, 3)))))
    limit_s, spent = 0.4, []
    for _ in range(4):
        since = time.perf_counter()
        # Not proven to the optimum within minutes.
        assert session.solve_mip(gap=0.0, time_limit_s=limit_s)[0] == "limit"
        spent.append(time.perf_counter() - since)
    # Counted from the first run on, each would take as long as all before it: 3.2 s at last.
    assert spent[-1] < 5 * limit_s
    assert session.solve_lp(time_limit_s=limit_s).status == "optimal"
