"""What happened after each run: predictions for the days that followed, and their outcomes."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import chdir
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.core.evaluation import gate
from evergreen.core.events.label_selection import KEYS, observed_lately, read_rows
from evergreen.replay.policy_run import FAILED, RECORD, RUNS, read_records
from evergreen.replay.results import ANY, LEVEL, PolicyResult
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.store import files, models, tables
from evergreen.store.cache import Cache
from evergreen.store.feature_sets import FeatureSets
from evergreen.store.labels import labels_known, view_labels, view_snapshots
from evergreen.store.raw_history import open_history
from evergreen.store.releases import load_release

if TYPE_CHECKING:
    from evergreen.replay.policies import Policy
    from evergreen.replay.scenario import Scenario

PREDICTIONS, HINDSIGHT = "predictions.parquet", "hindsight.json"
JUDGED = Path("judged")
CURRENT = """
select target, client_id, observed_on, label from labels order by target, observed_on, client_id
"""
"""What is known of the labels at the end."""
HINDSIGHT_DAYS = 28
"""How long after a run its candidates are still compared with the champion of that day."""
PAUSE_SECONDS = 0.2


def judge_policy(scenario: Scenario, policy: Policy, folder: Path) -> None:
    """Judge the runs of a policy one after another, while they are made or later.

    Runs learn nothing from it, so they need not wait for it.

    Parameters
    ----------
    folder
        Where `evergreen.replay.policy_run.replay_policy` works. For each run this writes
        ``judged/<as_of>``: the predictions for the clients observed until the next run, and the
        gain of each candidate in hindsight. It then removes the candidates.
    """
    with chdir(folder):
        settings, hindsight = policy.settings(scenario.settings), None
        for previous, as_of in pairwise([None, *scenario.dates]):
            if as_of is None or (JUDGED / str(as_of)).is_dir():
                continue
            while not (RUNS / str(as_of)).is_dir():
                if FAILED.exists():
                    return
                time.sleep(PAUSE_SECONDS)
            hindsight = hindsight or Hindsight(settings, scenario.through, Cache())
            _judge(hindsight, previous, as_of, scenario.next_run(as_of))


def read_result(folder: Path) -> PolicyResult:
    """Read the result of a policy whose runs are all judged, hindsight included."""
    records, predictions = read_records(folder), []
    for record in records:
        judged = folder / JUDGED / record["as_of"]
        hindsight = json.loads((judged / HINDSIGHT).read_text("utf-8"))
        for name, target in record["targets"].items():
            for kind, candidate in target["candidates"].items():
                candidate["hindsight"] = hindsight[name][kind]
        predictions.append(tables.read_frame(judged / PREDICTIONS, made_by="evergreen replay"))
    return PolicyResult(records, pd.concat(predictions, ignore_index=True))


def _judge(hindsight: Hindsight, previous: date | None, as_of: date, next_run: date) -> None:
    run = RUNS / str(as_of)
    record = _read_record(as_of)
    champion = _read_record(previous)["release"] if previous else None
    means = {name: target["label_mean"] for name, target in record["targets"].items()}
    predictions = hindsight.predictions(record["release"], means, as_of, next_run)
    gains = {
        name: {
            kind: hindsight.gain(champion, name, run / paths.CANDIDATES[kind] / name, as_of)
            for kind in target["candidates"]
        }
        for name, target in record["targets"].items()
    }
    with files.replacing(JUDGED / str(as_of)) as unfinished:
        tables.write_frame(predictions, unfinished / PREDICTIONS)
        files.write_json(gains, unfinished / HINDSIGHT)
    shutil.rmtree(run / paths.CHAMPION.parent, ignore_errors=True)


def _read_record(as_of: date) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((RUNS / str(as_of) / RECORD).read_text("utf-8"))
    return record


class Hindsight:
    """All that is known at the end of the history, to judge runs that did not know it.

    Features stay point-in-time: those of a day hold only what was known by that day.
    """

    def __init__(self, settings: Settings, through: date, cache: Cache) -> None:
        self._settings = settings
        self._columns: dict[tuple[str, str, str], pd.DataFrame] = {}
        self._predicted: dict[str, np.ndarray] = {}
        self._releases: dict[str, dict[str, models.Model]] = {}
        at_the_end = settings.model_copy(update={"as_of": through})
        con, _ = open_history(
            known_by=through,
            max_lag_days=settings.data.max_lag_days,
            threads=settings.compute.threads,
            max_chars=settings.features.text.max_chars,
        )
        view_snapshots(con, at_the_end)
        self._snapshots = observed_lately(con, by=through, days=(through - date.min).days)
        view_labels(con, labels_known(at_the_end, cache))
        known = read_rows(con, CURRENT)
        self._labels = {name: known[known["target"] == name] for name in settings.targets}
        self._features = FeatureSets(settings, cache, con)

    def predictions(
        self, release: str | None, label_means: dict[str, float | None], first: date, end: date
    ) -> pd.DataFrame:
        """Predict with a release for the clients observed from `first` until before `end`.

        Parameters
        ----------
        label_means
            For each target, the prediction for everyone as long as it has no model.

        Returns
        -------
        DataFrame
            client_id, observed_on, target, and prediction (float64).
        """
        rows = self._observed(first, end)
        released = self._models(release)
        served = {model.manifest.version for model in released.values()}
        self._predicted = {v: values for v, values in self._predicted.items() if v in served}
        self._columns.clear()
        parts = [
            rows[KEYS].assign(
                target=name,
                prediction=self._predict(released[name], rows)
                if name in released
                else np.float64(np.nan if mean is None else mean),
            )
            for name, mean in label_means.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def gain(
        self, release: str | None, target: str, candidate: Path, as_of: date
    ) -> dict[str, Any] | None:
        """Compare a candidate with the release before it, on the weeks after its run.

        Returns
        -------
        dict or None
            gain, its 95 % interval (clustered by client) and rows; None if there was no champion,
            or the history ends before an outcome was known.
        """
        champion = self._models(release).get(target)
        if champion is None:
            return None
        observed = self._observed(as_of, as_of + timedelta(days=HINDSIGHT_DAYS))
        rows = observed.merge(self._labels[target][[*KEYS, "label"]], on=KEYS)
        if rows["label"].nunique() < 2:  # noqa: PLR2004 - nothing to compare two models by
            return None
        challenger = models.load_model(candidate, threads=self._settings.compute.threads)
        decision = gate.decide(
            gate.Outcomes(
                champion.manifest.kind, rows["label"], rows["client_id"], champion.manifest.scale
            ),
            self._predict(champion, rows),
            self._predict(challenger, rows),
            alpha=LEVEL / 2,
            minimum=ANY,
        )
        gain: dict[str, Any] = files.rounded(
            {"gain": decision.gain, "interval": decision.interval, "rows": len(rows)}
        )
        return gain

    def _observed(self, first: date, end: date) -> pd.DataFrame:
        observed = self._snapshots["observed_on"]
        within = (observed >= pd.Timestamp(first)) & (observed < pd.Timestamp(end))
        rows: pd.DataFrame = self._snapshots[within].reset_index(names="place")
        return rows

    def _models(self, release: str | None) -> dict[str, models.Model]:
        if release is None:
            return {}
        if release not in self._releases:
            loaded = load_release(paths.RELEASES / release, threads=self._settings.compute.threads)
            self._releases = {release: loaded.models}
        return self._releases[release]

    def _predict(self, model: models.Model, rows: pd.DataFrame) -> np.ndarray:
        """Predict, reusing earlier predictions: a champion meets the same rows in many runs."""
        unknown = np.full(len(self._snapshots), np.nan)
        predicted = self._predicted.setdefault(model.manifest.version, unknown)
        new = rows[np.isnan(predicted[rows["place"]])]
        if len(new):
            predicted[new["place"]] = self._compute(model, new)
        values: np.ndarray = predicted[rows["place"]]
        return values

    def _compute(self, model: models.Model, rows: pd.DataFrame) -> np.ndarray:
        manifest = model.manifest
        key = (manifest.extractor, manifest.text_form, tables.digest(rows[KEYS]))
        if key not in self._columns:
            self._columns[key] = self._features.of(
                model.extractor, manifest.extractor, {manifest.text_form}, rows[KEYS]
            )
        return model.predict(self._columns[key])
