"""Go on from an earlier solve of a problem like this one: its tree, its plan and its bases.

Nothing of it is believed. The duals of each leaf prove what they prove of the changed problem
(weak duality holds for any duals), the whole numbers of the plan are settled by a relaxation of
the changed problem, and a basis only says where a solve begins.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from planner.errors import InfeasibleError
from planner.matrix import Matrix
from planner.solve.branch import ROUND_GAIN, Search
from planner.solve.certificate import Node, node_bounds, proven_bound
from planner.solve.lp import Basis, LpResult
from planner.solve.merged_session import MergedSession
from planner.solve.root import merged_root, narrow
from planner.solve.sift import sifted_from

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Warm:
    """What an earlier solve knew, in the columns and rows of the problem at hand."""

    whole: Floats
    """Its plan: values of the whole-number columns, others are not read [column]; may be empty."""
    nodes: tuple[Node, ...]
    """Its tree, leaves with their duals; may be empty."""
    root: Basis | None = None
    """Basis of its root's relaxation."""
    root_duals: Floats = field(default_factory=lambda: np.zeros(0))
    """Row duals of its root's relaxation; may be empty."""
    plan: Basis | None = None
    """Basis of the relaxation that settled its plan."""


@dataclass(frozen=True)
class Carried:
    """What an earlier solve gave the new one before anything was searched."""

    leaves: int
    """Leaves of the tree that was taken over."""
    bound_usd: float
    """What their duals prove of the new problem; -inf without any."""
    plan_usd: float
    """Cost of the earlier plan's whole numbers in the new problem; inf when they make none."""


def with_bounds(matrix: Matrix, nodes: tuple[Node, ...]) -> list[Node]:
    """The tree with the bounds that its duals prove of a problem.

    A leaf whose ray proves nothing any more takes the duals of another leaf.
    """
    out = [replace(node, bound=-np.inf) for node in nodes]
    leaves = [i for i, node in enumerate(out) if node.leaf]
    spare = next((nodes[i].y for i in leaves if len(nodes[i].y) and not nodes[i].ray), None)
    for at in leaves:
        node, bounds = out[at], node_bounds(matrix, out, at)
        node.bound = proven_bound(matrix, node.y, node.ray, bounds)
        if node.bound == -np.inf and spare is not None:
            node.y, node.ray = spare, False
            node.bound = proven_bound(matrix, spare, False, bounds)
    return out


def resume(search: Search, warm: Warm) -> Carried:
    """Give a search the earlier tree and plan; while the gap is wide, the root is solved again.

    Its duals, and how they differ from the earlier root's, are tried on every leaf: that costs a
    product with the matrix each, and often proves enough. What is left is solved leaf by leaf,
    the least bound first, until the gap is reached or the least leaf is solved.

    Raises InfeasibleError when the root is proven infeasible.
    """
    since = time.perf_counter()
    if search.sift and warm.root is not None and len(warm.root_duals):
        search.session = sifted_from(search.session, warm.root, warm.root_duals, warm.plan)
    session, matrix = search.session, search.matrix
    search.tree.adopt(with_bounds(matrix, warm.nodes))
    known = Carried(sum(n.leaf for n in search.tree.nodes), search.bound, np.inf)
    search.tell("saved proof")
    if len(warm.whole):
        if warm.plan is not None:
            session.set_basis(warm.plan, mend=True)
        _settle(search, warm.whole)
        known = replace(known, plan_usd=search.best)
        search.tell("saved plan")
    if search.gap > search.tolerance and search.keep_going():
        result = _root(search, warm.root, warm.root_duals)
        _lift(search, result.y, warm.root_duals)
        search.tell("relaxation")
        # A large problem's leaves are solved without flows afterwards (`planner.solve.parts`).
        if not (search.sift and search.parts):
            _reopen(search)
    search.phases["resume"] = time.perf_counter() - since
    return known


def _reopen(search: Search) -> None:
    """Solve leaf by leaf, the least bound first, until the gap is reached; dive from the last."""
    first = search.tree.first
    while search.gap > search.tolerance and search.keep_going():
        first = search.tree.first
        if first is None or search.tree.is_solved(first):
            break
        search.reopen_first()
        search.tell("reopen")
    solved = first is not None and search.tree.is_solved(first)
    if first is not None and solved and search.gap > search.tolerance and search.keep_going():
        search.dive_from(first)


def _root(search: Search, before: Basis | None, duals: Floats) -> LpResult:
    """The root's relaxation from where the earlier one ended; the next solve starts from it."""
    session, integer = search.session, search.integer
    m = search.matrix
    session.set_bounds(integer, m.lower[integer], m.upper[integer])
    search.root_basis = before
    merged = merged_root(search, duals if len(duals) and before is not None else None)
    if merged is not None and search.lessons is not None:
        return _merged(search, merged, search.lessons)
    if before is not None:
        session.set_basis(before, mend=True)
    result = narrow(search, session.solve_lp())
    # For a bound the rows that are known are enough; a plan is held against all of them.
    result = search.tighten(search.session, result, exact=False, enough=ROUND_GAIN)
    m = search.matrix
    if result.status == "infeasible" and proven_bound(m, result.y, True, (m.lower, m.upper)) > 0:
        raise InfeasibleError("no plan satisfies every rule, not even with fractions of lots")
    if result.status == "optimal":
        search.root_basis, search.root_duals = search.session.basis(), result.y
    return result


def _merged(search: Search, result: LpResult, session: MergedSession) -> LpResult:
    """The root's relaxation with slices merged, as `_root` has it, with the rows that it breaks."""
    search.note(result)
    while True:
        search.root_basis, search.root_duals = session.basis(), result.y
        batch = None if search.lazy is None else search.lazy(result.x, exact=False)
        if batch is None or not search.keep_going():
            return result
        search.join(search.session, batch)
        integer, m = search.integer, search.matrix
        more = search.relaxed(m.lower[integer], m.upper[integer], whole=False)
        gain = _gain(search, result, more) if more.status == "optimal" else 0.0
        if gain < ROUND_GAIN * search.tolerance:
            return result
        result = more


def _gain(search: Search, before: LpResult, after: LpResult) -> float:
    """Relative rise of the cost from one relaxation to another."""
    cost = search.matrix.objective
    was = float(cost @ before.x)
    return (float(cost @ after.x) - was) / max(1.0, abs(was))


def _lift(search: Search, y: Floats, before: Floats) -> None:
    """Give each leaf the root's duals, or its own moved as the root's moved, if they prove more.

    `y` are the root's duals now (none: nothing is tried), `before` those of the earlier root.
    """
    m = search.matrix
    if not len(y):
        return
    for at, node in enumerate(search.tree.nodes):
        if not node.leaf or node.ray:
            continue
        tries = [y]
        if len(before) and len(node.y):
            tries.append(_padded(node.y, len(y)) + y - _padded(before, len(y)))
        bounds = node_bounds(m, search.tree.nodes, at)
        proofs = [proven_bound(m, each, False, bounds) for each in tries]
        best = int(np.argmax(proofs))
        if proofs[best] > node.bound:
            search.tree.lift(at, tries[best], proofs[best])


def _settle(search: Search, values: Floats) -> None:
    """Offer the plan with the whole numbers of `values`, when there is one."""
    session, matrix, integer = search.session, search.matrix, search.integer
    whole = np.clip(np.round(values[integer]), matrix.lower[integer], matrix.upper[integer])
    search.settle(whole)
    session.set_bounds(integer, matrix.lower[integer], matrix.upper[integer])


def _padded(y: Floats, rows: int) -> Floats:
    """Duals with 0 for rows that joined later."""
    return np.concatenate([y, np.zeros(rows - len(y))])
