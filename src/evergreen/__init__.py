"""Evergreen: reproducible continuous training for a retailer's client models."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evergreen.notebook.continuous_trainer import ContinuousTrainer
    from evergreen.serving.release import load_release

    __version__: str

__all__ = ["ContinuousTrainer", "__version__", "load_release"]

# Let waiting OpenMP threads sleep; this works only before an OpenMP library is loaded. Where they
# spin, a fit of one second takes a minute on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

_HOME = {
    "ContinuousTrainer": "evergreen.notebook.continuous_trainer",
    "load_release": "evergreen.serving.release",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: stages and commands need none of them."""
    if name == "__version__":
        return _version()
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def _version() -> str:
    """The version that is installed, or that of the checkout whose ``src`` is on the path."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("evergreen")
    except PackageNotFoundError:
        import tomllib  # noqa: PLC0415
        from pathlib import Path  # noqa: PLC0415

        project = Path(__file__).parents[2] / "pyproject.toml"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
