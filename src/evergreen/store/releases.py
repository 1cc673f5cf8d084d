"""Releases: for each target one model, and a manifest. The champion is a release of a past run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evergreen.errors import ModelError
from evergreen.store import files, models

if TYPE_CHECKING:
    from pathlib import Path

    from evergreen.store.models import Model


ENTRY = {"version", "promoted_on", "metrics"}
"""What a release says of each of its models; and `expected_loss`, where there is one."""

FORMERLY = "promise"
"""What `expected_loss` was called. Versions still follow from that name, so that they stay."""


@dataclass(frozen=True)
class Released:
    """A model in a release.

    Attributes
    ----------
    promoted_on
        The as_of of the run that promoted it.
    metrics
        Its figures on the held-out rows of that run.
    expected_loss
        What its live predictions are compared with: relative_loss, error, rows and clients on the
        held-out rows of the run that promoted it, or the model fitted in full that it is an update
        of; and since, the first day whose predictions count. None where this was not kept.
    """

    model: Model
    promoted_on: str
    metrics: dict[str, float | None]
    expected_loss: dict[str, Any] | None = None


@dataclass(frozen=True)
class Release:
    """What is, was or will be served: its version, and a verified model for each target."""

    version: str | None
    released: dict[str, Released]

    @property
    def models(self) -> dict[str, Model]:
        """The models by target."""
        return {target: released.model for target, released in self.released.items()}


def load_release(folder: Path, *, threads: int = 1) -> Release:
    """Open a release after checking every file of every model.

    Raises
    ------
    ModelError
        If a file is missing, altered or foreign, or a model is not the one that was released.
    """
    restore = f"dvc checkout --force {folder}"
    manifest = files.read_json(folder / models.MANIFEST, next_step=f"evergreen pin, or {restore}")
    if not isinstance(manifest, dict) or manifest.keys() != {"models", "version"}:
        raise ModelError(f"{folder / models.MANIFEST} is not the manifest of a release", restore)
    entries = manifest["models"]
    _check_entries(folder, entries, manifest["version"], restore)
    released = {}
    for target, entry in entries.items():
        model = models.load_model(folder / target, threads=threads)
        found = model.manifest.version
        if found != entry["version"]:
            raise ModelError(
                f"{folder / target} is {found}, the release names {entry['version']}", restore
            )
        released[target] = Released(
            model,
            entry["promoted_on"],
            entry["metrics"],
            entry.get("expected_loss", entry.get(FORMERLY)),
        )
    return Release(manifest["version"], released)


def _check_entries(folder: Path, entries: Any, version: object, restore: str) -> None:  # noqa: ANN401 - as wide as JSON
    """Compare what a release says of itself with its version, and with what lies in its folder."""
    path = folder / models.MANIFEST
    if not isinstance(entries, dict) or any(
        not isinstance(entry, dict) or entry.keys() - {"expected_loss", FORMERLY} != ENTRY
        for entry in entries.values()
    ):
        raise ModelError(f"{path} is not the manifest of a release", restore)
    expected = _version_of(entries)
    if version != expected:
        raise ModelError(
            f"{path} is altered: its content makes it {expected}, it says {version}", restore
        )
    found = {entry.name for entry in folder.iterdir()}
    for name in sorted(found ^ {models.MANIFEST, *entries}):
        state = "foreign: the release does not name it" if name in found else "missing"
        raise ModelError(f"{folder / name} is {state}", restore)


def _version_of(entries: dict[str, Any]) -> str | None:
    if not entries:
        return None
    newest = max(entry["promoted_on"] for entry in entries.values())
    content = {
        target: {FORMERLY if key == "expected_loss" else key: value for key, value in entry.items()}
        for target, entry in entries.items()
    }
    return f"{newest}-{files.digest_of(content)[:8]}"


def write_release(folder: Path, released: dict[str, Released]) -> str | None:
    """Assemble a release from models that stand elsewhere; return its version.

    The version follows from the models alone, so a run that promotes nothing writes the very
    release that its champion was.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    entries = {
        target: {
            "version": one.model.manifest.version,
            "promoted_on": one.promoted_on,
            "metrics": one.metrics,
            **({"expected_loss": one.expected_loss} if one.expected_loss else {}),
        }
        for target, one in sorted(released.items())
    }
    version = _version_of(entries)
    for target, one in released.items():
        shutil.copytree(one.model.folder, folder / target)
    files.write_json({"models": entries, "version": version}, folder / models.MANIFEST)
    return version


def write_empty_release(folder: Path) -> None:
    """Write the release that names no model and no version: there is no champion yet."""
    write_release(folder, {})
