"""What is exported is the model: read back by HiGHS, the arrays are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highspy
import numpy as np
import pytest
import scipy.sparse as sp

from planner.export import names_of, write_lp, write_mps
from planner.instance import build_instance
from planner.matrix import Matrix, compile_model
from planner.model import build_model
from tests.cases import small_case, small_plan

WRITERS = {"mps": write_mps, "lp": write_lp}


def read_back(file: Path) -> Any:
    """HiGHS with the file's model; its types are incomplete."""
    h: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    h.setOptionValue("output_flag", False)
    assert h.readModel(str(file)) == highspy.HighsStatus.kOk
    return h


def matrix_of(**parts: Any) -> Matrix:
    """Three rows, four columns: a range, a free column, a fixed one, one that nothing names."""
    inf = np.inf
    whole: dict[str, Any] = {
        "cost_terms": ("a", "b"),
        "cost": np.array([[1.5, 0.0, 0.0, 0.0], [0.1, -2.0, 0.0, 0.0]]),
        "cost_offset": np.array([7.25, -1e-3]),
        "a": sp.csc_array(np.array([[1.0, 1 / 3, 0, 0], [0, 2.0, 1e-7, 0], [1.0, 0, -1.0, 0]])),
        "row_lower": np.array([-inf, 1.0, 2.5]),
        "row_upper": np.array([4.0, 3.0, 2.5]),
        "lower": np.array([0.0, -inf, -3.5, 2.0]),
        "upper": np.array([5.0, inf, inf, 2.0]),
        "integer": np.array([True, False, False, False]),
        "columns": {"x": slice(0, 2), "y": slice(2, 4)},
        "column_index": {"x": ((0, 1), (0, 2)), "y": ("a b", "a-b")},
        "rows": {"r": slice(0, 2), "s": slice(2, 3)},
        "row_index": {"r": (1, 2), "s": (None,)},
    }
    return Matrix(**{**whole, **parts})


def same(lp: Any, m: Matrix) -> None:
    assert (lp.num_row_, lp.num_col_) == m.shape
    a = sp.csc_array((lp.a_matrix_.value_, lp.a_matrix_.index_, lp.a_matrix_.start_), m.shape)
    assert (a - m.a).count_nonzero() == 0
    assert lp.offset_ == m.offset
    for theirs, ours in (
        (lp.col_cost_, m.objective), (lp.col_lower_, m.lower), (lp.col_upper_, m.upper),
        (lp.row_lower_, m.row_lower), (lp.row_upper_, m.row_upper),
    ):  # fmt: skip
        assert list(theirs) == list(ours)
    kinds = [kind == highspy.HighsVarType.kInteger for kind in lp.integrality_] or [False] * len(a)
    assert kinds == m.integer.tolist()


def test_mps_reads_back_to_the_last_bit(tmp_path: Path) -> None:
    for i, m in enumerate((matrix_of(), compile_model(build_model(build_instance(small_case()))))):
        file = tmp_path / f"{i}.mps"
        write_mps(m, file, "a name")
        lp = read_back(file).getLp()
        same(lp, m)
        assert list(lp.col_names_) == names_of(m.columns, m.column_index)
        assert list(lp.row_names_) == names_of(m.rows, m.row_index)


def test_lp_reads_back_to_the_last_bit(tmp_path: Path) -> None:
    m = compile_model(build_model(build_instance(small_case())))
    write_lp(m, tmp_path / "m.lp", "small")
    same(read_back(tmp_path / "m.lp").getLp(), m)


def test_lp_writes_a_range_as_two_rows(tmp_path: Path) -> None:
    m = matrix_of()
    write_lp(m, tmp_path / "m.lp", "range")
    lp = read_back(tmp_path / "m.lp").getLp()
    assert list(lp.row_names_) == ["r_1", "r_2", "r_2_most", "s"]
    assert list(lp.row_lower_)[1:3] == [1.0, -np.inf]
    assert list(lp.row_upper_)[1:3] == [np.inf, 3.0]
    assert list(lp.col_lower_) == m.lower.tolist()


@pytest.mark.parametrize("kind", WRITERS)
def test_the_optimum_is_that_of_the_plan(kind: str, tmp_path: Path) -> None:
    m = compile_model(build_model(build_instance(small_case())))
    file = tmp_path / f"m.{kind}"
    WRITERS[kind](m, file, "small")
    h = read_back(file)
    h.setOptionValue("mip_rel_gap", 0.0)
    h.run()
    found = h.getInfo().objective_function_value
    assert found == pytest.approx(small_plan().objective_usd, rel=1e-7)


def test_labels_that_read_alike_are_told_apart() -> None:
    m = matrix_of()
    assert names_of(m.columns, m.column_index) == ["x_0_1", "x_0_2", "y_a.b", "y_a.b..3"]


def test_nothing_is_left_half_written(tmp_path: Path) -> None:
    broken = matrix_of(column_index={"x": ((0, 1),), "y": ()})
    with pytest.raises((ValueError, IndexError)):
        write_mps(broken, tmp_path / "m.mps", "broken")
    assert list(tmp_path.iterdir()) == []
