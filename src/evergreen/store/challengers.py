"""Updates that were not promoted and go on learning: what the next update starts from.

A champion may stay for months. If each day's update began with the champion, it would learn again
all that has become known since, and a day would cost more from day to day; as it is, it learns the
labels of one day.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from evergreen.settings import paths
from evergreen.store import files, models

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evergreen.store.models import Model


def bases(champions: Mapping[str, Model], *folders: Path, max_updates: int) -> dict[str, Model]:
    """The model of each target that an update starts from.

    Parameters
    ----------
    champions
        The models in production.
    folders
        Where updates of theirs may stand, ``models/challenger`` for a run; the first that has one
        counts. It is passed over where it was to replace another champion than the present one.
    max_updates
        A line of so many updates is given up, and begins again with the champion.
    """
    found = {}
    for name, champion in champions.items():
        update = _update_of(champion, name, folders)
        go_on = update is not None and update.manifest.updates < max_updates
        found[name] = update if update is not None and go_on else champion
    return found


def following(champions: Mapping[str, Model], *, max_updates: int) -> dict[str, Model]:
    """The bases of the run after the one that the working folder holds, as `inherit` lays them."""
    return bases(champions, paths.INCREMENTAL, paths.CHALLENGER, max_updates=max_updates)


def inherit(champions: Mapping[str, Model], *folders: Path, into: Path) -> None:
    """Lay the updates that go on learning in the run after one: those whose champions stay.

    Parameters
    ----------
    champions
        Those of the next run.
    folders
        What the last run updated, and what it went on from: where it made no update of a target,
        for want of labels, the one before keeps its place.
    into
        May be one of `folders`; done twice it changes nothing the second time.
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


def _update_of(champion: Model, name: str, folders: tuple[Path, ...]) -> Model | None:
    for folder in folders:
        if (folder / name).is_dir():
            model = models.load_model(folder / name)
            if model.manifest.champion == champion.manifest.version:
                return model
    return None
