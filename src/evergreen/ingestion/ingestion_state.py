"""What has been ingested completely, so that it need not be read again.

The file is beside the raw tables and versioned with them, so it is right for every commit.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from evergreen.errors import DataError
from evergreen.ingestion.row_identity import changes
from evergreen.settings import paths
from evergreen.store import files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass
class IngestionState:
    """The state of one table's source.

    Attributes
    ----------
    settings
        Digest of its settings in params.yaml; when they change, all is read again.
    files
        SHA-256 by name of the files of which no row is deferred.
    date_formats
        Whether the day or the month is first in a database's columns, by role, where rows told.
    clock
        The hours and UTC offsets of zoned times that are kept as they are written; see
        `evergreen.ingestion.zones.turning_points`.
    watermark
        From which value on to query a database; None from the start.
    mapping
        What its rows were ingested with, as `row_identity.mapping_of`; None if an earlier version
        ingested them.
    currency
        In which its amounts are, where a currency was beside them.
    """

    settings: str
    files: dict[str, str] = field(default_factory=dict)
    date_formats: dict[str, str] = field(default_factory=dict)
    clock: list[int] = field(default_factory=list)
    watermark: str | None = None
    mapping: dict[str, Any] | None = None
    currency: str | None = None


class OpenedState(NamedTuple):
    """The state to continue from, and how it differs from the settings.

    Attributes
    ----------
    changes
        What differs from the mapping on record, a line each.
    unrecorded
        Whether there may be rows whose mapping is not on record.
    """

    state: IngestionState
    changes: Sequence[str] = ()
    unrecorded: bool = False


def read(key: str, settings: str, mapping: dict[str, Any]) -> OpenedState:
    """Read the state of a source; where its settings or its mapping differ, all is read again.

    Parameters
    ----------
    key
        Such as ``notes``, or ``transactions/refunds`` for one of several tables.
    settings, mapping
        As for `IngestionState`, of today.
    """
    states = _all()
    state = IngestionState(**states.get(key, {"settings": ""}))
    table = key.partition("/")[0]
    added = key not in states and any(other.partition("/")[0] == table for other in states)
    differing = [] if state.mapping is None else changes(state.mapping, mapping)
    unrecorded = state.mapping is None and not added
    keep_reading = state.settings == settings and not differing
    if unrecorded:
        keep_reading = keep_reading and state.watermark is not None
    continued = (
        replace(state, mapping=mapping)
        if keep_reading
        else IngestionState(settings, mapping=mapping, currency=state.currency)
    )
    return OpenedState(continued, differing, unrecorded)


def check_names(mappings: Mapping[str, dict[str, Any]]) -> None:
    """Refuse another name for a table whose rows have its name.

    Parameters
    ----------
    mappings
        Of all sources of one raw table, by key.

    Raises
    ------
    DataError
        With both names.
    """
    table = min(mappings, default="").partition("/")[0]
    recorded = {key: state.get("mapping") for key, state in _all().items()}
    gone = [k for k in recorded if k.partition("/")[0] == table and k not in mappings]
    for key, mapping in mappings.items():
        renamed = [old for old in gone if recorded[old] == mapping]
        if key not in recorded and renamed:
            raise DataError(
                f"{key}: has the settings of {renamed[0]}, which params.yaml no longer has: its "
                "rows are ingested under the earlier name, and would be added a second time; "
                "nothing was changed",
                "give the table its name back in params.yaml",
            )


def recorded_mappings(table: str) -> dict[str, dict[str, Any]] | None:
    """The mapping of each source of a table, by key; None where one is not on record."""
    states = {key: state for key, state in _all().items() if key.partition("/")[0] == table}
    mappings = {key: state.get("mapping") for key, state in states.items()}
    known = {key: mapping for key, mapping in mappings.items() if mapping is not None}
    return known if mappings and len(known) == len(mappings) else None


def write(key: str, state: IngestionState, path: Path = paths.INGESTION_STATE) -> None:
    """Write the state; last of all, when every row is in its place."""
    files.write_json(_all(path) | {key: asdict(state)}, path)


def _all(path: Path = paths.INGESTION_STATE) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    restore = f"dvc checkout --force {paths.RAW}"
    states = files.read_json(path, next_step=restore)
    names = {field.name for field in fields(IngestionState)}
    if not isinstance(states, dict) or not all(
        isinstance(state, dict) and "settings" in state and set(state) <= names
        for state in states.values()
    ):
        raise DataError(f"{path} was not written by this version of evergreen", restore)
    return states
