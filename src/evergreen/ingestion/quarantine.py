"""The list of bad rows, to be fixed: source, line, column, value and reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.errors import DataError
from evergreen.ingestion.conversion import LATEST
from evergreen.ingestion.corrections import ACCEPTED, ALREADY_INGESTED
from evergreen.ingestion.deduplication import AFTER_THROUGH
from evergreen.ingestion.ingestion_report import EXCLUDED, as_json
from evergreen.ingestion.redaction import shown
from evergreen.ingestion.row_filter import BLANK
from evergreen.ingestion.staging import KNOWN_DAY, MALFORMED, OTHER_CURRENCY, PUT_OFF
from evergreen.settings import paths
from evergreen.store import files, sql

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from pathlib import Path

    import duckdb

    from evergreen.ingestion.conversion import Check
    from evergreen.ingestion.ingestion_report import IngestionReport

REASONS_SHOWN = 3
HINTS = {
    "is not a number with decimal separator": "set `decimal` of the source in params.yaml; "
    "otherwise ",
    "amount is missing": "set `amount_per: order` if only the first line of an order has its "
    "amount; otherwise ",
}
"""What may help against a reason that has these words."""
STRAY_DAYS, STRAY_SHARE = 366, 0.001


def create_checks(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``inputs`` and ``checks``.

    Columns of ``inputs``: input; label, of its source in messages; source, such as the file's name.
    Columns of ``checks``: input, status, blamed, reason, bad, quiet.
    """
    con.execute("create temp table inputs (input int, label varchar, source varchar)")
    con.execute(
        "create temp table checks "
        "(input int, status smallint, blamed varchar, reason varchar, bad boolean, quiet boolean)"
    )


def name_input(con: duckdb.DuckDBPyConnection, number: int, label: str, source: str) -> None:
    """Record the names of an input."""
    con.execute("insert into inputs values (?, ?, ?)", [number, label, source])


def name_checks(con: duckdb.DuckDBPyConnection, number: int, checks: list[Check]) -> None:
    """Record what each status of an input's rows means."""
    for status, check in enumerate(checks, MALFORMED + 1):
        reason = f"{EXCLUDED if check.excluded else ''}{check.reason}"
        values = [number, status, check.column, reason, not check.excluded, check.quiet]
        con.execute("insert into checks values (?, ?, ?, ?, ?, ?)", values)


def put_off(con: duckdb.DuckDBPyConnection, through: date) -> None:
    """Leave bad rows of later days for the ingestion of these days."""
    con.execute(
        f"""
        update incoming set status = {PUT_OFF}
        where status > {MALFORMED} and day > date '{through}' and day < date '{LATEST}'
        """
    )


def put_strays_aside(con: duckdb.DuckDBPyConnection, begins: date | None) -> None:
    """Mark rows more than a year before the history as bad: their dates are mistyped.

    Parameters
    ----------
    begins
        The first day of the history; by default the first day that follows a gap of more than a
        year and has nearly all rows after the gap.
    """
    if begins is None:
        [(begins,)] = con.sql(
            f"""
            with days as (
                select day, count(*) as rows from incoming where status = 0 group by day
            ), gaps as (
                select day, day - lag(day) over before as gap,
                       sum(rows) over before - rows as earlier, sum(rows) over () as total
                from days window before as (order by day)
            )
            select max(day) from gaps where gap > {STRAY_DAYS} and earlier <= total * {STRAY_SHARE}
            """
        ).fetchall()
    if begins is not None:
        con.execute(
            f"""
            update incoming set status = {MALFORMED}, value = day::varchar,
                   malformed = 'date is more than a year before all others'
            where status = 0 and day < date '{begins}' - {STRAY_DAYS}
            """
        )


def count_by_status(
    con: duckdb.DuckDBPyConnection, through: date, labels: Iterable[str]
) -> dict[str, dict[str, dict[str, int]]]:
    """How many rows have which status, by label and input.

    See `evergreen.ingestion.ingestion_report`.
    """
    counts: dict[str, dict[str, dict[str, int]]] = {label: {} for label in labels}
    filters = con.sql(
        "select label, source, reason from checks join inputs using (input) "
        f"where not bad and not quiet and not ends_with(reason, '{BLANK}') order by all"
    )
    for label, source, reason in filters.fetchall():
        counts[label].setdefault(source, {})[reason] = 0  # a filter that excludes no row is shown
    rows = con.sql(
        f"""
            select label, source,
                   case when status = {MALFORMED} then malformed when status > 0 then reason
                        when status = {OTHER_CURRENCY} then '{EXCLUDED}in ' || currency
                        when status = {PUT_OFF} then '{AFTER_THROUGH}'
                        when status = {KNOWN_DAY} then '{ALREADY_INGESTED}'
                        else coalesce(verdict, if(later, '{AFTER_THROUGH}', '{ACCEPTED}')) end,
                   sum(rows)::bigint
            from (
                select input, status, malformed, verdict, day > date '{through}' as later,
                       if(status = {OTHER_CURRENCY}, currency, null) as currency, count(*) as rows
                from incoming left join verdicts using (input, line)
                where status <> 0 group by all
                union all  -- most rows are good: they are not grouped by text
                select input, 0, null, verdict, day > date '{through}', null, count(*)
                from incoming left join verdicts using (input, line)
                where status = 0 group by all
            ) join inputs using (input) left join checks using (input, status)
            group by all order by all
            """
    )
    for label, source, status, count in rows.fetchall():
        counts[label].setdefault(source, {})[status] = count
    return counts


def write_quarantine(con: duckdb.DuckDBPyConnection, table: str, through: date) -> None:
    """Write the bad rows in the order of inputs and lines; only the header if there are none."""
    rows = f"""
        select source, line, blamed as "column", value, coalesce(malformed, reason) as reason
        from incoming join inputs using (input) left join checks using (input, status)
        where status > 0 and coalesce(bad, true)
            and not starts_with(coalesce(malformed, ''), '{EXCLUDED}')
        order by input, sheet, line
    """
    with files.replacing(bad_rows_path(table, through), shared=True) as unfinished:
        con.execute(f"copy ({rows}) to {sql.literal(unfinished)} (format csv, header)")


def write_report(reports: dict[str, IngestionReport], table: str, through: date) -> None:
    """Write the reports of a table's sources beside the rows that were put into quarantine."""
    path = bad_rows_path(table, through).with_suffix(".json")
    files.write_json(as_json(reports), path, shared=True)


def bad_rows_path(table: str, through: date) -> Path:
    """Where the bad rows of an ingestion are listed."""
    return paths.QUARANTINE / f"{table}-{through}.csv"


def check_share(
    con: duckdb.DuckDBPyConnection,
    report: IngestionReport,
    label: str,
    bad_rows: Path,
    allowed: float,
) -> None:
    """Stop if too many rows of a source are bad.

    Raises
    ------
    DataError
        With the most frequent reasons, and where the rows are listed.
    """
    bad = sum(report.quarantined.values())
    if bad <= allowed * report.read:
        return
    worst = sorted(report.quarantined.items(), key=lambda item: (-item[1], item[0]))
    reasons = "".join(
        f"\n  {count:,} x {why}{_example(con, label, why)}" for why, count in worst[:REASONS_SHOWN]
    )
    hint = next((hint for words, hint in HINTS.items() if words in worst[0][0]), "")
    raise DataError(
        f"{label}: {bad:,} of {report.read:,} rows are bad, but data.max_bad_share "
        f"allows {allowed:.1%}; nothing was changed{reasons}",
        f"{hint}check {bad_rows}, and fix the source or its settings in params.yaml",
    )


def _example(con: duckdb.DuckDBPyConnection, label: str, reason: str) -> str:
    [(source, line, blamed, value)] = con.execute(
        """
        select source, line, blamed, value
        from incoming join inputs using (input) left join checks using (input, status)
        where label = ? and status > 0 and coalesce(malformed, reason) = ?
        order by input, sheet, line limit 1
        """,
        [label, reason],
    ).fetchall()
    cell = shown(value) if blamed and value else None
    column = f", column {blamed!r} holds {cell}" if cell else ""
    return f": first in {source}, line {line}{column}"
