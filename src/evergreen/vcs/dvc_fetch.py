"""Fetch what a run recorded from DVC's cache or remote, and verify it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evergreen.errors import DataError
from evergreen.settings import paths
from evergreen.vcs.dvc_internals import copy_from_commit, md5, object_path


@contextmanager
def fetched(commit: str, path: Path) -> Iterator[Path]:
    """Fetch a file or folder as it was recorded in a commit, for the duration of a block.

    It may be moved elsewhere in the repository, by one rename. One block at a time.
    """
    shutil.rmtree(paths.FETCHED, ignore_errors=True)  # of a process that was killed
    paths.FETCHED.mkdir(parents=True)
    try:
        fetch(commit, path, paths.FETCHED / path.name)
        yield paths.FETCHED / path.name
    finally:
        shutil.rmtree(paths.FETCHED)


def fetch(commit: str, path: Path, into: Path) -> None:
    """Copy a file or folder as it was recorded in a commit.

    DVC trusts its cache, so every file is compared with its hash.

    Raises
    ------
    DataError
        If neither the cache nor the remote has it, or it is damaged; nothing is left at `into`.
    """
    try:
        hashes = copy_from_commit(commit, path, into)
    except FileNotFoundError as error:
        _remove(into)
        raise DataError(
            f"{path} of commit {commit[:7]} is neither in DVC's cache nor on the DVC remote: "
            f"{error}",
            "check the remote with `dvc remote list`, and run `evergreen finish --push` where the "
            "run was made",
        ) from error
    for name, expected in hashes.items():
        copied = into if name == str(path) else into / name.removeprefix(f"{path}/")
        if md5(copied) != expected:
            _remove(into)
            raise DataError(
                f"{name} of commit {commit[:7]} is damaged: {object_path(expected)} does not match "
                "its hash",
                f"rm -f {object_path(expected)}, then run the same command again: missing objects "
                "are fetched from the DVC remote",
            )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
