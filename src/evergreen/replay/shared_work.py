"""Work that policies and runs share, done by whichever needs it first."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.stages import train_full
from evergreen.store import extractors, files

if TYPE_CHECKING:
    from pathlib import Path

    from evergreen.store.cache import Cache

TRAIN_FULL_PARAMETERS: dict[str, Any] = {
    **dict.fromkeys(("seed", "full_retrain", "holdout", "targets", "estimators"), True),
    "compute": {"threads"},
}
"""The parameters of the stage ``train_full``."""


def train_full_cached(settings: Settings, cache: Cache) -> None:
    """Run ``train_full``, or reuse its result for the same features and settings."""
    made_from: dict[str, object] = {
        "features": files.digests(paths.FEATURES_FULL),
        "extractor": extractors.digest(paths.EXTRACTOR),
        "settings": settings.model_dump(mode="json", include=TRAIN_FULL_PARAMETERS),
    }

    def make(folder: Path) -> None:
        list(train_full.run(settings))
        shutil.copytree(paths.FULL, folder, dirs_exist_ok=True, copy_function=os.link)

    cached = cache.folder("models", made_from, make)
    shutil.rmtree(paths.FULL, ignore_errors=True)
    shutil.copytree(cached, paths.FULL)
