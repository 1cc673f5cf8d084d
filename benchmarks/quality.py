"""Measure all models and baselines out of time.

At each of three dates, all models are fitted on the labels of training clients known by then (so
every label window they learn from has closed), with a feature extractor of that day. They predict
each client's next snapshot, held out or not. Losses are means over the rows of all dates, those of
amounts with the cap and mean of the training rows; AUC, R2 and MAE are means over the dates. The
error is that of the difference from LightGBM, clustered by client. Smaller losses are better.

    python benchmarks/quality.py                       # The Complete Journey and CDNOW
    python benchmarks/quality.py --online-retail FILE.parquet
    python benchmarks/quality.py --only cdnow          # one data set

Run it in the root of the repository, whose `params.yaml` holds the settings. For the file see
`bench_updates.py`.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import numpy as np
import pandas as pd

from bench_updates import CHUNK, fitted_extractor, open_database, settings_for
from bench_updates import online_retail as updated_online_retail
from evergreen.core.evaluation import metrics
from evergreen.core.evaluation.baselines import fit_baselines, predict_baseline
from evergreen.core.evaluation.losses import row_losses
from evergreen.core.events import label_selection
from evergreen.core.events.loss_scale import LossScale
from evergreen.core.models import registry
from evergreen.ingestion import cdnow, complete_journey
from evergreen.settings.loading import load_settings

MODELS = ("blend", "lightgbm", "linear", "random_forest")
SHOWN = {"binary": ("roc_auc",), "regression": ("r2", "mae", "predicted_actual_ratio")}


@dataclass(frozen=True)
class Case:
    """A data set with the dates of its tests, snapshot interval and horizons."""

    title: str
    rows: object  # a function from a connection to a relation with the canonical columns
    dates: tuple[date, ...]
    every_days: int
    horizons: tuple[int, int, int]


JOURNEY = Case(
    "The Complete Journey",
    partial(complete_journey.rows, minor_units=100),
    (date(2017, 6, 3), date(2017, 8, 26), date(2017, 11, 18)),
    7,
    (7, 28, 28),
)
CDNOW = Case(
    "CDNOW, every third client",
    lambda con: cdnow.rows(con, 100).filter("client_id::int % 3 = 0"),
    (date(1997, 10, 1), date(1997, 12, 17), date(1998, 3, 4)),
    28,
    (28, 84, 84),
)


def online_retail(path):
    return Case(
        "Online Retail II",
        updated_online_retail(path).rows,
        (date(2010, 11, 13), date(2011, 4, 2), date(2011, 8, 20)),
        28,
        (28, 84, 84),
    )


class History:
    """A data set as a database, with all versions of all labels."""

    def __init__(self, case, settings):
        self.settings = settings_for(case, settings)
        self.con = open_database(case, self.settings)
        labels = self.con.sql(
            "select * from labels order by target, observed_on, client_id, known_on"
        ).df()
        self.labels = dict(iter(labels.groupby("target")))

    def to_train(self, name, day):
        """Return the labels of a full retrain on that day, as `featurize` selects them."""
        max_age_days = self.settings.full_retrain.max_age_days
        return label_selection.to_train(self.labels[name], by=day, max_age_days=max_age_days)

    def to_test(self, name, day):
        """Return the next snapshot of each client with its final label."""
        labels = self.labels[name]
        end = pd.Timestamp(day + timedelta(self.settings.snapshots.every_days))
        soon = (labels["observed_on"] >= pd.Timestamp(day)) & (labels["observed_on"] < end)
        return labels[soon & labels["superseded_on"].isna()]


@dataclass(frozen=True)
class Task:
    """Training and test rows of one target at one date."""

    name: str
    kind: str
    label: str
    horizon_days: int
    columns: dict  # by form of text
    trained: pd.DataFrame  # labels
    tested: pd.DataFrame
    X: pd.DataFrame  # of trained
    X_test: pd.DataFrame

    @property
    def scale(self):
        """The scale of losses, as in a manifest."""
        return LossScale.of_labels(self.trained["label"])

    def losses(self, predicted):
        """Return the loss of each test row."""
        return row_losses(self.kind, self.tested["label"], predicted, self.scale)


def tasks_at(history, day, forms=("components", "terms")):
    """Return all targets at one date, with features of that day's extractor."""
    extractor = fitted_extractor(history, day)
    parts = {
        name: (history.to_train(name, day), history.to_test(name, day))
        for name in history.settings.targets
    }
    snapshots = label_selection.snapshots_of(
        pd.concat([labels for both in parts.values() for labels in both])
    )
    chunks = [
        extractor.transform(history.con, snapshots[k : k + CHUNK], text=forms)
        for k in range(0, len(snapshots), CHUNK)
    ]
    features = pd.concat(chunks, ignore_index=True)
    places = pd.Series(range(len(snapshots)), index=pd.MultiIndex.from_frame(snapshots))
    for name, (trained, tested) in parts.items():
        target = history.settings.targets[name]
        X, X_test = (
            features.iloc[places.loc[pd.MultiIndex.from_frame(labels[label_selection.KEYS])]]
            for labels in (trained, tested)
        )
        columns = {form: extractor.columns(form) for form in forms}
        yield Task(
            name,
            target.kind,
            target.label,
            target.horizon_days,
            columns,
            trained,
            tested,
            X,
            X_test,
        )


def predictions(task, settings, models, threads):
    """Return predictions of all baselines and models by name, with the seconds of each fit."""
    fitted = fit_baselines(
        task.label, task.X, task.trained["label"], horizon_days=task.horizon_days
    )
    predicted = {name: (predict_baseline(b, task.X_test), 0.0) for name, b in fitted.items()}
    for name in models:
        options = settings.estimators.of(name)
        columns = task.columns[options.text]
        options = options.expecting(fitted.get("btyd"), columns)
        model = registry.build(name, task.kind, options, seed=settings.seed, threads=threads)
        started = time.perf_counter()
        model.fit(task.X[columns], task.trained["label"])
        seconds = time.perf_counter() - started
        predicted[name] = model.predict(task.X_test[columns]), seconds
    return predicted


def difference(losses, reference, clients):
    """Return the mean difference of two models' losses, and its standard error by client."""
    gaps = losses - reference
    by_client = pd.Series(gaps - gaps.mean()).groupby(clients).sum()
    groups = len(by_client)
    return gaps.mean(), np.sqrt(groups / (groups - 1) * (by_client**2).sum()) / len(gaps)


def table(tasks, predicted):
    """Return the lines of one target, the best model first."""
    kind = tasks[0].kind
    clients = np.concatenate([task.tested["client_id"] for task in tasks])
    names = list(predicted[0])
    losses = {
        name: np.concatenate(
            [task.losses(p[name][0]) for task, p in zip(tasks, predicted, strict=True)]
        )
        for name in names
    }
    for name in sorted(names, key=lambda name: losses[name].mean()):
        gap, error = difference(losses[name], losses["lightgbm"], clients)
        measured = [
            metrics.evaluate(kind, task.tested["label"], p[name][0], task.scale)
            for task, p in zip(tasks, predicted, strict=True)
        ]
        values = {key: [m[key] for m in measured] for key in SHOWN[kind]}
        means = [f"{np.mean(v):.3f}" if None not in v else "" for v in values.values()]
        seconds = np.mean([p[name][1] for p in predicted])
        change = "" if name == "lightgbm" else f"{gap:+.4f} ± {error:.4f}"
        cells = [
            tasks[0].name,
            name,
            f"{losses[name].mean():.4f}",
            change,
            *means,
            f"{seconds:.1f}",
        ]
        yield f"| {' | '.join(cells)} |"


def run(case, settings, models, threads):
    started = time.perf_counter()
    history = History(case, settings)
    results = {name: ([], []) for name in history.settings.targets}
    for day in case.dates:
        for task in tasks_at(history, day):
            results[task.name][0].append(task)
            results[task.name][1].append(predictions(task, history.settings, models, threads))
    print(f"\n## {case.title}\n\nAs of {', '.join(map(str, case.dates))}.\n", flush=True)
    for kind in ("binary", "regression"):
        shown = ["target", "model", "loss", "minus LightGBM's", *SHOWN[kind], "s per fit"]
        print(f"| {' | '.join(shown)} |\n{'|---' * len(shown)}|")
        for tasks, predicted in results.values():
            if tasks[0].kind == kind:
                print("\n".join(table(tasks, predicted)))
        print(flush=True)
    print(f"{time.perf_counter() - started:.0f} s in total.", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--online-retail", metavar="FILE", help="Parquet file of the data set")
    parser.add_argument("--only", choices=["complete-journey", "cdnow", "online-retail"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--skip-forest", action="store_true", help="it takes most of the time")
    arguments = parser.parse_args()
    models = [m for m in MODELS if m != "random_forest" or not arguments.skip_forest]
    cases = {"complete-journey": JOURNEY, "cdnow": CDNOW}
    if arguments.online_retail:
        cases["online-retail"] = online_retail(arguments.online_retail)
    settings = load_settings()
    for name, case in cases.items():
        if arguments.only in (None, name):
            run(case, settings, models, arguments.threads)


if __name__ == "__main__":
    main()
