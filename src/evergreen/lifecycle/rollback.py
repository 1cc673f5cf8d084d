"""Roll back: serve an older model at once, and let the next run start from it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from evergreen.errors import DataError, ModelError
from evergreen.history import rollback_records, run_records
from evergreen.history.rollback_records import RollbackRecord, What
from evergreen.history.run_summaries import find_version
from evergreen.lifecycle import params_file, review
from evergreen.lifecycle.ensure_served import ensure_served
from evergreen.lifecycle.fetch_release import fetch_release
from evergreen.lifecycle.hold import check_no_other_changes, set_hold
from evergreen.lifecycle.publish import publish
from evergreen.lifecycle.recovery import SCRATCH
from evergreen.settings import paths
from evergreen.settings.dates import parse_date
from evergreen.settings.loading import load_settings
from evergreen.store import files, models, releases
from evergreen.vcs import dvc_fetch
from evergreen.vcs.dvc import dvc
from evergreen.vcs.dvc_internals import write_data_through
from evergreen.vcs.git import commit
from evergreen.vcs.tracked_paths import ROLLBACK_PIN


def roll_back(target: str | None, to: str, reason: str, *, hold: bool = False) -> Iterator[str]:
    """Publish an older model, or a complete older release, as the champion of the next run.

    Parameters
    ----------
    target
        The target; None for all targets.
    to
        The date of a run, for the models in production after it; or a version of `target`.
    reason
        For the history.
    hold
        Keep these models until `evergreen unhold`.

    Yields
    ------
    str
        A line for each step.

    Raises
    ------
    DataError
        If there is no such run or version.
    EvergreenError
        If a run is not finished.
    """
    review.check_branch()
    settings, last = load_settings(), run_records.last()
    if last is None or settings.as_of != last.as_of:
        raise run_records.unfinished(settings.as_of)
    if hold:
        check_no_other_changes()
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=paths.LOCK.parent) as scratch:
        before = _fetch_current(last.as_of, Path(scratch) / "now")
        older = _older(target, to, Path(scratch) / "older")
        yield from _exchange(before, older, last.as_of, to, reason, hold=hold)


def serve_approved(as_of: date, commit: str, champions: dict[str, str | None]) -> Iterator[str]:
    """Serve models of a run that was approved after later runs were recorded.

    Parameters
    ----------
    as_of, commit
        Of that run.
    champions
        The targets it promoted, and the champion that each new model was compared with.

    Yields
    ------
    str
        A line for each step; none if all of the models are served already.

    Raises
    ------
    DataError
        If another champion is served by now.
    """
    last = run_records.last()
    if last is None:
        raise DataError("no run is recorded", "evergreen history")
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=paths.LOCK.parent) as scratch:
        before = _fetch_current(last.as_of, Path(scratch) / "now")
        approved = fetch_release(commit, paths.PRODUCTION, Path(scratch) / "approved").released
        chosen = {name: approved[name] for name in champions}
        served = {name: _version(before.released.get(name)) for name in champions}
        if served == {name: _version(model) for name, model in chosen.items()}:
            return
        for name, champion in champions.items():
            if served[name] != champion:
                raise DataError(
                    f"the model of {name} was compared with {champion}, but {served[name]} is "
                    "served now",
                    f'evergreen reject {as_of} --reason "..."; the next run compares again',
                )
        reason = f"the run of {as_of} was approved"
        yield from _exchange(before, chosen, last.as_of, "it", reason, what="approval")


def _exchange(
    before: releases.Release,
    chosen: dict[str, releases.Released],
    last: date,
    to: str,
    reason: str,
    *,
    hold: bool = False,
    what: What = "rollback",
) -> Iterator[str]:
    """Replace some models of a release, serve and record the result."""
    now = before.released
    changed = {
        name: (_version(now.get(name)), model.model.manifest.version)
        for name, model in chosen.items()
        if _version(now.get(name)) != model.model.manifest.version
    }
    if not changed:
        yield f"{to} is already served"
        yield from ensure_served()
        if hold:
            yield from _hold(chosen, reason)
        return
    next_day = (last + timedelta(days=1)).isoformat()
    new = {name: _served_since(chosen[name], next_day) for name in changed}
    with files.replacing(paths.ROLLBACK) as unfinished:
        version = releases.write_release(unfinished, now | new)
    publish(paths.ROLLBACK)
    yield f"release {version} is served from {paths.CURRENT}"
    dvc("add", str(paths.ROLLBACK))
    record = RollbackRecord(
        what=what,
        after=last,
        number=1 + len(rollback_records.since(last)),
        release=str(version),
        previous_release=before.version,
        targets=changed,
        reason=reason,
        manifest_sha256=releases.manifest_digest(paths.ROLLBACK),
    )
    files.write_json(record.model_dump(mode="json"), record.path)
    if hold:
        params_file.write({"hold": dict(load_settings().hold) | dict.fromkeys(changed, reason)})
    write_data_through()
    _commit(record, hold=hold)
    yield from (f"{name}: {old} -> {new}" for name, (old, new) in changed.items())
    yield f"recorded in {record.path}; the next run starts from these models"


def _hold(targets: Iterable[str], reason: str) -> Iterator[str]:
    for target in targets:
        if target not in load_settings().hold:
            yield from set_hold(target, reason)


def _fetch_current(last: date, into: Path) -> releases.Release:
    return fetch_release(*rollback_records.current_release(last), into)


def _older(target: str | None, to: str, into: Path) -> dict[str, releases.Released]:
    try:
        day = parse_date(to)
    except ValueError:
        return _version_of(target, to, into)
    record = run_records.read(day)
    commit = run_records.commit_of(record.as_of)
    released = fetch_release(commit, paths.PRODUCTION, into).released
    chosen = {name: model for name, model in released.items() if target in (None, name)}
    if not chosen:
        raise DataError(
            f"no model of {target or 'any target'} was in production on {to}",
            "evergreen versions",
        )
    return chosen


def _served_since(released: releases.Released, day: str) -> releases.Released:
    """The model, its expected loss compared with live predictions from a day on only."""
    expected = released.expected_loss
    return replace(released, expected_loss=expected and expected | {"since": day})


def _version_of(target: str | None, version: str, into: Path) -> dict[str, releases.Released]:
    if target is None:
        raise DataError(
            f"{version!r} is not a date (expected YYYY-MM-DD), and a version needs a target",
            f"evergreen rollback TARGET --to {version}",
        )
    candidate = find_version(run_records.read_all(), target, version)
    fetch_version(target, version, into)
    day, expected_loss = candidate.as_of.isoformat(), {"loss": candidate.loss}
    return {target: releases.Released(models.load_model(into), day, expected_loss)}


def fetch_version(target: str, version: str, into: Path) -> None:
    """Fetch a candidate of any run from DVC's cache or remote.

    Raises
    ------
    DataError
        If there is no such version, or it is not available, or damaged.
    ModelError
        If it holds a pickle; nothing is left at `into` then.
    """
    candidate = find_version(run_records.read_all(), target, version)
    source = paths.CANDIDATES[candidate.kind] / target
    dvc_fetch.fetch(run_records.commit_of(candidate.as_of), source, into)
    try:
        models.load_model(into)
    except ModelError:
        files.remove(into)
        raise


def _version(released: releases.Released | None) -> str | None:
    return released.model.manifest.version if released else None


def _commit(record: RollbackRecord, *, hold: bool) -> None:
    lines = [f"{name}: {old} -> {new}" for name, (old, new) in record.targets.items()]
    verb = "Roll back" if record.what == "rollback" else "Serve"
    subject = f"{verb} {', '.join(record.targets)}: {record.reason}"
    names: list[str | Path] = [ROLLBACK_PIN, "models/.gitignore", record.path]
    commit("\n".join([subject, "", *lines]), *names, *([paths.PARAMS] if hold else []))
