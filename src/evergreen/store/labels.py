"""Snapshots and labels: computed from the raw history once in a cycle, and read by SQL."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from evergreen.core.events.labels import create_labels
from evergreen.core.events.snapshots import add_snapshots, create_snapshots
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.store import sql, tables
from evergreen.store.cache import Cache
from evergreen.store.raw_history import open_history

if TYPE_CHECKING:
    import pandas as pd


SNAPSHOTS = "snapshots.parquet"
LABELS = "labels.parquet"
LABEL_ORDER = "target, observed_on, client_id, known_on"
PARAMETERS = {"as_of", "data", "snapshots", "holdout", "targets"}
"""The settings that snapshots and labels depend on."""


def open_labels(settings: Settings) -> tuple[duckdb.DuckDBPyConnection, date]:
    """Compute the snapshots, and every label known by as_of, in a database; see `open_history`."""
    con, complete_until = open_history(
        known_by=settings.as_of,
        max_lag_days=settings.data.max_lag_days,
        threads=settings.compute.threads,
    )
    _view_external(con, settings)
    con.execute("create view logged as from outcomes union all from predicted")
    create_snapshots(
        con,
        as_of=settings.as_of,
        every_days=settings.snapshots.every_days,
        burn_in_days=settings.snapshots.burn_in_days,
        holdout_share=settings.holdout.share,
        holdout_salt=settings.holdout.salt,
    )
    add_snapshots(
        con,
        as_of=settings.as_of,
        holdout_share=settings.holdout.share,
        holdout_salt=settings.holdout.salt,
    )
    create_labels(
        con,
        targets={name: (t.label, t.horizon_days) for name, t in settings.targets.items()},
        complete_until=complete_until,
        minor_units=settings.data.minor_units,
    )
    return con, complete_until


def _view_external(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    for name, folder in (("outcomes", paths.OUTCOMES), ("predicted", paths.PREDICTED_ELSEWHERE)):
        tables.view_by_target(con, name, folder, targets=settings.targets, known_by=settings.as_of)


def write_labels(settings: Settings, folder: Path) -> None:
    """Compute the snapshots and labels known by as_of, and write both tables."""
    con, _ = open_labels(settings)
    for file, order in ((SNAPSHOTS, "observed_on, client_id"), (LABELS, LABEL_ORDER)):
        rows = con.sql(f"select * from {Path(file).stem} order by {order}")
        tables.write(rows.to_arrow_table(), folder / file)


def cached_labels(settings: Settings) -> Path:
    """Return a folder with the tables of `write_labels`, which are computed if they are new.

    Planning a run needs them before the stage ``collect_labels`` does: whichever comes first
    computes them for both.
    """
    cache = Cache()
    made_from = {
        "raw": cache.raw_known_by(settings.as_of),
        "settings": settings.model_dump(mode="json", include=PARAMETERS),
    }
    return cache.folder("labels", made_from, lambda folder: write_labels(settings, folder))


def copy_cached_labels(settings: Settings, folder: Path) -> None:
    """Write the tables of `write_labels`, from the cache if they are there."""
    shutil.copytree(cached_labels(settings), folder)


def open_tables(
    settings: Settings, folder: Path = paths.LABELS
) -> tuple[duckdb.DuckDBPyConnection, date]:
    """Open the tables of `write_labels` with ``outcomes`` and ``predicted``, as `open_labels`."""
    con = tables.connect(settings.compute.threads)
    for file in (SNAPSHOTS, LABELS):
        con.execute(f"create view {Path(file).stem} as from {sql.literal(folder / file)}")
    _view_external(con, settings)
    newest = max(day for day in tables.partitions(paths.TRANSACTIONS) if day < settings.as_of)
    return con, newest + timedelta(days=1)


def count_training_labels(labels: Path, *, by: date) -> pd.DataFrame:
    """Count the labels of training clients, as known by a date, by the day they became known.

    Parameters
    ----------
    labels
        A table of `write_labels`.

    Returns
    -------
    DataFrame
        target, known_on (timestamp) and labels (int64).
    """
    counts: pd.DataFrame = (
        tables.connect(1)
        .sql(
            f"""
        select target, known_on, count(*) as labels from {sql.literal(labels)}
        where not holdout and known_on <= date '{by}'
            and (superseded_on is null or superseded_on > date '{by}')
        group by all order by all
        """
        )
        .df()
    )
    return counts
