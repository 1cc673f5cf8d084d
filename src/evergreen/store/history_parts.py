"""Ledger and texts of the raw history, in parts that are computed once: one file per period.

A period is a calendar month of ingestion, or a day of the newest month. What became known on a day
stays as it is when more becomes known, so a new day adds parts and changes none. A part's name
contains the digest of everything it was computed from, and the digest of its content. A part that
is missing, damaged, or from other rows or another version is computed again. Parts are a cache:
deleting them changes no result.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import duckdb
from filelock import FileLock

from evergreen.core.events import buckets, ledger, transactions
from evergreen.core.events.buckets import BUCKET
from evergreen.errors import DataError, shortage
from evergreen.settings import paths
from evergreen.store import digests, files, sql, tables
from evergreen.store.progress import each

FOLDER = paths.HISTORY_PARTS
SCHEMAS = {paths.TRANSACTIONS: transactions.SCHEMA, paths.NOTES: tables.NOTES}
LEDGER_COLUMNS = "client_id, invoice_id, timestamp, ingested_on, amount_minor"
LATE = f"select {LEDGER_COLUMNS} from transactions where timestamp::date < ingested_on"
DIGITS = 20
"""The digits of a digest in a file name."""
UNUSED_SECONDS = 24 * 60 * 60
"""When parts are made, those that no process has opened for this long are removed."""


class Period(NamedTuple):
    """A month or a day of ingestion, its raw files by day, and the digest of these files."""

    name: str
    files: dict[date, list[Path]]
    digest: str

    def of(self, folder: Path) -> list[Path]:
        """The files of one raw table."""
        return [path for day in self.files.values() for path in day if path.parent == folder]


Query = Callable[[duckdb.DuckDBPyConnection, int], str]
"""Returns the SQL of a part, given the period's number and a database of the period's rows."""


def ledger_parts(known_by: date, *, threads: int) -> list[Path]:
    """Files with the rows of `evergreen.core.events.ledger.create_ledger`, by bucket and client.

    Parameters
    ----------
    known_by
        All rows ingested before this date are included, and possibly some later ones.

    Raises
    ------
    DataError
        If a raw file is damaged, or does not have the canonical columns.
    """
    periods = _periods(known_by, paths.TRANSACTIONS)
    own = [period.digest for period in periods]
    so_far = list(accumulate(own, lambda *two: files.digest_of(two)))
    late = _parts("late", periods, own, threads, lambda *_: LATE)

    def rows(con: duckdb.DuckDBPyConnection, number: int) -> str:
        first = min(periods[number].files)
        _add_earlier(con, first, periods[:number], late[:number])
        return f"""
            select {BUCKET} as bucket, * from ({ledger.LEDGER}) where known_on > date '{first}'
            order by bucket, client_id, day, known_on
            """

    return _parts("ledger", periods, so_far, threads, rows)


def text_parts(known_by: date, *, threads: int, max_chars: int) -> list[Path]:
    """Files with the rows of `evergreen.core.events.ledger.create_texts`, by bucket and client.

    Parameters and errors are those of `ledger_parts`.
    """
    periods = _periods(known_by, paths.TRANSACTIONS, paths.NOTES)
    made_from = [[period.digest, max_chars] for period in periods]
    query = f"""
        select {BUCKET} as bucket, * from ({ledger.TEXTS.format(max_chars=max_chars)})
        order by bucket, client_id, day, known_on, text
        """
    return _parts("texts", periods, made_from, threads, lambda *_: query)


def _periods(known_by: date, *folders: Path) -> list[Period]:
    """The periods that begin before a date, in order, with all of their files."""
    by_day: dict[date, list[Path]] = {}
    for folder in folders:
        for day, path in tables.partitions(folder).items():
            by_day.setdefault(day, []).append(path)
    newest = max(by_day).replace(day=1)
    by_period: dict[str, dict[date, list[Path]]] = {}
    for day in sorted(by_day):
        name = f"{day}" if day >= newest else f"{day:%Y-%m}"
        by_period.setdefault(name, {})[day] = by_day[day]
    known = digests.of_files(path for day in by_day.values() for path in day)
    return [
        Period(name, days, files.digest_of([[str(p), known[p]] for d in days.values() for p in d]))
        for name, days in by_period.items()
        if min(days) < known_by
    ]


def _add_earlier(
    con: duckdb.DuckDBPyConnection, first: date, before: Sequence[Period], late: Sequence[Path]
) -> None:
    """Add to ``transactions`` the earlier rows of the invoices that late rows belong to.

    Such an invoice has an earlier day. Its rows are in the raw file of that day, or are late too.
    """
    days = con.sql(
        f"select distinct timestamp::date from transactions where timestamp < date '{first}'"
    ).fetchall()
    changed = {day for (day,) in days}
    raw = [
        path
        for period in before
        for day in period.files.keys() & changed
        for path in period.files[day]
    ]
    later = [
        path
        for period, path in zip(before, late, strict=True)
        if max(period.files) > min(changed, default=first)
    ]
    earlier = [f"select {LEDGER_COLUMNS} from {sql.parquet(later)}"] if later else []
    if raw:
        earlier.append(
            f"select {LEDGER_COLUMNS} from {sql.parquet(raw)} where timestamp::date = ingested_on"
        )
    if not earlier:
        return
    con.execute(
        f"""
        drop view if exists transactions_of_period;
        alter view transactions rename to transactions_of_period;
        create view transactions as
        with changed as (
            select distinct client_id, invoice_id, timestamp::date as day
            from transactions_of_period where timestamp < date '{first}'
        )
        select {LEDGER_COLUMNS} from transactions_of_period
        union all
        select e.* from ({" union all ".join(earlier)}) e semi join changed c
            on c.client_id = e.client_id and c.invoice_id = e.invoice_id
            and c.day = e.timestamp::date
        """
    )


def _parts(
    kind: str, periods: Sequence[Period], made_from: Sequence[object], threads: int, query: Query
) -> list[Path]:
    """The part of each period; missing ones are made, oldest first."""
    names = [
        f"{kind}-{period.name}-{files.digest_of([_version(), of_period])[:DIGITS]}"
        for period, of_period in zip(periods, made_from, strict=True)
    ]
    parts = _intact(kind)
    if not parts.keys() >= set(names):
        FOLDER.mkdir(parents=True, exist_ok=True)
        with FileLock(FOLDER / ".lock"):  # another process may be making them
            parts = _intact(kind)
            missing = [number for number, name in enumerate(names) if name not in parts]
            with tables.connect(threads) as con, _explained():
                for number in each(f"kept history ({kind})", missing):
                    _open_period(con, periods[number])
                    parts[names[number]] = _make(con, names[number], query(con, number))
            _remove_unused({parts[name] for name in names})
    for name in names:
        _mark_used(parts[name])
    return [parts[name] for name in names]


def _open_period(con: duckdb.DuckDBPyConnection, period: Period) -> None:
    """Create the views ``transactions`` and ``notes`` of a period."""
    tables.check_space(period.of(paths.TRANSACTIONS))
    for folder, schema in SCHEMAS.items():
        raw = period.of(folder)
        for path in raw:
            tables.check_schema(path, schema)
        con.execute(f"drop view if exists {folder.name}")
        tables.view(con, folder.name, raw, schema, known_by=date.max)


def _make(con: duckdb.DuckDBPyConnection, name: str, rows: str) -> Path:
    unfinished = FOLDER / f".{name}.{os.getpid()}.unfinished"
    try:
        to = f"{sql.literal(unfinished)} (format parquet, compression zstd)"
        con.execute(f"copy ({rows}) to {to}")
        files.write_through(unfinished)
        content = files.sha256(unfinished)[:DIGITS]
        return unfinished.replace(FOLDER / f"{name}-{content}.parquet")
    finally:
        files.remove(unfinished)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise shortage(error) or DataError(
            f"{paths.RAW} can't be read or added up: {str(error).splitlines()[0]}",
            f"dvc checkout --force {paths.RAW}",
        ) from None


def _intact(kind: str) -> dict[str, Path]:
    """The parts whose content matches the digest in their name, by the rest of the name."""
    known = digests.of_files(FOLDER.glob(f"{kind}-*.parquet"))
    parts = {}
    for path, digest in known.items():
        name, _, content = path.stem.rpartition("-")
        if digest.startswith(content):
            parts[name] = path
    return parts


def _mark_used(part: Path) -> None:
    with suppress(PermissionError):  # another user's
        os.utime(part, ns=(time.time_ns(), part.stat().st_mtime_ns))


def _remove_unused(used: Iterable[Path]) -> None:
    """Remove parts of other rows or versions, but none that another process may be reading."""
    for path in FOLDER.glob("*.parquet"):
        if path not in used and path.stat().st_atime < time.time() - UNUSED_SECONDS:
            path.unlink()


@cache
def _version() -> str:
    """What parts depend on besides raw rows: the code that makes them, and DuckDB's version."""
    code = [files.sha256(Path(name)) for name in (buckets.__file__, ledger.__file__, __file__)]
    return files.digest_of([duckdb.__version__, *code])
