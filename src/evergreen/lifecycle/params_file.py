"""Change single values of ``params.yaml`` and leave every other byte as it is."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from evergreen.errors import SettingsError
from evergreen.settings import paths
from evergreen.settings.loading import load_settings

if TYPE_CHECKING:
    from datetime import date

TOP = r"""(?m)^as_of: *(?P<value>["']?[-0-9]+["']?)"""
FULL = (
    r"(?m)^full_retrain:(?:\n[ \t]+.*|\n[ \t]*#.*)*?\n[ \t]+as_of: *"
    r"""(?P<value>["']?[-0-9]+["']?)"""
)
MODE = r"(?m)^mode: *(?P<value>\w+)"
HOLD = r"(?m)^hold:(?P<value> *\{.*\}|(?:[ \t]*\n[ \t]+.*)+)"

LINES = {"as_of": TOP, "full_retrain.as_of": FULL, "mode": MODE, "hold": HOLD}


def write_run(*, as_of: date, full_as_of: date, mode: str) -> None:
    """Say what the next run is; comments and layout stay.

    Raises
    ------
    SettingsError
        If the file has not the lines to change.
    """
    _replace({"as_of": f'"{as_of}"', "full_retrain.as_of": f'"{full_as_of}"', "mode": mode})


def write_hold(hold: dict[str, str]) -> None:
    """Say which targets are held, and why."""
    _replace({"hold": " " + json.dumps(hold, ensure_ascii=False)})


def _replace(changes: dict[str, str]) -> None:
    text = paths.PARAMS.read_text(encoding="utf-8")
    for name, value in changes.items():
        pattern = LINES[name]
        found = list(re.finditer(pattern, text))
        if len(found) != 1:
            raise SettingsError(
                f"{paths.PARAMS} was expected to have one line of {name}, found {len(found)}",
                f"git diff {paths.PARAMS}",
            )
        start, end = found[0].span("value")
        text = text[:start] + value + text[end:]
    unfinished = paths.PARAMS.with_name(f".{paths.PARAMS.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    load_settings(unfinished)
    os.replace(unfinished, paths.PARAMS)  # noqa: PTH105 - the one call that swaps a file in place
