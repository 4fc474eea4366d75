"""The three checks of a plan: its rows, its costs, and its bound.

All comparisons are written so that a value which is not a number fails.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from planner.audit.certificate import (
    Certificate,
    Ranges,
    leaf_duals,
    narrowed_columns,
    node_ranges,
    uncovered,
)
from planner.audit.draft import Block, Floats
from planner.audit.model import AuditModel
from planner.audit.report import FamilyCheck, Finding, Report, report
from planner.audit.values import MOST_FINDINGS, Values, columns_of

ROW_RELATIVE = 1e-6
"""Of the row's largest term (or side): the solver's own feasibility tolerance, seen from rows
of any size. A row of a million chips may be off by one, far below the doubt in any input."""
ROW_ABSOLUTE = 1e-6
"""In the row's unit, so that rows whose terms are all near 0 do not fail for rounding."""
WHOLE = 1e-6
"""Distance from a whole number: a plan saves its integers rounded, so any more is a fault."""
COST_RELATIVE = 1e-9
"""Of the sum of a term's absolute parts: what sums in another order can differ by, with a
hundredfold margin for 100,000 terms in double precision."""
COST_ABSOLUTE = 0.01
"""USD: a cent, for terms that are 0 but for rounding."""
BOUND_RELATIVE = 1e-9
"""Of the claimed bound: the proof is recomputed with the same multipliers, so that only the
order of the sums differs."""
RAY_MARGIN = 1e-13
"""Of the sum of absolute products in a ray: a gap below the rounding error of its own sum (some
hundred terms a column, double precision) proves nothing."""


def check_primal(model: AuditModel, values: Values) -> Report:
    """Every row within tolerance, every column within its bounds, integers whole."""
    x, out = columns_of(model, values)
    a = model.a
    activity: Floats = a @ x
    terms = sp.csr_array((np.abs(a.data * x[a.indices]), a.indices, a.indptr), shape=a.shape)
    largest: Floats = terms.max(axis=1).toarray().ravel() if a.nnz else np.zeros(a.shape[0])
    for side in (model.row_lower, model.row_upper):
        largest = np.maximum(largest, np.where(np.isfinite(side), np.abs(side), 0.0))
    allowed = ROW_ABSOLUTE + ROW_RELATIVE * largest
    for block in model.rows.values():
        span = slice(block.start, block.start + len(block))
        nearest = np.clip(activity[span], block.lower, block.upper)
        out += _compare("rows", block, nearest, activity[span], allowed[span])
    for block in model.columns.values():
        span = slice(block.start, block.start + len(block))
        nearest = np.clip(x[span], block.lower, block.upper)
        out += _compare(
            "bounds", block, nearest, x[span], ROW_ABSOLUTE + ROW_RELATIVE * np.abs(nearest)
        )
        whole = np.where(block.integer, np.round(x[span]), x[span])
        if block.integer.any():
            out += _compare("whole numbers", block, whole, x[span], np.full(len(block), WHOLE))
    return out


def _compare(check: str, block: Block, expected: Floats, found: Floats, allowed: Floats) -> Report:
    """Findings of one family: the worst of those beyond tolerance."""
    off = np.abs(found - expected)
    share = off / allowed
    failed = np.flatnonzero(~(off <= allowed))
    shown = failed[np.argsort(-share[failed], kind="stable")][:MOST_FINDINGS]
    findings = (
        Finding(
            check,
            block.words(block.start + i),
            float(expected[i]),
            float(found[i]),
            float(allowed[i]),
        )
        for i in shown.tolist()
    )
    worst = int(np.argmax(share)) if len(block) else 0
    most = (float(off[worst]), float(share[worst])) if len(block) else (0.0, 0.0)
    return report(findings, [FamilyCheck(check, block.name, len(block), len(failed), *most)])


def check_cost(
    model: AuditModel, values: Values, cost_usd: Mapping[str, float], objective_usd: float
) -> Report:
    """Every cost term and the objective of the summary, against the plan's own values.

    Labels are judged by `check_primal`.
    """
    x, _ = columns_of(model, values)
    parts = model.cost * x
    found = parts.sum(axis=1) + model.cost_offset
    scale = np.abs(parts).sum(axis=1) + np.abs(model.cost_offset)
    out = Report()
    for i, term in enumerate(model.cost_terms):
        out += _cost(term, float(found[i]), cost_usd.get(term), float(scale[i]))
    for term in cost_usd.keys() - set(model.cost_terms):
        out += _cost(term, None, cost_usd[term], 0.0)
    return out + _cost("objective_usd", float(found.sum()), objective_usd, float(scale.sum()))


def _cost(term: str, expected: float | None, found: float | None, scale: float) -> Report:
    allowed = COST_ABSOLUTE + COST_RELATIVE * scale
    if expected is None or found is None:
        missing = "no such term"
        finding = Finding(
            "cost",
            term,
            missing if expected is None else expected,
            missing if found is None else found,
            0.0,
        )
        return report([finding], [FamilyCheck("cost", term, 1, 1, np.inf, np.inf)])
    off = abs(found - expected)
    bad = not off <= allowed
    findings = [Finding("cost", term, expected, found, allowed)] if bad else []
    return report(findings, [FamilyCheck("cost", term, 1, int(bad), off, off / allowed)])


def check_bound(model: AuditModel, proof: Certificate, bound_usd: float) -> Report:
    """The proof of `bound_usd`: the tree leaves nothing out, and no leaf proves less.

    A leaf with multipliers y proves, at its column bounds, what `weak_duality` says; a leaf
    with a ray proves that it is empty.
    """
    narrowed, faults = narrowed_columns(model, proof)
    ranges, broken = node_ranges(model, proof, narrowed)
    faults += broken
    if not len(proof.parent):
        faults.append(Finding("bound", "tree", "a root", "no node", 0.0))
    if not broken:
        faults += uncovered(model, proof, narrowed, ranges)
    rows, strange = leaf_duals(model, proof)
    faults += strange
    wrong = len(faults)
    share = np.inf if wrong else 0.0
    tree = FamilyCheck("bound", "tree", len(proof.parent), wrong, float(wrong), share)
    allowed = BOUND_RELATIVE * abs(bound_usd)
    cost, offset = model.cost.sum(axis=0), float(model.cost_offset.sum())
    order = np.argsort(proof.dual_node, kind="stable")
    ends = np.searchsorted(proof.dual_node[order], np.arange(len(proof.parent) + 1))
    leaves = np.flatnonzero(proof.is_leaf).tolist()
    proven = np.full(len(leaves), -np.inf)
    for i, leaf in enumerate(leaves):
        y = np.zeros(len(model.row_lower))
        mine = order[ends[leaf] : ends[leaf + 1]]
        mine = mine[rows[mine] >= 0]
        np.add.at(y, rows[mine], proof.dual_value[mine])
        lower, upper = _at(model, ranges[leaf])
        if proof.is_ray[leaf]:
            proven[i] = np.inf if proves_empty(model, y, lower, upper) else -np.inf
        else:
            proven[i] = weak_duality(model, cost, y, lower, upper) + offset
    failed = np.flatnonzero(~(proven >= bound_usd - allowed))
    worst_first = failed[np.argsort(proven[failed], kind="stable")][:MOST_FINDINGS].tolist()
    for i in worst_first:
        place = f"node {leaves[i]}: {_leaf_words(model, ranges[leaves[i]])}"
        faults.append(Finding("bound", place, float(bound_usd), float(proven[i]), allowed))
    least = float(proven.min()) if len(proven) else -np.inf
    short = max(0.0, bound_usd - least)
    share = short / allowed if allowed else (np.inf if short else 0.0)
    proofs = FamilyCheck("bound", "leaves", len(leaves), len(failed), short, share)
    return report(faults, [tree, proofs])


def _at(model: AuditModel, ranges: Ranges) -> tuple[Floats, Floats]:
    """Column bounds of the model, narrowed to the ranges of a leaf."""
    lower, upper = model.lower.copy(), model.upper.copy()
    columns = list(ranges)
    lower[columns] = [low for low, _ in ranges.values()]
    upper[columns] = [high for _, high in ranges.values()]
    return lower, upper


def _leaf_words(model: AuditModel, ranges: Ranges) -> str:
    """A leaf by its ranges, the last narrowed first; five at most."""
    said = [
        f"{model.column_words(column)} in {low:g} to {high:g}"
        for column, (low, high) in reversed(ranges.items())
    ]
    more = [f"{len(said) - 5} more"] if len(said) > 5 else []
    return "; ".join(said[:5] + more) or "the whole problem"


def _least(multiplier: Floats, lower: Floats, upper: Floats) -> Floats:
    """Least multiplier x value over lower <= value <= upper, elementwise; 0 where it is 0."""
    with np.errstate(invalid="ignore"):
        ends = np.minimum(multiplier * lower, multiplier * upper)
    out: Floats = np.where(multiplier == 0.0, 0.0, ends)
    return out


def usable(model: AuditModel, y: Floats) -> Floats:
    """Multipliers, without those which say something about a side that a row does not have."""
    idle = np.isneginf(_least(y, model.row_lower, model.row_upper))
    out: Floats = np.where(idle, 0.0, y)
    return out


def weak_duality(model: AuditModel, cost: Floats, y: Floats, lower: Floats, upper: Floats) -> float:
    """A lower bound of cost @ x over all x that satisfy rows and bounds, for any y.

    cost @ x = y @ (A x) + (cost - A'y) @ x
            >= sum_i min over [row_lower_i, row_upper_i] of y_i * r
             + sum_j min over [lower_j, upper_j] of (cost - A'y)_j * x_j
    """
    y = usable(model, y)
    rows = _least(y, model.row_lower, model.row_upper)
    columns = _least(cost - model.a.T @ y, lower, upper)
    return float(rows.sum() + columns.sum())


def proves_empty(model: AuditModel, ray: Floats, lower: Floats, upper: Floats) -> bool:
    """Whether a ray, or its opposite, proves that no x satisfies rows and bounds (Farkas).

    With zero cost every feasible problem has a bound of at most 0. The gap has to be above the
    rounding error of its own sum.
    """
    nothing = np.zeros(model.a.shape[1])
    for y in (usable(model, ray), usable(model, -ray)):
        gap = weak_duality(model, nothing, y, lower, upper)
        sides = np.abs(_least(y, model.row_lower, model.row_upper)).sum()
        reach = np.maximum(np.abs(lower), np.abs(upper))
        moved = abs(model.a).T @ np.abs(y)
        parts = sides + np.where(moved == 0.0, 0.0, moved * reach).sum()
        if gap > RAY_MARGIN * float(parts):
            return True
    return False
