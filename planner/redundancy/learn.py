"""First cuts: rounds on a small stand-in, so that the whole problem starts with what binds."""

from __future__ import annotations

from planner.instance import Instance
from planner.matrix import Matrix, RowBatch
from planner.redundancy.left import left_of
from planner.redundancy.peak import peak_problem
from planner.redundancy.rounds import Rounds
from planner.solve.session import Session
from planner.solve.watch import Stop

MOST_ROUNDS = 12
"""Rounds on the stand-in, at most."""
ENOUGH = 3e-4
"""Relative gain of the stand-in's cost in a round below which no more are tried."""


def first_cuts(
    inst: Instance, matrix: Matrix, rounds: Rounds, stop: Stop | None = None
) -> RowBatch | None:
    """Cuts that the stand-in found, as rows of the whole problem; None when it needs none."""
    small = peak_problem(inst, matrix)
    over = rounds.over(left_of(inst, small.matrix, rounds.asked.gates))
    session = Session(small.matrix, stop=stop)
    cost = 0.0
    for _ in range(MOST_ROUNDS):
        result = session.solve_lp()
        if result.status != "optimal":
            break
        now = float(small.matrix.objective @ result.x) + small.matrix.offset
        if over.cuts and now - cost < ENOUGH * abs(now):
            break
        cost = now
        batch = over(result.x)
        if batch is None:
            break
        session.add_rows(batch)
    return rounds.give(over.cuts) if over.cuts else None
