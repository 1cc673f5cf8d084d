"""Updates that were not promoted and continue learning: the bases of the next updates.

A champion may stay for months. If each update started from the champion, it would learn all labels
since then again, at a growing cost. As it is, an update learns the labels of one day.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from evergreen.settings import paths
from evergreen.store import files, models


def bases(
    champions: Mapping[str, models.Model], *folders: Path, max_updates: int
) -> dict[str, models.Model]:
    """Return the model of each target that an update starts from.

    Parameters
    ----------
    champions
        The models in production.
    folders
        Where their updates may be, ``models/challenger`` for a run; the first that exists counts.
        Updates of another champion than the current one are ignored.
    max_updates
        After this many updates in a row, the next update starts from the champion again.
    """
    starts = {}
    for name, champion in champions.items():
        update = _update_of(champion, name, folders)
        go_on = update is not None and update.manifest.updates < max_updates
        starts[name] = update if update is not None and go_on else champion
    return starts


def following(
    champions: Mapping[str, models.Model], *, max_updates: int
) -> dict[str, models.Model]:
    """Return the bases of the run after the one in the working folder; see `inherit`."""
    return bases(champions, paths.INCREMENTAL, paths.CHALLENGER, max_updates=max_updates)


def inherit(champions: Mapping[str, models.Model], *folders: Path, into: Path) -> None:
    """Write the updates that continue learning in the next run: those whose champions stay.

    Parameters
    ----------
    champions
        Those of the next run.
    folders
        The updates of the last run and the ones before: if the last run made no update of a
        target, for lack of labels, the one before is kept.
    into
        May be one of `folders`. A second call changes nothing.
    """
    updates = {name: _update_of(champion, name, folders) for name, champion in champions.items()}
    with files.replacing(into) as unfinished:
        unfinished.mkdir()
        versions = {}
        for name, update in updates.items():
            if update is not None:
                shutil.copytree(update.folder, unfinished / name)
                versions[name] = update.manifest.version
        files.write_json({"models": versions}, unfinished / models.MANIFEST)


def _update_of(champion: models.Model, name: str, folders: tuple[Path, ...]) -> models.Model | None:
    for folder in folders:
        if (folder / name).is_dir():
            model = models.load_model(folder / name)
            if model.manifest.champion == champion.manifest.version:
                return model
    return None
