"""Models on disk: an estimator, its feature extractor, and a manifest with their digests."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from evergreen.core.events.label_selection import KEYS
from evergreen.core.events.loss_scale import LossScale
from evergreen.core.models import registry
from evergreen.errors import ModelError
from evergreen.store import extractors, files, tables
from evergreen.store.machine import platform_class

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.core.features.extractor import Extractor
    from evergreen.core.models.base import Estimator

MANIFEST = "manifest.json"
ESTIMATOR = "estimator"
EXTRACTOR = "extractor"
SKIPPED = "skipped.json"
"""Beside the candidates of a stage: the reasons why targets have none, by target."""
FORMATS = (".json", ".npy", ".parquet", ".txt")
"""The files of a model are text and arrays. A pickle could run code as it is loaded."""
NEW_LINEAGE = (
    "start a new model lineage with the next run: evergreen pin --new-lineage --as-of DATE && "
    "dvc repro && evergreen finish"
)
LIBRARIES = ("duckdb", "lightgbm", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")
GOLDEN = "golden.parquet"
GOLDEN_ROWS = 20
REFERENCE = "reference.json"
GOLDEN_TOLERANCE = 1e-12
PREDICTION = "prediction"
DIFFERENCES_SHOWN = 10
Origin = Literal["full", "incremental"]


class Manifest(BaseModel):
    """A model's properties and origin, and the digests of its files.

    `version` contains date, origin and a digest of the content. `trained_through` is the last day
    on which a label of its training became known. `label_cap` and `label_mean` are the
    `LossScale` of the labels it was trained on. An update names its `parent`, the model
    that it continues, and the `champion` it may replace: the parent itself, or the model that the
    parent did not replace. `drawn_from` is the number of labels that those of its last full fit
    were drawn from; None if all were used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    kind: Literal["binary", "regression"]
    label: str
    horizon_days: int
    estimator: str
    settings: dict[str, Any]
    origin: Origin
    parent: str | None
    champion: str | None = None
    updates: int
    as_of: str
    trained_through: str
    rows: int
    drawn_from: int | None = None
    clients: int
    label_mean: float
    label_cap: float
    seed: int
    text_form: Literal["components", "terms"]
    features: dict[str, str]
    extractor: str
    extractor_fitted_on: str
    holdout: dict[str, float | str]
    data: dict[str, str]
    libraries: dict[str, str]
    platform: str
    baselines: dict[str, dict[str, float | str | list[float]]]
    files: dict[str, str]
    version: str

    @property
    def scale(self) -> LossScale:
        """The cap and the mean of the labels that the model was trained on."""
        return LossScale(self.label_cap, self.label_mean)


@dataclass(frozen=True)
class Model:
    """A model whose files match its manifest; their content is read when needed."""

    folder: Path
    manifest: Manifest
    threads: int = 1

    @cached_property
    def estimator(self) -> Estimator:
        """The fitted estimator."""
        content = files.read_folder(self.folder / ESTIMATOR)
        return registry.from_files(self.manifest.estimator, content, threads=self.threads)

    @cached_property
    def extractor(self) -> Extractor:
        """The feature extractor it was trained with."""
        return extractors.load_extractor(self.folder / EXTRACTOR)

    @cached_property
    def reference(self) -> dict[str, Any] | None:
        """How inputs and predictions were distributed when it, or its parent, was fitted in full.

        See `evergreen.core.monitoring.reference.describe`; None for older models.
        """
        path = self.folder / REFERENCE
        if not path.is_file():
            return None
        reference: dict[str, Any] = files.read_json(path, next_step=f"dvc checkout {self.folder}")
        return reference

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Predict a probability or an amount from the extractor's columns (float32): float64 (n,).

        Raises
        ------
        ModelError
            If a column that it was trained on is missing.
        """
        self._check_columns(list(features.columns))
        columns = list(self.manifest.features)
        same = list(features.columns) == columns  # selecting them all would copy the table
        return self.estimator.predict(features if same else features[columns])

    def _check_columns(self, columns: list[str]) -> None:
        missing = [name for name in self.manifest.features if name not in columns]
        if missing:
            others = [name for name in columns if name not in {*self.manifest.features, *KEYS}]
            lines = [f"- {name}" for name in missing] + [f"+ {name}" for name in others]
            shown, rest = lines[:DIFFERENCES_SHOWN], lines[DIFFERENCES_SHOWN:]
            shown += [f"... and {len(rest)} more"] if rest else []
            raise ModelError(
                f"{self.manifest.version} was trained on {len(self.manifest.features)} columns, "
                f"and {len(missing)} of them are missing:\n  " + "\n  ".join(shown),
                "compute the features with the model's own feature extractor",
            )

    def sound(self, predicted: np.ndarray) -> np.ndarray:
        """Return its predictions (n,), if all are valid.

        Raises
        ------
        ModelError
            If one is not finite, or out of range for a probability or an amount.
        """
        upper = 1.0 if self.manifest.kind == "binary" else np.inf
        usable = np.isfinite(predicted) & (predicted >= 0) & (predicted <= upper)
        if not usable.all():
            raise ModelError(
                f"{self.manifest.version} predicts {predicted[~usable][0]} for "
                f"{(~usable).sum():,} of {len(predicted):,} clients",
                "the current release stays in production; check the model's training data",
            )
        return predicted

    def check_golden_rows(self) -> None:
        """Predict the golden rows, which were stored at training, again.

        Raises
        ------
        ModelError
            If a prediction differs by more than 1e-12, relative to its size if that exceeds one.
        """
        golden = tables.read_frame(self.folder / GOLDEN, made_by="train_full")
        expected = golden[PREDICTION].to_numpy()
        predicted = self.predict(golden)
        off = np.abs(predicted - expected) / np.maximum(1.0, np.abs(expected))
        if not (off <= GOLDEN_TOLERANCE).all():
            raise ModelError(
                f"{self.manifest.version} predicts {predicted[off.argmax()]!r} where it predicted "
                f"{expected[off.argmax()]!r} at training",
                "install the locked environment: make setup",
            )


def library_versions() -> dict[str, str]:
    """The versions of all libraries that a model's bytes depend on."""
    return {name: installed(name) for name in LIBRARIES}


def save_model(
    folder: Path,
    *,
    estimator: Estimator,
    extractor_folder: Path,
    trained_on: pd.DataFrame,
    reference: dict[str, Any] | None,
    about: dict[str, Any],
) -> Manifest:
    """Write the folder of a model; its version is derived from the content.

    Parameters
    ----------
    folder
        Emptied first.
    extractor_folder
        Copied, so that the model is complete on its own.
    trained_on
        The features of the training rows. A few rows are stored with their predictions, which
        `Model.check_golden_rows` compares wherever the model is used.
    reference
        See `Model.reference`.
    about
        The other fields of `Manifest`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    files.write_folder(estimator.to_files(), folder / ESTIMATOR)
    shutil.copytree(extractor_folder, folder / EXTRACTOR)
    golden = trained_on.iloc[:: max(1, len(trained_on) // GOLDEN_ROWS)].head(GOLDEN_ROWS)
    tables.write_frame(golden.assign(**{PREDICTION: estimator.predict(golden)}), folder / GOLDEN)
    if reference is not None:
        files.write_json(reference, folder / REFERENCE)
    content = (
        {"champion": None, "drawn_from": None}
        | about
        | {
            "extractor": extractors.digest(folder / EXTRACTOR),
            "libraries": library_versions(),
            "platform": platform_class(),
            "files": files.digests(folder),
        }
    )
    manifest = Manifest(**content, version=_version_of(content))
    files.write_json(manifest.model_dump(), folder / MANIFEST)
    return manifest


def _version_of(content: dict[str, Any]) -> str:
    """The version, derived from all other fields of a manifest."""
    return f"{content['as_of']}-{content['origin']}-{files.digest_of(content)[:8]}"


def load_model(folder: Path, *, threads: int = 1) -> Model:
    """Open a model after checking every file against the manifest.

    The number of threads does not change predictions.

    Raises
    ------
    ModelError
        If a file is missing, altered, not in the manifest, or a pickle.
    """
    manifest = read_manifest(folder)
    _check_formats(folder, manifest)
    digests = files.digests(folder, apart_from=MANIFEST)
    for name in sorted(manifest.files.keys() | digests.keys()):
        expected, actual = manifest.files.get(name), digests.get(name)
        if expected != actual:
            state = "missing" if actual is None else "altered" if expected else "unexpected"
            raise ModelError(
                f"{folder / name} is {state}: expected SHA-256 {expected}, found {actual}",
                f"restore it with `dvc checkout --force {folder}`",
            )
    return Model(folder, manifest, threads)


def _check_formats(folder: Path, manifest: Manifest) -> None:
    for name in manifest.files:
        if Path(name).suffix not in FORMATS:
            raise ModelError(
                f"{folder / name} is a pickle, as random forests of earlier versions were: loading "
                f"one can run any code, so {manifest.version} is not used",
                NEW_LINEAGE,
            )


def read_manifest(folder: Path) -> Manifest:
    """Read a model's manifest.

    Raises
    ------
    ModelError
        If it is missing, does not have the fields of `Manifest`, or its version does not match
        them, which means that it was altered.
    """
    path = folder / MANIFEST
    next_step = f"dvc checkout --force {folder}, or dvc repro"
    content = files.read_json(path, next_step=next_step)
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise ModelError(f"{path}: {field}: {first['msg']}", next_step) from None
    del content["version"]
    expected = _version_of(content)
    if manifest.version != expected:
        raise ModelError(
            f"{path} is altered: its content gives version {expected}, but it names "
            f"{manifest.version}",
            next_step,
        )
    return manifest


def about_training(
    *, as_of: date, labels: pd.Series, known_on: pd.Series, clients: pd.Series
) -> dict[str, Any]:
    """The fields of a manifest that follow from the training rows."""
    scale = LossScale.of_labels(labels, clients)
    return {
        "as_of": as_of.isoformat(),
        "trained_through": str(known_on.max().date()),
        "rows": len(labels),
        "clients": int(clients.nunique()),
        "label_mean": scale.mean,
        "label_cap": scale.cap,
    }
