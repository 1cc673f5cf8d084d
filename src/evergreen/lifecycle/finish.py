"""Finish a run: verify and publish its release, record it, commit it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from evergreen.errors import EvergreenError
from evergreen.history import rollback_records, run_records, run_summaries
from evergreen.history.alerts import MESSAGES, unanswered_before
from evergreen.history.feature_changes import in_one_line
from evergreen.history.run_recorder import record_of
from evergreen.lifecycle import review
from evergreen.lifecycle.publish import publish, verify_in_clean_process
from evergreen.lifecycle.push import push as push_recorded
from evergreen.report.page import write_report
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.store import files
from evergreen.vcs.dvc import outdated
from evergreen.vcs.git import changes, commit
from evergreen.vcs.tracked_paths import CODE, RECORDED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evergreen.history.run_records import RunRecord
    from evergreen.settings.pipeline import Settings

SKIP_CI = "[skip ci]"
"""Keeps a forge from testing, or training on, the commit of a run that changes no code."""


def finish(*, push: bool = False) -> Iterator[str]:
    """Verify, publish, record and commit what `dvc repro` has made.

    Where people have the last word, a run that promotes anything is committed on a branch of its
    own instead, and nothing that is served or recorded changes until it is approved. A run that
    keeps everything leaves nothing to approve, and is recorded as ever: its labels and scores then
    count for the runs that follow.

    Done twice it changes nothing the second time: the release stands, the record is the same, and
    there is nothing to commit. To push what was recorded before, nothing is looked at again: a
    hold, or other code, that came later is for the next run.

    Yields
    ------
    str
        What was done, a line each.

    Raises
    ------
    EvergreenError
        If the run is not complete, or was made by code that is not committed.
    ModelError
        If the release does not predict what its models predicted at training.
    """
    review.check_branch()
    settings = load_settings()
    if push and run_records.is_recorded(settings.as_of) and not changes(*RECORDED, untracked=False):
        yield f"{settings.as_of}: recorded already"
        yield from push_recorded()
        return
    _check_complete()
    record = record_of(settings)
    if _needs_review(settings, record):
        yield from _propose(settings, record)
    else:
        yield from _accept(settings, record)
    if push:
        yield from push_recorded()


def _needs_review(settings: Settings, record: RunRecord) -> bool:
    """Whether a person has the last word: never of a first run, which a person makes by hand."""
    promoted = any(target.action == "promoted" for target in record.targets.values())
    first = not any(day < record.as_of for day in run_records.dates())
    if settings.promotion.mode == "auto" or not promoted or first:
        return False
    return not (run_records.is_recorded(record.as_of) and run_records.read(record.as_of) == record)


def _propose(settings: Settings, record: RunRecord) -> Iterator[str]:
    verify_in_clean_process(paths.PRODUCTION)
    yield from _write_history(settings, record)
    run = review.set_aside(record.as_of, _message(record), RECORDED)
    review.put_back(run)
    yield str(run)
    yield f"{record.as_of}: what is served stays as it is until then"


def _accept(settings: Settings, record: RunRecord) -> Iterator[str]:
    # A rollback after this very run stands until the next one.
    version = publish(paths.ROLLBACK if rollback_records.since(record.as_of) else paths.PRODUCTION)
    yield f"{record.as_of}: release {version or 'none'}" + (
        f" is served from {paths.CURRENT}" if version else ": no model has beaten the baselines"
    )
    yield from _write_history(settings, record)
    if changes(*RECORDED):
        commit(f"{_message(record)}\n\n{SKIP_CI}", *RECORDED)
        yield f"{record.as_of}: recorded in {run_records.path_of(record.as_of)} and committed"
    else:
        yield f"{record.as_of}: recorded already"


def _write_history(settings: Settings, record: RunRecord) -> Iterator[str]:
    """Write the record, the rows for plots, the report, and apart how long the stages took.

    A run that was recorded already and is made again keeps its times, which always differ. Yields
    what a new model reads otherwise, a line for each target.
    """
    known = run_records.path_of(record.as_of).is_file() and run_records.read(record.as_of) == record
    run_records.write(record)
    records = [found for found in run_records.read_all() if found.as_of <= record.as_of]
    files.write_csv(run_summaries.loss_rows(records), paths.HISTORY / "losses.csv")
    files.write_csv(run_summaries.live_rows(records), paths.HISTORY / "live.csv")
    taken = {path.name: float(path.read_text("utf-8")) for path in paths.SECONDS.glob("*")}
    if taken and not known:
        files.write_json(taken, paths.HISTORY / "seconds" / f"{record.as_of}.json")
    shutil.rmtree(paths.SECONDS, ignore_errors=True)
    yield f"{record.as_of}: {write_report(settings, paths.PAGE, paths.PAGE_IN_MARKDOWN)}"
    for name, changed in record.features_changed.items():
        yield f"{record.as_of}: {name}: features changed: {in_one_line(changed)}"


def _check_complete() -> None:
    changed = changes(*CODE)
    if changed:
        raise EvergreenError(
            f"code that this run was made by is not committed:\n{changed.rstrip()}",
            "git commit it, so that the run can be reproduced, or git restore it; then dvc repro",
        )
    if stale := outdated():
        raise EvergreenError(
            f"the run is not complete, or its inputs have changed: {', '.join(stale)}",
            "see that the disk is not full, then dvc repro and the same command again",
        )


def _full_retrain(record: RunRecord) -> str:
    if record.full_retrain_as_of != record.as_of:
        return f"Last full retrain {record.full_retrain_as_of}."
    earlier = [day for day in run_records.dates() if day < record.as_of]
    before = run_records.read(earlier[-1]).full_retrain_as_of if earlier else record.as_of
    alert = unanswered_before(record.as_of, before) if record.mode == "auto" else None
    return f"With a full retrain: {alert}." if alert else "With a full retrain."


def _message(record: RunRecord) -> str:
    actions = ", ".join(f"{name} {target.action}" for name, target in record.targets.items())
    lines = [f"{name}: {target.verdict}" for name, target in record.targets.items()]
    changes = [f"{k}: {a} -> {b}" for k, (a, b) in record.parameters_changed.items()]
    alerts = [
        f"Alert: {name} {MESSAGES[a.kind]}: {a.message}."
        for name, target in record.targets.items()
        for a in target.alerts
    ]
    return "\n".join(
        [
            f"Run of {record.as_of}: {actions}",
            "",
            *lines,
            "",
            f"Release {record.release or 'none'}; before, {record.previous_release or 'none'}.",
            _full_retrain(record),
            *alerts,
            *(["Parameters changed:", *changes] if changes else []),
            *(
                f"Features of {n} changed: {in_one_line(c)}."
                for n, c in record.features_changed.items()
            ),
        ]
    )
