"""Solve a large problem in two parts: what is bought and placed, and the flows that follow.

The first part is branched (`planner.solve.prove`) until its structure is whole, which costs
little; there a relaxation with flows says what these cost, lots are looked for near it
(`planner.solve.improve`), and the tree is branched on until it proves the gap. A plan is looked for
at the best structure known once the bound has nearly come to what lots cost there at least.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from planner.solve.branch import Search
from planner.solve.improve import plan_near, teach
from planner.solve.prove import Prover, begin, prove

MOST_TIMES = 3
"""Times that lessons are learnt at one structure, at most."""


def by_parts(search: Search, structure: AbstractSet[int]) -> None:
    """Find plans and bounds; ends with the gap, or where this way finds nothing more.

    `structure` are the ranks of what is decided before lots.
    """
    prover = Prover(search, structure)
    taught: set[bytes] = set()
    times: dict[bytes, int] = {}
    begin(prover)
    while search.gap > search.tolerance and search.keep_going():
        leaf = prove(prover, to_structure=True)
        if leaf is None:
            break
        prover.expect(leaf.relaxed.cost_usd)
        which = prover.structure_of(leaf)
        if which in taught:
            plan_near(prover, leaf)
            prover.tried.add(which)
            prover.hopes.pop(which, None)
        else:
            times[which] = times.get(which, 0) + 1
            if teach(prover, leaf) or times[which] == MOST_TIMES:
                taught.add(which)
                prover.hope(leaf)
