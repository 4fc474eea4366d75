"""Import Pyomo without `scipy.stats`, which takes longer than solving a small case.

Pyomo imports `scipy.stats` as soon as it sees scipy; nothing in the planner uses it. A
placeholder stands in for it during that one import and is gone afterwards, so that whoever does
import `scipy.stats` later gets the real one.
"""

from __future__ import annotations

import sys
import types


def import_pyomo() -> None:
    """Import scipy, then pyomo.environ, with `scipy.stats` held back unless it is loaded."""
    import scipy.sparse  # noqa: PLC0415  (Pyomo looks whether scipy is loaded already)

    name = "scipy.stats"
    placeholder = types.ModuleType(name)
    if name not in sys.modules:
        sys.modules[name] = placeholder
    try:
        import pyomo.environ  # noqa: PLC0415
    finally:
        if sys.modules.get(name) is placeholder:
            del sys.modules[name]
        if vars(scipy).get("stats") is placeholder:
            del scipy.stats
    assert pyomo.environ is not None
