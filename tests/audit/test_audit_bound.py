"""Proofs of bounds: the saved tree of data/small, tampered with in every way, and tiny LPs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from planner.audit import AuditModel, Certificate, certificate_of, check_bound
from planner.audit.certificate import _gap
from planner.audit.checks import proves_empty, weak_duality
from planner.errors import AuditError


def _check(solved: Any, proof: Certificate, raised: float = 0.0) -> Any:
    claim = solved.solution.bound_usd * (1.0 + raised)
    return check_bound(solved.problem.audit, proof, claim)


def _places(report: Any) -> str:
    return "\n".join(str(finding) for finding in report.findings)


def test_the_proof_of_small_stands(solved: Any) -> None:
    proof = solved.certificate()
    report = _check(solved, proof)
    assert report.passed, _places(report)
    tree, leaves = report.families
    # The tests below need a tree that has been branched.
    assert tree.checked == len(solved.solution.nodes) > 5
    assert leaves.checked == int(proof.is_leaf.sum()) > 2


def test_a_claim_raised_by_a_millionth_fails(solved: Any) -> None:
    report = _check(solved, solved.certificate(), raised=1e-6)
    assert not report.passed
    assert all(f.tolerance > 0 for f in report.findings)
    assert report.families[1].worst_share > 100.0


@pytest.mark.parametrize("claim", [math.nan, math.inf])
def test_a_claim_that_is_no_number_fails(claim: float, solved: Any) -> None:
    assert not check_bound(solved.problem.audit, solved.certificate(), claim).passed


def test_a_lower_claim_stands(solved: Any) -> None:
    assert _check(solved, solved.certificate(), raised=-1e-3).passed


def test_every_leaf_needs_its_duals(solved: Any) -> None:
    proof = solved.certificate()
    for leaf in np.flatnonzero(proof.is_leaf).tolist():
        kept = proof.dual_node != leaf
        assert not kept.all()
        bare = replace(
            proof,
            dual_node=proof.dual_node[kept],
            dual_row=tuple(np.array(proof.dual_row)[kept]),
            dual_index=proof.dual_index[kept],
            dual_value=proof.dual_value[kept],
        )
        report = _check(solved, bare)
        assert [f.place.split(":")[0] for f in report.findings] == [f"node {leaf}"]


def _least_leaf(solved: Any) -> int:
    nodes = solved.solution.nodes
    return min((i for i, n in enumerate(nodes) if n.leaf), key=lambda i: nodes[i].bound)


@pytest.mark.parametrize("factor", [0.0, 0.99, 1.01, math.nan])
def test_a_changed_dual_fails(factor: float, solved: Any) -> None:
    proof, leaf = solved.certificate(), _least_leaf(solved)
    audit = solved.problem.audit
    mine = np.flatnonzero(proof.dual_node == leaf)
    # The dual whose row is worth most: peaks of demand carry most of the bound.
    worth = [
        abs(proof.dual_value[i]) * audit.row_upper[audit.rows["demand_peak"].find(
            proof.dual_index[i : i + 1])[0]] if proof.dual_row[i] == "demand_peak" else 0.0
        for i in mine
    ]  # fmt: skip
    assert max(worth) > 0.0
    changed = proof.dual_value.copy()
    changed[mine[int(np.argmax(worth))]] *= factor
    report = _check(solved, replace(proof, dual_value=changed))
    assert f"node {leaf}:" in _places(report)


def test_a_narrower_node_leaves_a_gap(solved: Any) -> None:
    proof = solved.certificate()
    for node in range(1, len(proof.parent)):
        sibling = [i for i in range(1, len(proof.parent)) if proof.parent[i] == proof.parent[node]]
        lower = proof.low[node] == min(proof.low[i] for i in sibling)
        low, high = proof.low.copy(), proof.high.copy()
        if lower:
            high[node] -= 1.0
        else:
            low[node] += 1.0
        report = _check(solved, replace(proof, low=low, high=high))
        assert f"node {proof.parent[node]}, split of" in _places(report)


def _without(proof: Certificate, node: int) -> Certificate:
    """The proof without one leaf, the nodes after it renumbered."""
    keep = np.arange(len(proof.parent)) != node
    number = np.cumsum(keep) - 1
    duals = proof.dual_node != node
    return Certificate(
        parent=np.where(proof.parent < 0, -1, number[proof.parent])[keep],
        component=tuple(c for c, k in zip(proof.component, keep, strict=True) if k),
        index=tuple(c for c, k in zip(proof.index, keep, strict=True) if k),
        low=proof.low[keep],
        high=proof.high[keep],
        is_leaf=proof.is_leaf[keep],
        is_ray=proof.is_ray[keep],
        dual_node=number[proof.dual_node[duals]],
        dual_row=tuple(np.array(proof.dual_row)[duals]),
        dual_index=proof.dual_index[duals],
        dual_value=proof.dual_value[duals],
    )


def test_a_dropped_leaf_is_found(solved: Any) -> None:
    proof = solved.certificate()
    for leaf in np.flatnonzero(proof.is_leaf).tolist():
        report = _check(solved, _without(proof, leaf))
        assert f"node {proof.parent[leaf]}, split of" in _places(report)


def test_a_leaf_that_is_not_called_one_is_found(solved: Any) -> None:
    proof = solved.certificate()
    for node in range(len(proof.parent)):
        flags = proof.is_leaf.copy()
        flags[node] = not flags[node]
        assert f"node {node}: expected a leaf" in _places(
            _check(solved, replace(proof, is_leaf=flags))
        )


def test_a_ray_that_proves_nothing_fails(solved: Any) -> None:
    proof = solved.certificate()
    for leaf in np.flatnonzero(proof.is_leaf & ~proof.is_ray).tolist():
        rays = proof.is_ray.copy()
        rays[leaf] = True
        assert f"node {leaf}:" in _places(_check(solved, replace(proof, is_ray=rays)))


def _with(proof: Certificate, node: int, component: str, index: tuple[int, ...]) -> Certificate:
    components, indices = list(proof.component), list(proof.index)
    components[node], indices[node] = component, index
    return replace(proof, component=tuple(components), index=tuple(indices))


@pytest.mark.parametrize(
    ("component", "index"),
    [("contracted", (0, 0)), ("lots", (10**6,)), ("lots", ()), ("nothing", (0,)), ("", ())],
)
def test_a_split_of_no_whole_number_column_is_found(
    component: str, index: tuple[int, ...], solved: Any
) -> None:
    proof = _with(solved.certificate(), 1, component, index)
    assert "node 1: expected a whole-number column" in _places(_check(solved, proof))


def test_children_of_different_columns_are_found(solved: Any) -> None:
    proof = solved.certificate()
    first = proof.index[1] if proof.component[1] == "lots" else (-1,)
    other = (0,) if first != (0,) else (1,)
    assert "split of one column" in _places(_check(solved, _with(proof, 1, "lots", other)))


def test_a_root_that_narrows_is_found(solved: Any) -> None:
    proof = _with(solved.certificate(), 0, "lots", (0,))
    assert "a root that narrows nothing" in _places(_check(solved, proof))


def test_a_tree_without_one_root_is_found(solved: Any) -> None:
    proof = solved.certificate()
    for node, parent in ((1, -1), (1, 1), (1, 2), (0, 0), (2, -5)):
        parents = proof.parent.copy()
        parents[node] = parent
        report = _check(solved, replace(proof, parent=parents))
        assert f"node {node}: expected a parent that stands before it" in _places(report)
    nothing = certificate_of(solved.nodes.iloc[:0], solved.duals.iloc[:0])
    assert "expected a root" in _places(_check(solved, nothing))


def test_bounds_of_a_node_that_are_no_numbers_are_found(solved: Any) -> None:
    proof = solved.certificate()
    high = proof.high.copy()
    high[1] = math.nan
    assert "not a number" in _places(_check(solved, replace(proof, high=high)))


@pytest.mark.parametrize(
    ("row", "index"),
    [("nothing", "0"), ("capacity", "0;0"), ("capacity", "0;0;10000"), ("leave_once", "2;0")],
)
def test_duals_of_no_row_are_found(row: str, index: str, solved: Any) -> None:
    duals = solved.duals.copy()
    duals.loc[0, ["constraint", "index"]] = (row, index)
    report = _check(solved, certificate_of(solved.nodes, duals))
    assert f"{row}: expected rows of the model" in _places(report)


def test_tables_that_are_no_certificate_are_refused(solved: Any) -> None:
    nodes, duals = solved.nodes, solved.duals
    with pytest.raises(AuditError, match="cannot be read"):
        certificate_of(nodes.drop(columns="leaf"), duals)
    with pytest.raises(AuditError, match="cannot be read"):
        certificate_of(nodes, duals.assign(index="one"))
    with pytest.raises(AuditError, match="not true or false"):
        certificate_of(nodes.assign(leaf=nodes["leaf"].astype(str)), duals)
    with pytest.raises(AuditError, match="not numbered"):
        certificate_of(nodes.iloc[::-1], duals)
    with pytest.raises(AuditError, match="differ in length"):
        replace(solved.certificate(), dual_value=np.zeros(1))


def test_tables_read_back_from_csv_are_the_same_proof(solved: Any, tmp_path: Any) -> None:
    def through(frame: pd.DataFrame) -> pd.DataFrame:
        frame.to_csv(tmp_path / "table.csv", index=False)
        return pd.read_csv(tmp_path / "table.csv", keep_default_na=False, na_values=["nan"])

    nodes = solved.nodes.copy()
    nodes.loc[0, ["low", "high"]] = 0.0
    assert _check(solved, certificate_of(through(nodes), through(solved.duals))).passed


# -- a tiny whole-number problem, by hand -------------------------------------------------------
# min -x0 - x1 with 2 x0 + 2 x1 <= 3, x in {0, 1}: relaxation -1.5, optimum -1.


def _by_hand(tiny: Callable[..., AuditModel]) -> tuple[AuditModel, pd.DataFrame, pd.DataFrame]:
    model = tiny(
        np.array([[2.0, 2.0], [1.0, 1.0]]),
        (np.array([-np.inf, -np.inf]), np.array([3.0, 5.0])),
        (np.zeros(2), np.ones(2)),
        np.array([-1.0, -1.0]),
        offset=10.0,
    )
    names = ["node", "parent", "component", "index", "low", "high", "leaf", "ray"]
    nodes = [
        (0, -1, "", "", 0.0, 0.0, False, False),
        (1, 0, "x", "0", 0.0, 0.0, True, False),
        (2, 0, "x", "0", 1.0, 1.0, False, False),
        (3, 2, "x", "1", 0.0, 0.0, True, False),
        (4, 2, "x", "1", 1.0, 1.0, True, True),
    ]
    duals = [(4, "r", "0", -1.0)]
    columns = ["node", "constraint", "index", "dual"]
    return model, pd.DataFrame(nodes, columns=names), pd.DataFrame(duals, columns=columns)


def test_a_tree_with_an_empty_leaf_proves_the_optimum(tiny: Callable[..., AuditModel]) -> None:
    model, nodes, duals = _by_hand(tiny)
    proof = certificate_of(nodes, duals)
    assert check_bound(model, proof, 9.0).passed
    assert not check_bound(model, proof, 9.0 + 1e-6).passed
    # The ray may have either sign; one of another row, or none at all, proves nothing.
    assert check_bound(model, replace(proof, dual_value=-proof.dual_value), 9.0).passed
    assert not check_bound(model, replace(proof, dual_row=("r",), dual_index=np.array([[1]])), 9.0)\
        .passed  # fmt: skip
    assert not check_bound(model, replace(proof, dual_value=np.zeros(1)), 9.0).passed
    assert "node 4: x: i 1 in 1 to 1; x: i 0 in 1 to 1" in _places(
        check_bound(model, replace(proof, dual_value=np.zeros(1)), 9.0)
    )


def test_duals_of_a_side_that_a_row_does_not_have_count_as_nothing(
    tiny: Callable[..., AuditModel],
) -> None:
    model, *_ = _by_hand(tiny)
    cost, ones = model.cost[0], np.ones(2)
    # Rows are at most 3 and at most 5: only multipliers of at most 0 say something.
    assert weak_duality(model, cost, np.array([-0.5, 0.0]), np.zeros(2), ones) == -1.5
    assert weak_duality(model, cost, np.array([-0.5, 1e-12]), np.zeros(2), ones) == -1.5
    assert weak_duality(model, cost, np.array([1.0, 1.0]), np.zeros(2), ones) == -2.0


def test_a_ray_whose_gap_is_rounding_proves_nothing(tiny: Callable[..., AuditModel]) -> None:
    # 0.1 x0 + 0.2 x1 = 0.3 holds at x = (1, 1), but 0.1 + 0.2 > 0.3 in double precision.
    side = np.array([0.3])
    ones = np.ones(2)
    model = tiny(np.array([[0.1, 0.2]]), (side, side), (ones, ones), np.zeros(2))
    y = np.array([1.0])
    gaps = [weak_duality(model, np.zeros(2), sign * y, ones, ones) for sign in (1.0, -1.0)]
    assert max(gaps) > 0.0
    assert not proves_empty(model, y, ones, ones)
    far = tiny(np.array([[0.1, 0.2]]), (side - 1e-9, side - 1e-9), (ones, ones), np.zeros(2))
    assert proves_empty(far, y, ones, ones)


numbers = st.integers(-4, 4).map(float)


@st.composite
def programs(draw: Callable[..., Any]) -> tuple[Any, ...]:
    """A feasible tiny LP with two-sided rows, and random multipliers."""
    m, n = 3, 4
    a = np.array(draw(st.lists(numbers, min_size=m * n, max_size=m * n))).reshape(m, n)
    low = np.array(draw(st.lists(numbers, min_size=n, max_size=n)))
    high = low + np.array(draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)))
    share = np.array(draw(st.lists(st.floats(0, 1), min_size=n, max_size=n)))
    at = a @ (low + share * (high - low))
    slack = st.one_of(st.floats(0, 3), st.just(np.inf))
    row_low = at - np.array(draw(st.lists(slack, min_size=m, max_size=m)))
    row_high = at + np.array(draw(st.lists(slack, min_size=m, max_size=m)))
    c = np.array(draw(st.lists(numbers, min_size=n, max_size=n)))
    y = np.array(draw(st.lists(st.floats(-5, 5), min_size=m, max_size=m)))
    return a, (row_low, row_high), (low, high), c, y


@settings(max_examples=150, deadline=None)
@given(program=programs())
def test_no_duals_prove_more_than_the_optimum(
    program: tuple[Any, ...], tiny: Callable[..., AuditModel]
) -> None:
    a, rows, columns, c, y = program
    model = tiny(a, rows, columns, c)
    above, below = np.isfinite(rows[1]), np.isfinite(rows[0])
    best = linprog(
        c,
        A_ub=np.vstack((a[above], -a[below])),
        b_ub=np.concatenate((rows[1][above], -rows[0][below])),
        bounds=list(zip(columns[0].tolist(), columns[1].tolist(), strict=True)),
        method="highs",
    )
    assert best.status == 0
    assert best.fun is not None
    assert weak_duality(model, c, y, *columns) <= best.fun + 1e-6
    # The optimal multipliers prove the optimum itself, so the bound is not merely low.
    optimal = np.zeros(len(y))
    optimal[above] += best.ineqlin.marginals[: above.sum()]
    optimal[below] -= best.ineqlin.marginals[above.sum() :]
    assert weak_duality(model, c, optimal, *columns) == pytest.approx(best.fun, abs=1e-6)
    # A feasible problem is never proven empty.
    assert not proves_empty(model, y, *columns)


ranges = st.tuples(st.integers(-1, 12), st.integers(-1, 12)).map(lambda r: (r[0] / 2, r[1] / 2))


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(ranges, max_size=4), whole=ranges)
def test_a_split_is_covered_just_when_every_whole_number_is(
    parts: list[tuple[float, float]], whole: tuple[float, float]
) -> None:
    inside = [i for i in range(-2, 8) if whole[0] <= i <= whole[1]]
    left_out = [i for i in inside if not any(low <= i <= high for low, high in parts)]
    assert _gap(whole, parts) == (left_out[0] if left_out else None)


@settings(max_examples=50, deadline=None)
@given(cuts=st.lists(st.integers(0, 6), max_size=5), dropped=st.integers(0, 5))
def test_cuts_cover_until_one_piece_is_dropped(cuts: list[int], dropped: int) -> None:
    edges = [-1, *sorted(cuts), 7]
    parts = [(low + 1.0, float(high)) for low, high in pairwise(edges)]
    assert _gap((0.0, 7.0), parts) is None
    kept = [part for i, part in enumerate(parts) if i != dropped % len(parts)]
    low, high = parts[dropped % len(parts)]
    assert _gap((0.0, 7.0), kept) == (low if low <= high else None)
