"""What `source:` in ``params.yaml`` may say of a retailer's own files and databases."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Header = Annotated[str, Field(min_length=1)]
Headers = Header | Annotated[list[Header], Field(min_length=1)]
Adapter = Literal["online-retail-ii"]


class Mapped(BaseModel):
    """A part of `source:`; what is null or left out is not written out either."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_serializer(mode="wrap")
    def _without_null(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if value is not None}


class TransactionColumns(Mapped):
    """Which column of the source holds what; the amount is in major units, or price x quantity."""

    client_id: Header
    timestamp: Header
    amount: Header | None = None
    price: Header | None = None
    quantity: Header | None = None
    text: Headers | None = None
    invoice_id: Header | None = None
    ingested_on: Header | None = None
    row_id: Header | None = None

    @model_validator(mode="after")
    def _one_way_to_an_amount(self) -> Self:
        if (self.amount is None) == (self.price is None):
            raise ValueError("either amount or price is to be mapped, and not both")
        if self.price is not None and self.quantity is None:
            raise ValueError("price needs quantity: their product is the amount")
        return self


class NoteColumns(Mapped):
    """Which column of the source holds what of a note."""

    client_id: Header
    timestamp: Header
    text: Headers
    language: Header | None = None
    ingested_on: Header | None = None


class TargetColumns(Mapped):
    """Which column holds what was predicted, or what came out, for each target.

    Without `observed_on`, the date stands in the name of the file.
    """

    client_id: Header
    observed_on: Header | None = None
    ingested_on: Header | None = None
    targets: Annotated[dict[str, Header], Field(min_length=1)]


Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]


class AttributeColumns(Mapped):
    """Which column holds which attribute of clients, by the name that its feature gets.

    Without `valid_from`, the date stands in the name of the file.
    """

    client_id: Header
    valid_from: Header | None = None
    ingested_on: Header | None = None
    numeric: dict[Name, Header] = {}
    categorical: dict[Name, Header] = {}

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        if not self.numeric and not self.categorical:
            raise ValueError("at least one attribute is to be mapped, numeric or categorical")
        return self


def _known_encoding(name: str | None) -> str | None:
    if name not in (None, "auto"):
        try:
            "a".encode(name)  # raises for codecs that are not of text too, as hex
        except (LookupError, UnicodeError):
            raise ValueError("must be auto or an encoding that Python knows, as cp1252") from None
    return name


class TableSource(Mapped):
    """Where the rows of one table come from: files, or a database named by a variable."""

    files: Headers | None = None
    url_env: Header | None = None
    table: Header | None = None
    query: Header | None = None
    watermark: Header | None = None
    delimiter: Literal["auto", ",", ";", "\t", "|"] | None = None
    encoding: Annotated[str | None, AfterValidator(_known_encoding)] = None
    decimal: Literal[".", ","] = "."
    date_format: Header = "auto"

    @property
    def patterns(self) -> list[str]:
        """The globs of files, relative to the root of the repository."""
        return [self.files] if isinstance(self.files, str) else list(self.files or ())

    @model_validator(mode="after")
    def _files_or_database(self) -> Self:
        if (self.files is None) == (self.url_env is None):
            raise ValueError("either files or url_env says where the rows are, and not both")
        if (self.url_env is not None) != ((self.table is None) != (self.query is None)):
            raise ValueError("url_env needs either table or query, and not both; files need none")
        if self.files is not None and self.watermark is not None:
            raise ValueError("watermark is for databases; files are recognised by their content")
        return self


class TransactionsSource(TableSource):
    """Where transactions come from."""

    adapter: Adapter | None = None
    columns: TransactionColumns | None = None

    @model_validator(mode="after")
    def _columns_or_adapter(self) -> Self:
        if (self.columns is None) == (self.adapter is None):
            raise ValueError("either columns or adapter says what the columns are, and not both")
        return self

    @model_validator(mode="after")
    def _equal_rows_are_told_apart(self) -> Self:
        if self.watermark is not None and (self.columns is None or self.columns.row_id is None):
            raise ValueError(
                "watermark needs columns.row_id: without it, a new row that equals an old one "
                "is taken for that one"
            )
        return self


class NotesSource(TableSource):
    """Where advisors' notes come from."""

    columns: NoteColumns


class ByTargetSource(TableSource):
    """Where outcomes, or predictions that were made elsewhere, come from."""

    columns: TargetColumns

    @model_validator(mode="after")
    def _a_database_has_no_file_name(self) -> Self:
        if self.url_env is not None and self.columns.observed_on is None:
            raise ValueError("columns.observed_on is needed where no file name holds the date")
        return self


class AttributesSource(TableSource):
    """Where client attributes come from."""

    columns: AttributeColumns

    @model_validator(mode="after")
    def _a_database_has_no_file_name(self) -> Self:
        if self.url_env is not None and self.columns.valid_from is None:
            raise ValueError("columns.valid_from is needed where no file name holds the date")
        return self
