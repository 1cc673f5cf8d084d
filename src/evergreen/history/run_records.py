"""The history: one record of every run, in git, with what was decided for each target and why."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from evergreen.errors import DataError
from evergreen.settings import paths
from evergreen.store import files
from evergreen.vcs.git import changes, files_at, last_commit_of

if TYPE_CHECKING:
    from pathlib import Path


class CandidateRecord(BaseModel):
    """A challenger as it was judged.

    `alpha` is the chance that this look had of promoting it if it was no better; None in a record
    from before it was kept.
    """

    model_config = ConfigDict(extra="forbid")

    version: str
    parent: str | None
    trained_on: int
    updates: int
    loss: float | None
    gain: float | None
    interval: tuple[float, float] | None
    reason: str
    alpha: float | None = None


class AlertRecord(BaseModel):
    """What has become of the champion, where that is an alert; see docs/drift.md."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["decline", "inputs", "predictions"]
    since: date
    message: str = Field(validation_alias=AliasChoices("message", "words"))


class TargetRecord(BaseModel):
    """What a run did for one target.

    `version` is the model in production after it, `champion` the one before. `opponent` is what
    the candidates had to beat; `champion_loss` its loss on the same `rows`. `live` is what past
    releases' predictions of this target were worth by then; `alerts` are about `champion`.
    """

    model_config = ConfigDict(extra="forbid")

    action: str
    version: str | None
    champion: str | None
    opponent: str | None
    rows: int
    clients: int
    loss: str
    champion_loss: float | None
    candidates: dict[str, CandidateRecord]
    absent: dict[str, str]
    verdict: str
    labels: int
    live: dict[str, dict[str, Any]]
    alerts: list[AlertRecord] = Field([], validation_alias=AliasChoices("alerts", "alarms"))


class RunRecord(BaseModel):
    """One run. Durations are not part of it: they would differ from one machine to the next.

    `lock` is the digest of its `dvc.lock`: a run that is made again by other code is another one,
    even where it decides the same.
    """

    model_config = ConfigDict(extra="forbid")

    as_of: date
    mode: str
    lock: str
    full_retrain_as_of: date
    release: str | None
    previous_release: str | None
    parameters_changed: dict[str, tuple[Any, Any]]
    features_changed: dict[str, list[str]]
    targets: dict[str, TargetRecord]


def path_of(as_of: date) -> Path:
    """Where the record of a run stands."""
    return paths.HISTORY / f"{as_of.isoformat()}.json"


def is_recorded(as_of: date) -> bool:
    """Whether a run has been finished: its record is there, and committed as it stands."""
    path = path_of(as_of)
    return path.is_file() and not changes(path)


def write(record: RunRecord) -> None:
    """Write a record; writing it again for the same date replaces it."""
    content = record.model_dump(mode="json")
    files.write_json(content, path_of(record.as_of), sort_keys=False)


def read(as_of: date) -> RunRecord:
    """Read the record of a run.

    Raises
    ------
    DataError
        If there is none, with the dates nearest to it.
    """
    if not path_of(as_of).is_file():
        known = ", ".join(str(day) for day in dates()[-3:]) or "none"
        raise DataError(
            f"no run is recorded for {as_of}; the last are {known}", "evergreen history"
        )
    path = path_of(as_of)
    try:
        return RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise DataError(f"{path} is damaged: {error}", f"git restore {path}") from None


def dates() -> list[date]:
    """The dates of all recorded runs, in order."""
    found = [path.stem for path in paths.HISTORY.glob("*.json")]
    return sorted(date.fromisoformat(stem) for stem in found if stem[:1].isdigit())


def read_all() -> list[RunRecord]:
    """All records, in the order of their dates."""
    return [read(day) for day in dates()]


def check_target(records: list[RunRecord], target: str | None) -> None:
    """Refuse a target that no run has known.

    Raises
    ------
    DataError
        With those that there are.
    """
    known = sorted({name for record in records for name in record.targets})
    if target is not None and target not in known:
        raise DataError(
            f"no run has a target {target!r}; there are {', '.join(known) or 'none'}",
            "evergreen history",
        )


def last() -> RunRecord | None:
    """The record of the last run; None before the first."""
    known = dates()
    return read(known[-1]) if known else None


def last_committed() -> RunRecord | None:
    """The record of the last run that was committed; a killed one may have left a later record."""
    known = files_at("HEAD", paths.HISTORY)
    recorded = [day for day in dates() if str(path_of(day)) in known]
    return read(recorded[-1]) if recorded else None


def commit_of(as_of: date) -> str:
    """The commit that recorded a run: with its `dvc.lock` every byte of it can be had again.

    Raises
    ------
    DataError
        If the record was never committed.
    """
    found = last_commit_of(path_of(as_of))
    if found is None:
        raise DataError(f"{path_of(as_of)} was never committed", "evergreen finish")
    return found
