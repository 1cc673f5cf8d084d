"""Stage ``train_incremental``: update every target's champion with the labels new to it."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from evergreen import paths
from evergreen.stages.runner import main
from evergreen.store import files, matrices, models
from evergreen.store.releases import load_release

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from evergreen.params import Settings
    from evergreen.store.models import Manifest, Model


def run(settings: Settings) -> Iterator[str]:
    """Write ``models/incremental``: a folder for each target updated, and why others were not."""
    champions = load_release(paths.CHAMPION).models
    shutil.rmtree(paths.INCREMENTAL, ignore_errors=True)
    skipped = {}
    for name in settings.targets:
        champion = champions.get(name)
        labels = matrices.read_labels(paths.FEATURES_UPDATE, name)
        reason = _reason_to_skip(settings, champion, labels)
        if champion is None or reason is not None:
            skipped[name] = reason
            yield f"{name}: skipped: {reason}"
            continue
        started = time.perf_counter()
        manifest = _update(settings, champion, labels)
        yield (
            f"{name}: {manifest.parent} updated with {(~labels['replay']).sum():,} new and "
            f"{labels['replay'].sum():,} repeated labels, {time.perf_counter() - started:.1f} s"
        )
    files.write_json(skipped, paths.INCREMENTAL / models.SKIPPED)


def _reason_to_skip(settings: Settings, champion: Model | None, labels: pd.DataFrame) -> str | None:
    options = settings.incremental
    if champion is None:
        return "no champion"
    if settings.mode == "compare":
        return "not asked for by mode compare"
    if champion.manifest.updates >= options.max_updates:
        return f"a chain of {champion.manifest.updates} updates: a full retrain is due"
    new = int((~labels["replay"]).sum())
    if new < options.min_new_labels:
        return f"{new} new labels, {options.min_new_labels} are needed"
    return None


def _update(settings: Settings, champion: Model, labels: pd.DataFrame) -> Manifest:
    parent = champion.manifest
    columns = list(parent.features)
    features = matrices.read_features(paths.FEATURES_UPDATE, parent.extractor, columns)
    X, y, replay = (
        matrices.with_features(labels, features)[columns],
        labels["label"],
        labels["replay"],
    )
    estimator = champion.estimator.update(X[~replay], y[~replay], X[replay], y[replay])
    new = labels[~replay]
    about = parent.model_dump(exclude={"version", "files", "libraries", "platform"}) | {
        "origin": "incremental",
        "parent": parent.version,
        "updates": estimator.updates,
        "as_of": settings.as_of.isoformat(),
        "trained_through": str(new["known_on"].max().date()),
        "rows": parent.rows + len(new),
        "data": {
            "features": files.sha256(
                matrices.features_path(paths.FEATURES_UPDATE, parent.extractor)
            ),
            "labels": files.sha256(paths.FEATURES_UPDATE / matrices.LABELS),
        },
    }
    return models.save_model(
        paths.INCREMENTAL / parent.target,
        estimator=estimator,
        extractor_folder=champion.folder / "extractor",
        trained_on=X,
        reference=champion.reference,
        about=about,
    )


if __name__ == "__main__":
    main(run)
