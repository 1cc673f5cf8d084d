"""Stage ``train_full``: fit every target's model from scratch."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.core.evaluation.baselines import fit_baselines
from evergreen.core.events.label_selection import KEYS
from evergreen.core.models import registry
from evergreen.core.monitoring.reference import describe
from evergreen.settings import paths
from evergreen.stages.runner import main
from evergreen.store import (
    extractors,
    files,
    matrices,
    models,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from evergreen.core.features.extractor import Extractor
    from evergreen.settings.pipeline import Settings


def run(settings: Settings) -> Iterator[str]:
    """Write ``models/full``: a folder for each target, and why others have none."""
    extractor = extractors.load_extractor(paths.EXTRACTOR)
    shutil.rmtree(paths.FULL, ignore_errors=True)
    skipped = {}
    for name, target in settings.targets.items():
        labels = matrices.read_labels(paths.FEATURES_FULL, name)
        if labels.empty:
            skipped[name] = (
                f"no label of a training client is known by {settings.full_retrain.as_of}: "
                f"a window of {target.horizon_days} days has to be over"
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
    digest = extractors.digest(paths.EXTRACTOR)
    columns = extractor.columns(options.text)
    known = list(dict.fromkeys([*columns, *extractor.btyd.names]))
    features = matrices.read_features(paths.FEATURES_FULL, digest, known)
    features = matrices.with_features(labels, features)[known]
    X = features[columns]
    baselines = fit_baselines(
        target.label, features, labels["label"], horizon_days=target.horizon_days
    )
    options = options.expecting(baselines.get("btyd"), columns)
    estimator = registry.build(
        target.estimator,
        target.kind,
        options,
        seed=settings.seed,
        threads=settings.compute.threads,
    ).fit(X, labels["label"])
    about = models.about_training(
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
        "settings": options.model_dump(mode="json"),
        "origin": "full",
        "parent": None,
        "updates": 0,
        "seed": settings.seed,
        "text_form": options.text,
        "features": {column: str(dtype) for column, dtype in X.dtypes.items()},
        "extractor_fitted_on": extractor.fitted_on.isoformat(),
        "holdout": settings.holdout.model_dump(),
        "data": {
            "features": files.sha256(matrices.features_path(paths.FEATURES_FULL, digest)),
            "labels": files.sha256(paths.FEATURES_FULL / matrices.LABELS),
        },
        "baselines": baselines,
    }
    return models.save_model(
        paths.FULL / name,
        estimator=estimator,
        extractor_folder=paths.EXTRACTOR,
        trained_on=X,
        reference=_reference(
            extractor, labels, features, lambda rows: estimator.predict(rows[columns])
        ),
        about=about,
    )


def _reference(
    extractor: Extractor,
    labels: pd.DataFrame,
    features: pd.DataFrame,
    predict: Callable[[pd.DataFrame], np.ndarray],
) -> dict[str, Any]:
    """What the model keeps of the rows it was trained on, for telling drift."""
    path = paths.FEATURES_FULL / matrices.TEXT_REPORT
    words = files.read_json(path, next_step="dvc repro featurize") if path.is_file() else {}
    keyed = pd.concat([labels[KEYS], features], axis=1)
    return describe(extractor, keyed, predict, unknown_words=words.get("unknown_words"))


if __name__ == "__main__":
    main(run)
