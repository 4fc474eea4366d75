"""Prices into a run folder."""

from __future__ import annotations

from pathlib import Path

from planner.plan import TABLE_FOLDER
from planner.prices.table import Prices
from planner.run_folder import add_files


def save_prices(folder: Path, found: Prices) -> None:
    """Write the tables of prices into a run folder and its manifest; what was there is replaced.

    Raises RunFolderError when it is no run folder or was changed since it was written.
    """
    files = {
        f"{TABLE_FOLDER}/{name}.csv": table.to_csv(
            index=False, lineterminator="\n", na_rep="nan"
        ).encode()
        for name, table in found.tables().items()
    }
    add_files(folder, files)
