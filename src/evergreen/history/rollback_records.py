"""The records of rollbacks and late approvals, and which release the next run has to beat."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from evergreen.history import run_records
from evergreen.settings import paths
from evergreen.vcs.git import files_at, last_commit_of, show

if TYPE_CHECKING:
    from pathlib import Path

What = Literal["rollback", "approval"]


class RollbackRecord(BaseModel):
    """An exchange of models after the run of a date; `number` counts those after the same run.

    An approval is one too: of a run that could not be merged, for later runs were recorded.
    """

    model_config = ConfigDict(extra="forbid")

    what: What = "rollback"
    after: date
    number: int
    release: str
    previous_release: str | None
    targets: dict[str, tuple[str | None, str]]
    reason: str

    @property
    def path(self) -> Path:
        """Where it stands, next to the records of the runs."""
        return paths.HISTORY / "rollbacks" / f"{self.after}-{self.number}.json"


def read_all() -> list[RollbackRecord]:
    """Every rollback that was committed, in order: one that was interrupted has not happened."""
    folder = paths.HISTORY / "rollbacks"
    names = files_at("HEAD", folder)
    records = [RollbackRecord.model_validate_json(show("HEAD", name)) for name in names]
    return sorted(records, key=lambda record: (record.after, record.number))


def since(last: date) -> list[RollbackRecord]:
    """The rollbacks after the run of a date, in order."""
    return [record for record in read_all() if record.after == last]


def reigning(last: date) -> tuple[str, Path]:
    """Where the release is that the next run has to beat: a commit, and the folder in it.

    What the run of `last` released, or what was rolled back to since.
    """
    found = since(last)
    if not found:
        return run_records.commit_of(last), paths.PRODUCTION
    return str(last_commit_of(found[-1].path)), paths.ROLLBACK
