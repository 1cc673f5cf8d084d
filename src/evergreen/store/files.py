"""Files with the same bytes for the same content, replaced atomically, and their digests."""

from __future__ import annotations

import ctypes
import glob
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evergreen.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

AT_FDCWD, RENAME_EXCHANGE = -100, 2


@contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Write a file, folder or link under a temporary name, and rename it to `path` at the end.

    Readers see the old content or the new one as a whole. Where the system can't exchange two
    folders, a folder is missing for an instant. The content is on the disk before it gets the name.
    If the body fails, the old content stays; what a killed process leaves is overwritten by the
    next call.

    Parameters
    ----------
    shared
        Whether several processes may write the same path at a time.

    Yields
    ------
    Path
        The temporary name, in the same folder; nothing is there yet.
    """
    process = f".{os.getpid()}" if shared else ""
    unfinished, old = (
        path.with_name(f".{path.name}{process}{part}.unfinished") for part in ("", ".old")
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    recover(old)
    remove(unfinished)
    try:
        yield unfinished
        write_through(unfinished)
        if not path.is_dir() or path.is_symlink():
            os.replace(unfinished, path)  # noqa: PTH105 - replaces a file atomically
        elif not _exchange(unfinished, path):
            path.rename(old)  # a folder half removed would look like a folder
            unfinished.rename(path)
    finally:
        recover(old)
        remove(unfinished)


@contextmanager
def replacing_at_once(folder: Path) -> Iterator[Path]:
    """Write a folder anew, and exchange it with the one that is there; see `replacing`.

    Yields
    ------
    Path
        An empty folder beside it.
    """
    with replacing(folder) as unfinished:
        unfinished.mkdir()
        yield unfinished


def recover(unfinished: Path) -> None:
    """Remove what is left under a temporary name of `replacing`.

    An old folder that was moved aside, and whose successor is not there yet, is moved back.
    """
    match = re.fullmatch(r"\.(.+?)(\.\d+)?\.old\.unfinished", unfinished.name)
    if match and unfinished.exists() and not unfinished.with_name(match[1]).exists():
        unfinished.rename(unfinished.with_name(match[1]))
    remove(unfinished)


def write_through(path: Path) -> None:
    """Make sure that the content of a file or folder is on the disk."""
    if path.is_symlink():
        return
    for place in (*path.rglob("*"), path) if path.is_dir() else (path,):
        if not place.is_symlink():
            descriptor = os.open(place, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def sync_file_systems(*folders: Path) -> None:
    """Make sure that what was written on the file systems of some folders is on the disk.

    Less work than `write_through` for many files.

    Raises
    ------
    OSError
        If something could not be written.
    """
    sync_one = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if sync_one is None:
        os.sync()
        return
    devices = {folder.stat().st_dev: folder for folder in folders if folder.is_dir()}
    for folder in devices.values():
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            if sync_one(descriptor):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), str(folder))
        finally:
            os.close(descriptor)


def is_left(unfinished: Path) -> bool:
    """Whether no process works on a temporary name of `replacing`, if none but shared ones may."""
    number = re.search(r"\.(\d+)(\.old)?\.unfinished$", unfinished.name)
    return number is None or not _is_running(int(number[1]))


def remove_left(path: Path) -> None:
    """Remove what killed processes left under temporary names of a shared `path`."""
    for unfinished in path.parent.glob(f".{glob.escape(path.name)}.*.unfinished"):
        if is_left(unfinished):
            remove(unfinished)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _exchange(one: Path, other: Path) -> bool:
    """Whether Linux could exchange two names; see ``man 2 renameat2``."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    paths = (os.fsencode(one), os.fsencode(other))
    done: bool = rename(AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_EXCHANGE) == 0
    return done


def remove(path: Path) -> None:
    """Remove a file, folder or link, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def link(source: Path, path: Path) -> None:
    """Give a file, which nobody may change from now on, a second name; copy it where that fails.

    It loses the permission to write: a change under one name would change the other.
    """
    try:
        source.chmod(0o444)
        os.link(source, path)
    except OSError:  # another file system, or another user's file
        shutil.copyfile(source, path)


def write_text(text: str, path: Path, *, shared: bool = False) -> None:
    """Write a text in UTF-8 with the line ends that it has; `shared` as in `replacing`."""
    with replacing(path, shared=shared) as unfinished:
        unfinished.write_bytes(text.encode())


def write_json(
    content: object, path: Path, *, sort_keys: bool = True, shared: bool = False
) -> None:
    """Write JSON that gives readable diffs: sorted keys, one item a line, no NaN.

    `shared` as in `replacing`.

    Raises
    ------
    ValueError
        If there is a NaN or an infinity.
    """
    text = json.dumps(content, indent=2, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False)
    write_text(f"{text}\n", path, shared=shared)


def rounded(value: Any, digits: int = 6) -> Any:  # noqa: ANN401 - as wide as JSON
    """The same JSON value with few significant digits, so that a diff shows what changed."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {name: rounded(item, digits) for name, item in value.items()}
    return [rounded(item, digits) for item in value] if isinstance(value, list | tuple) else value


def read_json(path: Path, *, next_step: str) -> Any:  # noqa: ANN401 - as wide as JSON
    """Read JSON.

    Raises
    ------
    ModelError
        If the file is missing or not JSON, with the next step to take.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path} does not exist", next_step) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is not readable as JSON: {error}", next_step) from None


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(folder: Path, *, pattern: str = "*", apart_from: str | None = None) -> dict[str, str]:
    """SHA-256 of every file in a folder and its subfolders, by relative path, in order."""
    matches = sorted(path for path in folder.rglob(pattern) if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in matches}
    return {name: sha256(path) for name, path in named.items() if name != apart_from}


def digest_of(content: object) -> str:
    """SHA-256 of a JSON value in hexadecimal, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV with a header, for plots and people."""
    write_text(table.to_csv(index=False, lineterminator="\n"), path)


def write_folder(content: Mapping[str, bytes], folder: Path) -> None:
    """Write files by name into a folder, which is created."""
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Read the files of a folder by name, without those of folders in it."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
