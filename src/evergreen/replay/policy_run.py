"""Replay one policy run by run, with the functions of the stages."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import chdir
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evergreen.history.alerts import unanswered
from evergreen.replay.scenario import Scenario, settings_on
from evergreen.replay.shared_work import train_full_cached
from evergreen.settings import paths
from evergreen.settings.names import Mode
from evergreen.settings.pipeline import Settings
from evergreen.stages import (
    collect_labels,
    compare,
    featurize,
    promote,
    train_incremental,
)
from evergreen.store import (
    challengers,
    files,
    models,
    predictions,
    tables,
)
from evergreen.store.cache import Cache
from evergreen.store.label_counts import COUNTS
from evergreen.store.releases import load_release, write_empty_release
from evergreen.store.reports import read_drift

if TYPE_CHECKING:
    from evergreen.replay.policies import Policy

RECORD, SCORED = "record.json", "scored.parquet"
CHALLENGER = paths.CHALLENGER.name
RUNS = Path("runs")
FAILED = Path("failed")
"""Written when the runs of a policy fail, so that nobody waits for the rest."""


def replay_policy(scenario: Scenario, policy: Policy, folder: Path) -> None:
    """Run a policy on every date in its own folder; resume where an earlier call stopped.

    Parameters
    ----------
    folder
        Holds ``data/raw`` through the end of the history. Each finished run writes
        ``runs/<as_of>`` with its record, its scores and its candidates; releases go to
        ``releases``. `evergreen.replay.hindsight.judge_policy` measures what they were worth.
    """
    with chdir(folder):
        if not paths.PREDICTIONS.exists():
            predictions.write_none(paths.PREDICTIONS, scenario.settings.targets)
        settings, cache = policy.settings(scenario.settings), Cache()
        try:
            for as_of in scenario.dates:
                if not (RUNS / str(as_of)).is_dir():
                    _run(policy, settings, as_of, cache)
        except BaseException:
            FAILED.touch()
            raise


def read_records(folder: Path) -> list[dict[str, Any]]:
    """Read the records of a policy's finished runs, in order."""
    return [
        json.loads(path.read_text("utf-8"))
        for path in sorted((folder / RUNS).glob(f"[!.]*/{RECORD}"))
    ]


def _run(policy: Policy, settings: Settings, as_of: date, cache: Cache) -> None:
    started, spared = time.perf_counter(), cache.seconds_spared
    last_full = _restore_previous(as_of)
    settings = settings_on(settings, as_of, last_full)
    if policy.trains == "nothing" and _all_have_models(settings):
        _repeat_previous(settings, as_of, last_full)
        return
    list(collect_labels.make(settings, cache))
    mode, last_full = _plan(policy, settings, as_of, last_full)
    settings = settings_on(settings, as_of, last_full).model_copy(update={"mode": mode})
    list(featurize.make(settings, cache))
    list(train_incremental.run(settings))
    retrained = last_full == as_of
    if retrained or not paths.FULL.exists():
        train_full_cached(settings, cache)
    report = _decide(policy, settings)
    list(promote.run(settings))
    seconds = time.perf_counter() - started
    if retrained:  # whichever policy trained the model: each is charged what it would cost alone
        seconds += cache.seconds_spared - spared
    record = {
        "as_of": str(as_of),
        "full_retrain_as_of": str(last_full),
        "release": _keep_release(),
        "seconds": seconds,
        "rows_trained": _rows_trained(settings, full=retrained),
        "targets": _target_records(report),
    }
    candidates = [
        paths.CANDIDATES[kind] / name
        for name, compared in report.items()
        for kind in compared["candidates"]
    ]
    _finish(record, tables.partition_path(paths.SCORED, as_of), candidates)


def _restore_previous(as_of: date) -> date:
    """Restore what the previous run left, as pin does; return the last full retrain's date."""
    records = read_records(Path())
    if not records:
        write_empty_release(paths.CHAMPION)
        challengers.inherit({}, into=paths.CHALLENGER)
        return as_of
    last = records[-1]
    shutil.rmtree(paths.CHALLENGER, ignore_errors=True)
    shutil.copytree(RUNS / last["as_of"] / CHALLENGER, paths.CHALLENGER)
    shutil.rmtree(paths.CHAMPION, ignore_errors=True)
    if last["release"] is None:
        write_empty_release(paths.CHAMPION)
    else:
        shutil.copytree(paths.RELEASES / last["release"], paths.CHAMPION)
    partition = paths.PREDICTIONS / f"{last['as_of']}.parquet"
    shutil.copy(RUNS / last["as_of"] / SCORED, partition)
    return date.fromisoformat(last["full_retrain_as_of"])


def _all_have_models(settings: Settings) -> bool:
    return load_release(paths.CHAMPION).models.keys() >= settings.targets.keys()


def _repeat_previous(settings: Settings, as_of: date, last_full: date) -> None:
    """Record a run that neither trains nor compares: it keeps the previous release."""
    previous = read_records(Path())[-1]
    unchanged: dict[str, Any] = {"promoted": None, "candidates": {}, "alerts": []}
    unchanged["label_mean"] = None  # not needed: every target has a model
    record = previous | {
        "as_of": str(as_of),
        "full_retrain_as_of": str(last_full),
        "seconds": 0.0,
        "rows_trained": 0,
        "targets": dict.fromkeys(settings.targets, unchanged),
    }
    _finish(record, RUNS / previous["as_of"] / SCORED)


def _plan(policy: Policy, settings: Settings, as_of: date, last_full: date) -> tuple[Mode, date]:
    labels = tables.read_frame(COUNTS, made_by="collect_labels")
    bases = challengers.bases(
        load_release(paths.CHAMPION).models,
        paths.CHALLENGER,
        max_updates=settings.incremental.max_updates,
    )
    alerts = [
        (
            date.fromisoformat(record["as_of"]),
            {name: target["alerts"] for name, target in record["targets"].items()},
        )
        for record in read_records(Path())
    ]
    alert = unanswered(alerts, last_full)
    return policy.plan(settings, as_of, bases, labels, alert=alert)


def _decide(policy: Policy, settings: Settings) -> dict[str, Any]:
    """Compare the candidates; write and return the report with the policy's winners."""
    judged = compare.judge(settings)
    report = {
        name: judged.report[name] | {"winner": policy.choose(name, judged)}
        for name in settings.targets
    }
    files.write_json(report, paths.COMPARISON_REPORT)
    return report


def _target_records(report: dict[str, Any]) -> dict[str, Any]:
    drift = read_drift(next_step="evergreen replay")
    return {
        name: {
            "promoted": compared["winner"],
            "candidates": {
                kind: {key: candidate[key] for key in ("version", "gain", "interval", "reason")}
                for kind, candidate in compared["candidates"].items()
            },
            "label_mean": _label_mean(name),
            "alerts": [alert["kind"] for alert in drift[name]["alerts"]],
        }
        for name, compared in report.items()
    }


def _label_mean(name: str) -> float | None:
    """Return what is predicted for everyone as long as the target has no model."""
    folder = paths.FULL / name
    return models.read_manifest(folder).label_mean if folder.is_dir() else None


def _keep_release() -> str | None:
    version = load_release(paths.PRODUCTION).version
    if version is not None and not (paths.RELEASES / version).exists():
        with files.replacing(paths.RELEASES / version) as unfinished:
            shutil.copytree(paths.PRODUCTION, unfinished)
    return version


def _rows_trained(settings: Settings, *, full: bool) -> int:
    """Count the labels that this run trained on, over all targets."""
    rows = 0
    for name in settings.targets:
        if (paths.INCREMENTAL / name).is_dir():
            updates = tables.read_frame(
                paths.FEATURES_UPDATE / "labels.parquet", made_by="featurize"
            )
            rows += int((updates["target"] == name).sum())
        if full and (paths.FULL / name).is_dir():
            rows += models.read_manifest(paths.FULL / name).rows
    return rows


def _finish(record: dict[str, Any], scored: Path, candidates: Sequence[Path] = ()) -> None:
    """Write a run's folder, complete or not at all."""
    as_of = record["as_of"]
    released = load_release(paths.PRODUCTION).models
    updates = paths.INCREMENTAL, paths.CHALLENGER
    with files.replacing(RUNS / as_of) as unfinished:
        unfinished.mkdir()
        shutil.copy(scored, unfinished / SCORED)
        for folder in candidates:
            shutil.copytree(folder, unfinished / folder, copy_function=os.link)
        files.write_json(record, unfinished / RECORD)
        challengers.inherit(released, *updates, into=unfinished / CHALLENGER)
    for earlier in RUNS.glob(f"*/{CHALLENGER}"):
        if earlier.parent.name != as_of:
            shutil.rmtree(earlier)
