"""Files that a command writes: all of them or none, and over nothing unless told to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from planner.errors import Fault, InputError


def check_places(paths: Iterable[Path], force: bool = False) -> None:
    """Whether files can be written at these places: asked before work that takes long.

    Raises InputError with every file that exists when `force` is not given, and with every place
    that is a folder or stands below a file.
    """
    faults = []
    for path in paths:
        if path.is_dir():
            faults.append(Fault(str(path), "is a folder"))
        elif path.exists() and not force:
            faults.append(Fault(str(path), "exists; --force replaces it"))
        else:
            above = next((p for p in path.parents if p.exists() and not p.is_dir()), None)
            if above is not None:
                faults.append(Fault(str(path), f"{above} is not a folder"))
    if faults:
        raise InputError(faults)


def write_files(files: Mapping[Path, bytes], force: bool = False) -> None:
    """Write files, their folders made where missing; nothing is left half written.

    Raises InputError as `check_places` does.
    """
    check_places(files, force)
    fresh: list[tuple[Path, Path]] = []
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                dir=path.parent, prefix=f".{path.name}-", delete=False
            ) as file:
                fresh.append((Path(file.name), path))
                file.write(data)
        for new, path in fresh:
            new.chmod(0o644)
            new.replace(path)
    finally:
        for new, _ in fresh:
            new.unlink(missing_ok=True)
