"""Releases: one model for each target, and a manifest. The champion is an earlier release."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evergreen.errors import ModelError
from evergreen.settings.source_rules import SourceRules
from evergreen.store import files, models

if TYPE_CHECKING:
    from evergreen.store.models import Model


ENTRY = {"version", "promoted_on", "metrics"}
"""The fields of a release for each of its models, besides `OPTIONAL`."""

FORMERLY = "promise"
"""The former name of `expected_loss`. Versions are still derived from it, so they don't change."""

DIGEST = "manifest_sha256"
"""The SHA-256 of a model's manifest, which has those of its files; versions don't depend on it."""

OPTIONAL = {"expected_loss", FORMERLY, DIGEST}
"""The fields that models without an expected loss, or releases of earlier versions, lack."""


RULES = "source"
"""The field with what the rules of the source change, in releases whose source has some."""
NO_RULES = SourceRules()


@dataclass(frozen=True)
class Released:
    """A model in a release.

    Attributes
    ----------
    promoted_on
        The as_of of the run that promoted it.
    metrics
        Its metrics on the held-out rows of that run.
    expected_loss
        What its live loss is compared with: relative_loss, error, rows and clients on the held-out
        rows of the run that promoted it, or the full model that it updates; and since, the first
        day whose predictions count. None for older models.
    """

    model: Model
    promoted_on: str
    metrics: dict[str, float | None]
    expected_loss: dict[str, Any] | None = None


@dataclass(frozen=True)
class Release:
    """A release: its version, a verified model for each target, and the rules of the source."""

    version: str | None
    released: dict[str, Released]
    rules: SourceRules = field(default_factory=SourceRules)

    @property
    def models(self) -> dict[str, Model]:
        """The models by target."""
        return {target: released.model for target, released in self.released.items()}


def load_release(folder: Path, *, threads: int = 1) -> Release:
    """Open a release after checking every file of every model.

    Raises
    ------
    ModelError
        If a file is missing, altered or unexpected, or a model is not the one released.
    """
    restore = f"dvc checkout --force {folder}"
    manifest = files.read_json(folder / models.MANIFEST, next_step=f"evergreen pin, or {restore}")
    if not isinstance(manifest, dict) or manifest.keys() - {RULES} != {"models", "version"}:
        raise ModelError(f"{folder / models.MANIFEST} is not the manifest of a release", restore)
    entries = manifest["models"]
    rules = manifest.get(RULES, {})
    _check_entries(folder, entries, rules, manifest["version"])
    released = {}
    for target, entry in entries.items():
        model = models.load_model(folder / target, threads=threads)
        version = model.manifest.version
        if version != entry["version"]:
            raise ModelError(
                f"{folder / target} is {version}, but the release names {entry['version']}", restore
            )
        digest = files.sha256(folder / target / models.MANIFEST)
        if entry.get(DIGEST, digest) != digest:
            raise ModelError(f"{folder / target / models.MANIFEST} is altered", restore)
        released[target] = Released(
            model,
            entry["promoted_on"],
            entry["metrics"],
            entry.get("expected_loss", entry.get(FORMERLY)),
        )
    return Release(manifest["version"], released, SourceRules.from_json(rules))


def _check_entries(folder: Path, entries: Any, rules: Any, version: object) -> None:  # noqa: ANN401 - as wide as JSON
    """Compare the manifest of a release with its version and with the content of its folder."""
    path, restore = folder / models.MANIFEST, f"dvc checkout --force {folder}"
    if not isinstance(entries, dict) or any(
        not isinstance(entry, dict) or entry.keys() - OPTIONAL != ENTRY
        for entry in entries.values()
    ):
        raise ModelError(f"{path} is not the manifest of a release", restore)
    expected = _version_of(entries, rules)
    if version != expected:
        raise ModelError(
            f"{path} is altered: its content gives version {expected}, but it names {version}",
            restore,
        )
    names = {entry.name for entry in folder.iterdir()}
    for name in sorted(names ^ {models.MANIFEST, *entries}):
        state = "unexpected: the release does not name it" if name in names else "missing"
        raise ModelError(f"{folder / name} is {state}", restore)


def _version_of(entries: dict[str, Any], rules: dict[str, Any]) -> str | None:
    if not entries:
        return None
    newest = max(entry["promoted_on"] for entry in entries.values())
    content = {
        target: {
            FORMERLY if key == "expected_loss" else key: value
            for key, value in entry.items()
            if key != DIGEST
        }
        for target, entry in entries.items()
    }
    digest = files.digest_of([content, rules] if rules else content)
    return f"{newest}-{digest[:8]}"


def write_release(
    folder: Path, released: dict[str, Released], rules: SourceRules = NO_RULES
) -> str | None:
    """Assemble a release from the folders of its models; return its version.

    The version depends only on the models and the rules, so a run that promotes nothing writes the
    same release as its champion.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    entries = {
        target: {
            "version": entry.model.manifest.version,
            "promoted_on": entry.promoted_on,
            "metrics": entry.metrics,
            DIGEST: files.sha256(entry.model.folder / models.MANIFEST),
            **({"expected_loss": entry.expected_loss} if entry.expected_loss else {}),
        }
        for target, entry in sorted(released.items())
    }
    listed = rules.as_json() if entries else {}
    version = _version_of(entries, listed)
    for target, entry in released.items():
        shutil.copytree(entry.model.folder, folder / target)
    manifest = {"models": entries, "version": version, **({RULES: listed} if listed else {})}
    files.write_json(manifest, folder / models.MANIFEST)
    return version


def manifest_digest(folder: Path) -> str:
    """The SHA-256 of a release's manifest, and through it of every file of the release."""
    return files.sha256(folder / models.MANIFEST)


def write_empty_release(folder: Path) -> None:
    """Write a release without models and version, for a repository without a champion."""
    write_release(folder, {})
