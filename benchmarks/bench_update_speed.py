"""Time an update with 100 new labels of each target, against the classic warm start.

The classic is a forest of 250 trees on six RFM columns and 500 TF-IDF terms, grown by 50 trees on
the same rows. Both include saving the model. Run in the repository after `make demo`.
"""

import tempfile
import time
from pathlib import Path

import joblib
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from bench_full_fit import RFM, wide_features
from evergreen.core.models import registry
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.store import extractors, files, matrices

NEW, REPLAYED = 100, 100


def classic(kind, settings):
    forest = RandomForestClassifier if kind == "binary" else RandomForestRegressor
    return forest(
        n_estimators=250,
        max_depth=20,
        n_jobs=settings.compute.threads,
        random_state=settings.seed,
        warm_start=True,
    )


def main():
    settings = load_settings()
    extractor = extractors.load_extractor(paths.EXTRACTOR)
    terms = [c for c in extractor.columns("terms") if c.startswith("term_")]
    total = {"ours": 0.0, "classic": 0.0}
    for name, target in settings.targets.items():
        labels = matrices.read_labels(paths.FEATURES_FULL, name)
        columns = wide_features(settings, extractor, labels)
        old, new = labels.iloc[: -NEW - REPLAYED], labels.iloc[-NEW - REPLAYED :]
        y, y_new = old["label"], new["label"]
        options = settings.estimators.of(target.estimator)
        ours = extractor.columns(options.text)
        X, X_new = columns.loc[old.index], columns.loc[new.index]
        model = registry.build(
            target.estimator, target.kind, options, seed=settings.seed,
            threads=settings.compute.threads,
        ).fit(X[ours], y)  # fmt: skip
        forest = classic(target.kind, settings).fit(X[RFM + terms].fillna(0), y)
        with tempfile.TemporaryDirectory() as scratch:
            started = time.perf_counter()
            updated = model.update(
                X_new[ours].tail(NEW), y_new.tail(NEW), X_new[ours].head(REPLAYED),
                y_new.head(REPLAYED),
            )  # fmt: skip
            files.write_folder(updated.to_files(), Path(scratch) / "ours")
            mine = time.perf_counter() - started
            started = time.perf_counter()
            forest.n_estimators += 50
            forest.fit(X_new[RFM + terms].fillna(0), y_new)
            joblib.dump(forest, Path(scratch) / "forest.joblib")
            theirs = time.perf_counter() - started
        total["ours"] += mine
        total["classic"] += theirs
        print(f"{name:10} ours {mine:6.3f} s   forest +50 trees {theirs:6.3f} s")
    print(f"the forest takes {total['classic'] / total['ours']:.1f} times as long")


if __name__ == "__main__":
    main()
