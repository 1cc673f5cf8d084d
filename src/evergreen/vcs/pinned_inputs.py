"""Pinned inputs grow by new files; a change of an existing file is damage."""

from __future__ import annotations

from pathlib import Path

from evergreen.errors import DataError
from evergreen.vcs.dvc_fetch import GROWING, check_cache
from evergreen.vcs.dvc_internals import data_changes, pin_file


def check_unaltered(*inputs: Path) -> None:
    """Compare the files of pinned folders with their hashes; added files are new rows.

    The state of ingestion changes with each new row, so it is not compared.

    `dvc add` and `dvc repro` would take an altered file for a new version. DVC believes a file that
    it has laid out, so the objects of its cache are verified first.

    Raises
    ------
    DataError
        If a file was altered or is missing, or an object of the cache differs from its hash.
    """
    check_cache()
    changes = data_changes(inputs)
    altered = [name for name in changes.modified if not name.endswith("/") and name != GROWING]
    for status, names in (("altered", altered), ("missing", changes.deleted)):
        if names:
            first = min(names, key=lambda name: (name.endswith("/"), name))
            folder = next(path for path in inputs if first.startswith(str(path)))
            fix = "evergreen pull" if changes.lacks_objects else f"dvc checkout --force {folder}"
            meant = (
                f"; or dvc add {folder}, if the change is intended" if status == "altered" else ""
            )
            raise DataError(
                f"{first} is {status}: it differs from what {pin_file(folder)} pins", fix + meant
            )
