"""Which way a problem is solved: by branching and diving, or by HiGHS's branch and bound.

`dive` is `planner.solve.branch`: hot relaxations and dives for plans; a problem of 5,000 columns or
more goes on by parts (`planner.solve.parts`), with HiGHS for the lots, and only where that finds
nothing with the whole problem and HiGHS to improve its plan. `highs` lets HiGHS find the plan right
after the root (`planner.solve.mip`). The bound is proven by our own tree in both: HiGHS's
cuts and its bound leave no certificate that could be checked, so a plan that HiGHS calls optimal
still waits for our tree.

That is why auto is `dive` at every size measured (CPU seconds, dive against highs; gap 0.1 %
unless said): data/small 0.15 : 0.39; eight Mélange instances 0.01 to 0.06 : 0.02 to 0.08;
generated cases of 2,100 columns 1.3 : 5.4 and 0.4 : 0.9, of 5,000 columns 6.9 : 6.3 and 3.8 :
9.0, of 13,400 columns to 1 % 19.4 : 20.2. `highs` won one of them, by a tenth. (All before
large ones were solved by parts: `docs/performance.md`.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from planner.matrix import Matrix

Strategy = Literal["auto", "dive", "highs"]
"""auto chooses by itself and says why."""


@dataclass(frozen=True)
class Choice:
    """A strategy, and why."""

    strategy: str
    """dive, highs, or the Pyomo name of another solver."""
    why: str
    """In words."""


def chosen(matrix: Matrix, wanted: Strategy, solver: str | None = None) -> Choice:
    """The strategy of a problem; the rule and its numbers stand at the top of this module."""
    if solver is not None:
        return Choice(solver, "asked for by name; the bound is our own tree's")
    if wanted == "highs":
        return Choice(wanted, "asked for; the bound is our own tree's")
    if wanted == "dive":
        return Choice(wanted, "asked for")
    rows, columns = matrix.shape
    why = f"{columns:,} columns, {rows:,} rows: no size is proven sooner by highs"
    return Choice("dive", why)
