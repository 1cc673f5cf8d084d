"""Finish a run: verify and publish its release, record it, commit it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta

from evergreen.errors import EvergreenError
from evergreen.history import rollback_records, run_records, run_summaries
from evergreen.history.alerts import MESSAGES, unanswered_before
from evergreen.history.experiments import REPLACE, Experiment, find_experiment
from evergreen.history.feature_changes import in_one_line
from evergreen.history.run_recorder import record_of
from evergreen.lifecycle import review
from evergreen.lifecycle.publish import publish, verify_in_clean_process
from evergreen.lifecycle.push import push as push_recorded
from evergreen.report.page import write_report
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.settings.pipeline import Settings
from evergreen.store import files
from evergreen.store.used_parameters import check_used
from evergreen.vcs.dvc import outdated
from evergreen.vcs.dvc_fetch import check_cache
from evergreen.vcs.dvc_internals import write_data_through
from evergreen.vcs.git import changes, commit
from evergreen.vcs.tracked_paths import CODE, RECORDED

SKIP_CI = "[skip ci]"
"""Tells a forge not to start workflows for the commit of a run, which changes no code."""


def finish(*, push: bool = False, replace: str | None = None) -> Iterator[str]:
    """Verify, publish, record and commit the outcome of `dvc repro`.

    With manual approval, a run that promotes a model is committed on its own branch instead, and
    nothing that is served or recorded changes until it is approved. A run that promotes nothing
    needs no approval and is recorded at once, so that its labels and scores count for later runs.

    A second call changes nothing: the release exists, the record is the same, and there is nothing
    to commit. A recorded run is pushed without further checks: a later hold, or a later change of
    the code, concerns the next run.

    A date has one verdict: trying other settings until the gate lets a model pass would make its
    level meaningless. So an experiment on a recorded date is refused, unless it is to replace the
    verdict, which is kept in the history and counts as a look.

    Parameters
    ----------
    push
        Push data and commits afterwards.
    replace
        The reason to replace the recorded verdict, if there is another one on this date.

    Yields
    ------
    str
        A line for each step.

    Raises
    ------
    EvergreenError
        If the run is not complete, its code is not committed, a later run is recorded, or it is an
        experiment that is not to replace the recorded one.
    DataError
        If data that `dvc pull` fetched were altered on the remote.
    ModelError
        If the predictions of the release differ from those at training.
    """
    review.check_branch()
    settings = load_settings()
    if push and run_records.is_recorded(settings.as_of) and not changes(*RECORDED, untracked=False):
        yield f"{settings.as_of}: already recorded"
        yield from push_recorded()
        return
    experiment = _experiment(settings, replace)
    _check_complete(settings, experiment)
    check_used()
    check_cache()
    record = record_of(settings)
    if experiment is not None:
        record = record.model_copy(update={"replaces": _replacement(experiment, record, replace)})
    if _needs_review(settings, record):
        yield from _propose(settings, record)
    else:
        yield from _accept(settings, record)
    if push:
        yield from push_recorded()


def _experiment(settings: Settings, replace: str | None) -> Experiment | None:
    """Find an experiment in the workspace; refuse one that is not to replace the recorded run."""
    last = run_records.last_committed()
    if last is not None and settings.as_of < last.as_of:
        raise EvergreenError(
            f"the workspace holds the run of {settings.as_of}, but later ones are recorded, the "
            f"last for {last.as_of}: each starts from the one before it",
            "git restore --staged --worktree . && dvc checkout; or evergreen rollback --to "
            f'{settings.as_of} --reason "...", to serve its models',
        )
    experiment = find_experiment(settings.as_of)
    if experiment is not None and not experiment.is_remade and replace is None:
        raise EvergreenError(str(experiment), f"{experiment.way_back}; or {REPLACE}")
    return experiment


def _replacement(
    experiment: Experiment, record: run_records.RunRecord, reason: str | None
) -> run_records.Replacement | None:
    """What the record of another `dvc.lock` replaces; a remade run keeps what the first one did."""
    if reason is not None:
        return run_records.replacement(record.as_of, reason)
    recorded = run_records.committed(record.as_of)
    actions = {name: target.action for name, target in record.targets.items()}
    if recorded and actions != {name: target.action for name, target in recorded.targets.items()}:
        raise EvergreenError(
            f"{experiment}; yet the decisions do", f"{experiment.way_back}; or {REPLACE}"
        )
    return recorded.replaces if recorded else None


def _needs_review(settings: Settings, record: run_records.RunRecord) -> bool:
    """Whether a run needs manual approval; a first run, which people make by hand, never does."""
    promoted = any(target.action == "promoted" for target in record.targets.values())
    first = not any(day < record.as_of for day in run_records.dates())
    if settings.promotion.mode == "auto" or not promoted or first:
        return False
    return not (run_records.is_recorded(record.as_of) and run_records.is_written(record))


def _propose(settings: Settings, record: run_records.RunRecord) -> Iterator[str]:
    verify_in_clean_process(paths.PRODUCTION)
    yield from _write_history(settings, record)
    write_data_through()
    run = review.set_aside(record.as_of, _message(record), RECORDED)
    review.restore_main(run)
    yield str(run)
    yield f"{record.as_of}: the current release stays in production until then"


def _accept(settings: Settings, record: run_records.RunRecord) -> Iterator[str]:
    # A rollback after this run stays in force until the next one.
    version = publish(paths.ROLLBACK if rollback_records.since(record.as_of) else paths.PRODUCTION)
    yield f"{record.as_of}: release {version or 'none'}" + (
        f" is served from {paths.CURRENT}" if version else ": no model has beaten the baselines"
    )
    yield from _write_history(settings, record)
    if changes(*RECORDED):
        write_data_through()
        commit(f"{_message(record)}\n\n{SKIP_CI}", *RECORDED)
        yield f"{record.as_of}: recorded in {run_records.path_of(record.as_of)} and committed"
    else:
        yield f"{record.as_of}: already recorded"


def _write_history(settings: Settings, record: run_records.RunRecord) -> Iterator[str]:
    """Write the record, the data of plots, the report, and separately the durations of the stages.

    An identical run that was already recorded keeps its durations. Yields a line for the report,
    and one for each target whose new model uses other features.
    """
    identical = run_records.is_written(record)
    run_records.write(record)
    records = [r for r in run_records.read_all() if r.as_of <= record.as_of]
    files.write_csv(run_summaries.loss_rows(records), paths.HISTORY / "losses.csv")
    files.write_csv(run_summaries.live_rows(records), paths.HISTORY / "live.csv")
    seconds = {path.name: float(path.read_text("utf-8")) for path in paths.SECONDS.glob("*")}
    if seconds and not identical:
        files.write_json(seconds, paths.HISTORY / "seconds" / f"{record.as_of}.json")
    shutil.rmtree(paths.SECONDS, ignore_errors=True)
    yield f"{record.as_of}: {write_report(settings, paths.PAGE, paths.PAGE_IN_MARKDOWN)}"
    for name, changed in record.features_changed.items():
        yield f"{record.as_of}: {name}: features changed: {in_one_line(changed)}"


def _check_complete(settings: Settings, experiment: Experiment | None) -> None:
    changed = changes(*CODE)
    if changed:
        raise EvergreenError(
            f"the code of this run is not committed:\n{changed.rstrip()}",
            "git commit it, so that the run can be reproduced, or git restore it; then dvc repro",
        )
    if not (stale := outdated()):
        return
    if experiment is None and run_records.is_recorded(settings.as_of):
        raise EvergreenError(
            f"{settings.as_of} is recorded, and settings, inputs or outputs have changed since: "
            f"{', '.join(stale)}",
            f"evergreen cycle --as-of {settings.as_of + timedelta(days=1)}, for a run with changed "
            "settings; or git restore . && dvc checkout",
        )
    raise EvergreenError(
        f"the run is not complete, or its inputs have changed: {', '.join(stale)}",
        "check that the disk is not full, then dvc repro and the same command again",
    )


def _full_retrain(record: run_records.RunRecord) -> str:
    if record.full_retrain_as_of != record.as_of:
        return f"Last full retrain: {record.full_retrain_as_of}."
    earlier = [day for day in run_records.dates() if day < record.as_of]
    before = run_records.read(earlier[-1]).full_retrain_as_of if earlier else record.as_of
    alert = unanswered_before(record.as_of, before) if record.mode == "auto" else None
    return f"Includes a full retrain: {alert}." if alert else "Includes a full retrain."


def _message(record: run_records.RunRecord) -> str:
    """The commit message of a run."""
    targets = record.targets
    actions = ", ".join(f"{name} {target.action}" for name, target in targets.items())
    title, why = f"Run of {record.as_of}: {actions}", []
    if replaced := record.replaces:
        title = f"Run of {record.as_of}, replaces {replaced.record}: {actions}"
        why = [f"Replaces the verdict {replaced.record}: {replaced.reason}.", ""]
    lines = [
        title,
        "",
        *why,
        *(f"{name}: {target.verdict}" for name, target in targets.items()),
        "",
        f"Release {record.release or 'none'}, previously {record.previous_release or 'none'}.",
        _full_retrain(record),
    ]
    for name, target in targets.items():
        lines += [f"Alert: {name} {MESSAGES[a.kind]}: {a.message}." for a in target.alerts]
    if record.parameters_changed:
        lines.append("Changed parameters:")
        lines += [f"{key}: {old} -> {new}" for key, (old, new) in record.parameters_changed.items()]
    for name, changed in record.features_changed.items():
        lines.append(f"Changed features of {name}: {in_one_line(changed)}.")
    return "\n".join(lines)
