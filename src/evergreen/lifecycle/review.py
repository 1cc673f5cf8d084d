"""Runs that wait for a person: each is a commit on a branch of its own, beside the main one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from evergreen.errors import EvergreenError
from evergreen.history import run_records
from evergreen.settings import paths
from evergreen.vcs.dvc import check_out
from evergreen.vcs.git import (
    branches,
    commit_at,
    commit_on_branch,
    current_branch,
    files_at,
    git,
    is_merged,
    local_ref,
    merge_without_files,
    push_branch,
    remote_ref,
    restore_files_of,
    show,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evergreen.history.run_records import RunRecord

BRANCH = "evergreen/run-"
ANY_DATE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
REVIEWS = paths.HISTORY / "reviews"


class Rejection(BaseModel):
    """Why a person did not want what the gate had promoted; `commit` is the run as it was seen."""

    model_config = ConfigDict(extra="forbid")

    as_of: date
    commit: str
    release: str
    verdicts: dict[str, str]
    reason: str

    @property
    def path(self) -> Path:
        """Where it stands, next to the records of the runs."""
        return REVIEWS / f"{self.as_of}.json"

    def __str__(self) -> str:
        """One line."""
        return f"{self.as_of}: release {self.release} was rejected: {self.reason}"


@dataclass(frozen=True)
class Waiting:
    """A run that waits: its date, its branch as git names it here, and the commit on it."""

    as_of: date
    ref: str
    commit: str

    @property
    def branch(self) -> str:
        """The name of the branch."""
        return f"{BRANCH}{self.as_of}"

    @property
    def is_local(self) -> bool:
        """Whether the branch is in this clone, and not only known from the remote."""
        return self.ref == local_ref(self.branch)

    @property
    def record(self) -> RunRecord:
        """What the run has found, as it stands on its branch."""
        text = show(self.commit, run_records.path_of(self.as_of))
        return run_records.RunRecord.model_validate_json(text)

    def __str__(self) -> str:
        """One line, with the two commands."""
        return (
            f"{self.as_of}: waits for review on {self.branch}: "
            f"evergreen approve {self.as_of}, or evergreen reject {self.as_of} --reason ..."
        )


def waiting() -> list[Waiting]:
    """The runs that were neither merged nor rejected, by date."""
    found = {}
    for ref, commit in branches(f"{BRANCH}{ANY_DATE}"):  # this clone's replace the remote's
        day = date.fromisoformat(ref.rpartition(BRANCH)[2])
        found[day] = Waiting(day, ref, commit)
    return [found[day] for day in sorted(found) if not _is_settled(found[day])]


def _is_settled(run: Waiting) -> bool:
    """Merged in whatever way a forge does that, or rejected."""
    rejected = rejection(run.as_of)
    if rejected is not None and rejected.commit == run.commit:
        return True
    names = str(run_records.path_of(run.as_of))
    return is_merged(run.ref) or not git("diff", "--name-only", "HEAD", run.commit, "--", names)


def rejection(as_of: date) -> Rejection | None:
    """The rejection of a run, as it was committed; None where there is none."""
    path = REVIEWS / f"{as_of}.json"
    if not files_at("HEAD", path):
        return None
    return Rejection.model_validate_json(show("HEAD", path))


def rejections() -> list[Rejection]:
    """All of them, by date."""
    found = [rejection(date.fromisoformat(path.stem)) for path in sorted(REVIEWS.glob("*.json"))]
    return [one for one in found if one is not None]


def check_branch() -> None:
    """Refuse to run, or to serve anything, on the branch of a run that waits.

    Raises
    ------
    EvergreenError
        If that is what is checked out, or a commit without a branch.
    """
    branch = current_branch()
    main = "runs are made and served on the main branch"
    if branch.startswith(BRANCH):
        raise EvergreenError(
            f"{branch} is checked out, the branch of a run that waits for review; {main}",
            "git switch - && dvc checkout",
        )
    if branch == "HEAD":
        raise EvergreenError(
            f"a commit is checked out, and no branch; {main}",
            "git switch main (or another branch) && dvc checkout",
        )


def state_of(as_of: date) -> str | None:
    """What has become of a run that is not recorded, if it waits or was rejected."""
    for run in waiting():
        if run.as_of == as_of:
            return str(run)
    if rejected := rejection(as_of):
        return f"{rejected}; nothing to do"
    return None


def set_aside(as_of: date, message: str, files: Sequence[str]) -> Waiting:
    """Commit a run on a branch of its own; HEAD and git's index stay as they are."""
    return Waiting(as_of, *commit_on_branch(f"{BRANCH}{as_of}", files, message))


def merge_record(run: Waiting, message: str) -> None:
    """Merge a run's record where it precedes the last one, and of its other files none.

    git then finds the commit of the record on the branch, where the run's `dvc.lock` is: its models
    can be had again like those of any other run.
    """
    last = run_records.last()
    precedes = last is not None and run.as_of < last.as_of
    merge_without_files(
        run.commit, message, but=run_records.path_of(run.as_of) if precedes else None
    )


def put_back(run: Waiting) -> None:
    """Let the working folder be again what the main branch says; the run stays on its branch."""
    restore_files_of(run.commit)
    check_out()


def put_back_if_waiting(begun: date) -> bool:
    """Put back a run that was set aside by a process that did not live to put it back.

    Returns
    -------
    bool
        Whether there was one: the working folder is that of the last recorded run then.
    """
    for run in waiting():
        if run.as_of == begun:
            put_back(run)
            return True
    return False


def push(remote: str) -> Iterator[str]:
    """Push the branches that the remote lacks; their data has been pushed.

    Yields
    ------
    str
        What was pushed, a line each.
    """
    for run in unpushed(remote):
        push_branch(remote, run.ref, run.branch)
        yield f"{run.as_of}: pushed to {remote}/{run.branch} for review"


def unpushed(remote: str) -> list[Waiting]:
    """The runs that wait on branches of this clone alone."""
    return [
        run
        for run in waiting()
        if run.is_local and commit_at(remote_ref(remote, run.branch)) != run.commit
    ]
