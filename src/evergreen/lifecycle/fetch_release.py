"""Fetch a recorded release, whose manifest has the SHA-256 that git holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evergreen.errors import DataError
from evergreen.history.rollback_records import manifest_digest
from evergreen.store import releases
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
    _check(commit, folder, into)
    return releases.load_release(into)


def _check(commit: str, folder: Path, copy: Path) -> None:
    """Compare the manifest; DVC's own hashes are MD5, for which two contents can be made."""
    expected, actual = manifest_digest(commit, folder), releases.manifest_digest(copy)
    if expected not in (None, actual):
        raise DataError(
            f"{folder} of commit {commit[:7]} is altered: git has the SHA-256 {expected} of its "
            f"manifest, found {actual}",
            "restore the DVC remote from a clone that has the data: dvc push --all-commits",
        )
