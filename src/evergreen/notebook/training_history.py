"""One history of the models of all runs and those saved by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from evergreen.core.evaluation.losses import LOSS_NAME
from evergreen.errors import DataError
from evergreen.history import run_records, run_summaries
from evergreen.notebook import saved_models
from evergreen.plots.history_figure import BY_HAND, draw_history
from evergreen.settings import paths
from evergreen.store.releases import load_release


def entries() -> list[dict[str, Any]]:
    """List every model, in order of time; see `ContinuousTrainer.training_history`."""
    evaluated: list[dict[str, Any]] = [
        {
            "model_name": version.target,
            "version": version.version,
            "origin": version.kind,
            "at": version.as_of.isoformat(),
            "loss": version.loss,
            "promoted": version.promoted,
            "by_hand": False,
            "metrics": {},
        }
        for version in run_summaries.versions(run_records.read_all())
    ]
    saved = [
        {
            "model_name": entry["model_name"],
            "version": entry["version"],
            "origin": entry["metrics"].get("origin"),
            "at": entry["saved_at"],
            "loss": _loss(entry["metrics"]),
            "promoted": False,
            "by_hand": True,
            "metrics": entry["metrics"],
        }
        for entry in saved_models.read_log()
    ]
    return sorted([*evaluated, *saved], key=lambda e: datetime.fromisoformat(str(e["at"])))


def best(name: str) -> Path:
    """Return the path of the best model; see `ContinuousTrainer.get_best_model`."""
    if paths.CURRENT.is_dir() and name in load_release(paths.CURRENT).models:
        return paths.CURRENT / name
    saved = [entry for entry in saved_models.read_log() if entry["model_name"] == name]
    ranked = [entry for entry in saved if _rank(entry["metrics"]) is not None]
    if not saved:
        raise _unknown(name)
    if not ranked:
        raise DataError(
            f"no version of {name!r} was saved with metrics on held-out rows",
            "save_model_version(model, name, metrics), with the metrics returned with the model",
        )
    return Path(min(ranked, key=lambda entry: _rank(entry["metrics"]) or ())["path"])


def draw(name: str, path: Path) -> None:
    """Plot a model's history; see `ContinuousTrainer.plot_training_history`."""
    records = run_records.read_all()
    evaluated = run_summaries.loss_rows(records)
    saved = pd.DataFrame(
        [
            {"as_of": entry["at"], "target": name, "model": BY_HAND, "loss": entry["loss"]}
            for entry in entries()
            if entry["by_hand"] and entry["model_name"] == name
        ],
        columns=["as_of", "target", "model", "loss"],
    ).assign(promoted=False)
    parts = [part for part in (evaluated[evaluated["target"] == name], saved) if len(part)]
    if not parts:
        raise _unknown(name)
    losses = [record.targets[name].loss for record in records if name in record.targets]
    rows = pd.concat(parts, ignore_index=True)
    draw_history(path, rows, loss_names={name: losses[-1] if losses else "loss"})


def _loss(metrics: Mapping[str, Any]) -> float | None:
    """Return the held-out loss that the gate uses, of whichever kind the model is."""
    return next((metrics[n] for n in LOSS_NAME.values() if metrics.get(n) is not None), None)


def _rank(metrics: Mapping[str, Any]) -> tuple[int, float] | None:
    """Return a sort key, smaller is better: the loss, or else a score."""
    loss = _loss(metrics)
    if loss is not None:
        return 0, loss
    scores = [metrics[name] for name in ("accuracy", "r2") if metrics.get(name) is not None]
    return (1, -scores[0]) if scores else None


def _unknown(name: str) -> DataError:
    names = sorted({str(entry["model_name"]) for entry in entries()})
    return DataError(f"there is no model {name!r}; there are {', '.join(names) or 'none'}")
