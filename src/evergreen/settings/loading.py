"""Read ``params.yaml``, and explain what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from evergreen.errors import SettingsError
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.settings.removed import MOVED, REMOVED_ESTIMATORS, without_removed
from evergreen.settings.sources import ONE_TABLE, TABLES

CONFLICT = b"\n<<<<<<< "
"""What git writes before each conflict."""


def load_settings(path: Path = paths.PARAMS) -> Settings:
    """Read and check the settings.

    Raises
    ------
    SettingsError
        If the file is missing or invalid; names each offending key, its value and what is allowed.
    """
    return parse_settings(read_values(path), source=str(path))


def parse_settings(values: object, *, source: str = "params.yaml") -> Settings:
    """Check settings that were read before; see `load_settings`. Removed ones are ignored."""
    return _validated(
        without_removed(values, []),
        f"{source} is not valid",
        f"edit {source}; `git diff {source}` shows what has changed",
    )


def with_simulation(settings: Settings, chosen: Mapping[str, object]) -> Settings:
    """Replace some values of ``source.simulation``.

    Raises
    ------
    SettingsError
        With each value that is not allowed.
    """
    values = settings.model_dump()
    values["source"]["simulation"] = settings.source.simulation.model_dump() | dict(chosen)
    return _validated(values, "this can't be simulated", "evergreen simulate --help")


def _validated(values: object, complaint: str, next_step: str) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = [_explain(item) for item in error.errors(include_url=False)]
        raise SettingsError(f"{complaint}:\n  " + "\n  ".join(lines), next_step) from None


def read_values(path: Path = paths.PARAMS) -> Any:  # noqa: ANN401 - as wide as YAML
    """Read the settings as they are written.

    Raises
    ------
    SettingsError
        If the file is missing or not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"{path} does not exist in the current folder",
            "change to the root of the repository",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        if CONFLICT in path.read_bytes():
            raise SettingsError(
                f"{path} has conflicts of git that were not resolved", "evergreen check"
            ) from None
        raise SettingsError(f"{path} is not readable as YAML: {error}", f"edit {path}") from None


def _explain(item: Any) -> str:  # noqa: ANN401 - pydantic's own error record
    location = [part for part in item["loc"] if part not in (ONE_TABLE, TABLES)]
    key, value = ".".join(map(str, location)), repr(item["input"])
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return f"{key}: {_unknown(location)}"
    if item["type"] == "missing":
        return f"{key}: missing"
    if item["type"] == "literal_error" and item["input"] in REMOVED_ESTIMATORS:
        return f"{key}: {value} was removed; use {REMOVED_ESTIMATORS[item['input']]}"
    if not key:
        return message if item["type"] == "value_error" else f"(as a whole): {message}"
    if item["type"] == "value_error":
        return f"{key}: {message}" if value in message else f"{key}: found {value}; {message}"
    return f"{key}: found {value}; {message[0].lower()}{message[1:]}"


def _unknown(location: list[str | int]) -> str:
    """Where an unknown key has moved, or else the valid key most like it, or all valid keys."""
    moved = MOVED.get(".".join(part for part in location if isinstance(part, str)))
    if moved:
        return f"moved to {moved}, as it holds for all tables"
    model: Any = Settings
    for part in location[:-1]:
        field = model.model_fields.get(part)
        model = (_section_of(field.annotation) if field else None) or model
    known = list(model.model_fields)
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return "unknown key" + (
        f", did you mean {near[0]!r}?" if near else f"; valid keys: {', '.join(known)}"
    )


def _section_of(annotation: Any) -> Any:  # noqa: ANN401 - of any field
    """The section that a field holds, alone or among alternatives."""
    if hasattr(annotation, "model_fields"):
        return annotation
    return next(filter(None, map(_section_of, get_args(annotation))), None)
