"""Take what a run has recorded out of DVC's cache or remote, and check that it is that."""

from __future__ import annotations

import hashlib
import shutil
from functools import partial
from typing import TYPE_CHECKING

from evergreen.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

CACHE = ".dvc/cache/files/md5"


def fetch(commit: str, path: Path, into: Path) -> None:
    """Copy a file or folder as it was recorded in a commit.

    DVC takes its cache's word for what an object holds, so every file is compared with its hash.

    Raises
    ------
    DataError
        If neither the cache nor the remote has it, or what they have is damaged; then nothing is
        left at `into`.
    """
    from dvc.api import DVCFileSystem  # noqa: PLC0415 - seldom anything has to be fetched
    from dvc.config import Config  # noqa: PLC0415
    from dvc.exceptions import DvcException  # noqa: PLC0415
    from dvc_data.index import DataIndexDirError  # noqa: PLC0415

    # The remote of today: that of the commit may have moved since, or not have been named yet.
    today = Config.from_cwd()
    recorded = DVCFileSystem(rev=commit, config={name: today[name] for name in ("core", "remote")})
    try:
        recorded.get(str(path), str(into), recursive=True)
        found = recorded.find(str(path), detail=True)
    except (FileNotFoundError, DvcException, DataIndexDirError) as error:
        _remove(into)
        raise DataError(
            f"{path} of commit {commit[:7]} is neither in DVC's cache nor to be had from the DVC "
            f"remote: {error}",
            "check with `dvc remote list` that the remote is named and reached, and call "
            "`evergreen finish --push` where the run was made",
        ) from error
    for name, info in found.items():
        copied = into if name == str(path) else into / name.removeprefix(f"{path}/")
        if md5(copied) != info["md5"]:
            _remove(into)
            raise DataError(
                f"{name} of commit {commit[:7]} is damaged: {object_path(info['md5'])} does not "
                "hold what its name says",
                f"rm -f {object_path(info['md5'])}, then the same command again: what is not in "
                "the cache comes from the DVC remote",
            )


def object_path(md5_hex: str) -> str:
    """Where DVC keeps the content of that hash, below the root of the repository."""
    return f"{CACHE}/{md5_hex[:2]}/{md5_hex[2:]}"


def md5(path: Path) -> str:
    """MD5 of a file's bytes in hexadecimal, by which DVC names objects."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
