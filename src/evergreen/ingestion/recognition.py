"""Which ingested rows are which rows of the source, when the raw history is made anew.

A row is recognised by what it was under the mapping that it was ingested with: the source is read
once more under that mapping, and line for line it is known what became of each row. Where that
mapping is not on record, rows are recognised by client and time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evergreen.errors import DataError
from evergreen.ingestion.corrections import ACCEPTED, REVERSED, WITHDRAWN
from evergreen.ingestion.mapping import CLIENT_ID_OF
from evergreen.ingestion.quarantine import create_checks, name_input
from evergreen.ingestion.staging import (
    MALFORMED,
    content_of,
    create_incoming,
    stage,
)
from evergreen.store import sql, tables

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from evergreen.ingestion.deduplication import Span
    from evergreen.ingestion.raw_tables import CheckedTable
    from evergreen.ingestion.sources import RawTable
    from evergreen.settings.pipeline import Settings

LOOSER = (["client_id", "timestamp"], ["client_id", "amount_minor"])
"""What rows are recognised by where the mapping is not on record, one after the other."""
OF_LINES = {"label", "source", "input", "sheet", "line", "good", "survives", "accepted"}
BOOKKEEPING = {*OF_LINES, "stored_id", "superseded", "ingested_on"}
"""Columns that are not content of a row."""
UNRECOGNISED = "stored_rows anti join recognised using (stored_id)"
MISSING = f"{UNRECOGNISED} anti join corrected using (stored_id) where not superseded"


@dataclass(frozen=True)
class Recognition:
    """How the rows of a table before relate to those after.

    Attributes
    ----------
    before, after
        The number of rows.
    kept
        Rows that keep the day on which they became known.
    late
        Rows that become known on the last day: the earlier mapping would have shown them, so they
        came into the source since.
    shown
        Rows of ingested days that the earlier mapping did not show; known on their own days.
    excluded
        Rows that are in the source, and left out now.
    corrected
        Rows that have other content under the same key now, or are withdrawn.
    missing
        Rows that the source no longer has.
    missing_days
        The days on which these became known.
    """

    before: int
    after: int
    net_before: int | None
    net_now: int | None
    kept: int
    late: int
    shown: int
    excluded: int
    corrected: int
    missing: int
    missing_days: list[date]


def stage_earlier(table: RawTable, settings: Settings, path: Path) -> Path | None:
    """Write the rows of a source as an earlier mapping reads them; None if it can't read them.

    Parameters
    ----------
    table
        With the earlier mapping.
    """
    con = tables.connect(settings.compute.threads)
    create_incoming(con, table.schema)
    create_checks(con)
    try:
        inputs = [(s.label, *mapped) for s in table.open(con) for mapped in s.inputs]
        for number, (label, rows, conversion) in enumerate(inputs):
            stage(con, number, rows, conversion, table.schema)
            name_input(con, number, label, rows.name)
    except DataError:
        return None
    content = sql.names(content_of(table.schema))
    con.execute(
        f"copy (select label, source, sheet, line, status = 0 as good, {content} from incoming "
        f"join inputs using (input) where status <> {MALFORMED}) "
        f"to {sql.literal(path)} (format parquet)"
    )
    con.close()
    return path


def recognise(
    checked: CheckedTable,
    stored: Path,
    earlier: Path | None,
    *,
    keyed: Collection[str],
    by_mapping: bool,
    units: tuple[int, int],
) -> tuple[Span, Recognition]:
    """Give the rows of ``incoming`` the days on which they became known.

    Also creates the table ``carried``: earlier versions of corrected rows, and their reversals.

    Parameters
    ----------
    checked
        A table with all rows checked and told from duplicates, and nothing ingested before.
    stored
        The folder of the rows ingested before.
    earlier
        What `stage_earlier` wrote; None to recognise rows as they are read today.
    keyed
        The names of the tables whose rows had keys; the name of an only table is empty.
    by_mapping
        Whether rows are read under the mapping that they were ingested with; otherwise less of
        them has to be equal.
    units
        The minor units of money, before and now.

    Returns
    -------
    (span, recognition)
        The days to write, and what differs.
    """
    con, schema, span = checked.con, checked.table.schema, checked.span
    files = tables.partitions(stored)
    newest = max(files)
    end = max(newest, span.end or newest)
    con.execute(
        f"""
        create temp view rows_now as
        select incoming.* from incoming left join verdicts using (input, line)
        where status = 0 and day <= date '{span.through}'
            and coalesce(verdict, '{ACCEPTED}') = '{ACCEPTED}'
        """
    )
    columns = _load_stored(con, checked.table, list(files.values()), keyed)
    _load_earlier(con, schema, earlier)
    con.execute("create temp table recognised (stored_id bigint, input int, line bigint)")
    common = [name for name in _columns(con, "earlier") if name in columns]
    if "timestamp" not in columns:
        common.remove("row_id")  # client and day
    for names in [common] if by_mapping else [common, *LOOSER]:
        if set(names) <= set(columns):
            _match(con, names)
    late, shown = _set_days(con, newest, end)
    corrected = _carry(con, schema, end, units)
    first = (
        "select min(day) from (select day from rows_now union all select ingested_on from carried)"
    )
    start = con.sql(first).fetchall()[0][0] if checked.table.complete else span.start
    of_table = Recognition(
        before=_one(con, "count(*) from stored_rows"),
        after=_one(con, "count(*) from rows_now") + _one(con, "count(*) from carried"),
        net_before=_net(con, "stored_rows"),
        net_now=_net(con, "(from rows_now union all by name from carried)"),
        kept=_one(con, "count(*) from recognised semi join rows_now using (input, line)"),
        late=late,
        shown=shown,
        excluded=_one(
            con,
            "count(*) from recognised anti join rows_now using (input, line) "
            "anti join corrected using (stored_id)",
        ),
        corrected=corrected,
        missing=_one(con, f"count(*) from {MISSING}"),
        missing_days=[
            day
            for (day,) in con.sql(
                f"select distinct ingested_on from {MISSING} order by 1"
            ).fetchall()
        ],
    )
    return replace(span, start=start, end=end), of_table


def _one(con: duckdb.DuckDBPyConnection, what: str) -> int:
    [(value,)] = con.sql(f"select {what}").fetchall()
    return int(value)


def _net(con: duckdb.DuckDBPyConnection, rows: str) -> int | None:
    if "amount_minor" not in _columns(con, "stored_rows"):
        return None
    return _one(con, f"coalesce(sum(amount_minor), 0) from {rows}")


def _columns(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [name for name in con.sql(f"from {table}").columns if name not in BOOKKEEPING]


def _load_stored(
    con: duckdb.DuckDBPyConnection, table: RawTable, files: list[Path], keyed: Collection[str]
) -> list[str]:
    """Create ``stored_rows`` with ids as they are read today; return the columns that it has.

    ``superseded`` are versions of a row that were corrected since, and their reversals.
    """
    read = sql.parquet(files, by_name=True)
    columns = [name for name in con.sql(f"from {read}").columns if name not in BOOKKEEPING]
    con.register("columns_now", table.schema.empty_table())
    client_id = "client_id" if table.by_day else f"{CLIENT_ID_OF}(client_id)"
    by_key = "false"
    if keyed and "row_id" in columns:
        named = "coalesce(source_table, '')" if "source_table" in columns else "''"
        by_key = f"{named} in ({', '.join(map(sql.literal, keyed))})"
    gone = f"starts_with(row_id, '{WITHDRAWN}')"
    key = f"if({gone}, row_id[{len(WITHDRAWN) + 1}:], row_id)"
    last = f"row_number() over (partition by {key} order by ingested_on desc)"
    superseded = f"{by_key} and (row_id is null or {gone} or {last} > 1)"
    if by_key == "false":
        superseded = by_key
    con.execute(
        f"""
        create temp table stored_rows as
        select row_number() over () as stored_id, {superseded} as superseded,
               * replace ({client_id} as client_id)
        from (from columns_now union all by name from {read})
        """
    )
    return columns


def _load_earlier(con: duckdb.DuckDBPyConnection, schema: pa.Schema, earlier: Path | None) -> None:
    """Create ``earlier``: what each line of the source was, or is where that is not known.

    ``good`` are lines that are neither bad nor excluded under that mapping, ``accepted`` those of
    them that are no duplicates, and ``survives`` those whose row is written now.
    """
    con.execute("create temp table written as select input, line, true as survives from rows_now")
    survives = "coalesce(survives, false) as survives"
    if earlier is None:
        content = sql.names(content_of(schema))
        con.execute(
            f"create temp table earlier as select input, line, status = 0 as good, {survives}, "
            f"survives as accepted, {content} from incoming left join written using (input, line) "
            f"where status <> {MALFORMED}"
        )
        return
    read = sql.parquet([earlier])
    names = [name for name in con.sql(f"from {read}").columns if name not in BOOKKEEPING]
    content = sql.names(names)
    con.execute(
        f"""
        create temp table earlier as
        select input, line, good, {survives},
               good and row_number() over (partition by good, copy, {content} order by input, sheet)
                   = 1 as accepted, {content}
        from (
            select input, sheet, line, good, {CLIENT_ID_OF}(client_id) as client_id,
                   {sql.names(name for name in names if name != "client_id")},
                   row_number() over (
                       partition by good, input, sheet, {content} order by line) as copy
            from {read} join inputs using (label, source)
        ) left join written using (input, line)
        """
    )


def _match(con: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    """Recognise rows by some of their columns, the k-th of equal ones as the k-th."""
    listed = sql.names(names)
    same = " and ".join(f"s.{name} is not distinct from e.{name}" for name in map(sql.name, names))
    rest = [name for name in ("timestamp", "amount_minor") if name in _columns(con, "stored_rows")]
    order = ", ".join([*rest, ""])
    con.execute(
        f"""
        insert into recognised
        select s.stored_id, e.input, e.line
        from (
            select stored_id, {listed}, row_number() over (
                partition by {listed} order by {order} ingested_on, stored_id) as copy
            from stored_rows anti join recognised using (stored_id) where not superseded
        ) as s join (
            select input, line, {listed}, row_number() over (
                partition by {listed} order by survives desc, good desc, {order} input, line
            ) as copy
            from earlier anti join recognised using (input, line)
        ) as e on s.copy = e.copy and {same}
        """
    )


def _set_days(con: duckdb.DuckDBPyConnection, newest: date, end: date) -> tuple[int, int]:
    """Set the day of each row; return how many became known late, and were not shown before."""
    con.execute(
        f"""
        create temp table unrecognised as
        select input, line, coalesce(accepted, false) as late
        from rows_now anti join recognised using (input, line)
        left join earlier using (input, line) where day <= date '{newest}'
        """
    )
    time = "timestamp::date" if "timestamp" in _columns(con, "stored_rows") else "ingested_on"
    con.execute(
        f"""
        update incoming set day = known_on from (
            select recognised.input, recognised.line, ingested_on as known_on
            from recognised join stored_rows using (stored_id)
            union all select input, line, date '{end}' from unrecognised where late
        ) as known
        where incoming.input = known.input and incoming.line = known.line and status = 0
        """
    )
    if time != "ingested_on":
        con.execute(f"update incoming set day = {time} where status = 0 and day < {time}")
    [(late, shown)] = con.sql(
        "select count(*) filter (late), count(*) filter (not late) from unrecognised"
    ).fetchall()
    return late, shown


def _carry(
    con: duckdb.DuckDBPyConnection, schema: pa.Schema, end: date, units: tuple[int, int]
) -> int:
    """Create ``carried`` and return how many rows are corrected or withdrawn.

    A row is withdrawn if it has a key, and the earlier mapping would exclude it now.
    """
    content = content_of(schema)
    before, now = units
    scaled = "amount_minor" if before == now else f"round(amount_minor * {now} / {before})::bigint"
    listed = ", ".join(f"{scaled} as {n}" if n == "amount_minor" else sql.name(n) for n in content)
    con.execute("create temp table corrected (stored_id bigint, gone boolean)")
    if "row_id" in _columns(con, "earlier"):
        con.execute(
            f"""
            insert into corrected
            with keys as (
                select row_id, not bool_or(survives) as gone from earlier
                where row_id is not null and (survives or not good) group by row_id
            )
            select stored_id, gone from {UNRECOGNISED} join keys using (row_id)
            where not superseded
            """
        )
    if "row_id" in _columns(con, "earlier") and "timestamp" in content:
        con.execute(
            "insert into corrected select stored_id, true from recognised "
            "join earlier using (input, line) where row_id is not null and not good"
        )
    con.execute(
        f"""
        create temp table carried as
        select {listed}, ingested_on from stored_rows
        where client_id is not null
            and (superseded or stored_id in (select stored_id from corrected))
        """
    )
    if "amount_minor" in content:
        reversed_row = [f"{REVERSED.get(name, name)} as {name}" for name in content]
        cells = ", ".join(c for c in reversed_row if not c.endswith(" as row_id"))
        gone = f", if(gone, '{WITHDRAWN}' || row_id, null) as row_id" if "row_id" in content else ""
        con.execute(
            f"""
            insert into carried by name
            select {cells}, date '{end}' as ingested_on{gone}
            from (select gone, {listed} from stored_rows join corrected using (stored_id))
            """
        )
    return _one(con, "count(*) from corrected")
