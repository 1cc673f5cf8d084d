"""Snapshots: the days on which clients are observed, and the clients that are held out."""

from __future__ import annotations

from datetime import date

import duckdb


def create_snapshots(
    con: duckdb.DuckDBPyConnection,
    *,
    as_of: date,
    every_days: int,
    burn_in_days: int,
    holdout_share: float,
    holdout_salt: str,
) -> None:
    """Create the table ``snapshots`` from the table ``ledger``.

    Client c is observed on the days on which (day number + hash(c)) mod `every_days` is 0, starting
    with the first day on which the client is known: an even daily stream of clients instead of one
    burst a month. Nobody is observed in the first `burn_in_days` of the history, because all
    clients look new then. Whether a client is held out depends only on its id and the salt, so no
    later run can train on a client that was ever held out.

    Columns: client_id, observed_on (date), holdout (boolean), ordered by both.
    """
    con.execute(
        f"""
        create table snapshots as
        with clients as (
            select client_id, min(known_on) as since
            from ledger group by client_id
        ), placed as (
            select client_id, {_hash("'slot:'")} % $every as slot,
                   {_hash("'holdout:' || $salt || ':'")} < $share * 4294967296 as holdout,
                   greatest(since, min(since) over () + $burn_in) - date '1970-01-01' as first
            from clients
        ), days as (
            select client_id, holdout, unnest(range(
                first + (($every - (first + slot) % $every) % $every)::bigint,
                date '{as_of}' - date '1970-01-01' + 1,
                $every
            )) as number
            from placed
        )
        select client_id, date '1970-01-01' + number::int as observed_on, holdout
        from days order by observed_on, client_id
        """,
        {
            "every": every_days,
            "burn_in": burn_in_days,
            "share": holdout_share,
            "salt": holdout_salt,
        },
    )


def add_snapshots(
    con: duckdb.DuckDBPyConnection, *, as_of: date, holdout_share: float, holdout_salt: str
) -> None:
    """Add the days of the table ``logged`` (client_id, observed_on) to ``snapshots``.

    So external predictions and outcomes can be matched with the features of their own day. Unknown
    clients, and days before a client was known, are left out.
    """
    con.execute(
        f"""
        insert into snapshots
        select distinct l.client_id, l.observed_on,
               {_hash("'holdout:' || $salt || ':'")} < $share * 4294967296
        from (select client_id, observed_on from logged) l join (
            select client_id as known, min(known_on) as since
            from ledger group by client_id
        ) on l.client_id = known
        where l.observed_on >= since and l.observed_on <= date '{as_of}'
            and (l.client_id, l.observed_on) not in (select (client_id, observed_on) from snapshots)
        order by l.observed_on, l.client_id
        """,
        {"share": holdout_share, "salt": holdout_salt},
    )


def _hash(prefix: str) -> str:
    """SQL for an integer from 0 to 2^32 - 1 that depends only on the client's id."""
    return f"('0x' || left(sha256({prefix} || client_id), 8))::ubigint::bigint"
