"""Change values in the text of ``params.yaml`` and leave every other byte as it is."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

import yaml

from evergreen.errors import SettingsError
from evergreen.settings import paths

AS_A_WHOLE = {"source", "hold"}
"""Sections whose keys exclude each other, or are free to choose."""


def overlay(text: str, values: Mapping[str, Any]) -> str:
    """Set the values of an overlay, such as those of ``configs/cdnow.yaml``.

    Sections are merged; `source` and `hold` are replaced as a whole where their keys differ.
    """
    return edit(text, dict(_merge(yaml.safe_load(text), values)))


def _merge(
    base: Mapping[str, Any], values: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        key = f"{prefix}{name}"
        old: Any = base.get(name)
        both = isinstance(value, Mapping) and value and isinstance(old, Mapping)
        if not both or (key in AS_A_WHOLE and old.keys() != value.keys()):
            yield key, value
        else:
            yield from _merge(old, value, f"{key}.")


def edit(text: str, changes: Mapping[str, object]) -> str:
    """Set values by their dotted keys; comments and layout stay.

    Raises
    ------
    SettingsError
        If a key is missing.
    """
    return reduce(lambda edited, change: _set(edited, *change), changes.items(), text)


def _set(text: str, key: str, value: object) -> str:
    name, old = _find(text, key)
    if yaml.safe_load(text[name.start_mark.index : _end(old)])[name.value] == value:
        return text
    start = text.index(":", name.end_mark.index) + 1
    return text[:start] + _written(value, old) + text[_end(old) :]


def _find(text: str, key: str) -> tuple[yaml.ScalarNode, yaml.Node]:
    """The nodes of a key and of its value."""
    name, node = None, yaml.compose(text)
    for part in key.split("."):
        entries = node.value if isinstance(node, yaml.MappingNode) else []
        name, node = next((entry for entry in entries if entry[0].value == part), (None, None))
    if name is None or node is None:
        raise SettingsError(f"{paths.PARAMS} has no {key}", f"git diff {paths.PARAMS}")
    return name, node


def _end(node: yaml.Node) -> int:
    """Where a node ends; what YAML counts as a block's end is after the comments below it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[-1] if isinstance(last, tuple) else last)
    index: int = node.end_mark.index
    return index


def _written(value: object, old: yaml.Node) -> str:
    if value and isinstance(value, Mapping) and not getattr(old, "flow_style", True):
        block = yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip()
        return "\n" + textwrap.indent(block, "  ")
    word = isinstance(value, str) and re.fullmatch(r"\w[\w-]*", value)
    if word and yaml.safe_load(word[0]) == value:
        return f" {value}"
    return f" {json.dumps(value, ensure_ascii=False, default=str)}"
