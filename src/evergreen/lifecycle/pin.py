"""Pin the inputs of a run with DVC, so that `dvc repro` is a pure function of them."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

from evergreen.errors import DataError, EvergreenError
from evergreen.history import rollback_records, run_records
from evergreen.history.alerts import unanswered_before
from evergreen.history.retraining_plan import plan_retraining, training_labels
from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.lifecycle import params_file, review
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.store import challengers, predictions, tables
from evergreen.store.releases import load_release, write_empty_release
from evergreen.vcs import dvc_fetch
from evergreen.vcs.commands import CommandError
from evergreen.vcs.dvc import dvc
from evergreen.vcs.dvc_internals import pin_file
from evergreen.vcs.git import changes, git
from evergreen.vcs.pinned_inputs import check_unaltered
from evergreen.vcs.tracked_paths import INPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date
    from pathlib import Path

    from evergreen.settings.pipeline import Settings


def pin_first_run(settings: Settings, *, new_lineage: bool = False) -> Iterator[str]:
    """Lay the inputs that a first run lacks, and put all of them under DVC's care.

    A first run has made no predictions, has no champion and no update of one; all are written as
    such. Where the repository names other content than that, it belongs to a later run, and is not
    overwritten.

    A new line of models begins with a full retrain, whatever the run of the date was before.

    Yields
    ------
    str
        What was done, a line each.

    Raises
    ------
    DataError
        If there are no transactions, or an input that was pinned elsewhere is not to be had.
    """
    if not tables.partitions(paths.TRANSACTIONS):
        raise DataError(
            f"{paths.TRANSACTIONS} holds no transactions to pin",
            "evergreen ingest (or dvc pull, from a remote)",
        )
    for folder in (paths.PREDICTIONS, paths.CHAMPION, paths.CHALLENGER):
        if not folder.exists():
            yield _lay(folder, settings)
    if new_lineage:
        yield _begin_anew()
        params_file.write_run(as_of=settings.as_of, full_as_of=settings.as_of, mode="auto")
    dvc("add", "--quiet", *map(str, INPUTS))
    yield f"pinned {', '.join(map(str, INPUTS))}"


def _begin_anew() -> str:
    write_empty_release(paths.CHAMPION)
    challengers.inherit({}, into=paths.CHALLENGER)
    return f"{paths.CHAMPION}: empty; a new line of models has to beat the baselines first"


def _lay(folder: Path, settings: Settings) -> str:
    """Bring an input back from DVC's cache, or write the empty one of a first run."""
    pinned = pin_file(folder)
    before = pinned.read_text(encoding="utf-8") if pinned.exists() else None
    if before is not None:
        try:
            dvc("checkout", "--quiet", str(pinned))
        except CommandError:  # not in the cache: it may be the empty one
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return f"{folder}: taken from DVC's cache"
    if folder == paths.CHAMPION:
        write_empty_release(folder)
    elif folder == paths.CHALLENGER:
        challengers.inherit({}, into=folder)
    else:
        predictions.write_none(folder, settings.targets)
    dvc("add", "--quiet", str(folder))
    if before is not None and pinned.read_text(encoding="utf-8") != before:
        shutil.rmtree(folder)
        pinned.write_text(before, encoding="utf-8")
        raise DataError(
            f"{pinned} names content of a later run, which is neither here nor in DVC's cache",
            f"dvc pull {pinned}; where no remote has it, check out the commit of the first run",
        )
    return f"{folder}: empty, as in every first run"


def pin_run(
    as_of: date,
    mode: str,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    new_lineage: bool = False,
) -> Iterator[str]:
    """Pin the inputs of the run for a date, which follows the last recorded one.

    New rows are taken in; what the last run scored joins the predictions; what it released becomes
    the champion, unless a rollback has named another; its updates go on learning where their
    champions stay. ``params.yaml`` is written last: where the process is killed before, the next
    call does all of it again to the same effect.

    Yields
    ------
    str
        What was done and what is due, a line each; one line if the run is recorded already.

    Raises
    ------
    EvergreenError
        If the date lies before the last run, an earlier run was pinned and not finished, or an
        input that is pinned was altered.
    """
    review.check_branch()
    if run_records.is_recorded(as_of):
        yield f"{as_of}: recorded already, nothing to do"
        return
    if settled := review.state_of(as_of):
        yield settled
        return
    settings, last = load_settings(), run_records.last()
    if last is None:
        raise EvergreenError(
            f"the first run, as of {settings.as_of}, is not recorded yet",
            "dvc repro && evergreen finish",
        )
    if as_of < last.as_of:
        raise EvergreenError(
            f"{as_of} lies before the last recorded run, which is {last.as_of}",
            "a later date; or `evergreen rollback` to serve an older model",
        )
    if settings.as_of not in (last.as_of, as_of):
        raise EvergreenError(
            f"the run for {settings.as_of} was pinned and is not finished",
            "dvc repro && evergreen finish",
        )
    if settings.as_of != as_of:
        _check_recorded_as_it_stands(last.as_of)
        _check_committed(settings)
    check_unaltered(paths.RAW, paths.PREDICTIONS)
    if not paths.CHALLENGER.exists():
        yield _lay(paths.CHALLENGER, settings)
    yield from _ingest(settings, as_of, progress)
    if settings.as_of != as_of:
        _inherit(last.as_of)
    if new_lineage:
        yield _begin_anew()
    champions = load_release(paths.CHAMPION).models
    bases = challengers.bases(
        champions, paths.CHALLENGER, max_updates=settings.incremental.max_updates
    )
    labels = training_labels(settings, as_of)
    alert = unanswered_before(as_of, settings.full_retrain.as_of)
    alert = "a new model lineage begins" if new_lineage else alert
    plan = plan_retraining(settings, as_of, mode, bases, labels, alert=alert)
    dvc("add", "--quiet", *map(str, INPUTS))
    params_file.write_run(as_of=as_of, full_as_of=plan.last_full(settings, as_of), mode=mode)
    yield from (f"{as_of}: {line}" for line in plan.lines())


def _check_recorded_as_it_stands(last: date) -> None:
    """The bytes of the recorded run may be elsewhere, if it was made on another kind of machine."""
    if git("diff", "--name-only", run_records.commit_of(last), "--", str(paths.DVC_LOCK)):
        raise EvergreenError(
            f"dvc.lock is not what was recorded for {last}: an experiment, or a run on another "
            "kind of machine",
            "git restore dvc.lock params.yaml && dvc checkout; or evergreen finish, to record it",
        )


def _check_committed(settings: Settings) -> None:
    """A run that waits for review has its settings on its branch, and leaves the old ones here."""
    changed = changes(paths.PARAMS)
    if settings.promotion.mode == "review" and changed:
        raise EvergreenError(
            f"{paths.PARAMS} was changed and not committed; a run that waits for review would take "
            "the change with it",
            f'git commit --message "..." {paths.PARAMS}, or git restore {paths.PARAMS}',
        )


def _ingest(settings: Settings, as_of: date, progress: Callable[[int, int], None]) -> Iterator[str]:
    lines = ingest_new_rows(
        settings,
        through=as_of - timedelta(days=1),
        reach=as_of - timedelta(days=1 + settings.data.max_lag_days),
        progress=progress,
    )
    yield from (f"{as_of}: {line}" for line in lines)


def _inherit(last: date) -> None:
    """What the last run wrote, as it was recorded: the working folder may hold experiments."""
    scored = tables.partition_path(paths.SCORED, last)
    _fetch(run_records.commit_of(last), scored, tables.partition_path(paths.PREDICTIONS, last))
    _fetch(*rollback_records.current_release(last), paths.CHAMPION)
    updated = _fetched(run_records.commit_of(last), paths.INCREMENTAL)
    champions = load_release(paths.CHAMPION).models
    challengers.inherit(champions, updated, paths.CHALLENGER, into=paths.CHALLENGER)


def _fetch(commit: str, path: Path, target: Path) -> None:
    """Fetch aside first: what a kill leaves there would be pinned with the rest of the folder."""
    fetched = _fetched(commit, path)
    if target.is_dir():
        shutil.rmtree(target)
    fetched.replace(target)


def _fetched(commit: str, path: Path) -> Path:
    shutil.rmtree(paths.FETCHED, ignore_errors=True)
    paths.FETCHED.mkdir(parents=True)
    fetched = paths.FETCHED / path.name
    dvc_fetch.fetch(commit, path, fetched)
    return fetched
