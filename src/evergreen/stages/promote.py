"""Stage ``promote``: assemble the release, prove that it loads, score today's snapshots with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from evergreen.core.evaluation.headline import headline_metrics
from evergreen.core.events.label_selection import KEYS
from evergreen.errors import ModelError
from evergreen.settings import paths
from evergreen.settings.names import prediction_column
from evergreen.settings.pipeline import Settings
from evergreen.settings.source_rules import SourceRules
from evergreen.stages.monitor import report_drift
from evergreen.stages.runner import main
from evergreen.store import (
    files,
    matrices,
    models,
    tables,
)
from evergreen.store.machine import platform_class
from evergreen.store.releases import (
    Release,
    Released,
    load_release,
    manifest_digest,
    write_release,
)


def run(settings: Settings) -> Iterator[str]:
    """Write ``models/production``, ``data/scored``, ``reports/{metrics,drift,decision}.json``."""
    report = files.read_json(paths.COMPARISON_REPORT, next_step="dvc repro compare")
    evaluation = files.read_json(paths.EVALUATION_REPORT, next_step="dvc repro compare")
    threads = settings.compute.threads
    champion = load_release(paths.CHAMPION, threads=threads)
    released, decisions, metrics = {}, {}, {}
    for name in settings.targets:
        current = champion.released.get(name)
        held = name in settings.hold and current is not None
        winner = None if held else report[name]["winner"]
        verdict = report[name]["verdict"]
        served = current
        if winner is not None:
            served = _promoted(settings, name, report[name], evaluation[name], current)
        if served is not None:
            released[name] = served
        decisions[name] = {
            "action": "kept" if winner is None else "promoted",
            "version": served.model.manifest.version if served else None,
            "replaced": current.model.manifest.version if current and winner else None,
            "verdict": f"held ({settings.hold[name]}); {verdict}" if held else verdict,
        }
        metrics[name] = headline_metrics(report[name], evaluation[name], promoted=winner)
        yield f"{name}: {decisions[name]['action']} {decisions[name]['version'] or '(no model)'}"
    write_release(paths.PRODUCTION, released, SourceRules.of(settings.source))
    release = load_release(paths.PRODUCTION, threads=threads)
    scored = _score(settings, release)
    shutil.rmtree(paths.SCORED, ignore_errors=True)
    tables.write_frame(scored, tables.partition_path(paths.SCORED, settings.as_of))
    decision = {
        "as_of": settings.as_of.isoformat(),
        "release": release.version,
        "manifest_sha256": manifest_digest(paths.PRODUCTION),
        "previous_release": champion.version,
        "platform": platform_class(),
        "scored": len(scored),
        "unknown_words": matrices.read_text_report(paths.FEATURES_TODAY).get("unknown_words"),
        "targets": decisions,
    }
    files.write_json(decision, paths.DECISION_REPORT)
    files.write_json(metrics, paths.METRICS_REPORT)
    yield f"release {release.version or 'none'}, {len(scored):,} clients scored"
    for name, checks in report_drift(settings, champion.released).items():
        yield from (f"{name}: alert: {a['kind']}: {a['message']}" for a in checks["alerts"])


def _promoted(
    settings: Settings,
    name: str,
    report: dict[str, Any],
    evaluation: dict[str, Any],
    current: Released | None,
) -> Released:
    """Return the winner with the metrics and the expected loss of its promotion.

    An update is compared with the expected loss of the model that it continues: it was promoted
    because it is better, so it has to do at least as well.
    """
    winner = report["winner"]
    model = models.load_model(paths.CANDIDATES[winner] / name)
    judged = report["candidates"][winner]["version"]
    if model.manifest.version != judged:
        raise ModelError(
            f"{model.folder} is {model.manifest.version}, the comparison judged {judged}",
            "dvc repro compare",
        )
    as_of, expected = settings.as_of.isoformat(), report["candidates"][winner]["expected_loss"]
    if model.manifest.parent is not None and current is not None:
        expected = current.expected_loss
    elif expected is not None:
        expected = expected | {"since": as_of}
    return Released(model, as_of, evaluation[winner], expected)


def _score(settings: Settings, release: Release) -> pd.DataFrame:
    """Predict today's snapshots with the release as it was read back from disk."""
    keys = tables.read_frame(
        paths.FEATURES_TODAY / matrices.SNAPSHOTS, made_by="featurize", columns=KEYS
    )
    scored = keys.assign(release=pd.Series([release.version] * len(keys), dtype="str"))
    for name, target in settings.targets.items():
        column = prediction_column(name, target.kind)
        model = release.models.get(name)
        scored[column] = np.nan if model is None else _predict(model, keys)
    return scored


def _predict(model: models.Model, keys: pd.DataFrame) -> np.ndarray:
    manifest = model.manifest
    columns = list(manifest.features)
    X = matrices.features_of(keys, paths.FEATURES_TODAY, manifest.extractor, columns)
    return model.sound(model.predict(X))


if __name__ == "__main__":
    main(run)
