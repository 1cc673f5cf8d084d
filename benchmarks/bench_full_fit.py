"""Time fitting all targets from scratch, against the classic recipe on the same rows.

The recipe is a random forest of 250 trees of depth 20 on six RFM columns and 500 TF-IDF terms. Run
in the repository after `make demo`. Losses are those of the held-out clients.
"""

import time

import numpy as np

from evergreen.core.evaluation.gate import row_losses
from evergreen.core.events.loss_scale import LossScale
from evergreen.core.models import registry
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.store import extractors, matrices
from evergreen.store.raw_history import open_history

RFM = ["recency_days", "frequency", "monetary", "average_basket", "tenure_days", "gap_mean"]


def wide_features(settings, extractor, labels):
    """Return numeric features, components and terms of the labels' snapshots."""
    con, _ = open_history(
        known_by=settings.as_of,
        max_lag_days=settings.data.max_lag_days,
        threads=settings.compute.threads,
        max_chars=settings.features.text.max_chars,
    )
    return extractor.transform(con, labels, text=("components", "terms"))


def fit(model, X, y):
    started = time.perf_counter()
    return model.fit(X, y), time.perf_counter() - started


def main():
    settings = load_settings()
    extractor = extractors.load_extractor(paths.EXTRACTOR)
    terms = [c for c in extractor.columns("terms") if c.startswith("term_")]
    total = {"ours": 0.0, "recipe": 0.0}
    print(f"{'target':10} {'rows':>7}  {'ours':>8} {'recipe':>8}  {'loss':>8} {'recipe':>8}")
    for name, target in settings.targets.items():
        train = matrices.read_labels(paths.FEATURES_FULL, name)
        held = matrices.read_labels(paths.FEATURES_HOLDOUT, name)
        X, H = (wide_features(settings, extractor, rows) for rows in (train, held))
        ours = settings.estimators.of(target.estimator)
        contestants = {
            "ours": (target.estimator, ours, extractor.columns(ours.text)),
            "recipe": ("random_forest", settings.estimators.random_forest, RFM + terms),
        }
        seconds, losses = {}, {}
        for who, (estimator, options, columns) in contestants.items():
            model = registry.build(
                estimator,
                target.kind,
                options,
                seed=settings.seed,
                threads=settings.compute.threads,
            )
            model, seconds[who] = fit(model, X[columns], train["label"])
            loss = row_losses(
                target.kind,
                held["label"].to_numpy(),
                model.predict(H[columns]),
                LossScale.of_labels(train["label"]),
            )
            losses[who] = float(np.mean(loss))
            total[who] += seconds[who]
        print(
            f"{name:10} {len(train):7,}  {seconds['ours']:6.2f} s {seconds['recipe']:6.2f} s"
            f"  {losses['ours']:8.4f} {losses['recipe']:8.4f}"
        )
    print(f"the recipe takes {total['recipe'] / total['ours']:.1f} times as long")


if __name__ == "__main__":
    main()
