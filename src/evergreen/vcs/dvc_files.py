"""What ``dvc.lock`` and ``.dvc`` files name: parameters, inputs and outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml


def named_md5s(name: str, text: str) -> dict[str, str]:
    """The hash of each output that a ``dvc.lock`` or ``.dvc`` file names, by path.

    Parameters
    ----------
    name
        The path of the file, to whose folder its paths are relative.
    text
        Its content.
    """
    content = yaml.load(text, Loader=yaml.CSafeLoader) or {}
    stages = content["stages"].values() if "stages" in content else [content]
    return {
        (Path(name).parent / entry["path"]).as_posix(): entry["md5"]
        for stage in stages
        for entry in stage.get("outs", ())
        if {"path", "md5"} <= entry.keys()
    }


class LockedInputs(NamedTuple):
    """What the stages of a ``dvc.lock`` started from.

    Parameters are nested as in ``params.yaml``; `hashes` are of dependencies that no stage makes.
    """

    parameters: dict[str, Any]
    hashes: dict[str, str]


def locked_inputs(text: str) -> LockedInputs:
    """The parameters, data and code in the text of a ``dvc.lock``."""
    stages = yaml.load(text, Loader=yaml.CSafeLoader)["stages"].values()
    made = {out["path"] for stage in stages for out in stage.get("outs", ())}
    inputs = LockedInputs({}, {})
    for stage in stages:
        for values in stage.get("params", {}).values():
            inputs.parameters.update(values)
        for entry in stage.get("deps", ()):
            if entry["path"] not in made:
                inputs.hashes[entry["path"]] = entry["md5"]
    return inputs
