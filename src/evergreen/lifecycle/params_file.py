"""Change values of ``params.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import yaml

from evergreen.settings import paths
from evergreen.settings.editing import overlay
from evergreen.settings.loading import parse_settings
from evergreen.store import files


def write_run(*, as_of: date, full_as_of: date, mode: str) -> None:
    """Set the date and mode of the next run."""
    write({"as_of": str(as_of), "full_retrain": {"as_of": str(full_as_of)}, "mode": mode})


def write(values: Mapping[str, object]) -> None:
    """Set values in an overlay's form; comments and layout stay.

    Raises
    ------
    SettingsError
        If a key is missing, or the settings would not be valid; the file stays as it is then.
    """
    text = overlay(paths.PARAMS.read_text(encoding="utf-8"), values)
    parse_settings(yaml.safe_load(text))
    files.write_text(text, paths.PARAMS)
