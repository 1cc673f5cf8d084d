"""Fetch a recorded release, whose manifest has the SHA-256 that git holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evergreen.errors import DataError, EvergreenError
from evergreen.history import rollback_records, run_records
from evergreen.store import files, releases
from evergreen.vcs import dvc_fetch


@contextmanager
def fetched_release(commit: str, folder: Path) -> Iterator[Path]:
    """Fetch a release for the duration of a block; see `evergreen.vcs.dvc_fetch.fetched`.

    Raises
    ------
    DataError
        As `fetch_release`.
    """
    with dvc_fetch.fetched(commit, folder) as copy:
        _check(commit, folder, copy)
        yield copy


def fetch_release(commit: str, folder: Path, into: Path) -> releases.Release:
    """Copy a release as a commit recorded it, and open it.

    Raises
    ------
    DataError
        If it is not available, damaged or altered.
    """
    dvc_fetch.fetch(commit, folder, into)
    try:
        _check(commit, folder, into)
        return releases.load_release(into)
    except EvergreenError:
        files.remove(into)
        raise


def fetch_current(into: Path) -> str | None:
    """Copy the release that is recorded at HEAD as the one in production; return its version.

    Raises
    ------
    DataError
        If no run is recorded, or as `fetch_release`.
    """
    last = run_records.last_committed()
    if last is None:
        raise DataError("no run is recorded", "evergreen finish")
    return fetch_release(*rollback_records.current_release(last.as_of), into).version


def _check(commit: str, folder: Path, copy: Path) -> None:
    """Compare the manifest; DVC's own hashes are MD5, for which two contents can be made."""
    expected, actual = (
        rollback_records.manifest_digest(commit, folder),
        releases.manifest_digest(copy),
    )
    if expected not in (None, actual):
        raise DataError(
            f"{folder} of commit {commit[:7]} is altered: git has the SHA-256 {expected} of its "
            f"manifest, found {actual}",
            "restore the DVC remote with `dvc push` in a clone that has checked out the run",
        )
