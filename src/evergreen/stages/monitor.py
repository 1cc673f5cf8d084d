"""Part of the stage ``promote``: what has become of the champion since it was promoted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.core.evaluation.decision import Minimum
from evergreen.core.events.label_selection import Window, recently_known
from evergreen.core.monitoring import findings
from evergreen.settings import paths
from evergreen.store import files, matrices, tables
from evergreen.store.rounding import rounded

if TYPE_CHECKING:
    from evergreen.core.monitoring.findings import Finding
    from evergreen.settings.pipeline import Settings
    from evergreen.store.models import Manifest, Model
    from evergreen.store.releases import Released

KINDS = (findings.DECLINE, findings.INPUTS, findings.PREDICTIONS)
NO_EXPECTED_LOSS = "the champion has no expected loss"
NO_REFERENCE = "no reference is kept with the champion"
DIGITS = 4


def report_drift(settings: Settings, champions: dict[str, Released]) -> dict[str, Any]:
    """Write ``reports/drift.json``, and return it."""
    found = {}
    features = _Features()
    live = tables.read_frame(paths.LABELS / "live.parquet", made_by="collect_labels")
    for name in settings.targets:
        champion = champions.get(name)
        if champion is None:
            made = [findings.not_checked(kind, "there is no champion") for kind in KINDS]
        else:
            decline = _decline(settings, name, champion, live)
            made = [decline, *_drift(settings, champion.model, features)]
        found[name] = findings.report(made)
    report: dict[str, Any] = rounded(found, DIGITS)
    files.write_json(report, paths.DRIFT_REPORT)
    return report


class _Features:
    """Each client as observed last; targets that read the same columns share them."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, ...], pd.DataFrame] = {}

    def of(self, manifest: Manifest) -> pd.DataFrame:
        """The columns that a model was trained on."""
        columns = list(manifest.features)
        key = (manifest.extractor, *columns)
        if key not in self._read:
            self._read[key] = matrices.read_features(
                paths.FEATURES_RECENT, manifest.extractor, columns
            )
        return self._read[key]


def _decline(settings: Settings, name: str, champion: Released, live: pd.DataFrame) -> Finding:
    if champion.expected_loss is None:
        return findings.not_checked(findings.DECLINE, NO_EXPECTED_LOSS)
    gate, manifest = settings.gate, champion.model.manifest
    own = live[live["observed_on"] >= pd.Timestamp(champion.expected_loss["since"])]
    return findings.watch_loss(
        manifest.kind,
        champion.expected_loss,
        recently_known(
            own[own["target"] == name],
            by=settings.as_of,
            window=Window.of(gate),
        ),
        scale=manifest.scale,
        minimum=Minimum(rows=gate.min_rows, minority=gate.min_minority, clients=gate.min_clients),
        tolerated=settings.drift.tolerated_decline,
        false_alarms=settings.drift.false_alarms,
    )


def _drift(settings: Settings, champion: Model, features: _Features) -> list[Finding]:
    reference = champion.reference
    if reference is None:
        return [
            findings.not_checked(kind, NO_REFERENCE)
            for kind in (findings.INPUTS, findings.PREDICTIONS)
        ]
    drift = settings.drift
    limits = findings.Limits(drift.max_distance, drift.min_clients, drift.false_alarms)
    manifest = champion.manifest
    recent = findings.active(reference, features.of(manifest))
    said = recent.assign(prediction=champion.predict(recent) if len(recent) else 0.0)
    return [
        findings.watch_inputs(reference, recent, words=_words(manifest.extractor), limits=limits),
        findings.watch_predictions(reference, said, limits=limits),
    ]


def _words(extractor: str) -> tuple[float, int] | None:
    """The share of words of the clients observed today that are no terms; and how many clients."""
    path = paths.FEATURES_TODAY / matrices.TEXT_REPORT
    text = files.read_json(path, next_step="dvc repro featurize") if path.is_file() else {}
    share = text.get("by_extractor", {}).get(extractor)
    return None if share is None else (share, text["clients"])
