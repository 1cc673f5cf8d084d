"""Which parameters are not what they were at an earlier run."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import yaml

from evergreen.settings import paths
from evergreen.vcs.git import show

OF_THE_RUN = {"as_of", "mode", "full_retrain.as_of"}
"""What every run sets anew."""


def parameters_changed(commit: str) -> dict[str, tuple[Any, Any]]:
    """Parameters that differ from those of a commit: each with what it was and what it is.

    What neither names has its default on both sides, and is no change.
    """
    before = _values(show(commit, paths.PARAMS))
    after = _values(paths.PARAMS.read_text(encoding="utf-8"))
    keys = sorted((before.keys() | after.keys()) - OF_THE_RUN)
    return {
        key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)
    }


@lru_cache(maxsize=16)
def _values(text: str) -> dict[str, Any]:
    return _flat(yaml.safe_load(text))


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
