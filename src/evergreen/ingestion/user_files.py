"""The files that a source's globs name, each opened as what it is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.core.wording import plural
from evergreen.errors import DataError
from evergreen.ingestion.csv_files import read_csv
from evergreen.ingestion.decoding import archive_members, decode
from evergreen.ingestion.parquet_files import read_parquet, read_workbook
from evergreen.store import files

if TYPE_CHECKING:
    from collections.abc import Collection

    import duckdb

    from evergreen.ingestion.inputs import Input
    from evergreen.settings.sources import TableSource


@dataclass(frozen=True)
class SourceFiles:
    """What is to be read of a source.

    Attributes
    ----------
    parts
        In order.
    owners
        The file that each part belongs to.
    digests
        SHA-256 by name of all files, of the empty ones and those that are not read too.
    said
        What a user should know of them, a line each.
    """

    parts: list[Input]
    owners: list[str]
    digests: dict[str, str]
    said: list[str]


def open_files(
    con: duckdb.DuckDBPyConnection,
    source: TableSource,
    wanted: Collection[str],
    known: dict[str, str],
    work: Path,
    *,
    required: bool,
) -> SourceFiles:
    """Open the files of a source, apart from those that are known by their digest.

    Parameters
    ----------
    wanted
        The columns that are mapped.
    work
        A folder for what has to be unpacked or written anew.
    required
        Whether it is an error if there are no files.

    Raises
    ------
    DataError
        If there are none and there have to be, or one can't be read.
    """
    found = sorted({path for pattern in source.patterns for path in _matches(pattern)})
    if not found and not required:
        return SourceFiles([], [], {}, ["no files yet"])
    if not found:
        raise DataError(
            f"no file matches {' or '.join(source.patterns)}, seen from {Path.cwd()}",
            "mend `files` of the source in params.yaml, or put files there",
        )
    _check_names(found)
    digests = {path.as_posix(): files.sha256(path) for path in found}
    fresh = [path for path in found if known.get(path.as_posix()) != digests[path.as_posix()]]
    parts: list[Input] = []
    owners, said = [], []
    for number, path in enumerate(fresh):
        opened, encodings = _open(con, path, source, wanted, work / str(number))
        parts += opened
        owners += [path.as_posix()] * len(opened)
        said += [f"{path} is empty"] if not opened else []
        said += [f"{path} is read as {encoding}" for encoding in encodings]
    counted = plural(len(found), "file")
    known_files = f", {len(found) - len(fresh):,} of them already ingested" if known else ""
    said += [f"{path} is a link to nothing" for path in _dangling(source.patterns)]
    return SourceFiles(parts, owners, digests, [f"{counted}{known_files}", *said])


def _dangling(patterns: list[str]) -> list[Path]:
    every = {path for pattern in patterns for path in _listed(pattern)}
    return sorted(path for path in every if path.is_symlink() and not path.exists())


def _matches(pattern: str) -> list[Path]:
    return [p for p in _listed(pattern) if p.is_file() and not p.name.startswith(".")]


def _listed(pattern: str) -> list[Path]:
    if Path(pattern).is_dir():
        pattern = f"{pattern}/*"
    base = Path(Path(pattern).anchor) if Path(pattern).is_absolute() else Path()
    relative = str(Path(pattern).relative_to(base)) if base.anchor else pattern
    return list(base.glob(relative))


def _check_names(found: list[Path]) -> None:
    """Refuse a name that can be neither printed nor kept."""
    for path in found:
        told = os.fsencode(path).decode("utf-8", errors="replace")
        if told != str(path):
            raise DataError(
                f"{told} has a name that is no UTF-8; nothing was changed", "rename the file"
            )


def _open(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    source: TableSource,
    wanted: Collection[str],
    work: Path,
) -> tuple[list[Input], list[str]]:
    """The parts of a file, and the encodings that were found out for it."""
    if path.suffix.lower() in (".parquet", ".pq"):
        return [read_parquet(con, path)], []
    if path.suffix.lower() == ".xlsx":
        return read_workbook(con, path, work), []
    parts, encodings = [], []
    work.mkdir(parents=True, exist_ok=True)
    for number, member in enumerate(archive_members(path)):
        text = decode(path, member, source.encoding or "auto", work / f"{number}.csv")
        part = read_csv(text, wanted, source.delimiter or "auto", work / f"{number}.parquet")
        parts += [part] if part else []
        if source.encoding in (None, "auto") and not text.encoding.startswith("utf-8"):
            encodings.append(text.encoding)
    return parts, encodings
