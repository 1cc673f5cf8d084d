"""The files that match a source's globs, each opened by its type."""

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
    inputs
        In order.
    owners
        The file that each input belongs to.
    digests
        SHA-256 by name of all files, including empty ones and those that are not read.
    notices
        What users should know about them, a line each.
    """

    inputs: list[Input]
    owners: list[str]
    digests: dict[str, str]
    notices: list[str]


def open_files(
    con: duckdb.DuckDBPyConnection,
    source: TableSource,
    wanted: Collection[str],
    ingested: dict[str, str],
    work: Path,
    *,
    required: bool,
) -> SourceFiles:
    """Open the files of a source, except those whose digest has not changed.

    Parameters
    ----------
    wanted
        The columns that are mapped.
    ingested
        SHA-256 by name of the files that were ingested completely.
    work
        A folder for what has to be unpacked or copied.
    required
        Whether it is an error if there are no files.

    Raises
    ------
    DataError
        If there are no files but one is required, or one can't be read.
    """
    matches = sorted({path for pattern in source.patterns for path in _matches(pattern)})
    if not matches and not required:
        return SourceFiles([], [], {}, ["no files yet"])
    if not matches:
        raise DataError(
            f"no file matches {' or '.join(source.patterns)} in {Path.cwd()}",
            "fix `files` of the source in params.yaml, or put files there",
        )
    _check_names(matches)
    digests = {path.as_posix(): files.sha256(path) for path in matches}
    fresh = [path for path in matches if ingested.get(path.as_posix()) != digests[path.as_posix()]]
    inputs: list[Input] = []
    owners, notices = [], []
    for number, path in enumerate(fresh):
        of_file, encodings = _open(con, path, source, wanted, work / str(number))
        inputs += of_file
        owners += [path.as_posix()] * len(of_file)
        notices += [f"{path} is empty"] if not of_file else []
        notices += [f"{path} is read as {encoding}" for encoding in encodings]
    notices += [f"{path} is a broken link" for path in _broken_links(source.patterns)]
    old = f", {len(matches) - len(fresh):,} of them already ingested" if ingested else ""
    return SourceFiles(inputs, owners, digests, [f"{plural(len(matches), 'file')}{old}", *notices])


def _broken_links(patterns: list[str]) -> list[Path]:
    paths = {path for pattern in patterns for path in _listed(pattern)}
    return sorted(path for path in paths if path.is_symlink() and not path.exists())


def _matches(pattern: str) -> list[Path]:
    return [p for p in _listed(pattern) if p.is_file() and not p.name.startswith(".")]


def _listed(pattern: str) -> list[Path]:
    if Path(pattern).is_dir():
        pattern = f"{pattern}/*"
    base = Path(Path(pattern).anchor) if Path(pattern).is_absolute() else Path()
    relative = str(Path(pattern).relative_to(base)) if base.anchor else pattern
    return list(base.glob(relative))


def _check_names(paths: list[Path]) -> None:
    """Refuse a name that can be neither printed nor recorded."""
    for path in paths:
        name = os.fsencode(path).decode("utf-8", errors="replace")
        if name != str(path):
            raise DataError(
                f"{name} has a name that is not UTF-8; nothing was changed", "rename the file"
            )


def _open(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    source: TableSource,
    wanted: Collection[str],
    work: Path,
) -> tuple[list[Input], list[str]]:
    """The inputs in a file, and the encodings that were detected."""
    if path.suffix.lower() in (".parquet", ".pq"):
        return [read_parquet(con, path)], []
    if path.suffix.lower() == ".xlsx":
        return read_workbook(con, path, work), []
    inputs, encodings = [], []
    work.mkdir(parents=True, exist_ok=True)
    for number, member in enumerate(archive_members(path)):
        text = decode(path, member, source.encoding or "auto", work / f"{number}.csv")
        rows = read_csv(text, wanted, source.delimiter or "auto", work / f"{number}.parquet")
        inputs += [rows] if rows else []
        if source.encoding in (None, "auto") and not text.encoding.startswith("utf-8"):
            encodings.append(text.encoding)
    return inputs, encodings
