"""Each client's purchases and texts by day, with the date on which they became known.

A row is ingested on ``ingested_on``, which may be later than its event. The first run that knows it
is that of the following day, since a run looks from the start of its date. A later row may change
an invoice that is known already (a return, a correction). So the ledger contains *changes*: the sum
of the changes of a day that were known by a date is what was known about that day on that date.
"""

from __future__ import annotations

import duckdb

LEDGER = """
    with changes as (
        select client_id, invoice_id, timestamp::date as day, ingested_on + 1 as known_on,
               sum(amount_minor) as spend
        from transactions group by all
    ), totals as (
        select *, coalesce(sum(spend) over earlier, 0) as before,
               coalesce(sum(spend) over earlier, 0) + spend as after
        from changes
        window earlier as (
            partition by client_id, invoice_id, day order by known_on
            rows between unbounded preceding and 1 preceding
        )
    )
    select client_id, day, known_on,
           sum((after > 0)::int - (before > 0)::int)::bigint as purchases,
           sum((after < 0)::int - (before < 0)::int)::bigint as returns,
           sum(spend)::bigint as spend,
           sum(greatest(-after, 0) - greatest(-before, 0))::bigint as returned
    from totals group by all
    """
"""The ledger of the view ``transactions``, in no order; see `create_ledger`."""

TEXTS = """
    select client_id, timestamp::date as day, ingested_on + 1 as known_on,
           left(text, {max_chars}) as text, count(*) as times
    from (
        select client_id, timestamp, ingested_on, text from transactions
        union all
        select client_id, timestamp, ingested_on, text from notes
    )
    where text is not null group by all
    """
"""The texts of the views ``transactions`` and ``notes``, in no order; see `create_texts`."""


def create_ledger(con: duckdb.DuckDBPyConnection) -> None:
    """Create the table ``ledger`` from the view ``transactions``.

    Columns: client_id, day (date of the event), known_on (the first date on which it is known), and
    the changes, all integers: purchases (invoices with a positive total), returns (invoices with a
    negative total), spend and returned (minor units of money; spend is net of returns, returned is
    positive).
    """
    con.execute(f"create or replace table ledger as {LEDGER} order by client_id, day, known_on")


def create_texts(con: duckdb.DuckDBPyConnection, *, max_chars: int) -> None:
    """Create the table ``text_ledger`` from the views ``transactions`` and ``notes``.

    Columns: client_id, day (of the event), known_on, text (cut to `max_chars`), and times, how
    often the client has this text on this day.
    """
    con.execute(f"create or replace table text_ledger as {TEXTS.format(max_chars=max_chars)}")
