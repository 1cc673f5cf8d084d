"""Runs that are waiting for review: each is a commit on its own branch beside the main one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from evergreen.errors import EvergreenError
from evergreen.history import run_records
from evergreen.settings import paths
from evergreen.store import files
from evergreen.vcs import branch_move
from evergreen.vcs.dvc_fetch import check_out
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
    remote_ref,
    restore_files_of,
    show,
)
from evergreen.vcs.states import merged_runs, way_to_a_branch

REVIEW_BRANCH = "evergreen/run-"
"""The branch of a run that is waiting for review; its date follows."""
ANY_DATE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
REVIEWS = paths.HISTORY / "reviews"


class Rejection(run_records.HistoryRecord):
    """The rejection of a run that promoted a model; `commit` is the run that was reviewed."""

    as_of: date
    commit: str
    release: str
    verdicts: dict[str, str]
    reason: str

    @property
    def path(self) -> Path:
        """The file of the record."""
        return REVIEWS / f"{self.as_of}.json"

    def __str__(self) -> str:
        """One line."""
        return f"{self.as_of}: release {self.release} was rejected: {self.reason}"


@dataclass(frozen=True)
class PendingRun:
    """A run that is waiting for review: its date, the full name of its branch, and its commit."""

    as_of: date
    ref: str
    commit: str

    @property
    def branch(self) -> str:
        """The name of the branch."""
        return f"{REVIEW_BRANCH}{self.as_of}"

    @property
    def is_local(self) -> bool:
        """Whether this clone has the branch, and not only the remote."""
        return self.ref == local_ref(self.branch)

    @property
    def record(self) -> run_records.RunRecord:
        """The record of the run, from its branch."""
        text = show(self.commit, run_records.path_of(self.as_of))
        return run_records.RunRecord.model_validate_json(text)

    def __str__(self) -> str:
        """One line, with the two commands."""
        return (
            f"{self.as_of}: waiting for review on {self.branch}: "
            f"evergreen approve {self.as_of}, or evergreen reject {self.as_of} --reason ..."
        )


def pending_runs() -> list[PendingRun]:
    """The runs that were neither merged nor rejected, by date."""
    return [run for run in all_runs() if not is_settled(run)]


def all_runs() -> list[PendingRun]:
    """The runs that have a branch of their own, by date; some may be settled."""
    runs = {}
    for ref, commit in branches(f"{REVIEW_BRANCH}{ANY_DATE}"):  # this clone's replace the remote's
        day = date.fromisoformat(ref.rpartition(REVIEW_BRANCH)[2])
        runs[day] = PendingRun(day, ref, commit)
    return [runs[day] for day in sorted(runs)]


def rejection(as_of: date) -> Rejection | None:
    """The committed rejection of a run; None where there is none."""
    path = REVIEWS / f"{as_of}.json"
    if not files_at("HEAD", path):
        return None
    return Rejection.model_validate_json(show("HEAD", path))


def rejections() -> list[Rejection]:
    """All committed rejections, by date."""
    days = [date.fromisoformat(path.stem) for path in sorted(REVIEWS.glob("*.json"))]
    return [rejected for rejected in map(rejection, days) if rejected is not None]


def outcome_of(as_of: date) -> str | None:
    """What became of a run that was made before: recorded, waiting for review or rejected."""
    if run_records.is_recorded(as_of):
        return f"{as_of}: already recorded, nothing to do"
    for run in pending_runs():
        if run.as_of == as_of:
            return str(run)
    if rejected := rejection(as_of):
        return f"{rejected}; nothing to do"
    return None


def check_branch() -> None:
    """Refuse to run or serve anything on the branch of a run that is waiting for review.

    Raises
    ------
    EvergreenError
        If that is what is checked out, a commit without a branch, or a merge of two clones' runs.
    """
    branch = current_branch()
    main = "runs are made and served on the main branch"
    if branch.startswith(REVIEW_BRANCH):
        raise EvergreenError(
            f"{branch} is checked out, the branch of a run that is waiting for review; {main}",
            way_to_a_branch(),
        )
    if branch == "HEAD":
        raise EvergreenError(
            f"a commit is checked out, and no branch; {main}",
            way_to_a_branch(),
        )
    last = run_records.last_committed()
    if last is not None and (merged := merged_runs(run_records.commit_of(last.as_of))):
        raise merged


def set_aside(as_of: date, message: str, names: Sequence[str]) -> PendingRun:
    """Commit a run on its own branch; HEAD and git's index stay as they are."""
    return PendingRun(as_of, *commit_on_branch(f"{REVIEW_BRANCH}{as_of}", names, message))


def settled_run(as_of: date) -> PendingRun | None:
    """A run that was approved or rejected, whether its branch is still there or not."""
    for run in all_runs():
        if run.as_of == as_of and is_settled(run):
            return run
    branch = local_ref(f"{REVIEW_BRANCH}{as_of}")
    if rejected := rejection(as_of):
        return PendingRun(as_of, branch, rejected.commit)
    if run_records.is_recorded(as_of):
        return PendingRun(as_of, branch, run_records.commit_of(as_of))
    return None


def is_settled(run: PendingRun) -> bool:
    """Whether a run was rejected, or merged in any way that a forge offers."""
    rejected = rejection(run.as_of)
    if rejected is not None and rejected.commit == run.commit:
        return True
    name = str(run_records.path_of(run.as_of))
    return is_merged(run.ref) or not git("diff", "--name-only", "HEAD", run.commit, "--", name)


def merge_record(run: PendingRun, message: str) -> None:
    """Merge a run, with only its record, and that only if it precedes the last one.

    git then finds the commit of the record on the branch, with the run's `dvc.lock`, so its models
    can be fetched like those of any other run.
    """
    last = run_records.last()
    precedes = last is not None and run.as_of < last.as_of
    but = run_records.path_of(run.as_of) if precedes else None
    branch_move.move_branch(merge_without_files(run.commit, message, but=but), message)
    branch_move.complete()  # it changes no data


def restore_main(run: PendingRun) -> None:
    """Restore the working folder to the main branch; the run stays on its branch.

    The settings come last: as long as they are those of the run, the next call does it again.
    """
    restore_files_of(run.commit, but=paths.PARAMS)
    check_out()
    git("restore", "--source=HEAD", "--staged", "--", str(paths.PARAMS))
    files.write_text(show("HEAD", paths.PARAMS), paths.PARAMS)


def restore_main_if_pending(as_of: date) -> bool:
    """Restore the main branch if a killed process left a pending run in the working folder.

    Returns
    -------
    bool
        Whether it did: the working folder is that of the last recorded run then.
    """
    for run in pending_runs():
        if run.as_of == as_of:
            restore_main(run)
            return True
    return False


def push(remote: str) -> Iterator[str]:
    """Push the branches of pending runs that the remote lacks; their data has been pushed.

    Yields
    ------
    str
        A line for each branch.
    """
    for run in unpushed(remote):
        git("push", "--quiet", "--force", remote, f"{run.ref}:{local_ref(run.branch)}")
        yield f"{run.as_of}: pushed to {remote}/{run.branch} for review"


def unpushed(remote: str) -> list[PendingRun]:
    """The pending runs whose branch is in this clone only."""
    return [
        run
        for run in pending_runs()
        if run.is_local and commit_at(remote_ref(remote, run.branch)) != run.commit
    ]
