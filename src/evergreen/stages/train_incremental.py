"""Stage ``train_incremental``: update the model of each target with new labels."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.stages.runner import main
from evergreen.store import (
    challengers,
    files,
    matrices,
    models,
)
from evergreen.store.progress import each
from evergreen.store.releases import load_release

if TYPE_CHECKING:
    import pandas as pd


def run(settings: Settings) -> Iterator[str]:
    """Write ``models/incremental``: a folder for each update, and why other targets have none.

    An update continues the champion, or its last update, which was not promoted
    (``models/challenger``).
    """
    champions = load_release(paths.CHAMPION).models
    bases = challengers.bases(
        champions, paths.CHALLENGER, max_updates=settings.incremental.max_updates
    )
    shutil.rmtree(paths.INCREMENTAL, ignore_errors=True)
    skipped = {}
    for name in each("update", settings.targets):
        base = bases.get(name)
        labels = matrices.read_labels(paths.FEATURES_UPDATE, name)
        reason = _reason_to_skip(settings, base, labels)
        if base is None or reason is not None:
            skipped[name] = reason
            yield f"{name}: skipped: {reason}"
            continue
        started = time.perf_counter()
        manifest = _update(settings, base, labels, champion=champions[name].manifest.version)
        yield (
            f"{name}: {manifest.parent} updated with {(~labels['replay']).sum():,} new and "
            f"{labels['replay'].sum():,} repeated labels, {time.perf_counter() - started:.1f} s"
        )
    files.write_json(skipped, paths.INCREMENTAL / models.SKIPPED)


def _reason_to_skip(
    settings: Settings, base: models.Model | None, labels: pd.DataFrame
) -> str | None:
    options = settings.incremental
    if base is None:
        return "no champion"
    if settings.mode == "compare":
        return "not requested by mode compare"
    if base.manifest.updates >= options.max_updates:
        return f"{base.manifest.updates} updates in a row: a full retrain is due"
    new = int((~labels["replay"]).sum())
    if new < options.min_new_labels:
        return f"{new} new labels, but {options.min_new_labels} are needed"
    return None


def _update(
    settings: Settings, base: models.Model, labels: pd.DataFrame, *, champion: str
) -> models.Manifest:
    parent = base.manifest
    columns = list(parent.features)
    X, y, replay = (
        matrices.features_of(labels, paths.FEATURES_UPDATE, parent.extractor, columns),
        parent.scale.capped(parent.kind, labels["label"]),
        labels["replay"],
    )
    estimator = base.estimator.update(X[~replay], y[~replay], X[replay], y[replay])
    new = labels[~replay]
    about = parent.model_dump(exclude={"version", "files", "libraries", "platform"}) | {
        "origin": "incremental",
        "parent": parent.version,
        "champion": champion,
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
        extractor_folder=base.folder / "extractor",
        trained_on=X,
        reference=base.reference,
        about=about,
    )


if __name__ == "__main__":
    main(run)
