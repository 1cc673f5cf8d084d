"""Fetch what a run recorded from DVC's cache or remote; every file is compared with its hash."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evergreen.errors import DataError
from evergreen.settings import paths
from evergreen.vcs.dvc import dvc
from evergreen.vcs.dvc_internals import (
    data_changes,
    locked_md5s,
    md5,
    open_repository,
    pin_file,
    pinned_md5,
    write_data_through,
)
from evergreen.vcs.git import files_at, show
from evergreen.vcs.tracked_paths import INPUTS
from evergreen.vcs.verified_objects import VerifiedObjects

GROWING = str(paths.INGESTION_STATE)
"""The only file of the data that new rows change."""


def check_out(*folders: Path) -> None:
    """Lay out the data of the current commit from DVC's cache, or else from the remote.

    Parameters
    ----------
    folders
        Pinned inputs to lay out; by default everything.

    Raises
    ------
    DataError
        If an object is not available or differs from its hash; nothing is laid out then.
    """
    if not folders and not paths.DVC_LOCK.is_file():  # before the first run
        return
    with open_repository() as repo:
        outs = repo.tracked()
        wanted = {str(folder): outs[str(folder)] for folder in folders} or outs
        VerifiedObjects(repo, fetch=True).files(wanted)
    dvc("checkout", *(str(pin_file(folder)) for folder in folders))
    write_data_through()


def fetch_all(commit: str) -> None:
    """Have all data of a commit in DVC's cache, as `check_out` needs them.

    Raises
    ------
    DataError
        If an object is not available or differs from its hash.
    """
    in_git = {Path(name) for name in files_at(commit)}
    if paths.DVC_LOCK not in in_git:  # before the first run
        return
    in_git |= {folder for name in in_git for folder in name.parents}
    locked = locked_md5s(show(commit, paths.DVC_LOCK))
    outs = {path: md5_hex for path, md5_hex in locked.items() if Path(path) not in in_git}
    for pin in map(pin_file, (*INPUTS, paths.ROLLBACK)):
        if pin in in_git:
            outs[str(pin.with_suffix(""))] = pinned_md5(show(commit, pin))
    with open_repository() as repo:
        VerifiedObjects(repo, fetch=True, commit=commit).files(outs)


def check_cache() -> None:
    """Verify what DVC's cache has of the current commit.

    `dvc pull` may have filled it, which trusts the remote.

    Raises
    ------
    DataError
        If an object differs from its hash.
    """
    with open_repository() as repo:
        VerifiedObjects(repo, fetch=False).files(repo.tracked())


def is_laid_out() -> bool:
    """Whether the data are those that the working folder's ``dvc.lock`` and pins name.

    They are not after `git pull`, which leaves data as they were. New rows don't count.

    Raises
    ------
    DataError
        As `check_cache`.
    """
    with open_repository() as repo:
        outs = repo.tracked()
        objects = VerifiedObjects(repo, fetch=False)
        wanted = outs | objects.files(outs)
        if not all(objects.path(md5_hex).is_file() for md5_hex in wanted.values()):
            return False
    if not all(Path(path).exists() for path in wanted):
        return False
    modified = data_changes(map(Path, outs)).modified
    return not [name for name in modified if not name.endswith("/") and name != GROWING]


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

    Raises
    ------
    DataError
        If neither the cache nor the remote has it, or it is damaged; nothing is left at `into`.
    """
    try:
        with open_repository() as repo:
            _copy(VerifiedObjects(repo, fetch=True, commit=commit), commit, path, into)
    except DataError:
        _remove(into)
        raise


def _copy(objects: VerifiedObjects, commit: str, path: Path, into: Path) -> None:
    out, md5_hex = _recorded(commit, path)
    wanted = objects.files({str(out): md5_hex}, below=path)
    if out == path and md5_hex.endswith(".dir"):
        into.mkdir(parents=True)  # it may be empty
    elif not wanted:
        raise DataError(f"{path} is not part of {out} in commit {commit[:7]}", "evergreen history")
    for name, of_file in wanted.items():
        copied = into / Path(name).relative_to(path)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(objects.path(of_file), copied)
        if md5(copied) != of_file:  # damaged since it was verified, size and time as before
            raise objects.damaged(name, of_file)


def _recorded(commit: str, path: Path) -> tuple[Path, str]:
    """The output or pinned folder that a path is in, and the hash that a commit names for it."""
    locked = locked_md5s(show(commit, paths.DVC_LOCK))
    for out in (path, *path.parents):
        if files_at(commit, pin_file(out)):
            return out, pinned_md5(show(commit, pin_file(out)))
        if str(out) in locked:
            return out, locked[str(out)]
    raise DataError(f"{path} is not recorded in commit {commit[:7]}", "evergreen history")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
