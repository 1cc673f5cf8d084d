"""Make the record of the run in the working folder from the reports of its stages."""

from __future__ import annotations

from typing import Any

from evergreen.history import run_records
from evergreen.history.feature_changes import features_changed
from evergreen.history.parameter_changes import parameters_changed
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.store import files, models
from evergreen.store.machine import describe_machine
from evergreen.store.reports import read_drift


def record_of(settings: Settings) -> run_records.RunRecord:
    """The record of the run in the working folder.

    A run that is recorded already keeps what it replaced, and the machine that made it.
    """
    report = files.read_json(paths.COMPARISON_REPORT, next_step="dvc repro")
    decision = files.read_json(paths.DECISION_REPORT, next_step="dvc repro")
    labels = files.read_json(paths.LABELS_REPORT, next_step="dvc repro")["targets"]
    drift = read_drift(next_step="dvc repro")
    lock = files.sha256(paths.DVC_LOCK)
    recorded = _recorded(settings, lock)
    return run_records.RunRecord(
        as_of=settings.as_of,
        mode=settings.mode,
        lock=lock,
        full_retrain_as_of=settings.full_retrain.as_of,
        release=decision["release"],
        previous_release=decision["previous_release"],
        parameters_changed=_parameter_changes(settings),
        features_changed=features_changed(settings.targets),
        targets={
            name: _target_record(
                name, report[name], decision["targets"][name], labels[name], drift[name]["alerts"]
            )
            for name in settings.targets
        },
        machine=recorded.machine if recorded else _this_machine(decision["platform"]),
        replaces=recorded.replaces if recorded else None,
    )


def _recorded(settings: Settings, lock: str) -> run_records.RunRecord | None:
    """The record of the same run, if it is recorded already."""
    if not run_records.path_of(settings.as_of).is_file():
        return None
    recorded = run_records.read(settings.as_of)
    return recorded if recorded.lock == lock else None


def _this_machine(platform: str) -> run_records.MachineRecord:
    level, glibc = describe_machine()
    return run_records.MachineRecord(platform=platform, level=level, glibc=glibc)


def _target_record(
    name: str,
    report: dict[str, Any],
    decision: dict[str, Any],
    labels: dict[str, Any],
    alerts: list[dict[str, Any]],
) -> run_records.TargetRecord:
    candidates = report["candidates"]
    losses = [candidate["champion_loss"] for candidate in candidates.values()]
    return run_records.TargetRecord(
        action=decision["action"],
        version=decision["version"],
        champion=report["champion"],
        opponent=report["opponent"],
        rows=report["rows"],
        clients=report["clients"],
        loss=report["loss"],
        champion_loss=losses[0] if losses else None,
        candidates={kind: _candidate(kind, name, c) for kind, c in candidates.items()},
        absent=report["absent"],
        verdict=decision["verdict"],
        labels=labels["labels"],
        live=labels["live"],
        alerts=[run_records.AlertRecord.model_validate(alert) for alert in alerts],
    )


def _candidate(kind: str, name: str, judged: dict[str, Any]) -> run_records.CandidateRecord:
    manifest = models.read_manifest(paths.CANDIDATES[kind] / name)
    return run_records.CandidateRecord(
        version=judged["version"],
        parent=manifest.parent,
        trained_on=manifest.rows,
        updates=manifest.updates,
        loss=judged["challenger_loss"],
        gain=judged["gain"],
        interval=judged["interval"],
        reason=judged["reason"],
        alpha=judged["alpha"],
    )


def _parameter_changes(settings: Settings) -> dict[str, tuple[Any, Any]]:
    earlier = [day for day in run_records.dates() if day < settings.as_of]
    return parameters_changed(run_records.commit_of(earlier[-1])) if earlier else {}
