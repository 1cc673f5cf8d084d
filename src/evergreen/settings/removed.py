"""Settings that earlier versions had: ignored with a hint, so that their files still load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evergreen.settings import paths

if TYPE_CHECKING:
    from pathlib import Path

REMOVED = {
    "estimators.hist_gradient_boosting": "this estimator was removed, and its settings are ignored",
}
REMOVED_ESTIMATORS = {"hist_gradient_boosting": "lightgbm"}
"""Each with the one to use instead."""


def hints(path: Path = paths.PARAMS) -> list[str]:
    """Name the removed settings that a file still has, a sentence each; none if it is invalid."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if not any(key.rpartition(".")[2] in text for key in REMOVED):
        return []
    import yaml  # noqa: PLC0415 - few files get here

    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        return []
    return [f"{path}: {key}: {hint}" for key, hint in REMOVED.items() if _has(values, key)]


def without_removed(values: Any, prefix: str = "") -> Any:  # noqa: ANN401 - as YAML has it
    """Leave out removed settings."""
    if not isinstance(values, Mapping):
        return values
    return {
        name: without_removed(value, f"{prefix}{name}.")
        for name, value in values.items()
        if f"{prefix}{name}" not in REMOVED
    }


def _has(values: Any, key: str) -> bool:  # noqa: ANN401 - as YAML has it
    for name in key.split("."):
        if not isinstance(values, Mapping) or name not in values:
            return False
        values = values[name]
    return True
