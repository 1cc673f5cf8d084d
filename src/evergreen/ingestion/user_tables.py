"""Take in a retailer's own tables: read, check, deduplicate, append."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import duckdb

from evergreen.core.events import transactions
from evergreen.errors import DataError
from evergreen.ingestion import (
    ingestion_state,
    mapping,
    online_retail,
    quarantine,
)
from evergreen.ingestion.corrections import ACCEPTED, CORRECTION
from evergreen.ingestion.dates import find_format
from evergreen.ingestion.day_files import write_days
from evergreen.ingestion.deduplication import DEFERRED, deduplicate
from evergreen.ingestion.ingestion_report import IngestionReport
from evergreen.ingestion.staging import (
    bound_memory,
    content_of,
    create_incoming,
    stage,
)
from evergreen.ingestion.user_files import open_files
from evergreen.settings import paths
from evergreen.settings.sources import (
    AttributeColumns,
    AttributesSource,
    ByTargetSource,
    NoteColumns,
    NotesSource,
    TargetColumns,
    TransactionColumns,
    TransactionsSource,
)
from evergreen.store import files, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date
    from pathlib import Path

    import pyarrow as pa

    from evergreen.ingestion.conversion import Conversion
    from evergreen.ingestion.deduplication import Span
    from evergreen.ingestion.ingestion_state import IngestionState
    from evergreen.ingestion.inputs import Input
    from evergreen.ingestion.mapping import Formats
    from evergreen.settings.pipeline import Settings

RawSource = TransactionsSource | NotesSource | AttributesSource | ByTargetSource
AnyColumns = TransactionColumns | NoteColumns | AttributeColumns | TargetColumns


@dataclass(frozen=True)
class RawTable:
    """A raw table and its source.

    Attributes
    ----------
    complete
        Whether the end of the rows is the end of what is known; see `deduplicate`.
    """

    name: str
    folder: Path
    schema: pa.Schema
    complete: bool
    source: RawSource
    state: IngestionState


@dataclass(frozen=True)
class CheckedTable:
    """A table with all its rows checked and none written yet."""

    table: RawTable
    con: duckdb.DuckDBPyConnection
    report: IngestionReport
    span: Span
    said: list[str]

    def lines(self) -> list[str]:
        """What became of the rows, a line each."""
        return [f"{self.table.name}: {line}" for line in [*self.said, *self.report.lines()]]


def ingest_tables(
    settings: Settings,
    *,
    through: date,
    reach: date | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Iterator[str]:
    """Append the new rows of every table that ``source:`` names, up to a day.

    All tables are read and checked before the first is written. The same rows give the same bytes,
    wherever an earlier call was killed: days are written whole, oldest first, and what was written
    is recognised.

    Parameters
    ----------
    through
        The last day to take in; later rows are left for another time.
    reach
        How far the transactions have to reach at least.

    Yields
    ------
    str
        What became of the rows, a line each.

    Raises
    ------
    DataError
        If a source can't be read, lacks a column, holds too much that is bad, or ends too early.
        Nothing was changed then, apart from the list of bad rows.
    """
    with _prepared(settings, through, reach) as prepared:
        for one in prepared:
            _write(one, progress)
            yield from one.lines()


def preview(settings: Settings, *, through: date) -> Iterator[str]:
    """Say what `ingest_tables` would take in, and append nothing.

    Yields
    ------
    str
        What would become of the rows, a line each.

    Raises
    ------
    DataError
        As `ingest_tables` does.
    """
    with _prepared(settings, through, None) as prepared:
        for one in prepared:
            yield from one.lines()


@contextmanager
def _prepared(
    settings: Settings, through: date, reach: date | None
) -> Iterator[list[CheckedTable]]:
    shutil.rmtree(paths.WORK, ignore_errors=True)
    try:
        prepared: list[CheckedTable] = []
        for table in _tables(settings):
            begins = _beginning(prepared[0]) if prepared else None
            prepared.append(_prepare(table, settings, through, reach, begins))
        yield prepared
    finally:
        shutil.rmtree(paths.WORK, ignore_errors=True)


def _beginning(transactions: CheckedTable) -> date | None:
    """The first day of the history, with what is about to be written."""
    return min(tables.partitions(transactions.table.folder), default=transactions.span.start)


def _tables(settings: Settings) -> Iterator[RawTable]:
    by_target = tables.by_target_schema(settings.targets)
    named: dict[str, tuple[RawSource | None, Path, pa.Schema]] = {
        "transactions": (
            settings.source.transactions,
            paths.TRANSACTIONS,
            _transactions_schema(settings.source.transactions),
        ),
        "notes": (settings.source.notes, paths.NOTES, tables.NOTES),
        "attributes": (
            settings.source.attributes,
            paths.ATTRIBUTES,
            _attributes_schema(settings.source.attributes),
        ),
        "outcomes": (settings.source.outcomes, paths.OUTCOMES, by_target),
        "predictions": (settings.source.predictions, paths.PREDICTED_ELSEWHERE, by_target),
    }
    for name, (source, folder, schema) in named.items():
        if source is not None:
            digest = files.digest_of([source.model_dump(mode="json"), settings.data.minor_units])
            yield RawTable(
                name,
                folder,
                schema,
                name == "transactions",
                source,
                ingestion_state.read(name, digest),
            )


def _transactions_schema(source: TransactionsSource | None) -> pa.Schema:
    by_id = source is not None and source.columns is not None and source.columns.row_id is not None
    return transactions.SCHEMA_BY_ID if by_id else transactions.SCHEMA


def _attributes_schema(source: AttributesSource | None) -> pa.Schema:
    columns = source.columns if source else None
    return tables.attributes_schema(
        columns.numeric if columns else (), columns.categorical if columns else ()
    )


def _prepare(
    table: RawTable, settings: Settings, through: date, reach: date | None, begins: date | None
) -> CheckedTable:
    con = tables.connect(settings.compute.threads)
    bound_memory(con)
    opened = _open(con, table)
    create_incoming(con, table.schema)
    con.execute("create temp table verdicts (part int, line bigint, verdict varchar)")
    formats = _stage_all(con, table, opened.parts, settings)
    quarantine.put_off(con, through)
    if table.complete:
        quarantine.put_strays_aside(con, min(tables.partitions(table.folder), default=None))
    quarantine.write_quarantine(con, table.name, through)
    report = IngestionReport(quarantine.count_by_status(con, through), None, None)
    quarantine.check_share(con, report, table.name, through, settings.data.max_bad_share)
    if table.complete:
        _check_reach(con, table, reach)
    try:
        span = deduplicate(
            con, table.folder, table.schema, through=through, complete=table.complete, begins=begins
        )
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise DataError(
            f"{table.folder} can't be read: {str(error).splitlines()[0]}; nothing was changed",
            f"dvc checkout --force {paths.RAW}",
        ) from None
    report = IngestionReport(quarantine.count_by_status(con, through), span.start, span.end)
    quarantine.write_report(report, table.name, through)
    state = replace(opened.settle(_waiting(con, through)), date_formats=formats)
    return CheckedTable(replace(table, state=state), con, report, span, opened.said)


@dataclass(frozen=True)
class OpenedSource:
    """What is to be read, and the state of the source once it is, given the lines that wait."""

    parts: list[Input]
    said: list[str]
    settle: Callable[[dict[int, int]], IngestionState]


def _open(con: duckdb.DuckDBPyConnection, table: RawTable) -> OpenedSource:
    state, work = table.state, paths.WORK / table.name
    if table.source.url_env is not None:
        from evergreen.ingestion.databases import read_database  # noqa: PLC0415 - few need it

        answer = read_database(con, table.source, state.watermark, work / "answer.parquet")

        def settle_database(waiting: dict[int, int]) -> IngestionState:
            reached = answer.watermark(con, waiting.get(0))
            return replace(state, watermark=reached or state.watermark)

        return OpenedSource([answer.part], [], settle_database)
    columns = table.source.columns
    wanted = online_retail.HEADERS if columns is None else mapping.mapped_headers(columns)
    found = open_files(con, table.source, wanted, state.files, work, required=table.complete)

    def settle_files(waiting: dict[int, int]) -> IngestionState:
        kept = {found.owners[part] for part in waiting}
        done = {name: digest for name, digest in found.digests.items() if name not in kept}
        return replace(state, files=done)

    return OpenedSource(found.parts, found.said, settle_files)


def _stage_all(
    con: duckdb.DuckDBPyConnection, table: RawTable, parts: list[Input], settings: Settings
) -> dict[str, str]:
    """Put the rows of all parts into ``incoming``; return how they write their dates."""
    columns = [table.source.columns or online_retail.columns_of(part) for part in parts]
    formats = _formats(table, parts, columns)
    quarantine.create_checks(con)
    for number, (part, named) in enumerate(zip(parts, columns, strict=True)):
        made = _conversion(table, part, named, formats, settings)
        stage(con, number, part, made, table.schema)
        quarantine.name_checks(con, number, part.name, made.checks)
        if table.source.columns is None:
            second = number + online_retail.SECOND_SHEET
            quarantine.name_checks(con, second, part.name, made.checks)
    if table.source.columns is None:
        online_retail.part_sheets(con)
    return table.state.date_formats | {
        role: how.text for role, how in formats.items() if not how.given
    }


def _formats(table: RawTable, parts: list[Input], columns: list[AnyColumns]) -> Formats:
    roles = mapping.date_roles(columns[0]) if columns else {}
    named = [mapping.date_roles(one) for one in columns]
    return {
        role: find_format(
            [part.values(part.column(n[role])) for part, n in zip(parts, named, strict=True)],
            table.source.date_format,
            table.state.date_formats.get(role),
            name=f"{table.name}: column {header!r}",
        )
        for role, header in roles.items()
    }


def _conversion(
    table: RawTable, part: Input, columns: AnyColumns, formats: Formats, settings: Settings
) -> Conversion:
    decimal = table.source.decimal
    if isinstance(columns, NoteColumns):
        return mapping.notes(part, columns, formats)
    if isinstance(columns, AttributeColumns):
        return mapping.attributes(part, columns, formats, decimal=decimal)
    if isinstance(columns, TargetColumns):
        binary = {name for name, target in settings.targets.items() if target.kind == "binary"}
        exact = table.name == "outcomes"
        return mapping.by_target(
            part, columns, formats, decimal=decimal, binary=binary, exact=exact
        )
    convert = mapping.transactions if table.source.columns else online_retail.convert
    units = settings.data.minor_units
    return convert(part, columns, formats, decimal=decimal, minor_units=units)


def _check_reach(con: duckdb.DuckDBPyConnection, table: RawTable, reach: date | None) -> None:
    [(newest,)] = con.sql("select max(day) from incoming where status = 0").fetchall()
    known = [newest, max(tables.partitions(table.folder), default=None)]
    ends = max((day for day in known if day is not None), default=None)
    if ends is None:
        raise DataError(
            f"{table.name}: the source holds no rows that are good; nothing was changed",
            "check what `source` in params.yaml points at",
        )
    if reach is not None and ends < reach:
        raise DataError(
            f"{table.name}: the source ends on {ends}, and rows until {reach} are needed; "
            "nothing was changed",
            "an earlier date; or wait until the source has more; or a larger data.max_lag_days",
        )


def _waiting(con: duckdb.DuckDBPyConnection, through: date) -> dict[int, int]:
    """The parts that hold rows for another time, and the first line of them."""
    found = con.sql(
        f"""
        select part % {online_retail.SECOND_SHEET} as number, min(line)
        from incoming left join verdicts using (part, line)
        where status <= 0 and (verdict = '{DEFERRED}' or day > date '{through}')
        group by number
        """
    ).fetchall()
    return {int(number): int(line) for number, line in found}


def _write(one: CheckedTable, progress: Callable[[int, int], None]) -> None:
    span, schema = one.span, one.table.schema
    if span.start is not None and span.end is not None:
        content = ", ".join(content_of(schema))
        rows = f"""
            select {content},
                   if(day >= date '{span.start}', day, date '{span.of_earlier}') as ingested_on
            from incoming left join verdicts using (part, line)
            where status = 0 and day <= date '{span.through}'
                and coalesce(verdict, '{ACCEPTED}') in ('{ACCEPTED}', '{CORRECTION}')
        """
        if {"row_id", "amount_minor"} <= set(schema.names):
            rows += f" union all select {content}, date '{span.end}' from reversals"
        days = list(tables.days(span.start, span.end))
        folder = one.table.folder
        write_days(one.con, rows, schema=schema, folder=folder, days=days, progress=progress)
    ingestion_state.write(one.table.name, one.table.state)
    one.con.close()
