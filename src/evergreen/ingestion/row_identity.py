"""The mapping that rows were ingested with, and whether today's still reads them in the same way.

Rows without a key are recognised by their content. Under another mapping the same row of the
source has other content, and would be added a second time. So a changed mapping is refused, unless
all that the source has of the ingested days is read as it was.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evergreen.core.wording import plural
from evergreen.errors import DataError
from evergreen.ingestion.corrections import WITHDRAWN
from evergreen.ingestion.mapping import CLIENT_ID_OF, ID_OF
from evergreen.ingestion.redaction import shown
from evergreen.ingestion.staging import content_of
from evergreen.store import sql, tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from evergreen.ingestion.sources import OpenedSource, RawTable
    from evergreen.settings.pipeline import Settings
    from evergreen.settings.sources import TableSource

REBUILD = "evergreen ingest --rebuild"
READING = {"name", "files", "url_env", "table", "watermark", "delimiter", "preset"}
"""Settings of a table that decide where its rows are, not what they mean; what a preset means is in
the others."""
CORRECTED = {"ingested_on", "numeric", "categorical", "targets"}
"""Columns that may change: they are no part of what a row is recognised by."""
SHARED = {"source": ("timezone", "fold_case", "missing_ids")}
OF_MONEY = {"data": ("minor_units", "currency")}
"""Settings outside a table, by section, that decide what its cells mean."""
EVENT_DAYS = {
    "timestamp": "timestamp::date",
    "observed_on": "observed_on",
    "valid_from": "valid_from",
}
EXAMPLES = 3


def mapping_of(source: TableSource, settings: Settings, *, money: bool) -> dict[str, Any]:
    """Everything that decides how the cells of a table become values, and which rows are kept.

    Settings that have their default are left out. Those outside the table have their section in
    their name, such as ``data.minor_units``.
    """
    mapping = source.model_dump(mode="json", exclude_defaults=True, exclude=READING)
    columns = mapping.get("columns")
    if isinstance(columns, dict):
        kept = {role: value for role, value in columns.items() if role not in CORRECTED}
        mapping["columns"] = kept
    for section, names in (SHARED | (OF_MONEY if money else {})).items():
        values = {name: getattr(getattr(settings, section), name, None) for name in names}
        mapping |= {f"{section}.{name}": value for name, value in values.items() if value}
    return mapping


def changes(earlier: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs between two mappings, a line each.

    >>> changes({"columns": {"amount": "Net"}}, {"columns": {"amount": "Total", "text": "Item"}})
    ['columns.amount: Net -> Total', 'columns.text: not set -> Item']
    """
    old, new = _flat(earlier), _flat(now)
    return [
        f"{key}: {_text(old.get(key))} -> {_text(new.get(key))}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def settings_with(recorded: Mapping[str, dict[str, Any]], settings: Settings) -> Settings | None:
    """Today's settings, but with the mappings on record; None where they are no longer valid.

    Parameters
    ----------
    recorded
        Mappings by the key of their source, such as ``transactions/refunds``.
    """
    values = settings.model_dump(mode="json")
    source = values["source"]
    source.pop("preset", None)
    for section, names in (SHARED | OF_MONEY).items():
        for name in names:
            values[section].pop(name, None)
    for key, mapping in recorded.items():
        table, _, name = key.partition("/")
        listed = source.get(table) or []
        for today in listed if isinstance(listed, list) else [listed]:
            if today.get("name", "") == name:
                _set_mapping(today, mapping)
        for setting, value in mapping.items():
            section, _, shared = setting.partition(".")
            if shared:
                values[section][shared] = value
    try:
        return type(settings).model_validate(values)
    except ValueError:
        return None


def _set_mapping(table: dict[str, Any], mapping: dict[str, Any]) -> None:
    """Replace the mapping of a table by another one."""
    corrected = {k: v for k, v in (table.get("columns") or {}).items() if k in CORRECTED}
    kept = {key: table[key] for key in READING - {"preset"} if key in table}
    table.clear()
    table.update(kept | {key: value for key, value in mapping.items() if "." not in key})
    if "columns" in table:
        table["columns"] = corrected | table["columns"]


def _flat(mapping: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in mapping.items():
        flat |= (
            _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return flat


def _text(value: object) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def check_identity(
    con: duckdb.DuckDBPyConnection, table: RawTable, sources: Sequence[OpenedSource]
) -> None:
    """Stop if ingested rows would be read differently, and so be added a second time.

    Parameters
    ----------
    con
        A connection with ``incoming``, which has all rows of the sources whose mapping is another
        one, or is not on record.

    Raises
    ------
    DataError
        With what has changed, or how many rows.
    """
    if not tables.partitions(table.folder):
        return
    if table.by_day:
        _check_demo(con, table)
        return
    changed = {source.label: source.changes for source in sources if source.changes}
    if changed and not _reads_the_same(con, table, changed):
        listed = "".join(f"\n  {line}" for lines in changed.values() for line in lines)
        raise DataError(
            f"{', '.join(changed)}: the settings have changed since rows were ingested, and read "
            f"them differently now; nothing was changed{listed}",
            f"{REBUILD}, which makes {table.folder} anew; or set it back in params.yaml",
        )
    if any(source.unrecorded for source in sources):
        _check_unrecorded(con, table)


def _check_demo(con: duckdb.DuckDBPyConnection, table: RawTable) -> None:
    """Stop if the rows of the last day with rows come from another source.

    Comparing it is enough: a demo gives the same rows for the same days every time.
    """
    view_stored(con, table)
    event = "client_id, timestamp"
    con.execute(
        f"create temp view last_day as select {event} from ingested "
        "where ingested_on = (select max(ingested_on) from ingested)"
    )
    same = f"from last_day intersect select {event} from incoming where status = 0"
    if con.sql("from last_day limit 1").fetchall() and not con.sql(f"{same} limit 1").fetchall():
        raise DataError(
            f"{table.label}: {table.folder} has rows of another source; nothing was changed",
            f"evergreen init ../{table.label} --demo {table.label}, for a repository of its own",
        )


def view_stored(con: duckdb.DuckDBPyConnection, table: RawTable) -> None:
    """View the stored rows as ``ingested``, with all columns of the schema."""
    con.register("ingested_columns", table.schema.empty_table())
    stored = "from ingested_columns"
    if files := tables.partitions(table.folder).values():
        stored += f" union all by name from {sql.parquet(files, by_name=True)}"
    columns = sql.names(table.schema.names)
    con.execute(f"create or replace temp view ingested as select {columns} from ({stored})")


def _reads_the_same(
    con: duckdb.DuckDBPyConnection, table: RawTable, changed: Mapping[str, Sequence[str]]
) -> bool:
    """Whether all rows of ingested days that changed sources have are stored as they read now.

    Days that a source no longer has can't be added again.
    """
    if any(line.startswith("columns.row_id:") for lines in changed.values() for line in lines):
        return False
    _compare(con, table, [label.partition("/")[2] for label in changed])
    differ = "select 1 from ((from now except from before) union all (from before except from now))"
    return not con.sql(f"{differ} limit 1").fetchall()


def _compare(
    con: duckdb.DuckDBPyConnection, table: RawTable, names: list[str] | None = None
) -> None:
    """View what identifies the rows of ingested days as they read ``now`` and ``before``.

    Parameters
    ----------
    names
        Only of the source's tables with these names, where tables have names.
    """
    files = tables.partitions(table.folder)
    view_stored(con, table)
    columns = table.schema.names
    time = next(name for name in EVENT_DAYS if name in columns)
    event_day, newest = EVENT_DAYS[time], max(files)
    where = "true"
    if names is not None and "source_table" in columns:
        where = f"coalesce(source_table, '') in ({', '.join(map(sql.literal, names))})"
    content = sql.names(content_of(table.schema) if time == "timestamp" else ["row_id"])
    good = f"from incoming where status = 0 and day <= date '{newest}' and {where}"
    known = f"""
        from ingested where {where} and {event_day} in (
            select {event_day} from incoming
            where {time} is not null and day <= date '{newest}' and {where})
    """
    if "row_id" in columns:
        first = "qualify row_number() over (partition by"
        key = f"replace(row_id, '{WITHDRAWN}', '')"
        now = (
            f"select {content} {good} and row_id is not null "
            f"{first} row_id order by input desc, line desc) = 1"
        )
        before = (
            f"select {content} {known} and row_id is not null "
            f"{first} {key} order by ingested_on desc) = 1 "
            f"and not starts_with(row_id, '{WITHDRAWN}')"
        )
    else:
        copies = f"select input, sheet, {content}, count(*) as copies {good} group by all"
        now = f"select {content}, max(copies) as copies from ({copies}) group by {content}"
        before = f"select {content}, count(*) as copies {known} group by all"
    con.execute(f"create or replace temp view now as {now}")
    con.execute(f"create or replace temp view before as {before}")


def _check_unrecorded(con: duckdb.DuckDBPyConnection, table: RawTable) -> None:
    """Stop if rows of an earlier version, which kept no mapping, are read differently today."""
    _compare(con, table)
    _check_ids(con, table)
    if "row_id" in table.schema.names:  # a row that is read differently is corrected
        return
    event = f"select {CLIENT_ID_OF}(client_id) as client_id, timestamp"
    [(twice,)] = con.sql(
        f"""
        select count(*) from (
            {event} from (from now except from before)
            intersect {event} from (from before except from now))
        """
    ).fetchall()
    if twice:
        raise DataError(
            f"{table.label}: {plural(twice, 'row')} that an earlier version ingested would be read "
            "differently now, and added a second time; nothing was changed",
            f"{REBUILD}, which makes {table.folder} anew",
        )
    [(known, read, same)] = con.sql(
        "select (select count(*) from before), (select count(*) from now), "
        "(select count(*) from (from before intersect from now))"
    ).fetchall()
    if known and read and not same:
        raise DataError(
            f"{table.label}: {table.folder} has {plural(known, 'row')} of the days that the source "
            "has, and the source has none of them: they come from another source; nothing was "
            "changed",
            "evergreen init FOLDER, for a repository of its own; or "
            f"{REBUILD} --drop-missing, to replace them",
        )


def _check_ids(con: duckdb.DuckDBPyConnection, table: RawTable) -> None:
    """Stop if ids were ingested under an older rule, such as ``12345.0`` or ``NULL``."""
    readers = {"client_id": CLIENT_ID_OF}
    if "amount_minor" in table.schema.names:
        readers |= {name: ID_OF for name in ("invoice_id", "row_id") if name in table.schema.names}
    for column, reader in readers.items():
        made = "where not contains(invoice_id, '@')" if column == "invoice_id" else ""
        ids = con.sql(
            f"select id from (select distinct {column} as id from ingested {made}) "
            f"where id is not null and {reader}(id) is distinct from id order by id"
        ).fetchall()
        if ids:
            examples = [text for (id_,) in ids[:EXAMPLES] if (text := shown(id_))]
            listed = f", such as {', '.join(examples)}" if examples else ""
            raise DataError(
                f"{table.label}: {table.folder} has {len(ids):,} of the ids in {column} as an "
                f"earlier version read them{listed}; nothing was changed",
                f"{REBUILD}, which makes {table.folder} anew",
            )
