"""What came after a run: what its models said of the days that followed, and what happened."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen import paths
from evergreen.core import gate
from evergreen.core.rounding import rounded
from evergreen.core.rows import KEYS, as_known
from evergreen.core.text import create_texts
from evergreen.replay.results import ANY, LEVEL
from evergreen.stages.collect_labels import open_labels
from evergreen.stages.featurize import daily_features
from evergreen.store import models, tables
from evergreen.store.releases import load_release

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from evergreen.params import Settings
    from evergreen.store.cache import Cache
    from evergreen.store.models import Model

HINDSIGHT_DAYS = 28
"""So long after a run its candidates are still compared with what was in production before."""


class Afterwards:
    """All that is known at the end of the history, for judging runs that did not know it.

    Features are point in time as ever: those of a day hold what was known by that day.
    """

    def __init__(self, settings: Settings, through: date, cache: Cache) -> None:
        self._settings, self.cache = settings, cache
        self._columns: dict[tuple[str, str, str], pd.DataFrame] = {}
        self._said: dict[str, np.ndarray] = {}
        con, _ = open_labels(settings.model_copy(update={"as_of": through}))
        create_texts(con, max_chars=settings.features.text.max_chars)
        self._snapshots = con.sql(
            "select client_id, observed_on::timestamp as observed_on from snapshots "
            "order by observed_on, client_id"
        ).df()
        labels = con.sql("select * from labels order by target, observed_on, client_id").df()
        known = as_known(labels, by=through)
        self._labels = {name: known[known["target"] == name] for name in settings.targets}
        self._features = daily_features(settings, cache, con, self._snapshots)

    def predictions(self, as_of: date, following: date) -> pd.DataFrame:
        """What the run's release says of the clients observed from its date until the next run's.

        Returns
        -------
        DataFrame
            client_id, observed_on, target, and prediction (float64). Where a target has no model
            yet, the mean of the labels that there are is predicted.
        """
        self._columns.clear()
        rows = self._between(as_of, following)
        released = self._models(paths.PRODUCTION)
        served = {model.manifest.version for model in released.values()}
        self._said = {version: said for version, said in self._said.items() if version in served}
        parts = [
            rows[KEYS].assign(target=name, prediction=self._predict(released.get(name), name, rows))
            for name in self._settings.targets
        ]
        return pd.concat(parts, ignore_index=True)

    def hindsight(self, as_of: date, target: str, candidate: str) -> dict[str, Any] | None:
        """How a candidate would have done against the champion in the weeks after the run.

        Returns
        -------
        dict or None
            gain, its 95 % interval (clustered by client) and rows; None where there was no
            champion, or the history ends before an outcome was known.
        """
        champion = self._models(paths.CHAMPION).get(target)
        if champion is None:
            return None
        observed = self._between(as_of, as_of + timedelta(days=HINDSIGHT_DAYS))
        rows = observed.merge(self._labels[target][[*KEYS, "label"]], on=KEYS)
        if rows["label"].nunique() < 2:  # noqa: PLR2004 - nothing to tell two models apart by
            return None
        folder, threads = paths.CANDIDATES[candidate] / target, self._settings.compute.threads
        challenger = models.load_model(folder, threads=threads)
        found = gate.decide(
            champion.manifest.kind,
            rows["label"],
            self._predict(champion, target, rows),
            self._predict(challenger, target, rows),
            clients=rows["client_id"],
            alpha=LEVEL / 2,
            label_cap=champion.manifest.label_cap,
            label_mean=champion.manifest.label_mean,
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

    def _models(self, release: Path) -> dict[str, Model]:
        return load_release(release, threads=self._settings.compute.threads).models

    def _predict(self, model: Model | None, target: str, rows: pd.DataFrame) -> np.ndarray:
        if model is None:
            found = paths.FULL / target
            known = models.read_manifest(found).label_mean if found.is_dir() else np.nan
            return np.full(len(rows), known)
        # what a champion says of a day is asked for again at every look of four weeks
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
