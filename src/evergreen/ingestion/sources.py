"""What a source of rows has to provide; all other steps of an ingestion are the same for all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.settings import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import duckdb
    import pyarrow as pa

    from evergreen.ingestion.conversion import Conversion
    from evergreen.ingestion.inputs import Input


@dataclass(frozen=True)
class Ingested:
    """What became of the rows of a source.

    Attributes
    ----------
    deferred
        The first line that is left for a later ingestion, by input.
    currency
        Of the amounts, where a currency was beside them.
    state_file
        Where to record it.
    """

    deferred: dict[int, int]
    currency: str | None = None
    state_file: Path = paths.INGESTION_STATE


@dataclass(frozen=True)
class OpenedSource:
    """What is to be read of a source.

    Attributes
    ----------
    label
        Names the source in messages.
    inputs
        Each with the conversion of its cells, in order.
    notices
        What users should know about them, a line each.
    settle
        Called when all rows are written.
    changes
        What differs from the mapping that earlier rows were ingested with, a line each.
    unrecorded
        Whether there may be earlier rows whose mapping is not on record.
    currency
        Of the amounts ingested earlier, where a currency was beside them.
    check
        Called when all rows are staged, before any is written; raises DataError.
    """

    label: str
    inputs: list[tuple[Input, Conversion]]
    notices: list[str]
    settle: Callable[[Ingested], None]
    changes: Sequence[str] = ()
    unrecorded: bool = False
    currency: str | None = None
    check: Callable[[duckdb.DuckDBPyConnection], None] = lambda _: None


@dataclass(frozen=True)
class RawTable:
    """A raw table and its sources.

    Attributes
    ----------
    name
        Names the files in quarantine.
    label
        Names the table in messages.
    complete
        Whether the last row is the end of what is known, as with transactions; see `deduplicate`.
    by_day
        Whether the source gives the same rows for the same days every time, as demos do.
    open
        Opens the sources, given the connection that reads them.
    """

    name: str
    label: str
    folder: Path
    schema: pa.Schema
    complete: bool
    by_day: bool
    open: Callable[..., list[OpenedSource]]
