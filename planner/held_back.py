"""Import a library without parts of it that nothing here uses and that take long to load.

Pyomo imports `scipy.stats`, `scipy.integrate` and `scipy.spatial` as soon as it sees scipy, and it
hooks the import of matplotlib, by whomever, to import `matplotlib.pyplot` and `matplotlib.pylab`
after it: longer than solving a small case. Placeholders stand in for them during one import and
are gone afterwards, so that whoever imports them later gets the real ones. A placeholder that
somebody looks into during that import (Pyomo does under pytest: it chooses a backend) imports the
real module at once and stands aside.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Placeholder(types.ModuleType):
    """Empty until looked into; then it has what the real module has."""

    def __getattr__(self, attribute: str) -> Any:
        """The real module's attribute, `__all__` and `__path__` included."""
        name = self.__name__
        if sys.modules.get(name) is self:
            del sys.modules[name]
        real = importlib.import_module(name)
        # `from module import *` reads the dictionary itself.
        own = vars(self)
        own.update({key: value for key, value in vars(real).items() if key not in own})
        return getattr(real, attribute)


@contextmanager
def held_back(*names: str) -> Iterator[None]:
    """Let imports inside see placeholders for the modules `names` that are not loaded yet."""
    placeholders = {name: _Placeholder(name) for name in names if name not in sys.modules}
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
