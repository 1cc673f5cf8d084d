"""What all parts of the settings share."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from evergreen.settings.dates import parse_date


def _date(value: object) -> object:
    """Accept a date as YAML or `dvc exp run -S` reads it: text, a date or a time."""
    if isinstance(value, str):
        return parse_date(value)
    return value.date() if isinstance(value, datetime) else value


Day = Annotated[date, BeforeValidator(_date)]
Days = Annotated[int, Field(ge=1, le=3660)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """A part of the settings: immutable, and strict about names and types.

    A field's description, default and range appear in ``docs/reference.md`` and in
    ``params.schema.json``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SparseSection(Section):
    """A part of the settings whose keys are not written where they are null."""

    @model_serializer(mode="wrap")
    def _without_null(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if value is not None}
