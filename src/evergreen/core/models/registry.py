"""Estimators by name; a library is imported when the first estimator that needs it is built."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evergreen.core.models.base import Estimator
    from evergreen.settings.estimators import OneEstimatorSettings
    from evergreen.settings.names import Kind

_CLASSES = {
    "lightgbm": ("evergreen.core.models.lightgbm", "LightGBM"),
    "random_forest": ("evergreen.core.models.random_forest", "RandomForest"),
    "linear": ("evergreen.core.models.linear", "Linear"),
    "blend": ("evergreen.core.models.blend", "Blend"),
}
NAMES = tuple(_CLASSES)


def estimator_class(name: str) -> type[Estimator]:
    """The class of that name.

    Raises
    ------
    ValueError
        If there is none, with the names that there are.
    """
    if name not in _CLASSES:
        raise ValueError(f"there is no estimator {name!r}; available: {', '.join(NAMES)}")
    module, attribute = _CLASSES[name]
    found: type[Estimator] = getattr(import_module(module), attribute)
    return found


def build(
    name: str,
    kind: Kind,
    settings: OneEstimatorSettings | Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    threads: int = 1,
) -> Estimator:
    """Make an estimator that has learned nothing so far.

    Parameters
    ----------
    name
        One of `NAMES`.
    settings
        Its settings, as an instance or a mapping; those left out have their defaults.
    kind, seed, threads
        As for `Estimator`.

    Raises
    ------
    ValueError
        If the name or kind is unknown, or a setting is unknown or out of its range.
    """
    chosen = estimator_class(name)
    if kind not in ("binary", "regression"):
        raise ValueError(f"there is no kind {kind!r}; available: binary, regression")
    checked = chosen.settings_class.model_validate({} if settings is None else settings)
    return chosen(kind, checked, seed=seed, threads=threads)


def load(name: str, folder: Path, *, threads: int = 1) -> Estimator:
    """Read the estimator of that name from a folder; see `Estimator.load`."""
    return estimator_class(name).load(folder, threads=threads)
