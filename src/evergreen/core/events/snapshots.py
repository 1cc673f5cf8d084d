"""Snapshots: the days on which clients are observed, and the clients that are held out.

Client c is observed every `every_days` on the days on which (day number + hash(c)) mod `every_days`
is 0, starting with the first day on which the client is known: an even daily stream of clients
instead of one burst a month. Nobody is observed in the first `burn_in_days` of the history, because
all clients look new then. So snapshots are a function of three figures per client, and are
generated for the days that a query asks for.
"""

from __future__ import annotations

from datetime import date
from math import ceil

import duckdb

NO_ROWS = """
select null::varchar as client_id, null::date as observed_on, null::date as ingested_on limit 0
"""


def create_snapshots(
    con: duckdb.DuckDBPyConnection, *, every_days: int, burn_in_days: int, logged: str = NO_ROWS
) -> None:
    """Create the table macro ``snapshots(first_day, last_day)`` from the table ``ledger``.

    ``from snapshots(date '2024-03-01', date '2024-03-07')`` gives client_id, observed_on and
    known_on (dates): the snapshots of these days, both included, and the first day on which each
    one is known.

    The tables below the macro are ``clients`` (client_id, since, slot, start: day numbers) and
    ``logged_snapshots`` (client_id, observed_on, known_on).

    Parameters
    ----------
    logged
        SQL for rows (client_id, observed_on, ingested_on) that name further days: those for which
        an external system logged a prediction or an outcome, so that they can be matched with the
        features of their own day. These snapshots are known on the day after the ingestion.
        Unknown clients, and days before a client was known, are left out.
    """
    con.execute(
        f"""
        create or replace table clients as
        select client_id, since, {_hash("'slot:'")} % {every_days} as slot,
               greatest(since, min(since) over () + {burn_in_days}) as start
        from (
            select client_id, min(known_on) - date '1970-01-01' as since
            from ledger group by client_id
        )
        """
    )
    con.execute(
        f"""
        create or replace table logged_snapshots as
        select l.client_id, l.observed_on, min(l.ingested_on) + 1 as known_on
        from ({logged}) l join clients c using (client_id)
        where l.observed_on - date '1970-01-01' >= since and not (
            l.observed_on - date '1970-01-01' >= start
            and (l.observed_on - date '1970-01-01' + slot) % {every_days} = 0)
        group by all order by all
        """
    )
    con.execute(
        f"""
        create or replace macro snapshots(first_day, last_day) as table
        select client_id, {observed_within("first_day", "last_day", every_days)} as observed_on,
               observed_on as known_on
        from clients
        union all
        select client_id, observed_on, known_on from logged_snapshots
        where observed_on between first_day and last_day
        """
    )


def count_snapshots(
    con: duckdb.DuckDBPyConnection, *, through: date, every_days: int, held_out: str
) -> tuple[int, int, int]:
    """Count the snapshots through a day, their clients, and those of them that are held out."""
    first = _next_observed("start", every_days)
    [(rows, clients, held)] = con.sql(
        f"""
        with counted as (
            select client_id, (last - first) // {every_days} + 1 as rows
            from (
                select client_id, {first} as first,
                       date '{through}' - date '1970-01-01' as last from clients)
            where first <= last
            union all
            select client_id, count(*) from logged_snapshots
            where observed_on <= date '{through}' group by client_id
        )
        select coalesce(sum(rows), 0)::bigint, count(distinct client_id),
               count(distinct client_id) filter ({held_out})
        from counted
        """
    ).fetchall()
    return rows, clients, held


def observed_within(first_day: str, last_day: str, every_days: int) -> str:
    """SQL for the days within two dates on which a row of ``clients`` is observed, a row each."""
    first = _next_observed(f"greatest(start, ({first_day}) - date '1970-01-01')", every_days)
    return (
        f"date '1970-01-01' + unnest(range({first}, ({last_day}) - date '1970-01-01' + 1, "
        f"{every_days}))::int"
    )


def _next_observed(day: str, every_days: int) -> str:
    """SQL for the first day number from one on, on which a row of ``clients`` is observed."""
    return f"{day} + ({every_days} - ({day} + slot) % {every_days}) % {every_days}"


def held_out(share: float, salt: str) -> str:
    """SQL for whether the client of a row, ``client_id``, is held out.

    It depends only on the id and the salt, so no later run can train on a client that was ever
    held out.
    """
    quoted = "'" + f"holdout:{salt}:".replace("'", "''") + "'"
    return f"{_hash(quoted)} < {ceil(share * 2**32)}"


def _hash(prefix: str) -> str:
    """SQL for an integer from 0 to 2^32 - 1 that depends only on the client's id."""
    return f"('0x' || left(sha256({prefix} || client_id), 8))::ubigint::bigint"
