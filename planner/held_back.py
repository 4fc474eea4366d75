"""Import a library without parts of it that nothing here uses and that take long to load.

Pyomo imports `scipy.stats`, `scipy.integrate`, `scipy.spatial` and `matplotlib.pyplot` as soon as
it sees scipy and matplotlib: longer than solving a small case. Placeholders stand in for them
during one import and are gone afterwards, so that whoever imports them later gets the real ones.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_back(*names: str) -> Iterator[None]:
    """Let imports inside see placeholders for the modules `names` that are not loaded yet."""
    placeholders = {name: types.ModuleType(name) for name in names if name not in sys.modules}
    sys.modules.update(placeholders)
    try:
        yield
    finally:
        for name, placeholder in placeholders.items():
            if sys.modules.get(name) is placeholder:
                del sys.modules[name]
            parent, _, child = name.rpartition(".")
            package = sys.modules.get(parent)
            if package is not None and vars(package).get(child) is placeholder:
                delattr(package, child)
