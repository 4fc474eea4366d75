"""Build and hand over a case of 300,000 columns: against ready arrays, and against linopy.

Four ways from the same instance to a model held in HiGHS, CPU seconds, medians of five taken in
turn:

- `planner`: Pyomo templates, arrays compiled from them, `Session`;
- `raw`: `passModel` of arrays that are ready, the least that any way can take;
- `lists`: the same arrays through a `HighsLp`, which highspy takes as lists;
- `linopy`: linopy's `direct` route (`Model.to_highspy`) of the same columns, rows and nonzeros.

linopy is given a head start: the terms of each family come to it as padded arrays of
coefficients and column positions, made beforehand and not counted, where its user would make
them by merges and group sums over labels. It adds one variable a column family, one constraint
a row family and the objective, checks and labels them, and passes them on.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from benchmarks._arrays import highs_by_lists, highs_of
from planner.generate import generated_case
from planner.instance import Instance, build_instance
from planner.matrix import Matrix, compile_model
from planner.model import build_model
from planner.solve.session import Session

COLUMNS, SEED, ROUNDS = 300_000, 1, 5
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Family:
    """Rows of one constraint as padded terms."""

    name: str
    """Constraint or variable."""
    columns: Ints
    """Column positions [row, term]; -1 where a row has fewer terms."""
    values: Floats
    """Coefficients [row, term]; NaN where a row has fewer terms."""
    sign: npt.NDArray[np.str_]
    """Relation of each row."""
    side: Floats
    """Right-hand side of each row."""


def families(matrix: Matrix) -> list[Family]:
    """Every constraint of a matrix as padded terms."""
    a = sp.csr_array(matrix.a)
    out = []
    for name, rows in matrix.rows.items():
        part = a[rows]
        counts = np.diff(part.indptr)
        filled = np.arange(counts.max())[None, :] < counts[:, None]
        columns = np.full(filled.shape, -1, dtype=np.int64)
        values = np.full(filled.shape, np.nan)
        columns[filled], values[filled] = part.indices, part.data
        low, high = matrix.row_lower[rows], matrix.row_upper[rows]
        sign = np.where(low == high, "=", np.where(np.isinf(high), ">=", "<="))
        out.append(Family(name, columns, values, sign, np.where(np.isinf(high), low, high)))
    return out


def linopy_way(matrix: Matrix, rows: list[Family]) -> Any:
    """The same model through linopy; returns HiGHS with it."""
    import linopy  # noqa: PLC0415  (takes seconds to import)
    import xarray as xr  # noqa: PLC0415

    m = linopy.Model()
    labels = np.full(matrix.shape[1] + 1, -1, dtype=np.int64)
    for name, at in matrix.columns.items():
        if at.start == at.stop:
            continue
        whole = bool(matrix.integer[at].all())
        index = pd.RangeIndex(at.stop - at.start, name="i")
        low, high = matrix.lower[at], matrix.upper[at]
        added = m.add_variables(low, high, [index], name=name, integer=whole)
        labels[at] = added.labels
    for family in rows:
        terms = {
            "coeffs": (("r", "_term"), family.values),
            "vars": (("r", "_term"), labels[family.columns]),
        }
        data = xr.Dataset(terms, coords={"r": np.arange(len(family.side))})
        left = linopy.LinearExpression(data, m)
        sign, side = (
            xr.DataArray(array, dims="r", coords={"r": data.r})
            for array in (family.sign, family.side)
        )
        m.add_constraints(left, sign, side, name=family.name)
    cost = matrix.objective
    paid = np.flatnonzero(cost)
    total = {"coeffs": (("_term",), cost[paid]), "vars": (("_term",), labels[paid])}
    m.add_objective(linopy.LinearExpression(xr.Dataset(total), m))
    return m.to_highspy()


def planner_way(inst: Instance) -> Any:
    """Templates, arrays, session; returns HiGHS with it."""
    return Session(compile_model(build_model(inst)))._highs


def run() -> dict[str, float]:
    """Seconds of build and hand-over, and their ratios to bare arrays, lists and linopy."""
    inst = build_instance(generated_case(COLUMNS, SEED))
    matrix = compile_model(build_model(inst))
    rows = families(matrix)
    ways: dict[str, Callable[[], Any]] = {
        "raw": lambda: highs_of(matrix, whole=False),
        "lists": lambda: highs_by_lists(matrix),
        "planner": lambda: planner_way(inst),
        "linopy": lambda: linopy_way(matrix, rows),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # linopy's and xarray's own
        for _ in range(ROUNDS + 1):
            for name, way in ways.items():
                before = time.process_time()
                h = way()
                seconds[name].append(time.process_time() - before)
                size = h.getNumCol(), h.getNumRow(), h.getNumNz()
                if size != (matrix.shape[1], matrix.shape[0], matrix.a.nnz):
                    raise SystemExit(f"{name}: another model: {size}")
                del h
    middle = {name: statistics.median(found[1:]) for name, found in seconds.items()}
    return {
        "columns": matrix.shape[1],
        "rows": matrix.shape[0],
        "nonzeros": int(matrix.a.nnz),
        **{f"{name}_cpu_s": value for name, value in middle.items()},
        "ratio_raw": middle["planner"] / middle["raw"],
        "ratio_lists": middle["planner"] / middle["lists"],
        "ratio_linopy": middle["planner"] / middle["linopy"],
    }
