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

CALLED = {"matplotlib.pyplot": ("switch_backend",)}
"""Functions of a module that are called while it is held back, to no effect: under pytest, Pyomo
chooses a backend as soon as matplotlib is imported."""


@contextmanager
def held_back(*names: str) -> Iterator[None]:
    """Let imports inside see placeholders for the modules `names` that are not loaded yet."""
    placeholders = {name: types.ModuleType(name) for name in names if name not in sys.modules}
    for name, placeholder in placeholders.items():
        for function in CALLED.get(name, ()):
            setattr(placeholder, function, lambda *_args: None)
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
