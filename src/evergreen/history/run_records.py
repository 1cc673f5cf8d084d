"""The history: a record of every run, in git, with the decision on each target and its reason."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from evergreen.errors import DataError, EvergreenError
from evergreen.settings import paths
from evergreen.store import files
from evergreen.vcs.git import changes, files_at, last_commit_of, show

REPLACED = paths.HISTORY / "replaced"
"""The verdicts that a later one on the same date has replaced."""


class HistoryRecord(BaseModel):
    """Base of what the history keeps as JSON: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


class CandidateRecord(HistoryRecord):
    """A candidate and its evaluation.

    `alpha` is the probability that this look promotes a model that is no better; None in records
    of earlier versions.
    """

    version: str
    parent: str | None
    trained_on: int
    updates: int
    loss: float | None
    gain: float | None
    interval: tuple[float, float] | None
    reason: str
    alpha: float | None = None


class AlertRecord(HistoryRecord):
    """An alert about the champion; see docs/drift.md."""

    kind: Literal["decline", "inputs", "predictions"]
    since: date
    message: str = Field(validation_alias=AliasChoices("message", "words"))


class TargetRecord(HistoryRecord):
    """What a run did for one target.

    `version` is the model in production after the run, `champion` the one before. `opponent` is
    what the candidates had to beat, and `champion_loss` its loss on the same `rows`. `live` has
    the metrics of past releases' predictions; `alerts` are about `champion`.
    """

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


class Replacement(HistoryRecord):
    """Which earlier verdict on the same date a run replaces: its name in `REPLACED`, and why."""

    record: str
    reason: str


class MachineRecord(HistoryRecord):
    """Where a run was made.

    `platform` is the arithmetic of its stages, on which bytes depend; see
    `evergreen.store.machine.platform_class`. The level of the architecture and the version of glibc
    are for information.
    """

    platform: str
    level: str
    glibc: str | None


class RunRecord(HistoryRecord):
    """One run, without durations, which differ between machines.

    `lock` is the digest of its `dvc.lock`: the same run made by other code is another run, even if
    its decisions are the same. `machine` is where it was first recorded, None in records of earlier
    versions. `replaces` is in the file only if there is such a verdict.
    """

    as_of: date
    mode: str
    lock: str
    full_retrain_as_of: date
    release: str | None
    previous_release: str | None
    parameters_changed: dict[str, tuple[Any, Any]]
    features_changed: dict[str, list[str]]
    targets: dict[str, TargetRecord]
    machine: MachineRecord | None = None
    replaces: Replacement | None = None


def path_of(as_of: date) -> Path:
    """The file of a run's record."""
    return paths.HISTORY / f"{as_of.isoformat()}.json"


def is_recorded(as_of: date) -> bool:
    """Whether a run is finished: its record exists and is committed."""
    path = path_of(as_of)
    return path.is_file() and not changes(path)


def unfinished(as_of: date) -> EvergreenError:
    """The error for a run that was started and is not finished."""
    return EvergreenError(f"the run of {as_of} is not finished", "dvc repro && evergreen finish")


def write(record: RunRecord) -> None:
    """Write a record, in place of an earlier one for the same date; keep one that it replaces."""
    if record.replaces is not None:
        kept = _replaced_path(record.replaces.record)
        if not files_at("HEAD", kept):
            files.write_text(show("HEAD", path_of(record.as_of)), kept)
    absent = {name for name in ("machine", "replaces") if getattr(record, name) is None}
    content = record.model_dump(mode="json", exclude=absent)
    files.write_json(content, path_of(record.as_of), sort_keys=False)


def replacement(as_of: date, reason: str) -> Replacement:
    """Name the committed record of a date, which another one is about to replace."""
    earlier = (name for name in files_at("HEAD", REPLACED) if f"/{as_of}-" in name)
    return Replacement(record=f"{as_of}-{1 + len(list(earlier))}", reason=reason)


def _replaced_path(name: str) -> Path:
    return REPLACED / f"{name}.json"


def committed(as_of: date) -> RunRecord | None:
    """The committed record of a run, whatever the working folder holds; None if there is none."""
    path = path_of(as_of)
    if not files_at("HEAD", path):
        return None
    return RunRecord.model_validate_json(show("HEAD", path))


def replaced() -> list[RunRecord]:
    """The records that were replaced, in the order of their dates."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(REPLACED.glob("*.json")))
    return [RunRecord.model_validate_json(text) for text in texts]


def is_written(record: RunRecord) -> bool:
    """Whether the record's file has this content; not if it is damaged."""
    if not path_of(record.as_of).is_file():
        return False
    try:
        return read(record.as_of) == record
    except DataError:
        return False


def read(as_of: date) -> RunRecord:
    """Read the record of a run.

    Raises
    ------
    DataError
        If there is none, or it is damaged.
    """
    if not path_of(as_of).is_file():
        latest = ", ".join(map(str, dates()[-3:])) or "none"
        raise DataError(
            f"no run is recorded for {as_of}; the latest are {latest}", "evergreen history"
        )
    path = path_of(as_of)
    try:
        return RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise DataError(f"{path} is damaged: {error}", f"git restore {path}") from None


def dates() -> list[date]:
    """The dates of all recorded runs, in order."""
    stems = [path.stem for path in paths.HISTORY.glob("*.json")]
    return sorted(date.fromisoformat(stem) for stem in stems if stem[:1].isdigit())


def read_all() -> list[RunRecord]:
    """All records, in the order of their dates."""
    return [read(day) for day in dates()]


def check_target(records: list[RunRecord], target: str | None) -> None:
    """Refuse a target that is in no record.

    Raises
    ------
    DataError
        With the targets that are.
    """
    targets = sorted({name for record in records for name in record.targets})
    if target is not None and target not in targets:
        raise DataError(
            f"no run has a target {target!r}; targets: {', '.join(targets) or 'none'}",
            "evergreen history",
        )


def last() -> RunRecord | None:
    """The record of the last run; None before the first."""
    days = dates()
    return read(days[-1]) if days else None


def last_committed() -> RunRecord | None:
    """The record of the last committed run; a killed run may have left a later record."""
    committed = files_at("HEAD", paths.HISTORY)
    days = [day for day in dates() if str(path_of(day)) in committed]
    return read(days[-1]) if days else None


def commit_of(as_of: date) -> str:
    """The commit that recorded a run; its `dvc.lock` gives access to every byte of the run.

    Raises
    ------
    DataError
        If the record was never committed.
    """
    commit = last_commit_of(path_of(as_of))
    if commit is None:
        raise DataError(f"{path_of(as_of)} was never committed", "evergreen finish")
    return commit
