"""Records of rollbacks and late approvals, and the release that the next run has to beat."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Literal

from evergreen.history import run_records
from evergreen.settings import paths
from evergreen.vcs.git import files_at, last_commit_of, show

What = Literal["rollback", "approval"]


class RollbackRecord(run_records.HistoryRecord):
    """A change of served models after the run of a date; `number` counts those after the same run.

    A late approval is one too: its run could not be merged, as later runs had been recorded.
    """

    what: What = "rollback"
    after: date
    number: int
    release: str
    previous_release: str | None
    targets: dict[str, tuple[str | None, str]]
    reason: str
    manifest_sha256: str | None = None

    @property
    def path(self) -> Path:
        """The file of the record."""
        return paths.HISTORY / "rollbacks" / f"{self.after}-{self.number}.json"


def read_all() -> list[RollbackRecord]:
    """All committed rollbacks, in order; an interrupted one does not count."""
    return _read_at("HEAD")


def _read_at(commit: str) -> list[RollbackRecord]:
    names = files_at(commit, paths.HISTORY / "rollbacks")
    records = [RollbackRecord.model_validate_json(show(commit, name)) for name in names]
    return sorted(records, key=lambda record: (record.after, record.number))


def since(last: date) -> list[RollbackRecord]:
    """The rollbacks after the run of a date, in order."""
    return [record for record in read_all() if record.after == last]


def manifest_digest(commit: str, folder: Path) -> str | None:
    """The SHA-256 that git holds for the manifest of the release in a folder of a commit.

    None for releases of earlier versions.
    """
    if folder == paths.ROLLBACK:
        return _read_at(commit)[-1].manifest_sha256
    digest: str | None = json.loads(show(commit, paths.DECISION_REPORT)).get("manifest_sha256")
    return digest


def current_release(last: date) -> tuple[str, Path]:
    """The release that the next run has to beat: a commit, and the folder in it.

    It is what the run of `last` released, or what was rolled back to since.
    """
    rollbacks = since(last)
    if not rollbacks:
        return run_records.commit_of(last), paths.PRODUCTION
    return str(last_commit_of(rollbacks[-1].path)), paths.ROLLBACK
