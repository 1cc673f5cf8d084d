"""Approve or reject a run that is waiting for review, without a forge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from evergreen.errors import DataError, EvergreenError
from evergreen.history import run_records
from evergreen.lifecycle import review, rollback
from evergreen.lifecycle.ensure_served import ensure_served
from evergreen.lifecycle.fetch_release import fetched_release
from evergreen.lifecycle.publish import verify_in_clean_process
from evergreen.lifecycle.push import push as push_recorded
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.store import files
from evergreen.vcs import branch_move
from evergreen.vcs.dvc_fetch import check_out, fetch_all
from evergreen.vcs.git import changes, commit, git, remote_name, remove_branch
from evergreen.vcs.states import APPROVED
from evergreen.vcs.tracked_paths import RUN_FILES

OF_RUNS = (*RUN_FILES, f":(exclude){review.REVIEWS}")
"""What the commit of a run changes; a run can't be merged after the main branch changed it too."""


def approve(as_of: date | None, *, push: bool = False) -> Iterator[str]:
    """Serve the models that a run promoted; the next run starts from them.

    The run is merged if the main branch has recorded nothing since. Otherwise its models are
    served as they were reviewed, provided that the champions they were compared with still are.

    Parameters
    ----------
    as_of
        The date of the run; may be None if only one is waiting for review.

    Yields
    ------
    str
        A line for each step.

    Raises
    ------
    EvergreenError
        If no such run is waiting, another run is not finished, or another champion is served.
    ModelError
        If the predictions of its release differ from those at training.
    """
    run = _open(as_of)
    if review.is_settled(run):
        if rejected := review.rejection(run.as_of):
            raise DataError(str(rejected), "evergreen cycle: the next run compares again")
        yield f"{run.as_of}: already approved"
        yield from ensure_served()
        yield from _settle(run, push=push)
        return
    _check_no_changes()
    with fetched_release(run.commit, paths.PRODUCTION) as folder:
        verify_in_clean_process(folder)
    base = git("merge-base", "HEAD", run.commit).strip()
    if git("diff", "--name-only", base, "HEAD", "--", *OF_RUNS):
        yield from _serve_approved(run)
    else:
        fetch_all(run.commit)
        message = f"{APPROVED}{run.as_of}, approved"
        branch_move.move_branch(branch_move.merged(run.commit, message), message)
        check_out()
        branch_move.complete()
        yield f"{run.as_of}: merged"
        yield from ensure_served()
    yield from _settle(run, push=push)


def reject(as_of: date | None, reason: str, *, push: bool = False) -> Iterator[str]:
    """Keep what is served, and record the reason; the next run starts from that.

    Yields
    ------
    str
        A line for each step.

    Raises
    ------
    EvergreenError
        If no such run is waiting.
    """
    run = _open(as_of)
    if review.is_settled(run):
        if review.rejection(run.as_of) is None:
            raise DataError(f"the run of {run.as_of} was approved", "evergreen rollback --help")
        yield f"{run.as_of}: already rejected"
        yield from _settle(run, push=push)
        return
    record = run.record
    rejection = review.Rejection(
        as_of=run.as_of,
        commit=run.commit,
        release=str(record.release),
        verdicts={name: target.verdict for name, target in record.targets.items()},
        reason=reason,
    )
    files.write_json(rejection.model_dump(mode="json"), rejection.path)
    commit(f"Reject the run of {run.as_of}: {reason}", rejection.path)
    yield f"{run.as_of}: rejected, see {rejection.path}; the current release stays in production"
    yield from _settle(run, push=push)


def _open(as_of: date | None) -> review.PendingRun:
    """Choose the run to decide on, with the main branch in the working folder.

    It may be settled already: the same call may have been killed at any point.
    """
    review.check_branch()
    run = _chosen(as_of)
    review.restore_main_if_pending(load_settings().as_of)
    return run


def _chosen(as_of: date | None) -> review.PendingRun:
    runs = {run.as_of: run for run in review.pending_runs()}
    if as_of is None and len(runs) == 1:
        return next(iter(runs.values()))
    if as_of in runs:
        return runs[as_of]
    if as_of is not None and (settled := review.settled_run(as_of)):
        return settled
    if not runs:
        raise DataError("no run is waiting for review", "git fetch, if one was made elsewhere")
    days = ", ".join(map(str, runs))
    if as_of is None:
        raise DataError(f"{len(runs)} runs are waiting for review: {days}", "name one of them")
    raise DataError(f"no run of {as_of} is waiting for review, only {days}", "name one of them")


def _check_no_changes() -> None:
    changed = changes(*OF_RUNS, untracked=False)
    if changed:
        raise EvergreenError(
            f"a run is not finished, or files were changed:\n{changed.rstrip()}",
            "dvc repro && evergreen finish, or git restore . && dvc checkout",
        )


def _serve_approved(run: review.PendingRun) -> Iterator[str]:
    """Serve the models of a run that can't be merged, as later runs are recorded."""
    targets = run.record.targets
    champions = {name: t.champion for name, t in targets.items() if t.action == "promoted"}
    yield from rollback.serve_approved(run.as_of, run.commit, champions)
    review.merge_record(run, f"{APPROVED}{run.as_of}, approved after later runs")


def _settle(run: review.PendingRun, *, push: bool) -> Iterator[str]:
    if push:
        yield from push_recorded()
    remove_branch(run.branch, remote_name() if push else None)
    later = run_records.last()
    if not push and git("remote"):
        yield f"{later.as_of if later else run.as_of}: not pushed yet: evergreen finish --push"
