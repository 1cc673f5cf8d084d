"""Settings of ``columns:``, which column of a source is which canonical one."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from evergreen.settings.base import SparseSection

Header = Annotated[str, Field(min_length=1)]
Headers = Header | Annotated[list[Header], Field(min_length=1)]
ClientId = Annotated[
    Headers,
    Field(description="Column with the client's id, or a list: the first that is not blank counts"),
]
IngestedOn = Annotated[
    Header | None,
    Field(
        description="Column with the day on which the row became known; by default the row's own "
        "date"
    ),
]
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]

TAKEN = frozenset(
    """
    bad blamed client_id clock currency day ingested_on input known_clock label line
    malformed observed_on quiet reason release row_id sheet source status value verdict
    """.split()  # noqa: SIM905 - a list would have a line for each
)
"""Columns that ingestion adds to those of outcomes and predictions."""


class TransactionColumns(SparseSection):
    """Columns of the transactions."""

    # What params.yaml lacks may come from a preset.
    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required", None))

    client_id: ClientId
    timestamp: Headers = Field(
        description="Column with the date of purchase, with or without time; or the columns with "
        "the date and with the time of day"
    )
    amount: Header | Annotated[float, Field(gt=0, le=1_000_000)] | None = Field(
        None,
        description="Column with the amount in major units, negative for a return; or a sum of "
        "columns such as Item Total - Coupon + Shipping; or a number, where there are no amounts",
    )
    price: Header | None = Field(
        None, description="Column with the unit price, instead of amount; needs quantity"
    )
    currency: Header | None = Field(
        None,
        description="Column with the currency of the amount; by default the one column with a name "
        "such as Currency, where its cells are not blank",
    )
    quantity: Header | None = Field(
        None, description="Column with the quantity, negative for a return"
    )
    text: Headers | None = Field(
        None, description="Column with a description, or a list of columns to join"
    )
    invoice_id: Header | None = Field(
        None,
        description="Column with the invoice number; by default, rows of the same client and time "
        "are one invoice",
    )
    ingested_on: IngestedOn = None
    row_id: Header | None = Field(
        None,
        description="Column with the row's key in the source; a changed row with a known key "
        "corrects the ingested one",
    )

    @model_validator(mode="after")
    def _one_way_to_an_amount(self) -> Self:
        if (self.amount is None) == (self.price is None):
            raise ValueError("map either amount or price, and not both")
        if self.price is not None and self.quantity is None:
            raise ValueError("price needs quantity: the amount is their product")
        return self


class NoteColumns(SparseSection):
    """Columns of advisors' notes."""

    client_id: ClientId
    timestamp: Headers = Field(
        description="Column with the date of the note; or those with its date and its time of day"
    )
    text: Headers = Field(description="Column with the text, or a list of columns to join")
    language: Header | None = Field(None, description="Column with the language")
    ingested_on: IngestedOn = None


class TargetColumns(SparseSection):
    """Columns of outcomes or predictions."""

    client_id: ClientId
    observed_on: Header | None = Field(
        None,
        description="Column with the date of the prediction; by default the date in the file's "
        "name",
    )
    ingested_on: IngestedOn = None
    targets: dict[str, Header] = Field(
        min_length=1, description="For each target, the column with its value"
    )

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        taken = sorted(TAKEN & self.targets.keys())
        if taken:
            raise ValueError(
                f"the target {taken[0]!r} has the name of a column that each outcome has anyway: "
                f"choose another, such as {taken[0]}_target"
            )
        return self


class AttributeColumns(SparseSection):
    """Columns of client attributes."""

    client_id: ClientId
    valid_from: Header | None = Field(
        None,
        description="Column with the date from which the attributes are valid; by default the date "
        "in the file's name",
    )
    ingested_on: IngestedOn = None
    numeric: dict[Name, Header] = Field(
        {}, description="Numeric attributes: for each name, the column that holds it"
    )
    categorical: dict[Name, Header] = Field(
        {}, description="Categorical attributes: for each name, the column that holds it"
    )

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        if not self.numeric and not self.categorical:
            raise ValueError("map at least one attribute, numeric or categorical")
        return self
