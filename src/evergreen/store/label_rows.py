"""The labels that a run trains on, updates with, and compares models on, read from their files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.core.events import label_selection
from evergreen.core.events.label_selection import Draw, Window
from evergreen.core.events.snapshots import held_out
from evergreen.store import tables
from evergreen.store.labels import labels_written, reading_labels, view_labels

if TYPE_CHECKING:
    from evergreen.settings.pipeline import FullRetrain, Gate, Incremental, Settings
    from evergreen.store.models import Model


class LabelSelection:
    """Selects labels of ``data/labels``: only the files of the days that matter are read."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._con = tables.connect(settings.compute.threads)
        self._files = labels_written(settings)
        self._held_out = held_out(settings.holdout.share, settings.holdout.salt)

    @reading_labels()
    def to_train(self) -> tuple[pd.DataFrame, dict[str, int]]:
        """The labels of a full retrain; see `evergreen.core.events.label_selection.to_train`."""
        by, days = self.settings.full_retrain.as_of, self.settings.full_retrain.max_age_days
        view_labels(self._con, self._files, after=by - timedelta(days=days), through=by)
        return label_selection.to_train(
            self._con,
            by=by,
            max_age_days=days,
            held_out=self._held_out,
            draw=self._draw(self.settings.full_retrain),
        )

    @reading_labels()
    def to_update(self, bases: Mapping[str, Model]) -> pd.DataFrame:
        """The labels that are new to the bases of this run's updates, and older ones."""
        parts = [
            self._to_update(name, after=date.fromisoformat(base.manifest.trained_through))
            for name, base in bases.items()
            if name in self.settings.targets
        ]
        nothing = self._to_update("", after=self.settings.as_of)
        return pd.concat(parts or [nothing], ignore_index=True)

    def _to_update(self, target: str, *, after: date) -> pd.DataFrame:
        options = self.settings.incremental
        oldest = after - timedelta(days=options.replay_days)
        view_labels(self._con, self._files, after=oldest, through=self.settings.as_of)
        return label_selection.to_update(
            self._con,
            target,
            after=after,
            replay_share=options.replay_share,
            replay_days=options.replay_days,
            held_out=self._held_out,
            draw=self._draw(options),
        )

    @reading_labels()
    def to_judge(self) -> pd.DataFrame:
        """The labels of held-out clients on which models are compared."""
        by, window = self.settings.as_of, Window.of(self.settings.gate)
        oldest = by - timedelta(days=window.max_days)
        view_labels(self._con, self._files, after=oldest, through=by)
        return label_selection.to_judge(
            self._con,
            list(self.settings.targets),
            by=by,
            window=window,
            held_out=self._held_out,
            draw=self._draw(self.settings.gate),
        )

    def _draw(self, section: FullRetrain | Incremental | Gate) -> Draw:
        return Draw(section.max_rows, self.settings.seed)
