"""What came after a run: what its models said of the days that followed, and what happened."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import chdir
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.core.evaluation import gate
from evergreen.core.events.label_selection import KEYS, as_known
from evergreen.replay.policy_run import (
    RECORD,
    RUNS,
    STOPPED,
    records,
)
from evergreen.replay.results import ANY, LEVEL
from evergreen.replay.shared_work import kept_history
from evergreen.settings import paths
from evergreen.stages.featurize import daily_features
from evergreen.store import files, models, tables
from evergreen.store.cache import Cache
from evergreen.store.labels import open_labels
from evergreen.store.releases import load_release
from evergreen.store.rounding import rounded

if TYPE_CHECKING:
    from datetime import date

    from evergreen.replay.policies import Policy
    from evergreen.replay.scenario import Scenario
    from evergreen.settings.pipeline import Settings
    from evergreen.store.models import Model

AFTER, HINDSIGHT = "after.parquet", "hindsight.json"
JUDGED = Path("judged")
HINDSIGHT_DAYS = 28
"""So long after a run its candidates are still compared with what was in production before."""
PAUSE_SECONDS = 0.2


def judge_policy(scenario: Scenario, policy: Policy, folder: Path) -> None:
    """Judge the runs of a policy one after the other, while they are made or later.

    Runs learn nothing from it, so they need not wait for it.

    Parameters
    ----------
    folder
        Where `evergreen.replay.policy_run.replay_policy` works. A run that is judged leaves there
        ``judged/<as_of>``: what its models said of the clients observed until the next run, and how
        its candidates would have done; the candidates themselves are removed.
    """
    with chdir(folder):
        settings, afterwards = policy.settings(scenario.settings), None
        for before, as_of in pairwise([None, *scenario.dates]):
            if as_of is None or (JUDGED / str(as_of)).is_dir():
                continue
            while not (RUNS / str(as_of)).is_dir():
                if STOPPED.exists():
                    return
                time.sleep(PAUSE_SECONDS)
            afterwards = afterwards or Afterwards(settings, scenario.through, Cache())
            _judge(afterwards, before, as_of, scenario.following(as_of))


def _judge(afterwards: Afterwards, before: date | None, as_of: date, following: date) -> None:
    run, unfinished = RUNS / str(as_of), JUDGED / f".{as_of}.unfinished"
    record = _record(as_of)
    champion = _record(before)["release"] if before else None
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    means = {name: target["label_mean"] for name, target in record["targets"].items()}
    said = afterwards.predictions(record["release"], means, as_of, following)
    tables.write_frame(said, unfinished / AFTER)
    found = {
        name: {
            kind: afterwards.hindsight(champion, name, run / paths.CANDIDATES[kind] / name, as_of)
            for kind in target["candidates"]
        }
        for name, target in record["targets"].items()
    }
    files.write_json(found, unfinished / HINDSIGHT)
    unfinished.replace(JUDGED / str(as_of))
    shutil.rmtree(run / paths.CHAMPION.parent, ignore_errors=True)


def _record(as_of: date) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RUNS / str(as_of) / RECORD).read_text("utf-8"))
    return found


def judged(folder: Path) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """What a policy has left when all its runs are judged.

    Returns
    -------
    (list of dict, DataFrame)
        The records of the runs, each candidate with its hindsight; and what was said, as
        `Afterwards.predictions` gives it.
    """
    made, said = [], []
    for record in records(folder):
        one = folder / JUDGED / record["as_of"]
        found = json.loads((one / HINDSIGHT).read_text("utf-8"))
        for name, target in record["targets"].items():
            for kind, candidate in target["candidates"].items():
                candidate["hindsight"] = found[name][kind]
        made.append(record)
        said.append(tables.read_frame(one / AFTER, made_by="evergreen replay"))
    return made, pd.concat(said, ignore_index=True)


class Afterwards:
    """All that is known at the end of the history, for judging runs that did not know it.

    Features are point in time as ever: those of a day hold what was known by that day.
    """

    def __init__(self, settings: Settings, through: date, cache: Cache) -> None:
        self._settings = settings
        self._columns: dict[tuple[str, str, str], pd.DataFrame] = {}
        self._said: dict[str, np.ndarray] = {}
        self._releases: dict[str, dict[str, Model]] = {}
        history = kept_history(settings, through, cache)
        con, _ = open_labels(settings.model_copy(update={"as_of": through}), history)
        self._snapshots = con.sql(
            "select client_id, observed_on::timestamp as observed_on from snapshots "
            "order by observed_on, client_id"
        ).df()
        labels = con.sql("select * from labels order by target, observed_on, client_id").df()
        known = as_known(labels, by=through)
        self._labels = {name: known[known["target"] == name] for name in settings.targets}
        self._features = daily_features(settings, cache, con, self._snapshots)

    def predictions(
        self, release: str | None, label_means: dict[str, float | None], first: date, end: date
    ) -> pd.DataFrame:
        """What a release says of the clients observed from a date until before another.

        Parameters
        ----------
        label_means
            For each target what is said of everyone where it has no model yet.

        Returns
        -------
        DataFrame
            client_id, observed_on, target, and prediction (float64).
        """
        rows = self._between(first, end)
        released = self._models(release)
        served = {model.manifest.version for model in released.values()}
        self._said = {version: said for version, said in self._said.items() if version in served}
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

    def hindsight(
        self, release: str | None, target: str, candidate: Path, as_of: date
    ) -> dict[str, Any] | None:
        """How a candidate would have done in the weeks after a date against the release before it.

        Returns
        -------
        dict or None
            gain, its 95 % interval (clustered by client) and rows; None where there was no
            champion, or the history ends before an outcome was known.
        """
        champion = self._models(release).get(target)
        if champion is None:
            return None
        observed = self._between(as_of, as_of + timedelta(days=HINDSIGHT_DAYS))
        rows = observed.merge(self._labels[target][[*KEYS, "label"]], on=KEYS)
        if rows["label"].nunique() < 2:  # noqa: PLR2004 - nothing to tell two models apart by
            return None
        challenger = models.load_model(candidate, threads=self._settings.compute.threads)
        found = gate.decide(
            champion.manifest.kind,
            rows["label"],
            self._predict(champion, rows),
            self._predict(challenger, rows),
            clients=rows["client_id"],
            alpha=LEVEL / 2,
            scale=champion.manifest.scale,
            minimum=ANY,
        )
        content: dict[str, Any] = rounded(
            {"gain": found.gain, "interval": found.interval, "rows": len(rows)}
        )
        return content

    def _between(self, first: date, end: date) -> pd.DataFrame:
        observed = self._snapshots["observed_on"]
        within = (observed >= pd.Timestamp(first)) & (observed < pd.Timestamp(end))
        found: pd.DataFrame = self._snapshots[within].reset_index(names="place")
        return found

    def _models(self, release: str | None) -> dict[str, Model]:
        if release is None:
            return {}
        if release not in self._releases:
            loaded = load_release(paths.RELEASES / release, threads=self._settings.compute.threads)
            self._releases = {release: loaded.models}
        return self._releases[release]

    def _predict(self, model: Model, rows: pd.DataFrame) -> np.ndarray:
        """What a model says; of a champion it is asked again at every look of four weeks."""
        nothing = np.full(len(self._snapshots), np.nan)
        said = self._said.setdefault(model.manifest.version, nothing)
        new = rows[np.isnan(said[rows["place"]])]
        if len(new):
            said[new["place"]] = self._compute(model, new)
        predicted: np.ndarray = said[rows["place"]]
        return predicted

    def _compute(self, model: Model, rows: pd.DataFrame) -> np.ndarray:
        manifest = model.manifest
        which = (manifest.extractor, manifest.text_form, tables.digest(rows[KEYS]))
        if which not in self._columns:
            self._columns[which] = self._features.of(
                model.extractor, manifest.extractor, {manifest.text_form}, rows[KEYS]
            )
        return model.predict(self._columns[which])
