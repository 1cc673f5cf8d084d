"""Settings that earlier versions had: ignored with a hint, so that their files still load."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from evergreen.settings import paths

REMOVED = {
    "estimators.hist_gradient_boosting": "this estimator was removed, and its settings are ignored",
}
REMOVED_ESTIMATORS = {"hist_gradient_boosting": "lightgbm"}
"""Each with the one to use instead."""
MOVED = {
    "source.transactions.fold_case": "source.fold_case",
    "source.transactions.missing_ids": "source.missing_ids",
}
"""Settings that are refused at their old place, each with the new one."""


def hints(path: Path = paths.PARAMS) -> list[str]:
    """Name the removed settings that a file still has, a sentence each; none if it is invalid."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if not any(key.rpartition(".")[2] in text for key in REMOVED):
        return []
    import yaml  # noqa: PLC0415 - few files get here

    removed: list[str] = []
    with suppress(yaml.YAMLError):
        without_removed(yaml.safe_load(text), removed)
    return [f"{path}: {key}: {REMOVED[key]}" for key in removed]


def without_removed(values: Any, removed: list[str], prefix: str = "") -> Any:  # noqa: ANN401
    """Leave out removed settings of values as read from YAML, and add their keys to a list."""
    if not isinstance(values, Mapping):
        return values
    removed += [f"{prefix}{name}" for name in values if f"{prefix}{name}" in REMOVED]
    return {
        name: without_removed(value, removed, f"{prefix}{name}.")
        for name, value in values.items()
        if f"{prefix}{name}" not in REMOVED
    }
