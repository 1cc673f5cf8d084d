"""Which parameters have changed since an earlier run."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import yaml

from evergreen.settings import paths
from evergreen.store.used_parameters import flat
from evergreen.vcs.git import show

OF_THE_RUN = {"as_of", "mode", "full_retrain.as_of"}
"""Parameters that every run sets."""


def parameters_changed(commit: str) -> dict[str, tuple[Any, Any]]:
    """Parameters that differ from those of a commit: each with its old and its new value.

    A parameter that neither file names has its default in both.
    """
    before = _values(show(commit, paths.PARAMS))
    after = _values(paths.PARAMS.read_text(encoding="utf-8"))
    keys = sorted((before.keys() | after.keys()) - OF_THE_RUN)
    return {
        key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)
    }


@lru_cache(maxsize=16)
def _values(text: str) -> dict[str, Any]:
    return flat(yaml.safe_load(text))
