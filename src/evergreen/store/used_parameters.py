"""The parameters that a stage has used: DVC reads those of `dvc.lock` only after it has ended."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from evergreen.errors import SettingsError
from evergreen.settings import paths
from evergreen.settings.loading import read_values
from evergreen.store import files

PIPELINE = Path("dvc.yaml")


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values in one mapping.

    >>> flat({"seed": 1, "gate": {"window_days": 14}})
    {'seed': 1, 'gate.window_days': 14}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def used_parameters(stage: str, values: dict[str, Any]) -> dict[str, Any]:
    """Choose the parameters that a stage declares in ``dvc.yaml``.

    Parameters
    ----------
    stage
        Its name.
    values
        The content of ``params.yaml``.

    Returns
    -------
    dict
        Values of JSON by their full keys; a key that the file lacks is left out.
    """
    keys = _pipeline()[stage].get("params", [])
    chosen = {key: reduce(_inside, key.split("."), values) for key in keys}
    present = {key: value for key, value in chosen.items() if value is not None}
    made: dict[str, Any] = json.loads(json.dumps(flat(present), default=str))
    return made


def _pipeline() -> dict[str, Any]:
    stages: dict[str, Any] = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))["stages"]
    return stages


def _inside(values: Any, key: str) -> Any:  # noqa: ANN401 - as wide as YAML
    return values.get(key) if isinstance(values, dict) else None


def write_used(stage: str, used: dict[str, Any]) -> None:
    """Write the parameters with which a stage began.

    Raises
    ------
    SettingsError
        If ``params.yaml`` has others by now.
    """
    if changed := _changed(used, used_parameters(stage, read_values())):
        raise SettingsError(
            f"{paths.PARAMS} was edited while {stage} was at work: {changed}",
            "dvc repro, which starts again with the new values",
        )
    files.write_json(used, _path(stage))


def check_used() -> None:
    """Refuse stages that used other parameters than ``params.yaml`` has.

    With an up-to-date `dvc.lock`, which has the same values as that file, this finds an edit
    between the end of a stage and the moment when DVC reads its parameters.

    Raises
    ------
    SettingsError
        With the keys and the commands that run the stage again.
    """
    values = read_values()
    for stage in _pipeline():
        used = files.read_json(_path(stage), next_step="dvc repro")
        if changed := _changed(used, used_parameters(stage, values)):
            raise SettingsError(
                f"{paths.PARAMS} was edited while {stage} was at work, so dvc.lock names other "
                f"parameters than those it used: {changed}",
                f"dvc repro --force --single-item {stage} && dvc repro, then the same command "
                "again",
            )


def _path(stage: str) -> Path:
    return paths.PARAMETERS_USED / f"{stage}.json"


def _changed(used: dict[str, Any], now: dict[str, Any]) -> str:
    return ", ".join(
        f"{key}: {used.get(key, 'not set')} -> {now.get(key, 'not set')}"
        for key in sorted(used.keys() | now.keys())
        if used.get(key) != now.get(key)
    )
