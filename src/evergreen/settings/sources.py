"""Settings of ``source:``, where new rows come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from evergreen.settings import filters
from evergreen.settings.base import SparseSection
from evergreen.settings.columns import (
    AttributeColumns,
    Header,
    Headers,
    Name,
    NoteColumns,
    TargetColumns,
    TransactionColumns,
)
from evergreen.settings.dates import DateFormat, TimeZone
from evergreen.settings.names import Demo
from evergreen.settings.presets import (
    Preset,
    preset_conditions,
    preset_names,
    with_companions,
    with_preset,
)
from evergreen.settings.simulation import Simulation

Conditions = Header | list[Header] | dict[Header, Header]


def _known_encoding(name: str | None) -> str | None:
    if name not in (None, "auto"):
        try:
            "a".encode(name)  # raises for codecs that are not for text too, such as hex
        except (LookupError, UnicodeError):
            raise ValueError(
                "must be auto or an encoding that Python knows, such as cp1252"
            ) from None
    return name


def _checked(conditions: Conditions | None) -> Conditions | None:
    for condition in _listed(conditions).values():
        filters.check(condition)
    return conditions


def _listed(conditions: Conditions | None) -> dict[str, str]:
    """Conditions by the reason for which they exclude rows."""
    if isinstance(conditions, dict):
        return conditions
    listed = [conditions] if isinstance(conditions, str) else conditions or []
    return {f"does not meet {condition}": condition for condition in listed}


class TableSource(SparseSection):
    """The rows of one table: from files, or from a database."""

    files: Headers | None = Field(
        None, description="Files to read: a folder, a glob, or a list of them"
    )
    url_env: Header | None = Field(
        None, description="Environment variable with a database's URL, instead of files"
    )
    table: Header | None = Field(None, description="Table of the database to read")
    query: Header | None = Field(None, description="SQL query to run, instead of table")
    watermark: Header | None = Field(
        None,
        description="Column whose values only grow; each ingestion reads the rows from shortly "
        "before its last value on",
    )
    delimiter: Literal["auto", ",", ";", "\t", "|"] | None = Field(
        None, description="Delimiter of CSV files; detected by default"
    )
    encoding: Annotated[str | None, AfterValidator(_known_encoding)] = Field(
        None, description="Encoding of CSV files, as Python names it; detected by default"
    )
    quote: Literal["auto", '"', "'", "none"] | None = Field(
        None,
        description="What encloses cells of CSV files: a quotation mark, or none where quotation "
        "marks are characters of the text; detected by default",
    )
    header_row: int | None = Field(
        None, ge=1, description="Line of the header in each file, from 1; detected by default"
    )
    skip_footer: int | None = Field(
        None,
        ge=0,
        description="Lines at the end of each file that are not rows; totals and footers that can "
        "be told are excluded by default",
    )
    decimal: Literal["auto", ".", ","] = Field(
        "auto", description="Decimal separator; by default as the cells of each file tell"
    )
    date_format: DateFormat = Field(
        "auto",
        description="Format of dates: auto, iso, excel (days as spreadsheets count them), epoch "
        "(seconds since 1970), epoch_ms, or a strptime format, which may end in %z",
    )
    date_order: Literal["auto", "day_first", "month_first"] | None = Field(
        None,
        description="Which number of a date such as 03/02/2017 is the day; by default as the cells "
        "of each file tell",
    )
    timezone: TimeZone = Field(
        None,
        description="Zone in which this table writes times without a zone; by default "
        "source.timezone",
    )

    aliases: dict[Header, list[Header]] | None = Field(
        None,
        description="Other names of columns, for files that differ: for each column that is named "
        "here, those to read where a file lacks it",
    )

    where: Annotated[Conditions | None, AfterValidator(_checked)] = Field(
        None,
        description="Rows to keep: an SQL condition on the columns of the source, a list of them, "
        "or a mapping from the reasons to exclude rows to the conditions that the others meet",
    )

    @property
    def conditions(self) -> dict[str, str]:
        """The conditions of rows to keep, by the reason for which they exclude others."""
        return _listed(self.where)

    @property
    def preset_conditions(self) -> dict[str, str]:
        """Those of them that a preset adds."""
        return {}

    @property
    def patterns(self) -> list[str]:
        """The globs of files, relative to the root of the repository."""
        return [self.files] if isinstance(self.files, str) else list(self.files or ())

    @model_validator(mode="after")
    def _files_or_database(self) -> Self:
        if (self.files is None) == (self.url_env is None):
            raise ValueError("give either files or url_env, and not both")
        if (self.url_env is not None) != ((self.table is None) != (self.query is None)):
            raise ValueError("url_env needs either table or query, and not both; files need none")
        if self.files is not None and self.watermark is not None:
            raise ValueError("watermark is for databases; files are recognised by their content")
        return self


class TransactionsSource(TableSource):
    """Where transactions come from: one table, or a list of tables."""

    name: Name | None = Field(
        None, description="Name of one of several tables; all but one need a name of their own"
    )
    preset: Preset | None = Field(
        None,
        description="A known export; its settings hold where this table has none of its own",
    )

    @property
    def preset_conditions(self) -> dict[str, str]:
        """Those of the conditions that the preset adds."""
        return preset_conditions(self.preset)

    joined_sheets: bool | None = Field(
        None,
        description="Whether a file may be two overlapping sheets in one: rows from where the "
        "dates step back repeat some of those before",
    )
    amount_per: Literal["line", "order"] | None = Field(
        None,
        description="Whether an amount is that of its line (the default), or the total of its "
        "order, which is on the first line or on each of them; needs invoice_id",
    )
    sign: Literal["positive", "negative"] | None = Field(
        None,
        description="Whether amounts and quantities count as they are (positive, the default), or "
        "as returns (negative), as in a table of refunds",
    )
    columns: TransactionColumns

    @model_validator(mode="before")
    @classmethod
    def _completed_by_preset(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        if "adapter" in values:
            raise ValueError("adapter was replaced: write `preset: online-retail` instead")
        completed = with_preset(values)
        if not completed.keys() & {"columns", "preset"}:
            raise ValueError(f"give columns, or a preset: {', '.join(preset_names())}")
        return completed

    @property
    def has_keys(self) -> bool:
        """Whether a row has a key in the source: its own, or that of its order."""
        return self.columns.row_id is not None or self.amount_per == "order"

    @property
    def has_amounts_per_line(self) -> bool:
        """Whether each line of a known order has an amount of its own."""
        columns = self.columns
        mapped = columns.invoice_id is not None and columns.amount is not None
        return mapped and self.amount_per != "order"

    @model_validator(mode="after")
    def _watermark_needs_a_key(self) -> Self:
        if self.amount_per == "order":
            if self.columns.invoice_id is None or self.columns.amount is None:
                raise ValueError("amount_per: order needs columns.invoice_id and columns.amount")
            if self.columns.row_id is not None:
                raise ValueError(
                    "amount_per: order takes columns.invoice_id as the key of a row; remove row_id"
                )
        if self.watermark is not None and not self.has_keys:
            raise ValueError(
                "watermark needs columns.row_id: without it, a new row that equals an old one "
                "would be mistaken for it"
            )
        return self


class NotesSource(TableSource):
    """Where advisors' notes come from."""

    columns: NoteColumns


class DatedSource(TableSource):
    """A table whose date is in a column, or in the name of its file."""

    columns: TargetColumns | AttributeColumns
    date_column: ClassVar[str]

    @model_validator(mode="after")
    def _a_database_has_no_file_name(self) -> Self:
        if self.url_env is not None and getattr(self.columns, self.date_column) is None:
            raise ValueError(
                f"a database needs columns.{self.date_column}, as no file name has the date"
            )
        return self


class ByTargetSource(DatedSource):
    """Where external outcomes or predictions come from."""

    columns: TargetColumns
    date_column = "observed_on"


class AttributesSource(DatedSource):
    """Where client attributes come from."""

    columns: AttributeColumns
    date_column = "valid_from"


ONE_TABLE, TABLES = "<table>", "<tables>"
"""Where an error is inside a table, or a list of tables; not part of its key."""
OneOrMoreTables = Annotated[
    Annotated[TransactionsSource, Tag(ONE_TABLE)]
    | Annotated[list[TransactionsSource], Field(min_length=1), Tag(TABLES)],
    Discriminator(lambda value: TABLES if isinstance(value, list) else ONE_TABLE),
]


class Source(SparseSection):
    """Where new rows come from: a demo, or your own tables; see sources.md."""

    demo: Demo | None = Field(None, description="Demo data to ingest, instead of your own tables")
    preset: Preset | None = Field(
        None, description="Preset of all tables of transactions that name none, not even null"
    )
    simulation: Simulation = Field(default_factory=Simulation)
    timezone: TimeZone = Field(
        None,
        description="IANA time zone of the retailer, to which all times with a zone are converted; "
        "by default they must be of one zone, and are kept as written",
    )
    missing_ids: list[Header] | None = Field(
        None, description="Words that stand for no client in any table, such as Guest"
    )
    fold_case: bool | None = Field(
        None,
        description="Whether ids of clients that differ only in case are one, in all tables; "
        "by default they are not",
    )
    transactions: OneOrMoreTables | None = None
    notes: NotesSource | None = None
    attributes: AttributesSource | None = None
    outcomes: ByTargetSource | None = None
    predictions: ByTargetSource | None = None

    @property
    def transaction_tables(self) -> dict[str, TransactionsSource]:
        """The tables of transactions; keys are ``transactions`` and ``transactions/<name>``."""
        listed = self.transactions if isinstance(self.transactions, list) else [self.transactions]
        return {
            f"transactions/{table.name}" if table.name else "transactions": table
            for table in listed
            if table is not None
        }

    @field_validator("transactions")
    @classmethod
    def _names_tell_tables_apart(cls, tables: OneOrMoreTables | None) -> OneOrMoreTables | None:
        names = [table.name for table in tables] if isinstance(tables, list) else []
        twice = next((name for name in names if names.count(name) > 1), "")
        if twice is None:
            raise ValueError("give each further table a name, such as `name: refunds`")
        if twice:
            raise ValueError(f"two tables have the name {twice!r}")
        return tables

    @model_validator(mode="before")
    @classmethod
    def _tables_of_presets(cls, values: object) -> object:
        if not isinstance(values, Mapping) or values.get("transactions") is None:
            return values
        given, preset = values["transactions"], values.get("preset")
        tables = given if isinstance(given, list) else [given]
        if preset is not None:
            tables = [{"preset": preset} | t if isinstance(t, dict) else t for t in tables]
        tables = with_companions(tables)
        one = not isinstance(given, list) and len(tables) == 1
        return dict(values) | {"transactions": tables[0] if one else tables}

    @model_validator(mode="after")
    def _zones_of_tables_need_one_of_the_source(self) -> Self:
        if self.timezone is None:
            for key, table in self.tables.items():
                if table.timezone is not None:
                    raise ValueError(
                        f"timezone of {key} needs source.timezone too, the retailer's own zone, "
                        "such as timezone: Europe/Paris"
                    )
        return self

    @property
    def tables(self) -> dict[str, TableSource]:
        """All tables by key, those of transactions first."""
        others = {
            "notes": self.notes,
            "attributes": self.attributes,
            "outcomes": self.outcomes,
            "predictions": self.predictions,
        }
        return {
            **self.transaction_tables,
            **{name: table for name, table in others.items() if table is not None},
        }

    @model_validator(mode="after")
    def _demo_or_user_tables(self) -> Source:
        if (self.demo is None) == (self.transactions is None):
            raise ValueError("give either demo or transactions, and not both")
        others = (self.notes, self.attributes, self.outcomes, self.predictions)
        if self.demo is not None and any(others):
            raise ValueError("a demo brings its own tables, so no other table can be given with it")
        return self

    @model_serializer(mode="wrap")
    def _what_is_used(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        unused = "simulation" if self.demo is None else None
        return {k: v for k, v in serialize(self).items() if v is not None and k != unused}
