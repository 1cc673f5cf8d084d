"""One policy on one's own history: day by day, through the very functions of the stages."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import chdir
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evergreen.history.alerts import unanswered
from evergreen.replay.shared_work import kept_history, train_full_once
from evergreen.settings import paths
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
from evergreen.store.releases import load_release, write_empty_release
from evergreen.store.reports import read_drift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evergreen.replay.policies import Policy
    from evergreen.replay.scenario import Scenario
    from evergreen.settings.names import Mode
    from evergreen.settings.pipeline import Settings
    from evergreen.store.raw_history import KeptHistory

RECORD, SCORED = "record.json", "scored.parquet"
CHALLENGER = paths.CHALLENGER.name
RUNS = Path("runs")
STOPPED = Path("stopped")
"""Left by runs that come to no end, for whoever waits for them."""


def replay_policy(scenario: Scenario, policy: Policy, folder: Path) -> None:
    """Run a policy over all dates in a folder of its own; go on where an earlier call stopped.

    Parameters
    ----------
    folder
        Holds ``data/raw`` through the end of the history. Each finished run leaves there
        ``runs/<as_of>`` with its record, what it scored, and its candidates; its release stands in
        ``releases``. `evergreen.replay.hindsight.judge_policy` says what they were worth.
    """
    with chdir(folder):
        if not paths.PREDICTIONS.exists():
            predictions.write_none(paths.PREDICTIONS, scenario.settings.targets)
        settings, cache = policy.settings(scenario.settings), Cache()
        try:
            history = kept_history(settings, scenario.through, cache)
            for as_of in scenario.dates:
                if not (RUNS / str(as_of)).is_dir():
                    _run(scenario, policy, settings, as_of, (cache, history))
        except BaseException:
            STOPPED.touch()
            raise


def records(folder: Path) -> list[dict[str, Any]]:
    """The records of the runs that a policy has finished, in order."""
    found = sorted((folder / RUNS).glob(f"[!.]*/{RECORD}"))
    return [json.loads(path.read_text("utf-8")) for path in found]


def _run(
    scenario: Scenario,
    policy: Policy,
    settings: Settings,
    as_of: date,
    shared: tuple[Cache, KeptHistory],
) -> None:
    """Run one date; what it leaves gets its name at the end, when it is whole."""
    cache, history = shared
    started, spared = time.perf_counter(), cache.seconds_spared
    last_full = _inherit(as_of)
    settings = scenario.at(settings, as_of, last_full)
    if policy.trains == "nothing" and _all_have_models(settings):
        _leave_as_it_is(scenario, as_of, last_full)
        return
    list(collect_labels.run(settings, history))
    mode, last_full = _plan(policy, settings, as_of, last_full)
    settings = scenario.at(settings, as_of, last_full).model_copy(update={"mode": mode})
    list(featurize.make(settings, cache, history))
    list(train_incremental.run(settings))
    trained = last_full == as_of
    if trained or not paths.FULL.exists():
        train_full_once(settings, cache)
    judged = compare.judge(settings)
    promoted = {name: policy.choose(name, judged) for name in settings.targets}
    report = {name: found | {"winner": promoted[name]} for name, found in judged.report.items()}
    files.write_json(report, paths.COMPARISON_REPORT)
    list(promote.run(settings))
    seconds = time.perf_counter() - started
    if trained:  # by whomever: a policy costs what it would cost alone
        seconds += cache.seconds_spared - spared
    drift = read_drift(next_step="evergreen replay")
    record = {
        "as_of": str(as_of),
        "full_retrain_as_of": str(last_full),
        "release": _keep_release(),
        "seconds": seconds,
        "rows_trained": _rows_trained(settings, full=trained),
        "targets": {
            name: {
                "promoted": promoted[name],
                "candidates": _judged(found),
                "label_mean": _label_mean(name),
                "alerts": [alert["kind"] for alert in drift[name]["alerts"]],
            }
            for name, found in report.items()
        },
    }
    candidates = [
        paths.CANDIDATES[kind] / name
        for name, found in report.items()
        for kind in found["candidates"]
    ]
    _leave(record, tables.partition_path(paths.SCORED, as_of), candidates)


def _plan(policy: Policy, settings: Settings, as_of: date, last_full: date) -> tuple[Mode, date]:
    labels = tables.read_frame(paths.LABELS / "labels.parquet", made_by="collect_labels")
    bases = challengers.bases(
        load_release(paths.CHAMPION).models,
        paths.CHALLENGER,
        max_updates=settings.incremental.max_updates,
    )
    alert = unanswered(_raised(), last_full)
    return policy.plan(settings, as_of, bases, labels[~labels["holdout"]], alert=alert)


def _raised() -> list[tuple[date, dict[str, list[str]]]]:
    """The alerts of the runs so far."""
    return [
        (
            date.fromisoformat(record["as_of"]),
            {name: target["alerts"] for name, target in record["targets"].items()},
        )
        for record in records(Path())
    ]


def _leave(record: dict[str, Any], scored: Path, candidates: Sequence[Path] = ()) -> None:
    """Leave what a run has come to: whole, or not at all."""
    as_of = record["as_of"]
    unfinished = RUNS / f".{as_of}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    shutil.copy(scored, unfinished / SCORED)
    for folder in candidates:
        shutil.copytree(folder, unfinished / folder, copy_function=os.link)
    files.write_json(record, unfinished / RECORD)
    released = load_release(paths.PRODUCTION).models
    challengers.inherit(released, paths.INCREMENTAL, paths.CHALLENGER, into=unfinished / CHALLENGER)
    unfinished.replace(RUNS / as_of)
    for earlier in RUNS.glob(f"*/{CHALLENGER}"):
        if earlier.parent.name != as_of:
            shutil.rmtree(earlier)


def _all_have_models(settings: Settings) -> bool:
    return load_release(paths.CHAMPION).models.keys() >= settings.targets.keys()


def _leave_as_it_is(scenario: Scenario, as_of: date, last_full: date) -> None:
    """A run that neither trains nor judges: its release is that of the run before."""
    before = records(Path())[-1]
    nothing: dict[str, Any] = {"promoted": None, "candidates": {}, "alerts": []}
    nothing["label_mean"] = None  # every target has a model
    record = before | {
        "as_of": str(as_of),
        "full_retrain_as_of": str(last_full),
        "seconds": 0.0,
        "rows_trained": 0,
        "targets": dict.fromkeys(scenario.settings.targets, nothing),
    }
    _leave(record, RUNS / before["as_of"] / SCORED)


def _inherit(as_of: date) -> date:
    """Lay what the run before left, as pin does; return the date of the last full retrain."""
    before = records(Path())
    if not before:
        write_empty_release(paths.CHAMPION)
        challengers.inherit({}, into=paths.CHALLENGER)
        return as_of
    last = before[-1]
    shutil.rmtree(paths.CHALLENGER, ignore_errors=True)
    shutil.copytree(RUNS / last["as_of"] / CHALLENGER, paths.CHALLENGER)
    shutil.rmtree(paths.CHAMPION, ignore_errors=True)
    if last["release"] is None:
        write_empty_release(paths.CHAMPION)
    else:
        shutil.copytree(paths.RELEASES / last["release"], paths.CHAMPION)
    partition = paths.PREDICTIONS / f"{last['as_of']}.parquet"
    shutil.copy(RUNS / last["as_of"] / SCORED, partition)
    return type(as_of).fromisoformat(last["full_retrain_as_of"])


def _keep_release() -> str | None:
    version = load_release(paths.PRODUCTION).version
    if version is not None and not (paths.RELEASES / version).exists():
        unfinished = paths.RELEASES / f".{version}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(paths.PRODUCTION, unfinished)
        unfinished.replace(paths.RELEASES / version)
    return version


def _rows_trained(settings: Settings, *, full: bool) -> int:
    """Labels that this run learned from, of all targets."""
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


def _judged(report: dict[str, Any]) -> dict[str, Any]:
    """What was thought of each candidate then."""
    return {
        kind: {name: found[name] for name in ("version", "gain", "interval", "reason")}
        for kind, found in report["candidates"].items()
    }


def _label_mean(name: str) -> float | None:
    """What is said of everyone where there is no model yet."""
    folder = paths.FULL / name
    return models.read_manifest(folder).label_mean if folder.is_dir() else None
