"""What follows from the other equations loses no plan, moves no cost, and helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from planner.case import Case, load_case
from planner.equations import STRENGTHENED
from planner.generate import generated_case
from planner.instance import build_instance
from planner.matrix import Matrix
from planner.redundancy.problem import compiled_problem
from planner.solve.options import SolveOptions
from planner.solve.run import solve_matrix
from planner.solve.session import Session
from tests.cases import small_case, tiny_case
from tests.cases_rules import tiny_rules_case

CASES: dict[str, Callable[[], Case]] = {
    "tiny": tiny_case,
    "tiny with rules": tiny_rules_case,
    "small of the tests": small_case,
    "data/small": lambda: load_case(Path("data/small")),
    "generated": lambda: generated_case(1_500, 3),
}


def both(case: Case) -> tuple[Matrix, Matrix]:
    inst = build_instance(case)
    plain = compiled_problem(inst, mode="explicit")[0]
    return plain, compiled_problem(inst, mode="explicit", strengthen=True)[0]


@pytest.mark.parametrize("name", CASES)
def test_the_optimum_stays(name: str) -> None:
    plain, more = both(CASES[name]())
    assert more.shape[0] >= plain.shape[0]
    assert more.size(without=STRENGTHENED) == plain.size()
    gap = SolveOptions(gap=0.0 if plain.shape[1] < 1_000 else 2e-2)
    a, b = solve_matrix(plain, gap), solve_matrix(more, gap)
    assert max(a.bound_usd, b.bound_usd) <= min(a.objective_usd, b.objective_usd) * (1 + 1e-9)
    # A plan of the one is one of the other: its whole numbers, and what they add up to.
    session = Session(more)
    integer = np.flatnonzero(plain.integer)
    session.set_bounds(integer, np.round(a.x[integer]), np.round(a.x[integer]))
    again = session.solve_lp()
    assert again.status == "optimal"
    cost = float(more.objective @ again.x) + more.offset
    assert cost == pytest.approx(a.objective_usd, rel=1e-7)
    sums = np.flatnonzero(more.integer & (np.arange(more.shape[1]) >= plain.shape[1]))
    assert np.abs(again.x[sums] - np.round(again.x[sums])).max(initial=0.0) < 1e-6


def test_it_comes_last() -> None:
    """So that rows and columns of a problem stand where they stand without it."""
    plain, more = both(tiny_rules_case())
    rows, columns = plain.shape
    assert abs(more.a[:rows, :columns] - plain.a).sum() == 0.0
    assert not more.a[:rows, columns:].nnz
    assert list(more.columns)[: len(plain.columns)] == list(plain.columns)
    assert set(more.columns) | set(more.rows) >= set(STRENGTHENED)


def test_relaxations_are_higher_where_lots_do_not_fit() -> None:
    relaxed = []
    for matrix in both(generated_case(1_500, 3)):
        x = Session(matrix).solve_lp().x
        relaxed.append(float(matrix.objective @ x) + matrix.offset)
    assert relaxed[1] > relaxed[0] * 1.005
