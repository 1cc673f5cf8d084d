"""Publish a release: verify it in a clean process, then swap it in by one rename."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from subprocess import PIPE

from evergreen.errors import ModelError
from evergreen.settings import paths
from evergreen.store import files, models
from evergreen.store.releases import load_release


def publish(folder: Path) -> str | None:
    """Copy a release to ``releases/<version>`` and point ``releases/current`` to it.

    Readers find a complete, verified release at all times: the copy gets its name only once it is
    complete and verified, and the link is replaced by one rename. A release that was published
    before is used again.

    Returns
    -------
    str or None
        The version; None if there is no model to publish.

    Raises
    ------
    ModelError
        If the copy does not load, or its predictions differ from those at training; what is served
        stays as it is.
    """
    version = load_release(folder).version
    if version is None:
        return None
    final = paths.RELEASES / version
    if not is_sound(final):
        with files.replacing(final) as unfinished:
            shutil.copytree(folder, unfinished)
            verify_in_clean_process(unfinished)
    with files.replacing(paths.CURRENT) as link:
        link.symlink_to(version)
    return version


def is_sound(folder: Path) -> bool:
    """Whether a release loads: each file is as its manifest says."""
    try:
        load_release(folder)
    except ModelError:
        return False
    return True


def published() -> str | None:
    """The version that is served; None if none is."""
    return os.readlink(paths.CURRENT) if paths.CURRENT.is_symlink() else None  # noqa: PTH115


def served_models() -> dict[str, models.Model]:
    """The models in production, by target; none before the first release."""
    return load_release(paths.CURRENT).models if published() else {}


def in_production(target: str) -> tuple[str, Path]:
    """The version of a target's model that is served, and its folder.

    Raises
    ------
    ModelError
        If none is served.
    """
    served = served_models()
    if not served:
        raise ModelError(f"nothing is served from {paths.CURRENT} yet", "evergreen finish")
    if target not in served:
        raise ModelError(
            f"no model of {target!r} is served, only of {', '.join(served)}", "evergreen versions"
        )
    return served[target].manifest.version, paths.CURRENT / target


def verify_in_clean_process(folder: Path) -> None:
    """Load a release and predict its golden rows in a new process, as a server would.

    Raises
    ------
    ModelError
        With the error of that process.
    """
    from evergreen.vcs.processes import started  # noqa: PLC0415 - `champion` runs without psutil

    command = [sys.executable, "-m", "evergreen.lifecycle.verify", str(folder)]
    with started(command, stdout=PIPE, stderr=PIPE) as process:
        _, stderr = process.communicate()
    if process.returncode:
        raise ModelError(
            f"{folder} was not published: {stderr.strip().splitlines()[-1:]}",
            "the current release stays in production; dvc repro --force promote",
        )
