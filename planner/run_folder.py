"""Run folders: written whole or not at all, never over an existing one unless forced."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planner.errors import RunFolderError
from planner.output import obstacle

MANIFEST = "manifest.json"


def dump_json(value: Any) -> str:
    """JSON text, keys in the order given; NaN and infinity are refused."""
    return json.dumps(value, indent=2, allow_nan=False, default=str) + "\n"


def refuse_target(folder: Path, force: bool, what: str = "run folder") -> None:
    """Raise RunFolderError when the folder cannot be made, or exists and may not be replaced.

    It may with `force`, if it is empty or holds a manifest; else it is none of ours.
    """
    if not folder.exists():
        why = obstacle(folder)
        if why is not None:
            raise RunFolderError(f"{folder}: {why}")
        return
    if not force:
        raise RunFolderError(f"{folder} exists; --force replaces it")
    empty = folder.is_dir() and not any(folder.iterdir())
    if not (folder / MANIFEST).is_file() and not empty:
        raise RunFolderError(f"{folder} is not a {what}; it is left alone")


def write_folder(
    folder: Path, files: Mapping[str, bytes], manifest: dict[str, Any], force: bool
) -> None:
    """Write files and a manifest with their hashes into `folder`, all or nothing.

    Everything goes into a sibling folder first, which then takes the name. Raises
    RunFolderError when the folder exists and `force` is not given, or is not a run folder.
    """
    folder = folder.absolute()
    refuse_target(folder, force)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    aside: Path | None = None
    try:
        for name, data in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
        (fresh / MANIFEST).write_text(dump_json({**manifest, "files": hashes}), encoding="utf-8")
        fresh.chmod(0o755)
        if folder.exists():
            aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            folder.replace(aside / "run")
        fresh.replace(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        if aside is not None:
            # The run that was there goes back to its place.
            if (aside / "run").exists():
                (aside / "run").replace(folder)
            aside.rmdir()
        raise
    if aside is not None:
        shutil.rmtree(aside)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run folder.

    Raises RunFolderError when there is none, or when it does not list its files.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise RunFolderError(f"{folder} is not a run folder: it has no {MANIFEST}")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        files = manifest["files"]
        whole = all(isinstance(n, str) and isinstance(h, str) for n, h in files.items())
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise RunFolderError(f"{path} is damaged: {error}") from error
    if not whole:
        raise RunFolderError(f"{path} is damaged: files")
    return dict(manifest)


def changed_files(folder: Path) -> list[str]:
    """Files of a run folder that are missing or differ from the manifest's hashes."""
    out = []
    for name, digest in read_manifest(folder)["files"].items():
        path = (folder / name).resolve()
        inside = path.is_relative_to(folder.resolve())
        data = path.read_bytes() if inside and path.is_file() else None
        if data is None or hashlib.sha256(data).hexdigest() != digest:
            out.append(name)
    return out


def add_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Add files to a run folder, or replace them, and bring its manifest up to date.

    All or nothing. Raises RunFolderError when what is there is not as its manifest says: new
    hashes would hide that.
    """
    manifest = read_manifest(folder)
    changed = changed_files(folder)
    if changed:
        raise RunFolderError(f"{folder} was changed since it was written: {', '.join(changed)}")
    every = {name: (folder / name).read_bytes() for name in manifest.pop("files")}
    write_folder(folder, {**every, **files}, manifest, force=True)
