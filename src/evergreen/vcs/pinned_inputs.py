"""Pinned inputs are appended to, never altered: what differs from its pin is damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dvc.repo import Repo

from evergreen.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def check_unaltered(*inputs: Path) -> None:
    """Compare the files of pinned folders with their hashes; files that were added are new rows.

    `dvc add` and `dvc repro` would take an altered file for a new version of it.

    Raises
    ------
    DataError
        If a file was altered or is lost.
    """
    with Repo() as repo:
        status = repo.data_status(targets=list(map(str, inputs)), granular=True)
    changes = status["uncommitted"]
    for state, found in (("altered", "modified"), ("not there", "deleted")):
        names = [name for name in changes.get(found, ()) if not name.endswith("/")]
        folders = [name for name in changes.get(found, ()) if name.endswith("/")]
        if names or (state == "not there" and folders):
            first = min(names or folders)
            folder = next(path for path in inputs if first.startswith(str(path)))
            mend = "dvc pull" if status["not_in_cache"] else f"dvc checkout --force {folder}"
            meant = f"; or dvc add {folder}, if that is meant" if state == "altered" else ""
            raise DataError(
                f"{first} is {state}: it is not what {folder}.dvc has pinned", mend + meant
            )
