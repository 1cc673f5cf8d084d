"""Each client's purchases and texts by day, with the date on which they became known.

A row is ingested on ``ingested_on``, which may be later than its event. The first run that knows it
is that of the following day, since a run looks from the start of its date. A later row may change
an invoice that is known already (a return, a correction). So the ledger contains *changes*: the sum
of the changes of a day that were known by a date is what was known about that day on that date.
"""

from __future__ import annotations

import duckdb


def create_ledger(con: duckdb.DuckDBPyConnection) -> None:
    """Create the table ``ledger`` from the view ``transactions``.

    Columns: client_id, day (date of the event), known_on (the first date on which it is known), and
    the changes, all integers: purchases (invoices with a positive total), returns (invoices with a
    negative total), spend and returned (minor units of money; spend is net of returns, returned is
    positive).
    """
    con.execute(
        """
        create or replace table ledger as
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
        order by client_id, day, known_on
        """
    )


def create_texts(con: duckdb.DuckDBPyConnection, *, max_chars: int) -> None:
    """Create the tables ``texts`` and ``text_ledger`` from the views of transactions and notes.

    ``texts``: text_id, text (cut to `max_chars`), each distinct text once, in alphabetical order.
    ``text_ledger``: client_id, day (of the event), known_on, text_id, times.
    """
    con.execute(
        """
        create or replace table text_ledger as
        select client_id, timestamp::date as day, ingested_on + 1 as known_on,
               left(text, $max_chars) as text, count(*) as times
        from (
            select client_id, timestamp, ingested_on, text from transactions
            union all
            select client_id, timestamp, ingested_on, text from notes
        )
        where text is not null group by all
        """,
        {"max_chars": max_chars},
    )
    con.execute(
        """
        create or replace table texts as
        select (row_number() over (order by text) - 1)::int as text_id, text
        from (select distinct text from text_ledger);
        create or replace table text_ledger as
        select client_id, day, known_on, text_id, times from text_ledger join texts using (text);
        """
    )
