"""Solve a large problem in two parts: what is bought and placed, and the flows that follow.

The first part is branched (`planner.solve.prove`) until its structure is whole, which costs
little; there the whole problem's relaxation says what flows cost, lots are looked for near it
(`planner.solve.improve`), and the tree is branched on until it proves the gap.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from planner.solve.branch import Search
from planner.solve.improve import plan_near, teach
from planner.solve.prove import Leaf, Prover, prove

MOST_SETTLED = 3
"""Leaves, one below the other, at which the whole problem is asked before lots are looked for."""


def by_parts(search: Search, structure: AbstractSet[int]) -> None:
    """Find plans and bounds; ends with the gap, or where this way finds nothing more.

    `structure` are the ranks of what is decided before lots.
    """
    prover = Prover(search, structure)
    taught: set[bytes] = set()
    while search.gap > search.tolerance and search.keep_going():
        leaf = prove(prover, to_structure=True)
        if leaf is None:
            break
        which = prover.structure_of(leaf)
        if which in taught:
            plan_near(prover, leaf)
            prover.tried.add(which)
            continue
        taught.add(which)
        below = leaf
        if below is not None:
            teach(prover, below)
            taught.add(prover.structure_of(below))


def _settled(search: Search, prover: Prover, leaf: Leaf) -> Leaf | None:
    """A leaf at or below one, whose structure is whole with what the whole problem says there.

    What flows cost was known near the root alone, and which promises bind there.
    """
    for _ in range(MOST_SETTLED):
        search.resolve(leaf.at)
        prover.catch_up()
        below = prover.dive(leaf.at)
        if below is None or below.at == leaf.at:
            return below
        leaf = below
    return leaf
