"""Amounts that are totals of orders: each is taken once, however many lines an order has.

A total is on the first line of its order alone, or repeated on each line. The first line that has
it is kept, with the texts of all lines of the order; the others are excluded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.core.wording import plural
from evergreen.ingestion.conversion import Check
from evergreen.ingestion.corrections import WITHDRAWN
from evergreen.ingestion.ingestion_report import EXCLUDED
from evergreen.ingestion.mapping import MAX_CHARS
from evergreen.store import sql, tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from evergreen.ingestion.conversion import Conversion

FURTHER = "further line of an order"
DIFFERING = "amount differs between the lines of an order"
WITHOUT = "amount is missing on all lines of an order"
CLIENTS, DAYS = "the order has more than one client", "the order has more than one day"
"""Of a number that several orders have, as where another shop or year begins anew."""
IF_TOTALS = "if it is the total of the order, set `amount_per: order`"
FIRST_LINES, FEW_ORDERS, FEW_AMOUNTS, REPEATED_SHARE = 100_000, 5, 3, 0.9


def add_order_checks(conversion: Conversion) -> None:
    """Exclude lines without an amount; whether their order has one is seen later."""
    further = f"row_id is not null and {conversion.blank_amount}"
    conversion.checks.insert(0, Check("", "null", further, FURTHER, excluded=True))
    conversion.checks += [Check("", "null", "false", reason) for reason in (DIFFERING, WITHOUT)]
    column = conversion.key or ""
    conversion.checks += [
        Check(column, "null", "false", f"{reason}: is {column!r} unique?")
        for reason in (CLIENTS, DAYS)
    ]


def take_totals_once(con: duckdb.DuckDBPyConnection, folder: Path, inputs: Sequence[int]) -> None:
    """Keep one line of each order, of the inputs of one source, and exclude the others.

    An order whose lines have different amounts, clients or days is bad. So is one without any
    amount, unless its first line is in another input, or ingested already.

    Parameters
    ----------
    con
        A connection with ``incoming``, whose ``row_id`` is the order, and ``checks``.
    folder
        The raw table.
    """
    con.execute(
        f"""
        create or replace temp table order_lines as
        select i.input, line, row_id, invoice_id, client_id, timestamp::date as event_day,
               amount_minor, i.status, text, quantity,
               coalesce(reason = '{EXCLUDED}{FURTHER}', false) as blank,
               coalesce(not bad, false) as excluded
        from incoming as i left join checks using (input, status)
        where i.input in ({", ".join(map(str, inputs))})
            and row_id is not null and malformed is null
        """
    )
    con.execute(
        f"""
        create or replace temp table several_orders as
        select input, row_id,
               if(min(client_id) <> max(client_id), '{CLIENTS}', '{DAYS}') as begins
        from order_lines where blank or not excluded group by all
        having min(client_id) <> max(client_id) or min(event_day) <> max(event_day)
        """
    )
    con.execute(
        """
        update incoming set status = checks.status, value = order_lines.invoice_id
        from order_lines join several_orders using (input, row_id)
        join checks on checks.input = order_lines.input and starts_with(reason, begins)
        where incoming.input = order_lines.input and incoming.line = order_lines.line
            and (blank or not excluded)
        """
    )
    con.execute(
        "delete from order_lines where (input, row_id) in "
        "(select (input, row_id) from several_orders)"
    )
    con.execute(
        f"""
        create or replace temp table order_reasons as
        select input, line, if(differ, '{DIFFERING}', '{EXCLUDED}{FURTHER}') as reason from (
            select input, line,
                   min(amount_minor) over same <> max(amount_minor) over same as differ,
                   row_number() over (same order by status <> 0, line) as nth
            from order_lines where not excluded and amount_minor is not null
            window same as (partition by input, row_id)
        ) where differ or nth > 1
        union all
        select input, line, '{WITHOUT}' from order_lines
        where blank and row_id not in (select row_id from order_lines where not blank)
            and row_id not in ({_stored_orders(con, folder)})
        """
    )
    con.execute(
        """
        update incoming set status = checks.status
        from order_reasons join checks using (input, reason)
        where incoming.input = order_reasons.input and incoming.line = order_reasons.line
        """
    )
    con.execute(
        f"""
        update incoming set text = whole.text, quantity = whole.quantity
        from (
            select input, row_id, left(string_agg(text, ' ' order by line), {MAX_CHARS}) as text,
                   sum(quantity::decimal(28, 10))::double as quantity
            from order_lines where blank or not excluded group by all having count(*) > 1
        ) as whole
        where incoming.input = whole.input and incoming.row_id = whole.row_id and status = 0
        """
    )
    con.execute(  # it is its first line that is an order
        f"""
        update incoming set row_id = null from checks
        where incoming.input = checks.input and incoming.status = checks.status
            and reason = '{EXCLUDED}{FURTHER}'
        """
    )


def _stored_orders(con: duckdb.DuckDBPyConnection, folder: Path) -> str:
    """SQL of the orders that are ingested."""
    files = list(tables.partitions(folder).values())
    names = con.sql(f"from {sql.parquet(files, by_name=True)} limit 0").columns if files else []
    if "row_id" not in names:
        return "select null where false"
    order = f"if(starts_with(row_id, '{WITHDRAWN}'), row_id[{len(WITHDRAWN) + 1}:], row_id)"
    return f"select {order} from {sql.parquet(files, by_name=True)} where row_id is not null"


def incoming_repeated_totals(con: duckdb.DuckDBPyConnection, inputs: Sequence[int]) -> list[str]:
    """Warn where the lines of these inputs seem to repeat the totals of their orders."""
    if not inputs:
        return []
    numbers = ", ".join(map(str, inputs))
    return _repeated_totals(
        con,
        f"select invoice_id, amount_minor from incoming where status = 0 and input in ({numbers}) "
        f"and line <= {FIRST_LINES}",
    )


def stored_repeated_totals(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Warn as `incoming_repeated_totals` does, of the view ``transactions``."""
    return _repeated_totals(con, "select invoice_id, amount_minor from transactions")


def _repeated_totals(con: duckdb.DuckDBPyConnection, lines: str) -> list[str]:
    [(orders, repeated, amounts)] = con.sql(
        f"""
        select count(*), count(*) filter (least = most), count(distinct least) from (
            select min(amount_minor) as least, max(amount_minor) as most
            from ({lines}) where not contains(invoice_id, '@')
            group by invoice_id having count(*) > 1
        )
        """
    ).fetchall()
    if orders < FEW_ORDERS or amounts < FEW_AMOUNTS or repeated < REPEATED_SHARE * orders:
        return []
    of_several = f"{repeated:,} of {plural(orders, 'order')} with several lines"
    return [
        f"amounts repeat within orders: in {of_several}, all lines have the same one; {IF_TOTALS}"
    ]
