"""The audit states the same problem as the compiled Pyomo model, entry by entry, by label."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp

import planner.audit
from planner.audit import audit_model
from planner.audit.draft import Draft
from planner.audit.model import FAMILIES, assemble
from planner.errors import AuditError
from planner.instance import Instance

SAME = 1e-12
"""Relative difference that the order of a product may make."""


def _positions(blocks: Any, index: dict[str, tuple[Any, ...]]) -> npt.NDArray[np.int64]:
    """Audit position of every compiled column (or row), in compiled order."""
    parts = [
        blocks[name].find(np.array(labels, dtype=np.int64).reshape(len(labels), -1))
        for name, labels in index.items()
        if labels
    ]
    return np.concatenate(parts)


def _same(found: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> None:
    np.testing.assert_allclose(found, expected, rtol=SAME, atol=0.0)


def assert_equal(problem: Any) -> None:
    """Same labels, rows, bounds, whole numbers, costs."""
    matrix, audit = problem.matrix, problem.audit
    column = _positions(audit.columns, matrix.column_index)
    row = _positions(audit.rows, matrix.row_index)
    # Every compiled label is the audit's, and the audit has no other.
    assert sorted(column.tolist()) == list(range(audit.a.shape[1]))
    assert sorted(row.tolist()) == list(range(audit.a.shape[0]))
    mine, theirs = sp.csr_array(audit.a[row][:, column]), sp.csr_array(matrix.a)
    for part in (mine, theirs):
        part.eliminate_zeros()
        part.sort_indices()
    np.testing.assert_array_equal(mine.indptr, theirs.indptr)
    np.testing.assert_array_equal(mine.indices, theirs.indices)
    _same(mine.data, theirs.data)
    _same(audit.row_lower[row], matrix.row_lower)
    _same(audit.row_upper[row], matrix.row_upper)
    _same(audit.lower[column], matrix.lower)
    _same(audit.upper[column], matrix.upper)
    np.testing.assert_array_equal(audit.integer[column], matrix.integer)
    assert audit.cost_terms == matrix.cost_terms
    _same(audit.cost[:, column], matrix.cost)
    # An offset is a sum; its parts may stand in another order.
    _same(audit.cost_offset, matrix.cost_offset)


def test_small_is_the_compiled_model(small: Any) -> None:
    assert_equal(small)


def test_claude_is_the_compiled_model(claude: Any) -> None:
    assert_equal(claude)


def _jittered(part: Any, rng: np.random.Generator) -> Any:
    """A dataclass with every finite positive float array scaled entry by entry."""
    changed = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if is_dataclass(value):
            changed[field.name] = _jittered(value, rng)
        elif isinstance(value, np.ndarray) and value.dtype == np.float64:
            changed[field.name] = value * rng.uniform(0.5, 1.5, value.shape)
    return replace(part, **changed)


def _none(part: Any, *axes: str) -> Any:
    """A dataclass with no members on its own axis; grids keep their other axes."""
    changed: dict[str, Any] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if field.name in axes:
            continue
        changed[field.name] = () if isinstance(value, tuple) else value[:0]
    return replace(part, **changed)


def _jitter(inst: Instance) -> Instance:
    out: Instance = _jittered(inst, np.random.default_rng(7))
    # A week has 168 hours, however they are cut.
    hours = out.time.slice_hours * 168.0 / out.time.slice_hours.sum()
    return replace(out, time=replace(out.time, slice_hours=hours))


def _leavable(inst: Instance) -> Instance:
    c, n = inst.contracts, len(inst.time.periods)
    k, line = np.arange(len(c.names)), np.arange(len(c.line_names), dtype=np.float64)
    return replace(
        inst,
        contracts=replace(
            c,
            leave_from=k % 2,
            leave_until=np.full(len(k), n, dtype=np.int64),
            exit_fee_usd=1e6 * (1.0 + line),
            liability_usd=1e5 * (2.0 + line),
            credit_usd=1e4 * (3.0 + line),
        ),
    )


def _steady(inst: Instance) -> Instance:
    tr = inst.training
    return replace(inst, training=replace(tr, can_pause=tr.can_pause & ~tr.standing))


def _stubborn(inst: Instance) -> Instance:
    tr = inst.training
    return replace(inst, training=replace(tr, preemptible=~tr.preemptible))


def _unlimited_cluster(inst: Instance) -> Instance:
    tr = inst.training
    return replace(inst, training=replace(tr, max_chips=np.full_like(tr.max_chips, np.inf)))


def _all_spot(inst: Instance) -> Instance:
    return replace(inst, pay=replace(inst.pay, interruptible=np.ones(len(inst.pay.names), bool)))


def _no_spot(inst: Instance) -> Instance:
    return replace(inst, pay=replace(inst.pay, interruptible=np.zeros(len(inst.pay.names), bool)))


def _together(inst: Instance) -> Instance:
    starts = inst.starts
    j = np.arange(len(starts.names))
    return replace(inst, starts=replace(starts, min_lots=1 + j % 3, max_lots=3 + j))


def _no_install(inst: Instance) -> Instance:
    return replace(inst, install_limit=np.full(len(inst.regions), np.inf))


def _no_demand_in_a_period(inst: Instance) -> Instance:
    mean, peak = inst.serving.mean.copy(), inst.serving.peak.copy()
    mean[::2, 1], peak[::2, 1] = 0.0, 0.0
    return replace(inst, serving=replace(inst.serving, mean=mean, peak=peak))


def _closed_pool(inst: Instance) -> Instance:
    supply = inst.pools.supply.copy()
    supply[inst.pools.existing.sum(axis=1) == 0] = 0.0
    most = inst.pay.max_chips * (supply[inst.pay.pool] > 0)
    use = inst.training.column_use * (np.maximum(supply, inst.pools.existing) > 0)
    return replace(
        inst,
        pools=replace(inst.pools, supply=supply),
        pay=replace(inst.pay, max_chips=most),
        training=replace(inst.training, column_use=use),
    )


def _no_contracts(inst: Instance) -> Instance:
    none = _none(inst.contracts)
    pools = replace(inst.pools, existing=np.zeros_like(inst.pools.existing))
    supply = replace(pools, supply=np.maximum(pools.supply, inst.pools.limit))
    options = replace(inst.options, ending_chips=np.zeros(0))
    return replace(inst, contracts=none, pools=supply, options=options)


def _no_hourly(inst: Instance) -> Instance:
    return replace(inst, pay=_none(inst.pay, "billed_share"))


VARIANTS = (
    _jitter,
    _leavable,
    _steady,
    _stubborn,
    _unlimited_cluster,
    _all_spot,
    _no_spot,
    _together,
    _no_install,
    _no_demand_in_a_period,
    _closed_pool,
    _no_contracts,
    _no_hourly,
)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.__name__.strip("_"))
def test_variants_of_small_are_the_compiled_model(
    variant: Callable[[Instance], Instance], small: Any, compiled: Callable[[Instance], Any]
) -> None:
    inst = variant(small.inst)
    problem = compiled(inst)
    changed = audit_model(small.inst)
    # The variant does change the problem: a test of the same problem again would say nothing.
    assert (
        problem.audit.a.shape != changed.a.shape
        or (problem.audit.a != changed.a).nnz
        or (problem.audit.upper != changed.upper).any()
    )
    assert_equal(problem)


def test_every_variant_together(small: Any, compiled: Callable[[Instance], Any]) -> None:
    inst = small.inst
    for variant in (_leavable, _steady, _together, _no_demand_in_a_period, _jitter):
        inst = variant(inst)
    problem = compiled(inst)
    assert len(problem.audit.rows["standing_slice"]) > 0
    assert_equal(problem)


def test_claude_is_stated_quickly(claude: Any) -> None:
    before = time.process_time()
    audit_model(claude.inst)
    assert time.process_time() - before < 1.5


def test_places_are_named_by_labels(small: Any) -> None:
    inst, audit = small.inst, small.audit
    block = audit.rows["capacity"]
    p, t, s = block.index[5].tolist()
    said = audit.row_words(block.start + 5)
    pool, period, slice_ = inst.pools.names[p], inst.time.periods[t], inst.time.slices[s]
    assert said == f"capacity: pool {pool}, period {period}, slice {slice_}"
    last = audit.a.shape[1] - 1
    assert audit.column_words(last).startswith("flex: run ")


def test_labels_are_found_in_any_order_and_strangers_are_not(small: Any) -> None:
    block = small.audit.columns["serve"]
    order = np.random.default_rng(1).permutation(len(block))
    np.testing.assert_array_equal(block.find(block.index[order]), block.positions[order])
    strangers = block.index[:4].copy()
    strangers[:, 0] = [-1, len(block.labels[0]), 10**9, -(10**9)]
    assert (block.find(strangers) == -1).all()
    assert (block.find(block.index[:, :2]) == -1).all()


def test_an_extra_family_is_stated_too(small: Any) -> None:
    def few_lots(d: Draft, _inst: Instance) -> None:
        rows = d.add_rows("few_lots", (), (), upper=3.0)
        lots = d.columns["lots"]
        d.put(np.repeat(rows.positions, len(lots)), lots.positions, 1.0)

    audit = audit_model(small.inst, [few_lots])
    assert audit.a.shape[0] == small.audit.a.shape[0] + 1
    at = audit.rows["few_lots"].start
    assert audit.row_words(at) == "few_lots"
    assert audit.a[[at]].sum() == len(audit.columns["lots"])


def test_a_family_that_names_what_is_not_there_is_refused(small: Any) -> None:
    draft = Draft(small.inst)
    for family in FAMILIES:
        family(draft, small.inst)
    nowhere = np.array([-1], dtype=np.int64)
    first = np.array([0], dtype=np.int64)
    with pytest.raises(AuditError, match="no row or no column"):
        draft.put(nowhere, first, 1.0)
    with pytest.raises(AuditError, match="no row or no column"):
        draft.put(first, nowhere, 1.0, some=True)
    with pytest.raises(AuditError, match="no column"):
        draft.add_cost("new_contracts", nowhere, 1.0)
    with pytest.raises(AuditError, match="stands twice"):
        draft.add_columns("twice", ("run",), (np.array([0, 0]),), 1.0)
    before = len(draft.entries)
    draft.put(nowhere, first, 1.0, some=True)
    assert len(draft.entries) == before + 1
    assert assemble(draft).a.nnz == small.audit.a.nnz


def test_the_audit_imports_nothing_that_it_checks() -> None:
    allowed = {"planner.audit", "planner.case", "planner.instance", "planner.errors"}
    outside = {"numpy", "scipy", "pandas"}
    standard = {"__future__", "bisect", "collections", "dataclasses", "itertools", "math"}
    standard |= {"pathlib", "typing"}
    # Reading a run folder needs the saved plan, which knows no solver either.
    allowed |= {"planner.plan", "planner.run_folder"}
    # What follows from a plan's decisions is made again by the plan's own table code, in one
    # module apart: the arithmetic does not use it.
    again = {"planner.costs", "planner.plausibility", "planner.tables", "planner.values"}
    files = sorted(Path(planner.audit.__file__).parent.glob("*.py"))
    assert len(files) > 5
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [str(node.module)]
            for name in names:
                two = ".".join(name.split(".")[:2])
                here = allowed | again if file.name == "derived.py" else allowed
                fine = two in here or name.split(".")[0] in outside | standard
                assert fine, f"{file.name} imports {name}"
