"""The files that match a source's globs, each opened by its type."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.core.wording import plural
from evergreen.errors import DataError
from evergreen.ingestion.csv_files import read_csv
from evergreen.ingestion.decoding import archive_members, decode
from evergreen.ingestion.parquet_files import read_parquet, read_workbook
from evergreen.store import files, spill

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from evergreen.ingestion.inputs import Input, Mapped
    from evergreen.settings.sources import TableSource, TransactionsSource


DISK_PER_BYTE = 4
"""About how many bytes of disk a byte of compressed Parquet needs, as staged and as stored rows;
other files are larger themselves."""
UNFINISHED = (".part", ".partial", ".crdownload", ".filepart", ".download", ".tmp", ".swp")
WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
PARQUET = (".parquet", ".pq")
CONVERTED = {
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "save it as CSV or Parquet"),
    **dict.fromkeys((".7z", ".rar", ".tar", ".tgz"), "unpack it"),
    **dict.fromkeys((".orc", ".avro", ".feather", ".arrow"), "save it as Parquet"),
    **dict.fromkeys((".numbers", ".pdf", ".docx", ".doc", ".html", ".htm"), "export it as CSV"),
    **dict.fromkeys((".sqlite", ".db", ".mdb", ".accdb"), "use `url_env` for a database"),
}
"""What can't be read, by the ends of names, and what to do with it."""


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
    mapped: Mapped,
    ingested: dict[str, str],
    work: Path,
    *,
    required: bool,
) -> SourceFiles:
    """Open the files of a source, except those whose digest has not changed.

    Parameters
    ----------
    mapped
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
    EvergreenError
        If there is not enough disk for their rows.
    """
    found = {path for pattern in source.patterns for path in files_matching(pattern)}
    listed = sorted(found, key=_natural)
    skipped = {path: why for path in listed if (why := _no_data(path, source.patterns))}
    matches = [path for path in listed if path.is_file() and path not in skipped]
    left = _notices_about(skipped)
    fixed = {_fixed_part(pattern) for pattern in source.patterns if "**" not in pattern}
    if not matches and not required:
        return SourceFiles([], [], {}, ["no files yet", *left])
    if not matches:
        raise DataError(
            f"no file matches {' or '.join(source.patterns)} in {Path.cwd()}"
            + "".join(f"; {line}" for line in left[:1]),
            "fix `files` of the source in params.yaml, or put files there",
        )
    _check_names(matches)
    digests = {path.as_posix(): files.sha256(path) for path in matches}
    fresh = [path for path in matches if ingested.get(path.as_posix()) != digests[path.as_posix()]]
    spill.check_free(DISK_PER_BYTE * sum(path.stat().st_size for path in fresh), Path.cwd())
    inputs: list[Input] = []
    owners, notices = [], []
    for number, path in enumerate(fresh):
        of_file, encodings = _open(con, path, source, mapped, work / str(number))
        inputs += of_file
        owners += [path.as_posix()] * len(of_file)
        notices += [f"{path} is empty"] if not of_file else []
        notices += [f"{path} is read as {encoding}" for encoding in encodings]
    notices += left
    notices += [f"{p} is a broken link" for p in listed if p.is_symlink() and not p.exists()]
    notices += [
        f"{path} is a folder, and not read: add {path}/* to `files`"
        for path in listed
        if path.is_dir() and path not in skipped and path.parent in fixed
    ]
    old = f", {len(matches) - len(fresh):,} of them already ingested" if ingested else ""
    return SourceFiles(inputs, owners, digests, [f"{plural(len(matches), 'file')}{old}", *notices])


def _no_data(path: Path, patterns: list[str]) -> str | None:
    """Why a file is not data although it matches a pattern; None if it is data."""
    if path.as_posix() in patterns:
        return None
    if path.name.startswith("~$"):
        return "the lock of an open workbook"
    if path.suffix.lower() in UNFINISHED:
        return "an unfinished copy or download"
    fixed = min(len(_fixed_part(pattern).parts) for pattern in patterns)
    if any(part.startswith((".", "_")) for part in path.parts[fixed:]):
        return "names beginning with _ or ."
    return None


def _notices_about(skipped: dict[Path, str]) -> list[str]:
    """A line for each reason, which names the first file."""
    reasons: dict[str, list[Path]] = {}
    for path, reason in skipped.items():
        if path.is_file():
            reasons.setdefault(reason, []).append(path)
    return [
        f"{paths[0]}{f' and {len(paths) - 1:,} more are' if paths[1:] else ' is'} not read: {why}"
        for why, paths in reasons.items()
    ]


def _fixed_part(pattern: str) -> Path:
    """The folder before the first wildcard."""
    path = Path(pattern)
    if path.is_dir():
        return path
    wild = (i for i, part in enumerate(path.parts) if set(part) & set("*?["))
    return Path(*path.parts[: next(wild, len(path.parts) - 1)])


def check_shared_files(tables: Mapping[str, TransactionsSource]) -> None:
    """Refuse two tables that would take the same amounts of a file.

    Two tables may read different rows of a file, or different amounts of its rows.

    Raises
    ------
    DataError
        Names a file and the tables, one of which keeps all rows.
    """
    owners: dict[Path, list[str]] = {}
    for key, table in tables.items():
        for path in sorted(
            {path for pattern in table.patterns for path in files_matching(pattern)}
        ):
            for other in owners.setdefault(path, []):
                both = (tables[other], table)
                amounts = [(t.columns.amount, t.columns.price) for t in both]
                if amounts[0] == amounts[1] and not all(t.conditions for t in both):
                    raise DataError(
                        f"{path} is read by {other} and by {key}, which would count its amounts "
                        "twice; nothing was changed",
                        "give each table other `files`, or `where` with the rows that are its own",
                    )
            owners[path].append(key)


def files_matching(pattern: str) -> list[Path]:
    """The files that a folder holds or a glob matches."""
    if Path(pattern).is_dir():
        pattern = f"{pattern}/*"
    base = Path(Path(pattern).anchor) if Path(pattern).is_absolute() else Path()
    relative = str(Path(pattern).relative_to(base)) if base.anchor else pattern
    return list(base.glob(relative))


def _natural(path: Path) -> tuple[list[list[str | int]], Path]:
    """Sorts names with their numbers read as numbers, so that file 9 precedes file 10."""
    cells = [re.split("([0-9]+)", part) for part in path.parts]
    return [[int(c) if n % 2 else c for n, c in enumerate(part)] for part in cells], path


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
    mapped: Mapped,
    work: Path,
) -> tuple[list[Input], list[str]]:
    """The inputs in a file, and the encodings that were detected."""
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        return [read_parquet(con, path, mapped)], []
    if suffix in CONVERTED or path.name.lower().endswith((".tar.gz", ".tar.bz2", ".tar.zst")):
        raise DataError(
            f"{path} is not a file that can be read (CSV, Parquet or a workbook); "
            "nothing was changed",
            f"{CONVERTED.get(suffix, 'unpack it')}, or move it out of the source's folder",
        )
    if suffix in WORKBOOKS:
        return read_workbook(con, path, mapped, source, work), []
    inputs, encodings = [], []
    work.mkdir(parents=True, exist_ok=True)
    for number, member in enumerate(archive_members(path)):
        folder = work / str(number)
        folder.mkdir(exist_ok=True)
        text = decode(path, member, source.encoding or "auto", folder / "rows.csv")
        rows = read_csv(text, mapped, source, folder)
        inputs += [rows] if rows else []
        if source.encoding in (None, "auto") and not text.encoding.startswith("utf-8"):
            encodings.append(text.encoding)
    return inputs, encodings
