"""Stage ``featurize``: fit the feature extractor, and compute the features this run needs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pandas as pd

from evergreen.core.events.label_selection import Draw, observed_lately, snapshots_of
from evergreen.core.features.extractor import Extractor, fit_extractor
from evergreen.core.features.text import read_documents
from evergreen.core.models.likelihood import Unfitted
from evergreen.errors import DataError
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.stages.runner import main
from evergreen.store import challengers, extractors, files, matrices, tables
from evergreen.store.buckets import open_workers
from evergreen.store.cache import Cache
from evergreen.store.feature_sets import FeatureSets
from evergreen.store.label_rows import LabelSelection
from evergreen.store.labels import labels_made_from, view_snapshots
from evergreen.store.raw_history import open_history
from evergreen.store.releases import load_release

if TYPE_CHECKING:
    from evergreen.store.buckets import Workers
    from evergreen.store.feature_sets import Extractors
    from evergreen.store.models import Model


def run(settings: Settings) -> Iterator[str]:
    """Write ``models/extractor`` and ``data/features/{full,update,holdout,today,recent}``."""
    cache = Cache()
    with open_workers(settings) as workers:
        yield from make(settings, cache, workers)
    cache.forget_unused()


def make(settings: Settings, cache: Cache, workers: Workers | None = None) -> Iterator[str]:
    """Do the work of `run`, with a cache that others may share: its other entries stay."""
    con, _ = open_history(
        known_by=settings.as_of,
        max_lag_days=settings.data.max_lag_days,
        threads=settings.compute.threads,
        max_chars=settings.features.text.max_chars,
    )
    view_snapshots(con, settings)
    selection = LabelSelection(settings)
    full, drawn_from = _full(settings, cache, selection)
    extractor = _extractor(settings, cache, con, snapshots_of(full))
    yield from _describe(extractor)

    digest = extractors.digest(paths.EXTRACTOR)
    champions = load_release(paths.CHAMPION).models
    forms = {settings.estimators.of(t.estimator).text for t in settings.targets.values()}
    own: Extractors = {digest: (extractor, forms)}
    inherited = _inherited(champions)
    both = own | inherited
    if digest in inherited:
        both[digest] = (extractor, own[digest][1] | inherited[digest][1])
    feature_sets = FeatureSets(settings, cache, con, workers)
    _write_full(settings, cache, feature_sets, own, full)
    matrices.write_drawn_from(paths.FEATURES_FULL, drawn_from)
    yield f"{paths.FEATURES_FULL.name}: {len(snapshots_of(full)):,} snapshots"
    for target, count in drawn_from.items():
        drawn = int((full["target"] == target).sum())
        yield f"{target}: {drawn:,} of {count:,} labels drawn to train on ({drawn / count:.1%})"

    bases = challengers.bases(
        champions, paths.CHALLENGER, max_updates=settings.incremental.max_updates
    )
    update, holdout = selection.to_update(bases), selection.to_judge()
    today = observed_lately(con, by=settings.as_of, days=1)
    recent = observed_lately(
        con,
        by=settings.as_of,
        days=settings.snapshots.every_days,
        draw=Draw(settings.drift.max_rows, settings.seed),
    )
    for folder, versions, rows, labels_of_rows in (
        (paths.FEATURES_UPDATE, inherited, snapshots_of(update), update),
        (paths.FEATURES_HOLDOUT, both, snapshots_of(holdout), holdout),
        (paths.FEATURES_TODAY, both, today, None),
        (paths.FEATURES_RECENT, both, recent, None),
    ):
        by_day = folder in (paths.FEATURES_HOLDOUT, paths.FEATURES_RECENT)
        feature_sets.write(folder, versions, rows, labels_of_rows, by_day=by_day)
        yield f"{folder.name}: {len(rows):,} snapshots"
    if extractor.text is not None:
        share = _write_text_report(paths.FEATURES_TODAY, con, digest, both, today)
        yield f"out-of-vocabulary words today: {'no words' if share is None else f'{share:.1%}'}"


def _inherited(champions: dict[str, Model]) -> Extractors:
    """The extractors that the champions were trained with; targets may have different ones."""
    inherited: Extractors = {}
    for model in champions.values():
        manifest = model.manifest
        _, forms = inherited.get(manifest.extractor, (None, set()))
        inherited[manifest.extractor] = (model.extractor, forms | {manifest.text_form})
    return inherited


def _full(
    settings: Settings, cache: Cache, selection: LabelSelection
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Select the labels of the last full retrain, which do not change until the next."""
    by = settings.full_retrain.as_of
    made_from = labels_made_from(settings) | {
        "full_retrain": settings.full_retrain.model_dump(mode="json"),
        "holdout": settings.holdout.model_dump(),
        "seed": settings.seed,
        "raw": cache.raw_known_by(by),
    }

    def select(folder: Path) -> None:
        labels, drawn_from = selection.to_train()
        tables.write_frame(labels, folder / matrices.LABELS)
        matrices.write_drawn_from(folder, drawn_from)

    folder = cache.folder("selection", made_from, select)
    full = tables.read_frame(folder / matrices.LABELS, made_by="featurize")
    if full.empty:
        raise DataError(
            f"no label of a training client is known by {by}, so there is nothing to train on",
            f"set a later as_of in {paths.PARAMS}, or ingest older data",
        )
    return full, matrices.read_drawn_from(folder)


def _extractor(
    settings: Settings, cache: Cache, con: duckdb.DuckDBPyConnection, snapshots: pd.DataFrame
) -> Extractor:
    """Write ``models/extractor``, which does not change between full retrains."""
    fitted_on = settings.full_retrain.as_of
    horizons_days = [target.horizon_days for target in settings.targets.values()]
    made_from = {
        "features": settings.features.model_dump(),
        "horizons_days": horizons_days,
        "minor_units": settings.data.minor_units,
        "seed": settings.seed,
        "fitted_on": str(fitted_on),
        "raw": cache.raw_known_by(fitted_on),
        "snapshots": tables.digest(snapshots),
    }

    def fit(folder: Path) -> None:
        extractor = fit_extractor(
            con,
            snapshots,
            fitted_on=fitted_on,
            features=settings.features,
            horizons_days=horizons_days,
            minor_units=settings.data.minor_units,
            seed=settings.seed,
        )
        extractors.save_extractor(extractor, folder)

    shutil.rmtree(paths.EXTRACTOR, ignore_errors=True)
    shutil.copytree(cache.folder("extractor", made_from, fit), paths.EXTRACTOR)
    return extractors.load_extractor(paths.EXTRACTOR)


def _write_full(
    settings: Settings,
    cache: Cache,
    feature_sets: FeatureSets,
    own: Extractors,
    full: pd.DataFrame,
) -> None:
    """Write ``data/features/full``, which does not change between full retrains."""
    snapshots, fitted_on = snapshots_of(full), settings.full_retrain.as_of
    feature_sets.write(paths.FEATURES_FULL, own, snapshots, full)
    [(digest, (extractor, _))] = own.items()
    if extractor.text is None:
        return
    clients = snapshots[["client_id"]].drop_duplicates()
    clients = clients.assign(observed_on=pd.Timestamp(fitted_on))
    made_from = feature_sets.made_from | {
        "clients": tables.digest(clients),
        "raw": cache.raw_known_by(fitted_on),
        "extractor": digest,
    }

    def write(folder: Path) -> None:
        _write_text_report(folder, feature_sets.con, digest, own, clients)

    report = cache.folder("words", made_from, write) / matrices.TEXT_REPORT
    files.link(report, paths.FEATURES_FULL / matrices.TEXT_REPORT)


def _write_text_report(
    folder: Path,
    con: duckdb.DuckDBPyConnection,
    digest: str,
    versions: Extractors,
    snapshots: pd.DataFrame,
) -> float | None:
    """Write the shares of out-of-vocabulary words; return that of the run's own extractor."""
    documents = read_documents(con, snapshots)
    shares: dict[str, float | None] = files.rounded(
        {
            name: extractor.text.unknown_share(documents)
            for name, (extractor, _) in versions.items()
            if extractor.text is not None
        }
    )
    matrices.write_text_report(folder, shares, extractor=digest, clients=len(snapshots))
    return shares[digest]


def _describe(extractor: Extractor) -> Iterator[str]:
    text, attributes = extractor.text, extractor.attributes
    parts = [f"{len(extractor.numeric)} numeric features"]
    parts += [f"{len(attributes.names)} client attributes"] if attributes else []
    parts += [f"{len(text.terms)} terms in {len(text.components)} columns" if text else "no text"]
    yield f"feature extractor as of {extractor.fitted_on}: {', '.join(parts)}"
    for name in ("purchases", "spend"):
        model = getattr(extractor.btyd, name)
        if isinstance(model, Unfitted):
            yield f"buy till you die: {name} not fitted: {model.reason}"
    if extractor.left_out:
        yield f"left out for lack of history or variation: {', '.join(extractor.left_out)}"


if __name__ == "__main__":
    main(run)
