"""Sets, parameters and variables with many members, made without Pyomo's check of each member.

Pyomo normalises every member of a set, looks every key of a parameter up in its sets and calls a
rule for every bound; with 100,000 serving flows that is most of the time of building a model.
Here keys come from arrays of the instance and are right by construction, so they go straight
into the containers that Pyomo itself would fill (6.10; the version is pinned, and a test holds
both ways against each other). What comes out is an ordinary component.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyomo.environ as pyo


def flat_set(m: Any, name: str, keys: Sequence[Any], dimen: int) -> None:
    """Add an ordered Set of distinct keys: tuples of length `dimen`, or numbers when it is 1."""
    out = pyo.Set(dimen=dimen)
    m.add_component(name, out)
    out._values = dict.fromkeys(keys)  # noqa: SLF001
    out._ordered_values = None  # noqa: SLF001


def fill(param: Any, values: Mapping[Any, float]) -> None:
    """Give a constructed, immutable Param its values; keys are indices of its sets."""
    param._data.update(values)  # noqa: SLF001


def bounded(m: Any, name: str, keys: Sequence[Any], upper: Sequence[float], *over: Any) -> None:
    """Add a continuous Var over `over` with 0 <= var[keys[i]] <= upper[i].

    keys are all indices of the product of sets, in its order; chips, requests/s or USD.
    """
    var = pyo.Var(*over, dense=False)
    m.add_component(name, var)
    if not keys:
        return
    pattern = var[keys[0]]  # made by Pyomo, so that the others are like it
    pattern.setlb(0.0)
    copy, data = type(pattern).copy, var._data  # noqa: SLF001
    for key, most in zip(keys, upper, strict=True):
        column = copy(pattern)
        column._index, column._ub = key, most  # noqa: SLF001
        data[key] = column
