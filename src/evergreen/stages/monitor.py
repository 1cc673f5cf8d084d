"""Part of the stage ``promote``: monitoring of the champion since its promotion."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from evergreen.core.events.label_selection import Window
from evergreen.core.monitoring import findings
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.store import files, matrices, models, releases
from evergreen.store.live import read_live

if TYPE_CHECKING:
    import pandas as pd

NO_CHAMPION = "there is no champion"
NO_EXPECTED_LOSS = "the champion has no expected loss"
NO_REFERENCE = "the champion has no reference"
DIGITS = 4


def report_drift(settings: Settings, champions: dict[str, releases.Released]) -> dict[str, Any]:
    """Write ``reports/drift.json``, and return it."""
    targets = {}
    features = _RecentFeatures()
    for name in settings.targets:
        champion = champions.get(name)
        if champion is None:
            checks = [findings.not_checked(kind, NO_CHAMPION) for kind in findings.KINDS]
        else:
            decline = _decline(settings, name, champion)
            checks = [decline, *_drift(settings, champion.model, features)]
        targets[name] = findings.report(checks)
    report: dict[str, Any] = files.rounded(targets, DIGITS)
    files.write_json(report, paths.DRIFT_REPORT)
    return report


class _RecentFeatures:
    """The latest features of each client; targets that read the same columns share them."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, ...], pd.DataFrame] = {}

    def of(self, manifest: models.Manifest) -> pd.DataFrame:
        """The columns that a model was trained on."""
        columns = list(manifest.features)
        key = (manifest.extractor, *columns)
        if key not in self._read:
            self._read[key] = matrices.read_features(
                paths.FEATURES_RECENT, manifest.extractor, columns
            )
        return self._read[key]


def _decline(
    settings: Settings, name: str, champion: releases.Released
) -> findings.MonitoringCheck:
    if champion.expected_loss is None:
        return findings.not_checked(findings.DECLINE, NO_EXPECTED_LOSS)
    manifest = champion.model.manifest
    return findings.check_decline(
        manifest.kind,
        champion.expected_loss,
        read_live(
            name,
            since=date.fromisoformat(champion.expected_loss["since"]),
            by=settings.as_of,
            window=Window.of(settings.gate),
        ),
        scale=manifest.scale,
        gate=settings.gate,
        drift=settings.drift,
    )


def _drift(
    settings: Settings, champion: models.Model, features: _RecentFeatures
) -> list[findings.MonitoringCheck]:
    reference = champion.reference
    if reference is None:
        return [
            findings.not_checked(kind, NO_REFERENCE)
            for kind in (findings.INPUTS, findings.PREDICTIONS)
        ]
    drift, manifest = settings.drift, champion.manifest
    recent = findings.active(reference, features.of(manifest))
    predicted = recent.assign(prediction=champion.predict(recent) if len(recent) else 0.0)
    return [
        findings.check_inputs(reference, recent, words=_words(manifest.extractor), drift=drift),
        findings.check_predictions(reference, predicted, drift=drift),
    ]


def _words(extractor: str) -> tuple[float, int] | None:
    """The share of out-of-vocabulary words of the clients observed today, and how many they are."""
    text = matrices.read_text_report(paths.FEATURES_TODAY)
    share = text.get("by_extractor", {}).get(extractor)
    return None if share is None else (share, text["clients"])
