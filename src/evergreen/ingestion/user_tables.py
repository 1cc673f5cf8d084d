"""A retailer's own tables as sources: files and databases, mapped by ``params.yaml``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from evergreen.core.events import transactions
from evergreen.errors import UndecidedError
from evergreen.ingestion import ingestion_state, mapping, row_identity, times, transaction_mapping
from evergreen.ingestion.cells import IdRule
from evergreen.ingestion.dates import DateSettings, settle_dates
from evergreen.ingestion.ingestion_state import IngestionState
from evergreen.ingestion.mapping import CellRules
from evergreen.ingestion.money import are_whole_thousands, settle_sign
from evergreen.ingestion.orders import add_order_checks
from evergreen.ingestion.row_filter import OTHER_DATES, RowFilter, filtered_columns
from evergreen.ingestion.sources import Ingested, OpenedSource, RawTable
from evergreen.ingestion.time_checks import check_clock, check_order
from evergreen.ingestion.user_files import check_shared_files, open_files
from evergreen.ingestion.zones import Zones
from evergreen.settings import paths
from evergreen.settings.sources import (
    AttributesSource,
    ByTargetSource,
    NotesSource,
    TransactionsSource,
)
from evergreen.store import files, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from evergreen.ingestion.conversion import Conversion
    from evergreen.ingestion.inputs import Input
    from evergreen.ingestion.money import Sign
    from evergreen.ingestion.time_sql import TimeColumn
    from evergreen.settings.pipeline import Settings

RawSource = TransactionsSource | NotesSource | AttributesSource | ByTargetSource
Opened = tuple["list[Input]", list[str], "Callable[[dict[int, int]], IngestionState]"]
"""Inputs, notices for users, and the state once all is ingested except the deferred lines, given
the first of them by input."""


def raw_tables(settings: Settings, *, afresh: bool = False) -> Iterator[RawTable]:
    """The tables that ``source:`` names, that of the transactions first.

    Parameters
    ----------
    afresh
        Whether to read all of the source, as if nothing had been ingested.
    """
    tables_of_source = _raw_tables(settings)
    if not afresh:
        yield from tables_of_source
        return
    for table in tables_of_source:
        yield replace(table, open=partial(table.open, afresh=True))


def _raw_tables(settings: Settings) -> Iterator[RawTable]:
    source = settings.source
    by_target = tables.by_target_schema(settings.targets)
    if source.transactions is not None:
        yield _transactions(settings)
    if source.notes is not None:
        yield _raw_table("notes", paths.NOTES, tables.NOTES, source.notes, settings)
    if source.attributes is not None:
        named = source.attributes.columns
        schema = tables.attributes_schema(named.numeric, named.categorical)
        yield _raw_table("attributes", paths.ATTRIBUTES, schema, source.attributes, settings)
    if source.outcomes is not None:
        yield _raw_table("outcomes", paths.OUTCOMES, by_target, source.outcomes, settings)
    if source.predictions is not None:
        folder = paths.PREDICTED_ELSEWHERE
        yield _raw_table("predictions", folder, by_target, source.predictions, settings)


def _transactions(settings: Settings) -> RawTable:
    """The raw table of the transactions, which several tables of the source may fill."""
    sources = settings.source.transaction_tables
    by_id = any(source.has_keys for source in sources.values())
    by_table = any(source.name for source in sources.values())
    schema = {
        (False, False): transactions.SCHEMA,
        (False, True): transactions.SCHEMA_BY_ID,
        (True, False): transactions.SCHEMA_BY_TABLE,
        (True, True): transactions.SCHEMA_BY_TABLE_AND_ID,
    }[by_table, by_id]
    return RawTable(
        name="transactions",
        label="transactions",
        folder=paths.TRANSACTIONS,
        schema=schema,
        complete=True,
        by_day=False,
        open=partial(_open_all, sources, settings),
    )


def _raw_table(
    name: str, folder: Path, schema: pa.Schema, source: RawSource, settings: Settings
) -> RawTable:
    return RawTable(
        name=name,
        label=name,
        folder=folder,
        schema=schema,
        complete=False,
        by_day=False,
        open=partial(_open_all, {name: source}, settings),
    )


def _open_all(
    sources: Mapping[str, RawSource],
    settings: Settings,
    con: duckdb.DuckDBPyConnection,
    *,
    afresh: bool = False,
) -> list[OpenedSource]:
    clients = IdRule(tuple(settings.source.missing_ids or ()), bool(settings.source.fold_case))
    CellRules({}, {}, clients).register(con)
    if len(sources) > 1:
        check_shared_files(settings.source.transaction_tables)
    registered: set[str] = set()
    opened = [
        _UserSource(key, source, settings, clients, afresh, registered)
        for key, source in sources.items()
    ]
    if not afresh:
        ingestion_state.check_names({source.key: source.mapped_as for source in opened})
    return [source.open(con) for source in opened]


@dataclass(frozen=True)
class _UserSource:
    """The source of a table: files or a database.

    Attributes
    ----------
    key
        Names it in messages and in the state of ingestion.
    clients
        How ids of clients are read: in the same way in all tables.
    afresh
        Whether to read all of it, as if nothing had been ingested.
    registered
        The names of the `TimeColumn`s whose functions the connection has.
    """

    key: str
    source: RawSource
    settings: Settings
    clients: IdRule
    afresh: bool
    registered: set[str]

    @property
    def mapped_as(self) -> dict[str, Any]:
        """What its rows are recognised with."""
        money = isinstance(self.source, TransactionsSource)
        return row_identity.mapping_of(self.source, self.settings, money=money)

    def open(self, con: duckdb.DuckDBPyConnection) -> OpenedSource:
        """Open what has not been ingested completely; map its columns."""
        minor_units = self.settings.data.minor_units
        read_with = [self.source.model_dump(mode="json"), minor_units]
        if self.clients != IdRule():
            read_with += [list(self.clients.missing), self.clients.fold_case]
        digest = files.digest_of(read_with)
        mapped_as = self.mapped_as
        state, changes, unrecorded = (
            ingestion_state.OpenedState(IngestionState(digest, mapping=mapped_as))
            if self.afresh
            else ingestion_state.read(self.key, digest, mapped_as)
        )
        opener = self._open_files if self.source.url_env is None else self._open_database
        inputs, notices, settled = opener(con, state)
        columns = self.source.columns
        times_of = getattr(columns, "timestamp", "")
        if not isinstance(times_of, str):
            inputs = [rows.joined(times_of) for rows in inputs]
        formats = [self._formats(rows, state.date_formats) for rows in inputs]
        dated = [OTHER_DATES, *(column for by_role in formats for column in by_role.values())]
        columns_by_name = {column.name: column for column in dated}
        for name in columns_by_name.keys() - self.registered:
            columns_by_name[name].register(con)
            self.registered.add(name)
        clock = state.clock

        def check(con: duckdb.DuckDBPyConnection) -> None:
            nonlocal clock
            if times.as_order(self.source.date_order) is None:
                check_order(con, self.key)
            clock = check_clock(con, self.key, state.clock)

        def settle(ingested: Ingested) -> None:
            new_state = replace(
                settled(ingested.deferred),
                date_formats=state.date_formats | _orders(formats) if self.source.url_env else {},
                clock=clock,
                currency=ingested.currency or state.currency,
            )
            ingestion_state.write(self.key, new_state, ingested.state_file)

        conversions = []
        for rows, by_role in zip(inputs, formats, strict=True):
            row_filter = RowFilter(
                rows, self.source.conditions, quiet=self.source.preset_conditions
            )
            headers = [*mapping.number_headers(columns, rows), *row_filter.numbers]
            rules = CellRules(by_role, self._decimals(rows, headers), self.clients)
            conversion = self._conversion(rows, rules)
            dates = {header: by_role[role] for role, header in mapping.date_roles(columns).items()}
            conversion.checks[:0] = row_filter.checks(rules.decimals, dates)
            if conversion.per_order:
                add_order_checks(conversion)
            conversions.append((rows, conversion))
        return OpenedSource(
            self.key, conversions, notices, settle, changes, unrecorded, state.currency, check
        )

    def _open_database(self, con: duckdb.DuckDBPyConnection, state: IngestionState) -> Opened:
        from evergreen.ingestion.databases import read_database  # noqa: PLC0415 - few need it

        copy = paths.WORK / self.key / "result.parquet"
        result = read_database(con, self.source, state.watermark, copy)

        def settled(deferred: dict[int, int]) -> IngestionState:
            reached = result.watermark(con, deferred.get(0))
            return replace(state, watermark=reached or state.watermark)

        return [result.rows.renamed(self.source.aliases or {})], [], settled

    def _open_files(self, con: duckdb.DuckDBPyConnection, state: IngestionState) -> Opened:
        named = mapping.mapped(self.source.columns)
        mapped = named.extended(self.source.aliases or {}, filtered_columns(self.source.conditions))
        work, required = paths.WORK / self.key, isinstance(self.source, TransactionsSource)
        opened = open_files(con, self.source, mapped, state.files, work, required=required)

        def settled(deferred: dict[int, int]) -> IngestionState:
            unsettled = {opened.owners[number] for number in deferred}
            done = {name: sha for name, sha in opened.digests.items() if name not in unsettled}
            return replace(state, files=done)

        inputs = [rows.renamed(self.source.aliases or {}) for rows in opened.inputs]
        return inputs, opened.notices, settled

    def _formats(self, rows: Input, remembered: Mapping[str, str]) -> dict[str, TimeColumn]:
        """How an input writes its dates, by role."""
        zones = Zones(self.settings.source.timezone, self.source.timezone)
        order = times.as_order(self.source.date_order)
        settings = DateSettings(self.source.date_format, order, zones)
        return {
            role: settle_dates(
                rows.values(column),
                settings,
                name=f"{rows.name}: column {header!r}",
                order=times.as_order(remembered.get(role)),
                serials=column in rows.serials,
            )
            for role, header in mapping.date_roles(self.source.columns).items()
            if (column := rows.column(header)) is not None
        }

    def _decimals(self, rows: Input, headers: list[str]) -> dict[str, Sign]:
        """The decimal separator of each column with numbers.

        Columns whose cells don't tell have that of the others of their file.

        Raises
        ------
        DataError
            If none tells, or the others differ.
        """
        if self.source.decimal != "auto":
            return dict.fromkeys(headers, self.source.decimal)
        signs = {
            header: settle_sign(rows.values(rows.column(header)))
            for header in headers
            if rows.column(header) not in rows.decimal_point
        }
        clear: set[Sign] = {sign for sign in signs.values() if sign in (".", ",")}
        usual = next(iter(clear)) if len(clear) == 1 else None
        unclear = next(
            (
                header
                for header, sign in signs.items()
                if sign == "?"
                and (usual is None or are_whole_thousands(rows.values(rows.column(header))))
            ),
            None,
        )
        if unclear is not None:
            raise UndecidedError(
                f"{rows.name}: column {unclear!r} has numbers such as 1,234 or 1.234, whose comma "
                "or point could precede decimals or thousands; nothing was changed",
                "set `decimal` of the source in params.yaml: '.' or ','",
                setting="decimal",
                choices=(".", ","),
            )
        return {
            header: sign if sign in (".", ",") else usual or "." for header, sign in signs.items()
        }

    def _conversion(self, rows: Input, rules: CellRules) -> Conversion:
        source = self.source
        if isinstance(source, NotesSource):
            return mapping.notes(rows, source.columns, rules)
        if isinstance(source, AttributesSource):
            return mapping.attributes(rows, source.columns, rules)
        if isinstance(source, ByTargetSource):
            targets = self.settings.targets.items()
            binary = {name for name, target in targets if target.kind == "binary"}
            exact = self.key == "outcomes"
            return mapping.by_target(rows, source.columns, rules, binary=binary, exact=exact)
        conversion = transaction_mapping.transactions(
            rows,
            source.columns,
            rules,
            minor_units=self.settings.data.minor_units,
            returns=source.sign == "negative",
            per_order=source.amount_per == "order",
        )
        conversion.two_sheets = bool(source.joined_sheets)
        if source.name:
            transaction_mapping.of_table(conversion, source.name)
        return conversion


def _orders(formats: list[dict[str, TimeColumn]]) -> dict[str, str]:
    """Whether the day or the month is first, by role, where cells told."""
    return {
        role: column.cells.order
        for by_role in formats
        for role, column in by_role.items()
        if column.cells.order is not None
    }
