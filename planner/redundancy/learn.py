"""First cuts: rounds on a small stand-in, so that the whole problem starts with what binds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from planner.instance import Instance
from planner.matrix import Matrix, RowBatch
from planner.redundancy.rounds import Rounds
from planner.solve.merged_week import Week, merged_week
from planner.solve.session import Session
from planner.solve.sift import sifted
from planner.solve.watch import Stop

SIFTED = 10_000
"""Columns of the stand-in from which on it holds only those that matter, after its relaxation."""
MOST_ROUNDS = 40
"""Rounds on the stand-in, at most."""
ENOUGH = 2e-5
"""Relative gain of the stand-in's cost in a round below which no more are tried."""


def first_cuts(
    inst: Instance, matrix: Matrix, rounds: Rounds, stop: Stop | None = None
) -> RowBatch | None:
    """Cuts that the stand-in found, as rows of the whole problem; None when it needs none.

    A week of one slice has no smaller stand-in: its root finds what binds.
    """
    if len(inst.time.slice_hours) == 1:
        return None
    small = merged_week(matrix, Week.one(inst.time.slice_hours))
    session = Session(small.matrix, stop=stop)
    found: list[RowBatch] = []
    cost = -np.inf
    for _ in range(MOST_ROUNDS):
        result = session.solve_lp()
        if result.status != "optimal":
            break
        now = float(small.matrix.objective @ result.x) + small.matrix.offset
        if now - cost < ENOUGH * abs(now):
            break
        cost = now
        if not found and small.matrix.shape[1] >= SIFTED:
            session = sifted(session, result)
        batch = rounds(small.whole(result.x))
        if batch is None:
            break
        found.append(batch)
        session.add_rows(replace(small.rows(batch), name=f"round {len(found)}"))
    return _together(found) if found else None


def _together(batches: list[RowBatch]) -> RowBatch:
    """The rows of several rounds as one."""
    return RowBatch(
        batches[0].name,
        tuple(i for batch in batches for i in batch.index),
        sp.csr_array(sp.vstack([batch.a for batch in batches], format="csr")),
        np.concatenate([batch.lower for batch in batches]),
        np.concatenate([batch.upper for batch in batches]),
    )
