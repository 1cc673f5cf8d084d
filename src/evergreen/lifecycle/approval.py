"""Approve a run that waits for review, or reject it, for people without a forge."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.errors import DataError, EvergreenError
from evergreen.history import run_records
from evergreen.lifecycle import review, rollback
from evergreen.lifecycle.ensure_served import republish
from evergreen.lifecycle.publish import verify_in_clean_process
from evergreen.lifecycle.push import push as push_recorded
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.store import files
from evergreen.vcs import dvc_fetch
from evergreen.vcs.dvc import check_out
from evergreen.vcs.git import changes, commit, git, remote_name, remove_branch
from evergreen.vcs.tracked_paths import RUN_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from evergreen.lifecycle.review import Waiting

OF_RUNS = (*RUN_FILES, f":(exclude){review.REVIEWS}")
"""What a run's commit changes; what the main branch has changed of it since can't be merged."""


def approve(as_of: date | None, *, push: bool = False) -> Iterator[str]:
    """Serve what a run has promoted, and make it the parent of the next run.

    Where the main branch has recorded nothing since, the run is merged. Otherwise its models are
    taken over as they were reviewed, if what they were proven against is still served.

    Parameters
    ----------
    as_of
        The date of the run; None for the only one that waits.

    Yields
    ------
    str
        What was done, a line each.

    Raises
    ------
    EvergreenError
        If no such run waits, another has been begun, or what it was proven against is gone.
    ModelError
        If its release does not predict what it predicted at training.
    """
    review.check_branch()
    run = _chosen(as_of)
    review.put_back_if_waiting(load_settings().as_of)
    _check_nothing_begun()
    with tempfile.TemporaryDirectory(dir=paths.LOCK.parent) as scratch:
        folder = Path(scratch) / "release"
        dvc_fetch.fetch(run.commit, paths.PRODUCTION, folder)
        verify_in_clean_process(folder)
    base = git("merge-base", "HEAD", run.commit).strip()
    if git("diff", "--name-only", base, "HEAD", "--", *OF_RUNS):
        yield from _take_over(run)
    else:
        git("merge", "--quiet", "--no-edit", run.commit)
        check_out()
        yield f"{run.as_of}: merged"
        yield from republish()
    yield from _settle(run, push=push)


def reject(as_of: date | None, reason: str, *, push: bool = False) -> Iterator[str]:
    """Keep what is served, and record why; the next run starts from that.

    Yields
    ------
    str
        What was done, a line each.

    Raises
    ------
    EvergreenError
        If no such run waits.
    """
    review.check_branch()
    run = _chosen(as_of)
    review.put_back_if_waiting(load_settings().as_of)
    record = run.record
    rejected = review.Rejection(
        as_of=run.as_of,
        commit=run.commit,
        release=str(record.release),
        verdicts={name: target.verdict for name, target in record.targets.items()},
        reason=reason,
    )
    files.write_json(rejected.model_dump(mode="json"), rejected.path)
    commit(f"Reject the run of {run.as_of}: {reason}", rejected.path)
    yield f"{run.as_of}: rejected, recorded in {rejected.path}; what is served stays as it is"
    yield from _settle(run, push=push)


def _chosen(as_of: date | None) -> Waiting:
    runs = {run.as_of: run for run in review.waiting()}
    if as_of is None and len(runs) == 1:
        return next(iter(runs.values()))
    if as_of in runs:
        return runs[as_of]
    if not runs:
        raise DataError("no run waits for review", "git fetch, where one was made elsewhere")
    named = f"{len(runs)} runs wait for review, and no date is given"
    wanted = named if as_of is None else f"no run of {as_of} waits for review"
    raise DataError(f"{wanted}; those that wait: {', '.join(map(str, runs))}", "name one of them")


def _check_nothing_begun() -> None:
    changed = changes(*OF_RUNS, untracked=False)
    if changed:
        raise EvergreenError(
            f"a run has been begun and is not finished, or files were changed:\n{changed.rstrip()}",
            "dvc repro && evergreen finish, or git restore . && dvc checkout",
        )


def _take_over(run: Waiting) -> Iterator[str]:
    """Serve the models of a run that can't be merged, for later runs are recorded."""
    targets = run.record.targets
    proven = {name: t.champion for name, t in targets.items() if t.action == "promoted"}
    yield from rollback.take_over(run.as_of, run.commit, proven)
    review.merge_record(run, f"Merge the run of {run.as_of}, whose models were taken over")


def _settle(run: Waiting, *, push: bool) -> Iterator[str]:
    if push:
        yield from push_recorded()
    remove_branch(run.branch, remote_name() if push else None)
    later = run_records.last()
    if not push and git("remote"):
        yield f"{later.as_of if later else run.as_of}: not pushed yet: evergreen finish --push"
