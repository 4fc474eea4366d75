"""How redundancy is held: by explicit flows on small cases, by rounds of cuts on large ones."""

from __future__ import annotations

from typing import Literal

from planner.equations.redundancy import cover_quintuples
from planner.instance import Instance

Redundancy = Literal["auto", "explicit", "rounds", "waived"]
"""auto chooses by size; waived leaves the promise out: the plan then fails its audit by a proof."""
MOST_EXPLICIT = 20_000
"""Contingency flows up to which they are columns of the problem."""


def redundancy_mode(inst: Instance, wanted: Redundancy = "auto") -> Redundancy:
    """explicit, rounds or waived; a case without contingencies is explicit, with nothing in it."""
    columns = int(cover_quintuples(inst).sum()) * len(inst.time.slices)
    if not columns:
        return "explicit"
    if wanted != "auto":
        return wanted
    return "explicit" if columns <= MOST_EXPLICIT else "rounds"
