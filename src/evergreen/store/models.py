"""Models on disk: an estimator, its extractor and a manifest that vouches for both."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from threadpoolctl import threadpool_info

from evergreen.core.events.label_selection import KEYS
from evergreen.core.events.loss_scale import LossScale
from evergreen.core.models import registry
from evergreen.errors import ModelError
from evergreen.store import extractors, files, tables

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import pandas as pd

    from evergreen.core.features.extractor import Extractor
    from evergreen.core.models.base import Estimator

MANIFEST = "manifest.json"
ESTIMATOR = "estimator"
EXTRACTOR = "extractor"
SKIPPED = "skipped.json"
"""Beside the candidates of a stage: why a target has none, by its name."""
LIBRARIES = ("duckdb", "joblib", "lightgbm", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")
GOLDEN = "golden.parquet"
GOLDEN_ROWS = 20
REFERENCE = "reference.json"
GOLDEN_TOLERANCE = 1e-12
PREDICTION = "prediction"
DIFFERENCES_SHOWN = 10
Origin = Literal["full", "incremental"]


class Manifest(BaseModel):
    """What a model is, where it comes from, and the digests of its files.

    `version` names the date, the origin and the content; `trained_through` is the last day on
    which a label of its training became known; `label_cap` and `label_mean` are the 99.9 %
    quantile and the mean of the labels trained on. An update names its `parent`, which it has
    learned further from, and the `champion` whose place it is to take: the parent itself, or the
    model that the parent was to replace and did not.
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
    """A model whose files are what its manifest says; what is in them is read when needed."""

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
        """The extractor that it was trained with."""
        return extractors.load_extractor(self.folder / EXTRACTOR)

    @cached_property
    def reference(self) -> dict[str, Any] | None:
        """How inputs and predictions were distributed when it, or its parent, was fitted in full.

        See `evergreen.core.monitoring.reference.describe`; None for older models.
        """
        path = self.folder / REFERENCE
        if not path.is_file():
            return None
        found: dict[str, Any] = files.read_json(path, next_step=f"dvc checkout {self.folder}")
        return found

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Predict from the extractor's columns: float64 (n,), a probability or an amount.

        Raises
        ------
        ModelError
            If a column that it was trained on is missing, with the difference.
        """
        self._check_columns(list(features.columns))
        return self.estimator.predict(features[list(self.manifest.features)])

    def _check_columns(self, found: list[str]) -> None:
        missing = [name for name in self.manifest.features if name not in found]
        if missing:
            others = [name for name in found if name not in {*self.manifest.features, *KEYS}]
            lines = [f"- {name}" for name in missing] + [f"+ {name}" for name in others]
            shown, beyond = lines[:DIFFERENCES_SHOWN], lines[DIFFERENCES_SHOWN:]
            shown += [f"... and {len(beyond)} more"] if beyond else []
            raise ModelError(
                f"{self.manifest.version} was trained on {len(self.manifest.features)} columns, "
                f"and {len(missing)} of them are missing:\n  " + "\n  ".join(shown),
                "compute the features with the model's own extractor",
            )

    def sound(self, predicted: np.ndarray) -> np.ndarray:
        """Its own predictions (n,), if every one can be used.

        Raises
        ------
        ModelError
            If one is not finite, or not what a probability or an amount can be.
        """
        upper = 1.0 if self.manifest.kind == "binary" else np.inf
        usable = np.isfinite(predicted) & (predicted >= 0) & (predicted <= upper)
        if not usable.all():
            raise ModelError(
                f"{self.manifest.version} predicts {predicted[~usable][0]} for "
                f"{(~usable).sum():,} of {len(predicted):,} clients",
                "hold the release that is served and look at the model's training data",
            )
        return predicted

    def check_golden_rows(self) -> None:
        """Predict the rows kept at training again.

        Raises
        ------
        ModelError
            If a prediction differs by more than 1e-12, in relation to its size where that is more
            than one: the model is not what it was when it was judged.
        """
        golden = tables.read_frame(self.folder / GOLDEN, made_by="train_full")
        expected = golden[PREDICTION].to_numpy()
        found = self.predict(golden)
        off = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
        if not (off <= GOLDEN_TOLERANCE).all():
            raise ModelError(
                f"{self.manifest.version} predicts {found[off.argmax()]!r} where it predicted "
                f"{expected[off.argmax()]!r} at training",
                "install the locked environment: make setup",
            )


def platform_class() -> str:
    """What equal bytes are promised within: architecture, system, and the CPU as BLAS sees it."""
    blas = [info for info in threadpool_info() if info["user_api"] == "blas"]
    names = sorted({f"{b['internal_api']}-{b.get('architecture', 'any')}" for b in blas})
    return "-".join([platform.machine(), platform.system(), *names]).lower()


def library_versions() -> dict[str, str]:
    """The versions of everything that a model's bytes depend on."""
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
    """Write a model's folder; its version is derived from all that is in it.

    Parameters
    ----------
    folder
        Emptied first.
    extractor_folder
        Copied in, so that the model can always be used on its own.
    trained_on
        The features trained on; a few rows are kept with what the model predicts for them, and
        `Model.check_golden_rows` asks for the same wherever the model is to be used.
    reference
        As `Model.reference` gives it back.
    about
        The fields of `Manifest` that only the caller knows.
    """
    shutil.rmtree(folder, ignore_errors=True)
    files.write_folder(estimator.to_files(), folder / ESTIMATOR)
    shutil.copytree(extractor_folder, folder / EXTRACTOR)
    golden = trained_on.iloc[:: max(1, len(trained_on) // GOLDEN_ROWS)].head(GOLDEN_ROWS)
    tables.write_frame(golden.assign(**{PREDICTION: estimator.predict(golden)}), folder / GOLDEN)
    if reference is not None:
        files.write_json(reference, folder / REFERENCE)
    content = (
        {"champion": None}
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
    """The version that follows from all other fields of a manifest."""
    return f"{content['as_of']}-{content['origin']}-{files.digest_of(content)[:8]}"


def load_model(folder: Path, *, threads: int = 1) -> Model:
    """Open a model after checking every file against the manifest; nothing is unpickled before.

    Its predictions are the same with any number of threads.

    Raises
    ------
    ModelError
        If a file is missing, altered or not named by the manifest.
    """
    manifest = read_manifest(folder)
    found = files.digests(folder, apart_from=MANIFEST)
    for name in sorted(manifest.files.keys() | found.keys()):
        expected, actual = manifest.files.get(name), found.get(name)
        if expected != actual:
            state = "missing" if actual is None else "altered" if expected else "foreign"
            raise ModelError(
                f"{folder / name} is {state}: expected SHA-256 {expected}, found {actual}",
                f"restore it with `dvc checkout --force {folder}`",
            )
    return Model(folder, manifest, threads)


def read_manifest(folder: Path) -> Manifest:
    """Read a model's manifest.

    Raises
    ------
    ModelError
        If it is missing, does not have the fields of `Manifest`, or its version does not follow
        from them: then it was altered, and does not vouch for any file.
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
            f"{path} is altered: its content makes it {expected}, it says {manifest.version}",
            next_step,
        )
    return manifest


def about_training(
    *, as_of: date, labels: pd.Series, known_on: pd.Series, clients: pd.Series
) -> dict[str, Any]:
    """The fields of a manifest that follow from the rows trained on."""
    scale = LossScale.of_labels(labels)
    return {
        "as_of": as_of.isoformat(),
        "trained_through": str(known_on.max().date()),
        "rows": len(labels),
        "clients": int(clients.nunique()),
        "label_mean": scale.mean,
        "label_cap": scale.cap,
    }
