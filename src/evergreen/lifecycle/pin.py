"""Pin the inputs of a run with DVC, so that `dvc repro` depends on nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from evergreen.errors import DataError, EvergreenError
from evergreen.history import rollback_records, run_records
from evergreen.history.alerts import unanswered_before
from evergreen.history.experiments import check_no_experiment
from evergreen.history.retraining_plan import RetrainingPlan, plan_retraining, training_labels
from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.ingestion.raw_tables import Progress, nothing_shown
from evergreen.lifecycle import params_file, review
from evergreen.lifecycle.fetch_release import fetched_release
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.settings.pipeline import Settings
from evergreen.store import challengers, files, predictions, tables
from evergreen.store.releases import load_release, write_empty_release
from evergreen.vcs.commands import CommandError
from evergreen.vcs.dvc import dvc
from evergreen.vcs.dvc_fetch import check_out, fetched
from evergreen.vcs.dvc_internals import pin_file, write_data_through
from evergreen.vcs.git import changes
from evergreen.vcs.pinned_inputs import check_unaltered
from evergreen.vcs.tracked_paths import INPUTS
from evergreen.vcs.verified_objects import NotAvailableError


def pin_first_run(settings: Settings, *, new_lineage: bool = False) -> Iterator[str]:
    """Write the inputs that a first run lacks, and pin all of them.

    A first run starts from no predictions, no champion and no challenger. Inputs that are pinned
    with other content belong to a later run, and are not overwritten.

    A new model lineage begins with a full retrain, whatever the run of that date was before.

    Yields
    ------
    str
        A line for each step.

    Raises
    ------
    DataError
        If there are no transactions or not all, or an input that is pinned is not available.
    """
    if not tables.partitions(paths.TRANSACTIONS):
        raise DataError(
            f"{paths.TRANSACTIONS} has no transactions to pin",
            "evergreen ingest (or evergreen pull, if a remote has them)",
        )
    tables.check_ingested()
    for folder in (paths.PREDICTIONS, paths.CHAMPION, paths.CHALLENGER):
        if not folder.exists():
            yield _provide(folder, settings)
    if new_lineage:
        yield _empty_champion()
        params_file.write_run(as_of=settings.as_of, full_as_of=settings.as_of, mode="auto")
    dvc("add", *map(str, INPUTS))
    yield f"pinned {', '.join(map(str, INPUTS))}"


def _empty_champion() -> str:
    write_empty_release(paths.CHAMPION)
    challengers.inherit({}, into=paths.CHALLENGER)
    return f"{paths.CHAMPION}: empty; a new model lineage has to beat the baselines first"


def _provide(folder: Path, settings: Settings) -> str:
    """Restore an input from DVC's cache or remote, or write the empty one of a first run."""
    pinned = pin_file(folder)
    before = pinned.read_text(encoding="utf-8") if pinned.exists() else None
    if before is not None:
        try:
            check_out(folder)
        except (NotAvailableError, CommandError):  # it may be the empty one
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return f"{folder}: restored from DVC's cache or remote"
    if folder == paths.CHAMPION:
        write_empty_release(folder)
    elif folder == paths.CHALLENGER:
        challengers.inherit({}, into=folder)
    else:
        predictions.write_none(folder, settings.targets)
    dvc("add", str(folder))
    if before is not None and pinned.read_text(encoding="utf-8") != before:
        shutil.rmtree(folder)
        files.write_text(before, pinned)
        raise DataError(
            f"{pinned} pins data of a later run that is not in DVC's cache",
            "evergreen pull; if no remote has it, check out the commit of the first run",
        )
    return f"{folder}: empty, as for every first run"


def pin_run(
    as_of: date,
    mode: str,
    progress: Progress = nothing_shown,
    *,
    new_lineage: bool = False,
) -> Iterator[str]:
    """Pin the inputs of the run for a date after the last recorded one.

    New rows are ingested. The scores of the last run join the predictions, its release becomes the
    champion unless a rollback named another, and its updates go on learning where their champions
    stay. ``params.yaml`` is written last: after a kill, the next call does it all again with the
    same result.

    Yields
    ------
    str
        A line for each step and for what is due; one line if the run is already recorded.

    Raises
    ------
    EvergreenError
        If the date precedes the last run, an earlier run is not finished, or a pinned input was
        altered.
    """
    review.check_branch()
    if outcome := review.outcome_of(as_of):
        yield outcome
        return
    settings = load_settings()
    last = _check_ready(settings, as_of)
    check_unaltered(paths.RAW, paths.PREDICTIONS)
    if not paths.CHALLENGER.exists():
        yield _provide(paths.CHALLENGER, settings)
    yield from _ingest(settings, as_of, progress)
    if settings.as_of != as_of:
        _inherit(last, new_lineage=new_lineage)
    if new_lineage:
        yield _empty_champion()
    plan = _plan(settings, as_of, mode, new_lineage=new_lineage)
    dvc("add", *map(str, INPUTS))
    write_data_through()
    params_file.write_run(as_of=as_of, full_as_of=plan.last_full(settings, as_of), mode=mode)
    yield from (f"{as_of}: {line}" for line in plan.lines())


def _check_ready(settings: Settings, as_of: date) -> date:
    """Refuse a run that does not follow the last recorded one, whose date is returned."""
    last = run_records.last()
    if last is None:
        raise run_records.unfinished(settings.as_of)
    if as_of < last.as_of:
        raise EvergreenError(
            f"{as_of} precedes the last recorded run, {last.as_of}",
            "choose a later date; or `evergreen rollback` to serve an older model",
        )
    if settings.as_of not in (last.as_of, as_of):
        raise run_records.unfinished(settings.as_of)
    if settings.as_of != as_of:
        _check_recorded(settings, last.as_of)
    return last.as_of


def _check_recorded(settings: Settings, last: date) -> None:
    """Refuse files that differ from the last recorded run.

    The data of another `dvc.lock` may not be available, and a run that is waiting for review keeps
    changed settings on its branch, away from the main one.
    """
    check_no_experiment(last)
    if settings.promotion.mode == "review" and changes(paths.PARAMS):
        raise EvergreenError(
            f"{paths.PARAMS} has uncommitted changes, which would end up on the branch of a run "
            "that is waiting for review",
            f'git commit --message "..." {paths.PARAMS}, or git restore {paths.PARAMS}',
        )


def _plan(settings: Settings, as_of: date, mode: str, *, new_lineage: bool) -> RetrainingPlan:
    champions = load_release(paths.CHAMPION).models
    updates = settings.incremental.max_updates
    bases = challengers.bases(champions, paths.CHALLENGER, max_updates=updates)
    alert = unanswered_before(as_of, settings.full_retrain.as_of)
    if new_lineage:
        alert = "a new model lineage begins"
    labels = training_labels(settings, as_of)
    return plan_retraining(settings, as_of, mode, bases, labels, alert=alert)


def _ingest(settings: Settings, as_of: date, progress: Progress) -> Iterator[str]:
    lines = ingest_new_rows(
        settings,
        through=as_of - timedelta(days=1),
        reach=as_of - timedelta(days=1 + settings.data.max_lag_days),
        progress=progress,
    )
    yield from (f"{as_of}: {line}" for line in lines)


def _inherit(last: date, *, new_lineage: bool) -> None:
    """Fetch what the last run recorded; the working folder may hold an experiment.

    A new model lineage inherits no models, which may be of a version that is not read any more.
    """
    commit, scored = run_records.commit_of(last), tables.partition_path(paths.SCORED, last)
    with fetched(commit, scored) as copy:
        copy.replace(tables.partition_path(paths.PREDICTIONS, last))
    if new_lineage:
        return
    with fetched_release(*rollback_records.current_release(last)) as copy:
        shutil.rmtree(paths.CHAMPION, ignore_errors=True)  # written again, whatever stops it here
        copy.replace(paths.CHAMPION)
    champions = load_release(paths.CHAMPION).models
    with fetched(commit, paths.INCREMENTAL) as updated:
        challengers.inherit(champions, updated, paths.CHALLENGER, into=paths.CHALLENGER)
