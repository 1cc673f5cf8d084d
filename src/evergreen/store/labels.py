"""Open the history with its snapshots and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.core.events.labels import create_labels
from evergreen.core.events.snapshots import add_snapshots, create_snapshots
from evergreen.settings import paths
from evergreen.store import tables
from evergreen.store.raw_history import open_history

if TYPE_CHECKING:
    from datetime import date

    import duckdb

    from evergreen.settings.pipeline import Settings
    from evergreen.store.raw_history import OpenHistory


def open_labels(
    settings: Settings, history: OpenHistory = open_history
) -> tuple[duckdb.DuckDBPyConnection, date]:
    """Open the history with its snapshots and every label known by as_of; see `open_history`."""
    con, complete_until = history(
        known_by=settings.as_of,
        max_lag_days=settings.data.max_lag_days,
        threads=settings.compute.threads,
    )
    for name, folder in (("outcomes", paths.OUTCOMES), ("predicted", paths.PREDICTED_ELSEWHERE)):
        tables.view_by_target(con, name, folder, targets=settings.targets, known_by=settings.as_of)
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
