"""What has been taken in completely, so that it need not be read again: ``taken-in.json``.

It lies beside the raw tables and is versioned with them, so it is right for every commit.
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
        Digest of what params.yaml says of it; when that changes, all is read again.
    files
        SHA-256 by name of the files of which no row is waiting.
    date_formats
        How its columns write dates, by name, where that was found out.
    watermark
        From which value on a database is asked; None from the start.
    """

    settings: str
    files: dict[str, str] = field(default_factory=dict)
    date_formats: dict[str, str] = field(default_factory=dict)
    watermark: str | None = None


def read(table: str, settings: str) -> IngestionState:
    """The state of a table's source; a new one if there is none for these settings."""
    found = _all().get(table, {})
    return (
        IngestionState(**found) if found.get("settings") == settings else IngestionState(settings)
    )


def write(table: str, state: IngestionState) -> None:
    """Keep the state; last of all, when every row is in its place."""
    files.write_json(_all() | {table: asdict(state)}, paths.INGESTION_STATE)


def _all() -> dict[str, dict[str, Any]]:
    if not paths.INGESTION_STATE.exists():
        return {}
    restore = f"dvc checkout --force {paths.RAW}"
    found = files.read_json(paths.INGESTION_STATE, next_step=restore)
    known = {one.name for one in fields(IngestionState)}
    if not isinstance(found, dict) or not all(
        isinstance(state, dict) and "settings" in state and set(state) <= known
        for state in found.values()
    ):
        raise DataError(
            f"{paths.INGESTION_STATE} is not what this version of evergreen writes", restore
        )
    return found
