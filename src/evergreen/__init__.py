"""Evergreen: reproducible continuous training for a retailer's client models."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evergreen.notebook.continuous_trainer import ContinuousTrainer
    from evergreen.serving.release import load_release

__all__ = ["ContinuousTrainer", "load_release"]

# Before any OpenMP library is loaded: waiting threads are to sleep. Where they spin, a fit of one
# second takes a minute on a machine that is busy elsewhere.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

_HOME = {
    "ContinuousTrainer": "evergreen.notebook.continuous_trainer",
    "load_release": "evergreen.serving.release",
}


def __getattr__(name: str) -> object:
    """Import what is public when it is first used: stages and commands need none of it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
