"""Serve what is recorded: in a fresh clone, or after pulling others' runs."""

from __future__ import annotations

from collections.abc import Iterator

from evergreen.history import rollback_records, run_records
from evergreen.lifecycle.fetch_release import fetched_release
from evergreen.lifecycle.publish import is_sound, publish, published
from evergreen.settings import paths


def recorded_release() -> str | None:
    """The release that is to be served: of the last committed run, or of a rollback since."""
    last = run_records.last_committed()
    if last is None:
        return None
    rollbacks = rollback_records.since(last.as_of)
    return rollbacks[-1].release if rollbacks else last.release


def ensure_served() -> Iterator[str]:
    """Publish the recorded release unless it is served already, and undamaged.

    It comes from DVC's cache or remote, as the working folder may hold an experiment.

    Yields
    ------
    str
        A line if the served release has changed.

    Raises
    ------
    DataError
        If the release is not available, or damaged.
    ModelError
        If its predictions differ from those at training; what is served stays as it is.
    """
    last, recorded = run_records.last_committed(), recorded_release()
    if last is None:
        return
    if recorded is None or (recorded == published() and is_sound(paths.RELEASES / recorded)):
        return
    with fetched_release(*rollback_records.current_release(last.as_of)) as folder:
        publish(folder)
    yield f"{last.as_of}: release {recorded} is served from {paths.CURRENT}, as recorded"
