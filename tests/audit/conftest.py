"""Problems that the audit's tests share: cases, their compiled matrix, a solved one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import scipy.sparse as sp

from planner.audit import AuditModel, Certificate, audit_model, certificate_of
from planner.audit.draft import Block
from planner.case import load_case
from planner.instance import Instance, build_instance
from planner.matrix import Matrix, compile_model
from planner.model import build_model
from planner.solve.options import SolveOptions
from planner.solve.run import Solution, solve_matrix
from tests.audit.rules_case import rules_case

DATA = Path(__file__).parents[2] / "data"


@dataclass(frozen=True)
class Problem:
    """A case as the planner compiles it and as the audit states it."""

    inst: Instance
    matrix: Matrix
    audit: AuditModel


@dataclass(frozen=True)
class Solved:
    """A problem with a plan, in the form in which plans are handed to the audit."""

    problem: Problem
    solution: Solution
    cost_usd: dict[str, float]
    nodes: pd.DataFrame
    duals: pd.DataFrame

    def values(self) -> dict[str, dict[Any, float]]:
        """A fresh copy of the plan's values; a variable without columns has none."""
        matrix = self.problem.matrix
        return {
            name: matrix.values(self.solution.x, name)
            for name, index in matrix.column_index.items()
            if index
        }

    def certificate(self) -> Certificate:
        """The proof of the plan's bound."""
        return certificate_of(self.nodes, self.duals)


def problem_of(inst: Instance) -> Problem:
    """Compile an instance both ways."""
    return Problem(inst, compile_model(build_model(inst, strengthen=True)), audit_model(inst))


@pytest.fixture(scope="session")
def small() -> Problem:
    return problem_of(build_instance(load_case(DATA / "small")))


@pytest.fixture(scope="session")
def claude() -> Problem:
    # Contingencies of a case of this size are cuts: tests/redundancy has them.
    case = replace(load_case(DATA / "claude"), contingencies=(), survival=())
    return problem_of(build_instance(case))


@pytest.fixture(scope="session")
def compiled() -> Callable[[Instance], Problem]:
    return problem_of


def text(index: Any) -> str:
    """An index as saved plans write it."""
    return ";".join(map(str, index)) if isinstance(index, tuple) else str(index)


def labels(blocks: dict[str, slice], index: Mapping[str, Sequence[Any]]) -> list[tuple[str, str]]:
    """Component and index text of every position."""
    return [(name, text(i)) for name in blocks for i in index[name]]


@pytest.fixture(scope="session")
def solved(small: Problem) -> Solved:
    return solve_problem(small)


@pytest.fixture(scope="session")
def rules() -> Problem:
    return problem_of(build_instance(rules_case(load_case(DATA / "small"))))


@pytest.fixture(scope="session")
def solved_rules(rules: Problem) -> Solved:
    return solve_problem(rules)


def solve_problem(problem: Problem) -> Solved:
    """A problem solved to the optimum, with its proof as tables."""
    matrix = problem.matrix
    solution = solve_matrix(matrix, SolveOptions(gap=0.0))
    column, row = labels(matrix.columns, matrix.column_index), labels(matrix.rows, matrix.row_index)
    nodes = [
        (i, n.parent, *(column[n.column] if i else ("", "")), n.low, n.high, n.leaf, n.ray)
        for i, n in enumerate(solution.nodes)
    ]
    duals = [
        (i, *row[r], float(n.y[r]))
        for i, n in enumerate(solution.nodes)
        if n.leaf
        for r in np.flatnonzero(n.y).tolist()
    ]
    names = ["node", "parent", "component", "index", "low", "high", "leaf", "ray"]
    cost = matrix.cost @ solution.x + matrix.cost_offset
    return Solved(
        problem,
        solution,
        dict(zip(matrix.cost_terms, cost.tolist(), strict=True)),
        pd.DataFrame(nodes, columns=names),
        pd.DataFrame(duals, columns=["node", "constraint", "index", "dual"]),
    )


Floats = npt.NDArray[np.float64]


def tiny_model(
    a: Floats,
    rows: tuple[Floats, Floats],
    columns: tuple[Floats, Floats],
    cost: Floats,
    offset: float = 0.0,
) -> AuditModel:
    """A model of one variable x[i], whole numbers, and one constraint r[i]."""
    block = partial(_block, a.shape)
    return AuditModel(
        columns={"x": block("x", 1, columns, True)},
        rows={"r": block("r", 0, rows, False)},
        a=sp.csr_array(a),
        row_lower=rows[0],
        row_upper=rows[1],
        lower=columns[0],
        upper=columns[1],
        integer=np.ones(a.shape[1], dtype=bool),
        cost_terms=("all",),
        cost=cost[None, :],
        cost_offset=np.array([offset]),
    )


def _block(
    shape: tuple[int, int], name: str, axis: int, bounds: tuple[Floats, Floats], integer: bool
) -> Block:
    n = shape[axis]
    return Block(
        name=name,
        axes=("i",),
        labels=(tuple(map(str, range(n))),),
        index=np.arange(n, dtype=np.int64)[:, None],
        start=0,
        lower=bounds[0],
        upper=bounds[1],
        integer=np.full(n, integer),
    )


@pytest.fixture(scope="session")
def tiny() -> Callable[..., AuditModel]:
    return tiny_model
