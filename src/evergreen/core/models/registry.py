"""Estimators by name; a library is imported when an estimator first needs it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from evergreen.settings.estimators import OneEstimatorSettings
from evergreen.settings.names import Kind

if TYPE_CHECKING:
    from evergreen.core.models.base import Estimator

_CLASSES = {
    "lightgbm": ("evergreen.core.models.lightgbm", "LightGBM"),
    "random_forest": ("evergreen.core.models.random_forest", "RandomForest"),
    "linear": ("evergreen.core.models.linear", "Linear"),
    "blend": ("evergreen.core.models.blend", "Blend"),
}
NAMES = tuple(_CLASSES)


def estimator_class(name: str) -> type[Estimator]:
    """Return the class of an estimator.

    Raises
    ------
    ValueError
        If there is none of that name.
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
    """Create an estimator that has not learned anything yet.

    Parameters
    ----------
    name
        One of `NAMES`.
    settings
        Its settings, as an instance or a mapping; missing ones have their defaults.
    kind, seed, threads
        As for `Estimator`.

    Raises
    ------
    ValueError
        If the name, the kind or a setting is unknown, or a setting is out of range.
    """
    chosen = estimator_class(name)
    if kind not in ("binary", "regression"):
        raise ValueError(f"there is no kind {kind!r}; available: binary, regression")
    checked = chosen.settings_class.model_validate({} if settings is None else settings)
    return chosen(kind, checked, seed=seed, threads=threads)


def from_files(name: str, files: Mapping[str, bytes], *, threads: int = 1) -> Estimator:
    """Restore the estimator of that name; see `Estimator.from_files`."""
    return estimator_class(name).from_files(files, threads=threads)
