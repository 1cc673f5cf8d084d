"""Fill the raw tables from any source: open, check, deduplicate, then append whole days."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from evergreen.core.events.transactions import invoice_id
from evergreen.core.wording import plural
from evergreen.errors import DataError, shortage
from evergreen.ingestion import quarantine
from evergreen.ingestion.corrections import ACCEPTED, CORRECTION, WITHDRAWAL, repeated_ids
from evergreen.ingestion.day_files import write_days
from evergreen.ingestion.deduplication import DEFERRED, deduplicate
from evergreen.ingestion.hints import Hint, ingestion_hints
from evergreen.ingestion.ingestion_report import IngestionReport
from evergreen.ingestion.non_rows import exclude_non_rows
from evergreen.ingestion.one_currency import check_currency, currency_of, keep_currency
from evergreen.ingestion.orders import incoming_repeated_totals, take_totals_once
from evergreen.ingestion.outliers import WARNING, incoming_outliers
from evergreen.ingestion.row_identity import check_identity
from evergreen.ingestion.sources import Ingested
from evergreen.ingestion.staging import content_of, create_incoming, stage
from evergreen.ingestion.tombstones import exclude_forgotten
from evergreen.settings import paths
from evergreen.store import sql, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from evergreen.ingestion.deduplication import Span
    from evergreen.ingestion.sources import OpenedSource, RawTable
    from evergreen.settings.pipeline import Settings


Progress = Callable[[int, int, str], None]
"""Shows how many files or days are done, how many there are, and the current step."""


def nothing_shown(_done: int, _total: int, _step: str) -> None:
    """Show no progress."""


class Limits(NamedTuple):
    """The last day to ingest, and how far the transactions have to reach at least."""

    through: date
    reach: date | None = None


@dataclass(frozen=True)
class CheckedTable:
    """A table with all its rows checked and none written yet."""

    table: RawTable
    sources: dict[str, OpenedSource]
    con: duckdb.DuckDBPyConnection
    reports: dict[str, IngestionReport]
    span: Span
    outliers: list[str]
    withdrawals: int
    hints: list[Hint]

    def lines(self) -> list[str]:
        """What became of the rows, a line each; then a warning for each amount out of range."""
        lines = []
        for label, source in self.sources.items():
            notices = [line for rows, _ in source.inputs for line in rows.notices]
            lines += [f"{label}: {line}" for line in [*source.notices, *notices]]
            lines += [f"{label}: {line}" for line in self.reports[label].lines()]
        if self.withdrawals:
            withdrawn = plural(self.withdrawals, "ingested row")
            lines.append(f"{self.table.label}: {withdrawn} withdrawn: excluded in the source now")
        return lines + [f"{WARNING}{self.table.label}: {line}" for line in self.outliers]

    def days(self) -> tuple[date, date] | None:
        """The first and the last day of the raw table, with those about to be written."""
        days = [*tables.partitions(self.table.folder), self.span.start, self.span.end]
        present = [day for day in days if day is not None]
        return (min(present), max(present)) if present else None


@contextmanager
def checked_tables(
    raw_tables: Iterable[RawTable],
    settings: Settings,
    limits: Limits,
    progress: Progress = nothing_shown,
) -> Iterator[list[CheckedTable]]:
    """Read and check all tables, of which the first holds the transactions; write none.

    Parameters
    ----------
    limits
        Rows after the last day are left for a later ingestion.

    Raises
    ------
    DataError
        If a source can't be read, lacks a column, has too many bad rows, or ends too early.
        Nothing was changed then, apart from the list of bad rows.
    """
    shutil.rmtree(paths.WORK, ignore_errors=True)
    try:
        checked: list[CheckedTable] = []
        for table in raw_tables:
            history = checked[0].days() if checked else None
            checked.append(_check(table, settings, limits, history, progress))
        yield checked
    finally:
        shutil.rmtree(paths.WORK, ignore_errors=True)


def _check(
    table: RawTable,
    settings: Settings,
    limits: Limits,
    history: tuple[date, date] | None,
    progress: Progress,
) -> CheckedTable:
    through = limits.through
    con = tables.connect(settings.compute.threads)
    create_incoming(con, table.schema)
    quarantine.create_checks(con)
    sources = {source.label: source for source in table.open(con)}
    inputs = [(label, *mapped) for label, source in sources.items() for mapped in source.inputs]
    for number, (label, rows, conversion) in enumerate(inputs):
        progress(number, len(inputs), f"{table.label}: read files")
        cells = stage(con, number, rows, conversion, table.schema)
        quarantine.name_input(con, number, label, rows.name)
        quarantine.name_checks(con, number, conversion.checks)
        exclude_non_rows(con, number, rows, cells)
    progress(0, 1, f"{table.label}: check rows")
    exclude_forgotten(con)
    for source in sources.values():
        source.check(con)
    for label in sources:
        numbered = enumerate(inputs)
        per_order = [n for n, (of, _, how) in numbered if of == label and how.per_order]
        if per_order:
            take_totals_once(con, table.folder, per_order)
    if settings.data.currency is not None:
        keep_currency(con, settings.data.currency)
    earlier = {source.currency for source in sources.values() if source.currency}
    check_currency(con, table, earlier, settings.data.currency)
    quarantine.put_off(con, through)
    if table.complete:
        quarantine.put_strays_aside(con, min(tables.partitions(table.folder), default=None))
    quarantine.write_quarantine(con, table.name, through)
    for label, counts in quarantine.count_by_status(con, through, sources).items():
        report = IngestionReport(counts, None, None)
        path = quarantine.bad_rows_path(table.name, through)
        quarantine.check_share(con, report, label, path, settings.data.max_bad_share)
    if table.complete:
        _check_reach(con, table, limits)
    try:
        check_identity(con, table, list(sources.values()))
        span = deduplicate(con, table, through=through, history=history)
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise shortage(error) or DataError(
            f"{table.folder} can't be read: {str(error).splitlines()[0]}; nothing was changed",
            f"dvc checkout --force {paths.RAW}",
        ) from None
    reports = {
        label: IngestionReport(counts, span.start, span.end)
        for label, counts in quarantine.count_by_status(con, through, sources).items()
    }
    quarantine.write_report(reports, table.name, through)
    outliers = (
        incoming_outliers(con, table.folder, through, settings.data.minor_units)
        if "amount_minor" in table.schema.names
        else []
    )
    per_line = [n for n, (*_, how) in enumerate(inputs) if how.per_order is False]
    outliers += incoming_repeated_totals(con, per_line)
    keys = {n: how.key for n, (*_, how) in enumerate(inputs) if how.key and not how.per_order}
    outliers += repeated_ids(con, keys, through)
    [(withdrawals,)] = (
        con.execute(
            "select count(distinct row_id) from incoming join verdicts using (input, line) "
            "where verdict = ?",
            [WITHDRAWAL],
        ).fetchall()
        if "row_id" in table.schema.names
        else [(0,)]
    )
    return CheckedTable(
        table, sources, con, reports, span, outliers, withdrawals, ingestion_hints(con, table)
    )


def _check_reach(con: duckdb.DuckDBPyConnection, table: RawTable, limits: Limits) -> None:
    through, reach = limits
    [(newest,)] = con.sql("select max(day) from incoming where status = 0").fetchall()
    ends = [newest, max(tables.partitions(table.folder), default=None)]
    end = max((day for day in ends if day is not None), default=None)
    if end is None:
        [(bad,)] = con.sql(
            "select count(*) from incoming left join checks using (input, status) "
            "where status > 0 and coalesce(bad, true)"
        ).fetchall()
        if bad:
            raise DataError(
                f"{table.label}: the source holds no good rows, only {plural(bad, 'bad one')}; "
                "nothing was changed",
                f"check {quarantine.bad_rows_path(table.name, through)}, and fix the source or its "
                "settings in params.yaml",
            )
        raise DataError(
            f"{table.label}: the source holds no good rows; nothing was changed",
            "check what `source` in params.yaml points to, and what `where` excludes, if it is set",
        )
    if reach is not None and end < reach:
        raise DataError(
            f"{table.label}: the source ends on {end}, but rows until {reach} are needed; "
            "nothing was changed",
            "choose an earlier date, wait until the source has more, or raise data.max_lag_days",
        )


def write_table(
    checked: CheckedTable,
    progress: Progress,
    *,
    state_file: Path = paths.INGESTION_STATE,
) -> None:
    """Append the accepted rows of a table, and those in ``carried``; close its connection."""
    table, span, con = checked.table, checked.span, checked.con
    if span.start is not None and span.end is not None:
        changed = _changed_rows(checked)
        write_days(
            con,
            partial(_rows_between, span, content_of(table.schema), changed),
            content_of(table.schema) if changed else _filled_columns(checked),
            schema=table.schema,
            folder=table.folder,
            days=list(tables.days(span.start, span.end)),
            progress=lambda done, total: progress(done, total, f"{table.label}: write days"),
        )
    deferred, currency = _deferred(con, span.through), currency_of(con)
    first = 0
    for source in checked.sources.values():
        end = first + len(source.inputs)
        of_source = {n - first: line for n, line in deferred.items() if first <= n < end}
        source.settle(Ingested(of_source, currency, state_file))
        first = end
    con.close()


def _changed_rows(checked: CheckedTable) -> list[str]:
    """SQL of the rows that are not in ``incoming``: reversals and earlier versions."""
    table, con = checked.table, checked.con
    content, changed = sql.names(content_of(table.schema)), []
    if {"row_id", "amount_minor"} <= set(table.schema.names):
        changed.append(f"select {content}, date '{checked.span.end}' as ingested_on from reversals")
    if con.sql("select 1 from duckdb_tables() where table_name = 'carried'").fetchall():
        changed.append(f"select {content}, ingested_on from carried")
    return changed


def _rows_between(
    span: Span, columns: list[str], changed: list[str], first: date, last: date
) -> str:
    """SQL of the accepted rows that become known between two days, and of changed ones."""
    between = f"between date '{first}' and date '{last}'"
    earlier = f"day < date '{span.start}' and date '{span.of_earlier}' {between}"
    parts = [
        f"""
        select {sql.names(columns)},
               if(day >= date '{span.start}', day, date '{span.of_earlier}') as ingested_on
        from incoming left join verdicts using (input, line)
        where status = 0 and (day {between} or {earlier})
            and coalesce(verdict, '{ACCEPTED}') in ('{ACCEPTED}', '{CORRECTION}')
        """,
        *(f"from ({rows}) where ingested_on {between}" for rows in changed),
    ]
    return " union all ".join(parts)


def _filled_columns(checked: CheckedTable) -> list[str]:
    """The columns that the inputs fill; in their rows, all others are null or follow from these."""
    derived = invoice_id("null")
    conversions = [how for source in checked.sources.values() for _, how in source.inputs]
    filled = {name for how in conversions for name, cell in how.columns.items() if cell != derived}
    return [name for name in content_of(checked.table.schema) if name in filled]


def _deferred(con: duckdb.DuckDBPyConnection, through: date) -> dict[int, int]:
    """The first line of each input that holds rows for a later ingestion."""
    return dict(
        con.sql(
            f"""
            select input, min(line) from incoming left join verdicts using (input, line)
            where verdict = '{DEFERRED}' or (status <= 0 and day > date '{through}')
            group by input
            """
        ).fetchall()
    )
