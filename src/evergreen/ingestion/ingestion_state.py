"""What has been ingested completely, so that it need not be read again.

The file is beside the raw tables and versioned with them, so it is right for every commit.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from evergreen.errors import DataError
from evergreen.settings import paths
from evergreen.store import files


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
        How its columns write dates, by role, where that was detected.
    watermark
        From which value on to query a database; None from the start.
    """

    settings: str
    files: dict[str, str] = field(default_factory=dict)
    date_formats: dict[str, str] = field(default_factory=dict)
    watermark: str | None = None


def read(table: str, settings: str) -> IngestionState:
    """Read the state of a table's source; a new one if there is none for these settings."""
    state = _all().get(table, {})
    return (
        IngestionState(**state) if state.get("settings") == settings else IngestionState(settings)
    )


def write(table: str, state: IngestionState) -> None:
    """Write the state; last of all, when every row is in its place."""
    files.write_json(_all() | {table: asdict(state)}, paths.INGESTION_STATE)


def _all() -> dict[str, dict[str, Any]]:
    if not paths.INGESTION_STATE.exists():
        return {}
    restore = f"dvc checkout --force {paths.RAW}"
    states = files.read_json(paths.INGESTION_STATE, next_step=restore)
    names = {field.name for field in fields(IngestionState)}
    if not isinstance(states, dict) or not all(
        isinstance(state, dict) and "settings" in state and set(state) <= names
        for state in states.values()
    ):
        raise DataError(
            f"{paths.INGESTION_STATE} was not written by this version of evergreen", restore
        )
    return states
