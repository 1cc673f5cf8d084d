"""Compare rows by their id in the source, so that a changed row corrects the ingested one.

The raw table only grows. A correction is two rows that become known together: one that reverses
the old row, and the row as it is now. A run as of an earlier date still sees what was known then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.ingestion.staging import content_of
from evergreen.store import sql, tables

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import duckdb
    import pyarrow as pa

ACCEPTED, LATE, ALREADY_INGESTED = "accepted", "late", "already ingested"
CORRECTION, REPLACED = "correction of an ingested row", "replaced by a later version"
IN_ANOTHER_FILE = "duplicate in another file"
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
    """
    content = content_of(schema)
    _view_versions(con, folder, schema)
    row = f"struct_pack({', '.join(f'{name} := {name}' for name in content)})"
    con.execute(
        f"""
        insert into verdicts
        with latest as (
            select input, line, day, row_id, {row} as content,
                   row_number() over (partition by row_id order by input desc, line desc) as nth,
                   first({row}) over (partition by row_id order by input desc, line desc) as last
            from incoming where status = 0 and row_id is not null and day <= date '{through}'
        )
        select input, line,
               case when nth > 1 and content = last then '{IN_ANOTHER_FILE}'
                    when nth > 1 then '{REPLACED}'
                    when ingested is not distinct from content then '{ALREADY_INGESTED}'
                    when ingested is not null then '{CORRECTION}'
                    when day <= date '{newest}' then '{LATE}'
                    else '{ACCEPTED}' end as verdict
        from latest left join (
            select row_id, arg_max({row}, ingested_on) as ingested from versions group by row_id
        ) using (row_id)
        """
    )
    if "amount_minor" not in schema.names:
        return
    reversed_row = ", ".join(f"{REVERSED.get(name, name)} as {name}" for name in content[:-1])
    con.execute(
        f"""
        create temp table reversals as
        select {reversed_row}, null::varchar as row_id
        from (
            select unnest(arg_max({row}, ingested_on)) from versions
            where row_id in (
                select row_id from incoming join verdicts using (input, line)
                where verdict = '{CORRECTION}'
            ) group by versions.row_id
        )
        """
    )


def _view_versions(con: duckdb.DuckDBPyConnection, folder: Path, schema: pa.Schema) -> None:
    """View every stored row that has one of the incoming ids."""
    files = tables.partitions(folder).values()
    if not files:
        con.register("versions", schema.empty_table())
        return
    con.register("raw_columns", schema.empty_table())
    stored = f"from raw_columns union all by name from {sql.parquet(files, by_name=True)}"
    con.execute(
        f"create temp view versions as select {', '.join(schema.names)} from ({stored}) "
        "where row_id in (select row_id from incoming where status = 0)"
    )
