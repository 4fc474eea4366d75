"""Files that a command writes: all of them or none, and over nothing unless told to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from planner.errors import Fault, InputError


def obstacle(path: Path) -> str | None:
    """Why nothing can be made at a place where there is nothing yet; None when it can.

    Tried below the nearest folder that there is, and left without a trace.
    """
    above = next(p for p in path.absolute().parents if p.exists())
    if not above.is_dir():
        return f"{above} is not a folder"
    try:
        with tempfile.TemporaryDirectory(dir=above, prefix=".planner-"):
            return None
    except OSError as error:
        return f"nothing can be made in {above}: {error.strerror}"


def check_places(paths: Iterable[Path], force: bool = False) -> None:
    """Whether files can be written at these places: asked before work that takes long.

    Raises InputError with every file that exists when `force` is not given, and with every place
    that is a folder, stands below a file or cannot be written.
    """
    faults = []
    for path in paths:
        if path.is_dir():
            faults.append(Fault(str(path), "is a folder"))
        elif path.exists() and not force:
            faults.append(Fault(str(path), "exists; --force replaces it"))
        else:
            why = obstacle(path)
            if why is not None:
                faults.append(Fault(str(path), why))
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
