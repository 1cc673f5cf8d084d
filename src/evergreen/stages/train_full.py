"""Stage ``train_full``: fit every target's model from scratch."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.core.evaluation.baselines import fit_baselines
from evergreen.core.events.label_selection import KEYS
from evergreen.core.events.loss_scale import LossScale
from evergreen.core.models import registry
from evergreen.core.monitoring.reference import describe
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.stages.runner import main
from evergreen.store import (
    extractors,
    files,
    matrices,
    models,
)
from evergreen.store.progress import each

if TYPE_CHECKING:
    from evergreen.core.features.extractor import Extractor


def run(settings: Settings) -> Iterator[str]:
    """Write ``models/full``: a folder for each target, and why other targets have none."""
    extractor = extractors.load_extractor(paths.EXTRACTOR)
    shutil.rmtree(paths.FULL, ignore_errors=True)
    skipped = {}
    for name, target in each("train", settings.targets.items()):
        labels = matrices.read_labels(paths.FEATURES_FULL, name)
        if labels.empty:
            skipped[name] = (
                f"no label of a training client is known by {settings.full_retrain.as_of}: "
                f"a window of {target.horizon_days} days must have ended"
            )
            yield f"{name}: skipped: {skipped[name]}"
            continue
        started = time.perf_counter()
        manifest = _train(settings, name, extractor, labels)
        yield (
            f"{name}: {manifest.estimator} on {manifest.rows:,} labels of {manifest.clients:,} "
            f"clients, {len(manifest.features)} columns, {time.perf_counter() - started:.1f} s"
        )
    files.write_json(skipped, paths.FULL / models.SKIPPED)


def _train(
    settings: Settings, name: str, extractor: Extractor, labels: pd.DataFrame
) -> models.Manifest:
    target = settings.targets[name]
    options = settings.estimators.of(target.estimator)
    columns = extractor.columns(options.text)
    X = _read_features(labels, columns)
    others = [name for name in extractor.btyd.names if name not in columns]
    features = X.assign(**_read_features(labels, others))
    scale = LossScale.of_labels(labels["label"], labels["client_id"])
    capped = scale.capped(target.kind, labels["label"])
    baselines = fit_baselines(target.label, features, capped, horizon_days=target.horizon_days)
    estimator = registry.build(
        target.estimator,
        target.kind,
        options.expecting(baselines.get("btyd"), columns),
        seed=settings.seed,
        threads=settings.compute.threads,
    ).fit(X, capped)
    return models.save_model(
        paths.FULL / name,
        estimator=estimator,
        extractor_folder=paths.EXTRACTOR,
        trained_on=X,
        reference=describe(
            extractor,
            pd.concat([labels[KEYS], features], axis=1),
            lambda rows: estimator.predict(rows[columns]),
            unknown_words=matrices.read_text_report(paths.FEATURES_FULL).get("unknown_words"),
        ),
        about=_about(settings, name, extractor, labels)
        | {
            "settings": estimator.settings.model_dump(mode="json"),
            "text_form": options.text,
            "features": {name: str(dtype) for name, dtype in X.dtypes.items()},
            "baselines": baselines,
        },
    )


def _read_features(labels: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    digest = extractors.digest(paths.EXTRACTOR)
    return matrices.features_of(labels, paths.FEATURES_FULL, digest, columns)


def _about(
    settings: Settings, name: str, extractor: Extractor, labels: pd.DataFrame
) -> dict[str, Any]:
    """The fields of the manifest that do not depend on the fitted model."""
    target = settings.targets[name]
    digest = extractors.digest(paths.EXTRACTOR)
    return models.about_training(
        as_of=settings.full_retrain.as_of,
        labels=labels["label"],
        known_on=labels["known_on"],
        clients=labels["client_id"],
    ) | {
        "target": name,
        "kind": target.kind,
        "label": target.label,
        "horizon_days": target.horizon_days,
        "estimator": target.estimator,
        "origin": "full",
        "parent": None,
        "updates": 0,
        "drawn_from": matrices.read_drawn_from(paths.FEATURES_FULL).get(name),
        "seed": settings.seed,
        "extractor_fitted_on": extractor.fitted_on.isoformat(),
        "holdout": settings.holdout.model_dump(),
        "data": {
            "features": files.sha256(matrices.features_path(paths.FEATURES_FULL, digest)),
            "labels": files.sha256(paths.FEATURES_FULL / matrices.LABELS),
        },
    }


if __name__ == "__main__":
    main(run)
