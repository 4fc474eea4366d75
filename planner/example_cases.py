"""The example cases that come with the package."""

from __future__ import annotations

from pathlib import Path

NAMES = ("small", "claude")
"""Examples that `planner new` can copy."""


def example_folder(name: str) -> Path:
    """Folder of an example: inside the installed package, or `data/` of a checkout.

    Raises KeyError for an unknown name.
    """
    if name not in NAMES:
        raise KeyError(name)
    package = Path(__file__).parent
    installed = package / "examples" / name
    return installed if installed.is_dir() else package.parent / "data" / name
