"""Compare rows by their id in the source, so that a changed row corrects the ingested one.

The raw table only grows. A correction is two rows that become known together: one that reverses
the old row, and the row as it is now. A row that is excluded since, such as a cancelled order, is
reversed without another one. A run as of an earlier date still sees what was known then.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.core.wording import plural
from evergreen.ingestion.staging import content_of
from evergreen.store import sql, tables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import duckdb
    import pyarrow as pa

ACCEPTED, LATE, ALREADY_INGESTED = "accepted", "late", "already ingested"
CORRECTION, REPLACED = "correction of an ingested row", "replaced by a later version"
IN_ANOTHER_FILE, IN_ONE_FILE = "duplicate in another file", "duplicate in the same file"
WITHDRAWAL, WITHDRAWN = "withdrawal of an ingested row", "withdrawn: "
"""Precedes the id of a row that reverses one which is excluded now."""
IF_LINES = (
    "if they are lines of one order, map a key of the lines, or set `amount_per: order` if the "
    "amount is that of the order"
)
REVERSED = {"amount_minor": "-amount_minor", "quantity": "-quantity", "text": "null"}


def compare_by_id(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    schema: pa.Schema,
    *,
    newest: date,
    through: date,
) -> None:
    """Fill ``verdicts`` (input, line, verdict) and make ``reversals`` (of corrected rows).

    The last of several rows with the same id counts. It is already ingested if the raw table's last
    row with this id is equal, and corrects that one if it is not. Where there are no amounts,
    nothing is reversed: readers take the row that became known last.

    An id whose last input has only excluded rows is withdrawn. Rows of it in earlier inputs are
    replaced.
    """
    content = content_of(schema)
    row = f"struct_pack({', '.join(f'{name} := {name}' for name in map(sql.name, content))})"
    _find_withdrawn(con, schema, through)
    _view_versions(con, folder, schema, row)
    con.execute(
        f"""
        insert into verdicts
        with latest as (
            select input, line, day, row_id, {row} as content,
                   row_number() over (partition by row_id order by input desc, line desc) as nth,
                   first({row}) over (partition by row_id order by input desc, line desc) as last,
                   max(input) over (partition by row_id) as last_input
            from incoming where status = 0 and row_id is not null and day <= date '{through}'
        )
        select input, line,
               case when row_id in (from withdrawn) then '{REPLACED}'
                    when nth > 1 and content = last
                    then if(input = last_input, '{IN_ONE_FILE}', '{IN_ANOTHER_FILE}')
                    when nth > 1 then '{REPLACED}'
                    when ingested is not distinct from content then '{ALREADY_INGESTED}'
                    when ingested is not null then '{CORRECTION}'
                    when day <= date '{newest}' then '{LATE}'
                    else '{ACCEPTED}' end as verdict
        from latest left join ingested_versions using (row_id)
        """
    )
    if "amount_minor" not in schema.names:
        return
    con.execute(
        f"""
        insert into verdicts select input, line, '{WITHDRAWAL}' from incoming
        where status > 0 and row_id in (
            select row_id from ingested_versions
            where ingested is not null and row_id in (from withdrawn))
        """
    )
    reversed_row = ", ".join(f"{REVERSED.get(name, name)} as {name}" for name in content[:-1])
    con.execute(
        f"""
        create temp table reversals as
        select {reversed_row}, if(gone, '{WITHDRAWN}' || row_id, null) as row_id
        from (
            select unnest(ingested), gone from (
                select ingested, row_id in (from withdrawn) as gone from ingested_versions
                where ingested is not null and (gone or row_id in (
                    select row_id from incoming join verdicts using (input, line)
                    where verdict = '{CORRECTION}'))
            )
        )
        """
    )


def repeated_ids(
    con: duckdb.DuckDBPyConnection, keys: Mapping[int, str], through: date
) -> list[str]:
    """Warn where one file has several good rows with the same id, a line for each column.

    It may be a log of versions; but the lines of an order that share its number lose money.

    Parameters
    ----------
    keys
        The column that is the row's id, by input.
    """
    lines = []
    for key in sorted(set(keys.values())):
        inputs = ", ".join(str(number) for number, column in keys.items() if column == key)
        [(ids, source, first)] = con.sql(
            f"""
            select count(distinct row_id), arg_min(source, place), arg_min(two, place) from (
                select row_id, any_value(source) as source, min(line, 2) as two,
                       (input, min(line)) as place
                from incoming join inputs using (input)
                where status = 0 and row_id is not null and day <= date '{through}'
                    and input in ({inputs})
                group by input, row_id having count(*) > 1
            )
            """
        ).fetchall()
        if ids:
            occur = "occurs" if ids == 1 else "occur"
            lines.append(
                f"{plural(ids, 'id')} of `row_id` column {key!r} {occur} more than once in one "
                f"file, such as {source}, lines {first[0]} and {first[1]}; the last row counts; "
                f"{IF_LINES}"
            )
    return lines


def _find_withdrawn(con: duckdb.DuckDBPyConnection, schema: pa.Schema, through: date) -> None:
    """Create ``withdrawn``, the ids of which the last input has excluded rows alone."""
    excluded = "status in (select status from checks where checks.input = i.input and not bad)"
    if "amount_minor" not in schema.names:
        excluded = "false"
    con.execute(
        f"""
        create temp table withdrawn as
        select row_id from (
            select row_id, input, bool_or(status = 0) as good from incoming as i
            where row_id is not null and day <= date '{through}' and (status = 0 or {excluded})
            group by row_id, input
        ) group by row_id having not arg_max(good, input)
        """
    )


def _view_versions(
    con: duckdb.DuckDBPyConnection, folder: Path, schema: pa.Schema, row: str
) -> None:
    """Create ``ingested_versions``: the last stored row of each incoming id; null if withdrawn."""
    con.register("raw_columns", schema.empty_table())
    stored = "from raw_columns"
    con.execute(
        "create temp table incoming_ids as "
        "select distinct row_id from incoming where status = 0 union from withdrawn"
    )
    if files := _files_of_ids(con, list(tables.partitions(folder).values())):
        stored += f" union all by name from {sql.parquet(files, by_name=True)}"
    con.execute(
        f"""
        create temp table ingested_versions as
        select id as row_id, arg_max_null(if(gone, null, {row}), ingested_on) as ingested
        from (
            select {sql.names(schema.names)}, starts_with(row_id, '{WITHDRAWN}') as gone,
                   if(gone, row_id[{len(WITHDRAWN) + 1}:], row_id) as id
            from ({stored}) where row_id is not null
        )
        where id in (from incoming_ids)
        group by id
        """
    )


def _files_of_ids(con: duckdb.DuckDBPyConnection, stored: list[Path]) -> list[Path]:
    """The stored files with any of ``incoming_ids``; of the others, only the ids are read."""
    rows = sql.parquet(stored, by_name=True)
    if not stored or "row_id" not in con.sql(f"from {rows} limit 0").columns:
        return []
    ids = f"from incoming_ids union all select '{WITHDRAWN}' || row_id from incoming_ids"
    found = con.sql(f"select distinct filename from {rows} where row_id in ({ids}) order by all")
    return [Path(name) for (name,) in found.fetchall()]
