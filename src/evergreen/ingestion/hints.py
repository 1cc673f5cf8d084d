"""What settings leave open, and rows show: equal sales, changed orders, ids by case."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from evergreen.core.wording import plural
from evergreen.ingestion.corrections import ALREADY_INGESTED, IN_ANOTHER_FILE
from evergreen.ingestion.redaction import shown
from evergreen.ingestion.row_identity import REBUILD, view_stored
from evergreen.ingestion.staging import content_of
from evergreen.store import tables

if TYPE_CHECKING:
    import duckdb

    from evergreen.ingestion.sources import RawTable

EXAMPLES = 3
DISTINCT_SHARE = 0.5
"""With fewer rows in common on a day, two files are no exports of the same sales."""


class Hint(NamedTuple):
    """Something to look at, and what to do about it."""

    message: str
    next_step: str

    def __str__(self) -> str:
        """Both in one line."""
        return f"{self.message}; {self.next_step}"


def ingestion_hints(con: duckdb.DuckDBPyConnection, table: RawTable) -> list[Hint]:
    """What to know about the rows of ``incoming``, which are told from those ingested before."""
    if table.by_day or "amount_minor" not in table.schema.names:
        return []
    return [*_equal_sales(con, table), *_excluded_since(con, table)]


def _equal_sales(con: duckdb.DuckDBPyConnection, table: RawTable) -> list[Hint]:
    """Rows that count once though their files differ otherwise, as those of two stores do.

    Times and numbers of invoices would tell sales apart, so only rows without them are in doubt.
    """
    doubled = f"verdict in ('{IN_ANOTHER_FILE}', '{ALREADY_INGESTED}')"
    if not con.sql(f"select 1 from verdicts where {doubled} limit 1").fetchall():
        return []
    view_stored(con, table)
    [(rows,)] = con.sql(
        f"""
        with of_inputs as (
            select input, timestamp::date as event_day, count(*) as rows,
                   count(*) filter (case when {doubled} and timestamp = event_day
                       then invoice_id = client_id || '@' || timestamp::varchar end) as equal
            from incoming left join verdicts using (input, line) where status = 0 group by all
        ), of_days as (
            select event_day, rows from of_inputs union all
            select timestamp::date, count(*) from ingested
            where timestamp::date in (select event_day from of_inputs where equal > 0) group by all
        )
        select coalesce(sum(equal), 0) from of_inputs
        join (select event_day, sum(rows) as all_rows from of_days group by all) using (event_day)
        where equal > 0 and equal < {DISTINCT_SHARE} * least(rows, all_rows - rows)
        """
    ).fetchall()
    if not rows:
        return []
    return [
        Hint(
            f"{table.label}: {plural(int(rows), 'row')} count once, as an equal one is in another "
            "file, though most other rows of these files and days differ",
            "if they are sales of different stores, map columns.invoice_id, or give each store's "
            "files a table of their own, see docs/sources.md",
        )
    ]


def _excluded_since(con: duckdb.DuckDBPyConnection, table: RawTable) -> list[Hint]:
    """Rows without a key that were ingested before they were excluded."""
    files = tables.partitions(table.folder)
    content = content_of(table.schema)
    listed = ", ".join(content)
    no_key = "and row_id is null" if "row_id" in content else ""
    excluded = f"""
        from incoming join checks using (input, status)
        where status > 0 and not bad and day <= date '{max(files, default=date.min)}' {no_key}
    """
    if not files or not con.sql(f"select 1 {excluded} limit 1").fetchall():
        return []
    same = " and ".join(f"e.{name} is not distinct from i.{name}" for name in content)
    view_stored(con, table)
    con.execute(
        f"""
        create temp table excluded_since as
        with excluded as (
            select {listed} {excluded}
        )
        from excluded as e semi join (
            from ingested where timestamp::date in (select timestamp::date from excluded)
        ) as i on {same}
        """
    )
    [(rows,)] = con.sql(
        f"""
        select count(*) from (
            from excluded_since except all
            select {listed} from incoming
            where status = 0 and timestamp in (select timestamp from excluded_since) {no_key}
        )
        """
    ).fetchall()
    if not rows:
        return []
    return [
        Hint(
            f"{table.label}: {plural(rows, 'row')} that the source excludes now, such as cancelled "
            "orders, were ingested before and stay: without a key they can't be corrected",
            f"map columns.row_id to the column that names a row for good, then {REBUILD}",
        )
    ]


def ids_by_case(con: duckdb.DuckDBPyConnection, rows: str) -> list[Hint]:
    """Ids of clients that differ in case alone, of which one client may have several."""
    groups = con.sql(
        f"select list_sort(list(distinct client_id)) as ids from (from {rows}) "
        "where client_id is not null group by lower(client_id) "
        "having count(distinct client_id) > 1 order by ids"
    ).fetchall()
    if not groups:
        return []
    examples = "; ".join(" and ".join(map(_masked, ids[:2])) for (ids,) in groups[:EXAMPLES])
    return [
        Hint(
            f"{plural(len(groups), 'id')} of clients occur in upper and in lower case, "
            f"such as {examples}",
            "set source.fold_case: true in params.yaml, if each is one client",
        )
    ]


def _masked(client_id: str) -> str:
    """An id for a message; of an address, a few letters."""
    name, at, domain = client_id.partition("@")
    if at:
        return f"{name[:1]}...{name[-1:]}@{domain[:1]}..."
    return shown(client_id) or "(id not shown)"
