"""Records of forgotten clients, without their ids."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from evergreen.history.run_records import HistoryRecord
from evergreen.settings import paths
from evergreen.store import files
from evergreen.vcs.git import files_at


class ForgetRecord(HistoryRecord):
    """Clients that were forgotten after the run of a date; `number` counts those after the same.

    Attributes
    ----------
    key
        The fingerprint of the key of the hashes.
    clients
        The keyed hash of each id; see `evergreen.ingestion.tombstones`.
    held_out
        How many of them were held out from training: they counted in verdicts, not in models.
    rows
        The number of rows that were removed, by folder.
    models
        The models that are served and were trained with the clients, by target.
    next_full_retrain
        When the next full retrain is due at the latest.
    not_reproducible
        The runs whose data are gone, and which can't be reproduced byte for byte any more.
    objects
        The DVC objects that held the clients, and the listings that name them.
    """

    after: date
    number: int
    reason: str
    key: str
    clients: list[str]
    held_out: int
    rows: dict[str, int]
    models: dict[str, str]
    next_full_retrain: date
    not_reproducible: list[date]
    objects: list[str]

    @property
    def path(self) -> Path:
        """The file of the record."""
        return paths.FORGOTTEN / f"{self.after}-{self.number}.json"


def read_all() -> list[ForgetRecord]:
    """All records of the working folder, in order."""
    texts = [path.read_text("utf-8") for path in paths.FORGOTTEN.glob("*.json")]
    records = [ForgetRecord.model_validate_json(text) for text in texts]
    return sorted(records, key=lambda record: (record.after, record.number))


def unfinished() -> ForgetRecord | None:
    """The record that is not committed: its command was killed."""
    records = read_all()
    committed = files_at("HEAD", paths.FORGOTTEN) if records else []
    return next((record for record in records if str(record.path) not in committed), None)


def write(record: ForgetRecord) -> None:
    """Write a record; clients are being forgotten from then on."""
    files.write_json(record.model_dump(mode="json"), record.path)
