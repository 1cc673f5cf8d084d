"""Serve an older model again, at once, and make it the parent of what comes next."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.errors import DataError, EvergreenError
from evergreen.history import rollback_records, run_records
from evergreen.history.rollback_records import RollbackRecord
from evergreen.history.run_summaries import find_version
from evergreen.lifecycle import params_file
from evergreen.lifecycle.publish import publish
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.store import files, models, releases
from evergreen.vcs import dvc_fetch
from evergreen.vcs.dvc import dvc
from evergreen.vcs.git import commit
from evergreen.vcs.tracked_paths import ROLLBACK_PIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evergreen.history.rollback_records import What
    from evergreen.store.releases import Release, Released


def roll_back(target: str | None, to: str, reason: str, *, hold: bool = False) -> Iterator[str]:
    """Publish an older model, or a whole older release, and make it the next run's champion.

    Parameters
    ----------
    target
        The target whose model is exchanged; all of them where it is None.
    to
        The date of a run, whose models after it are meant; or the version of a model of `target`.
    reason
        For the history.
    hold
        Keep the targets as they are then until `evergreen unhold`.

    Yields
    ------
    str
        What was done, a line each.

    Raises
    ------
    DataError
        If there is no such run or version, or it is served already.
    EvergreenError
        If a run has been begun and is not finished.
    """
    settings, last = load_settings(), run_records.last()
    if last is None or settings.as_of != last.as_of:
        raise EvergreenError(
            f"the run for {settings.as_of} is not finished", "dvc repro && evergreen finish"
        )
    with tempfile.TemporaryDirectory(dir=paths.LOCK.parent) as scratch:
        before = _fetch_release(
            *rollback_records.current_release(last.as_of), Path(scratch) / "now"
        )
        older = _older(target, to, Path(scratch) / "older")
        yield from _exchange(before, older, last.as_of, to, reason, hold=hold)


def take_over(as_of: date, commit: str, proven: dict[str, str | None]) -> Iterator[str]:
    """Serve models of a release that stands beside the history: of a run that was approved late.

    Parameters
    ----------
    as_of, commit
        Of that run.
    proven
        Its targets, and for each the version that its model was proven against.

    Yields
    ------
    str
        What was done, a line each; nothing where all of it is served already.

    Raises
    ------
    DataError
        If another model is served than the one that a model was proven against.
    """
    last = run_records.last()
    if last is None:
        raise DataError("no run is recorded that models could follow", "evergreen history")
    with tempfile.TemporaryDirectory(dir=paths.LOCK.parent) as scratch:
        before = _fetch_release(
            *rollback_records.current_release(last.as_of), Path(scratch) / "now"
        )
        theirs = _fetch_release(commit, paths.PRODUCTION, Path(scratch) / "theirs").released
        chosen = {name: theirs[name] for name in proven}
        wanted = {name: _version(one) for name, one in chosen.items()}
        served = {name: _version(before.released.get(name)) for name in proven}
        if served == wanted:
            return
        if served != proven:
            name = next(name for name in proven if served[name] != proven[name])
            raise DataError(
                f"{name} was proven against {proven[name]}, and {served[name]} is served by now",
                f'evergreen reject {as_of} --reason "..."; the next run judges anew',
            )
        reason = f"the run of {as_of} was approved"
        yield from _exchange(before, chosen, last.as_of, "it", reason, what="approval")


def _exchange(
    before: Release,
    chosen: dict[str, Released],
    last: date,
    to: str,
    reason: str,
    *,
    hold: bool = False,
    what: What = "rollback",
) -> Iterator[str]:
    """Serve the release of before with some models exchanged, and record that."""
    now = before.released
    changed = {
        name: (_version(now.get(name)), one.model.manifest.version)
        for name, one in chosen.items()
        if _version(now.get(name)) != one.model.manifest.version
    }
    if not changed:
        raise DataError(f"{to} is what is served already", "evergreen versions")
    following = (last + timedelta(days=1)).isoformat()
    taken = {name: _from(chosen[name], following) for name in changed}
    shutil.rmtree(paths.ROLLBACK, ignore_errors=True)
    version = releases.write_release(paths.ROLLBACK, now | taken)
    publish(paths.ROLLBACK)
    yield f"release {version} is served from {paths.CURRENT}"
    dvc("add", "--quiet", str(paths.ROLLBACK))
    record = RollbackRecord(
        what=what,
        after=last,
        number=1 + len(rollback_records.since(last)),
        release=str(version),
        previous_release=before.version,
        targets=changed,
        reason=reason,
    )
    files.write_json(record.model_dump(mode="json"), record.path)
    if hold:
        params_file.write({"hold": dict(load_settings().hold) | dict.fromkeys(changed, reason)})
    _commit(record)
    yield from (f"{name}: {old} -> {new}" for name, (old, new) in changed.items())
    yield f"recorded in {record.path}; the next run starts from these models"


def _fetch_current(last: date, into: Path) -> Release:
    return _fetch_release(*rollback_records.current_release(last), into)


def _fetch_release(commit: str, folder: Path, into: Path) -> Release:
    dvc_fetch.fetch(commit, folder, into)
    return releases.load_release(into)


def _older(target: str | None, to: str, into: Path) -> dict[str, Released]:
    try:
        day = date.fromisoformat(to)
    except ValueError:
        return _version_of(target, to, into)
    record = run_records.read(day)
    commit = run_records.commit_of(record.as_of)
    found = _fetch_release(commit, paths.PRODUCTION, into).released
    chosen = {name: one for name, one in found.items() if target in (None, name)}
    if not chosen:
        raise DataError(
            f"no model of {target or 'any target'} stood in production on {to}",
            "evergreen versions",
        )
    return chosen


def _from(one: Released, day: str) -> Released:
    """The model, its expected loss compared with live predictions from a day on only."""
    return replace(one, expected_loss=one.expected_loss and one.expected_loss | {"since": day})


def _version_of(target: str | None, version: str, into: Path) -> dict[str, Released]:
    if target is None:
        raise DataError(
            f"{version!r} is no date, and a version belongs to a target",
            f"evergreen rollback TARGET --to {version}",
        )
    found = find_version(run_records.read_all(), target, version)
    fetch_version(target, version, into)
    measured = {"loss": found.loss}
    return {target: releases.Released(models.load_model(into), found.as_of.isoformat(), measured)}


def fetch_version(target: str, version: str, into: Path) -> None:
    """Take a model that was ever judged out of DVC's cache or remote.

    Raises
    ------
    DataError
        If there is no such version, or it is not to be had, or damaged.
    """
    found = find_version(run_records.read_all(), target, version)
    source = paths.CANDIDATES[found.kind] / target
    commit = run_records.commit_of(found.as_of)
    dvc_fetch.fetch(commit, source, into)


def _version(one: Released | None) -> str | None:
    return one.model.manifest.version if one else None


def _commit(record: RollbackRecord) -> None:
    lines = [f"{name}: {old} -> {new}" for name, (old, new) in record.targets.items()]
    verb = "Roll back" if record.what == "rollback" else "Serve"
    subject = f"{verb} {', '.join(record.targets)}: {record.reason}"
    names = (ROLLBACK_PIN, "models/.gitignore", record.path, paths.PARAMS)
    commit("\n".join([subject, "", *lines]), *names)
