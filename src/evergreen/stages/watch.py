"""Part of the stage ``promote``: what has become of the champion since it was promoted."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen import paths
from evergreen.core import watch
from evergreen.core.decision import Minimum
from evergreen.core.rounding import rounded
from evergreen.core.rows import KEYS, as_known, lately_known
from evergreen.store import files, matrices, predictions, tables

if TYPE_CHECKING:
    from evergreen.core.watch import Finding
    from evergreen.params import Settings
    from evergreen.store.models import Model
    from evergreen.store.releases import Released

KINDS = (watch.DECLINE, watch.INPUTS, watch.PREDICTIONS)
NO_REFERENCE = "the champion was trained before this was kept"
DIGITS = 4


def report_drift(settings: Settings, champions: dict[str, Released]) -> dict[str, Any]:
    """Write ``reports/drift.json``, and return it."""
    found = {}
    live = _Live(settings)
    for name in settings.targets:
        champion = champions.get(name)
        if champion is None:
            findings = [watch.not_checked(kind, "there is no champion") for kind in KINDS]
        else:
            decline = _decline(settings, name, champion, live)
            findings = [decline, *_drift(settings, champion.model)]
        found[name] = watch.report(findings)
    report: dict[str, Any] = rounded(found, DIGITS)
    files.write_json(report, paths.DRIFT_REPORT)
    return report


class _Live:
    """Predictions and labels of the last weeks, read once for all targets."""

    def __init__(self, settings: Settings) -> None:
        longest = max(target.horizon_days for target in settings.targets.values())
        reach = settings.gate.max_window_days + longest + settings.data.max_lag_days
        self._settings = settings
        self._labels = tables.read_frame(paths.LABELS / "labels.parquet", made_by="collect_labels")
        self._made = predictions.read_all(
            paths.PREDICTIONS, since=settings.as_of - timedelta(days=reach)
        )

    def of(self, name: str, since: date) -> pd.DataFrame:
        """What a target's champion has said since a date and whose outcome became known lately.

        Of as many days as the gate judges on, if there are so many.
        """
        settings = self._settings
        column = predictions.column_of(name, settings.targets[name].kind)
        if column not in self._made:
            return pd.DataFrame({"client_id": [], "observed_on": [], "label": [], "prediction": []})
        own = self._made[self._made["observed_on"] >= pd.Timestamp(since)]
        said = own[own["release"].notna()].rename(columns={column: "prediction"})
        labels = self._labels[self._labels["target"] == name]
        known = as_known(labels, by=settings.as_of)[[*KEYS, "known_on", "label"]]
        matched = said[[*KEYS, "prediction"]].merge(known, on=KEYS, validate="one_to_one")
        return lately_known(
            matched,
            by=settings.as_of,
            window_days=settings.gate.window_days,
            target_rows=settings.gate.target_rows,
            max_window_days=settings.gate.max_window_days,
        )


def _decline(settings: Settings, name: str, champion: Released, live: _Live) -> Finding:
    if champion.promise is None:
        return watch.not_checked(watch.DECLINE, NO_REFERENCE)
    gate, manifest = settings.gate, champion.model.manifest
    return watch.watch_loss(
        manifest.kind,
        champion.promise,
        live.of(name, date.fromisoformat(champion.promise["since"])),
        label_cap=manifest.label_cap,
        label_mean=manifest.label_mean,
        minimum=Minimum(rows=gate.min_rows, minority=gate.min_minority, clients=gate.min_clients),
        tolerated=settings.drift.tolerated_decline,
        false_alarms=settings.drift.false_alarms,
    )


def _drift(settings: Settings, champion: Model) -> list[Finding]:
    reference = champion.reference
    if reference is None:
        return [watch.not_checked(kind, NO_REFERENCE) for kind in (watch.INPUTS, watch.PREDICTIONS)]
    drift = settings.drift
    limits = watch.Limits(drift.max_distance, drift.min_clients, drift.false_alarms)
    manifest = champion.manifest
    today = matrices.read_features(
        paths.FEATURES_TODAY, manifest.extractor, list(manifest.features)
    )
    path = paths.FEATURES_TODAY / matrices.TEXT_REPORT
    text = files.read_json(path, next_step="dvc repro featurize") if path.is_file() else {}
    unknown = text.get("by_extractor", {}).get(manifest.extractor)
    said = today[KEYS].assign(prediction=champion.predict(today) if len(today) else 0.0)
    return [
        watch.watch_inputs(reference, today, unknown_words=unknown, limits=limits),
        watch.watch_predictions(reference, said, limits=limits),
    ]
