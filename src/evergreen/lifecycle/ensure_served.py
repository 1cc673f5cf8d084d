"""Serve what is recorded: in a fresh clone, or after others' runs were taken over."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.history import rollback_records, run_records
from evergreen.lifecycle.publish import publish, published
from evergreen.settings import paths
from evergreen.vcs import dvc_fetch

if TYPE_CHECKING:
    from collections.abc import Iterator


def republish() -> Iterator[str]:
    """Publish the release that the history names, unless it is what is served.

    It comes out of DVC's cache or remote, for the working folder may hold an experiment.

    Yields
    ------
    str
        What is served now, if that was changed.

    Raises
    ------
    DataError
        If the release is not to be had, or damaged.
    ModelError
        If it does not predict what it predicted at training; what is served stays as it is.
    """
    last = run_records.last_committed()
    if last is None:
        return
    rolled_back = rollback_records.since(last.as_of)
    named = rolled_back[-1].release if rolled_back else last.release
    if named in (None, published()):
        return
    paths.LOCK.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.LOCK.parent) as scratch:
        folder = Path(scratch) / "release"
        dvc_fetch.fetch(*rollback_records.current_release(last.as_of), folder)
        publish(folder)
    yield f"{last.as_of}: release {named} is served from {paths.CURRENT}, as it is recorded"
