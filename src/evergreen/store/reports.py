"""Reports of a run that other code reads, as they are written now and as they were before."""

from __future__ import annotations

from typing import Any

from evergreen.settings import paths
from evergreen.store import files

RENAMED = {"alarms": "alerts", "words": "message", "what": "kind"}
"""Keys of ``reports/drift.json`` under their old names."""


def read_drift(*, next_step: str) -> dict[str, Any]:
    """Read ``reports/drift.json``: for each target alerts, other checks, and numbers.

    Raises
    ------
    ModelError
        As for `evergreen.store.files.read_json`.
    """
    return as_named_now(files.read_json(paths.DRIFT_REPORT, next_step=next_step))


def as_named_now(report: dict[str, Any]) -> dict[str, Any]:
    """The content of ``reports/drift.json``, with keys of earlier versions renamed."""
    return {name: _renamed(target) for name, target in report.items()}


def _renamed(target: dict[str, Any]) -> dict[str, Any]:
    content = {RENAMED.get(key, key): value for key, value in target.items()}
    return content | {
        part: [{RENAMED.get(key, key): value for key, value in item.items()} for item in items]
        for part, items in content.items()
        if part != "numbers"
    }
