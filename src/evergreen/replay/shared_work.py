"""What policies and days have in common: made once, by whoever needs it first, or ahead."""

from __future__ import annotations

import os
import shutil
from contextlib import chdir
from typing import TYPE_CHECKING

from evergreen.settings import paths
from evergreen.stages import collect_labels, featurize, train_full
from evergreen.store import (
    challengers,
    extractors,
    files,
    predictions,
)
from evergreen.store.cache import Cache
from evergreen.store.labels import open_labels
from evergreen.store.raw_history import KeptHistory, keep_history
from evergreen.store.releases import write_empty_release

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from evergreen.replay.policies import Policy
    from evergreen.replay.scenario import Scenario
    from evergreen.settings.pipeline import Settings

HISTORY = "history.duckdb"
OF_FULL_MODELS = {"seed", "full_retrain", "holdout", "targets", "estimators", "compute"}
"""The parameters of the stage ``train_full``."""


def kept_history(settings: Settings, through: date, cache: Cache) -> KeptHistory:
    """The history through its end, of which each run opens what was known by its own date."""
    max_chars = settings.features.text.max_chars
    made_from = {"raw": cache.raw_known_by(through), "max_chars": max_chars}

    def make(folder: Path) -> None:
        keep_history(
            folder / HISTORY,
            known_by=through,
            max_lag_days=settings.data.max_lag_days,
            threads=settings.compute.threads,
            max_chars=max_chars,
        )

    return KeptHistory(cache.folder("history", made_from, make) / HISTORY, max_chars)


def train_full_once(settings: Settings, cache: Cache) -> None:
    """Run ``train_full``, or take over what it wrote for the same features and settings."""
    made_from: dict[str, object] = {
        "features": files.digests(paths.FEATURES_FULL),
        "extractor": extractors.digest(paths.EXTRACTOR),
        "settings": settings.model_dump(mode="json", include=OF_FULL_MODELS),
    }

    def make(folder: Path) -> None:
        list(train_full.run(settings))
        shutil.copytree(paths.FULL, folder, dirs_exist_ok=True, copy_function=os.link)

    kept = cache.folder("models", made_from, make)
    shutil.rmtree(paths.FULL, ignore_errors=True)
    shutil.copytree(kept, paths.FULL)


def train_ahead(scenario: Scenario, policy: Policy, folder: Path) -> None:
    """Make the full models of the days on which a policy will need them, as far as that is known.

    A full model depends on data, parameters and its date alone; only alerts, and updates in a row,
    may bring a retrain forward. So where a process is idle, they need not be waited for.

    Parameters
    ----------
    folder
        To work in, with the raw data and the cache that the policy has.
    """
    with chdir(folder):
        cache = Cache()
        settings = policy.settings(scenario.settings)
        history = kept_history(settings, scenario.through, cache)
        predictions.write_none(paths.PREDICTIONS, settings.targets)
        write_empty_release(paths.CHAMPION)
        challengers.inherit({}, into=paths.CHALLENGER)
        for as_of in _foreseen(scenario, policy, settings, history):
            at = scenario.at(settings, as_of, as_of)
            list(collect_labels.run(at, history))
            list(featurize.make(at, cache, history))
            train_full_once(at, cache)


def _foreseen(
    scenario: Scenario, policy: Policy, settings: Settings, history: KeptHistory
) -> Iterator[date]:
    """The dates of full retrains after the first run, which makes its own."""
    con, _ = open_labels(settings.model_copy(update={"as_of": scenario.through}), history)
    labels = con.sql("select * from labels where not holdout").df()
    last_full, *later = scenario.dates
    for as_of in later:
        at = scenario.at(settings, as_of, last_full)
        _, full_as_of = policy.plan(at, as_of, {}, labels)
        if full_as_of == as_of:
            yield as_of
            last_full = as_of
