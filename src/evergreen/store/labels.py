"""Labels: a file for each day on which labels became known, computed once and read by SQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np

from evergreen.core.events.labels import SCHEMA, VERSION, create_labels
from evergreen.core.events.snapshots import create_snapshots
from evergreen.errors import DataError
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.store import files, sql, tables
from evergreen.store.raw_history import open_history

if TYPE_CHECKING:
    from evergreen.store.cache import Cache

KIND = "labels"
"""What the entries of the cache are called."""
CHUNK_DAYS = 14
"""So many days are computed at once: it limits the memory, and changes no byte."""


def labels_known(settings: Settings, cache: Cache) -> dict[date, Path]:
    """Return a file for each day from the first rows on: the labels that became known that day.

    Each is a function of the rows known by its day and of the settings. There is one for every day
    through which transactions are complete, as of the run, whether it has labels or not. Files that
    are not in the cache are computed; planning a run needs them before ``collect_labels`` does.

    Raises
    ------
    DataError
        As `evergreen.store.raw_history.open_history`.
    """
    made_from = labels_made_from(settings)
    entries = {
        day: cache.entry(KIND, made_from | {"raw": cache.raw_known_by(day), "day": str(day)})
        for day in _days(settings)
    }
    missing = [day for day, path in entries.items() if not path.is_file()]
    if missing:
        con, _ = open_history(
            known_by=settings.as_of,
            max_lag_days=settings.data.max_lag_days,
            threads=settings.compute.threads,
        )
        view_snapshots(con, settings)
        for days in _chunks(missing):
            _make(con, settings, {day: entries[day] for day in days})
    return entries


def labels_made_from(settings: Settings) -> dict[str, object]:
    """The settings that labels depend on."""
    return {
        "snapshots": settings.snapshots.model_dump(),
        "targets": {name: [t.label, t.horizon_days] for name, t in settings.targets.items()},
        "minor_units": settings.data.minor_units,
    }


def _days(settings: Settings) -> Iterator[date]:
    """The days from the first rows on through which transactions are complete, as of a run."""
    raw = tables.transactions_known_by(settings.as_of, max_lag_days=settings.data.max_lag_days)
    return tables.days(min(raw) + timedelta(days=1), max(raw) + timedelta(days=1))


def labels_written(settings: Settings) -> dict[date, Path]:
    """Return the files of ``data/labels`` by day.

    Raises
    ------
    DataError
        If one is missing.
    """
    written = {day: tables.partition_path(paths.LABELS, day) for day in _days(settings)}
    for path in written.values():
        if not path.is_file():
            raise DataError(
                f"{path}, an output of collect_labels, does not exist", "dvc repro collect_labels"
            )
    return written


@contextmanager
def reading_labels() -> Iterator[None]:
    """Turn errors of DuckDB into one that names ``data/labels`` and the stage that makes it.

    Raises
    ------
    DataError
        If a file is damaged.
    """
    try:
        yield
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise DataError(
            f"{paths.LABELS} can't be read: {str(error).splitlines()[0]}",
            "dvc repro collect_labels",
        ) from None


def view_snapshots(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Create ``snapshots`` of a history, and the views ``outcomes`` and ``predicted``.

    See `create_snapshots` and `view_external`.
    """
    view_external(con, settings)
    create_snapshots(
        con,
        every_days=settings.snapshots.every_days,
        burn_in_days=settings.snapshots.burn_in_days,
        logged="from outcomes union all from predicted",
    )


def view_external(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Create the views ``outcomes`` and ``predicted`` of what external systems logged.

    Columns: target, client_id, observed_on, value, ingested_on.
    """
    for name, folder in (("outcomes", paths.OUTCOMES), ("predicted", paths.PREDICTED_ELSEWHERE)):
        tables.view_by_target(con, name, folder, targets=settings.targets, known_by=settings.as_of)


def _chunks(days: Iterable[date]) -> list[list[date]]:
    """Runs of successive days, none longer than `CHUNK_DAYS`."""
    chunks: list[list[date]] = []
    for day in days:
        follows = chunks and chunks[-1][-1] + timedelta(days=1) == day
        if follows and len(chunks[-1]) < CHUNK_DAYS:
            chunks[-1].append(day)
        else:
            chunks.append([day])
    return chunks


def _make(con: duckdb.DuckDBPyConnection, settings: Settings, entries: Mapping[date, Path]) -> None:
    create_labels(
        con,
        targets={name: (t.label, t.horizon_days) for name, t in settings.targets.items()},
        every_days=settings.snapshots.every_days,
        after=min(entries) - timedelta(days=1),
        through=max(entries),
        minor_units=settings.data.minor_units,
    )
    rows = con.sql(f"from new_labels order by known_on, {VERSION}").to_arrow_table()
    known_on = rows["known_on"].to_numpy()
    for day, entry in entries.items():
        start, end = np.searchsorted(known_on, [np.datetime64(day), np.datetime64(day) + 1])
        with files.replacing(entry, shared=True) as unfinished:
            tables.write_unfinished(rows.slice(start, end - start), unfinished)


def write_labels(labels: Mapping[date, Path], folder: Path) -> None:
    """Write the files of `labels_known` into a folder, in which there are no others."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for day, path in labels.items():
        shutil.copyfile(path, tables.partition_path(folder, day))


def view_labels(
    con: duckdb.DuckDBPyConnection,
    labels: Mapping[date, Path],
    *,
    after: date = date.min,
    through: date = date.max,
    columns: Mapping[str, str] = SCHEMA,
) -> None:
    """Create the views ``versions`` and ``labels`` of what became known in (after, through].

    ``versions`` has the columns of `create_labels`, or the given ones with their types. ``labels``
    has of each label the latest of these versions, without the columns about corrections.
    """
    known = [path for day, path in labels.items() if after < day <= through]
    nothing = ", ".join(f"null::{kind} as {name}" for name, kind in columns.items())
    rows = f"from {sql.parquet(known)}" if known else f"select {nothing} limit 0"
    con.execute(
        f"""
        create or replace view versions as {rows};
        create or replace view labels as
        select * exclude (corrects, previous) from versions
            anti join (
                select target, client_id, observed_on, corrects as known_on
                from versions where corrects is not null
            ) using ({VERSION})
        """
    )
