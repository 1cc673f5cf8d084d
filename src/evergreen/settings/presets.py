"""Presets: the settings of tables that well-known systems export, one YAML file each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, WithJsonSchema

FOLDER = Path(__file__).with_name("presets")
ABOUT = "about"
"""The key of a preset that says which export it reads."""
ALSO = "also"
"""The key with the presets that read other rows of the same files, by the name of their table.

All other keys of a preset are settings of a table.
"""
MERGED = ("columns", "aliases", "where")
"""Settings with keys of their own: a table's keys are added to those of its preset."""
MEANING = {"name", "preset", "amount_per", "sign", "joined_sheets", *MERGED}
"""Settings that say what rows mean; the others, where they are and how cells are written."""


def preset_names() -> list[str]:
    """The names of all presets, in order."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def _read(name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return values


def about(name: str) -> str:
    """Which export of which system a preset reads."""
    return str(_read(name)[ABOUT])


def preset_settings(name: str) -> dict[str, Any]:
    """The settings of a table that a preset stands for."""
    return {key: value for key, value in _read(name).items() if key not in (ABOUT, ALSO)}


def preset_conditions(name: str | None) -> dict[str, str]:
    """The conditions of rows to keep that a preset adds to those of a table."""
    return dict(preset_settings(name).get("where", {})) if name else {}


def companions(name: str) -> dict[str, str]:
    """The presets that read other rows of the same files, by the name of their table."""
    return dict(_read(name).get(ALSO, {}))


def with_companions(tables: list[Any]) -> list[Any]:
    """Add the tables for the companions of presets, unless there is one of that name."""
    names = {table.get("name") for table in tables if isinstance(table, Mapping)}
    added = []
    for table in tables:
        preset = table.get("preset") if isinstance(table, Mapping) else None
        for name, companion in companions(preset).items() if preset in preset_names() else ():
            full = f"{table['name']}_{name}" if table.get("name") else name
            if full not in names:
                same = {key: value for key, value in table.items() if key not in MEANING}
                added.append(same | {"name": full, "preset": companion})
    return [*tables, *added]


def with_preset(table: Mapping[str, Any]) -> dict[str, Any]:
    """Complete the settings of a table with those of its preset; its own take precedence.

    `MERGED` settings are completed key by key, and a key that is null there is left out.
    """
    name = table.get("preset")
    if name not in preset_names():
        return dict(table)
    defaults = preset_settings(name)
    merged = defaults | dict(table)
    for key in MERGED:
        own, default = table.get(key), defaults.get(key)
        if isinstance(own, Mapping) and isinstance(default, Mapping):
            both = dict(default) | dict(own)
            merged[key] = {k: value for k, value in both.items() if value is not None}
    return merged


def _known(name: str) -> str:
    if name not in preset_names():
        raise ValueError(f"is not one of {', '.join(preset_names())}")
    return name


Preset = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": preset_names()})
]
