"""Finish a run: verify and publish its release, record it, commit it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from evergreen import paths
from evergreen.errors import EvergreenError
from evergreen.loop import history, rollback, track_record
from evergreen.loop.alarms import WORDS, unanswered_before
from evergreen.loop.commands import dvc, git
from evergreen.loop.features_changed import in_one_line
from evergreen.loop.publish import publish
from evergreen.loop.push import push as push_recorded
from evergreen.loop.recording import record_of
from evergreen.params import load_settings
from evergreen.report.page import write_report
from evergreen.store import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evergreen.loop.history import RunRecord

RECORDED = (
    str(paths.PARAMS),
    str(paths.DVC_LOCK),
    "data/raw.dvc",
    "data/predictions.dvc",
    "models/champion.dvc",
    "data/.gitignore",
    "data/features/.gitignore",
    "models/.gitignore",
    "reports",
    "history",
)
CODE = ("src", "dvc.yaml", "requirements.lock")


def finish(*, push: bool = False) -> Iterator[str]:
    """Verify, publish, record and commit what `dvc repro` has made.

    Done twice it changes nothing the second time: the release stands, the record is the same, and
    there is nothing to commit.

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
    settings = load_settings()
    _check_complete()
    # A rollback after this very run stands until the next one.
    version = publish(paths.ROLLBACK if rollback.since(settings.as_of) else paths.PRODUCTION)
    yield f"{settings.as_of}: release {version or 'none'}" + (
        f" is served from {paths.CURRENT}" if version else ": no model has beaten the baselines"
    )
    record = record_of(settings)
    _write_history(record)
    yield f"{settings.as_of}: {write_report(settings, paths.PAGE, paths.PAGE_IN_MARKDOWN)}"
    for name, changed in record.features_changed.items():
        yield f"{settings.as_of}: {name}: features changed: {in_one_line(changed)}"
    git("add", "--", *RECORDED)
    if git("status", "--porcelain", "--", *RECORDED):
        git("commit", "--quiet", "--message", _message(record), "--", *RECORDED)
        yield f"{settings.as_of}: recorded in {history.path_of(settings.as_of)} and committed"
    else:
        yield f"{settings.as_of}: recorded already"
    if push:
        yield from push_recorded()


def _write_history(record: RunRecord) -> None:
    """Write the record, the rows for plots, and apart from both how long the stages took.

    A run that was recorded already and is made again keeps its times, which always differ.
    """
    known = history.path_of(record.as_of).is_file() and history.read(record.as_of) == record
    history.write(record)
    records = [found for found in history.read_all() if found.as_of <= record.as_of]
    files.write_csv(track_record.loss_rows(records), paths.HISTORY / "losses.csv")
    files.write_csv(track_record.live_rows(records), paths.HISTORY / "live.csv")
    taken = {path.name: float(path.read_text("utf-8")) for path in paths.SECONDS.glob("*")}
    if taken and not known:
        files.write_json(taken, paths.HISTORY / "seconds" / f"{record.as_of}.json")
    shutil.rmtree(paths.SECONDS, ignore_errors=True)


def _check_complete() -> None:
    changed = git("status", "--porcelain", "--", *CODE)
    if changed:
        raise EvergreenError(
            f"code that this run was made by is not committed:\n{changed.rstrip()}",
            "git commit it, so that the run can be reproduced, or git restore it; then dvc repro",
        )
    status = json.loads(dvc("status", "--json"))
    if status:
        raise EvergreenError(
            f"the run is not complete, or its inputs have changed: {', '.join(status)}",
            "see that the disk is not full, then dvc repro and the same command again",
        )


def _full_retrain(record: RunRecord) -> str:
    if record.full_retrain_as_of != record.as_of:
        return f"Last full retrain {record.full_retrain_as_of}."
    earlier = [day for day in history.dates() if day < record.as_of]
    before = history.read(earlier[-1]).full_retrain_as_of if earlier else record.as_of
    alarm = unanswered_before(record.as_of, before) if record.mode == "auto" else None
    return f"With a full retrain: {alarm}." if alarm else "With a full retrain."


def _message(record: RunRecord) -> str:
    actions = ", ".join(f"{name} {target.action}" for name, target in record.targets.items())
    lines = [f"{name}: {target.verdict}" for name, target in record.targets.items()]
    changes = [f"{k}: {a} -> {b}" for k, (a, b) in record.parameters_changed.items()]
    alarms = [
        f"Alarm: {name} {WORDS[a.kind]}: {a.words}."
        for name, target in record.targets.items()
        for a in target.alarms
    ]
    return "\n".join(
        [
            f"Run of {record.as_of}: {actions}",
            "",
            *lines,
            "",
            f"Release {record.release or 'none'}; before, {record.previous_release or 'none'}.",
            _full_retrain(record),
            *alarms,
            *(["Parameters changed:", *changes] if changes else []),
            *(
                f"Features of {n} changed: {in_one_line(c)}."
                for n, c in record.features_changed.items()
            ),
        ]
    )
