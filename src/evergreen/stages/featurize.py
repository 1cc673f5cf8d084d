"""Stage ``featurize``: fit the extractor, and make the columns of all rows that this run needs."""

from __future__ import annotations

import shutil
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.core.events import label_selection
from evergreen.core.features.extractor import Extractor, fit_extractor
from evergreen.core.features.text import read_documents
from evergreen.core.models.likelihood import Unfitted
from evergreen.errors import DataError
from evergreen.settings import paths
from evergreen.stages.runner import main
from evergreen.store import (
    challengers,
    extractors,
    files,
    matrices,
    tables,
)
from evergreen.store.cache import Cache
from evergreen.store.daily_features import DailyFeatures
from evergreen.store.raw_history import open_history
from evergreen.store.releases import load_release

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from evergreen.settings.names import TextForm
    from evergreen.settings.pipeline import Settings
    from evergreen.store.models import Model
    from evergreen.store.raw_history import OpenHistory

    InPlay = dict[str, tuple[Extractor, set[TextForm]]]


def run(settings: Settings) -> Iterator[str]:
    """Write ``models/extractor`` and ``data/features/{full,update,holdout,today,recent}``."""
    cache = Cache()
    yield from make(settings, cache)
    cache.forget_unused()


def make(settings: Settings, cache: Cache, history: OpenHistory = open_history) -> Iterator[str]:
    """Do the same with a cache that others may use as well, and leave its other entries alone."""
    con, _ = history(
        known_by=settings.as_of,
        max_lag_days=settings.data.max_lag_days,
        threads=settings.compute.threads,
        max_chars=settings.features.text.max_chars,
    )
    labels = tables.read_frame(paths.LABELS / "labels.parquet", made_by="collect_labels")
    full = label_selection.to_train(
        labels, by=settings.full_retrain.as_of, max_age_days=settings.full_retrain.max_age_days
    )
    if full.empty:
        raise DataError(
            f"no label of a training client is known by {settings.full_retrain.as_of}, and there "
            "is nothing to train on",
            f"a later as_of in {paths.PARAMS}, or data that reaches further back",
        )
    extractor = _extractor(cache, con, settings, full)
    digest = extractors.digest(paths.EXTRACTOR)
    yield from _about(extractor)

    champions = load_release(paths.CHAMPION).models
    own = {digest: (extractor, _forms(settings))}
    inherited = _inherited(champions)
    both = own | inherited
    if digest in inherited:
        both[digest] = (extractor, own[digest][1] | inherited[digest][1])
    update = _update(settings, labels, champions)
    holdout = _holdout(settings, labels)
    snapshots = tables.read_frame(paths.LABELS / "snapshots.parquet", made_by="collect_labels")
    today = snapshots[snapshots["observed_on"] == pd.Timestamp(settings.as_of)][
        label_selection.KEYS
    ]
    made = daily_features(settings, cache, con, snapshots)
    yield _take_over_full(settings, cache, made, own, full, con=con)
    yield _write(
        paths.FEATURES_UPDATE, made, inherited, label_selection.snapshots_of(update), update
    )
    yield _write(paths.FEATURES_HOLDOUT, made, both, label_selection.snapshots_of(holdout), holdout)
    yield _write(paths.FEATURES_TODAY, made, both, today)
    yield _write(paths.FEATURES_RECENT, made, both, _recent(settings, snapshots))
    if extractor.text is not None:
        share = _report_words(paths.FEATURES_TODAY, con, digest, both, today)
        yield "no words today" if share is None else f"{share:.1%} of today's words are no terms"


def _forms(settings: Settings) -> set[TextForm]:
    return {settings.estimators.of(target.estimator).text for target in settings.targets.values()}


def _inherited(champions: dict[str, Model]) -> InPlay:
    """The extractors that the champions were trained with; targets may differ in theirs."""
    found: InPlay = {}
    for model in champions.values():
        manifest = model.manifest
        _, forms = found.get(manifest.extractor, (None, set()))
        found[manifest.extractor] = (model.extractor, forms | {manifest.text_form})
    return found


def _extractor(
    cache: Cache, con: duckdb.DuckDBPyConnection, settings: Settings, full: pd.DataFrame
) -> Extractor:
    """Write ``models/extractor``: between full retrains it stays what it is."""
    snapshots = label_selection.snapshots_of(full)
    arguments: dict[str, Any] = {
        "horizons_days": [target.horizon_days for target in settings.targets.values()],
        "minor_units": settings.data.minor_units,
        "seed": settings.seed,
    }
    fitted_on = settings.full_retrain.as_of
    made_from = arguments | {
        "features": settings.features.model_dump(),
        "fitted_on": str(fitted_on),
        "raw": cache.raw_known_by(fitted_on),
        "snapshots": tables.digest(snapshots),
    }

    def fit(folder: Path) -> None:
        fitted = fit_extractor(
            con, snapshots, fitted_on=fitted_on, features=settings.features, **arguments
        )
        extractors.save_extractor(fitted, folder)

    shutil.rmtree(paths.EXTRACTOR, ignore_errors=True)
    shutil.copytree(cache.folder("extractor", made_from, fit), paths.EXTRACTOR)
    return extractors.load_extractor(paths.EXTRACTOR)


def _update(settings: Settings, labels: pd.DataFrame, champions: dict[str, Model]) -> pd.DataFrame:
    """The labels new to what the updates of this run go on from, and older ones to repeat."""
    options = settings.incremental
    bases = challengers.bases(champions, paths.CHALLENGER, max_updates=options.max_updates)
    parts = [
        label_selection.to_update(
            labels[labels["target"] == name],
            by=settings.as_of,
            after=date.fromisoformat(model.manifest.trained_through),
            replay_share=options.replay_share,
            replay_days=options.replay_days,
            seed=settings.seed,
        )
        for name, model in bases.items()
        if name in settings.targets
    ]
    return pd.concat(parts or [labels.head(0).assign(replay=False)], ignore_index=True)


def _holdout(settings: Settings, labels: pd.DataFrame) -> pd.DataFrame:
    window = label_selection.Window.of(settings.gate)
    parts = [
        label_selection.to_judge(
            labels[labels["target"] == name],
            by=settings.as_of,
            window=window,
        )
        for name in settings.targets
    ]
    return pd.concat(parts, ignore_index=True)


def _recent(settings: Settings, snapshots: pd.DataFrame) -> pd.DataFrame:
    """Each client as observed last, for what the champion's inputs are distributed like by now."""
    before = pd.Timestamp(settings.as_of) - pd.Timedelta(days=settings.snapshots.every_days)
    observed = snapshots["observed_on"]
    within = (observed > before) & (observed <= pd.Timestamp(settings.as_of))
    return snapshots[within][label_selection.KEYS].reset_index(drop=True)


def daily_features(
    settings: Settings, cache: Cache, con: duckdb.DuckDBPyConnection, snapshots: pd.DataFrame
) -> DailyFeatures:
    """The features of some snapshots, by an extractor; see `DailyFeatures`."""
    return DailyFeatures(cache, con, snapshots, _observed_and_read(settings))


def _observed_and_read(settings: Settings) -> dict[str, object]:
    return {
        "snapshots": settings.snapshots.model_dump(),
        "max_chars": settings.features.text.max_chars,
    }


def _take_over_full(
    settings: Settings,
    cache: Cache,
    made: DailyFeatures,
    own: InPlay,
    full: pd.DataFrame,
    *,
    con: duckdb.DuckDBPyConnection,
) -> str:
    """Write ``data/features/full``, which stays what it is between full retrains."""
    snapshots = label_selection.snapshots_of(full)
    made_from = _observed_and_read(settings) | {
        "labels": tables.digest(full),
        "raw": cache.raw_known_by(settings.full_retrain.as_of),
        "extractors": {digest: sorted(forms) for digest, (_, forms) in own.items()},
    }

    def make_full(folder: Path) -> None:
        _write(folder, made, own, snapshots, full)
        [(digest, (extractor, _))] = own.items()
        if extractor.text is not None:
            clients = snapshots[["client_id"]].drop_duplicates()
            fitted_on = pd.Timestamp(settings.full_retrain.as_of)
            _report_words(folder, con, digest, own, clients.assign(observed_on=fitted_on))

    kept = cache.folder("full", made_from, make_full)
    shutil.rmtree(paths.FEATURES_FULL, ignore_errors=True)
    shutil.copytree(kept, paths.FEATURES_FULL)
    return f"{paths.FEATURES_FULL.name}: {len(snapshots):,} snapshots"


def _write(
    folder: Path,
    made: DailyFeatures,
    in_play: InPlay,
    snapshots: pd.DataFrame,
    labels: pd.DataFrame | None = None,
) -> str:
    """Write the features of some snapshots, for each extractor, and the labels beside them."""
    shutil.rmtree(folder, ignore_errors=True)
    tables.write_frame(snapshots, folder / matrices.SNAPSHOTS)
    if labels is not None:
        tables.write_frame(labels, folder / matrices.LABELS)
    for digest, (extractor, forms) in in_play.items():
        matrices.write_features(folder, digest, made.of(extractor, digest, forms, snapshots))
    return f"{folder.name}: {len(snapshots):,} snapshots"


def _report_words(
    folder: Path,
    con: duckdb.DuckDBPyConnection,
    digest: str,
    in_play: InPlay,
    snapshots: pd.DataFrame,
) -> float | None:
    """Write, and return for the run's own extractor, the share of words that are no terms."""
    documents = read_documents(con, snapshots)
    found: dict[str, float | None] = files.rounded(
        {
            other: extractor.text.unknown_share(documents)
            for other, (extractor, _) in in_play.items()
            if extractor.text is not None
        }
    )
    content = {"unknown_words": found[digest], "by_extractor": found, "clients": len(snapshots)}
    files.write_json(content, folder / matrices.TEXT_REPORT)
    return found[digest]


def _about(extractor: Extractor) -> Iterator[str]:
    text = extractor.text
    words = f"{len(text.terms)} terms in {len(text.components)} columns" if text else "no text"
    told = f", {len(extractor.attributes.names)} client attributes" if extractor.attributes else ""
    yield (
        f"extractor as of {extractor.fitted_on}: {len(extractor.numeric)} numeric features{told}, "
        f"{words}"
    )
    for what in ("purchases", "spend"):
        fitted = getattr(extractor.btyd, what)
        if isinstance(fitted, Unfitted):
            yield f"buy till you die: {what} not fitted: {fitted.reason}"
    if extractor.left_out:
        yield f"left out for want of history or variation: {', '.join(extractor.left_out)}"


if __name__ == "__main__":
    main(run)
