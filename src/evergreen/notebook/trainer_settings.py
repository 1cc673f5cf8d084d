"""What manual training takes from ``params.yaml``, with defaults for folders without it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from evergreen.core.evaluation.gate import Minimum
from evergreen.core.events.folds import held_out_clients
from evergreen.core.models import registry
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.settings.names import Kind

KINDS: Mapping[str, Kind] = {
    "binary": "binary",
    "classification": "binary",
    "classifier": "binary",
    "regression": "regression",
    "regressor": "regression",
}
DEFAULT: Mapping[Kind, str] = {"binary": "blend", "regression": "lightgbm"}
SHARE, SALT = 0.25, "evergreen"


class TrainerSettings:
    """Holdout, model types and gate of `ContinuousTrainer`."""

    def __init__(self) -> None:
        self._settings = load_settings() if paths.PARAMS.is_file() else None
        holdout = self._settings and self._settings.holdout
        self.share, self._salt = (holdout.share, holdout.salt) if holdout else (SHARE, SALT)

    def held_out(self, clients: Iterable[object]) -> np.ndarray:
        """Return which clients are held out, as bool (n,)."""
        return held_out_clients(clients, share=self.share, salt=self._salt)

    def unfitted(self, model_type: Any, seed: int) -> Any:  # noqa: ANN401 - scikit-learn has no types
        """Return an unfitted estimator of a type: a name, or an estimator.

        Raises
        ------
        ValueError
            If the name is unknown.
        """
        if not isinstance(model_type, str):
            return model_type
        targets = self._settings.targets if self._settings else {}
        if self._settings and model_type in targets:
            target = targets[model_type]
            options: Any = self._settings.estimators.of(target.estimator)
            return registry.build(target.estimator, target.kind, options, seed=seed)
        if model_type not in KINDS:
            raise ValueError(
                f"there is no model_type {model_type!r}; there are {', '.join([*targets, *KINDS])}"
            )
        kind = KINDS[model_type]
        return registry.build(DEFAULT[kind], kind, seed=seed)

    def gate(self, origin: str) -> dict[str, Any]:
        """Return the gate's level and minimum, as in a run; unknown origins count as updates."""
        if self._settings is None:
            return {"alpha": 0.05 if origin == "full" else 0.01}
        gate = self._settings.gate
        return {
            "alpha": gate.alpha_full if origin == "full" else gate.alpha_incremental,
            "minimum": Minimum.of(gate),
        }
