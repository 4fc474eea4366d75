"""A compiled model as an MPS or LP file, for other solvers and for a look.

Names are those of the equations: `serve_3_0_2_1` is serve[3,0,2,1], `capacity_0_2_1` a row of
`capacity`; positions count along the axes of the instance. Numbers are written in full, so that
what is read back is the same to the last bit. A file appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from planner.matrix import Matrix

Floats = npt.NDArray[np.float64]
OBJECTIVE = "cost_usd"
"""Name of the objective."""
WIDTH = 6
"""Terms on one line of an LP file."""


def write_mps(matrix: Matrix, file: str | Path, name: str) -> None:
    """Write free-format MPS: minimise, whole numbers between markers, a constant as minus RHS."""
    _write(Path(file), _mps(matrix, name))


def write_lp(matrix: Matrix, file: str | Path, name: str) -> None:
    """Write the LP format of CPLEX; a row with two different sides becomes two rows."""
    _write(Path(file), _lp(matrix, name))


def _write(path: Path, lines: Iterator[str]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="ascii", newline="\n") as stream:
            stream.writelines(lines)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def names_of(blocks: dict[str, slice], index: Mapping[str, Sequence[object]]) -> list[str]:
    """Name of each row or column: its component and the positions of its index, joined by `_`.

    Labels that read alike once they are plain are told apart by `..` and the position.
    """
    out: list[str] = []
    for component in blocks:
        for key in index[component]:
            parts = () if key is None else key if isinstance(key, tuple) else (key,)
            out.append("_".join([component, *map(_plain, parts)]))
    seen: set[str] = set()
    for i, name in enumerate(out):
        if name in seen:
            out[i] = f"{name}..{i}"
        seen.add(name)
    return out


def _plain(part: object) -> str:
    """A part of an index with nothing in it that a solver reads otherwise."""
    return "".join(c if c.isascii() and c.isalnum() else "." for c in str(part))


def _labels(matrix: Matrix) -> tuple[list[str], list[str]]:
    rows = names_of(matrix.rows, matrix.row_index)
    return rows, names_of(matrix.columns, matrix.column_index)


def _number(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return repr(float(value))


def _mps(matrix: Matrix, name: str) -> Iterator[str]:
    rows, columns = _labels(matrix)
    low, high = matrix.row_lower, matrix.row_upper
    kinds = np.where(
        low == high, "E", np.where(np.isinf(high), np.where(np.isinf(low), "N", "G"), "L")
    )
    ranged = np.isfinite(low) & np.isfinite(high) & (low != high)
    yield f"NAME {_plain(name)}\nROWS\n N {OBJECTIVE}\n"
    yield from (f" {kind} {row}\n" for kind, row in zip(kinds, rows, strict=True))
    yield "COLUMNS\n"
    yield from _mps_columns(matrix, rows, columns)
    yield "RHS\n"
    if matrix.offset:
        yield f" RHS {OBJECTIVE} {_number(-matrix.offset)}\n"
    side = np.where(kinds == "G", low, high)
    for i in np.flatnonzero((kinds != "N") & (side != 0)).tolist():
        yield f" RHS {rows[i]} {_number(side[i])}\n"
    if ranged.any():
        yield "RANGES\n"
        for i in np.flatnonzero(ranged).tolist():
            yield f" RANGES {rows[i]} {_number(high[i] - low[i])}\n"
    yield "BOUNDS\n"
    yield from _mps_bounds(matrix, columns)
    yield "ENDATA\n"


def _mps_columns(matrix: Matrix, rows: list[str], columns: list[str]) -> Iterator[str]:
    a, cost = matrix.a, matrix.objective
    whole = False
    for j, column in enumerate(columns):
        if matrix.integer[j] != whole:
            whole = not whole
            yield f" MARKER 'MARKER' '{'INTORG' if whole else 'INTEND'}'\n"
        span = slice(a.indptr[j], a.indptr[j + 1])
        entries = zip(a.indices[span].tolist(), a.data[span].tolist(), strict=True)
        # A column that nothing names is still a column: its cost stands there, be it 0.
        yield f" {column} {OBJECTIVE} {_number(cost[j])}\n"
        yield from (f" {column} {rows[i]} {_number(value)}\n" for i, value in entries)
    if whole:
        yield " MARKER 'MARKER' 'INTEND'\n"


def _mps_bounds(matrix: Matrix, columns: list[str]) -> Iterator[str]:
    for column, low, high in zip(
        columns, matrix.lower.tolist(), matrix.upper.tolist(), strict=True
    ):
        if low == high:
            yield f" FX BOUND {column} {_number(low)}\n"
        elif np.isinf(low) and np.isinf(high):
            yield f" FR BOUND {column}\n"
        else:
            yield (
                f" MI BOUND {column}\n" if np.isinf(low) else f" LO BOUND {column} {_number(low)}\n"
            )
            yield (
                f" PL BOUND {column}\n"
                if np.isinf(high)
                else f" UP BOUND {column} {_number(high)}\n"
            )


def _lp(matrix: Matrix, name: str) -> Iterator[str]:
    rows, columns = _labels(matrix)
    cost = matrix.objective
    yield f"\\ {_plain(name)}\nminimize\n {OBJECTIVE}:\n"
    # Every column is named here, also one without a cost, so that all are read in this order.
    yield from _terms(range(len(columns)), cost.tolist(), columns)
    if matrix.offset:
        yield f" {matrix.offset:+.17g}\n"
    yield "subject to\n"
    a = sp.csr_array(matrix.a)
    for i, row in enumerate(rows):
        span = slice(a.indptr[i], a.indptr[i + 1])
        at, values = a.indices[span].tolist(), a.data[span].tolist()
        low, high = matrix.row_lower[i], matrix.row_upper[i]
        if low == high:
            sides = [("", "=", low)]
        else:
            sides = [("", ">=", low)] if np.isfinite(low) else []
            if np.isfinite(high):
                sides.append(("_most" if sides else "", "<=", high))
        for suffix, relation, side in sides:
            yield f" {row}{suffix}:\n"
            yield from _terms(at, values, columns)
            yield f" {relation} {_number(side)}\n"
    yield "bounds\n"
    for column, low, high in zip(
        columns, matrix.lower.tolist(), matrix.upper.tolist(), strict=True
    ):
        yield f" {_bound(low, '-inf')} <= {column} <= {_bound(high, '+inf')}\n"
    whole = np.flatnonzero(matrix.integer).tolist()
    if whole:
        yield "general\n"
        yield from (f" {columns[j]}\n" for j in whole)
    yield "end\n"


def _bound(value: float, infinite: str) -> str:
    return infinite if np.isinf(value) else _number(value)


def _terms(at: range | list[int], values: list[float], columns: list[str]) -> Iterator[str]:
    """A sum of terms, WIDTH on a line; an empty sum is 0 times the first column."""
    terms = [f"{value:+.17g} {columns[j]}" for j, value in zip(at, values, strict=True)]
    terms = terms or [f"0 {columns[0]}"]
    for start in range(0, len(terms), WIDTH):
        yield f" {' '.join(terms[start : start + WIDTH])}\n"
