"""A feature extractor with all models that use its columns: features are computed once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import duckdb
import numpy as np

from evergreen.core.events.label_selection import KEYS
from evergreen.core.events.ledger import create_texts
from evergreen.core.models.validation import (
    FeatureMismatchError,
    infinite_columns,
    read_matrix,
)
from evergreen.settings.names import TextForm

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.core.features.extractor import Extractor
    from evergreen.store.models import Model


class CreateTexts(Protocol):
    """A function with the interface of `evergreen.core.events.ledger.create_texts`."""

    def __call__(self, con: duckdb.DuckDBPyConnection, *, max_chars: int) -> None:
        """Create ``text_ledger`` in a database of events."""


class ExtractorGroup(NamedTuple):
    """A feature extractor, and the models of a release that were trained with it, by target."""

    extractor: Extractor
    forms: frozenset[TextForm]
    models: dict[str, Model]

    def columns_of(self, target: str) -> list[str]:
        """The columns of a target's model, in the model's order."""
        return list(self.models[target].estimator.columns)

    def needed(self, targets: Collection[str]) -> list[str]:
        """The columns that the targets' models use, each once."""
        return list(dict.fromkeys(name for target in targets for name in self.columns_of(target)))

    def features(
        self,
        con: duckdb.DuckDBPyConnection,
        snapshots: pd.DataFrame,
        texts: CreateTexts = create_texts,
    ) -> pd.DataFrame:
        """All columns of some snapshots; see `evergreen.serving.release.ServedRelease.score`."""
        if self.extractor.text is not None:
            texts(con, max_chars=self.extractor.max_chars)
        return self.extractor.transform(con, snapshots, text=self.forms)

    def predict(self, features: pd.DataFrame, targets: Collection[str]) -> dict[str, np.ndarray]:
        """Predict some targets from exactly the columns that their models use: (n,) each."""
        columns = self.needed(targets)
        matrix = read_matrix(features, columns, model=_model_name(targets), beside=KEYS)
        return self._predict_each(columns, matrix, targets)

    def predict_array(
        self, names: Sequence[str], matrix: np.ndarray, targets: Collection[str]
    ) -> dict[str, np.ndarray]:
        """As `predict`, from an array (n, k) whose columns have names."""
        columns = self.needed(targets)
        if len(names) != len(columns) or set(names) != set(columns):
            raise FeatureMismatchError(_model_name(targets), columns, names)
        if infinite_columns(matrix).any():
            raise ValueError("features must be finite or missing, found infinity")
        return self._predict_each(names, matrix, targets)

    def _predict_each(
        self, names: Sequence[str], matrix: np.ndarray, targets: Collection[str]
    ) -> dict[str, np.ndarray]:
        matrix = matrix.astype(np.float32, copy=False)  # as the extractor makes them
        places = {name: place for place, name in enumerate(names)}
        return {
            target: self._predict_one(
                target, matrix[:, [places[c] for c in self.columns_of(target)]]
            )
            for target in targets
        }

    def _predict_one(self, target: str, matrix: np.ndarray) -> np.ndarray:
        model = self.models[target]
        return model.sound(model.estimator.predict_matrix(matrix))


def _model_name(targets: Collection[str]) -> str:
    return f"the model of {' and '.join(targets)}"


def group_by_extractor(models: dict[str, Model]) -> list[ExtractorGroup]:
    """Read models and feature extractors into memory, and group the models by extractor."""
    groups: dict[str, dict[str, Model]] = {}
    for target, model in models.items():
        model.estimator  # noqa: B018 - reads it now
        groups.setdefault(model.manifest.extractor, {})[target] = model
    return [
        ExtractorGroup(
            next(iter(group.values())).extractor,
            frozenset(model.manifest.text_form for model in group.values()),
            group,
        )
        for group in groups.values()
    ]
