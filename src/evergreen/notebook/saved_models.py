"""Models saved by hand in ``models/continuous``, each with its metadata, and one log."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from filelock import FileLock

from evergreen.errors import DataError, ModelError
from evergreen.settings import paths
from evergreen.store import files, models

LOG = paths.CONTINUOUS / "training_history.json"
NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
FILES = (".joblib", ".pkl", ".pickle")


def save_version(
    model: object,
    name: str,
    *,
    metrics: Mapping[str, Any],
    columns: list[str] | None,
    version: str,
    saved_at: datetime,
) -> Path:
    """Write a model, then its metadata, then a line in the log; return the model's file.

    Raises
    ------
    DataError
        If the name or version can't be used in a file name, or the version exists.
    ValueError
        If metrics are not a dict, or the model can't be pickled.
    """
    for what, value in (("model_name", name), ("version", version)):
        if not re.fullmatch(NAME, value, re.ASCII):
            raise DataError(
                f"{what} {value!r} can't be used in a file name (expected letters, digits, '_', "
                "'-' and '.')"
            )
    if not isinstance(metrics, Mapping):
        raise ValueError(f"metrics must be a dict, found {type(metrics).__name__}")  # noqa: TRY004 - as for any other wrong argument
    folder = paths.CONTINUOUS / f"v_{version.removeprefix('v_')}"
    path = folder / f"{name}_model.joblib"
    if path.exists():
        raise DataError(
            f"{path} exists already, and versions are never replaced", "choose another version"
        )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with files.replacing(path) as unfinished:
            joblib.dump(model, unfinished)
    except (pickle.PicklingError, TypeError, AttributeError) as error:  # not picklable
        raise ValueError(f"the model can't be pickled: {error}") from None
    entry = {
        "model_name": name,
        "version": folder.name,
        "saved_at": saved_at.isoformat(timespec="seconds"),
        "model": type(model).__name__,
        "path": path.as_posix(),
        "sha256": files.sha256(path),
        "features": columns,
        "metrics": plain(metrics),
    }
    files.write_json(entry, _metadata_of(path), sort_keys=False)
    with FileLock(LOG.with_suffix(".lock")):
        files.write_json([*read_log(), entry], LOG, sort_keys=False)
    return path


def read_log() -> list[dict[str, Any]]:
    """Read the log of models saved by hand, in order."""
    if not LOG.is_file():
        return []
    log: list[dict[str, Any]] = files.read_json(LOG, next_step=f"fix or move {LOG}")
    return log


def load_any(path: Path) -> tuple[Any, Mapping[str, Any]]:
    """Load a model by its path, with what is known about its training.

    Parameters
    ----------
    path
        A model folder of a release, whose digests are checked; or a joblib or pickle file that you
        trust, as reading it can run code. A file saved here must be unchanged.

    Returns
    -------
    (model, dict)
        An estimator, or whatever the file holds; and origin, label_cap and label_mean, if known.

    Raises
    ------
    ModelError
        If there is no model, it was altered or damaged, or it is part of a release.
    """
    if (path / models.MANIFEST).is_file():
        model = models.load_model(path.resolve())
        return model.estimator, _about(model.manifest)
    if not path.is_file() or path.suffix not in FILES:
        raise ModelError(
            f"{path} is neither a file ({', '.join(FILES)}) nor a model folder",
            "pass the path that save_model_version or get_best_model returned",
        )
    if any((parent / models.MANIFEST).is_file() for parent in path.resolve().parents[:2]):
        raise ModelError(
            f"{path} is part of a release, which is checked as a whole",
            f"pass the model folder {path.parents[1]}",
        )
    metadata = _metadata_of(path)
    about: dict[str, Any] = {}
    if metadata.is_file():
        entry = files.read_json(metadata, next_step="save the model again")
        if entry.get("sha256") != files.sha256(path):
            raise ModelError(f"{path} is not what {metadata} describes", "save the model again")
        about = entry["metrics"]
    try:
        return joblib.load(path), about
    except Exception as error:  # a damaged pickle may raise anything  # noqa: BLE001
        raise ModelError(
            f"{path} can't be read as a model: {type(error).__name__}: {error}",
            "save the model again, with the packages of this environment",
        ) from None


def _about(manifest: models.Manifest) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in ("origin", "label_cap", "label_mean")}


def _metadata_of(path: Path) -> Path:
    return path.with_name(path.name.removesuffix("_model" + path.suffix) + "_metadata.json")


def plain(value: Any) -> Any:  # noqa: ANN401 - as wide as JSON
    """Convert numbers, arrays and paths for JSON; what is not finite becomes None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else str(value)
