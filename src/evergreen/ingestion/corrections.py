"""Recognise rows by their id in the source, so that a changed row corrects the one that was known.

The raw table only grows. A correction is two rows that become known together: one that takes back
what was known, and the row as it is now. Whoever looks from an earlier date still sees what was
known then.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from evergreen.ingestion.staging import content_of
from evergreen.store import sql, tables

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import pyarrow as pa

ALREADY_INGESTED, IN_ANOTHER_FILE, REPLACED = (
    "already ingested",
    "duplicate in another file",
    "replaced by a later version",
)
CORRECTION, LATE, ACCEPTED = "correction of an ingested row", "late", "accepted"
REVERSED = {"amount_minor": "-amount_minor", "quantity": "-quantity", "text": "null"}


def compare_by_id(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    schema: pa.Schema,
    *,
    newest: date | None,
    through: date,
) -> None:
    """Make the tables ``verdicts`` (part, line, verdict) and ``reversals`` (what is corrected).

    The last of several rows with the same id holds. It is known if the raw table's last row with
    this id is equal, and corrects that one if it is not. Where there are no amounts, nothing is
    taken back: whoever reads takes the row that became known last.
    """
    content = content_of(schema)
    _view_versions(con, folder, schema)
    row = f"struct_pack({', '.join(f'{name} := {name}' for name in content)})"
    con.execute(
        f"""
        create or replace temp table verdicts as
        with latest as (
            select part, line, day, row_id, {row} as content,
                   row_number() over (partition by row_id order by part desc, line desc) as nth,
                   first({row}) over (partition by row_id order by part desc, line desc) as held
            from incoming where status = 0 and day <= date '{through}'
        )
        select part, line,
               case when nth > 1 and content = held then '{IN_ANOTHER_FILE}'
                    when nth > 1 then '{REPLACED}'
                    when known is not distinct from content then '{ALREADY_INGESTED}'
                    when known is not null then '{CORRECTION}'
                    when day <= date '{newest or date.min}' then '{LATE}'
                    else '{ACCEPTED}' end as verdict
        from latest left join (
            select row_id, arg_max({row}, ingested_on) as known from versions group by row_id
        ) using (row_id)
        """
    )
    if "amount_minor" not in schema.names:
        return
    taken = ", ".join(f"{REVERSED.get(name, name)} as {name}" for name in content[:-1])
    con.execute(
        f"""
        create or replace temp table reversals as
        select {taken}, null::varchar as row_id
        from (
            select unnest(arg_max({row}, ingested_on)) from versions
            where row_id in (
                select row_id from incoming join verdicts using (part, line)
                where verdict = '{CORRECTION}'
            ) group by versions.row_id
        )
        """
    )


def _view_versions(con: duckdb.DuckDBPyConnection, folder: Path, schema: pa.Schema) -> None:
    """Every stored row that has one of the ids at hand."""
    files = tables.partitions(folder).values()
    ids = "row_id in (select row_id from incoming where status = 0)"
    if not files:
        con.register("versions", schema.empty_table())
        return
    names = ", ".join(schema.names)
    known = f"select * from {sql.parquet(files, by_name=True)}"
    if "row_id" not in con.sql(known).columns:
        known = f"select *, null::varchar as row_id from ({known})"
    con.execute(
        f"create or replace temp view versions as select {names} from ({known}) where {ids}"
    )
