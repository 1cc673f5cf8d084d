"""Selection of the labels that a run trains on, updates with, and compares models on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import pandas as pd

from evergreen.settings.pipeline import Gate

KEYS = ["client_id", "observed_on"]
ORDER = "target, observed_on, client_id, known_on"


@dataclass(frozen=True)
class Window:
    """The most recent labels on which models are compared.

    Attributes
    ----------
    days
        Labels that became known in this many days are in the window.
    target_rows
        The window is extended until it has this many labels,
    max_days
        but to no more than this many days.
    """

    days: int
    target_rows: int
    max_days: int

    @classmethod
    def of(cls, gate: Gate) -> Window:
        """Take the window from the settings of the gate."""
        return cls(gate.window_days, gate.target_rows, gate.max_window_days)


@dataclass(frozen=True)
class Draw:
    """How many rows of a target to take at most, and the seed by which they are drawn from more.

    Rows are drawn by a hash: a smaller draw is a part of a larger one, and the same clients and
    days are drawn for all targets.
    """

    max_rows: int
    seed: int


def to_train(
    con: duckdb.DuckDBPyConnection, *, by: date, max_age_days: int, held_out: str, draw: Draw
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Select the labels of a full retrain: not held out, not too old.

    Parameters
    ----------
    con
        With the view ``labels`` (target, client_id, observed_on, label, known_on) of those known by
        a date, in the version of that date.
    by
        The date.
    held_out
        SQL for whether a client is held out; see `evergreen.core.events.snapshots.held_out`.

    Returns
    -------
    (DataFrame, dict of int)
        The columns of the view, ordered by target, day and client. Where only some were drawn: for
        each target, how many labels there are.
    """
    oldest = by - timedelta(days=max_age_days)
    rows = f"from labels where observed_on > date '{oldest}' and not {held_out}"
    counts = dict(
        con.sql(f"select target, count(*) from ({rows}) group by target order by all").fetchall()
    )
    bound = _row_bound(con, rows, counts, draw)
    drawn = within_bound(rows, row_hash("train", draw.seed), bound)
    return read_rows(con, f"{drawn} order by {ORDER}"), {} if bound is None else counts


def _row_bound(
    con: duckdb.DuckDBPyConnection, rows: str, counts: dict[str, int], draw: Draw
) -> str | None:
    """The smallest hash of a row that is not drawn, so that no target has too many."""
    hashed = row_hash("train", draw.seed)
    bounds = [
        con.sql(
            f"select {hashed} as hash from ({rows}) where target = '{target}' "
            f"order by hash limit 1 offset {draw.max_rows}"
        ).fetchall()[0][0]
        for target, count in counts.items()
        if count > draw.max_rows
    ]
    return min(bounds, default=None)


def within_bound(rows: str, hashed: str, bound: str | None) -> str:
    """SQL for the rows of a query with a hash below a bound, or for all of them."""
    return rows if bound is None else f"from ({rows}) where {hashed} < '{bound}'"


def to_update(
    con: duckdb.DuckDBPyConnection,
    target: str,
    *,
    after: date,
    replay_share: float,
    replay_days: int,
    held_out: str,
    draw: Draw,
) -> pd.DataFrame:
    """Select the labels of one target that are new to a model, and older ones to replay.

    New labels are those of training clients that became known after the last one the model was
    trained on: each label once, and a corrected label again with its new value. Of the labels known
    in the `replay_days` before, `replay_share` times as many are drawn by a hash of client and day,
    so that the clients of one day don't displace what was learned before. The largest number of
    rows to draw includes them.

    Returns
    -------
    DataFrame
        The labels, new ones first, with a column ``replay`` (bool).
    """
    training = f"from labels where target = '{target}' and not {held_out}"
    new = f"{training} and known_on > date '{after}'"
    older = f"{training} and date '{after}' - known_on between 0 and {replay_days - 1}"
    count, old = (con.sql(f"select count(*) {rows}").fetchall()[0][0] for rows in (new, older))
    limit = max(int(draw.max_rows / (1 + replay_share)), draw.max_rows - old)
    if count > limit:
        new = f"from ({new} order by {row_hash('update', draw.seed)} limit {limit})"
    size = round(replay_share * min(count, limit))
    replayed = f"{older} order by {row_hash('replay', draw.seed)} limit {size}"
    return read_rows(
        con,
        f"""
        select *, false as replay {new}
        union all select *, true from ({replayed})
        order by replay, {ORDER}
        """,
    )


def to_judge(
    con: duckdb.DuckDBPyConnection,
    targets: Sequence[str],
    *,
    by: date,
    window: Window,
    held_out: str,
    draw: Draw,
) -> pd.DataFrame:
    """Select the labels on which models are compared: recent, of held-out clients.

    Of more labels than are to be drawn, all those of some clients are taken.

    Returns
    -------
    DataFrame
        The labels, target by target, ordered by day and client.
    """
    recent = [
        recently_known(
            f"from labels where target = '{target}' and {held_out}", by=by, window=window
        )
        for target in targets
    ]
    bound = _client_bound(con, recent, draw)
    hashed = client_hash("judge", draw.seed)
    parts = [within_bound(f"from ({rows})", hashed, bound) for rows in recent]
    ordered = [read_rows(con, f"{rows} order by {ORDER}") for rows in parts]
    return pd.concat(ordered, ignore_index=True)


def _client_bound(con: duckdb.DuckDBPyConnection, of_targets: list[str], draw: Draw) -> str | None:
    """The smallest hash of a client that is not drawn, so that no target has too many rows."""
    bounds = [
        con.sql(
            f"""
            with clients as (select client_id, count(*) as rows from ({rows}) group by client_id),
            hashed as (select rows, {client_hash("judge", draw.seed)} as hash from clients
                       where (select sum(rows) from clients) > {draw.max_rows}),
            summed as (select hash, sum(rows) over (order by hash) as so_far from hashed)
            select min(hash) from summed where so_far > {draw.max_rows}
            """
        ).fetchall()[0][0]
        for rows in of_targets
    ]
    return min((bound for bound in bounds if bound is not None), default=None)


def recently_known(rows: str, *, by: date, window: Window) -> str:
    """SQL for the rows of a query whose column ``known_on`` is in the window that ends on a date.

    All rows of a day are taken: the window ends with the day that completes `target_rows`.
    """
    return f"""
        with rows as materialized ({rows}), by_age as (
            select date '{by}' - known_on as age, sum(count(*)) over (order by age) as so_far
            from rows where age < {window.max_days} group by age
        )
        from rows where date '{by}' - known_on < (
            select greatest(
                {window.days},
                coalesce(min(age) filter (so_far >= {window.target_rows}), max(age)) + 1)
            from by_age)
    """


def observed_lately(
    con: duckdb.DuckDBPyConnection, *, by: date, days: int, draw: Draw | None = None
) -> pd.DataFrame:
    """Select the keys of the ``snapshots`` of the last days up to a date, which is included.

    Parameters
    ----------
    draw
        Draws from more than so many snapshots, if given.

    Returns
    -------
    DataFrame
        client_id and observed_on, ordered by day and client.
    """
    first = by - timedelta(days=days - 1)
    rows = f"select client_id, observed_on from snapshots(date '{first}', date '{by}')"
    if draw is not None:
        [(count,)] = con.sql(f"select count(*) from ({rows})").fetchall()
        if count > draw.max_rows:
            rows += f" order by {row_hash('drift', draw.seed)} limit {draw.max_rows}"
    return read_rows(con, f"from ({rows}) order by observed_on, client_id")


def row_hash(prefix: str, seed: int) -> str:
    """SQL for 16 hexadecimal digits that depend on client_id, observed_on and a seed alone.

    Rows are drawn in their order, so a smaller draw is a part of a larger one. Each purpose has a
    prefix of its own, so that draws are independent of each other.
    """
    return f"left(sha256('{prefix}:{seed}:' || observed_on || ':' || client_id), 16)"


def client_hash(prefix: str, seed: int) -> str:
    """SQL for 16 hexadecimal digits that depend on client_id and a seed alone; see `row_hash`."""
    return f"left(sha256('{prefix}:{seed}:' || client_id), 16)"


def read_rows(con: duckdb.DuckDBPyConnection, query: str) -> pd.DataFrame:
    """Read the result of a query, dates as time stamps."""
    frame: pd.DataFrame = con.sql(query).to_arrow_table().to_pandas(date_as_object=False)
    return frame


def numbered(snapshots: pd.DataFrame) -> pd.DataFrame:
    """Return the keys of snapshots with their position, so that a query can keep the order.

    Returns
    -------
    DataFrame
        row (int64, from 0), client_id (string) and observed_on (timestamp).
    """
    return pd.DataFrame(
        {
            "row": range(len(snapshots)),
            "client_id": snapshots["client_id"].to_numpy(),
            "observed_on": pd.to_datetime(snapshots["observed_on"]).to_numpy(),
        }
    ).astype({"row": "int64"})


def snapshots_of(labels: pd.DataFrame) -> pd.DataFrame:
    """Return the distinct snapshots of some labels, ordered by day and client."""
    keys = labels[KEYS].drop_duplicates()
    return keys.sort_values(KEYS[::-1]).reset_index(drop=True)
